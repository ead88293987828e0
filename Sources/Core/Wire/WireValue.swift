/// A header held as a value: it can be emitted, and what it emits parses back to an equal value.
///
/// Stored checksums are emitted as they are, so that a wrong one stays wrong; `fillChecksum` is the deliberate act.
public protocol WireValue: Equatable, Sendable {
    /// Bytes that `emit` writes.
    var size: Int { get }
    /// Writes the header to the first `size` bytes of `out`, which must have as many.
    func emit(into out: inout MutableRawSpan)
    /// Reads the header at the start of `bytes`.
    init(parsing bytes: RawSpan) throws(WireError)
}

extension WireValue {
    /// The header's bytes in an array of their own.
    public func encoded() -> [UInt8] {
        var out = [UInt8](repeating: 0, count: size)
        var span = out.mutableSpan
        var raw = span.mutableBytes
        emit(into: &raw)
        return out
    }
}
