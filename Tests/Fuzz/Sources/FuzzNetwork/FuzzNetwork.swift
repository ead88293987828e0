import LogicalNetwork
import NetworkFile
import Translation

/// One input is a network file.
///
/// Besides not trapping: a file is refused with faults inside it or read as a whole; what was read can be computed, and taking it all away again leaves nothing
/// on any host.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNetwork(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    let bytes = UnsafeRawBufferPointer(start: start, count: size)
    // Carriage returns and the separators of Unicode end lines too (YAML 1.1 §5.4).
    let lineLimit = size + 1
    let network: NetworkDescription
    do throws(NetworkFaults) {
        network = try NetworkFile.parse(String(decoding: bytes, as: UTF8.self))
    } catch {
        precondition(!error.faults.isEmpty)
        for fault in error.faults { precondition(fault.place.line <= lineLimit, "\(fault) is outside the file") }
        return 0
    }
    let translation = NetworkTranslation()
    let empty = translation.engine.relations.map(\.count)
    translation.apply(network)
    _ = translation.takeChanges()
    for host in translation.hostNames { _ = translation.program(host: host) }
    translation.apply(NetworkDescription())
    _ = translation.takeChanges()
    precondition(translation.engine.relations.map(\.count) == empty, "something is left of a network that is gone")
    return 0
}
