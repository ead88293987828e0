import Testing
import Wire

@Suite struct ChecksumTests {
    /// The sum word by word as RFC 1071 §1 says it, as if unoptimised.
    private func naive(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for i in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[i]) << 8 | (i + 1 < bytes.count ? UInt32(bytes[i + 1]) : 0)
            sum = (sum & 0xffff) + (sum >> 16)
        }
        return ~UInt16(sum)
    }

    private func random(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    @Test func theExampleOfRFC1071Holds() {
        let bytes: [UInt8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]
        #expect(Checksum.of(bytes.span.bytes) == ~0xddf2)
    }

    @Test func anySizeAgreesWithTheNaiveSum() {
        var generator = SeededGenerator(seed: 1)
        for count in 0..<200 {
            let bytes = random(count, &generator)
            #expect(Checksum.of(bytes.span.bytes) == naive(bytes), "\(count) bytes, seed 1")
        }
    }

    @Test func allOnesFoldWithoutLosingACarry() {
        for count in [2, 3, 4, 8, 1500, 65535] {
            let bytes = [UInt8](repeating: 0xff, count: count)
            #expect(Checksum.of(bytes.span.bytes) == naive(bytes))
        }
        #expect(Checksum.fold(.max) == 0xffff)
        #expect(Checksum.fold(0x1_ffff) == 1)
    }

    @Test func everySplitGivesTheSumOfTheWhole() {
        var generator = SeededGenerator(seed: 2)
        let bytes = random(41, &generator)
        for first in 0...41 {
            for second in first...41 {
                var sum = Checksum.Sum()
                sum.add(Array(bytes[..<first]).span.bytes)
                sum.add(Array(bytes[first..<second]).span.bytes)
                sum.add(Array(bytes[second...]).span.bytes)
                #expect(sum.checksum == naive(bytes), "split at \(first) and \(second)")
            }
        }
    }

    @Test func numbersAddAsTheirBytes() {
        var numbers = Checksum.Sum()
        numbers.add(UInt16(0x1234))
        numbers.add(UInt32(0x89ab_cdef))
        numbers.add(UInt64(0x0123_4567_fedc_ba98))
        let bytes = SampleFrames.bytes("1234 89abcdef 01234567fedcba98")
        #expect(numbers.checksum == naive(bytes))
    }

    @Test func theExampleOfRFC1624Holds() {
        #expect(Checksum.update(0xdd2f, from: UInt16(0x5555), to: 0x3285) == 0x0000)
    }

    @Test func aCorrectChecksumStaysCorrectThroughUpdates() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2000 {
            var bytes = random(40, &generator)
            var checksum = naive(bytes)
            let (old16, old32, old128) = (bytes.span.bytes.u16(at: 0), bytes.span.bytes.u32(at: 4), bytes.span.bytes.ipv6(at: 8))
            bytes.replaceSubrange(0..<24, with: random(2, &generator) + bytes[2..<4] + random(20, &generator))
            let span = bytes.span.bytes
            checksum = Checksum.update(checksum, from: old16, to: span.u16(at: 0))
            checksum = Checksum.update(checksum, from: old32, to: span.u32(at: 4))
            checksum = Checksum.update(checksum, from: old128, to: span.ipv6(at: 8))
            #expect(Checksum.isEquivalent(checksum, naive(bytes)))
        }
    }

    @Test func aWrongChecksumStaysWrongByTheSameAmount() {
        let bytes = SampleFrames.bytes("0102030405060708")
        let changed = SampleFrames.bytes("0102aabb05060708")
        // In ones' complement arithmetic 5 above before is 5 above afterwards.
        let wrong = naive(bytes) + 5
        #expect(Checksum.update(wrong, from: UInt16(0x0304), to: 0xaabb) == naive(changed) + 5)
        #expect(naive(changed) < 0xfff0)
    }

    @Test func theUDPZeroStaysZeroAndNoneIsComputedAsZero() {
        #expect(Checksum.updateUDP(0, from: UInt16(1), to: 2) == 0)
        #expect(Checksum.updateUDP(0, from: UInt32(1), to: 2) == 0)
        #expect(Checksum.updateUDP(0, from: IPv6Address(high: 1, low: 2), to: IPv6Address(high: 3, low: 4)) == 0)
        #expect(Checksum.updateUDP(0xdd2f, from: UInt16(0x5555), to: 0x3285) == 0xffff)
        #expect(Checksum.nonzero(0) == 0xffff && Checksum.nonzero(1) == 1)
    }

    @Test func pseudoHeadersCoverAddressesProtocolAndSize() {
        let v4 = PseudoHeader.ipv4(source: IPv4Address(0x0a00_0001), destination: IPv4Address(0x0a00_0002))
        #expect(v4.sum(protocol: 17, size: 9).checksum == naive(SampleFrames.bytes("0a000001 0a000002 0011 0009")))
        let v6 = PseudoHeader.ipv6(
            source: IPv6Address(high: 0x2001_0db8_0000_0000, low: 1), destination: IPv6Address(high: 0x2001_0db8_0000_0000, low: 2))
        let bytes = SampleFrames.bytes(
            "20010db8000000000000000000000001 20010db8000000000000000000000002 00012345 0000003a")
        #expect(v6.sum(protocol: 58, size: 0x12345).checksum == naive(bytes))
    }

    static let knownCRCs: [(String, UInt32)] = [
        ("313233343536373839", 0xe306_9283),
        ("", 0),
        // RFC 7143 appendix A.4.
        (String(repeating: "00", count: 32), 0x8a91_36aa),
        (String(repeating: "ff", count: 32), 0x62a8_ab43),
        ("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd_794e),
    ]

    @Test(arguments: knownCRCs)
    func crc32cGivesTheKnownValues(_ hexadecimal: String, _ expected: UInt32) {
        let bytes = SampleFrames.bytes(hexadecimal)
        #expect(CRC32c.of(bytes.span.bytes) == expected)
        for split in 0...bytes.count {
            var crc = CRC32c()
            crc.add(Array(bytes[..<split]).span.bytes)
            crc.add(Array(bytes[split...]).span.bytes)
            #expect(crc.value == expected)
        }
    }
}

/// SplitMix64, so that a failing run can be repeated from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
