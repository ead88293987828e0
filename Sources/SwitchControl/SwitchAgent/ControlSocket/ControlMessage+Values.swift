import Flow
import Foundation
import Ports

/// Parameters and results of the control socket's methods, as both sides use them (`Docs/ControlSocket.md`).
public enum ControlValue {
    public struct About: Codable, Sendable {
        public var pid: Int32
        public var socket: String
        public var configuration: String?
        public var workers: Int
    }

    public struct Ports: Codable, Sendable {
        public var ports: [PortReport]
        public var waiting: [Waiting]
    }
    /// A wanted port whose device cannot be had now.
    public struct Waiting: Codable, Sendable {
        public var name: String
        public var number: UInt32
        public var kind: PortKind
        public var reason: String
    }

    public struct PortName: Codable, Sendable {
        public var port: String
        public init(port: String) { self.port = port }
    }
    public struct AddedPort: Codable, Sendable {
        public var name: String
        public var number: UInt32
    }

    public struct FlowChange: Codable, Sendable {
        /// Lines as in a flow file.
        public var flows: String
        public init(flows: String) { self.flows = flows }
    }
    public struct FlowSelection: Codable, Sendable {
        /// As for `ovs-ofctl dump-flows` and `del-flows`: `table=0,cookie=0x1/-1,ip`; empty for all.
        public var filter: String
        public var strict: Bool?
        public init(filter: String, strict: Bool? = nil) {
            self.filter = filter
            self.strict = strict
        }
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            filter = try container.decodeIfPresent(String.self, forKey: .filter) ?? ""
            strict = try container.decodeIfPresent(Bool.self, forKey: .strict)
        }
    }
    public struct Count: Codable, Sendable {
        public var count: Int
    }

    public struct Flow: Codable, Sendable {
        public var table: UInt8
        public var priority: UInt16
        public var cookie: String
        public var match: String
        public var actions: String
        public var packets: UInt64
        public var bytes: UInt64
        public var idleTimeout: UInt16
        public var hardTimeout: UInt16
        public var importance: UInt16
        /// Seconds since a packet met it, or since it was added.
        public var idleAge: Double
        /// The whole entry as a line of a flow file.
        public var text: String
    }
    public struct Flows: Codable, Sendable {
        public var flows: [Flow]
    }

    public struct Trace: Codable, Sendable {
        /// The frame (base64 in JSON).
        public var frame: Data
        public var inPort: UInt32
        /// The 52 words of the flow key whose metadata and tunnel fields the packet comes with.
        public var metadata: [UInt64]?
        public var whyNotLimit: Int
        public init(frame: Data, inPort: UInt32, metadata: [UInt64]?, whyNotLimit: Int) {
            self.frame = frame
            self.inPort = inPort
            self.metadata = metadata
            self.whyNotLimit = whyNotLimit
        }
    }

    public struct Capture: Codable, Sendable {
        /// One of the two: a port's name or number, or a match as flow text.
        public var port: String?
        public var match: String?
        /// Packets after which it ends.
        public var count: Int?
        /// Bytes kept of each packet.
        public var snap: Int?
        public init(port: String?, match: String?, count: Int?, snap: Int?) {
            self.port = port
            self.match = match
            self.count = count
            self.snap = snap
        }
    }
    public struct CaptureBegun: Codable, Sendable {
        public var what: String
    }

    public struct Reloaded: Codable, Sendable {
        public var changes: [String]
    }
}
