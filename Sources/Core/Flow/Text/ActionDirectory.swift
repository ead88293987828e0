/// The actions by name (ovs-actions(7)), in any case.
enum ActionWord: UInt16 {
    case output = 1, controller, enqueue, group, resubmit, drop
    case gotoTable, clearActions, writeActions, writeMetadata, meter, applyActions
    case load, move, setField, push, pop
    case modEthSrc, modEthDst, modVLANID, setVLANID, modVLANPCP, setVLANPCP, stripVLAN, pushVLAN
    case pushMPLS, popMPLS, setMPLSLabel, setMPLSTC, setMPLSTTL, decMPLSTTL
    case copyTTLOut, copyTTLIn, pushPBB, popPBB
    case modIPSrc, modIPDst, modTOS, modECN, modTTL, decTTL, modTransportSrc, modTransportDst
    case setTunnel, setQueue, popQueue
    case learn, note, clone, multipath, bundle, bundleLoad, checkPacketLarger, conjunction, finTimeout, exit
    case unsupported
}

enum ActionDirectory {
    private static let supported: [(name: String, word: ActionWord)] = [
        ("output", .output), ("controller", .controller), ("enqueue", .enqueue), ("group", .group), ("resubmit", .resubmit), ("drop", .drop),
        ("goto_table", .gotoTable), ("clear_actions", .clearActions), ("write_actions", .writeActions), ("write_metadata", .writeMetadata),
        ("meter", .meter), ("apply_actions", .applyActions), ("load", .load), ("move", .move), ("set_field", .setField), ("push", .push),
        ("pop", .pop), ("mod_dl_src", .modEthSrc), ("mod_dl_dst", .modEthDst), ("mod_vlan_vid", .modVLANID), ("set_vlan_vid", .setVLANID),
        ("mod_vlan_pcp", .modVLANPCP), ("set_vlan_pcp", .setVLANPCP), ("strip_vlan", .stripVLAN), ("pop_vlan", .stripVLAN),
        ("push_vlan", .pushVLAN), ("push_mpls", .pushMPLS), ("pop_mpls", .popMPLS), ("set_mpls_label", .setMPLSLabel),
        ("set_mpls_tc", .setMPLSTC), ("set_mpls_ttl", .setMPLSTTL), ("dec_mpls_ttl", .decMPLSTTL), ("copy_ttl_out", .copyTTLOut),
        ("copy_ttl_in", .copyTTLIn), ("push_pbb", .pushPBB), ("pop_pbb", .popPBB), ("mod_nw_src", .modIPSrc),
        ("mod_nw_dst", .modIPDst), ("mod_nw_tos", .modTOS), ("mod_nw_ecn", .modECN), ("mod_nw_ttl", .modTTL), ("set_nw_ttl", .modTTL),
        ("dec_ttl", .decTTL), ("mod_tp_src", .modTransportSrc), ("mod_tp_dst", .modTransportDst), ("set_tunnel", .setTunnel),
        ("set_tunnel64", .setTunnel), ("set_queue", .setQueue), ("pop_queue", .popQueue), ("learn", .learn), ("note", .note),
        ("clone", .clone), ("multipath", .multipath), ("bundle", .bundle), ("bundle_load", .bundleLoad),
        ("check_pkt_larger", .checkPacketLarger), ("conjunction", .conjunction), ("fin_timeout", .finTimeout), ("exit", .exit),
    ]

    /// Actions of ovs-actions(7) that Weft does not execute.
    static let unsupported = [
        "ct", "ct_clear", "nat", "sample", "encap", "decap", "dec_nsh_ttl", "delete_field", "unroll_xlate", "debug_recirc", "debug_slow",
    ]

    static let names = NameTable(
        supported.map { ($0.name, $0.word.rawValue) } + unsupported.map { ($0, ActionWord.unsupported.rawValue) }, foldingCase: true)

    static let suggestions = supported.map(\.name) + ["normal", "flood", "all", "local", "in_port"]
}
