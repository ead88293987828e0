import Flow
import Testing
import Wire

@testable import Datapath

/// The composer against the parser: what is described is what is parsed.
@Suite struct FrameComposerTests {
    private static let descriptions = [
        "in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,dl_type=0x1234",
        "in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1000,tp_dst=80,tcp_flags=+syn+ack,nw_ttl=9,nw_tos=32,nw_ecn=1",
        "udp,nw_src=1.2.3.4,tp_dst=53,dl_vlan=7,dl_vlan_pcp=3", "sctp,tp_src=5,tp_dst=6", "icmp,icmp_type=8,icmp_code=0",
        "ip,nw_proto=253,nw_dst=9.9.9.9",
        "ip,nw_frag=first,nw_proto=6", "udp,nw_frag=later", "tcp6,ipv6_src=fd00::1,ipv6_dst=fd00::2,tp_dst=443,ipv6_label=0x12345",
        "ipv6,nw_proto=44,nw_frag=later", "udp6,nw_frag=first,tp_src=4", "icmp6,icmp_type=128,icmp_code=0",
        "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=02:00:00:00:00:05",
        "icmp6,icmp_type=136,icmp_code=0,nd_target=fe80::1,nd_tll=02:00:00:00:00:06",
        "arp,arp_op=2,arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_sha=02:00:00:00:00:01,arp_tha=02:00:00:00:00:02", "rarp,arp_op=3",
        "mpls,mpls_label=99,mpls_tc=5,mpls_ttl=7", "mpls,mpls_label=99,mpls_bos=0", "mplsm,mpls_label=16",
        "dl_type=0x88e7,pbb_isid=100,pbb_uca=1", "dl_type=0x88e7,dl_vlan=5,pbb_isid=0xffffff", "tcp6,ipv6_exthdr=0x44,tp_dst=80",
        "udp6,ipv6_exthdr=0x6c", "sctp6,ipv6_exthdr=0x18,nw_frag=first", "ipv6,nw_proto=59,ipv6_exthdr=1",
    ]

    @Test(arguments: descriptions)
    func theFrameParsesBackToItsDescription(_ text: String) throws {
        let (key, match) = try FlowText.parseMatch(text)
        let composer = FrameComposer(key, given: match)
        let frame = composer.bytes
        var parsed = FlowKey()
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 16) { words in
            words.initialize(repeating: 0)
            var layout = FrameLayout()
            let padded = frame + [UInt8](repeating: 0, count: 64)
            let isFrame = padded.withUnsafeBytes {
                FrameParser(vlanTags: 2).parse(
                    $0.baseAddress!, length: frame.count, inPort: composer.inPort, key: words.baseAddress!, layout: &layout)
            }
            #expect(isFrame)
            for w in 0..<16 { parsed.words[w] = words[w] }
        }
        #expect(match.accepts(parsed), "\(FlowText.text(match))")
        for (field, value) in composer.assumed { #expect(parsed[field] == value, "\(field)") }
        let dissection = Dissection(frame)
        #expect(dissection.layers.allSatisfy { $0.problems.isEmpty }, "\(dissection.text)")
        #expect(dissection.layers.allSatisfy { if case .incorrect = $0.checksum { false } else { true } })
    }

    @Test func onlyWhatWasNotGivenIsAssumed() throws {
        let (key, match) = try FlowText.parseMatch("in_port=4,ip,nw_ttl=1")
        #expect(FrameComposer(key, given: match).assumed.isEmpty)
        let (bare, none) = try FlowText.parseMatch("ip")
        #expect(FrameComposer(bare, given: none).assumed.map(\.field) == [.inPort, .ipTTL])
    }
}
