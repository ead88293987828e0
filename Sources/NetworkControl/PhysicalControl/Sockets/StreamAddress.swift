import NIOSSL

/// Where to listen or connect: `tcp:[ADDRESS:]PORT` or `tls:[ADDRESS:]PORT`; without an address the loopback one.
public struct StreamAddress: Hashable, Sendable, CustomStringConvertible {
    public var address: String
    public var port: Int
    public var isSecure: Bool

    public init(address: String, port: Int, isSecure: Bool) {
        self.address = address
        self.port = port
        self.isSecure = isSecure
    }

    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), ["tcp", "tls"].contains(text[..<colon]) else { return nil }
        isSecure = text[..<colon] == "tls"
        var rest = String(text[text.index(after: colon)...])
        if let last = rest.lastIndex(of: ":") {
            var host = String(rest[..<last])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            guard !host.isEmpty else { return nil }
            address = host
            rest = String(rest[rest.index(after: last)...])
        } else {
            address = "127.0.0.1"
        }
        guard let number = Int(rest), (0...65535).contains(number) else { return nil }
        port = number
    }

    public var description: String { "\(isSecure ? "tls" : "tcp"):\(address.contains(":") ? "[\(address)]" : address):\(port)" }
}

/// Files in PEM: one's own key and certificate, and those whose signature makes a peer's certificate good.
public struct StreamTLS: Sendable, Equatable {
    public var key: String
    public var certificate: String
    /// nil: peers need no certificate of their own.
    public var authorities: String?
    public init(key: String, certificate: String, authorities: String?) {
        self.key = key
        self.certificate = certificate
        self.authorities = authorities
    }

    public func serverConfiguration() throws -> TLSConfiguration {
        var c = TLSConfiguration.makeServerConfiguration(certificateChain: try chain(), privateKey: try privateKey())
        if let authorities {
            c.trustRoots = .file(authorities)
            // Peers are known by who signed their certificate.
            c.certificateVerification = .noHostnameVerification
        }
        return c
    }

    public func clientConfiguration() throws -> TLSConfiguration {
        var c = TLSConfiguration.makeClientConfiguration()
        c.certificateChain = try chain()
        c.privateKey = try privateKey()
        if let authorities { c.trustRoots = .file(authorities) }
        c.certificateVerification = .noHostnameVerification
        return c
    }

    private func chain() throws -> [NIOSSLCertificateSource] {
        try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
    }
    private func privateKey() throws -> NIOSSLPrivateKeySource { .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)) }
}
