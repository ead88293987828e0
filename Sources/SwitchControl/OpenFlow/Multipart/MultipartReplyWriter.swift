import Flow

/// Writes a multipart reply entry by entry, cutting it into messages of at most 65535 bytes.
///
/// The messages that are complete can be taken at any time, so that a dump of any number of entries needs the room of one message. Every message but
/// the last says that more follow.
public struct MultipartReplyWriter {
    /// Which reply; those whose entries are many have names.
    public struct Kind: Hashable, Sendable {
        let number: UInt16
        let experimenter: UInt32
        let type: UInt32
        init(_ number: UInt16, experimenter: UInt32 = 0, type: UInt32 = 0) {
            self.number = number
            self.experimenter = experimenter
            self.type = type
        }
        public static let flow = Kind(MultipartKind.flow)
        public static let flowStats = Kind(MultipartKind.flowStats)
        /// From 1.4 on OpenFlow's own, before that the ONF's extension.
        public static let flowMonitor = Kind(MultipartKind.flowMonitor)
        public static let port = Kind(MultipartKind.port)
        public static let group = Kind(MultipartKind.group)
        public static let meter = Kind(MultipartKind.meter)
        public static let table = Kind(MultipartKind.table)
    }

    private let kind: Kind
    private let xid: UInt32
    private var writer: WireWriter
    /// Where the message begins that is not complete.
    private var start = 0

    public init(_ kind: Kind, version: OpenFlowVersion, xid: UInt32) {
        if kind == .flowMonitor, version < .v14 {
            self.kind = Kind(MultipartKind.experimenter, experimenter: Experimenter.onf, type: FlowMonitorRequest.onfType)
        } else {
            self.kind = kind
        }
        self.xid = xid
        writer = WireWriter(version)
        header()
    }

    private mutating func header() {
        start = writer.count
        writer.u8(writer.version.rawValue)
        writer.u8(MessageType.multipartReply)
        writer.u16(0)
        writer.u32(xid)
        writer.u16(kind.number)
        writer.u16(0)
        writer.u32(0)
        if kind.number == MultipartKind.experimenter {
            writer.u32(kind.experimenter)
            writer.u32(kind.type)
        }
    }

    mutating func entry(_ body: (inout WireWriter) -> Void) {
        let before = writer.count
        body(&writer)
        guard writer.count - start > 0xffff else { return }
        // The entry does not fit any more: it opens the next message.
        let overflow = writer.takeBack(from: before)
        close(more: true)
        header()
        writer.put(overflow)
        if writer.count - start > 0xffff { writer.fail("An entry of \(overflow.count) bytes is longer than a message.") }
    }

    private mutating func close(more: Bool) {
        writer.set16(min(writer.count - start, 0xffff), at: start + 2)
        writer.set16(more ? 1 : 0, at: start + 10)
    }

    /// One entry of `flow` or `flowStats`.
    public mutating func append(_ f: FlowStatistics) {
        if kind == .flowStats { entry { f.writeStatsOnly(&$0) } } else { entry { f.write(&$0) } }
    }
    public mutating func append(_ p: PortStatistics) { entry { p.write(&$0) } }
    public mutating func append(_ g: GroupStatistics) { entry { g.write(&$0) } }
    public mutating func append(_ m: MeterStatistics) { entry { m.write(&$0) } }
    public mutating func append(_ t: TableStatistics) { entry { t.write(&$0) } }
    public mutating func append(_ u: FlowUpdate) { entry { u.write(&$0) } }

    /// The complete messages written so far; keeps the one that is still open.
    public mutating func takeComplete() -> [UInt8] {
        if start == 0 { return [] }
        let complete = writer.takeFirst(start)
        start = 0
        return complete
    }

    /// Ends the reply: all messages that were not taken. `more` marks the last as well, for a reply that goes on elsewhere.
    public mutating func finish(more: Bool = false) throws(OpenFlowEncodingError) -> [UInt8] {
        close(more: more)
        if let failure = writer.failure { throw OpenFlowEncodingError(description: failure) }
        return writer.bytes
    }
}
