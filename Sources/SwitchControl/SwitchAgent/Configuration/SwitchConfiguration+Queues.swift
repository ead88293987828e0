import Datapath
import Yams

extension SwitchConfiguration {
    /// Reads `max-rate` and `queues` of a port; nil when it has neither.
    static func queueing(_ reader: inout MappingReader, _ what: String) -> PortQueueing? {
        let maximum = reader.rate("max-rate")
        let node = reader.node("queues")
        guard let node else { return maximum.map { PortQueueing(maximumRate: $0) } }
        guard let mapping = node.mapping else {
            reader.faults.add(node.mark, "queues must be a mapping of numbers to queues: {1: {max-rate: 10 Mbit/s}}")
            return nil
        }
        var queueing = PortQueueing(maximumRate: maximum)
        let before = reader.faults.faults.count
        for (key, value) in mapping {
            guard let id: UInt32 = key.scalar.flatMap({ MappingReader.integer($0.string) }), id != .max else {
                reader.faults.add(key.mark, "a queue is a number from 0 to 4294967294")
                continue
            }
            guard let inner = value.mapping else {
                reader.faults.add(value.mark, "queue \(id) must be a mapping, like {max-rate: 10 Mbit/s}")
                continue
            }
            var queue = MappingReader(inner, what: "queue \(id) of \(what)", faults: reader.faults)
            queueing.queues.append(
                PortQueueing.Queue(
                    id: id, minimumRate: queue.rate("min-rate"), maximumRate: queue.rate("max-rate"),
                    burst: queue.size("burst", PortQueueing.bursts), priority: queue.integer("priority", 0...255) ?? 0,
                    buffer: queue.size("buffer", PortQueueing.buffers)))
            queue.finish()
        }
        if let fault = queueing.fault, reader.faults.faults.count == before { reader.faults.add(node.mark, "\(what): \(fault)") }
        return queueing
    }
}

extension MappingReader {
    /// A rate with its unit, in bits per second.
    mutating func rate(_ key: String) -> UInt64? {
        let range = PortQueueing.rates
        return value(key, "a rate from 1 kbit/s to 1000 Gbit/s, like 500 kbit/s or 2.5 Gbit/s") { text in
            QuantityText.number(text, [("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9)]).flatMap { n in
                n >= Double(range.lowerBound) && n <= Double(range.upperBound) ? UInt64(n) : nil
            }
        }
    }

    /// A number of bytes, with or without a unit.
    mutating func size(_ key: String, _ range: ClosedRange<Int>) -> Int? {
        value(key, "bytes from \(range.lowerBound) to \(range.upperBound), like 100000, 64 KiB or 1 MiB") { text in
            QuantityText.number(text, [("KiB", 1024), ("MiB", 1_048_576), ("", 1)]).flatMap { n in
                n >= Double(range.lowerBound) && n <= Double(range.upperBound) ? Int(n) : nil
            }
        }
    }
}

/// Numbers with units.
enum QuantityText {
    /// What a text says, by the first unit that it ends in; nil: nothing.
    static func number(_ text: String, _ units: [(name: String, factor: Double)]) -> Double? {
        for unit in units where text.hasSuffix(unit.name) {
            var digits = text.dropLast(unit.name.count)
            while digits.last == " " { digits.removeLast() }
            guard digits.first?.isNumber == true, digits.allSatisfy({ ("0"..."9").contains($0) || $0 == "." }), let n = Double(digits) else {
                return nil
            }
            return (n * unit.factor).rounded()
        }
        return nil
    }
}
