import Wire

/// One input is a frame. It is dissected twice, as a whole frame and as one that the capture cut.
///
/// Besides not trapping, the result is held to what any dissection promises: layers and fields lie inside the frame. And a header that
/// parses is emitted as the bytes it came from.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrame(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    let bytes = UnsafeRawBufferPointer(start: start, count: size)
    let frame = bytes.bytes
    for originalSize in [size, size + 1] {
        let dissection = Dissection(frame, originalSize: originalSize)
        check(dissection, size: size)
        precondition(!dissection.text.isEmpty && !dissection.summary.isEmpty)
    }
    roundTrip(Ethernet.Header.self, frame)
    roundTrip(VLAN.Header.self, frame)
    roundTrip(MPLS.Header.self, frame)
    roundTrip(ARP.Header.self, frame)
    roundTrip(IPv4.Header.self, frame)
    roundTrip(IPv6.Header.self, frame)
    roundTrip(IPv6Fragment.Header.self, frame)
    roundTrip(ICMPv4.Header.self, frame)
    roundTrip(ICMPv6.Header.self, frame)
    roundTrip(NeighborDiscovery.Message.self, frame)
    roundTrip(NeighborDiscovery.Option.self, frame)
    roundTrip(TCP.Header.self, frame)
    roundTrip(UDP.Header.self, frame)
    roundTrip(SCTP.Header.self, frame)
    return 0
}

private func check(_ dissection: Dissection, size: Int) {
    precondition(!dissection.layers.isEmpty)
    for layer in dissection.layers {
        precondition(layer.offset >= 0 && layer.size >= 0 && layer.offset + layer.size <= size, "\(layer) outside \(size)")
        for field in layer.fields {
            precondition(
                field.offset >= layer.offset && field.size > 0 && field.offset + field.size <= layer.offset + layer.size,
                "\(field) outside \(layer)")
        }
    }
}

private func roundTrip<Header: WireValue>(_: Header.Type, _ frame: RawSpan) {
    guard let header = try? Header(parsing: frame) else { return }
    let encoded = header.encoded()
    precondition(encoded.count <= frame.byteCount, "\(header) is longer than the bytes it came from")
    for i in encoded.indices { precondition(encoded[i] == frame.u8(at: i), "\(header) differs at byte \(i)") }
}
