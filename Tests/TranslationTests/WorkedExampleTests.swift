import Flow
import LogicalNetwork
import TableEngine
import Testing
import Wire

@testable import Translation

/// The creation of a router in spec 001b §6.1–6.2, step by step as a person takes them (B121), with the very rows of its tables.
@Suite struct WorkedExampleTests {
    private static let tenant = "t"
    private static let base: [NetworkElement] = [
        .logicalSwitch(tenant: tenant, name: "LS1", .init(unknown: .drop, broadcast: .flood, multicast: .flood, defaultVerdict: .allow)),
        .logicalSwitch(tenant: tenant, name: "LS2", .init(unknown: .drop, broadcast: .flood, multicast: .flood, defaultVerdict: .allow)),
        .router(tenant: tenant, name: "LR", defaultVerdict: .allow),
    ]
    private static func routerPort(_ name: String, _ address: String, on s: String) -> NetworkElement {
        .routerPort(
            tenant: tenant, owner: "LR", RouterPort(name: name, addresses: [AddressPrefix(address)!], peer: .logicalSwitch(s)))
    }
    private static let rp1 = routerPort("RP1", "1.1.1.253/24", on: "LS1")
    private static let rp2 = routerPort("RP2", "1.1.2.253/24", on: "LS2")

    /// The document's MACs, which no real interface would take, made by the engine's function (B114).
    private let translation = NetworkTranslation { seed in
        0x0101_0101_0100 | (seed == InputTranslation.seed("t/LR/RP1") ? 1 : 2)
    }

    private func port(_ name: String) -> UInt64 { translation.input.ports.existing(name)! }
    private func datapath(_ name: String) -> UInt64 { translation.input.datapaths.existing("t/" + name)! }
    private var f: ForwardingTables { translation.forwarding }
    private var c: ControlTables { translation.control }
    private let net1 = UInt64(IPv4Address("1.1.1.0")!.bits), net2 = UInt64(IPv4Address("1.1.2.0")!.bits)
    private let ip1 = UInt64(IPv4Address("1.1.1.253")!.bits), ip2 = UInt64(IPv4Address("1.1.2.253")!.bits)
    private let mac1: UInt64 = 0x0101_0101_0101, mac2: UInt64 = 0x0101_0101_0102

    @Test func theTablesAndEntriesAreThoseOfTheDocument() {
        translation.change(remove: [], put: Self.base)
        #expect(f.routes.count == 0 && f.nextHops.count == 0 && f.linkEntries.count == 0)

        // Add RP1, and couple SP1 to it.
        translation.change(remove: [], put: [Self.rp1])
        let (ls1, ls2, lr) = (datapath("LS1"), datapath("LS2"), datapath("LR"))
        let (p1, s1) = (port("t/LR/RP1"), port("t/LS1/:LR/RP1"))
        #expect(c.portAddresses.sortedRows == [[lr, p1, 4, 0, ip1, 24]], "row 5601")
        #expect(Set(f.portMACs.sortedRows) == [[lr, p1, mac1], [ls1, s1, mac1]], "rows 5701 and 6001")
        let priority = 24 + NetworkRules.basePriority
        #expect(f.routes.sortedRows == [[lr, 4, 0, net1, 24, priority, 1]], "row 5702: RP1's subnet to NH1")
        #expect(f.nextHops.sortedRows == [[lr, 1, 4, 0, 0, p1, mac1]], "row 5801: NH1 is the packet's own destination, by RP1")
        #expect(Set(c.links.sortedRows) == [[ls1, s1, lr, p1], [lr, p1, ls1, s1]], "rows 5901 and 5902")

        // Add RP2, and couple SP2 to it.
        translation.change(remove: [], put: [Self.rp2])
        let (p2, s2) = (port("t/LR/RP2"), port("t/LS2/:LR/RP2"))
        #expect(Set(c.portAddresses.sortedRows) == [[lr, p1, 4, 0, ip1, 24], [lr, p2, 4, 0, ip2, 24]], "and row 6201")
        #expect(
            Set(f.portMACs.sortedRows) == [[lr, p1, mac1], [ls1, s1, mac1], [lr, p2, mac2], [ls2, s2, mac2]], "and rows 6202 and 6203")
        #expect(Set(f.routes.sortedRows) == [[lr, 4, 0, net1, 24, priority, 1], [lr, 4, 0, net2, 24, priority, 2]], "and row 6204")
        #expect(Set(f.nextHops.sortedRows) == [[lr, 1, 4, 0, 0, p1, mac1], [lr, 2, 4, 0, 0, p2, mac2]], "and row 6205")
        #expect(
            Set(c.links.sortedRows) == [[ls1, s1, lr, p1], [lr, p1, ls1, s1], [ls2, s2, lr, p2], [lr, p2, ls2, s2]], "and rows 6206 and 6207")

        // The eight flow entries of §6.2.
        #expect(Set(f.forwarding.sortedRows) == [[ls1, mac1, s1, 0], [ls2, mac2, s2, 0]], "rows 6101 and 6208: the MACs to SP1 and SP2")
        #expect(
            Set(f.linkEntries.sortedRows) == [
                [ls1, s1, lr, p1, 1], [lr, p1, ls1, s1, 0], [ls2, s2, lr, p2, 1], [lr, p2, ls2, s2, 0],
            ], "rows 6102, 6103, 6209, 6210: each port to the one it is coupled to")
        #expect(
            Set(f.unresolved.sortedRows) == [[lr, p1, 4, 0, ip1, 24], [lr, p2, 4, 0, ip2, 24]],
            "rows 6104 and 6211: addresses in 1.1.1.253/24 and 1.1.2.253/24 ask for their MAC")
    }

    @Test func theRowsBecomeTheseEntries() throws {
        translation.change(remove: [], put: Self.base + [Self.rp1, Self.rp2])
        let all = translation.universalEntries()
        func text(_ stage: Stage, _ kind: EntryKind) -> [String] {
            all.filter { $0.table == stage.rawValue && Cookie(value: $0.cookie).kind == kind }.map {
                var e = $0
                e.cookie = 0
                return FlowText.text(e)
            }.sorted()
        }
        let (ls1, ls2, lr) = (datapath("LS1"), datapath("LS2"), datapath("LR"))
        let (p1, s1, p2, s2) = (port("t/LR/RP1"), port("t/LS1/:LR/RP1"), port("t/LR/RP2"), port("t/LS2/:LR/RP2"))
        func hex(_ v: UInt64) -> String { "0x" + String(v, radix: 16) }
        #expect(
            text(.forwarding, .forwarding)
                == [
                    "table=14, priority=50,metadata=\(hex(ls1))/0xffffff,dl_dst=01:01:01:01:01:01 actions=load:\(hex(s1))->NXM_NX_REG1[],load:0x28->NXM_NX_REG2[16..23],resubmit(,15)",
                    "table=14, priority=50,metadata=\(hex(ls2))/0xffffff,dl_dst=01:01:01:01:01:02 actions=load:\(hex(s2))->NXM_NX_REG1[],load:0x28->NXM_NX_REG2[16..23],resubmit(,15)",
                ].sorted())
        func link(_ from: UInt64, _ to: UInt64, _ datapath: UInt64, table: Int) -> String {
            "table=40, priority=50,reg1=\(hex(from)) actions=load:\(hex(datapath))->OXM_OF_METADATA[0..23],load:\(hex(to))->NXM_NX_REG0[],"
                + "load:0->OXM_OF_IN_PORT[],resubmit(,\(table))"
        }
        #expect(
            text(.egressMapping, .link)
                == [
                    link(s1, p1, lr, table: 20), link(s2, p2, lr, table: 20), link(p1, s1, ls1, table: 11), link(p2, s2, ls2, table: 11),
                ].sorted())
        #expect(
            text(.routing, .route) == [
                "table=25, priority=124,ip,metadata=\(hex(lr))/0xffffff,nw_dst=1.1.1.0/24 actions=load:0x1->NXM_NX_REG3[],resubmit(,26)",
                "table=25, priority=124,ip,metadata=\(hex(lr))/0xffffff,nw_dst=1.1.2.0/24 actions=load:0x2->NXM_NX_REG3[],resubmit(,26)",
            ])
        #expect(
            text(.resolution, .unresolved)
                == [
                    "table=29, priority=50,ip,reg1=\(hex(p1)),reg7=0x1010100/0xffffff00 actions=drop",
                    "table=29, priority=50,ip,reg1=\(hex(p2)),reg7=0x1010200/0xffffff00 actions=drop",
                ].sorted())
    }

    @Test func takingTheStepsBackLeavesNothing() {
        translation.change(remove: [], put: Self.base)
        func rows() -> [String: [[UInt64]]] { Dictionary(uniqueKeysWithValues: translation.engine.relations.map { ($0.name, $0.sortedRows) }) }
        let before = rows()
        translation.change(remove: [], put: [Self.rp1])
        let between = rows()
        translation.change(remove: [], put: [Self.rp2])
        translation.change(remove: [Self.rp2], put: [])
        #expect(rows() == between)
        translation.change(remove: [Self.rp1], put: [])
        #expect(rows() == before)
    }

    @Test func aMadeMACIsALocallyAdministeredUnicastAddress() {
        for seed in 0..<1000 as Range<UInt64> {
            let mac = NetworkTranslation.makeMAC(seed &* 0x9E37_79B9_7F4A_7C15)
            #expect(mac >> 40 & 3 == 2 && mac >> 48 == 0)
        }
        #expect(Set((0..<1000).map { NetworkTranslation.makeMAC(InputTranslation.seed("t/r/p\($0)")) }).count == 1000)
    }
}
