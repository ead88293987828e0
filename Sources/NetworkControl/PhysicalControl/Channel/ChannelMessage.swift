import Flow
import Foundation
import OpenFlow
import Translation

/// What controllers say to each other, and a host in chassis mode to them (spec 002 J13, 000-057; Docs/Controller.md).
///
/// A message is a frame: its length in four bytes, a byte that says what follows, and that. Everything but entries is JSON (`0`); an entry (`1`) is a sign, its
/// group, and an OpenFlow 1.5 flow-mod, since that is how entries are said strictly and briefly already.
///
/// The receiver of universal data speaks first and says who it is; it is told which sets of datapaths the other end leads (`leads`), and again when that changes. For
/// each of these it says what it has (`have`) and which hosts it wants (`subscribe`). It is given updates, each a run of messages between `begin` and `end` that
/// counts as a whole.
public enum ChannelMessage: Sendable {
    case hello(Hello)
    // To a logical controller.
    case have(set: Int, [GroupDigest])
    case subscribe(set: Int, hosts: [String])
    /// In all sets that the other end leads; answered by the same.
    case unsubscribe(host: String)
    /// Asks to lead a host, with the generation that was granted before.
    case claim(host: String, generation: UInt64?)
    case release(host: String)
    case state(PhysicalController.HostState)
    case left(host: String, reason: String)
    case packet(Packet)
    // From it.
    case leads(Leads)
    case begin(revision: UInt64, set: Int)
    case host(HostPart)
    case group(GroupPart)
    case entry(UniversalGroup, isAdded: Bool, FlowEntry)
    case end
    case granted(host: String, generation: UInt64)
    case revoked(host: String)
    case answer(Answer)
    // Either way.
    case echo
    case echoReply

    /// Who speaks, in which version of this protocol.
    public struct Hello: Codable, Hashable, Sendable {
        public static let version = 2
        private static let chassisPrefix = "chassis/"
        /// What a host that customizes itself is called.
        public static func chassisName(_ host: String) -> String { chassisPrefix + host }
        public var version = Hello.version
        public var name: String
        public init(name: String) { self.name = name }
        /// The host that customizes itself by this name; nil for a physical controller.
        public var chassisHost: String? { name.hasPrefix(Self.chassisPrefix) ? String(name.dropFirst(Self.chassisPrefix.count)) : nil }
    }

    /// Who leads what.
    public struct Leads: Codable, Hashable, Sendable {
        public struct Led: Codable, Hashable, Sendable {
            public var set: Int
            /// Of the lease: of two that say to lead a set the one with the greater generation does.
            public var generation: UInt64
            public init(set: Int, generation: UInt64) {
                self.set = set
                self.generation = generation
            }
        }
        /// How many sets there are, numbered from 1 on.
        public var sets: Int
        /// Those that the speaker leads.
        public var led: [Led]
        public init(sets: Int, led: [Led]) {
            self.sets = sets
            self.led = led
        }
    }

    /// Entries of a group that the receiver has, in short.
    public struct GroupDigest: Codable, Hashable, Sendable {
        public var group: UniversalGroup
        public var digest: UniversalDigest
        public init(group: UniversalGroup, digest: UniversalDigest) {
            self.group = group
            self.digest = digest
        }
    }

    /// Facts of a host; with `isWhole` they are all that are true of it.
    public struct HostPart: Codable, Hashable, Sendable {
        public var name: String
        public var number: UInt64
        public var isWhole = false
        /// It is not part of the network, or not any more.
        public var isGone = false
        public var removed: [HostFact] = []
        public var added: [HostFact] = []
        public init(name: String, number: UInt64) {
            self.name = name
            self.number = number
        }
    }

    /// Entries of a group follow; with `isWhole` they are all of it.
    public struct GroupPart: Codable, Hashable, Sendable {
        public var group: UniversalGroup
        public var isWhole: Bool
        public init(group: UniversalGroup, isWhole: Bool) {
            self.group = group
            self.isWhole = isWhole
        }
    }

    public struct Packet: Codable, Hashable, Sendable {
        public var number: UInt64
        public var frame: Data
        /// Index and value of words of the registers.
        public var metadata: [[UInt64]]
        public var userdata: Data

        init(number: UInt64, _ packet: HostPacket) {
            self.number = number
            frame = Data(packet.frame)
            metadata = packet.metadata.channelWords
            userdata = Data(packet.userdata)
        }

        public var value: HostPacket {
            get throws(ChannelError) {
                HostPacket(frame: Array(frame), metadata: try FlowKey(channelWords: metadata), userdata: Array(userdata))
            }
        }
    }

    public struct Answer: Codable, Hashable, Sendable {
        public var number: UInt64
        public var frame: Data
        public var metadata: [[UInt64]]
        public var stage: UInt8

        public init(number: UInt64, _ answer: ControllerAnswer) {
            self.number = number
            frame = Data(answer.frame)
            metadata = answer.metadata.channelWords
            stage = answer.stage.rawValue
        }

        var value: ControllerAnswer {
            get throws(ChannelError) {
                guard let stage = Stage(rawValue: stage) else { throw ChannelError("there is no stage \(stage)") }
                return ControllerAnswer(frame: Array(frame), metadata: try FlowKey(channelWords: metadata), stage: stage)
            }
        }
    }
}

/// A sum over entries in any order, by which two ends see whether they have the same ones. Against mistakes, not against people.
public struct UniversalDigest: Codable, Hashable, Sendable {
    public private(set) var count = 0
    public private(set) var a: UInt64 = 0
    public private(set) var b: UInt64 = 0

    public init(_ entries: some Sequence<FlowEntry>) {
        let encoder = MessageEncoder(ChannelCodec.version)
        for e in entries {
            count += 1
            guard let bytes = try? encoder.encode(.flowMod(FlowMod(.add, e)), xid: 0) else { continue }
            // FNV-1a, and the same with another start and multiplier.
            var (x, y): (UInt64, UInt64) = (0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15)
            for byte in bytes {
                x = (x ^ UInt64(byte)) &* 0x100_0000_01b3
                y = (y ^ UInt64(byte)) &* 0xff51_afd7_ed55_8ccd ^ y >> 29
            }
            a &+= x
            b &+= y
        }
    }
}

/// Why a channel ends.
public struct ChannelError: Error, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
