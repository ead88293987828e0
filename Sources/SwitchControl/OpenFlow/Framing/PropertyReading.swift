/// Reading properties: type, length and body, padded to eight bytes (OpenFlow 1.5.1 §7.2.1.2).
extension WireReader {
    /// Narrows the reader to the body of the next property. The length leaves out the padding.
    mutating func enterProperty(minimum: Int = 4) throws(OpenFlowError) -> (type: UInt16, outer: (end: Int, padding: Int)) {
        let type = u16()
        let length = Int(u16())
        if isShort || length < minimum || length - 4 > remaining {
            throw OpenFlowError(.badPropertyLength, "A property of \(length) bytes does not fit into its list.")
        }
        let outer = enter(length - 4)
        return (type, (outer, -length & 7))
    }

    mutating func leaveProperty(_ outer: (end: Int, padding: Int)) throws(OpenFlowError) {
        if isShort { throw OpenFlowError(.badPropertyLength, "A property is cut short.") }
        leave(outer.end)
        if outer.padding > remaining { throw OpenFlowError(.badPropertyLength, "The padding of a property is cut short.") }
        skip(outer.padding)
    }
}
