import Flow

/// Random frames from a pool of values: most of them sound, some cut, corrupted or with wrong checksums.
public struct RandomPackets {
    public let pool: ValuePool
    public var random: SplitMix64

    public init(pool: ValuePool = ValuePool(), seed: UInt64) {
        self.pool = pool
        random = SplitMix64(seed: seed)
    }

    public mutating func next() -> [UInt8] {
        var frame: [UInt8] = []
        append48(mac(&random), &frame)
        append48(mac(&random), &frame)
        let tags = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3][random.below(10)]
        for _ in 0..<tags {
            append16(UInt16(random.chance(75) ? 0x8100 : 0x88a8), &frame)
            append16(UInt16(pool.value(.vlanTCI, &random).low) & (random.chance(90) ? 0xefff : 0xffff), &frame)
        }
        payload(&frame)
        if random.chance(25) { frame += [UInt8](repeating: random.chance(50) ? 0 : 0xa5, count: random.within(1...46)) }
        if random.chance(12) { frame = Array(frame.prefix(random.within(0...frame.count))) }
        if random.chance(8), frame.count > 14 {
            for _ in 0..<random.within(1...3) { frame[random.within(12...frame.count - 1)] = UInt8(random.below(256)) }
        }
        return frame
    }

    private func mac(_ random: inout SplitMix64) -> UInt64 { random.chance(4) ? 0x0180_c200_0000 | UInt64(random.below(20)) : random.pick(pool.macs) }
    private func append48(_ mac: UInt64, _ frame: inout [UInt8]) { for i in (0..<6).reversed() { frame.append(UInt8(mac >> UInt64(i * 8) & 0xff)) } }
    private func append16(_ value: UInt16, _ frame: inout [UInt8]) { frame += [UInt8(value >> 8), UInt8(value & 0xff)] }
    private func append32(_ value: UInt32, _ frame: inout [UInt8]) {
        append16(UInt16(value >> 16), &frame)
        append16(UInt16(value & 0xffff), &frame)
    }

    private mutating func payload(_ frame: inout [UInt8]) {
        switch random.below(100) {
        case ..<45:
            append16(UInt16(0x0800), &frame)
            frame += ipv4()
        case ..<72:
            append16(UInt16(0x86dd), &frame)
            frame += ipv6()
        case ..<82:
            append16(UInt16(random.chance(85) ? 0x0806 : 0x8035), &frame)
            frame += arp()
        case ..<94:
            append16(UInt16(random.chance(85) ? 0x8847 : 0x8848), &frame)
            frame += mpls()
        case ..<97:
            let inner = ipv4()
            append16(UInt16(inner.count + 8), &frame)
            frame += [0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00] + inner
        case ..<98:
            append16(UInt16(38), &frame)
            frame += [0x42, 0x42, 0x03] + [UInt8](repeating: 0, count: 35)
        default:
            append16(random.pick([0x88cc, 0x88b5, 0x9100, 0x0600]), &frame)
            frame += (0..<random.below(40)).map { UInt8($0) }
        }
    }

    private mutating func mpls() -> [UInt8] {
        var out: [UInt8] = []
        let depth = random.pick([1, 1, 1, 2, 2, 3, 4])
        let hasBottom = random.chance(93)
        for i in 0..<depth {
            let bottom: UInt32 = i == depth - 1 && hasBottom ? 0x100 : 0
            append32(random.pick(pool.labels) << 12 | UInt32(random.below(8)) << 9 | bottom | UInt32(random.pick(pool.ttls)), &out)
        }
        return out + (random.chance(60) ? ipv4() : random.chance(70) ? ipv6() : arp())
    }

    private mutating func arp() -> [UInt8] {
        var out: [UInt8] = [0, 1, 8, 0, 6, 4]
        if random.chance(5) { out[random.below(6)] ^= 1 }
        append16(random.chance(90) ? random.pick([1, 2]) : random.pick([0, 3, 0x101]), &out)
        append48(random.pick(pool.macs), &out)
        append32(random.pick(pool.ipv4), &out)
        append48(random.pick(pool.macs), &out)
        append32(random.pick(pool.ipv4), &out)
        return out
    }

    private mutating func ipv4() -> [UInt8] {
        var header: [UInt8] = [0x45, random.pick(pool.tos), 0, 0]
        append16(UInt16(random.below(65536)), &header)
        let fragment: UInt16 = random.chance(85) ? random.pick([0, 0x4000]) : random.pick([0x2000, 0x2001, 0x0010, 0x3fff])
        append16(fragment, &header)
        let proto = random.pick([6, 6, 6, 17, 17, 17, 132, 1, 1, 2, 58, 0, 47] as [UInt8])
        header += [random.pick(pool.ttls), proto, 0, 0]
        append32(random.pick(pool.ipv4), &header)
        append32(random.pick(pool.ipv4), &header)
        if random.chance(10) {
            header += [UInt8](repeating: 1, count: 4 * random.within(1...3))
            header[0] = 0x40 | UInt8(header.count / 4)
        }
        let body = transport(proto, addresses: Array(header[12..<20]))
        header.put16(UInt16(header.count + body.count), at: 2)
        header.put16(Checksums.internet(header), at: 10)
        if random.chance(5) { header[10] ^= 0x55 }
        if random.chance(3) { header.put16(UInt16(random.below(80)), at: 2) }
        return header + body
    }

    private mutating func ipv6() -> [UInt8] {
        var header: [UInt8] = []
        append32(6 << 28 | UInt32(random.pick(pool.tos)) << 20 | UInt32(pool.value(.ipv6Label, &random).low), &header)
        header += [0, 0, 0, random.pick(pool.ttls)]
        var addresses = [UInt8](repeating: 0, count: 32)
        for i in 0..<2 {
            let a = random.pick(pool.ipv6)
            addresses.put64(a.high, at: i * 16)
            addresses.put64(a.low, at: i * 16 + 8)
        }
        header += addresses
        let proto = random.pick([6, 6, 17, 17, 58, 58, 58, 132, 59, 1] as [UInt8])
        var chain: [(type: UInt8, bytes: [UInt8])] = []
        if random.chance(25) {
            for _ in 0..<random.within(1...2) { chain.append(extensionHeader()) }
        }
        let body = transport(proto, addresses: addresses)
        var extensions: [UInt8] = []
        for (i, part) in chain.enumerated() {
            var bytes = part.bytes
            bytes[0] = i + 1 < chain.count ? chain[i + 1].type : proto
            extensions += bytes
        }
        header[6] = chain.first?.type ?? proto
        header.put16(UInt16(extensions.count + body.count), at: 4)
        if random.chance(3) { header.put16(UInt16(random.below(80)), at: 4) }
        return header + extensions + body
    }

    /// An extension header with a blank next-header byte.
    private mutating func extensionHeader() -> (type: UInt8, bytes: [UInt8]) {
        switch random.below(5) {
        case 0: return (0, [0, 0, 1, 4, 0, 0, 0, 0])
        case 1: return (60, [0, 1] + [UInt8](repeating: 0, count: 14))
        case 2: return (43, [0, 0, 4, random.pick([0, 1]), 0, 0, 0, 0])
        case 3: return (51, [0, 4] + [UInt8](repeating: 7, count: 22))
        default:
            var bytes: [UInt8] = [0, 0]
            append16(random.pick([0, 1, 1, 0x0008, 0x0009, 0x00b9] as [UInt16]), &bytes)
            return (44, bytes + [0xde, 0xad, 0xbe, 0xef])
        }
    }

    private mutating func transport(_ proto: UInt8, addresses: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        let data = (0..<random.pick([0, 1, 8, 20, 33, 90])).map { UInt8($0 & 0xff) }
        switch proto {
        case 6:
            append16(random.pick(pool.transportPorts), &out)
            append16(random.pick(pool.transportPorts), &out)
            append32(1, &out)
            append32(2, &out)
            append16(0x5000 | UInt16(pool.value(.tcpFlags, &random).low), &out)
            append16(1024, &out)
            out += [0, 0, 0, 0] + data
            if random.chance(4) { out[12] = UInt8(random.below(16)) << 4 }
            out.put16(Checksums.internet(out, initial: Checksums.pseudoHeader(addresses: addresses, protocol: 6, length: out.count)), at: 16)
            if random.chance(6) { out[16] ^= 0x33 }
        case 17:
            append16(random.pick(pool.transportPorts), &out)
            append16(random.pick(pool.transportPorts), &out)
            append16(UInt16(8 + data.count), &out)
            out += [0, 0] + data
            if !random.chance(20) {
                let sum = Checksums.internet(out, initial: Checksums.pseudoHeader(addresses: addresses, protocol: 17, length: out.count))
                out.put16(sum == 0 ? 0xffff : sum, at: 6)
            }
            if random.chance(6) { out[6] ^= 0x33 }
        case 132:
            append16(random.pick(pool.transportPorts), &out)
            append16(random.pick(pool.transportPorts), &out)
            out += [0, 0, 0, 9, 0, 0, 0, 0] + data
            out.put32(Checksums.crc32c(out).byteSwapped, at: 8)
            if random.chance(6) { out[9] ^= 0x33 }
        case 1:
            out = [random.pick([0, 8, 3]), random.pick([0, 1]), 0, 0, 0, 1, 0, 2] + data
            out.put16(Checksums.internet(out), at: 2)
        case 58:
            out = icmpv6(data)
            out.put16(Checksums.internet(out, initial: Checksums.pseudoHeader(addresses: addresses, protocol: 58, length: out.count)), at: 2)
            if random.chance(6) { out[2] ^= 0x33 }
        default: out = [0x11, 0, 0, 0, 0xe0, 0, 0, 1] + data
        }
        return out
    }

    private mutating func icmpv6(_ data: [UInt8]) -> [UInt8] {
        let type = UInt8(pool.value(.icmpv6Type, &random).low)
        if type < 135 { return [type, random.chance(90) ? 0 : 1, 0, 0, 0, 1, 0, 2] + data }
        var out: [UInt8] = [type, random.chance(95) ? 0 : 1, 0, 0]
        append32(UInt32(pool.value(.ndReserved, &random).low), &out)
        let target = random.pick(pool.ipv6)
        var address = [UInt8](repeating: 0, count: 16)
        address.put64(target.high, at: 0)
        address.put64(target.low, at: 8)
        out += address
        for _ in 0..<random.pick([0, 1, 1, 1, 2]) {
            let option = random.chance(85) ? (type == 135 ? 1 : 2) as UInt8 : random.pick([1, 2, 5, 14])
            out += [option, random.chance(95) ? 1 : random.pick([0, 2])]
            append48(random.pick(pool.macs), &out)
        }
        return out
    }
}
