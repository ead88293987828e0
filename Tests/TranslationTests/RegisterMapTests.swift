import Flow
import Foundation
import Testing

@testable import Translation

@Suite struct RegisterMapTests {
    /// The bits of the flow key that a subfield covers.
    static func bits(_ s: Subfield) -> Set<Int> {
        let info = s.field.info
        return Set(
            (s.offset..<(s.offset + s.count)).map { bit in
                bit < 64 ? info.lowWord * 64 + info.shift + bit : info.word * 64 + bit - 64
            })
    }

    @Test func noTwoPlacesOfTheRegisterMapOverlap() {
        for (i, a) in RegisterMap.all.enumerated() {
            for b in RegisterMap.all[(i + 1)...] { #expect(Self.bits(a.bits).isDisjoint(with: Self.bits(b.bits)), "\(a.name) and \(b.name)") }
        }
        for (i, a) in CarriedContext.all.enumerated() {
            for b in CarriedContext.all[(i + 1)...] { #expect(Self.bits(a).isDisjoint(with: Self.bits(b))) }
        }
    }

    @Test func thePlacesOfLaterPartsAreKept() {
        #expect(RegisterMap.all.map(\.name).contains("slice") && RegisterMap.all.map(\.name).contains("service port"))
        #expect(RegisterMap.template.bits.count == 128 && RegisterMap.marks.bits.count >= 8)
        #expect(Self.bits(RegisterMap.nextHopIPv4).isSubset(of: Self.bits(RegisterMap.nextHopAddress.bits)))
    }

    @Test func identifiersFitTheirPlaces() {
        #expect(RegisterMap.identifierLimit < RegisterMap.datapath.largest && RegisterMap.identifierLimit < 1 << CarriedContext.ingressPort.count)
        #expect(RegisterMap.flood(of: RegisterMap.identifierLimit) < 1 << CarriedContext.egressPort.count)
        #expect(
            CarriedContext.marks.count == RegisterMap.marks.bits.count && CarriedContext.stage.count == RegisterMap.stage.bits.count
                && CarriedContext.check.count == RegisterMap.check.bits.count)
    }

    @Test func aStageGoesOnToAStageThatExists() throws {
        let net = try NetworkUnderTest.example()
        let stages = Set(Stage.allCases.map(\.rawValue))
        for host in net.translation.hostNames {
            for entry in try #require(net.translation.program(host: host)).entries {
                #expect(stages.contains(entry.table))
                for case .resubmit(_, let table?) in entry.actions { #expect(stages.contains(table)) }
            }
        }
    }

    @Test func thePageOfStagesSaysWhatTheStagesAre() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("Docs/LogicalPipeline.md"), encoding: .utf8)
        let rows = page.split(separator: "\n").compactMap { line -> (UInt8, String)? in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return cells.count > 2 ? UInt8(cells[0]).map { ($0, cells[1]) } : nil
        }
        #expect(rows.map(\.0) == Stage.allCases.map(\.rawValue).sorted())
        for (table, title) in rows { #expect(Stage(rawValue: table)?.title == title) }
    }
}
