import Foundation
import Glibc
import Logging
import Synchronization

/// Log lines on standard error: `TIME LEVEL message key=value …`. Under journald, which keeps time and level itself, `<N>LEVEL-less` lines with the
/// syslog priority instead.
public struct DaemonLog: LogHandler {
    /// The level of all loggers, changed by a reload.
    private static let level = Mutex(Logger.Level.info)
    private static let isJournal = getenv("JOURNAL_STREAM") != nil

    public var metadata: Logger.Metadata = [:]
    public init() {}

    public static func logger(level: Logger.Level) -> Logger {
        setLevel(level)
        return Logger(label: "weft") { _ in DaemonLog() }
    }
    public static func setLevel(_ new: Logger.Level) { level.withLock { $0 = new } }

    public var logLevel: Logger.Level {
        get { Self.level.withLock { $0 } }
        set { Self.setLevel(newValue) }
    }
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
        let prefix = Self.isJournal ? "<\(Self.priority(event.level))>" : "\(Self.now()) \(event.level.rawValue) "
        let line = prefix + "\(event.message)" + pairs + "\n"
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let n = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress!, $0.count) }
            if n < 0, errno == EINTR { continue }
            if n <= 0 { return }
            bytes = bytes.dropFirst(n)
        }
    }

    private static func quoted(_ text: String) -> String {
        text.isEmpty || text.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0.isNewline }
            ? "\"" + text.map { $0 == "\"" ? "\\\"" : $0.isNewline ? "\\n" : String($0) }.joined() + "\"" : text
    }

    /// syslog(3)'s numbers.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func now() -> String {
        var t = timespec()
        clock_gettime(CLOCK_REALTIME, &t)
        var parts = tm()
        gmtime_r(&t.tv_sec, &parts)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
            parts.tm_sec, t.tv_nsec / 1_000_000)
    }
}
