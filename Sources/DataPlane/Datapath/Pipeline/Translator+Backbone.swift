import Flow

/// Actions that need more of the packet than its key: backbone headers (IEEE 802.1ah), and TTLs copied between layers (OpenFlow 1.3.5 §5.12).
///
/// They are done by an operation on the frame, after which the frame is parsed anew where the flow is no longer known. The price is that of a popped MPLS
/// label: such packets are translated one by one.
extension Translator {
    /// Puts a backbone header before the frame. Its addresses are the frame's, its I-SID that of the backbone header already there, its priority that of
    /// the VLAN tag; all else is zero (OpenFlow 1.3.5 §5.12.1, table 7).
    func pushPBB(type: UInt16) {
        var tag: UInt64 = 0
        if etherType == FrameParser.EtherType.backbone {
            read(FlowKeyLayout.ipv4, 0xff_ffff)
            tag = key[FlowKeyLayout.ipv4] & 0xff_ffff
        }
        read(FlowKeyLayout.ethSrcVLAN, 0xf000)
        let tci = key[FlowKeyLayout.ethSrcVLAN]
        if tci & 0x1000 != 0 { tag |= (tci >> 13 & 7) << 29 }
        commit()
        builder.append(ProgramOp.header(.pushPBB, b: type, c: UInt32(tag)))
        triggerFreeze(isLocal: true)
    }

    /// Takes the backbone header off: the customer's addresses become the frame's. A tag before it stays; it should have been popped first.
    func popPBB() {
        guard satisfies(15) else { return }
        commit()
        builder.append(ProgramOp.header(.popPBB))
        triggerFreeze(isLocal: true)
    }

    /// The outermost label and the one below it, when it isn't the last and has been parsed.
    private func topLabels() -> (outer: UInt64, inner: UInt64)? {
        let outer = key[FlowKeyLayout.labels] & 0xffff_ffff
        let inner = key[FlowKeyLayout.mplsMore] >> 32
        return outer & 0x100 == 0 && inner != 0 ? (outer, inner) : nil
    }

    func copyTTLOut() {
        guard satisfies(2) else { return }
        readLabels()
        if let labels = topLabels() {
            setLabels(first: labels.outer & ~0xff | labels.inner & 0xff)
        } else if key[FlowKeyLayout.labels] & 0x100 != 0 {
            commit()
            builder.append(ProgramOp.header(.copyTTLOut))
            triggerFreeze(isLocal: true)
        }
    }

    func copyTTLIn() {
        guard satisfies(2) else { return }
        readLabels()
        if let labels = topLabels() {
            let inner = labels.inner & ~0xff | labels.outer & 0xff
            setLabels(first: labels.outer, more: key[FlowKeyLayout.mplsMore] & 0xffff_ffff | inner << 32)
        } else if key[FlowKeyLayout.labels] & 0x100 != 0 {
            // The header below isn't part of the flow while the label is there.
            commit()
            builder.append(ProgramOp.header(.copyTTLIn))
        }
    }
}
