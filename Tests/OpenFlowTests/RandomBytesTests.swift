import Flow
import Foundation
import Testing

@testable import OpenFlow

/// Random and mutated messages: nothing traps, and what is read is written and read again as the same value.
@Suite struct RandomBytesTests {
    /// A generator whose sequence depends on its seed alone.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
            return z ^ z >> 31
        }
    }

    private func seed() -> UInt64 {
        let seed = UInt64.random(in: 0...0xffff_ffff)
        print("OpenFlow RandomBytesTests: seed \(seed)")
        return seed
    }

    private func setLength(_ bytes: inout [UInt8]) {
        bytes[2] = UInt8(truncatingIfNeeded: bytes.count >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: bytes.count)
    }

    @Test(arguments: OpenFlowVersion.allCases)
    func randomBodiesAreReadOrRefused(version: OpenFlowVersion) {
        var g = Generator(state: seed())
        var decoder = MessageDecoder(version)
        for _ in 0..<20_000 {
            var bytes = [version.rawValue, UInt8.random(in: 0...36, using: &g), 0, 0, 0, 0, 0, 1]
            for _ in 0..<Int.random(in: 0...120, using: &g) {
                // Small numbers make lengths and types that are nearly right.
                bytes.append(Bool.random(using: &g) ? 0 : UInt8.random(in: 0...(Bool.random(using: &g) ? 255 : 32), using: &g))
            }
            setLength(&bytes)
            _ = try? decoder.decode(bytes)
        }
    }

    @Test(arguments: OpenFlowVersion.allCases)
    func mutatedMessagesAreReadOrRefusedAndWhatIsReadIsWrittenBack(version: OpenFlowVersion) throws {
        var g = Generator(state: seed())
        var decoder = MessageDecoder(version)
        let encoder = MessageEncoder(version)
        var samples = try MessageSamples.all(version).map { try encoder.encode($0, xid: 0x2a) }
        for line in FlowLines.all { samples.append(try encoder.encode(.flowMod(FlowMod(.add, MessageSamples.entry(line))), xid: 0x2a)) }
        var read = 0
        for _ in 0..<20_000 {
            var bytes = samples.randomElement(using: &g)!
            for _ in 0..<Int.random(in: 1...3, using: &g) {
                let i = Int.random(in: MessageHeader.size...max(MessageHeader.size, bytes.count - 1), using: &g)
                switch Int.random(in: 0..<4, using: &g) {
                case 0 where i < bytes.count: bytes[i] = UInt8.random(in: 0...255, using: &g)
                case 1 where i < bytes.count: bytes[i] ^= 1 << UInt8.random(in: 0..<8, using: &g)
                case 2 where i < bytes.count: bytes.removeSubrange(i..<min(bytes.count, i + Int.random(in: 1...8, using: &g)))
                default: bytes.insert(contentsOf: Array(repeating: UInt8.random(in: 0...255, using: &g), count: 4), at: min(i, bytes.count))
                }
            }
            setLength(&bytes)
            guard let m = try? decoder.decode(bytes) else { continue }
            read += 1
            _ = m.description
            // A value that was read is sayable, and the second reading is the first.
            guard let again = try? encoder.encode(m) else { continue }
            var framer = MessageFramer()
            framer.append(again)
            guard case .message(let first) = framer.next() else { continue }
            let back = try? decoder.decode(first)
            #expect(back != nil, "\(m) is written as \(first), which is refused")
        }
        #expect(read > 1000)
    }

    @Test func inputsThatOnceStoppedTheFuzzerAreReadAndWritten() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fuzz/Regressions/openflow")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            var bytes = try [UInt8](Data(contentsOf: file))
            let version = OpenFlowVersion.allCases[Int(bytes[0]) % 3]
            bytes[0] = version.rawValue
            setLength(&bytes)
            var decoder = MessageDecoder(version)
            let m = try decoder.decode(bytes)
            let again = try decoder.decode(try MessageEncoder(version).encode(m))
            #expect(again == m, "\(file.lastPathComponent)")
        }
    }
}
