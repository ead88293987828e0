import Flow
import Testing

@testable import OpenFlow

/// What OpenFlow has and Open vSwitch has not, so that no other decoder can be asked: bytes by hand, and there and back in every version.
@Suite struct BeyondOpenVSwitchTests {
    private static let lines = [
        "dl_type=0x88e7,pbb_isid=100,actions=set_field:203->pbb_isid,output:2", "dl_type=0x88e7,pbb_isid=96/0xf0,pbb_uca=1,actions=output:2",
        "dl_type=0x88e7,actions=set_field:1->pbb_uca,pop_pbb,goto_table:1", "ip,actions=push_pbb:0x88e7,set_field:5->pbb_isid,output:2",
        "ipv6,ipv6_exthdr=0x44,actions=output:2", "tcp6,ipv6_exthdr=0x40/0x1f0,tp_dst=80,actions=output:2",
        "icmp6,icmp_type=136,icmp_code=0,nd_tll=02:00:00:00:00:01,ipv6_exthdr=0x1,actions=output:2",
        "mpls,actions=copy_ttl_out,output:2", "mpls,actions=copy_ttl_in,pop_mpls:0x0800,output:2",
        "ip,actions=write_actions(push_pbb:0x88e7,copy_ttl_in,output:2)", "dl_type=0x88e7,actions=write_actions(pop_pbb,output:2)",
    ]

    @Test(arguments: OpenFlowVersion.allCases) func anEntryComesBackAsItWas(version: OpenFlowVersion) throws {
        var decoder = MessageDecoder(version)
        for line in Self.lines {
            let entry = MessageSamples.entry(line)
            let bytes = try MessageEncoder(version).encode(.flowMod(FlowMod(.add, entry)), xid: 7)
            guard case .flowMod(let back) = try decoder.decode(bytes).body else { throw OpenFlowError(.badRequestLength, line) }
            #expect(back.entry.match == entry.match, "\(line)")
            #expect(back.entry.actions == entry.actions, "\(line)")
        }
    }

    /// The bytes from the match on (OpenFlow 1.3.5 §A.2.3.7, §A.2.5).
    @Test(arguments: [
        (
            "dl_type=0x88e7,pbb_isid=100,pbb_uca=1,actions=set_field:203->pbb_isid,pop_pbb",
            "0001 0016 80000a02 88e7 80004a03 000064 80005201 01 0000"
                + "0004 0020 00000000 0019 0010 80004a03 0000cb 0000000000 001b 0008 00000000"
        ),
        (
            "dl_type=0x88e7,pbb_isid=96/0xf0,actions=push_pbb:0x88e7",
            "0001 0014 80000a02 88e7 80004b06 000060 0000f0 00000000 0004 0010 00000000 001a 0008 88e7 0000"
        ),
        (
            "ipv6,ipv6_exthdr=0x40/0x1f0,actions=copy_ttl_out,copy_ttl_in",
            "0001 0012 80000a02 86dd 80004f04 0040 01f0 000000000000 0004 0018 00000000 000b 0008 00000000 000c 0008 00000000"
        ),
    ])
    func theBytesAreThoseOfTheStandard(_ line: String, _ hex: String) throws {
        let bytes = try MessageEncoder(.v13).encode(.flowMod(FlowMod(.add, MessageSamples.entry(line))), xid: 7)
        let digits = hex.compactMap(\.hexDigitValue)
        let expected = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        #expect(Array(bytes[48...]) == expected, "\(line)")
    }
}
