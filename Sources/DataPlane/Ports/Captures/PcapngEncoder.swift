/// Lays out a pcapng file (draft-ietf-opsawg-pcapng) block by block: Ethernet packets of named interfaces, with direction and a comment each.
///
/// Makes bytes only; writing them is the caller's. Little-endian, times in nanoseconds.
public struct PcapngEncoder {
    private var interfaces: [String: UInt32] = [:]
    private let snapLength: UInt32

    public enum Direction: UInt32, Sendable { case unknown = 0, inbound = 1, outbound = 2 }

    /// - Parameter snapLength: bytes kept of each packet at most; 0 for all.
    public init(snapLength: Int = 0) { self.snapLength = UInt32(clamping: snapLength) }

    /// The section header block, with which a file begins.
    public func sectionHeader(application: String) -> [UInt8] {
        var body: [UInt8] = []
        Self.put(0x1a2b_3c4d as UInt32, &body)
        Self.put(1 as UInt16, &body)
        Self.put(0 as UInt16, &body)
        // The section's length is not known.
        Self.put(UInt64.max, &body)
        Self.option(4, Array(application.utf8), &body)
        Self.endOptions(&body)
        return Self.block(0x0a0d_0d0a, body)
    }

    /// The interface description block of an interface, empty when it has been described.
    public mutating func interface(_ name: String) -> [UInt8] {
        if interfaces[name] != nil { return [] }
        interfaces[name] = UInt32(interfaces.count)
        var body: [UInt8] = []
        Self.put(1 as UInt16, &body)
        Self.put(0 as UInt16, &body)
        Self.put(snapLength, &body)
        Self.option(2, Array(name.utf8), &body)
        // if_tsresol: 10⁻⁹ s.
        Self.option(9, [9], &body)
        Self.endOptions(&body)
        return Self.block(1, body)
    }

    /// An enhanced packet block, after the interface's description when that is new.
    ///
    /// - Parameters:
    ///   - time: nanoseconds since 1970.
    ///   - length: bytes of the whole packet, of which `bytes` are the first.
    public mutating func packet(
        interface name: String, time: UInt64, bytes: [UInt8], length: Int, direction: Direction = .unknown, comment: String = ""
    ) -> [UInt8] {
        let description = interface(name)
        var body: [UInt8] = []
        body.reserveCapacity(bytes.count + 64)
        Self.put(interfaces[name]!, &body)
        Self.put(UInt32(truncatingIfNeeded: time >> 32), &body)
        Self.put(UInt32(truncatingIfNeeded: time), &body)
        Self.put(UInt32(bytes.count), &body)
        Self.put(UInt32(max(length, bytes.count)), &body)
        body += bytes
        Self.pad(&body)
        if !comment.isEmpty { Self.option(1, Array(comment.utf8.prefix(65535)), &body) }
        if direction != .unknown { Self.option(2, Self.bytes(direction.rawValue), &body) }
        if !comment.isEmpty || direction != .unknown { Self.endOptions(&body) }
        return description + Self.block(6, body)
    }

    /// The interface statistics block that says how many packets were not captured for lack of room.
    public func statistics(interface name: String, time: UInt64, missed: UInt64) -> [UInt8] {
        guard let id = interfaces[name] else { return [] }
        var body: [UInt8] = []
        Self.put(id, &body)
        Self.put(UInt32(truncatingIfNeeded: time >> 32), &body)
        Self.put(UInt32(truncatingIfNeeded: time), &body)
        Self.option(5, Self.bytes(missed), &body)
        Self.endOptions(&body)
        return Self.block(5, body)
    }

    // MARK: - Layout

    private static func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(body.count + 12)
        put(type, &out)
        put(UInt32(body.count + 12), &out)
        out += body
        put(UInt32(body.count + 12), &out)
        return out
    }

    private static func option(_ code: UInt16, _ value: [UInt8], _ out: inout [UInt8]) {
        put(code, &out)
        put(UInt16(value.count), &out)
        out += value
        pad(&out)
    }

    private static func endOptions(_ out: inout [UInt8]) { put(0 as UInt32, &out) }
    private static func pad(_ out: inout [UInt8]) { while out.count % 4 != 0 { out.append(0) } }
    private static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    private static func put<T: FixedWidthInteger>(_ value: T, _ out: inout [UInt8]) { withUnsafeBytes(of: value.littleEndian) { out += $0 } }
}
