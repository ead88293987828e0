import Flow
import OpenFlow

/// Bundles: messages that are applied all or none (OpenFlow 1.5.1 §6.9), also as the ONF's extension of 1.3.
///
/// Limits: `bundleLimit` bundles in a session; `OpenFlowAgent.bundleLimit` bytes in the bundles of all sessions.
extension OpenFlowSession {
    struct Bundle {
        var flags: BundleControl.Flags
        var isClosed = false
        var messages: [(message: OpenFlowMessage, bytes: [UInt8])] = []
        var size = 0
    }
    private static let bundleLimit = 64

    func handle(_ b: BundleControl, xid: UInt32) throws(OpenFlowError) {
        switch b.kind {
        case .openRequest:
            if bundles[b.bundle] != nil {
                forget(b.bundle)
                throw OpenFlowError(.bundleID, "There is a bundle \(b.bundle) already.")
            }
            if bundles.count >= Self.bundleLimit { throw OpenFlowError(.outOfBundles, "There are \(Self.bundleLimit) bundles already.") }
            bundles[b.bundle] = Bundle(flags: b.flags)
        case .closeRequest:
            guard var bundle = bundles[b.bundle] else { throw Self.unknownBundle(b.bundle) }
            if bundle.isClosed {
                forget(b.bundle)
                throw OpenFlowError(.bundleClosed, "The bundle \(b.bundle) is closed already.")
            }
            try sameFlags(b, bundle)
            bundle.isClosed = true
            bundles[b.bundle] = bundle
        case .commitRequest:
            guard let bundle = bundles[b.bundle] else { throw Self.unknownBundle(b.bundle) }
            try sameFlags(b, bundle)
            forget(b.bundle)
            try commit(bundle)
        case .discardRequest:
            if bundles[b.bundle] == nil { throw Self.unknownBundle(b.bundle) }
            forget(b.bundle)
        case .openReply, .closeReply, .commitReply, .discardReply:
            throw OpenFlowError(.bundleType, "A controller does not send the bundle message \(b.kind.text).")
        }
        send(.bundleControl(BundleControl(bundle: b.bundle, b.kind.reply, flags: b.flags)), xid: xid)
    }

    private func forget(_ id: UInt32) { if let bundle = bundles.removeValue(forKey: id) { agent.bundled -= bundle.size } }

    /// At a session's end: what was not committed never was.
    func forgetBundles() { for id in bundles.keys { forget(id) } }

    private static func unknownBundle(_ id: UInt32) -> OpenFlowError { OpenFlowError(.bundleID, "There is no bundle \(id).") }

    private func sameFlags(_ b: BundleControl, _ bundle: Bundle) throws(OpenFlowError) {
        if b.flags != bundle.flags {
            forget(b.bundle)
            throw OpenFlowError(.bundleFlags, "The flags of bundle \(b.bundle) are not those that it was opened with.")
        }
    }

    func handle(_ b: BundleAdd) throws(OpenFlowError) {
        if bundles[b.bundle] == nil {
            // A bundle may be opened by its first message.
            if bundles.count >= Self.bundleLimit { throw OpenFlowError(.outOfBundles, "There are \(Self.bundleLimit) bundles already.") }
            bundles[b.bundle] = Bundle(flags: b.flags)
        }
        if bundles[b.bundle]!.isClosed {
            forget(b.bundle)
            throw OpenFlowError(.bundleClosed, "The bundle \(b.bundle) is closed.")
        }
        if b.flags != bundles[b.bundle]!.flags {
            forget(b.bundle)
            throw OpenFlowError(.bundleFlags, "The flags of bundle \(b.bundle) are not those that it was opened with.")
        }
        let message = try decodeInBundle(b.message)
        switch message.body {
        case .flowMod, .groupMod, .meterMod, .portMod, .packetOut: break
        default: throw OpenFlowError(.bundleMessageUnsupported, "Messages of this type cannot be in a bundle.")
        }
        bundles[b.bundle]!.size += b.message.count
        agent.bundled += b.message.count
        if agent.bundled > OpenFlowAgent.bundleLimit {
            forget(b.bundle)
            throw OpenFlowError(.outOfBundles, "Open bundles have at most \(OpenFlowAgent.bundleLimit >> 20) MiB together.")
        }
        bundles[b.bundle]!.messages.append((message, b.message))
    }

    /// Applies a bundle's messages, or none of them.
    private func commit(_ bundle: Bundle) throws(OpenFlowError) {
        flush()
        var view = GroupView(tables)
        var list: [FlowModification] = []
        list.reserveCapacity(bundle.messages.count)
        /// For each modification the message that it comes from.
        var sources: [Int] = []
        sources.reserveCapacity(bundle.messages.count)
        for (i, item) in bundle.messages.enumerated() {
            do throws(OpenFlowError) {
                let part: [FlowModification]
                switch item.message.body {
                case .flowMod(let f): part = try modifications(f, groups: view)
                case .groupMod(let g): part = try modifications(g, groups: view)
                case .meterMod(let m): part = try modifications(m, groups: view)
                default: part = []
                }
                for m in part {
                    view.note(m)
                    list.append(m)
                    sources.append(i)
                }
            } catch {
                throw failed(error, item)
            }
        }
        vswitch.collectCounters()
        let refused = tables.withOwnership {
            let refused = tables.transact(list, now: monotonicNow())
            tables.publish()
            return refused
        }
        if let refused { throw failed(Self.refusal(refused.error), bundle.messages[sources[refused.index]]) }
        let now = monotonicNow()
        for m in list {
            if case .addGroup(let g) = m { agent.groupsCreated[g.id] = now }
            if case .addMeter(let m) = m { agent.metersCreated[m.id] = now }
        }
        for item in bundle.messages {
            switch item.message.body {
            case .portMod(let p): try handle(p)
            case .packetOut(let p): try handle(p)
            default: break
            }
        }
    }

    /// Answers the message that failed by its own error, and then the commit by `bundleMessageFailed`.
    private func failed(_ error: OpenFlowError, _ item: (message: OpenFlowMessage, bytes: [UInt8])) -> OpenFlowError {
        var e = error
        e.xid = item.message.xid
        e.data = Array(item.bytes.prefix(OpenFlowError.quotedBytes))
        refuse(e)
        return OpenFlowError(.bundleMessageFailed, "A message of the bundle was refused: \(error.reason)")
    }
}
