import ArgumentParser
import Foundation
import Glibc

/// `weft controller`: another program, so that this one needs neither SQLite nor an HTTP server.
struct ControllerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "controller", abstract: "Compute logical networks, and have the switches of many hosts do what they say.",
        discussion: "Runs the program `weft-controller` from beside this one; `weft controller --help` tells its options.")

    @Argument(parsing: .captureForPassthrough, help: "Options of the controller.") var arguments: [String] = []

    /// The program beside this one.
    static var path: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (own as NSString).deletingLastPathComponent + "/weft-controller"
    }

    func run() throws {
        var all: [UnsafeMutablePointer<CChar>?] = ([Self.path] + arguments).map { strdup($0) } + [nil]
        execv(Self.path, &all)
        let reason = errno
        for p in all { free(p) }
        throw CommandError(
            reason == ENOENT
                ? "\(Self.path) is missing: the controller is a program of its own; tools/build makes both, and they stay in one folder"
                : "\(Self.path) cannot be run: \(String(cString: strerror(reason)))")
    }
}
