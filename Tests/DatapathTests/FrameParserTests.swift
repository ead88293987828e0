import Flow
import ReferenceSwitch
import Testing

@testable import Datapath

@Suite struct FrameParserTests {
    private func parse(_ bytes: [UInt8], common: Bool) -> (key: [UInt64], layout: [UInt16])? {
        let padded = bytes + [UInt8](repeating: 0, count: 64)
        var key = [UInt64](repeating: 0, count: 16)
        var layout = FrameLayout()
        let isParsed = padded.withUnsafeBytes { p in
            key.withUnsafeMutableBufferPointer { k in
                common
                    ? bytes.count >= FrameParser.shortcutLength
                        && FrameParser.parseCommon(p.baseAddress!, length: bytes.count, inPort: 7, key: k.baseAddress!, layout: &layout)
                    : FrameParser(vlanTags: 2).parse(p.baseAddress!, length: bytes.count, inPort: 7, key: k.baseAddress!, layout: &layout)
            }
        }
        return isParsed ? (key, [layout.mpls, layout.network, layout.transport, layout.padding]) : nil
    }

    /// The short cut may give up, but never see anything else than the parser does.
    @Test func theShortCutAgreesWithTheParser() {
        var shortCuts = 0
        for seed in 1...60 {
            for case .batch(let batch) in RandomCase(seed: UInt64(seed)).events {
                for packet in batch {
                    guard let quick = parse(packet.bytes, common: true) else { continue }
                    shortCuts += 1
                    let full = parse(packet.bytes, common: false)
                    #expect(full?.key == quick.key, "\(packet.bytes)")
                    #expect(full?.layout == quick.layout, "\(packet.bytes)")
                }
            }
        }
        #expect(shortCuts > 100)
    }

    @Test func everyTruncationParsesOrIsRefused() {
        for seed in 1...5 {
            for case .batch(let batch) in RandomCase(seed: UInt64(seed)).events {
                for packet in batch {
                    for n in 0...packet.bytes.count {
                        let cut = Array(packet.bytes.prefix(n))
                        #expect((parse(cut, common: false) != nil) == (n >= 14))
                    }
                }
            }
        }
    }
}
