import Foundation
import Glibc
import Testing

/// A controller that speaks TLS to hosts and to clients of its interface; on the loopback address.
@Suite(.serialized) struct ControllerTLSTests {
    private static var obstacle: String? { SwitchCommandTests.obstacle ?? (WeftProgram.find("openssl") == nil ? "no openssl" : nil) }

    /// Keys with certificates that `ca` signed, and one that another did.
    private func makeCertificates(_ folder: TemporaryFolder) throws {
        func run(_ arguments: String...) throws {
            let outcome = try WeftProgram.runTool("openssl", arguments, in: folder)
            try #require(outcome.code == 0, "\(outcome.errors)")
        }
        for authority in ["ca", "other"] {
            try run(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=\(authority)",
                "-keyout",
                folder.name("\(authority).key"), "-out", folder.name("\(authority).pem"))
        }
        folder.file("names", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        for (name, authority) in [("controller", "ca"), ("switch", "ca"), ("stranger", "other")] {
            try run(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)", "-keyout",
                folder.name("\(name).key"),
                "-out", folder.name("\(name).csr"))
            try run(
                "x509", "-req", "-in", folder.name("\(name).csr"), "-CA", folder.name("\(authority).pem"), "-CAkey", folder.name("\(authority).key"),
                "-CAcreateserial", "-days", "2", "-extfile", folder.name("names"), "-out", folder.name("\(name).pem"))
        }
    }

    @Test func hostsShowCertificatesAndClientsLookAtTheControllers() throws {
        if let obstacle = Self.obstacle { return print("skipped: \(#function): \(obstacle)") }
        let folder = TemporaryFolder()
        try makeCertificates(folder)
        let network = folder.file(
            "net.yaml", "hosts: {A: {address: 198.18.9.1}}\ntenants: {t: {switches: {s: {ports: {p: {mac: \"02:00:00:00:00:01\", host: A}}}}}}\n")
        var processes: [Process] = []
        defer {
            for p in processes where p.isRunning {
                kill(p.processIdentifier, SIGTERM)
                p.waitUntilExit()
            }
        }
        func start(_ log: String, _ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: WeftProgram.path)
            process.arguments = arguments
            process.standardError = FileHandle(forWritingAtPath: folder.file(log, ""))
            try process.run()
            processes.append(process)
        }
        func log(_ name: String) -> String { String(decoding: folder.bytes(name), as: UTF8.self) }
        func wait(_ condition: () -> Bool) -> Bool {
            for _ in 0..<1200 {
                if condition() { return true }
                usleep(50_000)
            }
            return false
        }
        try start(
            "controller.log",
            [
                "controller", "--network", network, "--store", folder.name("store.sqlite"), "--listen", "tls:127.0.0.1:0", "--api", "tls:127.0.0.1:0",
                "--tls-key", folder.name("controller.key"), "--tls-certificate", folder.name("controller.pem"), "--tls-authorities",
                folder.name("ca.pem"),
            ])
        func port(_ what: String) -> String? {
            log("controller.log").split(separator: "\n").first { $0.contains("listening for \(what)") }?.split(separator: " ")
                .first { $0.hasPrefix("address=") }?.split(separator: ":").last.map(String.init)
        }
        try #require(wait { port("HTTP") != nil && port("hosts") != nil }, "\(log("controller.log"))")
        func startSwitch(_ name: String) throws {
            let configuration = folder.file(
                name + ".yaml",
                "tls: {key: \(folder.name(name + ".key")), certificate: \(folder.name(name + ".pem")), authorities: \(folder.name("ca.pem"))}\n")
            try start(
                name + ".log",
                [
                    "switch", "--config", configuration, "--host", "A", "--controller", "ssl:127.0.0.1:\(try #require(port("hosts")))", "--socket",
                    folder.name(name + ".sock"),
                ])
        }
        // Whose certificate another authority signed does not get in.
        try startSwitch("stranger")
        #expect(wait { log("controller.log").contains("a host is refused") }, "\(log("controller.log"))")
        #expect(!log("controller.log").contains("host is connected"))
        try startSwitch("switch")
        #expect(wait { log("controller.log").contains("compared at revision 1") }, "\(log("controller.log"))\(log("switch.log"))")
        // A client looks who the controller is.
        func diff(_ authority: String) throws -> WeftProgram.Outcome {
            try WeftProgram.run(
                [
                    "net", "diff", network, "--controller", "https://127.0.0.1:\(try #require(port("HTTP")))", "--token-file",
                    folder.name("store.sqlite.token"), "--authorities", folder.name(authority + ".pem"),
                ], in: folder)
        }
        let good = try diff("ca")
        #expect(good.code == 0 && good.text == "nothing changes\n", "\(good.text)\(good.errors)")
        let bad = try diff("other")
        #expect(bad.code == 1 && bad.errors.contains("did not answer"), "\(bad.errors)")
        // The token's file is for its owner only.
        let mode = try FileManager.default.attributesOfItem(atPath: folder.name("store.sqlite.token"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func wrongUseIsExplained() throws {
        let folder = TemporaryFolder()
        func run(_ arguments: String...) throws -> WeftProgram.Outcome { try WeftProgram.run(["controller"] + arguments, in: folder) }
        #expect(try run("--listen", "tls:127.0.0.1:0").errors.contains("tls: addresses need --tls-key and --tls-certificate"))
        #expect(try run("--listen", "6653").errors.contains("must be like tcp:127.0.0.1:6653"))
        #expect(try run("--lease", "0").errors.contains("must be 1 to 300"))
        let bad = folder.file("bad.yaml", "hosts: 3\n")
        let refused = try run("--network", bad, "--store", ":memory:", "--listen", "tcp:127.0.0.1:0", "--api", "tcp:127.0.0.1:0")
        #expect(refused.code != 0 && refused.errors.contains("\(bad):1:8: the network: hosts must be a mapping"), "\(refused.errors)")
        let short = folder.file("tokens", "short\n")
        #expect(try run("--tokens", short, "--store", ":memory:").errors.contains("has less than 16 characters"))
        #expect(try WeftProgram.run(["net", "apply", bad], in: folder).errors.contains("--controller is missing"))
        #expect(try WeftProgram.run(["switch", "--host", "A"], in: folder).errors.contains("there is no controller to ask"))
    }
}
