/// Flow lines whose match and actions the codec must carry, each in every version.
enum FlowLines {
    static let matches: [String] = [
        "", "ip", "tcp", "udp", "sctp", "icmp", "arp", "rarp", "ipv6", "tcp6", "udp6", "sctp6", "icmp6", "mpls", "mplsm", "in_port=1",
        "in_port=LOCAL",
        "in_port=65279", "dl_src=00:11:22:33:44:55", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "dl_src=00:11:22:33:44:55/ff:ff:ff:00:00:00",
        "dl_type=0x1234", "vlan_tci=0x1123", "vlan_tci=0x1000/0x1000", "dl_vlan=5", "dl_vlan=0", "dl_vlan=5,dl_vlan_pcp=3", "dl_vlan_pcp=3",
        "vlan_vid=0x1000/0x1000", "vlan_tci=0x1005/0x1fff", "mpls,mpls_label=5", "mpls,mpls_tc=3", "mpls,mpls_bos=1", "mpls,mpls_ttl=9",
        "mpls,mpls_label=5,mpls_tc=1,mpls_bos=0", "ip,nw_src=10.0.0.1", "ip,nw_src=10.0.0.0/8", "ip,nw_dst=10.0.0.0/255.0.255.0",
        "ipv6,ipv6_src=2001:db8::1", "ipv6,ipv6_dst=2001:db8::/32", "ipv6,ipv6_src=::1/::1", "ipv6,ipv6_label=0x12345", "ipv6,ipv6_label=5/0xf",
        "ip,nw_proto=47", "ipv6,nw_proto=47", "ip,nw_tos=252", "ip,nw_ecn=3", "ip,nw_ttl=64", "ipv6,nw_ttl=1,nw_tos=8", "ip,nw_tos=4,nw_ecn=2",
        "ip,ip_frag=no", "ip,ip_frag=yes", "ip,nw_frag=first", "ip,ip_frag=later", "ip,ip_frag=not_later", "arp,arp_op=1", "arp,arp_spa=1.2.3.4",
        "arp,arp_tpa=1.2.3.0/24", "arp,arp_sha=00:11:22:33:44:55", "arp,arp_tha=00:11:22:33:44:55/ff:00:00:00:00:00", "rarp,arp_op=3",
        "tcp,tp_src=80", "tcp,tcp_dst=80", "tcp,tp_src=0x1000/0xf000", "udp,udp_src=53", "udp,tp_dst=53", "sctp,sctp_dst=5", "tcp6,tcp_src=1",
        "udp6,udp_dst=1/1", "tcp,tcp_flags=+syn-ack", "tcp,tcp_flags=syn|ack", "tcp6,tcp_flags=-rst", "icmp,icmp_type=8",
        "icmp,icmp_type=8,icmp_code=0",
        "icmp6,icmpv6_type=128", "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1", "icmp6,icmpv6_type=135,icmpv6_code=0,nd_sll=00:11:22:33:44:55",
        "icmp6,icmpv6_type=136,icmpv6_code=0,nd_tll=00:11:22:33:44:55", "icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=fe80::/16", "tun_id=5",
        "tun_id=0x10/0xf0", "tun_src=1.2.3.4", "tun_dst=1.0.0.0/8", "tun_ipv6_src=::1", "tun_ipv6_dst=fe80::/10", "tun_flags=+oam", "tun_flags=-oam",
        "tun_gbp_id=5", "tun_gbp_flags=8", "metadata=5", "metadata=0x1234567890abcdef", "metadata=5/0xff", "reg0=0", "reg0=5", "reg15=0xffffffff",
        "reg3=5/0xf", "xreg1=0x100000002", "xxreg0=0x1234567890abcdef1234567890abcdef", "pkt_mark=5", "pkt_mark=5/0xff", "conj_id=7",
        "actset_output=5",
        "priority=5,in_port=3,tcp,dl_vlan=7,dl_vlan_pcp=1,nw_src=10.0.0.0/24,nw_dst=10.1.0.1,tp_src=1,tp_dst=2,nw_tos=4",
        "priority=65535", "table=1", "table=254", "cookie=0x1234", "idle_timeout=5,hard_timeout=6", "send_flow_rem", "check_overlap", "reset_counts",
        "no_packet_counts,no_byte_counts",
    ]

    /// Actions that need nothing of the match.
    static let actions: [String] = [
        "drop", "1", "1,2,3", "LOCAL", "in_port", "normal", "flood", "all", "controller", "controller:128", "controller(reason=no_match)",
        "controller(id=5)", "controller(userdata=01.02)", "controller(pause)", "controller(max_len=1,reason=invalid_ttl,id=7,userdata=00,meter_id=3)",
        "output(port=1,max_len=64)", "output(port=LOCAL,max_len=100)", "output:reg0[]", "output:NXM_NX_REG1[0..15]", "group:5", "resubmit:3",
        "resubmit(,5)", "resubmit(3,5)", "set_queue:7", "pop_queue", "enqueue:1:2", "goto_table:5", "clear_actions", "write_actions(output:1)",
        "write_actions(drop)", "write_metadata:5", "write_metadata:0x10/0xf0", "meter:3,output:1",
        "meter:3,output:1,clear_actions,write_actions(group:4),write_metadata:0x1,goto_table:9", "load:5->NXM_NX_REG0[]",
        "load:0xf->NXM_NX_REG3[4..7]", "load:1->NXM_NX_REG0[31]", "load:0xffffffffffffffff->NXM_NX_TUN_ID[]", "load:5->OXM_OF_METADATA[]",
        "load:0x1234567890->NXM_NX_XXREG0[0..63]", "load:5->NXM_NX_PKT_MARK[]", "load:0x3->NXM_OF_IN_PORT[]", "load:5->OXM_OF_PKT_REG0[8..15]",
        "set_field:5->reg0", "set_field:5/0xf->reg0", "set_field:0x1234->metadata", "set_field:00:11:22:33:44:55->eth_src",
        "set_field:00:11:22:33:44:55/ff:ff:00:00:00:00->eth_dst", "set_field:0x10->tun_id", "set_field:1.2.3.4->tun_src",
        "set_field:::1->tun_ipv6_dst",
        "set_field:0x12345678901234567890->xxreg1", "move:NXM_NX_REG0[]->NXM_NX_REG1[]", "move:NXM_OF_IN_PORT[]->NXM_NX_REG2[0..15]",
        "move:NXM_NX_XXREG0[0..63]->OXM_OF_METADATA[]", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", "push:NXM_NX_REG0[]", "pop:NXM_NX_REG1[0..15]",
        "push:OXM_OF_METADATA[]", "mod_dl_src:00:11:22:33:44:55", "mod_dl_dst:00:11:22:33:44:55", "push_vlan:0x8100", "push_vlan:0x88a8",
        "push_mpls:0x8847", "set_tunnel:5", "set_tunnel64:0x1234567890", "note:01.02.03.04.05.06", "note:01.02", "exit", "clone(output:1,output:2)",
        "clone(set_field:1->reg0,clone(output:3)),output:4", "conjunction(7,1/2)", "conjunction(7,2/3),conjunction(8,1/2)",
        "multipath(symmetric_l4,50,modulo_n,1,0,NXM_NX_REG0[])", "multipath(eth_src,0,hrw,12,0,NXM_NX_REG1[0..15])",
        "multipath(nw_src,1,iter_hash,4,5,NXM_NX_REG1[0..3])", "bundle(eth_src,0,hrw,ofport,members:4,8)",
        "bundle(symmetric_l3l4+udp,9,active_backup,ofport,members:1,2,LOCAL)", "bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[],members:4,8)",
        "check_pkt_larger(1500)->NXM_NX_REG0[3]", "learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
        "learn(table=1,priority=5,idle_timeout=1,hard_timeout=2,fin_idle_timeout=3,fin_hard_timeout=4,cookie=0x5,send_flow_rem,delete_learned,"
            + "dl_type=0x800,NXM_OF_VLAN_TCI[0..11],load:NXM_NX_REG0[0..7]->NXM_NX_REG1[8..15],load:0x5->NXM_NX_REG2[0..3])",
        "learn(table=1,limit=10,result_dst=NXM_NX_REG0[2],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_NX_REG0[0..15])",
        "learn(table=2,reg0=0x5,NXM_NX_REG1[0..7]=0xff,load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15])",
        "mod_vlan_vid:5", "mod_vlan_pcp:3", "mod_vlan_vid:5,mod_vlan_pcp:3,1",
    ]

    /// Whole entries, whose actions need their match.
    static let entries: [String] = [
        "ip,actions=dec_ttl", "ip,actions=dec_ttl(1,2)", "ip,actions=mod_nw_ttl:5", "ip,actions=mod_nw_tos:8", "ip,actions=mod_nw_ecn:2",
        "ip,actions=mod_nw_src:1.2.3.4,mod_nw_dst:5.6.7.8", "tcp,actions=mod_tp_src:1,mod_tp_dst:2", "udp,actions=mod_tp_src:1,mod_tp_dst:2",
        "sctp,actions=mod_tp_src:1,mod_tp_dst:2", "tcp6,actions=mod_tp_dst:2", "ip,actions=set_field:1.2.3.4->ip_src",
        "ip,actions=set_field:1.2.0.0/255.255.0.0->ip_src", "tcp,actions=set_field:80->tcp_dst", "ipv6,actions=set_field:::1->ipv6_src",
        "ip,actions=load:0x1020304->NXM_OF_IP_SRC[]", "tcp,actions=load:0x50->NXM_OF_TCP_SRC[]", "ip,actions=load:0x8->NXM_NX_IP_TTL[]",
        "arp,actions=load:0x2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],set_field:1.2.3.4->arp_spa",
        "mpls,actions=set_mpls_label(5),set_mpls_tc(3),set_mpls_ttl(9),dec_mpls_ttl", "mpls,actions=pop_mpls:0x0800,dec_ttl",
        "ip,actions=push_mpls:0x8847,set_field:5->mpls_label,1", "dl_vlan=5,actions=strip_vlan,1", "dl_vlan=5,actions=pop_vlan,push_vlan:0x8100,1",
        "dl_vlan=5,actions=mod_vlan_vid:6,1", "dl_vlan=5,actions=set_field:4102->vlan_vid,1", "dl_vlan=5,actions=set_field:3->vlan_pcp,1",
        "tcp,actions=fin_timeout(idle_timeout=5,hard_timeout=6)", "tcp,actions=output:NXM_OF_TCP_SRC[]",
        "icmp6,icmp_type=135,icmp_code=0,actions=set_field:::1->nd_target,set_field:00:11:22:33:44:55->nd_sll",
        "icmp,actions=load:0->NXM_OF_ICMP_TYPE[]",
        "table=3,priority=9,cookie=0x7,ip,reg1=0x10,nw_dst=10.128.0.0/9,actions=load:2->NXM_NX_REG2[],resubmit(,4)",
    ]

    static let all: [String] =
        matches.map { ($0.isEmpty ? "" : $0 + ",") + "actions=output:1" } + actions.map { "actions=" + $0 } + entries
}
