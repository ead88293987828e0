import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import PhysicalControl

/// The HTTP interface (Docs/Controller.md): the network and its elements as resources in the form of the network file.
///
/// Everything but the OpenAPI document asks for a bearer token. Answers are JSON; what is refused says why in the form `{"error": {code, message, faults}}`.
public struct HTTPInterface: HTTPResponder {
    public typealias Context = BasicRequestContext

    /// Bytes of a request's body.
    static let bodyLimit = 64 << 20

    let core: ControllerCore
    let tokens: Set<String>
    /// Milliseconds that a request may wait.
    let waitLimit: Int
    private let document: String

    /// - Parameters:
    ///   - tokens: those who show one of these may do everything.
    ///   - waitLimit: milliseconds that a request may wait for something.
    public init(_ core: ControllerCore, tokens: Set<String>, waitLimit: Int = 60_000) {
        self.core = core
        self.tokens = tokens
        self.waitLimit = waitLimit
        document = OpenAPIDocument(waitLimit: waitLimit).text
    }

    /// Serves until the task is cancelled.
    public func serve(at: StreamAddress, tls: StreamTLS?, log: Logger, running: @escaping @Sendable (Int) -> Void) async throws {
        let server: HTTPServerBuilder = try tls.map { try .tls(.http1(), tlsConfiguration: $0.serverConfiguration()) } ?? .http1()
        let app = Application(
            responder: self, server: server,
            configuration: ApplicationConfiguration(address: .hostname(at.address, port: at.port), serverName: "weft"),
            onServerRunning: { channel in running(channel.localAddress?.port ?? at.port) }, logger: log)
        try await app.run()
    }

    public func respond(to request: Request, context: Context) async throws -> Response {
        let call = HTTPCall(request)
        do {
            return try await dispatch(call, request)
        } catch let error as InterfaceError {
            return Self.response(error)
        } catch {
            core.log.error("a request failed", metadata: ["path": "\(request.uri.path)", "reason": "\(error)"])
            return Self.failure(.internalServerError, "failed", "the controller could not do this; its log says why")
        }
    }

    private func dispatch(_ call: HTTPCall, _ request: Request) async throws -> Response {
        guard let path = call.path else { throw InterfaceError.malformed("the path is not UTF-8 in percent encoding") }
        if path == ["openapi.json"] {
            guard call.method == .get || call.method == .head else { return Self.notAllowed([.get, .head]) }
            return Self.json(.ok, document)
        }
        guard isAllowed(request) else {
            var r = Self.failure(.unauthorized, "unauthorized", "a token is asked for: Authorization: Bearer TOKEN")
            r.headers[.wwwAuthenticate] = "Bearer realm=\"weft\""
            return r
        }
        switch path {
        case ["v1", "status"]:
            guard call.method == .get else { return Self.notAllowed([.get]) }
            return try await status()
        case ["v1", "network"]:
            switch call.method {
            case .get: return try await read([], call)
            case .put: return try await change(.replace(try await body(request)), call)
            default: return Self.notAllowed([.get, .put])
            }
        case ["v1", "changes"]:
            guard call.method == .get else { return Self.notAllowed([.get]) }
            return try await changes(call)
        case ["v1", "changes", "stream"]:
            guard call.method == .get else { return Self.notAllowed([.get]) }
            return try await stream(call)
        default:
            if path.count == 3, path[0] == "v1", path[1] == "changes" {
                guard call.method == .get else { return Self.notAllowed([.get]) }
                return try await progress(path[2], call)
            }
            guard let (resource, place) = InterfaceResource.find(path) else { throw InterfaceError.notFound(path) }
            switch call.method {
            case .get: return try await read(place, call)
            case .put where !resource.isReadOnly: return try await change(.put(place, try await body(request)), call)
            case .delete where !resource.isReadOnly: return try await change(.remove(place), call)
            default: return Self.notAllowed(resource.isReadOnly ? [.get] : [.get, .put, .delete])
            }
        }
    }

    private func isAllowed(_ request: Request) -> Bool {
        guard let value = request.headers[.authorization], value.lowercased().hasPrefix("bearer ") else { return false }
        let shown = Array(value.dropFirst("bearer ".count).utf8)
        // In the same time for every wrong one of a length.
        return tokens.reduce(false) { found, token in
            let wanted = Array(token.utf8)
            return zip(wanted, shown).reduce(wanted.count == shown.count ? 0 as UInt8 : 1) { $0 | ($1.0 ^ $1.1) } == 0 || found
        }
    }

    private func body(_ request: Request) async throws -> NetworkText {
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        let isYAML: Bool
        switch type {
        case nil, "application/json"?: isYAML = false
        case "application/yaml"?, "text/yaml"?, "application/x-yaml"?: isYAML = true
        default: throw InterfaceError.mediaType(type ?? "")
        }
        let buffer: ByteBuffer
        do { buffer = try await request.body.collect(upTo: Self.bodyLimit) } catch is NIOTooManyBytesError {
            throw InterfaceError.tooLarge(Self.bodyLimit)
        }
        let bytes = Array(buffer.readableBytesView)
        guard isYAML else { return .json(bytes) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw InterfaceError.malformed("the body is not UTF-8") }
        return .yaml(text)
    }

    // MARK: - Resources

    private func read(_ place: NetworkDocument.Path, _ call: HTTPCall) async throws -> Response {
        let wantsYAML = place.isEmpty && call.accepts("yaml")
        let (text, tag) = try await core.run { core in
            let (json, tag) = try core.read(place)
            return (wantsYAML ? core.yaml : json, tag)
        }
        if let none = try call.tags(.ifNoneMatch), none.contains(tag) || none.contains("*") {
            return Response(status: .notModified, headers: [.eTag: tag])
        }
        var r = wantsYAML ? Self.text(.ok, "application/yaml", text) : Self.json(.ok, text)
        r.headers[.eTag] = tag
        return r
    }

    private func change(_ edit: ControllerCore.Edit, _ call: HTTPCall) async throws -> Response {
        let precondition = ControllerCore.Precondition(match: try call.tags(.ifMatch), noneMatch: try call.tags(.ifNoneMatch))
        let wait = try call.number("wait", 0...UInt64(waitLimit)).map(Int.init)
        if try call.bool("dry-run") { return Self.json(.ok, try await core.run { try Self.encode($0.plan(edit, precondition)) }) }
        let result = try await core.run { try $0.change(edit, precondition) }
        var progress = result.progress
        if let wait, wait > 0, let later = await inForce(progress.revision, milliseconds: wait) { progress = later }
        var r = Self.json(result.isNew ? .created : .ok, try Self.encode(progress))
        if let tag = result.tag { r.headers[.eTag] = tag }
        return r
    }

    private func inForce(_ revision: UInt64, milliseconds: Int) async -> ControllerCore.Progress? {
        await withCheckedContinuation { continuation in
            core.queue.async { [core] in core.whenInForce(revision, milliseconds: milliseconds) { continuation.resume(returning: $0) } }
        }
    }

    // MARK: - Changes

    private struct Changes: Encodable { var changes: [StoredChange.Note] }

    private func changes(_ call: HTTPCall) async throws -> Response {
        let after = try call.number("after", 0...UInt64(Int64.max)) ?? 0
        let limit = Int(try call.number("limit", 1...1000) ?? 100)
        if let wait = try call.number("wait", 0...UInt64(waitLimit)), wait > 0 { await core.nextChange(after: after, milliseconds: Int(wait)) }
        return Self.json(.ok, try await core.run { try Self.encode(Changes(changes: $0.changes(after: after, limit: limit))) })
    }

    private func progress(_ text: String, _ call: HTTPCall) async throws -> Response {
        guard let revision = UInt64(text) else { throw InterfaceError.notFound(["changes", text]) }
        if let wait = try call.number("wait", 0...UInt64(waitLimit)), wait > 0, let p = await inForce(revision, milliseconds: Int(wait)) {
            return Self.json(.ok, try Self.encode(p))
        }
        return Self.json(
            .ok,
            try await core.run { core in
                guard let p = core.progress(revision) else { throw InterfaceError.notFound(["changes", text]) }
                return try Self.encode(p)
            })
    }

    /// Server-sent events: each change as it is acknowledged, `id` its revision; a comment every 15 seconds.
    private func stream(_ call: HTTPCall) async throws -> Response {
        let start = try call.number("after", 0...UInt64(Int64.max))
        let last = call.header("Last-Event-ID").flatMap { UInt64($0) }
        let begin = try await core.run { core in last ?? start ?? core.revision }
        let core = core
        let body = ResponseBody { writer in
            var after = begin
            // The client learns that it is connected.
            try await writer.write(ByteBuffer(string: ": revision \(after)\n\n"))
            while !Task.isCancelled {
                await core.nextChange(after: after, milliseconds: 15_000)
                let position = after
                let notes = try await core.run { try $0.changes(after: position, limit: 1000) }
                if notes.isEmpty { try await writer.write(ByteBuffer(string: ": still here\n\n")) }
                for note in notes {
                    try await writer.write(ByteBuffer(string: "id: \(note.revision)\nevent: change\ndata: \(try Self.encode(note))\n\n"))
                    after = note.revision
                }
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: body)
    }

    private struct Status: Encodable {
        var name: String
        var leads: Bool
        var leader: String?
        /// Who leads each set of datapaths.
        var sets: [SetLeader]
        var revision: UInt64
        var hosts: [PhysicalController.HostState]
        var masterships: [Mastership]
    }
    private struct SetLeader: Encodable {
        var set: Int
        var leader: String?
        var tenants: Int
    }

    private func status() async throws -> Response {
        Self.json(
            .ok,
            try await core.run { core in
                let sets = (1...core.options.sets).map { set in
                    SetLeader(
                        set: set, leader: core.led[set] != nil ? core.options.name : core.otherMaster(of: set),
                        tenants: core.tenantSets.count(of: set))
                }
                return try Self.encode(
                    Status(
                        name: core.options.name, leads: core.isMaster, leader: sets[0].leader, sets: sets, revision: core.revision,
                        hosts: core.hostStates, masterships: try core.masterships()))
            })
    }

    // MARK: - Answers

    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func text(_ status: HTTPResponse.Status, _ type: String, _ text: String) -> Response {
        Response(status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
    static func json(_ status: HTTPResponse.Status, _ text: String) -> Response { Self.text(status, "application/json", text) }

    private struct Failure: Encodable {
        struct Fault: Encodable {
            var line: Int?
            var column: Int?
            var message: String
        }
        struct Body: Encodable {
            var code: String
            var message: String
            var faults: [Fault]?
        }
        var error: Body
    }

    static func failure(_ status: HTTPResponse.Status, _ code: String, _ message: String) -> Response {
        json(status, (try? encode(Failure(error: .init(code: code, message: message)))) ?? "{}")
    }

    private static func notAllowed(_ methods: [HTTPRequest.Method]) -> Response {
        let list = methods.map(\.rawValue).joined(separator: ", ")
        var r = failure(.methodNotAllowed, "methodNotAllowed", "this resource takes \(list)")
        r.headers[.allow] = list
        return r
    }

    static func response(_ error: InterfaceError) -> Response {
        switch error {
        case .malformed(let text): return failure(.badRequest, "malformed", text)
        case .notFound(let path): return failure(.notFound, "notFound", "there is no \(path.joined(separator: "/"))")
        case .changed(let tag):
            var r = failure(.preconditionFailed, "changed", tag == nil ? "it is not there" : "it is another version than the one asked for")
            if let tag { r.headers[.eTag] = tag }
            return r
        case .invalid(let faults):
            let list = faults.map { f in
                Failure.Fault(line: f.place.line == 0 ? nil : f.place.line, column: f.place.line == 0 ? nil : f.place.column, message: f.message)
            }
            let message = faults.count == 1 ? "the network would have a fault" : "the network would have \(faults.count) faults"
            return json(.unprocessableContent, (try? encode(Failure(error: .init(code: "invalid", message: message, faults: list)))) ?? "{}")
        case .notMaster(let other):
            var r = failure(.serviceUnavailable, "notMaster", other.map { "controller \($0) leads" } ?? "no controller leads at this moment")
            r.headers[.retryAfter] = "1"
            return r
        case .store(let reason): return failure(.serviceUnavailable, "store", reason)
        case .mediaType(let type): return failure(.unsupportedMediaType, "mediaType", "application/json or application/yaml is taken, not '\(type)'")
        case .tooLarge(let limit): return failure(.contentTooLarge, "tooLarge", "a body has at most \(limit) bytes")
        }
    }
}

/// The parts of a request.
struct HTTPCall {
    let method: HTTPRequest.Method
    /// nil when it is not UTF-8.
    let path: [String]?
    private let query: [(name: String, value: String)]
    private let headers: HTTPFields

    init(_ request: Request) {
        method = request.method
        headers = request.headers
        let whole = request.uri.path
        let parts = whole.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { String($0).removingPercentEncoding }
        path = parts.contains { $0 == nil } ? nil : parts.compactMap { $0 }
        query = (request.uri.query ?? "").split(separator: "&").map { pair in
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(halves[0]), halves.count > 1 ? String(halves[1]).removingPercentEncoding ?? "\u{fffd}" : "")
        }
    }

    func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

    func accepts(_ what: String) -> Bool { headers[.accept]?.lowercased().contains(what) == true }

    /// Entity tags of a header, or `*` (RFC 9110 §13.1.1); nil without it.
    func tags(_ name: HTTPField.Name) throws -> [String]? {
        guard let text = headers[name] else { return nil }
        let all = text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
            .map { $0.hasPrefix("W/") ? String($0.dropFirst(2)) : $0 }
        guard all == ["*"] || all.allSatisfy({ $0.count >= 2 && $0.hasPrefix("\"") && $0.hasSuffix("\"") }) else {
            throw InterfaceError.malformed("\(name) must be * or entity tags in quotes")
        }
        return all
    }

    func number(_ name: String, _ range: ClosedRange<UInt64>) throws -> UInt64? {
        guard let text = query.first(where: { $0.name == name })?.value else { return nil }
        guard let n = UInt64(text), range.contains(n) else {
            throw InterfaceError.malformed("\(name) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return n
    }

    func bool(_ name: String) throws -> Bool {
        guard let text = query.first(where: { $0.name == name })?.value else { return false }
        switch text {
        case "true": return true
        case "false": return false
        default: throw InterfaceError.malformed("\(name) must be true or false")
        }
    }
}
