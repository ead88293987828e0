import Foundation
import Testing

@Suite struct BenchCommandTests {
    private let folder = TemporaryFolder()

    private func bench(_ arguments: [String]) throws -> [String: Any] {
        let run = try WeftProgram.run(["bench"] + arguments + ["--json"], in: folder)
        #expect(run.code == 0, "\(run.errors)")
        return try run.object()
    }

    @Test func thePipelineForwardsEveryPacketFromTheCache() throws {
        let result = try bench(["pipe6", "--flows-count", "100", "--duration", "0.05"])
        #expect(result["mpps"] as? Double ?? 0 > 0)
        #expect(result["droppedPackets"] as? Int == 0)
        #expect(result["cacheHitRate"] as? Double ?? 0 > 0.9)
    }

    @Test func aColdAccessListFindsLittleInTheCacheAndDropsSome() throws {
        let result = try bench(["acl", "--rules", "1000", "--cold", "--duration", "0.01"])
        #expect(result["cacheHitRate"] as? Double ?? 1 < 0.5)
        let (packets, dropped) = (result["packets"] as? Int ?? 0, result["droppedPackets"] as? Int ?? 0)
        #expect(dropped > 0 && dropped < packets * 4 / 5)
    }

    @Test func loadingTellsRateAndMemoryAndForwardsItsFirstPacket() throws {
        let result = try bench(["load", "--entries", "5000"])
        #expect(result["entries"] as? Int == 5000)
        #expect(result["entriesPerSecond"] as? Double ?? 0 > 0)
        #expect(result["bytesPerEntry"] as? Double ?? 0 > 0)
        #expect(result["bytesPerEntryOfTables"] as? Double ?? 0 > 0)
        #expect(result["firstPacketMatched"] as? Bool == true)
    }

    @Test func aFlowFileCanBeLoaded() throws {
        let file = folder.file("f", "in_port=1,ip,nw_src=10.0.0.1,actions=output:2\nin_port=1,arp,actions=output:3\n")
        #expect(try bench(["load", "--flows", file])["entries"] as? Int == 2)
    }

    @Test func churnReportsBothRatesAndTheChangesItMade() throws {
        let result = try bench(["churn", "--duration", "1"])
        #expect(result["mpps"] as? Double ?? 0 > 0)
        #expect(result["mppsWithoutChanges"] as? Double ?? 0 > 0)
        #expect(result["changesPerSecond"] as? Double ?? 0 > 0)
        #expect((263...264).contains(result["entries"] as? Int ?? 0), "changes replace entries")
    }

    @Test func aNetworkIsComputedAndChanged() throws {
        let result = try bench(["network", "--tenants", "2", "--ports", "10"])
        #expect(result["ports"] as? Int == 40 && result["rows"] as? Int ?? 0 > 500)
        #expect(result["fullMilliseconds"] as? Double ?? 0 > 0 && result["onePortMilliseconds"] as? Double ?? 0 > 0)
        #expect(result["onePortModifications"] as? Int ?? 0 > 100)
    }

    @Test(arguments: [
        (["pipe6", "--flows-count", "0"], "--flows-count 0"), (["acl", "--rules=-3"], "-3"), (["nothing"], "nothing"),
        (["load", "--flows", "/none"], "/none"), (["network", "--tenants", "0"], "--tenants 0"),
    ])
    func aBadArgumentIsNamedInTheMessage(_ arguments: [String], _ word: String) throws {
        let run = try WeftProgram.run(["bench"] + arguments, in: folder)
        #expect(run.code != 0)
        #expect(run.errors.contains(word), "\(run.errors)")
    }
}
