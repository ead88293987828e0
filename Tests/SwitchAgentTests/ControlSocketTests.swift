import Foundation
import Glibc
import Ports
import Testing

@testable import SwitchAgent

/// A client that does what it should not.
private final class RawClient {
    let descriptor: Int32
    init(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        _ = SocketAddress.with(path) { connect(descriptor, $0, $1) }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    deinit { close(descriptor) }

    @discardableResult func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let n = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL)) }
            if n <= 0 { return false }
            sent += n
        }
        return true
    }
    func send(_ text: String) { send(Array(text.utf8)) }

    /// What comes until a newline or the end.
    func line() -> String {
        var out: [UInt8] = []
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) == 1, byte != 0x0a { out.append(byte) }
        return String(decoding: out, as: UTF8.self)
    }
    /// Whether the other side has closed.
    var isAtEnd: Bool {
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1) <= 0
    }
}

@Suite(.serialized) struct ControlSocketTests {
    private func bench() throws -> DaemonBench { try DaemonBench(SwitchDaemonTests.two) }
    private let list = "{\"id\":1,\"method\":\"port.list\"}\n"

    @Test func theSocketBelongsToItsOwnerAlone() throws {
        let bench = try bench()
        var status = stat()
        #expect(stat(bench.socket, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600 && status.st_mode & S_IFMT == S_IFSOCK && status.st_uid == geteuid())
    }

    @Test(arguments: [
        ("garbage\n", "malformed"), ("{}\n", "malformed"), ("[1,2]\n", "malformed"), ("{\"method\":5}\n", "malformed"),
        ("\u{0}\u{1}\u{ff}\n", "malformed"),
        ("{\"method\":\"port.lst\"}\n", "unknownMethod"), ("{\"id\":3,\"method\":\"port.del\"}\n", "badParameters"),
        ("{\"method\":\"port.add\",\"params\":[]}\n", "badParameters"), ("{\"method\":\"flow.add\",\"params\":{\"flows\":7}}\n", "badParameters"),
        (String(repeating: "[", count: 100_000) + "\n", "malformed"),
    ]) func malformedRequestsGetAnErrorAndHarmNothing(request: String, code: String) throws {
        let bench = try bench()
        let client = RawClient(bench.socket)
        client.send(request)
        #expect(client.line().contains("\"code\":\"\(code)\""))
        client.send(list)
        #expect(client.line().hasPrefix("{\"id\":1,\"result\":{\"ports\":[{"))
    }

    @Test func requestsMayComeByteByByteOrManyAtOnce() throws {
        let bench = try bench()
        let client = RawClient(bench.socket)
        for byte in list.utf8 { client.send([byte]) }
        #expect(client.line().hasPrefix("{\"id\":1,\"result\""))
        client.send(String(repeating: list, count: 50))
        for _ in 0..<50 { #expect(client.line().hasPrefix("{\"id\":1,\"result\"")) }
    }

    @Test func anOversizedRequestEndsItsConnectionOnly() throws {
        let bench = try bench()
        let client = RawClient(bench.socket)
        let piece = [UInt8](repeating: 0x20, count: 1 << 20)
        for _ in 0..<18 { if !client.send(piece) { break } }
        #expect(client.line().contains("\"code\":\"tooLong\""))
        #expect(client.isAtEnd)
        #expect(try bench.client().request("port.list", ControlValue.Ports.self).ports.count == 2)
    }

    @Test func aHalfOpenClientGetsItsReply() throws {
        let bench = try bench()
        let client = RawClient(bench.socket)
        // Without a newline: the end of the input ends the line.
        client.send("{\"id\":\"x\",\"method\":\"port.list\"}")
        shutdown(client.descriptor, Int32(SHUT_WR))
        #expect(client.line().hasPrefix("{\"id\":\"x\",\"result\""))
        #expect(client.isAtEnd)
    }

    @Test func clientsThatNeverReadHarmNobody() throws {
        let bench = try bench()
        let silent = (0..<8).map { _ in RawClient(bench.socket) }
        for client in silent {
            _ = fcntl(client.descriptor, F_SETFL, O_NONBLOCK)
            // Far more replies than fit into the socket.
            for _ in 0..<20 { client.send(Array(String(repeating: list, count: 1000).utf8)) }
        }
        let client = try bench.client()
        for _ in 0..<20 { #expect(try client.request("port.list", ControlValue.Ports.self).ports.count == 2) }
        try bench.send([DaemonBench.frame()], to: "a")
        #expect(try bench.port("b").takeSent().count == 1)
    }

    @Test func clientsThatVanishHarmNobody() throws {
        let bench = try bench()
        for i in 0..<200 {
            let client = RawClient(bench.socket)
            client.send(i % 2 == 0 ? list : "{\"method\":\"capture\",\"params\":{\"port\":\"a\"}}\n")
        }
        try bench.send([DaemonBench.frame()], to: "a")
        // There is room again once the switch has noticed that they are gone.
        var count: Int?
        DaemonBench.wait {
            count = try? bench.client().request("port.list", ControlValue.Ports.self).ports.count
            return count != nil
        }
        #expect(count == 2)
    }

    @Test func tooManyClientsAreSentAway() throws {
        let bench = try bench()
        var clients = (0..<ControlServer.connectionLimit).map { _ in RawClient(bench.socket) }
        for client in clients {
            client.send(list)
            #expect(client.line().hasPrefix("{\"id\":1,\"result\""))
        }
        let late = RawClient(bench.socket)
        #expect(late.line().contains("\"code\":\"busy\""))
        clients.removeAll()
        var isBack = false
        for _ in 0..<2000 where !isBack {
            isBack = (try? bench.client().request("port.list", ControlValue.Ports.self)) != nil
            if !isBack { usleep(10_000) }
        }
        #expect(isBack)
    }

    @Test func thereIsOneSwitchPerSocket() throws {
        let bench = try bench()
        let error = #expect(throws: ControlError.self) { try ControlServer(path: bench.socket) }
        #expect(error?.code == .busy)
        #expect(try bench.client().request("port.list", ControlValue.Ports.self).ports.count == 2)
    }

    @Test func aFileThatIsNoSocketIsNotReplaced() throws {
        let bench = try bench()
        let file = bench.folder + "/precious"
        try "data".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(throws: ControlError.self) { try ControlServer(path: file) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "data")
    }

    @Test func withoutASwitchAClientIsToldWhatToDo() {
        let error = #expect(throws: ControlError.self) { try ControlClient(path: "/tmp/weft-no-such.sock") }
        #expect(error?.message == "no switch is listening on /tmp/weft-no-such.sock: start one with weft switch")
    }
}
