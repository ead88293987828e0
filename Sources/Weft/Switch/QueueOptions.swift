import Foundation

/// Queues as given on the command line, for `port.queues`.
struct QueueOptions: Encodable {
    private let port: String
    private let maximumRate: String?
    private var queues: [String: [String: String]] = [:]

    enum CodingKeys: String, CodingKey {
        case port
        case maximumRate = "max-rate"
        case queues
    }

    /// - Parameter queues: `N: {key: value, …}` each.
    init(port: String, maximumRate: String?, queues: [String]) throws {
        self.port = port
        self.maximumRate = maximumRate
        for text in queues {
            let halves = text.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            guard halves.count == 2, halves[1].hasPrefix("{"), halves[1].hasSuffix("}") else {
                throw CommandError("a queue is given as 'N: {max-rate: 10 Mbit/s}', not as '\(text)'")
            }
            var keys: [String: String] = [:]
            for pair in halves[1].dropFirst().dropLast().split(separator: ",") {
                let parts = pair.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
                guard parts.count == 2, keys.updateValue(parts[1], forKey: parts[0]) == nil else {
                    throw CommandError("'\(text)': '\(pair.trimmingCharacters(in: .whitespaces))' is no 'key: value', or a key is given twice")
                }
            }
            guard self.queues.updateValue(keys, forKey: halves[0]) == nil else { throw CommandError("queue \(halves[0]) is given twice") }
        }
    }
}
