import LogicalNetwork

/// Why the interface refuses.
public enum InterfaceError: Error, Sendable {
    case malformed(String)
    case notFound([String])
    /// A precondition does not hold; the tag as it is.
    case changed(String?)
    case invalid([NetworkFault])
    /// Who leads, when it is known.
    case notMaster(String?)
    case store(String)
    case mediaType(String)
    case tooLarge(Int)
}
