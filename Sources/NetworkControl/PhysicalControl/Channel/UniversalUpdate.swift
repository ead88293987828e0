import Flow
import Translation

/// From a logical controller to who customizes: what changed of universal entries and facts, as far as the receiver's hosts are concerned (spec 000-056, H10).
///
/// A snapshot is an update too, whose parts are whole.
public struct UniversalUpdate: Sendable {
    public struct Entries: Sendable {
        /// `added` are all entries of the group.
        public var isWhole = false
        public var removed: [FlowEntry] = []
        public var added: [FlowEntry] = []
        public init(isWhole: Bool = false) { self.isWhole = isWhole }
    }
    public var revision: UInt64
    /// The set of datapaths that it is about.
    public var set: Int
    public var hosts: [ChannelMessage.HostPart] = []
    public var groups: [UniversalGroup: Entries] = [:]
    public init(revision: UInt64, set: Int = 1) {
        self.revision = revision
        self.set = set
    }
    public var isEmpty: Bool { hosts.isEmpty && groups.isEmpty }

    /// As messages, `begin` to `end`; lists that are long in several.
    public var bytes: [UInt8] {
        var out = ChannelCodec.encode(.begin(revision: revision, set: set))
        for part in hosts {
            var (removed, added) = (part.removed[...], part.added[...])
            var isFirst = true
            while isFirst || !removed.isEmpty || !added.isEmpty {
                var piece = part
                piece.isWhole = part.isWhole && isFirst
                piece.removed = Array(removed.prefix(ChannelCodec.factLimit))
                removed = removed.dropFirst(piece.removed.count)
                piece.added = Array(added.prefix(ChannelCodec.factLimit - piece.removed.count))
                added = added.dropFirst(piece.added.count)
                isFirst = false
                out += ChannelCodec.encode(.host(piece))
            }
        }
        for (group, entries) in groups.sorted(by: { ($0.key.datapath, $0.key.host) < ($1.key.datapath, $1.key.host) }) {
            out += ChannelCodec.encode(.group(.init(group: group, isWhole: entries.isWhole)))
            for e in entries.removed { out += ChannelCodec.encode(.entry(group, isAdded: false, e)) }
            for e in entries.added { out += ChannelCodec.encode(.entry(group, isAdded: true, e)) }
        }
        return out + ChannelCodec.encode(.end)
    }

    /// Puts an update together from its messages.
    public struct Assembler: Sendable {
        /// Parts and entries of one update.
        static let limit = 1 << 24
        private var update: UniversalUpdate?
        private var count = 0

        public init() {}

        /// The update that this message ends; nil for one in the middle.
        public mutating func add(_ message: ChannelMessage) throws(ChannelError) -> UniversalUpdate? {
            if case .begin(let revision, let set) = message {
                if update != nil { throw ChannelError("an update begins within another") }
                update = UniversalUpdate(revision: revision, set: set)
                count = 0
                return nil
            }
            guard update != nil else { throw ChannelError("a part of an update that has not begun") }
            count += 1
            if count > Self.limit { throw ChannelError("an update of more than \(Self.limit) parts") }
            switch message {
            case .host(let part):
                if let last = update!.hosts.last, last.name == part.name, last.number == part.number, !part.isWhole, !part.isGone, !last.isGone {
                    update!.hosts[update!.hosts.count - 1].removed += part.removed
                    update!.hosts[update!.hosts.count - 1].added += part.added
                } else {
                    update!.hosts.append(part)
                }
            case .group(let part):
                if update!.groups[part.group] != nil { throw ChannelError("a group of entries is told twice") }
                update!.groups[part.group] = Entries(isWhole: part.isWhole)
            case .entry(let group, let isAdded, let entry):
                guard update!.groups[group] != nil else { throw ChannelError("an entry of a group that has not begun") }
                if isAdded { update!.groups[group]!.added.append(entry) } else { update!.groups[group]!.removed.append(entry) }
            case .end:
                defer { update = nil }
                return update
            default: throw ChannelError("something else within an update")
            }
            return nil
        }
    }
}
