// swift-tools-version: 6.2
import PackageDescription

// The fuzz targets: a package of their own, so that the ordinary build never compiles them. `tools/fuzz` builds and runs them.
let package = Package(
    name: "weft-fuzz",
    products: [.library(name: "FuzzFrame", type: .static, targets: ["FuzzFrame"])],
    dependencies: [.package(name: "weft", path: "../..")],
    targets: [
        .target(name: "FuzzFrame", dependencies: [.product(name: "Wire", package: "weft")])
    ],
    swiftLanguageModes: [.v6]
)
