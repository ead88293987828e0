/// A range of bits of a field, as in `NXM_NX_REG0[4..11]`.
public struct Subfield: Hashable, Sendable {
    public var field: Field
    /// The lowest bit.
    public var offset: Int
    /// Number of bits, 1…128.
    public var count: Int
    public init(_ field: Field, offset: Int = 0, count: Int? = nil) {
        self.field = field
        self.offset = offset
        self.count = count ?? field.info.bits
    }
}

/// OpenFlow's reserved port numbers (OpenFlow 1.3.5 §A.2.1), and Weft's dispatch port.
public enum ReservedPort {
    public static let max: UInt32 = 0xffff_ff00
    /// Output here sends the packet through the tables again from table 0, with its registers, `in_port` reading as this number
    /// (spec 000-022, A-091, B138). The same as `resubmit(DISPATCH,0)`.
    public static let dispatch: UInt32 = 0xffff_ff01
    public static let unset: UInt32 = 0xffff_fff7
    public static let inPort: UInt32 = 0xffff_fff8
    public static let table: UInt32 = 0xffff_fff9
    public static let normal: UInt32 = 0xffff_fffa
    public static let flood: UInt32 = 0xffff_fffb
    public static let all: UInt32 = 0xffff_fffc
    public static let controller: UInt32 = 0xffff_fffd
    public static let local: UInt32 = 0xffff_fffe
    public static let any: UInt32 = 0xffff_ffff
}

/// How `multipath` and `bundle` hash a packet (ovs-actions(7)).
public enum HashFields: String, Hashable, Sendable, CaseIterable {
    case ethSrc = "eth_src"
    case symmetricL4 = "symmetric_l4"
    case symmetricL3L4 = "symmetric_l3l4"
    case symmetricL3L4UDP = "symmetric_l3l4+udp"
    case symmetricL3 = "symmetric_l3"
    case nwSrc = "nw_src"
    case nwDst = "nw_dst"
}

/// How `multipath` turns a hash into a link.
public enum MultipathAlgorithm: String, Hashable, Sendable, CaseIterable {
    case moduloN = "modulo_n"
    case hashThreshold = "hash_threshold"
    case hrw
    case iterHash = "iter_hash"
}

/// How `bundle` chooses among its members.
public enum BundleAlgorithm: String, Hashable, Sendable, CaseIterable {
    case activeBackup = "active_backup"
    case hrw
}

/// One part of a `learn` action.
public struct LearnSpec: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// Right-aligned bits.
        case immediate(FieldValue)
        case subfield(Subfield)
    }
    public enum Destination: Hashable, Sendable {
        /// The learned entry must match this value in these bits.
        case match(Subfield)
        /// The learned entry loads this value into these bits.
        case load(Subfield)
        /// The learned entry outputs to the port that the source names.
        case output
    }
    public var source: Source
    public var destination: Destination
    public init(source: Source, destination: Destination) {
        self.source = source
        self.destination = destination
    }
}

/// The `learn` action: adds or modifies a flow entry made from the packet at hand (ovs-actions(7)).
public struct Learn: Hashable, Sendable {
    public var table: UInt8 = 1
    public var priority: UInt16 = 32768
    public var cookie: UInt64 = 0
    public var idleTimeout: UInt16 = 0
    public var hardTimeout: UInt16 = 0
    public var finIdleTimeout: UInt16 = 0
    public var finHardTimeout: UInt16 = 0
    public var sendFlowRemoved = false
    public var deleteLearned = false
    /// Largest number of learned entries with this table and cookie; 0 is no limit.
    public var limit: UInt32 = 0
    /// With a limit: where to write 1 when an entry was learned or refreshed, 0 when the limit stood against it.
    public var resultDestination: Subfield?
    public var specs: [LearnSpec] = []
    public init() {}
}

/// What a flow entry, bucket or `write_actions` does; one case per action of ovs-actions(7) that Weft executes.
///
/// Instructions (`goto_table`, `write_metadata`, `clear_actions`, `write_actions`, `meter`) are cases too, in the order OpenFlow executes them.
public indirect enum Action: Hashable, Sendable {
    /// Sends the packet to a port or reserved port; with `maxLength` cuts it to so many bytes there only.
    case output(port: UInt32, maxLength: UInt32? = nil)
    /// An output whose `max_len`, which means something for the controller only, is kept to be told back (OpenFlow 1.3.5 §A.2.5).
    case outputHint(port: UInt32, maxLength: UInt16)
    /// Sends to the port whose number a subfield holds.
    case outputSubfield(Subfield)
    case controller(Controller)
    case drop
    /// Looks up again in `table` (nil: the current one) with `inPort` (nil: unchanged).
    case resubmit(inPort: UInt32?, table: UInt8?)
    case gotoTable(UInt8)
    case clearActions
    case writeActions([Action])
    case writeMetadata(value: UInt64, mask: UInt64)
    case meter(UInt32)
    /// `load:value->subfield`.
    case load(FieldValue, Subfield)
    /// `set_field:value/mask->field`.
    case setField(Field, FieldValue, mask: FieldValue)
    case move(from: Subfield, to: Subfield)
    case push(Subfield)
    case pop(Subfield)
    case setEthSrc(UInt64)
    case setEthDst(UInt64)
    /// `mod_vlan_vid`: adds a tag when there is none.
    case setVLANID(UInt16)
    case setVLANPCP(UInt8)
    case stripVLAN
    case pushVLAN(etherType: UInt16)
    case pushMPLS(etherType: UInt16)
    case popMPLS(etherType: UInt16)
    case setMPLSLabel(UInt32)
    case setMPLSTC(UInt8)
    case setMPLSTTL(UInt8)
    case decMPLSTTL
    /// Copies the next-to-outermost TTL to the outermost label: from a label, or from the IP header below.
    case copyTTLOut
    /// Copies the outermost label's TTL to the label or IP header below.
    case copyTTLIn
    /// Puts a backbone Ethernet header and I-TAG (IEEE 802.1ah) before the frame.
    case pushPBB(etherType: UInt16)
    case popPBB
    case setIPv4Src(UInt32)
    case setIPv4Dst(UInt32)
    /// `mod_nw_tos`: the upper six bits of the argument.
    case setTOS(UInt8)
    case setECN(UInt8)
    case setTTL(UInt8)
    /// The controller ids are told of expiry; forwarding does not depend on them.
    case decTTL(controllers: [UInt16] = [])
    case setTransportSrc(UInt16)
    case setTransportDst(UInt16)
    case setTunnelID(UInt64)
    case setQueue(UInt32)
    case popQueue
    case enqueue(port: UInt32, queue: UInt32)
    case group(UInt32)
    case learn(Learn)
    case note([UInt8])
    case clone([Action])
    case multipath(fields: HashFields, basis: UInt16, algorithm: MultipathAlgorithm, links: UInt32, argument: UInt32, to: Subfield)
    case bundle(fields: HashFields, basis: UInt16, algorithm: BundleAlgorithm, members: [UInt32], to: Subfield?)
    case checkPacketLarger(length: UInt16, to: Subfield)
    case conjunction(id: UInt32, clause: Int, of: Int)
    case finTimeout(idle: UInt16, hard: UInt16)
    case exit

    /// Arguments of the `controller` action.
    public struct Controller: Hashable, Sendable {
        public var maxLength: UInt16 = 65535
        public var controllerID: UInt16 = 0
        /// `action`, `no_match`, `invalid_ttl`, …
        public var reason: String = "action"
        public var userdata: [UInt8] = []
        public var pause = false
        public var meter: UInt32?
        public init() {}
    }
}
