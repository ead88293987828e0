import Foundation

/// Colour for terminals: only where standard output is one, and never when `NO_COLOR` is set (no-color.org).
struct TextStyle {
    let isOn: Bool

    static var standardOutput: TextStyle {
        let environment = ProcessInfo.processInfo.environment
        return TextStyle(isOn: isatty(STDOUT_FILENO) != 0 && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb")
    }

    private func styled(_ text: String, _ code: String) -> String { isOn ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
    func strong(_ text: String) -> String { styled(text, "1") }
    func faint(_ text: String) -> String { styled(text, "2") }
    func change(_ text: String) -> String { styled(text, "32") }
    func drop(_ text: String) -> String { styled(text, "31") }
}
