/// The dissection as lines for people: each layer on a line of its own, wrapped, fields in the order of the header.
extension Dissection {
    /// Where lines are wrapped; one long field may exceed it.
    public static let textWidth = 120

    /// Several lines, each ended by a newline.
    public var text: String {
        var out = count(capturedSize, "byte")
        if originalSize > capturedSize { out += " captured of \(originalSize)" }
        out += "\n"
        for layer in layers { layer.write(to: &out) }
        return out
    }
}

extension Dissection.Layer {
    /// Writes `  IPv4: source 10.0.0.1, destination 10.0.0.2, …` and a further indented line for each problem.
    func write(to out: inout String) {
        let indent = isQuoted ? "    " : "  "
        var line = indent + (isQuoted ? "quoted " : "") + title
        var separator = ": "
        for field in fields {
            // Plain bytes need no name of their own.
            let item = field.name == "bytes" ? field.value : "\(field.name) \(field.value)"
            line += separator
            if line.utf8.count + item.utf8.count > Dissection.textWidth, separator == ", " {
                out += line.dropLast() + "\n"
                line = indent + "    "
            }
            line += item
            separator = ", "
        }
        out += line + "\n"
        for problem in problems { out += indent + "    ! \(problem)\n" }
    }
}
