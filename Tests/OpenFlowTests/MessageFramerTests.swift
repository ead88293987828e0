import Testing

@testable import OpenFlow

@Suite struct MessageFramerTests {
    private let echo: [UInt8] = [4, 2, 0, 12, 0, 0, 0, 1, 1, 2, 3, 4]
    private let barrier: [UInt8] = [4, 20, 0, 8, 0, 0, 0, 2]

    @Test func everySplitOfTheStreamGivesTheSameMessages() {
        let stream = echo + barrier + echo
        for cut in 0...stream.count {
            var framer = MessageFramer()
            var seen: [[UInt8]] = []
            for part in [stream[..<cut], stream[cut...]] {
                framer.append(part)
                while case .message(let m) = framer.next() { seen.append(m) }
            }
            #expect(seen == [echo, barrier, echo], "cut at \(cut)")
            #expect(framer.pendingBytes == 0)
        }
    }

    @Test func bytesOneByOneGiveTheSameMessages() {
        var framer = MessageFramer()
        var seen: [[UInt8]] = []
        for b in echo + barrier {
            framer.append([b])
            while case .message(let m) = framer.next() { seen.append(m) }
        }
        #expect(seen == [echo, barrier])
    }

    @Test func aLengthBelowTheHeaderBreaksTheStreamForGood() {
        var framer = MessageFramer()
        framer.append([4, 0, 0, 7, 0, 0, 0, 0])
        #expect(framer.next() == .broken(length: 7))
        framer.append(barrier)
        #expect(framer.next() == .broken(length: 7))
        #expect(framer.pendingBytes == 0)
    }
}
