import Foundation
import LogicalNetwork
import NetworkFile
import NetworkSimulation
import Testing
import Translation

extension PacketFate {
    var isAnswered: Bool { ends.contains { if case .request(_, _, true) = $0 { true } else { false } } }
}

/// A network file with all its hosts in memory, and what tests say about packets in it.
final class NetworkUnderTest {
    let translation = NetworkTranslation()
    let network: SimulatedNetwork
    private var description: NetworkDescription

    init(_ text: String) throws {
        description = try NetworkFile.parse(text)
        translation.apply(description)
        network = try SimulatedNetwork(translation)
    }

    /// The bundled example.
    static func example() throws -> NetworkUnderTest { try NetworkUnderTest(exampleText) }

    static var exampleText: String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try! String(contentsOf: root.appendingPathComponent("Docs/Examples/two-hosts.yaml"), encoding: .utf8)
    }

    /// Changes the network and brings the hosts up to date by the changes.
    func edit(_ body: (inout NetworkDescription) -> Void) throws {
        body(&description)
        try description.validate()
        translation.apply(description)
        try network.update()
    }

    func send(_ frame: [UInt8], from port: String) throws -> PacketFate {
        let parts = port.split(separator: "/").map(String.init)
        return try #require(network.send(frame, from: PortAddress(tenant: parts[0], owner: parts[1], port: parts[2])))
    }

    /// The frame that the port, and nobody else, got.
    func delivered(_ frame: [UInt8], from port: String, to receiver: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> [UInt8] {
        let fate = try send(frame, from: port)
        #expect(fate.deliveries.map(\.port) == [receiver], "\(fate)", sourceLocation: sourceLocation)
        return try #require(fate.deliveries.first, "\(fate)", sourceLocation: sourceLocation).bytes
    }

    /// Nobody gets it, but perhaps the sender an answer; returns what the entry that ended it is for.
    func ended(_ frame: [UInt8], from port: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> (stage: Stage?, meaning: String) {
        let fate = try send(frame, from: port)
        #expect(fate.deliveries.allSatisfy { $0.port == port && fate.isAnswered }, "\(fate)", sourceLocation: sourceLocation)
        for end in fate.ends {
            switch end {
            case .dropped(let drop): return (drop.stage, drop.meaning ?? "nothing matched")
            case .request(_, let meaning, _): return (nil, meaning)
            case .delivered: continue
            }
        }
        return (nil, "no end")
    }
}
