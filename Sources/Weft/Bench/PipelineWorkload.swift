/// Six tables with registers, as a virtual switch's pipeline has them, and flows that all take the whole way.
struct PipelineWorkload {
    let flowCount: Int

    static let flows = """
        table=0,priority=100,in_port=1,actions=load:1->NXM_NX_REG0[],resubmit(,1)
        table=1,priority=100,reg0=1,ip,actions=load:0x10->NXM_NX_REG1[],resubmit(,2)
        table=2,priority=200,ip,reg1=0x10,nw_dst=10.128.0.0/9,actions=load:2->NXM_NX_REG2[],resubmit(,3)
        table=2,priority=100,ip,reg1=0x10,actions=drop
        table=3,priority=100,reg2=2,udp,tp_dst=80,actions=load:3->NXM_NX_REG3[],resubmit(,4)
        table=3,priority=10,actions=drop
        table=4,priority=100,reg3=3,ip,actions=mod_dl_src:02:00:00:00:00:aa,mod_dl_dst:02:00:00:00:00:bb,dec_ttl,load:5->NXM_NX_REG4[],resubmit(,5)
        table=5,priority=100,reg4=5,actions=output:2

        """

    /// Packets in the loop: each flow as often as it takes to have this many, so that one flow is no special case.
    private static let fewestPackets = 1024

    static func tuple(_ n: Int) -> FrameBuffer.FiveTuple {
        FrameBuffer.FiveTuple(
            source: 0x0a00_0001 + UInt32(n * 7919 & 0x7f_ffff), destination: 0x0a80_0001 + UInt32(n * 104_729 & 0x3f_ffff), isTCP: false,
            sourcePort: UInt16(1024 + n % 50_000), destinationPort: 80)
    }

    /// Every flow in random order, over and over.
    func frames() -> FrameBuffer {
        var order = Array(0..<flowCount)
        var random = SplitMix(seed: 6)
        for i in stride(from: order.count - 1, to: 0, by: -1) { order.swapAt(i, random.next(below: i + 1)) }
        let rounds = max(1, (Self.fewestPackets + flowCount - 1) / flowCount)
        return FrameBuffer(count: rounds * flowCount) { Self.tuple(order[$0 % order.count]) }
    }
}
