import Flow

/// Writes messages: a value to the bytes of a version.
public struct MessageEncoder: Sendable {
    public let version: OpenFlowVersion
    public init(_ version: OpenFlowVersion) { self.version = version }

    /// The message with its header; a multipart reply that is longer than a message as several, one behind the other.
    ///
    /// Throws when the version cannot say the value: an action or message that it does not have, a list longer than a message.
    public func encode(_ body: Message, xid: UInt32) throws(OpenFlowEncodingError) -> [UInt8] {
        if case .multipartReply(let reply) = body {
            var w = MultipartReplyWriter(reply.kind, version: version, xid: xid)
            reply.write(&w)
            return try w.finish(more: reply.more)
        }
        var w = WireWriter(version, capacity: 128)
        w.u8(version.rawValue)
        w.u8(0)
        w.u16(0)
        w.u32(xid)
        if case .hello(let h) = body { w.set8(h.highest, at: 0) }
        let type = write(body, &w)
        w.set8(type, at: 1)
        w.set16(w.count, at: 2)
        if let failure = w.failure { throw OpenFlowEncodingError(description: failure) }
        return w.finish()
    }

    public func encode(_ m: OpenFlowMessage) throws(OpenFlowEncodingError) -> [UInt8] { try encode(m.body, xid: m.xid) }

    /// The answer to a message that was refused.
    public func encode(_ e: OpenFlowError) -> [UInt8] {
        // An error is always sayable: its data is at most `quotedBytes` long.
        (try? encode(.error(ErrorMessage(e)), xid: e.xid)) ?? []
    }

    /// Writes the body and returns the message's type.
    private func write(_ body: Message, _ w: inout WireWriter) -> UInt8 {
        switch body {
        case .hello(let m):
            m.write(&w)
            return MessageType.hello
        case .error(let m):
            m.write(&w)
            return MessageType.error
        case .echoRequest(let data):
            w.put(data)
            return MessageType.echoRequest
        case .echoReply(let data):
            w.put(data)
            return MessageType.echoReply
        case .experimenter(let m):
            w.u32(m.experimenter)
            w.u32(m.type)
            w.put(m.data)
            return MessageType.experimenter
        case .nicira(let m):
            m.write(&w)
            return MessageType.experimenter
        case .featuresRequest: return MessageType.featuresRequest
        case .featuresReply(let m):
            m.write(&w)
            return MessageType.featuresReply
        case .getConfigRequest: return MessageType.getConfigRequest
        case .getConfigReply(let m):
            m.write(&w)
            return MessageType.getConfigReply
        case .setConfig(let m):
            m.write(&w)
            return MessageType.setConfig
        case .packetIn(let m):
            m.write(&w)
            return MessageType.packetIn
        case .flowRemoved(let m):
            m.write(&w)
            return MessageType.flowRemoved
        case .portStatus(let m):
            m.write(&w)
            return MessageType.portStatus
        case .packetOut(let m):
            m.write(&w)
            return MessageType.packetOut
        case .flowMod(let m):
            m.write(&w)
            return MessageType.flowMod
        case .groupMod(let m):
            m.write(&w)
            return MessageType.groupMod
        case .portMod(let m):
            m.write(&w)
            return MessageType.portMod
        case .tableMod(let m):
            m.write(&w)
            return MessageType.tableMod
        case .multipartRequest(let m):
            m.write(&w)
            return MessageType.multipartRequest
        case .multipartReply: return MessageType.multipartReply
        case .barrierRequest: return MessageType.barrierRequest
        case .barrierReply: return MessageType.barrierReply
        case .queueConfigRequest(let port):
            if version >= .v14 { w.fail("Queues are asked for by a multipart request from OpenFlow 1.4 on.") }
            w.u32(port)
            w.u32(0)
            return MessageType.queueConfigRequest
        case .queueConfigReply(let m):
            if version >= .v14 { w.fail("Queues are described by a multipart reply from OpenFlow 1.4 on.") }
            m.write(&w)
            return MessageType.queueConfigReply
        case .roleRequest(let m):
            m.write(&w)
            return MessageType.roleRequest
        case .roleReply(let m):
            m.write(&w)
            return MessageType.roleReply
        case .getAsyncRequest: return MessageType.getAsyncRequest
        case .getAsyncReply(let m):
            if version >= .v14 { m.writeProperties(&w) } else { m.writeMasks(&w) }
            return MessageType.getAsyncReply
        case .setAsync(let m):
            if version >= .v14 { m.writeProperties(&w) } else { m.writeMasks(&w) }
            return MessageType.setAsync
        case .meterMod(let m):
            m.write(&w)
            return MessageType.meterMod
        case .roleStatus(let m): return onf(&w, MessageType.roleStatus, RoleStatus.onfType) { m.write(&$0) }
        case .tableStatus(let m):
            if version < .v14 { w.fail("Table status exists from OpenFlow 1.4 on.") }
            m.write(&w)
            return MessageType.tableStatus
        case .requestForward(let data):
            if version < .v14 { w.fail("Requests are forwarded from OpenFlow 1.4 on.") }
            w.put(data)
            return MessageType.requestForward
        case .bundleControl(let m): return onf(&w, MessageType.bundleControl, BundleControl.onfType) { m.write(&$0) }
        case .bundleAdd(let m): return onf(&w, MessageType.bundleAdd, BundleAdd.onfType) { m.write(&$0) }
        }
    }

    /// Messages that came with 1.4 are the ONF's extensions in 1.3.
    private func onf(_ w: inout WireWriter, _ type: UInt8, _ onfType: UInt32, _ body: (inout WireWriter) -> Void) -> UInt8 {
        if version < .v14 {
            w.u32(Experimenter.onf)
            w.u32(onfType)
        }
        body(&w)
        return version < .v14 ? MessageType.experimenter : type
    }
}
