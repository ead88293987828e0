import ArgumentParser
import Foundation
import LogicalNetwork
import NetworkFile
import Translation

/// A network file that a command was given, read and computed.
struct LoadedNetwork {
    let description: NetworkDescription
    let translation: NetworkTranslation

    /// Reads the file; what is wrong with it goes to standard error line by line, and ends the command with exit code 1.
    init(_ file: String) throws {
        let bytes = try InputFile.read(file)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw CommandError("\(file) is not UTF-8 text") }
        do throws(NetworkFaults) {
            description = try NetworkFile.parse(text)
        } catch {
            let lines = error.faults.map { "\(file):\($0.place.line == 0 ? " " : "")\($0)\n" }.joined()
            FileHandle.standardError.write(Data(lines.utf8))
            throw ExitCode(1)
        }
        translation = NetworkTranslation()
        translation.apply(description)
    }

    /// Every switch port.
    var ports: [(tenant: Tenant, owner: LogicalSwitch, port: SwitchPort)] {
        description.tenants.flatMap { t in t.switches.flatMap { s in s.ports.map { (t, s, $0) } } }
    }

    /// The port that a name means: `tenant/switch/port`, or the end of it that only one port has.
    func port(named name: String) throws -> (tenant: String, owner: String, port: SwitchPort) {
        let found = ports.filter { t, s, p in
            let path = "\(t.name)/\(s.name)/\(p.name)"
            return path == name || path.hasSuffix("/" + name)
        }
        if found.isEmpty { throw ValidationError("the network has no port '\(name)'; it is written tenant/switch/port, or the end of that") }
        if found.count > 1 {
            let names = found.map { "\($0.tenant.name)/\($0.owner.name)/\($0.port.name)" }.joined(separator: ", ")
            throw ValidationError("'\(name)' may be \(names): write more of the name")
        }
        return (found[0].tenant.name, found[0].owner.name, found[0].port)
    }
}
