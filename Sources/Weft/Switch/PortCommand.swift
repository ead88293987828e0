import ArgumentParser
import Foundation
import Ports
import SwitchAgent

/// `weft port`: the ports of a running switch.
struct PortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "port", abstract: "Add, delete and list the ports of a running switch.",
        subcommands: [Add.self, Delete.self, Queues.self, List.self, Stats.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a port to a running switch.",
            discussion: """
                The port lasts until it is deleted or the switch stops; ports that are to come back belong into the configuration.

                Examples:
                  weft port add vm1 --kind tap                                   a TAP device vm1, made if it is not there
                  weft port add vm2 --kind packet --device veth2 --netns blue    an existing device in the namespace blue
                  weft port add g0 --kind geneve --remote 192.0.2.2 --key 42     a tunnel
                """)
        @OptionGroup var control: ControlOptions
        @Argument(help: "The port's name (required).") var name: String
        @Option(help: ArgumentHelp("What it is (required): \(PortKind.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "kind"))
        var kind: String
        @Option(help: ArgumentHelp("OpenFlow port number (default: the lowest that is free).", valueName: "n")) var number: String?
        @Option(help: ArgumentHelp("Network device (default: the port's name).", valueName: "name")) var device: String?
        @Option(help: ArgumentHelp("Network namespace of the device, or of a tunnel's outer packets.", valueName: "name")) var netns: String?
        @Option(help: ArgumentHelp("MTU to give to a TAP, or of a tunnel's packets, in bytes.", valueName: "bytes")) var mtu: String?
        @Option(help: ArgumentHelp("Ethernet address to give to a TAP.", valueName: "address")) var mac: String?
        @Flag(help: "A TAP that outlives the switch.") var persist = false
        @Option(help: ArgumentHelp("The other end of a patch port.", valueName: "port")) var peer: String?
        @Option(help: ArgumentHelp("Where a service connects (default: beside the control socket, NAME.service).", valueName: "path"))
        var path: String?
        @Option(help: ArgumentHelp("A tunnel's other end: an address, or flow.", valueName: "address")) var remote: String?
        @Option(help: ArgumentHelp("A tunnel's own address.", valueName: "address")) var local: String?
        @Option(help: ArgumentHelp("A tunnel's key (VNI): a number, or flow.", valueName: "key")) var key: String?
        @Option(help: ArgumentHelp("A tunnel's UDP port.", valueName: "port")) var port: String?
        @Flag(help: "Watch a tunnel's other end by BFD.") var bfd = false

        func run() throws {
            let pairs: [(String, String?)] = [
                ("name", name), ("kind", kind), ("number", number), ("device", device), ("netns", netns), ("mtu", mtu), ("mac", mac), ("peer", peer),
                ("path", path),
                ("remote", remote), ("local", local), ("key", key), ("port", port),
            ]
            var parameters = Dictionary(uniqueKeysWithValues: pairs.compactMap { k, v in v.map { (k, $0) } })
            if persist { parameters["persist"] = "true" }
            if bfd { parameters["bfd"] = "true" }
            let added = try control.connect().request("port.add", parameters, ControlValue.AddedPort.self)
            if control.json { try control.printJSON(added) } else { try OutputFile.print("port \(added.number) (\(added.name)) added") }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "del", abstract: "Delete a port of a running switch.")
        @OptionGroup var control: ControlOptions
        @Argument(help: "The port's name or number (required).") var port: String

        func run() throws {
            let gone = try control.connect().request("port.del", ControlValue.PortName(port: port), ControlValue.PortName.self)
            if control.json { try control.printJSON(gone) } else { try OutputFile.print("port \(gone.port) deleted") }
        }
    }

    struct Queues: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a port of a running switch queues, or others, or none.",
            discussion: """
                All queues that the port has are replaced; without --max-rate and --queue it has none. They last as long as the port, or until the
                configuration is read anew. Packets take the queue that an entry sets (set_queue), else queue 0.

                Examples:
                  weft port queues vm1 --queue '1: {max-rate: 10 Mbit/s}'                 queue 1 is shaped, the others are not
                  weft port queues vm1 --max-rate '100 Mbit/s' --queue '0: {priority: 1}' --queue '1: {priority: 0, min-rate: 5 Mbit/s}'
                """)
        @OptionGroup var control: ControlOptions
        @Argument(help: "The port's name or number (required).") var port: String
        @Option(help: ArgumentHelp("What the port sends at most, like 100 Mbit/s (default: no limit).", valueName: "rate")) var maxRate: String?
        @Option(
            help: ArgumentHelp(
                "A queue as in the configuration, 'N: {max-rate: …, min-rate: …, burst: …, priority: …, buffer: …}'; may be repeated.",
                valueName: "queue"))
        var queue: [String] = []

        func run() throws {
            let parameters = try QueueOptions(port: port, maximumRate: maxRate, queues: queue)
            let changed = try control.connect().request("port.queues", parameters, ControlValue.PortName.self)
            if control.json { return try control.printJSON(changed) }
            try OutputFile.print("queues of port \(changed.port) \(queue.isEmpty && maxRate == nil ? "taken away" : "changed")")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the ports of a running switch: what they are and how they are.")
        @OptionGroup var control: ControlOptions

        func run() throws {
            let list = try control.connect().request("port.list", ControlValue.Ports.self)
            if control.json { return try control.printJSON(list) }
            var rows = [["port", "name", "kind", "state", "mtu", "address", "as"]]
            var lines: [(UInt32, [String])] = list.ports.map { p in
                (p.number, [String(p.number), p.name, p.kind.rawValue, p.status.words, String(p.status.mtu), p.address ?? "", p.summary])
            }
            lines += list.waiting.map { ($0.number, [String($0.number), $0.name, $0.kind.rawValue, "waiting", "", "", $0.reason]) }
            if lines.isEmpty { return try OutputFile.print("no ports; add one with weft port add") }
            rows += lines.sorted { $0.0 < $1.0 }.map(\.1)
            try OutputFile.print(TextColumns.aligned(rows, numeric: [0, 4]).joined(separator: "\n"))
        }
    }

    struct Stats: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What the ports of a running switch have counted.")
        @OptionGroup var control: ControlOptions
        @Argument(help: "Only this port, by name or number.") var port: String?

        func run() throws {
            var ports = try control.connect().request("port.list", ControlValue.Ports.self).ports
            if let port {
                ports = ports.filter { $0.name == port || String($0.number) == port }
                if ports.isEmpty { throw CommandError("there is no port \"\(port)\"") }
            }
            if control.json { return try control.printJSON(ports) }
            var rows = [["port", "name", "received", "bytes", "sent", "bytes"]]
            for p in ports {
                rows.append(
                    [String(p.number), p.name] + [p.rxPackets, p.rxBytes, p.txPackets, p.txBytes].map(ReplaySummary.count))
            }
            var lines = TextColumns.aligned(rows, numeric: [0, 2, 3, 4, 5])
            let queues = ports.flatMap { p in (p.queues ?? []).map { (p, $0) } }
            if !queues.isEmpty {
                rows = [["port", "queue", "sent", "bytes", "dropped", "waiting", "bytes"]]
                for (p, q) in queues {
                    rows.append(
                        [String(p.number), String(q.queue)]
                            + [q.packets, q.bytes, q.drops, UInt64(q.waitingPackets), UInt64(q.waitingBytes)].map(ReplaySummary.count))
                }
                lines += [""] + TextColumns.aligned(rows, numeric: [0, 1, 2, 3, 4, 5, 6])
            }
            try OutputFile.print(lines.joined(separator: "\n"))
        }
    }
}
