import Flow
import Wire

/// The trace as a person reads it, from the packet that came to the packets that leave.
extension TraceReport {
    func text(_ style: TextStyle) -> String {
        var out: [String] = []
        out.append(style.strong("Packet") + (packet.source.map { " (\($0))" } ?? ""))
        out.append("  \(packet.length) bytes on port \(FlowText.portText(packet.inPort)): \(packet.summary)")
        out.append("  \(packet.flow)")
        if !packet.assumed.isEmpty { out.append("  assumed: \(packet.assumed.joined(separator: ", "))") }
        for layer in packet.dissection.layers { for p in layer.problems { out.append("  ! \(layer.title): \(p)") } }
        out.append("")
        out.append(style.strong("Walk"))
        for (step, indent) in zip(steps, indents) { write(step, indent: indent, style, to: &out) }
        if steps.isEmpty { out.append("  none: the packet has no Ethernet header") }
        for (i, program) in programs.enumerated() {
            out.append("")
            out.append(style.strong("Action program") + (i == 0 ? "" : " after parsing anew"))
            out += program.map { "  " + $0 }
        }
        out.append("")
        out.append(style.strong("This result holds for"))
        out += dependencyLines
        out.append("")
        out.append(style.strong("Verdict: ") + verdictText(style))
        for output in outputs { write(output, style, to: &out) }
        return out.joined(separator: "\n")
    }

    private func write(_ step: Step, indent level: Int, _ style: TextStyle, to out: inout [String]) {
        let indent = String(repeating: "    ", count: level) + "  "
        switch step.kind {
        case "table":
            if let e = step.entry {
                let match = e.match.isEmpty ? "any packet" : e.match
                out.append(indent + style.strong("table \(e.table)") + ": priority \(e.priority), cookie \(e.cookie): \(match)")
            } else {
                out.append(indent + style.strong("table \(step.table ?? 0)") + ": " + style.drop("no entry matches"))
            }
            for r in step.higher ?? [] {
                let what = r.entry.match.isEmpty ? "any packet" : r.entry.match
                out.append(indent + "  " + style.faint("not priority \(r.entry.priority): \(what)"))
                for d in r.differences {
                    out.append(indent + "      " + style.faint("\(d.wanted) is asked, \(d.field == "vlan" ? "" : "\(d.field) ")is \(d.actual)"))
                }
                if let reason = r.reason { out.append(indent + "      " + style.faint(reason)) }
            }
            if let n = step.higherCount, n > (step.higher ?? []).count {
                out.append(indent + "  " + style.faint("and \(n - (step.higher ?? []).count) more that do not match (--why-not-limit)"))
            }
            if let e = step.entry, e.actions == "drop" { out.append(indent + "    drop") }
        case "action":
            out.append(indent + (step.action ?? ""))
            for c in step.changes ?? [] { out.append(indent + "    " + style.change("\(c.field): \(c.before) → \(c.after)")) }
        case "output": out.append(indent + "  → " + style.strong("port \(FlowText.portText(step.port ?? 0))"))
        case "notSent":
            let reason = step.reason ?? ""
            out.append(indent + "  × " + style.drop("not sent: \(reason), \(Self.explanation(reason))"))
        case "limit":
            let reason = step.reason ?? ""
            out.append(
                indent + "  × " + style.drop("limit reached: \(reason), \(Self.explanation(reason)); everything else about the packet is discarded"))
        case "bucket": out.append(indent + "  group \(step.group ?? 0) (\(step.groupKind ?? "")): bucket \(step.bucket ?? 0)")
        case "clone": break
        case "actionSet":
            out.append(indent + style.strong("action set") + (step.action.map { $0.isEmpty ? ": without an output, so it does nothing" : "" } ?? ""))
        case "learn", "unlearn":
            if let e = step.entry {
                out.append(
                    indent
                        + "  \(step.kind == "learn" ? "learns" : "deletes") table \(e.table), priority \(e.priority): \(e.match) actions=\(e.actions)"
                )
            }
        case "recirculate": out.append(indent + "the packet so far is parsed anew (recirculated)")
        case "resume": out.append("  " + style.strong("the walk continues") + " on the packet parsed anew")
        default: break
        }
    }

    private static func explanation(_ reason: String) -> String { DropReasonText.byName[reason] ?? "" }

    private var dependencyLines: [String] {
        var lines: [String] = []
        if dependencies.shared {
            lines.append("  every packet with \(dependencies.match)")
        } else {
            lines.append("  this packet only: it rests on more than the fields; the first part looked at \(dependencies.match)")
        }
        if dependencies.length { lines.append("  and this length") }
        if !dependencies.metadata.isEmpty { lines.append("  and the metadata given: \(dependencies.metadata.joined(separator: ","))") }
        if !dependencies.state.isEmpty { lines.append("  as long as \(dependencies.state.joined(separator: " and ")) stay as they are") }
        return lines
    }

    private func verdictText(_ style: TextStyle) -> String {
        var parts: [String] = []
        let ports = outputs.map(\.port).filter { $0 != "CONTROLLER" }
        if !ports.isEmpty { parts.append("sent on port\(ports.count == 1 ? "" : "s") \(ports.joined(separator: ", "))") }
        if ports.count < outputs.count { parts.append("handed to the controller") }
        for d in drops { parts.append(style.drop("\(parts.isEmpty ? "" : "a copy was ")dropped: \(d.reason), \(d.explanation)")) }
        return parts.joined(separator: "; ")
    }

    private func write(_ output: Output, _ style: TextStyle, to out: inout [String]) {
        out.append("")
        out.append(
            style.strong(output.port == "CONTROLLER" ? "To the controller" : "Out of port \(output.port)")
                + ", \(output.length) bytes: \(output.summary)")
        let comparison = FrameComparison(before: packet.dissection, after: output.dissection)
        for (i, layer) in output.dissection.layers.enumerated() {
            let changed = layer.fields.indices.contains(where: { comparison.isChanged(layer: i, field: $0) })
            let fields = layer.fields.enumerated().map { k, f in
                let text = f.name == "bytes" ? f.value : "\(f.name) \(f.value)"
                return comparison.isChanged(layer: i, field: k) ? style.change(text) : text
            }
            out.append((changed ? "* " : "  ") + "\(layer.title): " + fields.joined(separator: ", "))
            for p in layer.problems { out.append("      ! \(p)") }
        }
        if output.changes.isEmpty {
            out.append("  unchanged")
            return
        }
        out.append("  changed:")
        for c in output.changes {
            let what: String
            switch (c.before, c.after) {
            case (let before?, let after?): what = "\(c.field) \(before) → \(after)"
            case (nil, let after?): what = c.field == "header" ? "added (\(after))" : "\(c.field) \(after), new"
            case (let before?, nil): what = "removed (\(before))"
            case (nil, nil): what = c.field
            }
            out.append("    " + style.change("\(c.layer): \(what)"))
        }
    }
}
