import Foundation
import Glibc
import Testing

/// A controller that speaks TLS to hosts, to other controllers and to clients of its interface; on the loopback address.
@Suite(.serialized) struct ControllerTLSTests {
    @Test func hostsShowCertificatesAndClientsLookAtTheControllers() throws {
        if let obstacle = TLSLab.obstacle { return print("skipped: \(#function): \(obstacle)") }
        let lab = try TLSLab()
        defer { lab.remove() }
        let network = lab.folder.file("net.yaml", Self.network(["p"]))
        try lab.start(
            "controller",
            [
                "controller", "--network", network, "--store", lab.folder.name("store.sqlite"), "--listen", "tls:127.0.0.1:0", "--api",
                "tls:127.0.0.1:0",
            ]
                + lab.options("controller"))
        let (hosts, http) = (try lab.port("controller", "hosts"), try lab.port("controller", "HTTP"))
        func startSwitch(_ name: String) throws {
            try lab.start(
                name,
                ["switch", "--host", "A", "--controller", "ssl:127.0.0.1:\(hosts)", "--socket", lab.folder.name(name + ".sock")]
                    + lab.configuration(name))
        }
        // Whose certificate another authority signed does not get in.
        try startSwitch("stranger")
        #expect(lab.wait { lab.log("controller").contains("a host is refused") }, "\(lab.allLogs)")
        #expect(!lab.log("controller").contains("host is connected"))
        try startSwitch("switch")
        #expect(lab.wait { lab.log("controller").contains("compared at revision 1") }, "\(lab.allLogs)")
        // A client looks who the controller is.
        let good = try lab.net("diff", network, port: http, isSecure: true)
        #expect(good.code == 0 && good.text == "nothing changes\n", "\(good.text)\(good.errors)")
        let bad = try lab.net("diff", network, port: http, isSecure: true, authority: "other")
        #expect(bad.code == 1 && bad.errors.contains("did not answer"), "\(bad.errors)")
        // The token's file is for its owner only.
        let mode = try FileManager.default.attributesOfItem(atPath: lab.folder.name("store.sqlite.token"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func controllersShowCertificatesToEachOtherAndAHostThatProgramsItselfToThem() throws {
        if let obstacle = TLSLab.obstacle { return print("skipped: \(#function): \(obstacle)") }
        let lab = try TLSLab()
        defer { lab.remove() }
        let first = lab.folder.file("first.yaml", Self.network(["p1"]))
        try lab.start(
            "logical",
            [
                "controller", "--role", "logical", "--network", first, "--store", lab.folder.name("store.sqlite"), "--channel", "tls:127.0.0.1:0",
                "--api", "tcp:127.0.0.1:0",
            ] + lab.options("controller"))
        let (channel, http) = (try lab.port("logical", "controllers"), try lab.port("logical", "HTTP"))
        func startPhysical(_ name: String, _ options: [String], kind: String = "tls") throws {
            try lab.start(
                name,
                ["controller", "--role", "physical", "--name", name, "--logical", "\(kind):127.0.0.1:\(channel)", "--listen", "tcp:127.0.0.1:0"]
                    + options)
        }
        func startSwitch(_ name: String, host: String, _ options: [String]) throws {
            try lab.start(name, ["switch", "--host", host, "--socket", lab.folder.name(name + ".sock")] + options)
        }
        /// Lines of the logical controller's log about somebody who was refused.
        func refusals() -> [Substring] { lab.log("logical").split(separator: "\n").filter { $0.contains("a controller is refused") } }
        func isHere(_ name: String) -> Bool {
            lab.log("logical").contains("a controller of hosts is here") && lab.log("logical").contains("name=\(name) ")
        }

        // Nobody gets in whose certificate another authority signed, and either end says why.
        try startPhysical("stranger", lab.options("stranger"))
        #expect(lab.wait { refusals().contains { $0.contains("CERTIFICATE_VERIFY_FAILED") } }, "\(lab.allLogs)")
        #expect(lab.wait { lab.log("stranger").contains("a controller is refused") }, "\(lab.allLogs)")
        lab.stop("stranger")
        var before = refusals().count
        try startSwitch("stranger", host: "B", ["--chassis", "ssl:127.0.0.1:\(channel)"] + lab.configuration("stranger"))
        #expect(lab.wait { refusals().dropFirst(before).contains { $0.contains("CERTIFICATE_VERIFY_FAILED") } }, "\(lab.allLogs)")
        #expect(lab.wait { lab.log("stranger").contains("a controller is refused") }, "\(lab.allLogs)")
        lab.stop("stranger")
        // Who speaks without TLS.
        before = refusals().count
        try startPhysical("plain", [], kind: "tcp")
        #expect(lab.wait { refusals().dropFirst(before).contains { $0.contains("WRONG_VERSION_NUMBER") } }, "\(lab.allLogs)")
        lab.stop("plain")
        // And who does not know this controller's authority goes away itself.
        before = refusals().count
        try startPhysical("wary", lab.options("switch", authority: "other"))
        #expect(lab.wait { refusals().dropFirst(before).contains { $0.contains("ALERT_UNKNOWN_CA") } }, "\(lab.allLogs)")
        #expect(lab.wait { lab.log("wary").contains("CERTIFICATE_VERIFY_FAILED") }, "\(lab.log("wary"))")
        lab.stop("wary")
        #expect(!lab.log("logical").contains("a controller of hosts is here"), "\(lab.log("logical"))")

        // The controller goes on: a physical controller with a host, and a host that programs itself.
        try startPhysical("physical", lab.options("switch"))
        let listening = try lab.port("physical", "hosts")
        try startSwitch("A", host: "A", ["--controller", "tcp:127.0.0.1:\(listening)"])
        try startSwitch("B", host: "B", ["--chassis", "ssl:127.0.0.1:\(channel)"] + lab.configuration("switch"))
        #expect(lab.wait { isHere("physical") && isHere("chassis/B") }, "\(lab.allLogs)")
        func entries(_ host: String) -> Int {
            let outcome = try? WeftProgram.run(["flow", "dump", "--no-stats", "--socket", lab.folder.name(host + ".sock")], in: lab.folder)
            return outcome?.text.split(separator: "\n").count ?? 0
        }
        #expect(lab.wait { entries("A") > 20 && entries("B") > 20 }, "\(lab.allLogs)")
        let had = ["A": entries("A"), "B": entries("B")]
        let second = lab.folder.file("second.yaml", Self.network(["p1", "p2"]))
        let applied = try lab.net("apply", second, port: http, isSecure: false)
        #expect(applied.code == 0 && applied.text.contains("applied as revision 2"), "\(applied.text)\(applied.errors)")
        #expect(lab.wait { had.allSatisfy { entries($0.key) > $0.value } }, "\(had)\n\(lab.allLogs)")
        #expect(lab.isRunning("logical") && lab.isRunning("physical"))
    }

    /// Two hosts, and a switch with ports on both by turns.
    private static func network(_ ports: [String]) -> String {
        let all = ports.enumerated().flatMap { i, name in
            ["A", "B"].map { "\(name)\($0): {mac: \"02:00:00:00:\($0 == "A" ? "0a" : "0b"):0\(i)\", host: \($0)}" }
        }
        return "hosts: {A: {address: 198.18.9.1}, B: {address: 198.18.9.2}}\n"
            + "tenants: {t: {switches: {s: {ports: {\(all.joined(separator: ", "))}}}}}\n"
    }

    @Test func nobodyIsLetInByANameThatItsCertificateDoesNotHave() throws {
        if let obstacle = TLSLab.obstacle { return print("skipped: \(#function): \(obstacle)") }
        let lab = try TLSLab(names: ["a": ["A", "a.example"], "b": ["B"], "p": ["one"]])
        defer { lab.remove() }
        let network = lab.folder.file("net.yaml", Self.network(["p1"]))
        try lab.start(
            "all",
            [
                "controller", "--network", network, "--store", lab.folder.name("store.sqlite"), "--listen", "tls:127.0.0.1:0", "--channel",
                "tls:127.0.0.1:0", "--api", "tcp:127.0.0.1:0", "--certificate-names",
            ] + lab.options("controller"))
        let (hosts, channel) = (try lab.port("all", "hosts"), try lab.port("all", "controllers"))
        func startSwitch(_ certificate: String, host: String, _ way: String, _ port: String) throws {
            try lab.start(
                certificate,
                ["switch", "--host", host, way, "ssl:127.0.0.1:\(port)", "--socket", lab.folder.name(certificate + ".sock")]
                    + lab.configuration(certificate))
        }
        func told(_ words: String...) -> Bool {
            lab.wait { lab.log("all").split(separator: "\n").contains { line in words.allSatisfy { line.contains($0) } } }
        }
        // The machine of host A says that it is B, in either way.
        try startSwitch("a", host: "B", "--controller", hosts)
        #expect(told("a host is refused: its certificate does not have its name", "host=B", "A a.example"), "\(lab.allLogs)")
        lab.stop("a")
        try startSwitch("a", host: "B", "--chassis", channel)
        #expect(told("a channel ends", "its certificate does not have the name of chassis/B"), "\(lab.allLogs)")
        lab.stop("a")
        // Or that it is a controller of hosts.
        try lab.start(
            "physical",
            ["controller", "--role", "physical", "--name", "one", "--logical", "tls:127.0.0.1:\(channel)", "--listen", "tcp:127.0.0.1:0"]
                + lab.options("a"))
        #expect(told("a channel ends", "its certificate does not have the name of one"), "\(lab.allLogs)")
        lab.stop("physical")
        #expect(!lab.log("all").contains("host is connected") && !lab.log("all").contains("a controller of hosts is here"))
        // As what they are they come in.
        try startSwitch("a", host: "A", "--controller", hosts)
        try startSwitch("b", host: "B", "--chassis", channel)
        #expect(told("compared at revision 1", "host=A") && told("a controller of hosts is here", "chassis/B"), "\(lab.allLogs)")
        try lab.start(
            "physical",
            [
                "controller", "--role", "physical", "--name", "one", "--logical", "tls:127.0.0.1:\(channel)", "--listen", "tls:127.0.0.1:0",
                "--certificate-names",
            ] + lab.options("p"))
        #expect(told("a controller of hosts is here", "name=one"), "\(lab.allLogs)")
        // A physical controller looks at names too.
        lab.stop("b")
        try startSwitch("b", host: "A", "--controller", try lab.port("physical", "hosts"))
        #expect(
            lab.wait { lab.log("physical").contains("a host is refused: its certificate does not have its name") }, "\(lab.allLogs)")
        #expect(
            try WeftProgram.run(["controller", "--certificate-names", "--store", ":memory:"], in: lab.folder).errors
                .contains("--certificate-names: tcp:127.0.0.1:6653 has no certificates"))
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
