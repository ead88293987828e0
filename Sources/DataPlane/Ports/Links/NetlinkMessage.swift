import CLinux

/// A request to routing netlink under construction: header, fixed structure, attributes (rtnetlink(7)). Integers are in host order.
struct NetlinkMessage {
    private(set) var bytes: [UInt8]

    init<Body>(_ type: Int, flags: Int32 = 0, body: Body) {
        let header = nlmsghdr(
            nlmsg_len: 0, nlmsg_type: UInt16(type), nlmsg_flags: UInt16(NLM_F_REQUEST | NLM_F_ACK | flags), nlmsg_seq: 0, nlmsg_pid: 0)
        bytes = []
        append(header)
        append(body)
    }

    private mutating func append<T>(_ value: T) {
        withUnsafeBytes(of: value) { bytes += $0 }
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// Adds an attribute; its value is padded to four bytes.
    mutating func attribute(_ type: Int, _ value: [UInt8]) {
        append((UInt16(4 + value.count), UInt16(type)))
        bytes += value
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func attribute<T: FixedWidthInteger>(_ type: Int, _ value: T) { attribute(type, withUnsafeBytes(of: value) { Array($0) }) }
    mutating func attribute(_ type: Int, _ text: String) { attribute(type, Array(text.utf8) + [0]) }

    /// Adds an attribute whose value is more attributes.
    mutating func nest(_ type: Int, _ fill: (inout NetlinkMessage) -> Void) {
        let start = bytes.count
        append((UInt16(0), UInt16(type)))
        fill(&self)
        setLength(UInt16(bytes.count - start), at: start)
    }

    private mutating func setLength(_ length: UInt16, at offset: Int) {
        withUnsafeBytes(of: length) {
            bytes[offset] = $0[0]
            bytes[offset + 1] = $0[1]
        }
    }

    /// The message as it is sent.
    func finished(sequence: UInt32) -> [UInt8] {
        var bytes = bytes
        withUnsafeBytes(of: UInt32(bytes.count)) { bytes.replaceSubrange(0..<4, with: $0) }
        withUnsafeBytes(of: sequence) { bytes.replaceSubrange(8..<12, with: $0) }
        return bytes
    }
}

/// Messages in a datagram from routing netlink, and the attributes behind a message's fixed structure. A length that does not fit ends the walk.
enum NetlinkReading {
    static let headerSize = MemoryLayout<nlmsghdr>.size

    static func messages(in buffer: UnsafeRawBufferPointer, _ visit: (nlmsghdr, UnsafeRawBufferPointer) -> Void) {
        var offset = 0
        while offset + headerSize <= buffer.count {
            let header = buffer.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
            let length = Int(header.nlmsg_len)
            if length < headerSize || offset + length > buffer.count { return }
            visit(header, UnsafeRawBufferPointer(rebasing: buffer[(offset + headerSize)..<(offset + length)]))
            offset += (length + 3) & ~3
        }
    }

    static func attributes(in buffer: UnsafeRawBufferPointer, from start: Int, _ visit: (Int, UnsafeRawBufferPointer) -> Void) {
        var offset = start
        while offset + 4 <= buffer.count {
            let length = Int(buffer.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            if length < 4 || offset + length > buffer.count { return }
            let type = Int(buffer.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)) & 0x3fff
            visit(type, UnsafeRawBufferPointer(rebasing: buffer[(offset + 4)..<(offset + length)]))
            offset += (length + 3) & ~3
        }
    }
}
