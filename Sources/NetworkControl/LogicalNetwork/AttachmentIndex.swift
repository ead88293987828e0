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

    /// What a tenant's ports are attached to: host and name, with a space between.
    public static func keys(of tenant: Tenant) -> Set<String> { Set(attachments(of: tenant).map(\.key)) }

    static func attachments(of tenant: Tenant) -> [Attached] {
        tenant.hostPorts.compactMap { owner, name, port in
            guard let host = port.host, let attachment = port.attachment else { return nil }
            let path = "\(tenant.name)/\(owner)/\(name)"
            var attached = Attached(host: host, name: attachment.name, path: path, what: "port \(name)", place: port.place)
            if name != port.name {
                attached.what = path
                if case .namespace = attachment, let side = InLineElement.Side(rawValue: port.name) {
                    attached.companion = path.dropLast(side.rawValue.count) + side.other.rawValue
                }
            }
            return attached
        }
    }
}
