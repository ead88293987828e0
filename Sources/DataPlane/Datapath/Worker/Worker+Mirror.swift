import Flow
import Ports

/// Forwarding while someone captures: the same stages, with the frames copied before and their ends looked up after. Costs one test per batch when nobody
/// does.
extension Worker {
    /// Copies packets to a mirror from now on. Call on the worker's thread, or while it rests.
    public func addMirror(_ mirror: FrameMirror) {
        mirrors.append(mirror)
        mirrorsChanged()
    }

    public func removeMirror(_ mirror: FrameMirror) {
        mirrors.removeAll { $0 === mirror }
        mirrorsChanged()
    }

    private func mirrorsChanged() {
        hot.pointee.isMirrored = !mirrors.isEmpty
        let keepsBytes = mirrors.contains { if case .port = $0.filter { true } else { false } }
        executor.recorder = mirrors.isEmpty ? nil : EventRecorder(keepsBytes: keepsBytes)
        executor.stage?.refusals = mirrors.isEmpty ? nil : []
    }

    /// Forwards a batch and sends what comes of it, so that also what ports refuse is known.
    @inline(never) func forwardMirrored(_ count: Int) {
        guard let recorder = executor.recorder, let stage = executor.stage else { return forward(count) }
        recorder.reset()
        stage.refusals = []
        // As they came: programs change frames in place.
        var arrived: [FrameMirror.Record?] = []
        for i in 0..<count {
            let state = states[i]
            let wanting = mirrors.filter { $0.mayWant(inPort: state.inPort) }
            if wanting.isEmpty {
                arrived.append(nil)
                continue
            }
            let kept = min(state.length, wanting.map(\.snapLength).max()!)
            arrived.append(
                FrameMirror.Record(
                    time: state.time, bytes: Array(UnsafeRawBufferPointer(start: state.data, count: max(kept, 0))), length: state.length,
                    inPort: state.inPort, outPort: nil, ends: []))
        }
        forward(count)
        stage.flush()
        var refused: [OutputStage.Sent: DropReason] = [:]
        for (sent, reason) in stage.refusals ?? [] { refused[sent] = reason }
        // Both record what leaves by a port in the same order.
        var ordinals: [Int: Int] = [:]
        var ends: [[FrameMirror.End]] = Array(repeating: [], count: count)
        var left: [(event: EventRecorder.Event, port: UInt32, end: FrameMirror.End)] = []
        for event in recorder.events {
            let end: FrameMirror.End
            switch event.kind {
            case .transmitted:
                let index = Int(event.port)
                let ordinal = ordinals[index, default: 0]
                ordinals[index] = ordinal + 1
                let port = tables.ports.number(at: index)
                end = refused[OutputStage.Sent(port: index, ordinal: ordinal)].map { .refused(port: port, $0) } ?? .port(port)
                left.append((event, port, end))
            case .controller: end = .controller
            case .dropped: end = .dropped(DropReason(rawValue: UInt8(event.port))!)
            }
            ends[event.packet].append(end)
        }
        for mirror in mirrors {
            var records: [FrameMirror.Record] = []
            for i in 0..<count {
                guard var record = arrived[i], mirror.wants(inPort: record.inPort, key: keys + i * Self.keyStride, isTunneled: states[i].isTunneled)
                else { continue }
                record.ends = ends[i]
                if record.bytes.count > mirror.snapLength { record.bytes.removeLast(record.bytes.count - mirror.snapLength) }
                records.append(record)
            }
            if case .port(let port) = mirror.filter {
                for sent in left where sent.port == port {
                    let kept = min(sent.event.length, mirror.snapLength)
                    records.append(
                        FrameMirror.Record(
                            time: states[sent.event.packet].time, bytes: Array(recorder.bytes[sent.event.offset..<sent.event.offset + kept]),
                            length: sent.event.length, inPort: states[sent.event.packet].inPort, outPort: port, ends: [sent.end]))
                }
            }
            if !records.isEmpty { mirror.add(records) }
        }
        recorder.reset()
    }
}
