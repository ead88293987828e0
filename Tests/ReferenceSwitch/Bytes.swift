/// Network-order reads and writes on a frame held as an array; the caller has tested the length.
extension [UInt8] {
    func u16(_ at: Int) -> UInt16 { UInt16(self[at]) << 8 | UInt16(self[at + 1]) }
    func u32(_ at: Int) -> UInt32 { UInt32(u16(at)) << 16 | UInt32(u16(at + 2)) }
    func u48(_ at: Int) -> UInt64 { UInt64(u16(at)) << 32 | UInt64(u32(at + 2)) }
    func u64(_ at: Int) -> UInt64 { UInt64(u32(at)) << 32 | UInt64(u32(at + 4)) }

    mutating func put16(_ value: UInt16, at: Int) {
        self[at] = UInt8(value >> 8)
        self[at + 1] = UInt8(value & 0xff)
    }
    mutating func put32(_ value: UInt32, at: Int) {
        put16(UInt16(value >> 16), at: at)
        put16(UInt16(value & 0xffff), at: at + 2)
    }
    mutating func put48(_ value: UInt64, at: Int) {
        put16(UInt16(value >> 32 & 0xffff), at: at)
        put32(UInt32(value & 0xffff_ffff), at: at + 2)
    }
    mutating func put64(_ value: UInt64, at: Int) {
        put32(UInt32(value >> 32), at: at)
        put32(UInt32(value & 0xffff_ffff), at: at + 4)
    }
}
