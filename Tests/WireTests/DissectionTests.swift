import Foundation
import Testing
import Wire

@Suite struct DissectionTests {
    /// tcpdump's own lines where it has the same to say; the SACK blocks are absolute here, and payloads are not decoded.
    static let summaries: [(String, String)] = [
        ("arp-request", "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 46"),
        ("arp-reply", "ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28"),
        (
            "tcp-syn",
            "IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [S], seq 1, win 64240, options [mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7], length 0"
        ),
        ("tcp-data", "IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [P.], seq 100:118, ack 200, win 502, length 18"),
        (
            "tcp-sack-padded",
            "IP 10.0.0.1.80 > 10.0.0.2.1234: Flags [.], seq 200, ack 100, win 8192, options [nop,nop,sack {150:160}], length 0"
        ),
        ("tcp-bad-checksum", "IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [R.], seq 0, ack 0, win 8192, length 0 (bad tcp checksum)"),
        ("udp-odd", "IP 10.0.0.1.53 > 10.0.0.2.4000: UDP, length 3"),
        ("ipv4-options", "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 9, seq 2, length 12"),
        ("ipv4-first-fragment", "IP 10.0.0.1.1 > 10.0.0.2.2: UDP, length 3000 (first fragment)"),
        ("ipv4-last-fragment", "IP 10.0.0.1 > 10.0.0.2: UDP fragment, id 9, offset 24, length 12"),
        ("icmp-unreachable", "IP 10.0.0.1 > 10.0.0.2: ICMP destination unreachable, port unreachable, length 39"),
        ("icmp-fragmentation-needed", "IP 10.0.0.1 > 10.0.0.2: ICMP destination unreachable, fragmentation needed (mtu 1400), length 36"),
        ("sctp-init", "IP 10.0.0.1.1000 > 10.0.0.2.2000: sctp [INIT], length 32"),
        ("vlan-udp", "vlan 10, p 3, IP 10.0.0.1.53 > 10.0.0.2.4000: UDP, length 1"),
        ("qinq-tcp", "vlan 100, p 0, vlan 10, p 0, IP 10.0.0.1.1 > 10.0.0.2.2: Flags [F], seq 0, win 8192, length 0"),
        (
            "mpls-two-labels",
            "MPLS (label 100, tc 0, ttl 63) MPLS (label 16, tc 0, [S], ttl 62) IP 10.0.0.1.5 > 10.0.0.2.6: UDP, length 1"
        ),
        ("ipv6-udp", "IP6 2001:db8::1.53 > 2001:db8::2.4000: UDP, length 5"),
        ("ipv6-tcp-options", "IP6 2001:db8::1.9 > 2001:db8::2.10: Flags [SEW], seq 0, win 8192, length 0"),
        ("ipv6-first-fragment", "IP6 2001:db8::1.1 > 2001:db8::2.2: UDP, length 3000 (first fragment)"),
        ("ipv6-last-fragment", "IP6 2001:db8::1 > 2001:db8::2: frag (24|10)"),
        ("icmpv6-echo", "IP6 2001:db8::1 > 2001:db8::2: ICMP6, echo request, id 3, seq 4, length 13"),
        ("icmpv6-too-big", "IP6 2001:db8::1 > 2001:db8::2: ICMP6, packet too big, mtu 1280, length 56"),
        ("nd-solicitation", "IP6 fe80::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has 2001:db8::2, length 32"),
        ("nd-advertisement", "IP6 fe80::2 > fe80::1: ICMP6, neighbor advertisement, tgt is 2001:db8::2, length 32"),
        ("nd-router-advertisement", "IP6 fe80::2 > ff02::1: ICMP6, router advertisement, length 56"),
        ("ip-in-ip", "IP 10.0.0.1 > 10.0.0.2: IP 192.0.2.1.5 > 192.0.2.2.6: UDP, length 1"),
        ("unknown-type", "ethertype 0x1234, length 8"),
    ]

    @Test(arguments: summaries)
    func theSummaryIsOneLineInTheMannerOfTcpdump(_ name: String, _ summary: String) {
        #expect(Dissection(SampleFrames.named(name)).summary == summary)
    }

    @Test func theTextHasALayerPerLineAndTheVerdicts() {
        let expected = """
            54 bytes
              Ethernet: destination 02:00:00:00:00:02, source 02:00:00:00:00:01, type 0x0800 (IPv4)
              IPv4: source 10.0.0.1, destination 10.0.0.2, protocol 6 (TCP), ttl 64, dscp 0, ecn 0, id 4, flags none,
                  total length 40, checksum 0x66ca correct
              TCP: source port 1234, destination port 80, sequence 0, acknowledgment 0, flags [R.] 0x014, window 8192,
                  checksum 0xbeef incorrect (should be 0x76ac)

            """
        #expect(Dissection(SampleFrames.named("tcp-bad-checksum")).text == expected)
    }

    @Test func checksumsOfAnotherImplementationAreJudgedCorrect() {
        let others: [String: ChecksumVerdict] = [
            "tcp-bad-checksum/tcp": .incorrect(expected: 0x76ac), "udp-zero-checksum/udp": .zero,
            "ipv4-bad-checksum/ipv4": .incorrect(expected: 0x66c4), "ipv4-first-fragment/udp": .notCheckable("fragment"),
            "ipv6-first-fragment/udp": .notCheckable("fragment"), "ipv6-authentication-udp-zero-checksum/udp": .zero,
        ]
        var judged = 0
        for (name, bytes) in SampleFrames.all {
            for layer in Dissection(bytes).layers where layer.checksum != nil && !layer.isQuoted {
                #expect(layer.checksum == others["\(name)/\(layer.name)"] ?? .correct, "\(name) \(layer.name)")
                judged += 1
            }
        }
        #expect(judged >= 40)
    }

    @Test func oneChangedBitMakesAChecksumIncorrect() {
        for name in ["tcp-data", "udp-odd", "sctp-init", "icmp-echo-reply", "icmpv6-echo", "ipv6-tcp-options"] {
            var frame = SampleFrames.named(name)
            let before = Dissection(frame).layers.filter { $0.checksum == .correct }.count
            frame[frame.count - 1] ^= 0x10
            let after = Dissection(frame)
            let wrong = after.layers.filter { if case .incorrect = $0.checksum { true } else { false } }
            #expect(wrong.count == 1 && after.layers.filter { $0.checksum == .correct }.count == before - 1, "\(name)")
            #expect(after.summary.contains("(bad \(wrong.first?.name ?? "") checksum)"))
        }
    }

    @Test func aChecksumOverMissingBytesIsNotChecked() {
        let frame = SampleFrames.named("tcp-data")
        let cut = Dissection(Array(frame[..<60]), originalSize: frame.count)
        #expect(cut["tcp"]?.checksum == .notCheckable("truncated"))
        #expect(cut["ipv4"]?.problems == ["truncated: 12 bytes of 58 missing, cut by the capture"])
        #expect(cut["ipv4"]?.isTruncated == true)
        #expect(cut.text.hasPrefix("60 bytes captured of 72\n"))
        #expect(cut["ipv4"]?.checksum == .correct)
        let lying = Dissection(Array(frame[..<60]))
        #expect(lying["ipv4"]?.problems == ["truncated: 12 bytes of 58 missing, the frame ends first"])
    }

    @Test func fieldsTellTheirBytes() {
        let frame = SampleFrames.named("vlan-udp")
        let field = Dissection(frame)["udp"]?.fields.first { $0.name == "destination port" }
        #expect(field == Dissection.Field(name: "destination port", value: "4000", offset: 14 + 4 + 20 + 2, size: 2))
        #expect(Array(frame[40..<42]) == [0x0f, 0xa0])
    }

    @Test func paddingIsNotPayload() {
        let dissection = Dissection(SampleFrames.named("tcp-sack-padded"))
        #expect(dissection.layers.map(\.name) == ["ethernet", "ipv4", "tcp", "padding"])
        #expect(dissection["tcp"]?.checksum == .correct)
    }

    @Test func anErrorShowsThePacketItQuotes() {
        let layers = Dissection(SampleFrames.named("icmp-fragmentation-needed")).layers
        #expect(layers.map(\.name) == ["ethernet", "ipv4", "icmpv4", "ipv4", "tcp"])
        #expect(layers.map(\.isQuoted) == [false, false, false, true, true])
        #expect(layers.last?["source port"] == "4000" && layers.last?.problems == [])
    }

    @Test func layersInsideEachOtherAreBounded() {
        let labels = (0..<1000).flatMap { _ in SampleFrames.bytes("0001 00 40") }
        let dissection = Dissection(SampleFrames.bytes("020000000002 020000000001 8847") + labels)
        #expect(dissection.layers.count == Dissection.maximumLayers + 1)
        #expect(dissection.layers.last?.problems == ["more than 32 layers"])
    }

    @Test func jsonReturnsTheSameDissection() throws {
        for (_, bytes) in SampleFrames.all {
            let dissection = Dissection(bytes, originalSize: bytes.count + 3)
            let json = try JSONEncoder().encode(dissection)
            #expect(try JSONDecoder().decode(Dissection.self, from: json) == dissection)
        }
        let json = try JSONEncoder().encode(ChecksumVerdict.incorrect(expected: 7))
        let object = try JSONSerialization.jsonObject(with: json) as? [String: Any]
        #expect(object?["verdict"] as? String == "incorrect" && object?["expected"] as? Int == 7)
    }

    @Test func reservedValuesAreProblems() {
        var frame = SampleFrames.named("tcp-data")
        frame[20] |= 0x80
        frame[46] |= 0x0f
        frame[22] = 0
        let dissection = Dissection(frame)
        #expect(dissection["ipv4"]?.problems == ["the reserved flag is set", "ttl is 0"])
        #expect(dissection["tcp"]?.problems == ["reserved flags are set"])
        var lying = SampleFrames.named("udp-odd")
        lying[39] = 12
        #expect(Dissection(lying)["udp"]?.problems == ["length 12 exceeds the IP payload of 11"])
        lying[39] = 7
        #expect(Dissection(lying)["udp"]?.problems == ["length 7 is less than the header's 8"])
        #expect(Dissection(lying).summary.hasSuffix("UDP, bad length 7"))
        #expect(Dissection(lying)["udp"]?.checksum == .notCheckable("bad length"))
    }

    /// An IPv6 frame around `payload`.
    private func ipv6(_ nextHeader: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let ethernet = Ethernet.Header(destination: MACAddress(2), source: MACAddress(4), etherType: EtherType.ipv6)
        let address = IPv6Address(high: 0x2001_0db8_0000_0000, low: 1)
        let ip = IPv6.Header(source: address, destination: address, nextHeader: nextHeader, payloadSize: payload.count)
        return ethernet.encoded() + ip.encoded() + payload
    }

    @Test func hopByHopOptionsAfterAnotherHeaderAreAProblem() {
        let padded = "0104 00000000"
        let first = Dissection(ipv6(0, SampleFrames.bytes("3c 00 \(padded) 3b 00 \(padded)")))
        #expect(first["ipv6-hop-by-hop"]?.problems == [])
        let second = Dissection(ipv6(60, SampleFrames.bytes("00 00 \(padded) 3b 00 \(padded)")))
        #expect(second["ipv6-hop-by-hop"]?.problems == ["hop-by-hop options must come first"])
        #expect(second.summary.hasSuffix("no next header"))
    }

    @Test func aRouteNotYetWalkedLeavesTheChecksumOpen() {
        let udp = "0007 0008 0009 1234 72"
        let open = Dissection(ipv6(43, SampleFrames.bytes("11 00 04 01 00000000 \(udp)")))
        #expect(open["udp"]?.checksum == .notCheckable("routing header"))
        let walked = Dissection(ipv6(43, SampleFrames.bytes("11 00 04 00 00000000 \(udp)")))
        guard case .incorrect = walked["udp"]?.checksum else {
            Issue.record("judged \(String(describing: walked["udp"]?.checksum))")
            return
        }
    }

    @Test func aZeroUDPChecksumIsAProblemOnlyOverIPv6() {
        let datagram = SampleFrames.bytes("0007 0008 0009 0000 72")
        #expect(Dissection(ipv6(17, datagram))["udp"]?.checksum == .zero)
        #expect(Dissection(ipv6(17, datagram))["udp"]?.problems == ["zero checksum over IPv6 (RFC 8200 §8.1)"])
        #expect(Dissection(SampleFrames.named("udp-zero-checksum"))["udp"]?.problems == [])
    }

    @Test func whatIsEncryptedIsData() {
        let dissection = Dissection(ipv6(50, [1, 2, 3, 4]))
        #expect(dissection.layers.map(\.name) == ["ethernet", "ipv6", "data"])
        #expect(dissection.summary == "IP6 2001:db8::1 > 2001:db8::1: ESP, length 4")
    }

    @Test func sctpChunksAreListedUntilOneLies() {
        var header = SCTP.Header(sourcePort: 1, destinationPort: 2, verificationTag: 3)
        let chunks = SampleFrames.bytes("0b000004 08000005 aa000000 07000003 00")
        header.fillChecksum(payload: chunks)
        let layer = Dissection(ipv6(132, header.encoded() + chunks))["sctp"]
        let listed = ["COOKIE ACK flags 0x00 length 4", "SHUTDOWN ACK flags 0x00 length 5"]
        #expect(layer?.checksum == .correct)
        #expect(layer?.fields.filter { $0.name == "chunk" }.map(\.value) == listed)
        #expect(layer?.problems == ["chunk 3 bad length 3"])
    }

    @Test func theRestOfAPacketThatLiesIsStillShown() {
        var frame = SampleFrames.named("udp-odd")
        frame[17] = 10
        let dissection = Dissection(frame)
        #expect(dissection["ipv4"]?.problems == ["total length 10 is less than the header's 20"])
        #expect(dissection.layers.map(\.size).reduce(0, +) == frame.count)
    }
}
