/// Rows as columns of text.
enum TextColumns {
    /// Two spaces in, two between; numeric columns are flush right.
    static func aligned(_ rows: [[String]], numeric: Set<Int>) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { c in rows.map { c < $0.count ? $0[c].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = "  "
            for (c, cell) in row.enumerated() {
                let pad = String(repeating: " ", count: widths[c] - cell.count)
                line += (numeric.contains(c) ? pad + cell : cell + pad) + "  "
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
