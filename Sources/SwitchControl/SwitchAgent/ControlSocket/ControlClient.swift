import Foundation
import Glibc

/// A client of a switch's control socket: one request after the other, blocking.
public final class ControlClient {
    private let descriptor: Int32
    public let path: String
    private var input = Data()
    private var nextID = 1

    /// - Throws: `.notFound` with advice when no switch listens there.
    public init(path: String) throws(ControlError) {
        self.path = path
        guard path.utf8.count <= ControlSocketPath.limit else {
            throw ControlError(.failed, "\(path): a socket's path may have \(ControlSocketPath.limit) bytes")
        }
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if SocketAddress.with(path, { connect(descriptor, $0, $1) }) != 0 {
            let code = errno
            Glibc.close(descriptor)
            switch code {
            case ENOENT, ECONNREFUSED: throw ControlError(.notFound, "no switch is listening on \(path): start one with weft switch")
            case EACCES: throw ControlError(.failed, "\(path): permission denied; the control socket belongs to the user who runs the switch")
            default: throw ControlError(.failed, "\(path): \(String(cString: strerror(code)))")
            }
        }
    }

    deinit { Glibc.close(descriptor) }

    private struct Reply<R: Decodable>: Decodable {
        var id: Int?
        var result: R?
        var error: ControlError?
    }
    private struct Request<P: Encodable>: Encodable {
        var id: Int
        var method: String
        var params: P
    }
    private struct EventLine<V: Decodable>: Decodable { var event: V }
    private struct NoParameters: Codable {}

    public func request<R: Decodable>(_ method: String, _: R.Type = R.self) throws(ControlError) -> R { try request(method, NoParameters()) }

    /// Sends a request and waits for its reply.
    public func request<R: Decodable>(_ method: String, _ parameters: some Encodable, _: R.Type = R.self) throws(ControlError) -> R {
        let id = nextID
        nextID += 1
        try write(ControlLine.encode(Request(id: id, method: method, params: parameters)) + Data("\n".utf8))
        guard let line = try readLine() else { throw ControlError(.failed, "the switch on \(path) closed the connection") }
        let reply: Reply<R>
        do {
            reply = try JSONDecoder().decode(Reply<R>.self, from: line)
        } catch {
            throw ControlError(.malformed, "the switch on \(path) sent what is no reply to \(method)")
        }
        if let error = reply.error { throw error }
        guard let result = reply.result else { throw ControlError(.malformed, "the switch on \(path) sent an empty reply to \(method)") }
        return result
    }

    private func write(_ bytes: Data) throws(ControlError) {
        var sent = 0
        while sent < bytes.count {
            let n = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            if n < 0 {
                if errno == EINTR { continue }
                throw ControlError(.failed, "the switch on \(path) closed the connection: \(String(cString: strerror(errno)))")
            }
            sent += n
        }
    }

    /// The next line, without its end; nil at the end of the connection.
    public func readLine() throws(ControlError) -> Data? {
        var scanned = 0
        while true {
            if let end = input[(input.startIndex + scanned)...].firstIndex(of: 0x0a) {
                let line = Data(input[..<end])
                input = Data(input[(end + 1)...])
                return line
            }
            scanned = input.count
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let n = Glibc.read(descriptor, &chunk, chunk.count)
            if n < 0 {
                if errno == EINTR { continue }
                throw ControlError(.failed, "\(path): \(String(cString: strerror(errno)))")
            }
            if n == 0 { return nil }
            input.append(contentsOf: chunk[0..<n])
        }
    }

    /// The next event of a stream; nil at its end.
    public func nextEvent<E: Decodable>(_: E.Type = E.self) throws(ControlError) -> E? {
        guard let line = try readLine() else { return nil }
        guard let event = try? JSONDecoder().decode(EventLine<E>.self, from: line).event else {
            throw ControlError(.malformed, "the switch on \(path) sent what is no event")
        }
        return event
    }

    /// Tells the switch that no more requests come; a stream goes on until its end.
    public func closeInput() { shutdown(descriptor, Int32(SHUT_WR)) }
}
