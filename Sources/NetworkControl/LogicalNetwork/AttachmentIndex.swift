/// Whose port each device and namespace of a host is: the one thing that tenants could take from each other.
public struct AttachmentIndex: Sendable {
    private var owners: [String: (tenant: String, path: String)] = [:]

    /// Something of a host that a port is attached to.
    struct Attached {
        var host: String
        var name: String
        var path: String
        /// The port in messages.
        var what: String
        var place: Place
        /// Both sides of an in-line element may be in one namespace.
        var companion: String?
        var key: String { host + " " + name }
    }

    public init() {}
    public init(_ network: NetworkDescription) { for tenant in network.tenants { replace(nil, with: tenant) } }

    /// Puts what a tenant has in the place of what it had.
    public mutating func replace(_ old: Tenant?, with new: Tenant?) {
        for a in old.map(Self.attachments) ?? [] { owners[a.key] = nil }
        if let new { for a in Self.attachments(of: new) { owners[a.key] = (new.name, a.path) } }
    }

    /// The port that has it already; takes it over otherwise.
    mutating func claim(_ attached: Attached, tenant: String) -> String? {
        guard let other = owners.updateValue((tenant, attached.path), forKey: attached.key) else { return nil }
        return other.path == attached.companion ? nil : other.path
    }

    func owner(of key: String, besides tenant: String) -> String? { owners[key].flatMap { $0.tenant == tenant ? nil : $0.path } }

    static func attachments(of tenant: Tenant) -> [Attached] {
        var all: [Attached] = []
        for s in tenant.switches {
            for port in s.ports {
                guard let host = port.host, let attachment = port.attachment else { continue }
                all.append(
                    Attached(
                        host: host, name: attachment.name, path: "\(tenant.name)/\(s.name)/\(port.name)", what: "port \(port.name)", place: port.place
                    ))
            }
        }
        for (router, port, element) in tenant.inLineElements {
            let paths = InLineElement.Side.allCases.map { "\(tenant.name)/\(router)/\(port.name(of: $0))" }
            for (i, side) in InLineElement.Side.allCases.enumerated() {
                guard let attachment = element.attachment(side) else { continue }
                let isNamespace = if case .namespace = attachment { true } else { false }
                all.append(
                    Attached(
                        host: element.host, name: attachment.name, path: paths[i], what: paths[i], place: element.place,
                        companion: isNamespace ? paths[1 - i] : nil))
            }
        }
        return all
    }
}
