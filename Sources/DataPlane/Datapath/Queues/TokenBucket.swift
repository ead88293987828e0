/// A rate as a bucket of bytes: it fills with time up to its burst, and a frame takes its length out.
///
/// A frame longer than the burst passes when the bucket is full and leaves it in debt, so that every rate carries every frame. In any time of `t` seconds
/// no more than `rate · t + burst` bytes pass, and one such frame.
///
/// Bytes are floating-point numbers: what is lost to rounding is below a byte in a million million.
struct TokenBucket: Sendable {
    /// Bytes in a nanosecond.
    let rate: Double
    let burst: Double
    private var level: Double
    private var last: UInt64 = 0

    /// - Parameter bitsPerSecond: above 0.
    init(bitsPerSecond: UInt64, burst: Double) {
        rate = Double(bitsPerSecond) / 8e9
        self.burst = burst
        level = burst
    }

    /// Fills it up to a time; times before the last one change nothing.
    mutating func fill(now: UInt64) {
        guard now > last else { return }
        level = min(level + Double(now - last) * rate, burst)
        last = now
    }

    /// Whether a frame may pass now.
    func admits(_ length: Int) -> Bool { level >= min(Double(length), burst) }

    mutating func take(_ length: Int) { level -= Double(length) }

    /// Nanoseconds from the last time on until a frame may pass.
    func wait(_ length: Int) -> UInt64 {
        let missing = min(Double(length), burst) - level
        return missing <= 0 ? 0 : UInt64((missing / rate).rounded(.up))
    }
}
