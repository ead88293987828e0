import Foundation
import Testing
import Wire

/// Any bytes give a dissection whose layers and fields lie inside the frame; the fuzzer's frame target checks the same for longer.
@Suite struct DissectionRobustnessTests {
    private func check(_ bytes: [UInt8], originalSize: Int? = nil, _ comment: Comment) {
        let dissection = Dissection(bytes, originalSize: originalSize)
        #expect(!dissection.layers.isEmpty && !dissection.summary.isEmpty && !dissection.text.isEmpty, comment)
        #expect(dissection.layers.count <= Dissection.maximumLayers + 8, comment)
        for layer in dissection.layers {
            let range = layer.offset..<(layer.offset + max(0, layer.size))
            let isInside = layer.offset >= 0 && layer.size >= 0 && range.upperBound <= bytes.count
            #expect(isInside, comment)
            let fieldsInside = layer.fields.allSatisfy {
                $0.size > 0 && $0.offset >= range.lowerBound && $0.offset + $0.size <= range.upperBound
            }
            #expect(fieldsInside, "\(comment): \(layer)")
        }
    }

    @Test func everyTruncationOfEverySampleIsDissected() {
        for (name, bytes) in SampleFrames.all {
            for size in 0...bytes.count {
                check(Array(bytes[..<size]), "\(name) cut at \(size)")
                check(Array(bytes[..<size]), originalSize: bytes.count, "\(name) captured \(size)")
            }
        }
    }

    @Test func aTruncatedSampleSaysSo() {
        for (name, bytes) in SampleFrames.all {
            for size in 0..<bytes.count {
                let layers = Dissection(Array(bytes[..<size]), originalSize: bytes.count).layers
                #expect(layers.contains { $0.isTruncated && !$0.problems.isEmpty }, "\(name) cut at \(size)")
            }
        }
    }

    @Test func everyByteOfEverySampleMayHoldAnything() {
        for (name, bytes) in SampleFrames.all {
            for index in bytes.indices {
                for value: UInt8 in [0, 1, 4, 0x0f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xf0, 0xff] {
                    var changed = bytes
                    changed[index] = value
                    check(changed, "\(name) byte \(index) = \(value)")
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func randomBytesAreDissected(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let types: [[UInt8]] = [[8, 0], [0x86, 0xdd], [8, 6], [0x81, 0], [0x88, 0xa8], [0x88, 0x47]]
        for round in 0..<3000 {
            var bytes = (0..<Int.random(in: 0...160, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            if bytes.count > 14, Bool.random(using: &generator), let type = types.randomElement(using: &generator) {
                bytes.replaceSubrange(12..<14, with: type)
                if type == [8, 0] { bytes[14] = 0x45 }
                if type == [0x86, 0xdd] { bytes[14] = 0x60 | bytes[14] & 15 }
            }
            check(bytes, "seed \(seed), round \(round)")
        }
    }

    @Test func inputsThatOnceCrashedTheFuzzerAreDissected() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fuzz/Regressions/frame")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        for file in files { check(Array(try Data(contentsOf: file)), "\(file.lastPathComponent)") }
    }
}
