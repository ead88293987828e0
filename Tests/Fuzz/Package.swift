// swift-tools-version: 6.2
import PackageDescription

/// A fuzz target: a static library with `LLVMFuzzerTestOneInput`, for SwiftPM gives executables a main of their own.
func fuzz(_ name: String, uses modules: String...) -> (product: Product, target: Target) {
    (
        .library(name: name, type: .static, targets: [name]),
        .target(name: name, dependencies: modules.map { .product(name: $0, package: "weft") })
    )
}

let targets = [
    fuzz("FuzzFrame", uses: "Wire"),
    fuzz("FuzzFlow", uses: "Flow"),
    fuzz("FuzzCapture", uses: "Ports"),
    fuzz("FuzzDatapath", uses: "Datapath", "Flow"),
    fuzz("FuzzOpenflow", uses: "OpenFlow", "Flow"),
    fuzz("FuzzLiveness", uses: "Ports", "Wire"),
    fuzz("FuzzChannel", uses: "PhysicalControl", "Translation", "Flow"),
    fuzz("FuzzNetwork", uses: "NetworkFile", "LogicalNetwork", "Translation"),
]

// A package of its own, so that the ordinary build never compiles the fuzz targets. `tools/fuzz` builds and runs them.
let package = Package(
    name: "weft-fuzz",
    products: targets.map(\.product),
    dependencies: [.package(name: "weft", path: "../..")],
    targets: targets.map(\.target),
    swiftLanguageModes: [.v6]
)
