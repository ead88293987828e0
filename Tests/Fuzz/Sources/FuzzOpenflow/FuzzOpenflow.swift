import Flow
import OpenFlow

/// One input is a message: its first byte chooses the version, the rest stands behind a header whose length fits.
///
/// Besides not trapping: a refusal quotes the message, and a message that is read is written again, as text and as bytes that are read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOpenflow(_ start: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // Safe: libFuzzer hands `size` readable bytes that live until this function returns.
    let input = Array(UnsafeBufferPointer(start: start, count: size))
    guard input.count >= MessageHeader.size, input.count <= 0xffff else { return 0 }
    let version = OpenFlowVersion.allCases[Int(input[0]) % 3]
    var bytes = input
    bytes[0] = version.rawValue
    bytes[2] = UInt8(bytes.count >> 8)
    bytes[3] = UInt8(bytes.count & 0xff)
    var decoder = MessageDecoder(version)
    do throws(OpenFlowError) {
        let message = try decoder.decode(bytes)
        _ = message.description
        guard let again = try? MessageEncoder(version).encode(message) else { return 0 }
        var framer = MessageFramer()
        framer.append(again)
        guard case .message(let first) = framer.next() else { preconditionFailure("the encoder wrote no message") }
        precondition((try? decoder.decode(first)) != nil, "\(message) is written as bytes that are refused")
    } catch {
        precondition(error.data == Array(bytes.prefix(OpenFlowError.quotedBytes)) && !error.reason.isEmpty)
    }
    var framer = MessageFramer()
    framer.append(input)
    while case .message = framer.next() {}
    return 0
}
