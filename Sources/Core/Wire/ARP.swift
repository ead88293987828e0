/// ARP for IPv4 over Ethernet (RFC 826). Other hardware or protocol types have another layout: `isIPv4OverEthernet` tells.
public enum ARP {
    public static let headerSize = 28
    /// The part whose layout does not depend on the address sizes.
    public static let fixedSize = 8

    public enum Offset {
        public static let hardwareType = 0
        public static let protocolType = 2
        public static let hardwareSize = 4
        public static let protocolSize = 5
        public static let operation = 6
        public static let senderHardware = 8
        public static let senderProtocol = 14
        public static let targetHardware = 18
        public static let targetProtocol = 24
    }

    public enum Operation {
        public static let request: UInt16 = 1
        public static let reply: UInt16 = 2
        public static let reverseRequest: UInt16 = 3
        public static let reverseReply: UInt16 = 4

        /// The operation in words, nil for an unassigned number.
        public static func name(_ operation: UInt16) -> String? {
            switch operation {
            case request: "request"
            case reply: "reply"
            case reverseRequest: "reverse request"
            case reverseReply: "reverse reply"
            default: nil
            }
        }
    }

    /// A checked look at 28 bytes. The address accessors mean something only when `isIPv4OverEthernet`.
    public struct View: ~Escapable {
        public let bytes: RawSpan

        @inlinable @_lifetime(copy bytes)
        public init(_ bytes: RawSpan) throws(WireError) {
            guard bytes.byteCount >= headerSize else { throw .truncated(.arp, needed: headerSize, available: bytes.byteCount) }
            self.bytes = bytes
        }

        @inlinable public var hardwareType: UInt16 { bytes.u16(at: Offset.hardwareType) }
        @inlinable public var protocolType: UInt16 { bytes.u16(at: Offset.protocolType) }
        @inlinable public var hardwareSize: UInt8 { bytes.u8(at: Offset.hardwareSize) }
        @inlinable public var protocolSize: UInt8 { bytes.u8(at: Offset.protocolSize) }
        @inlinable public var operation: UInt16 { bytes.u16(at: Offset.operation) }
        @inlinable public var senderHardware: MACAddress { bytes.mac(at: Offset.senderHardware) }
        @inlinable public var senderProtocol: IPv4Address { bytes.ipv4(at: Offset.senderProtocol) }
        @inlinable public var targetHardware: MACAddress { bytes.mac(at: Offset.targetHardware) }
        @inlinable public var targetProtocol: IPv4Address { bytes.ipv4(at: Offset.targetProtocol) }
        /// The four fields that announce this layout hold its values.
        @inlinable public var isIPv4OverEthernet: Bool {
            hardwareType == 1 && protocolType == EtherType.ipv4 && hardwareSize == 6 && protocolSize == 4
        }
    }

    /// The message as a value.
    public struct Header: WireValue {
        public var hardwareType: UInt16
        public var protocolType: UInt16
        public var hardwareSize: UInt8
        public var protocolSize: UInt8
        public var operation: UInt16
        public var senderHardware: MACAddress
        public var senderProtocol: IPv4Address
        public var targetHardware: MACAddress
        public var targetProtocol: IPv4Address

        public init(
            operation: UInt16, senderHardware: MACAddress, senderProtocol: IPv4Address, targetHardware: MACAddress,
            targetProtocol: IPv4Address
        ) {
            hardwareType = 1
            protocolType = EtherType.ipv4
            hardwareSize = 6
            protocolSize = 4
            self.operation = operation
            self.senderHardware = senderHardware
            self.senderProtocol = senderProtocol
            self.targetHardware = targetHardware
            self.targetProtocol = targetProtocol
        }

        public init(parsing bytes: RawSpan) throws(WireError) {
            let view = try View(bytes)
            self.init(
                operation: view.operation, senderHardware: view.senderHardware, senderProtocol: view.senderProtocol,
                targetHardware: view.targetHardware, targetProtocol: view.targetProtocol)
            hardwareType = view.hardwareType
            protocolType = view.protocolType
            hardwareSize = view.hardwareSize
            protocolSize = view.protocolSize
        }

        public var size: Int { headerSize }

        public func emit(into out: inout MutableRawSpan) {
            out.set16(hardwareType, at: Offset.hardwareType)
            out.set16(protocolType, at: Offset.protocolType)
            out.set8(hardwareSize, at: Offset.hardwareSize)
            out.set8(protocolSize, at: Offset.protocolSize)
            out.set16(operation, at: Offset.operation)
            out.set(senderHardware, at: Offset.senderHardware)
            out.set(senderProtocol, at: Offset.senderProtocol)
            out.set(targetHardware, at: Offset.targetHardware)
            out.set(targetProtocol, at: Offset.targetProtocol)
        }
    }
}
