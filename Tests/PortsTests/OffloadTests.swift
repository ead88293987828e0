import Glibc
import Testing
import Wire

@testable import Ports

/// Checksums and segments made in software, against frames made from the beginning by `TransportFrame`.
@Suite struct OffloadTests {
    @Test func `A large frame is cut into the frames that its sender would have made`() {
        let seed = UInt64.random(in: 0...(.max))
        print("segmenter: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let segmenter = Segmenter()
        for round in 0..<300 {
            let size = Int.random(in: 1...(round % 10 == 0 ? 60_000 : 5000), using: &generator)
            let frame = TransportFrame.random(&generator, payload: size)
            let segmentSize = Int.random(in: max(1, size / 40)...1500, using: &generator)
            let owned = OwnedFrame(frame.bytes(isPartial: true), offload: frame.offload(segmentSize: segmentSize))
            var parts: [[UInt8]] = []
            let isCut = segmenter.cut(owned.frame.pointee) { parts.append(Array(UnsafeRawBufferPointer(start: $0, count: $1))) }
            let isSame = parts == frame.parts(segmentSize: segmentSize)
            #expect(isCut && isSame, "seed \(seed), round \(round)")
        }
    }

    @Test func `A checksum is finished in place`() {
        let seed = UInt64.random(in: 0...(.max))
        print("checksum: seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        for round in 0..<300 {
            let frame = TransportFrame.random(&generator, payload: Int.random(in: 0...3000, using: &generator))
            let owned = OwnedFrame(frame.bytes(isPartial: true), offload: frame.offload())
            #expect(ChecksumFinisher.finish(owned.frame))
            let isSame = owned.bytes == frame.bytes()
            #expect(isSame, "seed \(seed), round \(round)")
            #expect(owned.frame.pointee.offload.isNone)
        }
    }

    @Test func `A UDP checksum of zero is sent as ffff`() {
        var frame = TransportFrame(isTCP: false, payload: [0, 0])
        // The payload that brings the sum to ffff.
        let checksum = UInt16(bigEndianBytes: frame.bytes()[(frame.transport + 6)...])
        frame.payload = [UInt8(checksum >> 8), UInt8(checksum & 255)]
        let owned = OwnedFrame(frame.bytes(isPartial: true), offload: frame.offload())
        #expect(ChecksumFinisher.finish(owned.frame))
        #expect(Array(owned.bytes[(frame.transport + 6)..<(frame.transport + 8)]) == [0xff, 0xff])
    }

    @Test func `An SCTP checksum is finished as CRC32c`() {
        var bytes = [UInt8](repeating: 0, count: 34) + [0x1e, 0x61, 0x1e, 0x62, 0, 0, 0, 1, 9, 9, 9, 9] + Array("123456789".utf8)
        let owned = OwnedFrame(bytes, offload: Offload(flags: .needsChecksum, checksumStart: 34, checksumOffset: 8))
        #expect(ChecksumFinisher.finish(owned.frame))
        bytes.replaceSubrange(42..<46, with: [0, 0, 0, 0])
        let crc = bytes[34...].withUnsafeBytes { CRC32c.of($0.bytes) }
        #expect(Array(owned.bytes[42..<46]) == withUnsafeBytes(of: crc.littleEndian) { Array($0) })
        #expect(Array(owned.bytes[46...]) == Array("123456789".utf8))
    }

    @Test func `Frames that do not fit are shortened, cut or refused`() {
        func fit(_ frame: TransportFrame, _ offload: Offload, mtu: Int = 1500) -> (OutputFit, Offload) {
            let owned = OwnedFrame(frame.bytes(isPartial: offload.needsChecksum), offload: offload)
            let fit = OutputFit.of(owned.frame, mtu: mtu, capabilities: [.checksum, .tcpSegmentation])
            return (fit, owned.frame.pointee.offload)
        }
        let tcp = TransportFrame(options: 12, payload: Array(repeating: 1, count: 4000))
        let udp = TransportFrame(isTCP: false, payload: Array(repeating: 1, count: 4000))
        if case (.whole, let offload) = fit(tcp, tcp.offload(segmentSize: 1448)) { #expect(offload.segmentSize == 1448) } else { Issue.record() }
        if case (.whole, let offload) = fit(tcp, tcp.offload(segmentSize: 3000)) { #expect(offload.segmentSize == 1448) } else { Issue.record() }
        // Not marked as large, but its checksum is left to the device: one that came by a device with a larger MTU.
        if case (.whole, let offload) = fit(tcp, tcp.offload()) {
            #expect(offload.kind == .tcpIPv4 && offload.segmentSize == 1448 && offload.checksumStart == 34)
        } else {
            Issue.record()
        }
        if case (.refused(.exceedsMTU), _) = fit(tcp, .none) {} else { Issue.record() }
        if case (.cut, _) = fit(udp, udp.offload(segmentSize: 1472)) {} else { Issue.record() }
        if case (.refused(.exceedsMTU), _) = fit(udp, udp.offload(segmentSize: 1473)) {} else { Issue.record() }
        if case (.refused(.exceedsMTU), _) = fit(udp, udp.offload()) {} else { Issue.record() }
        var tagged = TransportFrame(tags: [0x8100_0005], isTCP: false, payload: Array(repeating: 1, count: 1472))
        if case (.whole, _) = fit(tagged, .none) {} else { Issue.record() }
        tagged.payload.append(1)
        if case (.refused(.exceedsMTU), _) = fit(tagged, .none) {} else { Issue.record() }
    }

    @Test func `A virtio header that contradicts its frame is refused`() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 8)
        defer { memory.deallocate() }
        func read(_ header: [UInt8], length: Int) -> Offload? {
            (memory + 64 - header.count).copyMemory(from: header, byteCount: header.count)
            return VirtioHeader.read(before: memory + 64, length: length)
        }
        #expect(read([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], length: 60) == Offload.none)
        #expect(read([1, 0, 0, 0, 0, 0, 34, 0, 16, 0], length: 60)?.checksumStart == 34)
        #expect(read([1, 0, 0, 0, 0, 0, 34, 0, 16, 0], length: 52)?.checksumOffset == 16)
        #expect(read([1, 0, 0, 0, 0, 0, 34, 0, 16, 0], length: 51) == nil)
        #expect(read([1, 0, 0, 0, 0, 0, 255, 255, 255, 255], length: 60) == nil)
        #expect(read([1, 1, 0, 0, 100, 0, 34, 0, 16, 0], length: 60)?.kind == .tcpIPv4)
        #expect(read([1, 1, 0, 0, 0, 0, 34, 0, 16, 0], length: 60) == nil)
        #expect(read([1, 2, 0, 0, 100, 0, 34, 0, 16, 0], length: 60) == nil)
        #expect(read([2, 0, 0, 0, 0, 0, 99, 0, 99, 0], length: 60)?.isNone == true)
    }

    @Test func `Headers are found in no frame that is too short for them`() {
        let frame = TransportFrame(tags: [0x8100_0001], isIPv6: true, options: 8, extensionWords: 1, payload: [1, 2, 3])
        let bytes = frame.bytes()
        for length in 0...bytes.count {
            let owned = OwnedFrame(Array(bytes[..<length]))
            let headers = FrameHeaders(owned.frame.pointee.data, length: length)
            #expect((headers != nil) == (length >= frame.headerSize), "\(length)")
        }
    }

    @Test func `The sum of a long range equals the plain one`() {
        var generator = SeededGenerator(seed: 1)
        let bytes = (0..<4200).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes.withUnsafeBytes { buffer in
            for count in Array(0...200) + [1448, 1449, 4096, 4099] {
                let start = count % 7
                let sum = InternetSum.folded(buffer.baseAddress! + start, count: count)
                let plain = ~TransportFrame.checksum(Array(bytes[start..<(start + count)]))
                #expect(sum.bigEndian == plain || (sum == 0xffff && plain == 0) || (sum == 0 && plain == 0xffff), "\(count)")
            }
        }
    }
}

extension UInt16 {
    init(bigEndianBytes bytes: ArraySlice<UInt8>) { self = UInt16(bytes[bytes.startIndex]) << 8 | UInt16(bytes[bytes.startIndex + 1]) }
}
