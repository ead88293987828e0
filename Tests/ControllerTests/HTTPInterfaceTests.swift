import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import Controller

/// Requests without sockets.
@Suite struct HTTPInterfaceTests {
    static let token = "0123456789abcdef"

    struct Answer {
        var status: Int
        var headers: HTTPFields
        var text: String
        var object: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:] }
        var error: [String: Any] { object["error"] as? [String: Any] ?? [:] }
        var faults: [String] { (error["faults"] as? [[String: Any]] ?? []).compactMap { $0["message"] as? String } }
        var tag: String? { headers[.eTag] }
    }

    private final class Collected: @unchecked Sendable { var text = "" }
    private struct Writer: ResponseBodyWriter {
        let collected: Collected
        mutating func write(_ buffer: ByteBuffer) async throws { collected.text += String(buffer: buffer) }
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    private func ask(
        _ lab: ControllerLab, _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, type: String = "application/json",
        token: String? = HTTPInterfaceTests.token, _ headers: [HTTPField.Name: String] = [:]
    ) async throws -> Answer {
        var fields = HTTPFields()
        if let token { fields[.authorization] = "Bearer \(token)" }
        if body != nil { fields[.contentType] = type }
        for (name, value) in headers { fields[name] = value }
        let head = HTTPRequest(method: method, scheme: "http", authority: "test", path: path, headerFields: fields)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body ?? "")))
        let context = BasicRequestContext(source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test")))
        let response = try await lab.interface.respond(to: request, context: context)
        let collected = Collected()
        try await response.body.write(Writer(collected: collected))
        return Answer(status: Int(response.status.code), headers: response.headers, text: collected.text)
    }

    @Test func elementsAreReadPutAndRemovedAsTheyStandInTheFile() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let port = "/v1/tenants/blue/switches/web/ports/vm1"
        let read = try await ask(lab, .get, port)
        #expect(read.status == 200 && read.text == #"{"mac":"02:00:00:00:00:01","addresses":["10.0.1.10"],"host":"A","tap":"t1"}"#, "\(read.text)")
        let put = try await ask(lab, .put, "/v1/tenants/blue/switches/web/ports/vm5", #"{"mac": "02:00:00:00:00:05", "queue": 3}"#)
        #expect(put.status == 201 && put.object["summary"] as? String == "1 port added", "\(put.text)")
        #expect(try await ask(lab, .get, "/v1/tenants/blue/switches/web/ports/vm5").text == #"{"mac":"02:00:00:00:00:05","queue":3}"#)
        #expect(try await ask(lab, .get, "/v1/tenants/blue/switches/web/ports").object.keys.sorted() == ["vm1", "vm2", "vm5"])
        #expect(try await ask(lab, .delete, "/v1/tenants/blue/switches/web/ports/vm5").status == 200)
        #expect(try await ask(lab, .get, "/v1/tenants/blue/switches/web/ports/vm5").status == 404)
        #expect(try await ask(lab, .delete, "/v1/tenants/blue/switches/web/ports/vm5").status == 404)
        // Without a tenant nothing is put into it; a collection comes with its first element.
        #expect(try await ask(lab, .put, "/v1/tenants/red/switches/s", "{}").status == 404)
        #expect(try await ask(lab, .put, "/v1/tenants/red", "{}").status == 201)
        #expect(try await ask(lab, .get, "/v1/tenants/red/switches").text == "{}")
        #expect(try await ask(lab, .put, "/v1/tenants/red/switches/s", "{}").status == 201)
        #expect(try await ask(lab, .get, "/v1/tenants/red/switches/s/access").text == "[]")
        // In YAML too, and back.
        let yaml = try await ask(lab, .get, "/v1/network", nil, [.accept: "application/yaml"])
        #expect(yaml.headers[.contentType] == "application/yaml")
        let same = try await ask(lab, .put, "/v1/network", yaml.text, type: "application/yaml")
        #expect(same.status == 200 && same.object["summary"] as? String == "nothing changes", "\(same.text)")
    }

    @Test func everyFaultIsNamedAndNothingChanges() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let before = try await ask(lab, .get, "/v1/network")
        let wrong = try await ask(
            lab, .put, "/v1/tenants/blue/switches/web/ports/vm9",
            #"{"mac": "02:00:00:00:00:01", "addresses": ["10.0.1.1", "10.0.1.11"], "host": "nowhere", "colour": "red"}"#)
        #expect(wrong.status == 422)
        #expect(wrong.faults.count == 5, "\(wrong.faults)")
        #expect(wrong.faults.contains { $0.contains("there is no host 'nowhere'") } && wrong.faults.contains { $0.contains("no key 'colour'") })
        // In YAML with lines.
        let yaml = try await ask(lab, .put, "/v1/network", "hosts:\n  A: {address: nowhere}\n", type: "application/yaml")
        let fault = try #require((yaml.error["faults"] as? [[String: Any]])?.first)
        #expect(yaml.status == 422 && fault["line"] as? Int == 2)
        // Whoever is referred to does not go.
        let used = try await ask(lab, .delete, "/v1/hosts/A")
        #expect(used.status == 422 && used.faults.contains { $0.contains("there is no host 'A'") }, "\(used.text)")
        let after = try await ask(lab, .get, "/v1/network")
        #expect(after.text == before.text && after.tag == before.tag)
    }

    @Test(arguments: [
        "", "[", "{", #"{"a":}"#, #"{"a":1,"a":2}"#, "null", "17", "[]", #""text""#, "{}x", #"{"a":"\ud800"}"#, #"{"a":"\x"}"#, "{\"a\":\"\u{1}\"}",
        "{'a':1}",
        "{a: 1}", "01", "1.", "tru", String(repeating: "[", count: 100_000), String(repeating: #"{"a":"#, count: 50_000),
    ])
    func whatIsNoElementIsRefused(body: String) async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        for path in ["/v1/tenants/blue/switches/web/ports/vm9", "/v1/network", "/v1/tenants/blue"] {
            let answer = try await ask(lab, .put, path, body)
            #expect(answer.status == 422 && !answer.faults.isEmpty, "\(path): \(answer.status) \(answer.text.prefix(200))")
        }
    }

    @Test(arguments: [
        "a: &x [1]\nb: *x\n", String(repeating: "- ", count: 50_000), String(repeating: "[", count: 50_000), "a:\n\t- b", "%YAML 9.9\n---\na",
        "? ? ? a", "!!map {",
        (0..<300).map { String(repeating: " ", count: $0 * 2) + "a:\n" }.joined(),
    ])
    func dangerousYAMLIsRefused(body: String) async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let answer = try await ask(lab, .put, "/v1/network", body, type: "application/yaml")
        #expect(answer.status == 422 && !answer.faults.isEmpty, "\(answer.status) \(answer.text.prefix(200))")
    }

    @Test func onlyTheVersionThatWasReadIsChanged() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let path = "/v1/tenants/blue/switches/db/access"
        let rule = #"[{"direction": "in", "verdict": "drop", "protocol": "udp"}]"#
        let read = try await ask(lab, .get, path)
        let tag = try #require(read.tag)
        #expect(try await ask(lab, .get, path, nil, [.ifNoneMatch: tag]).status == 304)
        let first = try await ask(lab, .put, path, rule, [.ifMatch: tag])
        #expect(first.status == 200 && first.tag != tag)
        let second = try await ask(lab, .put, path, "[]", [.ifMatch: tag])
        #expect(second.status == 412 && second.tag == first.tag)
        #expect(try await ask(lab, .put, path, rule, [.ifNoneMatch: "*"]).status == 412)
        #expect(try await ask(lab, .put, "/v1/tenants/new", "{}", [.ifNoneMatch: "*"]).status == 201)
        #expect(try await ask(lab, .put, "/v1/tenants/other", "{}", [.ifMatch: "*"]).status == 412)
        #expect(try await ask(lab, .put, path, rule, [.ifMatch: "tag"]).status == 400)
        // The tag of an element does not change with others; that of the network does.
        let network = try #require(try await ask(lab, .get, "/v1/network").tag)
        let port = try #require(try await ask(lab, .get, "/v1/tenants/blue/switches/web/ports/vm1").tag)
        #expect(try await ask(lab, .delete, "/v1/tenants/new").status == 200)
        #expect(try await ask(lab, .get, "/v1/network").tag != network)
        #expect(try await ask(lab, .get, "/v1/tenants/blue/switches/web/ports/vm1").tag == port)
    }

    @Test func aPlanIsShownAndNothingDone() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let hosts = try ["A", "B"].enumerated().map { try TestHost($0.element, datapathID: UInt64($0.offset)) }
        for h in hosts { lab.connect(h) }
        let before = hosts.map(\.lines)
        let path = "/v1/tenants/blue/switches/web/ports/vm1"
        let plan = try await ask(lab, .delete, path + "?dry-run=true")
        #expect(plan.status == 200 && plan.object["summary"] as? String == "1 port removed")
        lab.settle()
        #expect(hosts.map(\.lines) == before && lab.core.queue.sync { lab.core.revision } == 1)
        // It is what is then done.
        let done = try await ask(lab, .delete, path)
        #expect(done.object["modifications"] as? Int == plan.object["modifications"] as? Int)
        #expect(done.object["changes"] as? [String] == ["- port blue/web/vm1"] && plan.object["changes"] as? [String] == ["- port blue/web/vm1"])
        lab.settle()
        #expect(hosts.map(\.lines) != before)
    }

    @Test func changesAreToldAsTheyAreMade() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        async let waiting = ask(lab, .get, "/v1/changes?after=1&wait=20000")
        try await Task.sleep(for: .milliseconds(50))
        #expect(try await ask(lab, .put, "/v1/tenants/red", "{}").status == 201)
        let told = try #require(try await waiting.object["changes"] as? [[String: Any]])
        #expect(told.count == 1 && told[0]["revision"] as? Int == 2)
        #expect(try await ask(lab, .get, "/v1/changes").object["changes"].map { ($0 as? [Any])?.count } == 2)
        let progress = try await ask(lab, .get, "/v1/changes/2")
        #expect(progress.object["millisecondsToForce"] as? Double == 0 && progress.object["waiting"] as? [String] == [])
        #expect(try await ask(lab, .get, "/v1/changes/99").status == 404)
    }

    /// Takes events until one is of a change.
    private struct EventReader: ResponseBodyWriter {
        struct Enough: Error {}
        let collected: Collected
        mutating func write(_ buffer: ByteBuffer) async throws {
            collected.text += String(buffer: buffer)
            if collected.text.contains("event: change") { throw Enough() }
        }
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    @Test func changesComeAsEvents() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let head = HTTPRequest(
            method: .get, scheme: "http", authority: "test", path: "/v1/changes/stream", headerFields: [.authorization: "Bearer \(Self.token)"])
        let context = BasicRequestContext(source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test")))
        let response = try await lab.interface.respond(to: Request(head: head, body: RequestBody(buffer: ByteBuffer())), context: context)
        #expect(response.headers[.contentType] == "text/event-stream")
        let collected = Collected()
        let reading = Task { try await response.body.write(EventReader(collected: collected)) }
        #expect(try await ask(lab, .put, "/v1/tenants/red", "{}").status == 201)
        await #expect(throws: EventReader.Enough.self) { try await reading.value }
        #expect(collected.text.hasPrefix(": revision 1\n\n"), "\(collected.text)")
        #expect(collected.text.contains("id: 2\nevent: change\ndata: {") && collected.text.hasSuffix("\n\n"), "\(collected.text)")
    }

    @Test func onlyThoseWithATokenGetIn() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        for token in [nil, "", "x", "0123456789abcdee", "0123456789abcdef0"] as [String?] {
            for path in ["/v1/network", "/v1/status", "/v1/tenants/blue", "/v1/changes/stream", "/v1/nothing"] {
                let answer = try await ask(lab, .get, path, token: token)
                #expect(answer.status == 401 && answer.headers[.wwwAuthenticate] != nil, "\(path)")
            }
        }
        #expect(try await ask(lab, .get, "/openapi.json", token: nil).status == 200)
    }

    @Test func theDocumentSaysWhatThereIs() async throws {
        let lab = try ControllerLab()
        defer { lab.remove() }
        let document = try await ask(lab, .get, "/openapi.json").object
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        #expect(paths.count == InterfaceResource.all.count + 5)
        let names = ["{host}": "A", "{tenant}": "blue", "{switch}": "web", "{router}": "edge", "{port}": "nobody", "{revision}": "1"]
        for (template, operations) in paths where template != "/v1/changes/stream" {
            var path = template
            try lab.replace(ControllerLab.network)
            for (name, value) in names { path = path.replacingOccurrences(of: name, with: value) }
            for method in [HTTPRequest.Method.get, .put, .delete, .post, .patch] {
                let answer = try await ask(lab, method, path, method == .get ? nil : "17")
                let documented = operations[method.rawValue.lowercased()]
                if let documented {
                    let answers = try #require(documented["responses"] as? [String: Any])
                    #expect(answers["\(answer.status)"] != nil, "\(method) \(path): \(answer.status) is not documented")
                } else {
                    #expect(answer.status == 405 && answer.headers[.allow]?.contains("GET") == true, "\(method) \(path): \(answer.status)")
                }
            }
        }
        try lab.replace(ControllerLab.network)
        // The keys of each schema are those of the file's reader, which names them when it meets another.
        let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: [String: Any]])
        let places = [
            ("Host", "/v1/hosts/A", "{\"address\":\"1.2.3.4\",\"?\":1}"), ("Tenant", "/v1/tenants/x", "{\"?\":1}"),
            ("Switch", "/v1/tenants/blue/switches/x", "{\"?\":1}"), ("SwitchPort", "/v1/tenants/blue/switches/web/ports/x", "{\"?\":1}"),
            ("Router", "/v1/tenants/blue/routers/x", "{\"?\":1}"),
            ("RouterPort", "/v1/tenants/blue/routers/edge/ports/x", "{\"switch\":\"web\",\"?\":1}"),
            ("Route", "/v1/tenants/blue/routers/edge/routes", "[{\"to\":\"1.2.3.4\",\"drop\":true,\"?\":1}]"),
            ("Policy", "/v1/tenants/blue/routers/edge/policies", "[{\"drop\":true,\"?\":1}]"),
            ("AccessRule", "/v1/tenants/blue/routers/edge/access", "[{\"direction\":\"in\",\"verdict\":\"drop\",\"?\":1}]"),
            ("Neighbor", "/v1/tenants/blue/switches/web/neighbors", "[{\"?\":1}]"), ("Network", "/v1/network", "{\"?\":1}"),
        ]
        for (schema, path, body) in places {
            let answer = try await ask(lab, .put, path, body)
            let fault = try #require(answer.faults.first { $0.contains("has no key '?'; it has ") }, "\(schema): \(answer.text)")
            let keys = fault.components(separatedBy: "it has ")[1].components(separatedBy: ", ").sorted()
            #expect(keys == (schemas[schema]?["properties"] as? [String: Any])?.keys.sorted(), "\(schema)")
        }
    }
}
