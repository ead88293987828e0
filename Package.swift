// swift-tools-version: 6.2
import PackageDescription

// Planes are folders, modules are targets; the order below is the dependency order (Docs/Architecture.md).
// The instruction set comes from the command line (`tools/build`: -Xcc -march=x86-64-v3), not from here.
let package = Package(
    name: "weft",
    products: [
        .executable(name: "weft", targets: ["weft"]),
        .executable(name: "weft-controller", targets: ["weft-controller"]),
        // For the fuzz targets, a package of their own in Tests/Fuzz.
        .library(name: "Wire", targets: ["Wire"]),
        .library(name: "Flow", targets: ["Flow"]),
        .library(name: "OpenFlow", targets: ["OpenFlow"]),
        .library(name: "Ports", targets: ["Ports"]),
        .library(name: "Datapath", targets: ["Datapath"]),
        .library(name: "LogicalNetwork", targets: ["LogicalNetwork"]),
        .library(name: "NetworkFile", targets: ["NetworkFile"]),
        .library(name: "Translation", targets: ["Translation"]),
        .library(name: "PhysicalControl", targets: ["PhysicalControl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    ],
    targets: [
        // Shims: one kernel facility or library per header, no logic.
        .target(name: "CLinux", path: "CShims/CLinux"),
        .systemLibrary(name: "CPcap", path: "CShims/CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .systemLibrary(
            name: "CNetlink", path: "CShims/CNetlink", pkgConfig: "libnl-route-3.0", providers: [.apt(["libnl-route-3-dev"])]),
        .systemLibrary(name: "CXDP", path: "CShims/CXDP", pkgConfig: "libxdp", providers: [.apt(["libxdp-dev", "libbpf-dev"])]),

        // Core: values shared by all planes.
        .target(name: "Wire", path: "Sources/Core/Wire", swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "Flow", dependencies: ["Wire"], path: "Sources/Core/Flow"),

        // Log lines and notices of those programs that run as services.
        .target(name: "ServiceLog", dependencies: [.product(name: "Logging", package: "swift-log")], path: "Sources/Core/ServiceLog"),

        // Switch control.
        .target(
            name: "OpenFlow", dependencies: ["Wire", "Flow"], path: "Sources/SwitchControl/OpenFlow",
            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),

        // Data plane.
        .target(name: "Ports", dependencies: ["Wire", "Flow", "CLinux", "CPcap", "CNetlink", "CXDP"], path: "Sources/DataPlane/Ports"),
        .target(
            name: "Datapath", dependencies: ["Wire", "Flow", "Ports", "CLinux"], path: "Sources/DataPlane/Datapath",
            // The packet path's objects are used by one thread each; checking that at run time costs a tenth of a miss.
            swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),

        // The switch's control side.
        .target(
            name: "SwitchAgent",
            dependencies: [
                "Wire", "Flow", "OpenFlow", "Ports", "Datapath", "CLinux", "ServiceLog", .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/SwitchControl/SwitchAgent"),

        // The logical networks.
        .target(name: "LogicalNetwork", dependencies: ["Wire"], path: "Sources/NetworkControl/LogicalNetwork"),
        .target(
            name: "NetworkFile", dependencies: ["Wire", "LogicalNetwork", .product(name: "Yams", package: "Yams")],
            path: "Sources/NetworkControl/NetworkFile"),
        .target(
            name: "TableEngine", path: "Sources/NetworkControl/TableEngine",
            // One thread per engine; the run-time checks cost a tenth of a full computation.
            swiftSettings: [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]),
        .target(
            name: "Translation", dependencies: ["Wire", "Flow", "LogicalNetwork", "TableEngine"], path: "Sources/NetworkControl/Translation"),
        .target(
            name: "NetworkSimulation", dependencies: ["Wire", "Flow", "Ports", "Datapath", "LogicalNetwork", "Translation"],
            path: "Sources/Simulation/NetworkSimulation"),

        // What leads hosts, in a controller or on the host itself, and what controllers say to each other.
        .target(
            name: "PhysicalControl",
            dependencies: [
                "Wire", "Flow", "OpenFlow", "LogicalNetwork", "Translation", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/NetworkControl/PhysicalControl"),

        // The controller: a program of its own, so that `weft` builds without the packages for HTTP and SQLite.
        .target(
            name: "Controller",
            dependencies: [
                "Wire", "Flow", "OpenFlow", "LogicalNetwork", "NetworkFile", "Translation", "PhysicalControl",
                .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Sources/NetworkControl/Controller"),

        .executableTarget(
            name: "weft-controller",
            dependencies: [
                "Controller", "PhysicalControl", "ServiceLog", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/WeftController"),

        // The command-line program.
        .executableTarget(
            name: "weft",
            dependencies: [
                "Wire", "Flow", "Ports", "Datapath", "SwitchAgent", "CLinux", "ServiceLog", "LogicalNetwork", "NetworkFile", "Translation",
                "PhysicalControl", "NetworkSimulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "Logging", package: "swift-log"),
                // For the commands that ask a controller.
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Weft"),

        .testTarget(name: "WireTests", dependencies: ["Wire"], path: "Tests/WireTests"),
        .testTarget(name: "FlowTests", dependencies: ["Flow", "Wire"], path: "Tests/FlowTests"),
        .testTarget(name: "OpenFlowTests", dependencies: ["OpenFlow", "Flow", "Wire"], path: "Tests/OpenFlowTests"),
        .testTarget(name: "PortsTests", dependencies: ["Ports", "Flow", "Wire", "CLinux"], path: "Tests/PortsTests"),
        .testTarget(
            name: "DatapathTests", dependencies: ["Datapath", "Ports", "Flow", "Wire", "CLinux", "ReferenceSwitch"],
            path: "Tests/DatapathTests"),
        .testTarget(
            name: "SwitchAgentTests",
            dependencies: ["SwitchAgent", "Datapath", "Ports", "Flow", "Wire", .product(name: "Logging", package: "swift-log")],
            path: "Tests/SwitchAgentTests"),
        .testTarget(name: "TableEngineTests", dependencies: ["TableEngine"], path: "Tests/TableEngineTests"),
        .testTarget(
            name: "LogicalNetworkTests", dependencies: ["LogicalNetwork", "NetworkFile", "Wire", .product(name: "Yams", package: "Yams")],
            path: "Tests/LogicalNetworkTests"),
        .testTarget(
            name: "TranslationTests",
            dependencies: [
                "Translation", "NetworkSimulation", "NetworkFile", "LogicalNetwork", "TableEngine", "Datapath", "Flow", "Wire", "RandomNetworks",
            ],
            path: "Tests/TranslationTests"),
        .testTarget(
            name: "ControllerTests",
            dependencies: [
                "Controller", "PhysicalControl", "RandomNetworks", "SwitchAgent", "Datapath", "OpenFlow", "Translation", "NetworkFile", "LogicalNetwork", "Flow", "Ports", "Wire",
                .product(name: "Logging", package: "swift-log"), .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Tests/ControllerTests"),
        // Networks and edits of them, for the tests of increments.
        .target(name: "RandomNetworks", dependencies: ["LogicalNetwork", "Flow", "Wire"], path: "Tests/RandomNetworks"),
        // These run the program as a process.
        .testTarget(name: "WeftTests", dependencies: ["weft", "weft-controller"], path: "Tests/WeftTests"),
        // The naive packet path that the datapath is compared with, and random pipelines and packets for both.
        .target(name: "ReferenceSwitch", dependencies: ["Datapath", "Flow", "Wire"], path: "Tests/ReferenceSwitch"),
        .executableTarget(name: "reference-replay", dependencies: ["ReferenceSwitch", "Datapath", "Flow"], path: "Tests/ReferenceReplay"),
        .testTarget(name: "ReferenceSwitchTests", dependencies: ["ReferenceSwitch", "Datapath", "Flow"], path: "Tests/ReferenceSwitchTests"),
    ],
    swiftLanguageModes: [.v6]
)
