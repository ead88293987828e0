/// Where in a file something was written, from 1; a value built by a program has none. Places never make two values differ.
public struct Place: Hashable, Sendable {
    public var line: Int
    public var column: Int
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
    public static let none = Place(line: 0, column: 0)
    public static func == (a: Place, b: Place) -> Bool { true }
    public func hash(into hasher: inout Hasher) {}
}

/// One thing that is wrong with a network.
public struct NetworkFault: Hashable, Sendable, CustomStringConvertible {
    public var place: Place
    public var message: String
    public init(_ place: Place, _ message: String) {
        self.place = place
        self.message = message
    }
    /// `LINE:COLUMN: message`, or the message alone.
    public var description: String { place.line == 0 ? message : "\(place.line):\(place.column): \(message)" }
}

/// Everything that is wrong with a network, in the order of the file: it is refused as a whole.
public struct NetworkFaults: Error, Sendable, CustomStringConvertible {
    public var faults: [NetworkFault]
    public init(_ faults: [NetworkFault]) {
        self.faults = faults.enumerated().sorted {
            ($0.element.place.line, $0.element.place.column, $0.offset) < ($1.element.place.line, $1.element.place.column, $1.offset)
        }.map(\.element)
    }
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}
