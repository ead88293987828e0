import Datapath
import Flow
import Foundation
import ReferenceSwitch

// reference-replay replay --flows FILE --in PORT=PCAP … --out PORT=PCAP …: `weft replay` by the naive switch.
// reference-replay random --seed N --flows FILE --captures PREFIX: writes a random case as files.

func portNumber(_ s: Substring) -> UInt32 { s.uppercased() == "LOCAL" ? ReservedPort.local : UInt32(s)! }

func readCapture(_ path: String) -> [(UInt64, [UInt8])] {
    let d = [UInt8](try! Data(contentsOf: URL(fileURLWithPath: path)))
    func le(_ at: Int) -> UInt32 { UInt32(d[at]) | UInt32(d[at + 1]) << 8 | UInt32(d[at + 2]) << 16 | UInt32(d[at + 3]) << 24 }
    let nano = le(0) == 0xa1b2_3c4d
    precondition(nano || le(0) == 0xa1b2_c3d4)
    var out: [(UInt64, [UInt8])] = []
    var at = 24
    while at + 16 <= d.count {
        let n = Int(le(at + 8))
        if at + 16 + n > d.count { break }
        out.append((UInt64(le(at)) * 1_000_000_000 + UInt64(le(at + 4)) * (nano ? 1 : 1000), Array(d[at + 16..<at + 16 + n])))
        at += 16 + n
    }
    return out
}

func writeCapture(_ path: String, _ packets: [(UInt64, [UInt8])]) {
    var d: [UInt8] = []
    func le(_ v: UInt32) { d += [UInt8(v & 255), UInt8(v >> 8 & 255), UInt8(v >> 16 & 255), UInt8(v >> 24)] }
    le(0xa1b2_3c4d); d += [2, 0, 4, 0]; le(0); le(0); le(262144); le(1)
    for (t, b) in packets {
        le(UInt32(t / 1_000_000_000)); le(UInt32(t % 1_000_000_000)); le(UInt32(b.count)); le(UInt32(b.count)); d += b
    }
    try! Data(d).write(to: URL(fileURLWithPath: path))
}

let args = Array(CommandLine.arguments.dropFirst())
var flows = "", captures = "", seed: UInt64 = 1
var ins: [(UInt32, String)] = [], outs: [(UInt32, String)] = []
var i = 1
while i < args.count {
    let v = i + 1 < args.count ? args[i + 1] : ""
    let parts = v.split(separator: "=", maxSplits: 1)
    switch args[i] {
    case "--flows": flows = v
    case "--seed": seed = UInt64(v)!
    case "--captures": captures = v
    case "--in": ins.append((portNumber(parts[0]), String(parts[1])))
    case "--out": outs.append((portNumber(parts[0]), String(parts[1])))
    default: fatalError(args[i])
    }
    i += 2
}
if args[0] == "random" {
    let random = RandomCase(seed: seed, batches: 12)
    let text = random.setup.map { FlowText.text($0) }.joined(separator: "\n") + "\n"
    try! text.write(toFile: flows, atomically: true, encoding: .utf8)
    var n: UInt64 = 0
    var byPort: [UInt32: [(UInt64, [UInt8])]] = [:]
    for case .batch(let batch) in random.events {
        for p in batch { n += 1; byPort[p.inPort, default: []].append((1_000_000_000_000 + n * 1_000_000, p.bytes)) }
    }
    for p in random.ports { writeCapture("\(captures).\(p).pcap", byPort[p] ?? []) }
    exit(0)
}
let parsed = FlowText.parse(bytes: [UInt8](try! Data(contentsOf: URL(fileURLWithPath: flows))))
for e in parsed.errors { FileHandle.standardError.write("\(flows):\(e.description)\n".data(using: .utf8)!) }
if !parsed.isValid { exit(1) }
let naive = NaiveSwitch(ports: Array(Set(ins.map(\.0) + outs.map(\.0))), quirks: .openVSwitch)
var all: [ReceivedPacket] = []
for (port, path) in ins.sorted(by: { $0.0 < $1.0 }) {
    for (t, b) in readCapture(path) { all.append(ReceivedPacket(bytes: b, inPort: port, time: t)) }
}
let order = all.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
for m in parsed.modifications { naive.apply(m, time: order.first?.time ?? 0) }
var left: [UInt32: [(UInt64, [UInt8])]] = [:]
for p in order {
    for case .transmitted(let port, let bytes) in naive.process(p) { left[port, default: []].append((p.time, bytes)) }
}
for (port, path) in outs { writeCapture(path, left[port] ?? []) }
