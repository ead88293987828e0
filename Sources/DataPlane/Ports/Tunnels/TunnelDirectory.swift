import Flow

/// The ports of one endpoint, as its workers see them: by number for sending, by (local, remote, key) for receiving. Never changed once made.
///
/// Of several ports that would take a packet the most specific wins, in Open vSwitch's order: a fixed key before `flow`, then a
/// fixed remote before `flow`, then a fixed local address before any.
final class TunnelDirectory: Sendable {
    struct Entry: Sendable {
        var configuration: TunnelConfiguration
        /// IP bytes of an inner frame.
        var mtu: Int
        var sequence = TunnelSequence()
        /// The port's own Geneve options, or what was laid over them.
        var options: [TunnelOption]
        /// Where control packets of a watched port go.
        var inbox: LivenessInbox?

        init(configuration: TunnelConfiguration, mtu: Int, mapped: [TunnelOption] = [], inbox: LivenessInbox? = nil) {
            self.configuration = configuration
            self.mtu = mtu
            self.inbox = inbox
            options = TunnelOption.laying(mapped, over: configuration.options)
        }
    }

    private struct Match: Hashable {
        var key: UInt32?
        var remote: TunnelAddress?
        var local: TunnelAddress?
    }

    let entries: [Entry]
    /// Whether some port is watched.
    let isWatched: Bool
    private let byNumber: [UInt32: Int]
    private let byMatch: [Match: Int]
    /// The combinations in use: bit 0 fixed local, 1 fixed remote, 2 fixed key; most specific first.
    private let levels: [Int]

    init(_ entries: [Entry]) throws {
        self.entries = entries
        isWatched = entries.contains { $0.inbox != nil }
        var byNumber: [UInt32: Int] = [:]
        var byMatch: [Match: Int] = [:]
        var levels: Set<Int> = []
        for (i, entry) in entries.enumerated() {
            let match = TunnelDirectory.match(entry.configuration)
            if let other = byMatch[match] {
                throw PortError(
                    "tunnel \"\(entry.configuration.name)\": \"\(entries[other].configuration.name)\" has the same addresses and key already")
            }
            byMatch[match] = i
            byNumber[entry.configuration.number] = i
            levels.insert((match.local == nil ? 0 : 1) | (match.remote == nil ? 0 : 2) | (match.key == nil ? 0 : 4))
        }
        self.byNumber = byNumber
        self.byMatch = byMatch
        self.levels = levels.sorted(by: >)
    }

    private static func match(_ configuration: TunnelConfiguration) -> Match {
        var match = Match(local: configuration.local)
        if case .address(let address) = configuration.remote { match.remote = address }
        switch configuration.key {
        case .none: match.key = 0
        case .fixed(let key): match.key = key
        case .flow: break
        }
        return match
    }

    func index(number: UInt32) -> Int? { byNumber[number] }

    /// The port for a packet to `local` from `remote`, nil when none wants it.
    func index(local: TunnelAddress, remote: TunnelAddress, key: UInt32) -> Int? {
        for level in levels {
            let match = Match(key: level & 4 == 0 ? nil : key, remote: level & 2 == 0 ? nil : remote, local: level & 1 == 0 ? nil : local)
            if let index = byMatch[match] { return index }
        }
        return nil
    }
}
