import Testing
import Wire

@Suite struct AddressTextTests {
    @Test(
        arguments: [
            ("::", 0, 0, "::"), ("::1", 0, 1, "::1"), ("1::", 0x0001_0000_0000_0000, 0, "1::"),
            ("2001:DB8:0:0:0:0:0:1", 0x2001_0db8_0000_0000, 1, "2001:db8::1"),
            ("2001:db8:0:1:0:0:0:1", 0x2001_0db8_0000_0001, 1, "2001:db8:0:1::1"),
            ("1:0:0:4:0:0:7:8", 0x0001_0000_0000_0004, 0x0000_0000_0007_0008, "1::4:0:0:7:8"),
            ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008, "1:2:3:4:5:6:7:8"),
            ("1:0:3:4:5:6:7:8", 0x0001_0000_0003_0004, 0x0005_0006_0007_0008, "1:0:3:4:5:6:7:8"),
            ("::ffff:1.2.3.4", 0, 0xffff_0102_0304, "::ffff:1.2.3.4"),
            ("fe80::0001:0:0:0", 0xfe80_0000_0000_0000, 0x0001_0000_0000_0000, "fe80::1:0:0:0"),
            ("::2:3:4:5:6:7:8", 0x0000_0002_0003_0004, 0x0005_0006_0007_0008, "0:2:3:4:5:6:7:8"),
        ] as [(String, UInt64, UInt64, String)])
    func ipv6IsReadInAnyFormAndWrittenInOne(_ text: String, _ high: UInt64, _ low: UInt64, _ canonical: String) throws {
        let a = try #require(IPv6Address(text))
        #expect(a == IPv6Address(high: high, low: low))
        #expect(a.description == canonical)
        #expect(IPv6Address(canonical) == a)
    }

    @Test(arguments: [
        "", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "::1%eth0",
        "1.2.3.4",
        "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", " ::1", "::1.2.3.4:5",
    ])
    func whatIsNoIPv6AddressIsRefused(_ text: String) { #expect(IPv6Address(text) == nil) }

    @Test func ipv4IsFourDecimalOctets() {
        #expect(IPv4Address("10.0.0.255")?.bits == 0x0a00_00ff)
        #expect(IPv4Address(0xc0a8_0101).description == "192.168.1.1")
        for bad in ["", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "+1.2.3.4", "1..2.3", "1.2.3.1000", "a.b.c.d"] {
            #expect(IPv4Address(bad) == nil)
        }
    }

    @Test func macIsSixHexadecimalOctets() {
        #expect(MACAddress("00:1A:2b:3c:4d:5e")?.bits == 0x001a_2b3c_4d5e)
        #expect(MACAddress("0:1:2:3:4:5")?.bits == 0x0001_0203_0405)
        #expect(MACAddress(0x001a_2b3c_4d5e).description == "00:1a:2b:3c:4d:5e")
        for bad in ["", "00:11:22:33:44", "00:11:22:33:44:55:66", "00-11-22-33-44-55", "000:11:22:33:44:55", "gg:11:22:33:44:55"] {
            #expect(MACAddress(bad) == nil)
        }
    }

    @Test func everyAddressIsReadBackFromItsText() {
        var state: UInt64 = 42
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 31
        }
        for _ in 0..<5000 {
            // Whole groups cleared at random, so that runs of zeros of every length occur.
            var v = IPv6Address(high: next(), low: next())
            let clear = next()
            for i in 0..<4 where clear >> UInt64(i) & 1 != 0 { v.high &= ~(0xffff << UInt64(16 * i)) }
            for i in 0..<4 where clear >> UInt64(i + 4) & 1 != 0 { v.low &= ~(0xffff << UInt64(16 * i)) }
            #expect(IPv6Address(v.description) == v, "\(v)")
            #expect(MACAddress(MACAddress(v.high).description) == MACAddress(v.high))
            #expect(IPv4Address(IPv4Address(UInt32(truncatingIfNeeded: v.low)).description)?.bits == UInt32(truncatingIfNeeded: v.low))
        }
    }
}
