import Flow
import Ports
import SwitchAgent
import Testing

@Suite struct VirtualSwitchTests {
    @Test func aSwitchStartsAndStops() throws {
        let s = try VirtualSwitch()
        s.start()
        let report = s.report()
        #expect(report.received == 0 && report.ended == 0 && report.workers.count == 1)
        s.stop()
    }
}
