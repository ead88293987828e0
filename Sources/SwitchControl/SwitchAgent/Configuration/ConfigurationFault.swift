/// One thing wrong with a configuration: where, and what was expected.
public struct ConfigurationFault: Hashable, Sendable, CustomStringConvertible {
    /// From 1; 0 when it is about the whole file.
    public var line: Int
    /// From 1, in characters.
    public var column: Int
    public var message: String

    /// `LINE:COLUMN: message`.
    public var description: String { line == 0 ? message : "\(line):\(column): \(message)" }
}

/// Everything wrong with a configuration, in the order of its lines.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// The file as the user named it.
    public var file: String
    public var faults: [ConfigurationFault]

    public var lines: [String] { faults.map { file.isEmpty ? "\($0)" : "\(file):\($0.line == 0 ? " " : "")\($0)" } }

    /// A line per fault, each with the file's name: `FILE:LINE:COLUMN: message`.
    public var description: String { lines.joined(separator: "\n") }
}
