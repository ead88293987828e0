import LogicalNetwork
import Yams

/// Reads a queue of a host's ports.
struct HostQueueReader {
    let host: String
    let collector: FaultCollector

    func read(_ name: String, _ node: Node, _ place: Place) -> HostQueue? {
        guard var r = ElementReader(node, what: "queue \(name) of host \(host)", place: place, collector) else { return nil }
        defer { r.finish() }
        var queue = HostQueue(number: 0, place: place)
        queue.minimumKilobits = r.value("min-rate", Self.expectedRate, Self.rate)
        queue.maximumKilobits = r.value("max-rate", Self.expectedRate, Self.rate)
        queue.priority = r.integer("priority", 0...255) ?? 0
        queue.burstBytes = size("burst", NetworkLimits.queueBursts, &r)
        queue.bufferBytes = size("buffer", NetworkLimits.queueBuffers, &r)
        guard let number = UInt32(name), number != .max else {
            r.fault("a queue is a number from 0 to 4294967294")
            return nil
        }
        queue.number = number
        return queue
    }

    static let expectedRate = "a number of kbit/s, Mbit/s or Gbit/s, from 1 kbit/s to 1000 Gbit/s"

    static func rate(_ text: String) -> UInt32? { SwitchReader.rate(text).flatMap { NetworkLimits.queueRates.contains($0) ? $0 : nil } }

    private func size(_ key: String, _ range: ClosedRange<Int>, _ r: inout ElementReader) -> Int? {
        r.value(key, "a number of bytes, KiB or MiB, from \(range.lowerBound) to \(range.upperBound) bytes") { text in
            let parts = text.split(separator: " ")
            let factor = parts.count < 2 ? 1 : parts.count == 2 ? ["KiB": 1024, "MiB": 1 << 20][String(parts[1])] : nil
            guard let factor, let number = parts.first.flatMap({ Int($0) }) else { return nil }
            let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: factor)
            return !isTooMuch && range.contains(bytes) ? bytes : nil
        }
    }
}
