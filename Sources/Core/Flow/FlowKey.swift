// swift-format-ignore
/// The state that flow tables match on: every field of a packet and its metadata, as 64-bit words in host order.
///
/// A field lives at a fixed (word, shift, width); `Field.info` tells where. Packet words come first, so that a plain IPv4 packet
/// occupies words 0–4 only and a cache compares five words, not fifty. Fields that exclude each other share bits: ARP addresses lie on the
/// IPv4 addresses and so does PBB's I-TAG, ICMP type and code on the transport ports, ND link-layer addresses on the ARP ones; prerequisites keep them apart.
/// A word or bit of a header that a packet lacks is zero.
public enum FlowKeyLayout {
    /// Words of a complete key.
    public static let wordCount = 52
    /// Words 0..<16 are parsed from the frame (`inPort` excepted, which shares word 4).
    public static let packetWordCount = 16
    /// Words a packet arrives with: those of the frame and of the tunnel it came by; a cache needs no others.
    public static let arrivalWordCount = 39
    /// Words 16..<39 come from a tunnel port.
    public static let tunnelWords = 16..<39

    // Packet words.
    public static let ethDstType = 0      // eth_dst 48 | eth_type 16
    public static let ethSrcVLAN = 1      // eth_src 48 | vlan_tci 16 (0x1000 set when a tag is present)
    public static let ipv4 = 2            // nw_src 32 | nw_dst 32 (ARP: spa | tpa; PBB: 0 | pcp 3 | dei 1 | uca 1 | 0 | isid 24)
    public static let transport = 3       // tp_src 16 | tp_dst 16 | nw_proto 8 | nw_tos 8 | nw_ttl 8 | nw_frag 8
    public static let inPortFlags = 4     // in_port 32 | tcp_flags 16 | second vlan_tci 16
    public static let ipv6Src = 5         // 5 high, 6 low
    public static let ipv6Dst = 7         // 7 high, 8 low
    public static let labels = 9          // ipv6_label 32 (low 20 used) | first MPLS entry 32
    public static let mplsMore = 10       // second MPLS entry 32 | third 32
    public static let ndTarget = 11       // 11 high, 12 low
    public static let arpSHA = 13         // arp_sha or nd_sll 48 | nd_options_type 8 | 0
    public static let arpTHA = 14         // arp_tha or nd_tll 48 | 0 | ipv6_exthdr 9
    public static let ndReserved = 15     // nd_reserved 32 | 0

    // Tunnel words.
    public static let tunnelID = 16
    public static let tunnelIPv4 = 17     // tun_src 32 | tun_dst 32
    public static let tunnelIPv6Src = 18
    public static let tunnelIPv6Dst = 20
    public static let tunnelMisc = 22     // tun_flags 16 | tun_ttl 8 | tun_tos 8 | gbp_id 16 | gbp_flags 8 | 0
    public static let tunnelMetadata = 23 // tun_metadata0…15, a word each

    // Metadata words.
    public static let metadata = 39
    public static let registers = 40      // 40 + n: reg(2n) 32 | reg(2n+1) 32, which is xreg(n)
    public static let markPriority = 48   // pkt_mark 32 | skb_priority 32 (the queue)
    public static let conjunctionActset = 49 // conj_id 32 | actset_output 32
}

/// A complete flow key held as a value; hot code works on pointers to the same 52 words.
public struct FlowKey: Equatable, Sendable {
    public var words: InlineArray<52, UInt64>

    public init() { words = InlineArray(repeating: 0) }

    @inlinable public subscript(word: Int) -> UInt64 {
        get { words[word] }
        set { words[word] = newValue }
    }

    /// The value of a field of at most 64 bits, right-aligned; for a 128-bit field its low half.
    public subscript(field: Field) -> UInt64 {
        get {
            let i = field.info
            return (words[i.lowWord] >> UInt64(i.shift)) & i.lowMask
        }
        set {
            let i = field.info
            words[i.lowWord] = (words[i.lowWord] & ~(i.lowMask << UInt64(i.shift))) | ((newValue & i.lowMask) << UInt64(i.shift))
        }
    }

    /// The value of a field up to 128 bits wide.
    public func wide(_ field: Field) -> FieldValue {
        let i = field.info
        return FieldValue(high: i.bits > 64 ? words[i.word] : 0, low: self[field])
    }

    public mutating func setWide(_ field: Field, _ value: FieldValue) {
        if field.info.bits > 64 { words[field.info.word] = value.high }
        self[field] = value.low
    }

    public static func == (a: FlowKey, b: FlowKey) -> Bool {
        for i in 0..<FlowKeyLayout.wordCount where a.words[i] != b.words[i] { return false }
        return true
    }
}

/// A field's value or mask: up to 128 bits, right-aligned.
public struct FieldValue: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64
    public init(high: UInt64 = 0, low: UInt64) {
        self.high = high
        self.low = low
    }
    public static let zero = FieldValue(low: 0)

    /// `count` low bits set.
    public static func ones(_ count: Int) -> FieldValue {
        count >= 128
            ? FieldValue(high: .max, low: .max)
            : count > 64
                ? FieldValue(high: (1 << UInt64(count - 64)) - 1, low: .max)
                : FieldValue(low: count == 64 ? .max : (1 << UInt64(count)) - 1)
    }
    public static func & (a: Self, b: Self) -> Self { FieldValue(high: a.high & b.high, low: a.low & b.low) }
    public static func | (a: Self, b: Self) -> Self { FieldValue(high: a.high | b.high, low: a.low | b.low) }
    public static prefix func ~ (a: Self) -> Self { FieldValue(high: ~a.high, low: ~a.low) }
    public static func << (a: Self, n: Int) -> Self {
        if n == 0 { return a }
        if n >= 128 { return .zero }
        if n >= 64 { return FieldValue(high: a.low << UInt64(n - 64), low: 0) }
        return FieldValue(high: (a.high << UInt64(n)) | (a.low >> UInt64(64 - n)), low: a.low << UInt64(n))
    }
    public static func >> (a: Self, n: Int) -> Self {
        if n == 0 { return a }
        if n >= 128 { return .zero }
        if n >= 64 { return FieldValue(low: a.high >> UInt64(n - 64)) }
        return FieldValue(high: a.high >> UInt64(n), low: (a.low >> UInt64(n)) | (a.high << UInt64(64 - n)))
    }
    public var isZero: Bool { high == 0 && low == 0 }
}
