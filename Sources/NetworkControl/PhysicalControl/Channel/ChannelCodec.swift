import Flow
import Foundation
import OpenFlow
import Translation

/// Messages of the channel between controllers to bytes and back; a function, no sockets.
///
/// Whatever bytes come, it gives messages or a `ChannelError`; after an error the stream has no boundaries any more. What is held of a stream is at most one
/// incomplete frame.
public enum ChannelCodec {
    /// In which entries are told.
    public static let version = OpenFlowVersion.v15
    /// Bytes of a frame behind its length.
    public static let frameLimit = 4 << 20
    /// Facts of a host in one message.
    static let factLimit = 2000
    /// Digests in one message.
    static let digestLimit = 10_000
    private static let json: UInt8 = 0
    private static let entry: UInt8 = 1

    /// The JSON form: one key, the name of the message.
    private struct Envelope: Codable {
        var hello: ChannelMessage.Hello?
        var have: Have?
        var subscribe: Subscription?
        var unsubscribe: String?
        var claim: Claim?
        var release: String?
        var state: PhysicalController.HostState?
        var left: Left?
        var packet: ChannelMessage.Packet?
        var leads: ChannelMessage.Leads?
        var begin: Beginning?
        var host: ChannelMessage.HostPart?
        var group: ChannelMessage.GroupPart?
        var end: Bool?
        var granted: Claim?
        var revoked: String?
        var answer: ChannelMessage.Answer?
        var echo: Bool?
        var echoReply: Bool?

        struct Claim: Codable {
            var host: String
            var generation: UInt64?
        }
        struct Left: Codable {
            var host: String
            var reason: String
        }
        struct Have: Codable {
            var set: Int
            var groups: [ChannelMessage.GroupDigest]
        }
        struct Subscription: Codable {
            var set: Int
            var hosts: [String]
        }
        struct Beginning: Codable {
            var revision: UInt64
            var set: Int
        }
    }

    // MARK: - To bytes

    public static func encode(_ message: ChannelMessage) -> [UInt8] {
        var e = Envelope()
        switch message {
        case .entry(let group, let isAdded, let value): return encode(group, isAdded: isAdded, value)
        case .hello(let m): e.hello = m
        case .have(let set, let groups): e.have = .init(set: set, groups: groups)
        case .subscribe(let set, let hosts): e.subscribe = .init(set: set, hosts: hosts)
        case .unsubscribe(let host): e.unsubscribe = host
        case .claim(let host, let generation): e.claim = .init(host: host, generation: generation)
        case .release(let host): e.release = host
        case .state(let m): e.state = m
        case .left(let host, let reason): e.left = .init(host: host, reason: reason)
        case .packet(let m): e.packet = m
        case .leads(let m): e.leads = m
        case .begin(let revision, let set): e.begin = .init(revision: revision, set: set)
        case .host(let m): e.host = m
        case .group(let m): e.group = m
        case .end: e.end = true
        case .granted(let host, let generation): e.granted = .init(host: host, generation: generation)
        case .revoked(let host): e.revoked = host
        case .answer(let m): e.answer = m
        case .echo: e.echo = true
        case .echoReply: e.echoReply = true
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Numbers, words and lists of them can always be said.
        return frame(json, [UInt8](try! encoder.encode(e)))
    }

    /// One that is removed is told without its actions.
    private static func encode(_ group: UniversalGroup, isAdded: Bool, _ entry: FlowEntry) -> [UInt8] {
        var entry = entry
        if !isAdded { entry.actions = [] }
        // What OpenFlow cannot say no host could be told either.
        guard let message = try? MessageEncoder(version).encode(.flowMod(FlowMod(isAdded ? .add : .deleteStrict, entry)), xid: 0) else { return [] }
        return frame(Self.entry, bytes(group.datapath) + bytes(group.host) + message)
    }

    private static func frame(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(body.count + 1)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> UInt32($0)) } + [kind] + body
    }

    private static func bytes(_ v: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: v >> UInt64(56 - 8 * $0)) } }

    // MARK: - From bytes

    /// Cuts a stream into messages.
    public struct Decoder {
        private var pending: [UInt8] = []
        private var start = 0
        private var flowMods = MessageDecoder(ChannelCodec.version)
        private var failure: ChannelError?

        public init() {}

        public mutating func append(_ bytes: some Sequence<UInt8>) {
            if failure != nil { return }
            if start > 0 {
                pending.removeFirst(start)
                start = 0
            }
            pending.append(contentsOf: bytes)
        }

        /// The next message; nil when more bytes are needed. Once it has thrown it throws the same again.
        public mutating func next() throws(ChannelError) -> ChannelMessage? {
            if let failure { throw failure }
            do throws(ChannelError) { return try read() } catch {
                failure = error
                pending = []
                start = 0
                throw error
            }
        }

        private mutating func read() throws(ChannelError) -> ChannelMessage? {
            guard pending.count - start >= 4 else { return nil }
            let length = pending[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard (2...ChannelCodec.frameLimit).contains(length) else { throw ChannelError("a frame of \(length) bytes") }
            guard pending.count - start >= 4 + length else { return nil }
            let body = pending[(start + 5)..<(start + 4 + length)]
            let kind = pending[start + 4]
            start += 4 + length
            switch kind {
            case ChannelCodec.json: return try ChannelCodec.message(Array(body))
            case ChannelCodec.entry: return try entry(Array(body))
            default: throw ChannelError("a frame of kind \(kind)")
            }
        }

        private mutating func entry(_ body: [UInt8]) throws(ChannelError) -> ChannelMessage {
            guard body.count > 16 else { throw ChannelError("an entry of \(body.count) bytes") }
            func number(_ at: Int) -> UInt64 { body[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
            let message: OpenFlowMessage
            do throws(OpenFlowError) { message = try flowMods.decode(Array(body[16...])) } catch { throw ChannelError("an entry: \(error.reason)") }
            guard case .flowMod(let mod) = message.body, mod.command == .add || mod.command == .deleteStrict else {
                throw ChannelError("an entry is neither added nor removed")
            }
            return .entry(UniversalGroup(datapath: number(0), host: number(8)), isAdded: mod.command == .add, mod.entry)
        }
    }

    private static func message(_ body: [UInt8]) throws(ChannelError) -> ChannelMessage {
        let e: Envelope
        do { e = try JSONDecoder().decode(Envelope.self, from: Data(body)) } catch { throw ChannelError("a message cannot be read: \(brief(error))") }
        var all: [ChannelMessage] = []
        if let m = e.hello { all.append(.hello(m)) }
        if let m = e.have { all.append(.have(set: try set(m.set), m.groups)) }
        if let m = e.subscribe { all.append(.subscribe(set: try set(m.set), hosts: m.hosts)) }
        if let m = e.unsubscribe { all.append(.unsubscribe(host: m)) }
        if let m = e.claim { all.append(.claim(host: m.host, generation: m.generation)) }
        if let m = e.release { all.append(.release(host: m)) }
        if let m = e.state { all.append(.state(m)) }
        if let m = e.left { all.append(.left(host: m.host, reason: m.reason)) }
        if let m = e.packet { all.append(.packet(m)) }
        if let m = e.leads {
            guard (1...NumberSpace.setLimit).contains(m.sets), m.led.allSatisfy({ (1...m.sets).contains($0.set) }) else {
                throw ChannelError("sets of datapaths that cannot be")
            }
            all.append(.leads(m))
        }
        if let m = e.begin { all.append(.begin(revision: m.revision, set: try set(m.set))) }
        if let m = e.host { all.append(.host(m)) }
        if let m = e.group { all.append(.group(m)) }
        if e.end != nil { all.append(.end) }
        if let m = e.granted {
            guard let generation = m.generation else { throw ChannelError("a grant without a generation") }
            all.append(.granted(host: m.host, generation: generation))
        }
        if let m = e.revoked { all.append(.revoked(host: m)) }
        if let m = e.answer { all.append(.answer(m)) }
        if e.echo != nil { all.append(.echo) }
        if e.echoReply != nil { all.append(.echoReply) }
        guard all.count == 1 else { throw ChannelError("a message says \(all.count) things that are known") }
        return all[0]
    }

    private static func set(_ number: Int) throws(ChannelError) -> Int {
        guard (1...NumberSpace.setLimit).contains(number) else { throw ChannelError("there is no set \(number) of datapaths") }
        return number
    }

    private static func brief(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .dataCorrupted(let c), .keyNotFound(_, let c), .typeMismatch(_, let c), .valueNotFound(_, let c):
            "\(c.codingPath.map(\.stringValue).joined(separator: ".")): \(c.debugDescription)"
        default: "\(error)"
        }
    }
}

/// Registers as pairs of index and value, those that are zero left out.
extension FlowKey {
    var channelWords: [[UInt64]] {
        (0..<FlowKeyLayout.wordCount).compactMap { words[$0] == 0 ? nil : [UInt64($0), words[$0]] }
    }

    init(channelWords pairs: [[UInt64]]) throws(ChannelError) {
        self.init()
        for pair in pairs {
            guard pair.count == 2, pair[0] < FlowKeyLayout.wordCount else { throw ChannelError("registers that do not exist") }
            words[Int(pair[0])] = pair[1]
        }
    }
}
