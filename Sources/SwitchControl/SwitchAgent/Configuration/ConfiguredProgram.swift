import Datapath
import Flow
import Foundation

/// The entries, groups and meters that a configuration asks for, read from its files and checked by building the tables once.
struct ConfiguredProgram: Sendable {
    var entries: [FlowEntry] = []
    var groups: [UInt32: Group] = [:]
    var meters: [UInt32: Meter] = [:]

    /// What a switch without `flows` has: it forwards as an Ethernet switch does.
    static let standard = FlowEntry(priority: 0, actions: [.output(port: ReservedPort.normal, maxLength: nil)])

    /// - Throws: everything that is wrong, with the file and line it is in.
    init(_ configuration: SwitchConfiguration, file: String) throws(ConfigurationError) {
        var faults: [String] = []
        var all: [(FlowModification, where: String)] = []
        let programs: [(String, SwitchConfiguration.Program?, ([UInt8]) -> FlowText.Parsed)] = [
            ("meters", configuration.meters, { FlowText.parseMeters(bytes: $0) }),
            ("groups", configuration.groups, { FlowText.parseGroups(bytes: $0) }),
            ("flows", configuration.flows, { FlowText.parse(bytes: $0) }),
        ]
        for (key, program, parse) in programs {
            guard let program else { continue }
            let bytes: [UInt8]
            let name: String
            var offset = 0
            switch program {
            case .file(let path, let line):
                name = path.hasPrefix("/") ? path : ((file as NSString).deletingLastPathComponent as NSString).appendingPathComponent(path)
                do throws(ConfigurationFile.Failure) {
                    bytes = try ConfigurationFile.read(name)
                } catch {
                    faults.append("\(file):\(line): \(key): \(name) cannot be read: \(error.reason)")
                    continue
                }
            case .inline(let text, let line):
                name = file
                offset = line - 1
                bytes = Array(text.utf8)
            }
            let parsed = parse(bytes)
            for d in parsed.errors {
                let column = offset > 0 || name == file ? "" : ":\(d.column)"
                faults.append("\(name):\(d.line + offset)\(column): \(d.text)")
            }
            for (modification, line) in zip(parsed.modifications, parsed.lines) { all.append((modification, "\(name):\(Int(line) + offset)")) }
        }
        let tables = FlowTables()
        for (modification, place) in all {
            do throws(FlowTableError) {
                try tables.apply(modification, now: 0)
            } catch {
                faults.append("\(place): \(error)")
                continue
            }
            switch modification {
            case .addGroup(let group), .modifyGroup(let group): groups[group.id] = group
            case .deleteGroup(let id): if let id { groups[id] = nil } else { groups = [:] }
            case .addMeter(let meter), .modifyMeter(let meter): meters[meter.id] = meter
            case .deleteMeter(let id): if let id { meters[id] = nil } else { meters = [:] }
            case .flow: break
            }
        }
        if !faults.isEmpty {
            throw ConfigurationError(texts: faults)
        }
        tables.publish()
        // A switch that looks for controllers waits for their entries, or is a learning switch meanwhile (`fail-mode`).
        entries = configuration.flows == nil ? (configuration.looksForController ? [] : [Self.standard]) : tables.entries().map(\.entry)
    }

    /// Every change that leads from an empty switch to this program.
    var modifications: [FlowModification] { Self().changes(to: self, live: []) }

    private init() {}

    /// The changes that lead from this program to another one: groups and meters first, then entries that are new or different, then what is gone.
    ///
    /// Entries that are equal are left alone, so that they keep their counters; one that is gone from the switch meanwhile comes back. Entries that
    /// neither program has are left alone too.
    /// - Parameter live: the entries that the switch has.
    func changes(to new: ConfiguredProgram, live: [FlowEntry]) -> [FlowModification] {
        var out: [FlowModification] = []
        for (id, meter) in new.meters.sorted(by: { $0.key < $1.key }) where meters[id] != meter {
            out.append(meters[id] == nil ? .addMeter(meter) : .modifyMeter(meter))
        }
        // A group may name any other; those that are named come first.
        for group in new.groupsInOrder where groups[group.id] != group {
            out.append(groups[group.id] == nil ? .addGroup(group) : .modifyGroup(group))
        }
        let present = Dictionary(live.map { ($0.identity, $0) }, uniquingKeysWith: { $1 })
        let wanted = Set(new.entries.map(\.identity))
        for e in new.entries where present[e.identity] != e { out.append(.flow(.add, e)) }
        for e in entries where !wanted.contains(e.identity) && present[e.identity] != nil { out.append(.flow(.deleteStrict, e)) }
        for id in groups.keys.sorted() where new.groups[id] == nil { out.append(.deleteGroup(id)) }
        for id in meters.keys.sorted() where new.meters[id] == nil { out.append(.deleteMeter(id)) }
        return out
    }

    private var groupsInOrder: [Group] { groups.values.sorted { $0.id < $1.id } }
}

extension ConfigurationError {
    /// Faults that bring their file's name along.
    init(texts: [String]) {
        file = ""
        faults = texts.map { ConfigurationFault(line: 0, column: 0, message: $0) }
    }
}
