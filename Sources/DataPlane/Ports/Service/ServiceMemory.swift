import CLinux
import Glibc

/// The memory of a service port's connection: for each worker a ring in each direction, and for each ring an event that wakes its reader.
///
/// Byte 0: `WEFTSVC1`. From byte 4096 on the rings, for worker 0 towards the service, for worker 0 towards the switch, and so on. The memory is sealed: neither
/// end can make it shorter under the other.
final class ServiceMemory: @unchecked Sendable {
    static let magic: UInt64 = 0x3143_5653_5446_4557
    static let firstRing = 4096
    /// Bytes of a ring: some sixty of the largest frames.
    static let ringSize = 4 << 20

    /// What the switch says with the descriptors: the memory, and the events in the rings' order.
    struct Greeting {
        var magic: UInt64
        var workers: UInt32
        var contextWords: UInt32
        var ringSize: UInt64
    }

    let workers: Int
    let descriptor: OwnedDescriptor
    let events: [OwnedDescriptor]
    private let base: UnsafeMutableRawPointer
    private let size: Int

    private static func size(workers: Int) -> Int { firstRing + 2 * workers * (ServiceRing.headerSize + ringSize) }

    /// New memory, for the switch.
    init(workers: Int) throws(PortError) {
        self.workers = workers
        size = Self.size(workers: workers)
        let memory = OwnedDescriptor(weft_shared_memory(size))
        let events = (0..<2 * workers).map { _ in OwnedDescriptor(weft_event_create()) }
        guard memory.value >= 0, events.allSatisfy({ $0.value >= 0 }), let base = weft_shared_map(memory.value, size) else {
            throw PortError("cannot share memory with a service: \(String(cString: strerror(memory.value < 0 ? -memory.value : errno)))")
        }
        (descriptor, self.events, self.base) = (memory, events, base)
        base.storeBytes(of: Self.magic, as: UInt64.self)
    }

    /// The memory of a switch, for the service.
    ///
    /// - Parameter connection: a connection to the switch's socket.
    /// - Throws: when the switch turns the service away, or is of another version.
    init(connection: Int32) throws(PortError) {
        var greeting = Greeting(magic: 0, workers: 0, contextWords: 0, ringSize: 0)
        var came = MemoryLayout<Greeting>.size
        var descriptors = [Int32](repeating: -1, count: 129)
        let count = weft_service_receive(connection, &greeting, &came, &descriptors, Int32(descriptors.count))
        let owned = descriptors.prefix(max(0, Int(count))).map(OwnedDescriptor.init)
        if count < 0 { throw PortError("the switch does not answer: \(String(cString: strerror(-count)))") }
        if came == 0 { throw PortError("the switch has a service on this port already") }
        guard came == MemoryLayout<Greeting>.size, greeting.magic == Self.magic, greeting.ringSize == UInt64(Self.ringSize),
            Int(greeting.contextWords) == ServiceRing.contextWords, (1...64).contains(greeting.workers), owned.count == 1 + 2 * Int(greeting.workers)
        else { throw PortError("the switch is of another version") }
        workers = Int(greeting.workers)
        size = Self.size(workers: workers)
        guard let base = weft_shared_map(owned[0].value, size) else {
            throw PortError("cannot map the switch's memory: \(String(cString: strerror(errno)))")
        }
        (descriptor, events, self.base) = (owned[0], Array(owned[1...]), base)
    }

    deinit { weft_shared_unmap(base, size) }

    /// Tells the service what it is given; 0, or an errno value.
    func send(to connection: Int32) -> Int32 {
        var greeting = Greeting(
            magic: Self.magic, workers: UInt32(workers), contextWords: UInt32(ServiceRing.contextWords), ringSize: UInt64(Self.ringSize))
        let descriptors = [descriptor.value] + events.map(\.value)
        return weft_service_send(connection, &greeting, MemoryLayout<Greeting>.size, descriptors, Int32(descriptors.count))
    }

    /// A worker's ring towards the service, or towards the switch.
    func ring(worker: Int, towardsSwitch: Bool, isWriter: Bool) -> ServiceRing {
        let index = 2 * worker + (towardsSwitch ? 1 : 0)
        return ServiceRing(base + Self.firstRing + index * (ServiceRing.headerSize + Self.ringSize), size: Self.ringSize, isWriter: isWriter)
    }

    func event(worker: Int, towardsSwitch: Bool) -> Int32 { events[2 * worker + (towardsSwitch ? 1 : 0)].value }
}
