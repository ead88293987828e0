/// One entry for each connection, as a load balancer or a firewall installs them.
struct ConnectionWorkload {
    let entryCount: Int

    func flows() -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(entryCount * 130)
        for n in 0..<entryCount {
            let line =
                "table=0,priority=100,in_port=1,\(n % 3 == 0 ? "udp" : "tcp"),nw_src=10.\(n >> 16 & 255).\(n >> 8 & 255).\(n & 255),"
                + "nw_dst=172.16.\(n * 7 >> 8 & 255).\(n * 7 & 255),tp_src=\(1024 + n % 60_000),tp_dst=\([80, 443, 53, 8080][n % 4]),actions=dec_ttl,output:2\n"
            text += Array(line.utf8)
        }
        return text
    }
}
