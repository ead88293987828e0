/// Numbers of message types (OpenFlow 1.5.1 §7.1.1).
enum MessageType {
    static let hello: UInt8 = 0
    static let error: UInt8 = 1
    static let echoRequest: UInt8 = 2
    static let echoReply: UInt8 = 3
    static let experimenter: UInt8 = 4
    static let featuresRequest: UInt8 = 5
    static let featuresReply: UInt8 = 6
    static let getConfigRequest: UInt8 = 7
    static let getConfigReply: UInt8 = 8
    static let setConfig: UInt8 = 9
    static let packetIn: UInt8 = 10
    static let flowRemoved: UInt8 = 11
    static let portStatus: UInt8 = 12
    static let packetOut: UInt8 = 13
    static let flowMod: UInt8 = 14
    static let groupMod: UInt8 = 15
    static let portMod: UInt8 = 16
    static let tableMod: UInt8 = 17
    static let multipartRequest: UInt8 = 18
    static let multipartReply: UInt8 = 19
    static let barrierRequest: UInt8 = 20
    static let barrierReply: UInt8 = 21
    /// 1.3 only, as the next.
    static let queueConfigRequest: UInt8 = 22
    static let queueConfigReply: UInt8 = 23
    static let roleRequest: UInt8 = 24
    static let roleReply: UInt8 = 25
    static let getAsyncRequest: UInt8 = 26
    static let getAsyncReply: UInt8 = 27
    static let setAsync: UInt8 = 28
    static let meterMod: UInt8 = 29
    /// From 1.4 on, as the following.
    static let roleStatus: UInt8 = 30
    static let tableStatus: UInt8 = 31
    static let requestForward: UInt8 = 32
    static let bundleControl: UInt8 = 33
    static let bundleAdd: UInt8 = 34
}
