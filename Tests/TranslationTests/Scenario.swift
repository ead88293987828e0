import Foundation
import LogicalNetwork
import NetworkFile

/// A network and what its machines do and see, as data (Tests/Scenarios): run here with all hosts in one process, and by Tests/Live between real ones.
struct Scenario {
    var name: String
    /// The network in its JSON form, which is a network file too.
    private(set) var network: [String: Any]
    var steps: [Step]

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Scenarios")
    static let names: [String] = try! FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".json") }.map {
        String($0.dropLast(5))
    }.sorted()

    /// One step; which of the first keys it has says what it is.
    struct Step: Decodable {
        /// A path in the network that gets another value.
        var set: [String]?
        var ping: String?
        var tcp: String?
        var trace: String?
        var send: String?
        var request: String?
        /// The router port on whose wire there is an in-line element, and whether it lets frames pass from now on.
        var element: String?
        var passes: Bool?

        var to: String?
        var port: Int?
        /// `answer`, `nothing`, `time exceeded`, `unreachable`; of TCP `works`, `refused`, `nothing`.
        var expect: String?
        /// Who says so: the address of an error, the MAC of an ARP reply.
        var by: String?
        var ttl: UInt8?
        var replyTTL: UInt8?
        /// Bytes of an echo request's data.
        var size: Int?
        var hops: [String]?
        /// Ports that get the datagram, and how often it crosses between hosts.
        var reaches: [String]?
        var crossings: Int?
        /// The address that an ARP request is about, and the ports of others that see it.
        var `for`: String?
        var seen: [String]?
        /// An address that is reached again after the change, by this port.
        var reachedAgain: String?
        var from: String?
    }

    init(_ name: String) throws {
        self.name = name
        let data = try Data(contentsOf: Self.folder.appendingPathComponent(name + ".json"))
        let object = try JSONSerialization.jsonObject(with: data) as! [String: Any]
        network = object["network"] as! [String: Any]
        let all = object["steps"] as! [[String: Any]]
        steps = try all.map { step in
            // The value may be anything, and stays in `values`.
            try JSONDecoder().decode(Step.self, from: JSONSerialization.data(withJSONObject: step.filter { $0.key != "value" }))
        }
        values = all.map { $0["value"] as Any? ?? NSNull() }
    }
    private var values: [Any]

    /// Puts the value of a step into the network.
    mutating func apply(step: Int) { network = Self.put(values[step], at: steps[step].set![...], in: network) }

    private static func put(_ value: Any, at path: ArraySlice<String>, in object: [String: Any]) -> [String: Any] {
        var object = object
        let key = path.first!
        object[key] = path.count == 1 ? value : put(value, at: path.dropFirst(), in: object[key] as? [String: Any] ?? [:])
        return object
    }

    func description() throws -> NetworkDescription {
        try NetworkFile.parse(String(decoding: JSONSerialization.data(withJSONObject: network), as: UTF8.self))
    }
}
