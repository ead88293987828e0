/// The finest time step a capture file can hold.
public enum CapturePrecision: Sendable, Hashable {
    case microseconds
    case nanoseconds
}

/// One packet of a capture file.
///
/// `bytes` belongs to the reader that made the record and is valid until that reader is asked for the next one, or released.
public struct CaptureRecord {
    /// Nanoseconds since 1970-01-01 00:00 UTC, as the capture has it.
    public var time: UInt64
    /// The captured bytes, at least one.
    public var bytes: UnsafeRawBufferPointer
    /// Bytes the packet had on the wire: at least as many as were captured.
    public var originalLength: Int
    /// The position in its file, starting at 1.
    public var number: Int

    public init(time: UInt64, bytes: UnsafeRawBufferPointer, originalLength: Int, number: Int) {
        self.time = time
        self.bytes = bytes
        self.originalLength = originalLength
        self.number = number
    }

    /// Bytes that were captured.
    public var capturedLength: Int { bytes.count }
    /// Whether the capture holds only the packet's beginning.
    public var isCut: Bool { bytes.count < originalLength }
}
