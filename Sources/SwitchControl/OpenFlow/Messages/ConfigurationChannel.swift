/// The configuration channel: requests in JSON beside OpenFlow, on the same connection (Docs/Controller.md).
///
/// A line of the control socket's protocol (Docs/ControlSocket.md) travels as the data of `OFPT_EXPERIMENTER` messages: a request from the controller, the
/// reply to it, or an event of the switch. One that is longer than a message is cut into parts, of which all but the last say that more follow. The parts
/// of a line have one transaction id and nothing of the channel between them.
public enum ConfigurationChannel {
    /// "weft" in ASCII; not registered with the ONF, which gives out numbers whose highest byte is not zero.
    public static let experimenter: UInt32 = 0x7765_6674
    /// Bytes of a line in one message.
    static let partSize = 60_000
    /// Bytes of a line.
    public static let lineLimit = 16 << 20

    public enum Kind: UInt32, Sendable { case request = 1, reply, event }

    /// The messages that carry a line.
    public static func messages(_ kind: Kind, _ line: [UInt8]) -> [Message] {
        var all: [Message] = []
        var at = 0
        repeat {
            let end = min(at + partSize, line.count)
            all.append(
                .experimenter(UnknownExperimenter(experimenter: experimenter, type: kind.rawValue, data: [end < line.count ? 1 : 0] + line[at..<end]))
            )
            at = end
        } while at < line.count
        return all
    }

    /// Puts lines together again.
    public struct Assembler: Sendable {
        private var parts: [UInt8] = []
        private var kind: Kind?
        private var xid: UInt32 = 0

        public init() {}

        /// The line that this message completes, nil when more follows.
        ///
        /// Throws for what is no part of a line, and forgets what came of it.
        public mutating func add(_ m: UnknownExperimenter, xid: UInt32) throws(OpenFlowError) -> (kind: Kind, line: [UInt8])? {
            func broken(_ text: String) -> OpenFlowError { OpenFlowError(.badRequestLength, text, xid: xid) }
            guard let kind = Kind(rawValue: m.type) else {
                throw OpenFlowError(.badRequestExperimenterType, "The configuration channel has no messages of type \(m.type).", xid: xid)
            }
            guard let first = m.data.first, first <= 1 else {
                parts = []
                throw broken("A message of the configuration channel has no sign of whether more follows.")
            }
            if !parts.isEmpty, self.kind != kind || self.xid != xid {
                parts = []
                throw broken("A line of the configuration channel is interrupted by another.")
            }
            if parts.count + m.data.count > ConfigurationChannel.lineLimit {
                parts = []
                throw broken("A line of the configuration channel has more than \(ConfigurationChannel.lineLimit >> 20) MiB.")
            }
            (self.kind, self.xid) = (kind, xid)
            parts += m.data.dropFirst()
            if first == 1 { return nil }
            defer { parts = [] }
            return (kind, parts)
        }
    }
}
