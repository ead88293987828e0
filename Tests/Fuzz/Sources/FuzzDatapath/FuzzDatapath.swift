import Datapath
import Flow

/// One input is a list of frames, each with a length of two bytes before it. They go twice through pipelines that rewrite all there is.
///
/// Besides not trapping: received + copied = ended, every frame has an end, and no end has more bytes than the frame and the headers that were pushed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDatapath(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    let bytes = UnsafeRawBufferPointer(start: start, count: size)
    var frames: [(offset: Int, length: Int)] = []
    // The datapath reads whole blocks of 64 bytes, so each frame has that much behind it.
    var storage: [UInt8] = []
    var at = 0
    while at + 2 <= size, frames.count < 64 {
        let length = min((Int(bytes[at]) << 8 | Int(bytes[at + 1])) & 0x7ff, size - at - 2)
        frames.append((storage.count, length))
        storage += bytes[(at + 2)..<(at + 2 + length)]
        storage += [UInt8](repeating: 0xa5, count: 64)
        at += 2 + length
    }
    if frames.isEmpty { return 0 }
    storage.withUnsafeBytes { memory in
        for flows in pipelines {
            let ports = PortRegistry(admitsNamedPorts: true)
            for n in 1...4 { ports.attach(UInt32(n)) }
            let element = ForwardingElement(ports: ports, maxFrameLength: 2048)
            for m in flows { try? element.apply(m, now: 0) }
            for round in 0..<2 {
                let received = frames.enumerated().map { i, f in
                    ReceivedFrame(
                        bytes: memory.baseAddress! + f.offset, length: f.length, inPort: UInt32(1 + i % 3), time: UInt64(round * 100 + i) * 1_000_000)
                }
                var ended = Set<Int>()
                element.process(received) { first, recorder in
                    for e in recorder.events {
                        ended.insert(first + e.packet)
                        precondition(e.length <= frames[first + e.packet].length + 64, "\(e)")
                    }
                }
                precondition(ended.count == frames.count, "\(frames.count - ended.count) frames have no end")
            }
            let c = element.worker.counters
            precondition(c.received + c.copied == c.ended, "\(c)")
        }
    }
    return 0
}

private let pipelines: [[FlowModification]] = [
    """
    table=0,ip,actions=mod_nw_src:10.9.8.7,mod_nw_dst:10.6.5.4,mod_nw_tos:4,dec_ttl,resubmit(,1)
    table=0,priority=1,actions=resubmit(,1)
    table=1,priority=30,tcp,actions=mod_tp_src:1,mod_tp_dst:2,output:2,push_vlan:0x8100,set_field:4100->vlan_vid,output:3
    table=1,priority=30,udp,actions=mod_tp_src:1,mod_tp_dst:2,output:2,push_mpls:0x8847,output:3
    table=1,priority=30,sctp,actions=mod_tp_src:1,mod_tp_dst:2,output:2
    table=1,priority=30,icmp,actions=set_field:3->icmp_type,set_field:9->icmp_code,output:2
    table=1,priority=1,actions=flood
    """,
    """
    table=0,ipv6,actions=set_field:2001:db8::1->ipv6_src,set_field:2001:db8::2->ipv6_dst,set_field:7->ipv6_label,dec_ttl,resubmit(,1)
    table=0,priority=1,arp,actions=set_field:1.2.3.4->arp_spa,set_field:02:00:00:00:00:09->arp_sha,set_field:2->arp_op,in_port
    table=0,priority=0,actions=normal
    table=1,priority=40,icmp6,icmp_type=135,icmp_code=0,actions=set_field:2001::9->nd_target,set_field:02:00:00:00:00:07->nd_sll,output:2
    table=1,priority=40,icmp6,icmp_type=136,icmp_code=0,actions=set_field:2001::9->nd_target,set_field:02:00:00:00:00:07->nd_tll,output:2
    table=1,priority=30,udp6,actions=set_field:9->udp_dst,output:2
    table=1,priority=30,tcp6,actions=set_field:9->tcp_src,output:2
    table=1,priority=1,actions=check_pkt_larger(100)->NXM_NX_REG0[0],output:3
    """,
    """
    table=0,priority=9,mpls,mpls_bos=1,actions=dec_mpls_ttl,pop_mpls:0x0800,resubmit(,1)
    table=0,priority=8,mpls,actions=set_mpls_label:17,pop_mpls:0x8847,output:2
    table=0,priority=7,vlan_tci=0x1000/0x1000,actions=pop_vlan,resubmit(,1)
    table=0,priority=0,actions=learn(table=2,idle_timeout=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,2),clone(mod_dl_src:02:00:00:00:00:01,output:3),output:4
    table=1,priority=1,ip,actions=dec_ttl,output(port=2,max_len=20),controller
    table=1,priority=0,actions=all
    """,
].map { FlowText.parse($0).modifications }
