import ArgumentParser
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Where a controller is, and how to get in.
struct ControllerOptions: ParsableArguments {
    @Option(
        name: .customLong("controller"),
        help: ArgumentHelp("The controller's HTTP interface: http://HOST:PORT or https://HOST:PORT.", valueName: "url"))
    var url: String?
    @Option(help: ArgumentHelp("A file with the controller's token (default: the environment's WEFT_TOKEN).", valueName: "file")) var tokenFile:
        String?
    @Option(
        help: ArgumentHelp("Whose signature makes the controller's certificate good, in PEM (default: those the system trusts).", valueName: "file"))
    var authorities: String?

    func validate() throws {
        if let url, ControllerClient.address(url) == nil { throw ValidationError("--controller \(url): must be like http://127.0.0.1:8653") }
    }

    func client() throws -> ControllerClient {
        let address = ControllerClient.address(url!)!
        let token: String
        if let tokenFile {
            token = String(decoding: try InputFile.read(tokenFile), as: UTF8.self).split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        } else {
            token = ProcessInfo.processInfo.environment["WEFT_TOKEN"] ?? ""
        }
        if token.isEmpty { throw ValidationError("the controller asks for a token: give --token-file, or WEFT_TOKEN in the environment") }
        return ControllerClient(host: address.host, port: address.port, isSecure: address.isSecure, authorities: authorities, token: token)
    }
}

/// Asks a controller over HTTP: one request for a connection, which is all that commands need.
struct ControllerClient {
    struct Answer {
        var status: Int
        var tag: String?
        var body: [UInt8]

        func decoded<T: Decodable>(_: T.Type = T.self) throws -> T {
            do { return try JSONDecoder().decode(T.self, from: Data(body)) } catch {
                throw CommandError("the controller's answer cannot be read: \(error)")
            }
        }
    }

    let host: String
    let port: Int
    let isSecure: Bool
    let authorities: String?
    let token: String

    static func address(_ url: String) -> (host: String, port: Int, isSecure: Bool)? {
        guard let u = URLComponents(string: url), let scheme = u.scheme, ["http", "https"].contains(scheme), let host = u.host, !host.isEmpty,
            u.path.isEmpty || u.path == "/"
        else { return nil }
        return (host.trimmingCharacters(in: CharacterSet(charactersIn: "[]")), u.port ?? (scheme == "https" ? 443 : 80), scheme == "https")
    }

    func request(_ method: HTTPMethod, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil) throws -> Answer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authorities { configuration.trustRoots = .file(authorities) }
        let context = isSecure ? try NIOSSLContext(configuration: configuration) : nil
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers = HTTPHeaders(
            [("Host", "\(host):\(port)"), ("Authorization", "Bearer \(token)"), ("Accept", "application/json"), ("Connection", "close")] + headers)
        if let body { head.headers.add(name: "Content-Length", value: "\(body.count)") }
        let promise = group.next().makePromise(of: Answer.self)
        let isName = (try? NIOCore.SocketAddress(ipAddress: host, port: port)) == nil
        let channel: any Channel
        do {
            channel = try ClientBootstrap(group: group).connectTimeout(.seconds(5)).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: isName ? host : nil))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(Collector(promise))
                }
            }.connect(host: host, port: port).wait()
        } catch {
            promise.fail(error)
            throw CommandError("the controller at \(host):\(port) cannot be reached: \(error)")
        }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil) }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        do { return try promise.futureResult.wait() } catch { throw CommandError("the controller at \(host):\(port) did not answer: \(error)") }
    }

    private final class Collector: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = HTTPClientResponsePart
        private let promise: EventLoopPromise<Answer>
        private var answer = Answer(status: 0, tag: nil, body: [])
        private var isDone = false

        init(_ promise: EventLoopPromise<Answer>) { self.promise = promise }

        private func finish(_ result: Result<Answer, any Error>) {
            if isDone { return }
            isDone = true
            promise.completeWith(result)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                answer.status = Int(head.status.code)
                answer.tag = head.headers.first(name: "ETag")
            case .body(let part): answer.body += Array(part.readableBytesView)
            case .end:
                finish(.success(answer))
                context.close(promise: nil)
            }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            finish(.failure(error))
            context.close(promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { finish(.failure(ChannelError.eof)) }
    }

    // MARK: - What is asked

    struct Plan: Decodable {
        struct Host: Decodable {
            var host: String
            var modifications: Int
            var isGone: Bool
        }
        var revision: UInt64
        var summary: String
        var changes: [String]
        var modifications: Int
        var hosts: [Host]

        /// As `weft net diff` writes it.
        var text: String {
            var lines = changes
            if changes.isEmpty { return "nothing changes" }
            lines.append(
                "\(summary); \(modifications) \(modifications == 1 ? "change" : "changes") of entries on \(hosts.count) \(hosts.count == 1 ? "host" : "hosts")"
            )
            for h in hosts { lines.append(h.isGone ? "  \(h.host): no longer part of the network" : "  \(h.host): \(h.modifications)") }
            return lines.joined(separator: "\n")
        }
    }

    struct Change: Decodable {
        var revision: UInt64
        var summary: String
        var modifications: Int
        var hosts: [String]
        var waiting: [String]
        var millisecondsToForce: Double?
    }

    private struct Failure: Decodable {
        struct Fault: Decodable {
            var line: Int?
            var column: Int?
            var message: String
        }
        struct Body: Decodable {
            var code: String
            var message: String
            var faults: [Fault]?
        }
        var error: Body
    }

    private static func type(_ file: String) -> String { file.hasSuffix(".json") ? "application/json" : "application/yaml" }

    /// What a network would change at the controller.
    func plan(_ network: [UInt8], file: String) throws -> Plan {
        let answer = try request(.PUT, "/v1/network?dry-run=true", headers: [("Content-Type", Self.type(file))], body: network)
        try check(answer, file: file)
        return try answer.decoded()
    }

    /// Makes it so, unless the controller has moved on from the plan's revision.
    func apply(_ network: [UInt8], file: String, revision: UInt64, wait: Int) throws -> Change {
        let answer = try request(
            .PUT, "/v1/network?wait=\(wait)", headers: [("Content-Type", Self.type(file)), ("If-Match", "\"r\(revision)\"")], body: network)
        try check(answer, file: file)
        return try answer.decoded()
    }

    private func check(_ answer: Answer, file: String) throws {
        if (200..<300).contains(answer.status) { return }
        guard let failure = try? JSONDecoder().decode(Failure.self, from: Data(answer.body)).error else {
            throw CommandError("the controller answered \(answer.status)")
        }
        if let faults = failure.faults {
            let lines = faults.map { f in "\(file):\(f.line.map { "\($0):\(f.column ?? 1): " } ?? " ")\(f.message)\n" }.joined()
            FileHandle.standardError.write(Data(lines.utf8))
            throw ExitCode(1)
        }
        if answer.status == 412 { throw CommandError("somebody else has changed the network meanwhile; nothing is applied") }
        throw CommandError("the controller refuses: \(failure.message)")
    }
}
