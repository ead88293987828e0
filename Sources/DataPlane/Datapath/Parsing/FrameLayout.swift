/// Where the layers of one frame lie, as the parser found them; the executor rewrites headers at these offsets and nowhere else.
struct FrameLayout {
    /// Value of an offset whose layer is absent.
    static let none: UInt16 = 0xffff

    /// Offset of the first MPLS label stack entry, or `none`.
    var mpls: UInt16 = FrameLayout.none
    /// Offset of what follows the Ethernet type (and the labels): the network header, if there is one.
    var network: UInt16 = FrameLayout.none
    /// Offset of what follows the IP header and its extension headers, or `none` when IP was absent or invalid.
    var transport: UInt16 = FrameLayout.none
    /// Bytes after the end that the IP header tells: Ethernet padding.
    var padding: UInt16 = 0
}
