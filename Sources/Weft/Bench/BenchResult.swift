import Foundation

/// One measured workload: a sentence for people and numbers by name.
struct BenchResult {
    enum Number {
        case integer(UInt64)
        case decimal(Double)
        case text(String)
        case flag(Bool)
    }

    var workload: String
    /// What was measured, in the table's middle column.
    var description: String
    /// The result in the table's last column.
    var headline: String
    var numbers: [(String, Number)]

    static let isDebugBuild: Bool = {
        #if DEBUG
            true
        #else
            false
        #endif
    }()

    var object: [String: Any] {
        var out: [String: Any] = ["workload": workload, "build": Self.isDebugBuild ? "debug" : "release"]
        for (name, number) in numbers {
            switch number {
            case .integer(let n): out[name] = n
            case .decimal(let x): out[name] = x
            case .text(let s): out[name] = s
            case .flag(let b): out[name] = b
            }
        }
        return out
    }

    static func json(_ value: Any) throws -> String {
        String(
            decoding: try JSONSerialization.data(withJSONObject: value, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]),
            as: UTF8.self)
    }

    static func table(_ results: [BenchResult]) -> String {
        let names = results.map(\.workload.count).max() ?? 0
        let texts = results.map(\.description.count).max() ?? 0
        return results.map {
            "  " + $0.workload.padding(toLength: names + 2, withPad: " ", startingAt: 0)
                + $0.description.padding(toLength: texts + 2, withPad: " ", startingAt: 0)
                + $0.headline
        }.joined(separator: "\n")
    }
}
