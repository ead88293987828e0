import Foundation

/// A TCP transfer between two namespaces by a few lines of Python, with the data's digest taken at both ends.
enum TCPTransfer {
    struct Result {
        var isIntact: Bool
        var gigabitsPerSecond: Double
    }

    static func run(_ lab: NetworkLab, from: String, to: String, address: String, megabytes: Int) throws -> Result {
        let server = try lab.start(to, ["timeout", "60", "python3", "-c", serverProgram, address])
        let client = try lab.start(from, ["timeout", "60", "python3", "-c", clientProgram, address, String(megabytes)])
        let sent = text(client).split(separator: " ").map(String.init)
        let received = text(server).split(separator: " ").map(String.init)
        guard sent.count == 1, received.count == 3 else { throw NetworkLab.Failure(description: "transfer: \(sent) / \(received)") }
        let bytes = Double(received[1])!
        return Result(isIntact: sent[0] == received[0], gigabitsPerSecond: bytes * 8 / Double(received[2])! / 1e9)
    }

    private static func text(_ process: Process) -> String {
        let pipe = process.standardOutput as! Pipe
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static let serverProgram = """
        import socket,sys,zlib,time
        a=sys.argv[1]
        s=socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
        s.bind((a,7777)); s.listen(1); s.settimeout(20)
        c,_=s.accept(); c.settimeout(20); d=0; n=0; t=time.time()
        b=bytearray(1<<18)
        while True:
            k=c.recv_into(b)
            if k==0: break
            d=zlib.crc32(memoryview(b)[:k],d); n+=k
        print(d,n,time.time()-t)
        """

    private static let clientProgram = """
        import socket,sys,zlib,time,os
        a=sys.argv[1]; m=int(sys.argv[2])
        for i in range(1000):
            c=socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET); c.settimeout(20)
            try:
                c.connect((a,7777)); break
            except ConnectionRefusedError: c.close(); time.sleep(0.02)
        d=0
        blocks=[os.urandom(1<<20) for i in range(4)]
        for i in range(m):
            b=blocks[i%4]; d=zlib.crc32(b,d); c.sendall(b)
        c.close(); print(d)
        """
}
