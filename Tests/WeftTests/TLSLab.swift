import Foundation
import Glibc
import Testing

/// Keys and certificates of two authorities, and controllers and switches that use them, as processes on the loopback address.
///
/// `controller` and `switch` are signed by the authority `ca`, `stranger` by `other`.
final class TLSLab {
    static var obstacle: String? { SwitchCommandTests.obstacle ?? (WeftProgram.find("openssl") == nil ? "no openssl" : nil) }

    let folder = TemporaryFolder()
    private var processes: [String: Process] = [:]

    /// - Parameter names: names in further certificates of the authority `ca`, by what these are called.
    init(names: [String: [String]] = [:]) throws {
        for authority in ["ca", "other"] {
            try openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=\(authority)",
                "-keyout", folder.name("\(authority).key"), "-out", folder.name("\(authority).pem"))
        }
        for (name, authority) in [("controller", "ca"), ("switch", "ca"), ("stranger", "other")] + names.keys.sorted().map({ ($0, "ca") }) {
            folder.file("names", "subjectAltName=IP:127.0.0.1" + (names[name] ?? ["localhost"]).map { ",DNS:\($0)" }.joined() + "\n")
            try openssl(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)",
                "-keyout", folder.name("\(name).key"), "-out", folder.name("\(name).csr"))
            try openssl(
                "x509", "-req", "-in", folder.name("\(name).csr"), "-CA", folder.name("\(authority).pem"), "-CAkey", folder.name("\(authority).key"),
                "-CAcreateserial", "-days", "2", "-extfile", folder.name("names"), "-out", folder.name("\(name).pem"))
        }
    }

    private func openssl(_ arguments: String...) throws {
        let outcome = try WeftProgram.runTool("openssl", arguments, in: folder)
        try #require(outcome.code == 0, "\(outcome.errors)")
    }

    func remove() { for name in processes.keys { stop(name) } }

    func stop(_ name: String) {
        guard let process = processes.removeValue(forKey: name), process.isRunning else { return }
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
    }

    /// Starts `weft`; what it logs is in `log(name)`.
    func start(_ name: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: WeftProgram.path)
        process.arguments = arguments
        process.standardError = FileHandle(forWritingAtPath: folder.file(name + ".log", ""))
        try process.run()
        processes[name] = process
    }

    func isRunning(_ name: String) -> Bool { processes[name]?.isRunning == true }
    func log(_ name: String) -> String { String(decoding: folder.bytes(name + ".log"), as: UTF8.self) }
    var allLogs: String { processes.keys.sorted().map { "── \($0)\n" + log($0) }.joined() }

    func wait(_ condition: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(60)
        while Date() < end {
            if condition() { return true }
            usleep(50_000)
        }
        return condition()
    }

    /// Where a controller listens for `hosts`, `controllers` or `HTTP`, once it does.
    func port(_ process: String, _ what: String) throws -> String {
        var found: String?
        _ = wait {
            found = log(process).split(separator: "\n").first { $0.contains("listening for \(what)") }?.split(separator: " ")
                .first { $0.hasPrefix("address=") }?.split(separator: ":").last.map(String.init)
            return found != nil
        }
        return try #require(found, "\(allLogs)")
    }

    /// A controller's options for a key, and for whose signatures it takes.
    func options(_ name: String, authority: String = "ca") -> [String] {
        [
            "--tls-key", folder.name(name + ".key"), "--tls-certificate", folder.name(name + ".pem"), "--tls-authorities",
            folder.name(authority + ".pem"),
        ]
    }

    /// A switch's option for the same.
    func configuration(_ name: String) -> [String] {
        let text = "tls: {key: \(folder.name(name + ".key")), certificate: \(folder.name(name + ".pem")), authorities: \(folder.name("ca.pem"))}\n"
        return ["--config", folder.file(name + ".yaml", text)]
    }

    /// Changes a controller's network to that of a file, or asks whether it is that.
    func net(_ command: String, _ file: String, port: String, isSecure: Bool, authority: String = "ca") throws -> WeftProgram.Outcome {
        try WeftProgram.run(
            [
                "net", command, file, "--controller", "\(isSecure ? "https" : "http")://127.0.0.1:\(port)", "--token-file",
                folder.name("store.sqlite.token"),
            ]
                + (isSecure ? ["--authorities", folder.name(authority + ".pem")] : []) + (command == "apply" ? ["--yes"] : []), in: folder)
    }
}
