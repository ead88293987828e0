/// The sizes that a network may have; what is larger is refused by name.
public enum NetworkLimits {
    /// Characters of a name.
    public static let nameLength = 63
    /// Access rules of one switch or router: each has a priority of its own.
    public static let rules = 16_000
    public static let policies = 16_000
    /// Entries that one rule may come to, the product of its lists.
    public static let entriesPerRule = 65_536
    /// Hosts: the physical mapping tells them apart by 16 bits.
    public static let hosts = 65_534
    /// Hosts of a network whose pool node stands in for tunnels that fail: each watched remote is a port, of 4,096 that a forwarding element has.
    public static let watchedHosts = 2_048
    /// Queues of a host's ports, queue 0 included.
    public static let queues = 64
    /// Rates of queues, in kbit/s, and their bytes.
    public static let queueRates: ClosedRange<UInt32> = 1...1_000_000_000
    public static let queueBursts: ClosedRange<Int> = 1500...(64 << 20)
    public static let queueBuffers: ClosedRange<Int> = (128 << 10)...(64 << 20)
    /// Linux device names (IFNAMSIZ less the end).
    public static let deviceNameLength = 15
}
