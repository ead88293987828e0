/// One kind of resource of the HTTP interface: where it is, and what is there. Routing and the OpenAPI document come from the same table.
///
/// A template's components are those of the network file; behind every collection's name stands an element's.
struct InterfaceResource: Sendable {
    enum Kind: Sendable {
        /// An element: read, put, removed.
        case element(schema: String)
        /// A list that is put as a whole: access rules, routes.
        case list(schema: String)
        /// Elements by name: read only.
        case collection(schema: String)
    }
    var template: String
    var kind: Kind
    var what: String

    private static let base = "/v1"
    private static func of(_ template: String, _ kind: Kind, _ what: String) -> InterfaceResource {
        InterfaceResource(template: base + template, kind: kind, what: what)
    }

    static let all: [InterfaceResource] = [
        of("/hosts", .collection(schema: "Host"), "hosts"),
        of("/hosts/{host}", .element(schema: "Host"), "a host"),
        of("/tenants", .collection(schema: "Tenant"), "tenants"),
        of("/tenants/{tenant}", .element(schema: "Tenant"), "a tenant"),
        of("/tenants/{tenant}/address-sets", .collection(schema: "AddressSet"), "address sets"),
        of("/tenants/{tenant}/switches", .collection(schema: "Switch"), "logical switches"),
        of("/tenants/{tenant}/switches/{switch}", .element(schema: "Switch"), "a logical switch"),
        of("/tenants/{tenant}/switches/{switch}/ports", .collection(schema: "SwitchPort"), "ports of a switch"),
        of("/tenants/{tenant}/switches/{switch}/ports/{port}", .element(schema: "SwitchPort"), "a port of a switch"),
        of("/tenants/{tenant}/switches/{switch}/access", .list(schema: "AccessRule"), "the access rules of a switch"),
        of("/tenants/{tenant}/switches/{switch}/neighbors", .list(schema: "Neighbor"), "the machines behind a switch's uplink"),
        of("/tenants/{tenant}/routers", .collection(schema: "Router"), "logical routers"),
        of("/tenants/{tenant}/routers/{router}", .element(schema: "Router"), "a logical router"),
        of("/tenants/{tenant}/routers/{router}/ports", .collection(schema: "RouterPort"), "ports of a router"),
        of("/tenants/{tenant}/routers/{router}/ports/{port}", .element(schema: "RouterPort"), "a port of a router"),
        of("/tenants/{tenant}/routers/{router}/access", .list(schema: "AccessRule"), "the access rules of a router"),
        of("/tenants/{tenant}/routers/{router}/routes", .list(schema: "Route"), "the static routes of a router"),
        of("/tenants/{tenant}/routers/{router}/policies", .list(schema: "Policy"), "the policy routes of a router"),
    ]

    var components: [Substring] { template.split(separator: "/") }
    var parameters: [String] { components.filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) } }
    var isReadOnly: Bool { if case .collection = kind { true } else { false } }

    /// The resource that a path names, and its place in the network.
    static func find(_ path: [String]) -> (resource: InterfaceResource, place: NetworkDocument.Path)? {
        for r in all {
            let parts = r.components
            guard parts.count == path.count, zip(parts, path).allSatisfy({ $0.hasPrefix("{") || $0 == $1 }) else { continue }
            return (r, Array(path.dropFirst()))
        }
        return nil
    }
}
