import LogicalNetwork
import Yams

/// Collects what is wrong while a file is read, so that all of it is told at once.
final class FaultCollector {
    private(set) var faults: [NetworkFault] = []
    func add(_ node: Node?, _ message: String) { faults.append(NetworkFault(Place(node), message)) }
    func add(_ place: Place, _ message: String) { faults.append(NetworkFault(place, message)) }
}

extension Place {
    /// Where a node begins.
    init(_ node: Node?) {
        guard let mark = node?.mark ?? node?.mapping?.first?.key.mark else {
            self = .none
            return
        }
        self.init(line: mark.line, column: mark.column)
    }
}
