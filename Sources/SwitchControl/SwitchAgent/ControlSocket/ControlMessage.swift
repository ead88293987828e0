import Foundation

/// Why a request was not carried out, as the client is told.
public struct ControlError: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Codable, Sendable {
        /// Not a JSON object with a method.
        case malformed
        /// Longer than `ControlServer.lineLimit`.
        case tooLong
        case unknownMethod
        case badParameters
        /// What the request names does not exist.
        case notFound
        /// It would break a rule of the switch.
        case refused
        /// The system refused.
        case failed
        /// `ControlServer.connectionLimit` clients are connected already.
        case busy
    }
    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    public var description: String { message }
}

/// What a client gave its request to know the reply by: a number or a text, returned as it came.
enum RequestID: Codable {
    case number(Int)
    case text(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) { self = .number(number) } else { self = .text(try container.decode(String.self)) }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        }
    }
}

/// One request as it came.
public struct ControlCall {
    struct Head: Decodable {
        var id: RequestID?
        var method: String
    }
    private struct Presence: Decodable { var params: Anything? }
    private struct Anything: Decodable { init(from decoder: any Decoder) throws {} }
    private struct Body<P: Decodable>: Decodable { var params: P }

    public let method: String
    let id: RequestID?
    private let line: Data
    public let connection: ControlConnection

    init(line: Data, connection: ControlConnection) throws(ControlError) {
        do {
            let head = try JSONDecoder().decode(Head.self, from: line)
            method = head.method
            id = head.id
        } catch {
            throw ControlError(.malformed, "a request is a line with a JSON object like {\"id\":1,\"method\":\"port.list\"}: \(Self.text(error))")
        }
        self.line = line
        self.connection = connection
    }

    /// The request's `params`.
    public func parameters<P: Decodable>(_: P.Type = P.self) throws(ControlError) -> P {
        do {
            return try JSONDecoder().decode(Body<P>.self, from: line).params
        } catch {
            throw ControlError(.badParameters, "\(method): \(Self.text(error))")
        }
    }

    /// The request's `params` as JSON.
    func rawParameters() throws(ControlError) -> Data {
        guard let object = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any], let parameters = object["params"] as? [String: Any],
            let data = try? JSONSerialization.data(withJSONObject: parameters, options: [.withoutEscapingSlashes])
        else { throw ControlError(.badParameters, "\(method): params must be an object") }
        return data
    }

    /// The request's `params`, or what stands for none.
    public func parameters<P: Decodable>(else none: P) throws(ControlError) -> P {
        if (try? JSONDecoder().decode(Presence.self, from: line))?.params == nil { return none }
        return try parameters()
    }

    private static func text(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        func path(_ c: DecodingError.Context) -> String {
            c.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let c): return "\(key.stringValue) is missing\(c.codingPath.isEmpty ? "" : " in \(path(c))")"
        case .typeMismatch(_, let c), .valueNotFound(_, let c): return "\(path(c)): \(c.debugDescription)"
        case .dataCorrupted(let c): return c.codingPath.isEmpty ? "not JSON" : "\(path(c)): \(c.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}

/// Lines that a switch sends.
enum ControlLine {
    static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    static func encode(_ value: some Encodable) -> Data { (try? encoder().encode(value)) ?? Data("null".utf8) }

    private static func line(_ id: RequestID?, _ key: String, _ value: Data) -> Data {
        var out = Data("{".utf8)
        if let id { out += Data("\"id\":".utf8) + encode(id) + Data(",".utf8) }
        out += Data("\"\(key)\":".utf8) + value + Data("}\n".utf8)
        return out
    }

    static func result(_ id: RequestID?, _ value: Data) -> Data { line(id, "result", value) }
    static func failure(_ id: RequestID?, _ error: ControlError) -> Data { line(id, "error", encode(error)) }
    static func event(_ value: some Encodable) -> Data { line(nil, "event", encode(value)) }
}
