import Foundation

/// The OpenAPI document of the interface, made from the table by which requests are routed.
struct OpenAPIDocument {
    /// Milliseconds that a request may wait.
    let waitLimit: Int

    var text: String {
        let data = try? JSONSerialization.data(withJSONObject: document, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data ?? Data("{}".utf8), as: UTF8.self)
    }

    private typealias Object = [String: Any]

    private static func ref(_ schema: String) -> Object { ["$ref": "#/components/schemas/\(schema)"] }
    private static func content(_ schema: Object) -> Object { ["application/json": ["schema": schema]] }
    private static func answer(_ text: String, _ schema: Object, hasTag: Bool = false) -> Object {
        var o: Object = ["description": text, "content": content(schema)]
        if hasTag { o["headers"] = ["ETag": ["description": "Changes with the resource.", "schema": ["type": "string"]]] }
        return o
    }
    private static func failures(_ codes: [String]) -> Object {
        let texts = [
            "400": "Malformed path or parameters.", "401": "No token, or a wrong one.", "404": "No such resource, or no owner for it.",
            "412": "Another version than the one asked for.", "413": "The body is too large.", "415": "Neither JSON nor YAML.",
            "422": "The network would have faults; all of them are named.", "503": "Another controller leads, or the store fails.",
        ]
        var o: Object = [:]
        for code in codes { o[code] = answer(texts[code]!, ref("Failure")) }
        return o
    }

    private static let readFailures = ["400", "401", "404"]
    private static let changeFailures = ["400", "401", "404", "412", "413", "415", "422", "503"]

    private static func parameter(_ name: String, in place: String, _ schema: Object, _ text: String, required: Bool = false) -> Object {
        ["name": name, "in": place, "required": required, "schema": schema, "description": text]
    }
    private static let tags = #"^(\*|(W/)?"[^"]*"(, *(W/)?"[^"]*")*)$"#
    private func changing() -> [Object] {
        [
            Self.parameter("If-Match", in: "header", ["type": "string", "pattern": Self.tags], "Change only this version (an ETag)."),
            Self.parameter("If-None-Match", in: "header", ["type": "string", "pattern": Self.tags], "`*`: put only what is not there."),
            Self.parameter("dry-run", in: "query", ["type": "boolean"], "Answer the plan and change nothing."),
            Self.parameter(
                "wait", in: "query", ["type": "integer", "minimum": 0, "maximum": waitLimit],
                "Milliseconds to wait until connected hosts forward by the change."),
        ]
    }

    private static func operation(
        _ id: String, _ text: String, _ parameters: [Object], _ answers: Object, _ codes: [String], body: Object? = nil
    ) -> Object {
        var o: Object = ["operationId": id, "summary": text, "parameters": parameters, "responses": answers.merging(failures(codes)) { a, _ in a }]
        if let body { o["requestBody"] = ["required": true, "content": content(body)] }
        return o
    }

    private var document: Object {
        var paths: Object = [:]
        let done = ["200": Self.answer("Done.", ["anyOf": [Self.ref("Change"), Self.ref("Plan")]], hasTag: true)]
        let doneOrNew = done.merging(["201": Self.answer("Done; it was not there before.", Self.ref("Change"), hasTag: true)]) { a, _ in a }
        for r in InterfaceResource.all {
            let id = r.template.dropFirst("/v1/".count).filter { $0 != "{" && $0 != "}" }.replacingOccurrences(of: "/", with: "-")
            let place = r.parameters.map { Self.parameter($0, in: "path", Self.ref("Name"), "The \($0)'s name.", required: true) }
            let schema: Object
            let body: Object
            switch r.kind {
            case .element(let name): (schema, body) = (Self.ref(name), Self.ref(name))
            case .list(let name):
                schema = ["type": "array", "items": Self.ref(name)]
                body = schema
            case .collection(let name):
                schema = ["type": "object", "additionalProperties": ["anyOf": [Self.ref(name), ["type": "null"]]]]
                body = schema
            }
            var item: Object = [
                "get": Self.operation(
                    "get-\(id)", "Read \(r.what).", place,
                    ["200": Self.answer("It.", schema, hasTag: true), "304": ["description": "Not modified."]],
                    Self.readFailures)
            ]
            if !r.isReadOnly {
                item["put"] = Self.operation("put-\(id)", "Put \(r.what).", place + changing(), doneOrNew, Self.changeFailures, body: body)
                item["delete"] = Self.operation(
                    "delete-\(id)", "Remove \(r.what).", place + changing(), done, Self.changeFailures.filter { $0 != "413" && $0 != "415" })
            }
            paths[r.template] = item
        }
        paths["/v1/network"] = [
            "get": Self.operation(
                "get-network", "Read the whole network.", [], ["200": Self.answer("It.", Self.ref("Network"), hasTag: true)], ["401"]),
            "put": Self.operation(
                "put-network", "Make the network this one.", changing(), doneOrNew, Self.changeFailures.filter { $0 != "404" },
                body: Self.ref("Network")),
        ]
        paths["/v1/status"] = [
            "get": Self.operation(
                "get-status", "Tell who leads, and how the hosts are.", [], ["200": Self.answer("It.", Self.ref("Status"))], ["401"])
        ]
        let after = Self.parameter("after", in: "query", ["type": "integer", "minimum": 0], "Only changes after this revision.")
        let wait = Self.parameter(
            "wait", in: "query", ["type": "integer", "minimum": 0, "maximum": waitLimit], "Milliseconds to wait for one.")
        paths["/v1/changes"] = [
            "get": Self.operation(
                "get-changes", "Read what was changed, oldest first.",
                [after, wait, Self.parameter("limit", in: "query", ["type": "integer", "minimum": 1, "maximum": 1000], "How many at most.")],
                [
                    "200": Self.answer(
                        "Them.",
                        ["type": "object", "required": ["changes"], "properties": ["changes": ["type": "array", "items": Self.ref("Note")]]])
                ], ["400", "401"])
        ]
        paths["/v1/changes/{revision}"] = [
            "get": Self.operation(
                "get-change", "Tell how far a recent change has come.",
                [Self.parameter("revision", in: "path", ["type": "integer", "minimum": 0], "Its revision.", required: true), wait],
                ["200": Self.answer("It.", Self.ref("Change"))], Self.readFailures)
        ]
        paths["/v1/changes/stream"] = [
            "get": [
                "operationId": "stream-changes", "summary": "Be told of changes as they are made (server-sent events).", "parameters": [after],
                "responses": (["200": ["description": "Events.", "content": ["text/event-stream": ["schema": ["type": "string"]]]]] as Object)
                    .merging(Self.failures(["400", "401"])) { a, _ in a },
            ]
        ]
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Weft controller", "version": "1",
                "description":
                    "Networks and their elements in the form of the network file (Docs/NetworkFile.md). Bodies are JSON, or YAML as application/yaml.",
            ],
            "security": [["token": [String]()]],
            "paths": paths,
            "components": ["securitySchemes": ["token": ["type": "http", "scheme": "bearer"]], "schemas": Self.schemas],
        ]
    }

    // MARK: - Schemas

    private static var word: Object { ["type": "string"] }
    private static var scalar: Object { ["type": ["string", "integer", "boolean", "number", "null"]] }
    private static var number: Object { ["type": ["integer", "string", "null"]] }
    private static var truth: Object { ["type": ["boolean", "string", "null"]] }
    private static var oneOrMore: Object { ["anyOf": [scalar, ["type": "array", "items": scalar]]] }
    private static func choice(_ values: [String]) -> Object { ["anyOf": [["type": "string", "enum": values], ["type": "null"]]] }
    private static func named(_ schema: String) -> Object {
        ["anyOf": [["type": "object", "additionalProperties": ["anyOf": [ref(schema), ["type": "null"]]]], ["type": "null"]]]
    }
    private static func list(_ schema: String) -> Object { ["anyOf": [["type": "array", "items": ref(schema)], ["type": "null"]]] }
    private static func element(_ properties: Object, required: [String] = []) -> Object {
        ["type": "object", "additionalProperties": false, "properties": properties, "required": required]
    }
    private static func record(_ properties: Object, optional: [String] = []) -> Object {
        ["type": "object", "properties": properties, "required": properties.keys.filter { !optional.contains($0) }.sorted()]
    }

    private static var schemas: Object {
        let target: Object = ["via": scalar, "drop": truth]
        let access: Object = ["access": list("AccessRule"), "default": choice(["allow", "drop"])]
        return [
            "Name": ["type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[A-Za-z0-9._-]+$"],
            "Network": element(["hosts": named("Host"), "tenants": named("Tenant")]),
            "Host": element(
                [
                    "address": word, "tunnel": choice(["geneve"]), "zone": scalar, "pool": truth, "bfd": ["anyOf": [truth, ref("Liveness")]],
                    "queues": named("HostQueue"),
                ], required: ["address"]),
            "Liveness": element(["interval": scalar, "multiplier": number]),
            "HostQueue": element(["min-rate": scalar, "max-rate": scalar, "priority": number, "burst": scalar, "buffer": scalar]),
            "Tenant": element(["address-sets": named("AddressSet"), "switches": named("Switch"), "routers": named("Router")]),
            "AddressSet": oneOrMore,
            "Switch": element(
                [
                    "ports": named("SwitchPort"), "neighbors": list("Neighbor"), "unknown": choice(["drop", "flood"]),
                    "broadcast": choice(["drop", "flood"]), "multicast": choice(["drop", "flood"]),
                    "egress-access": choice(["first-hop", "last-hop"]),
                    "placement": choice(["first-hop", "last-hop"]), "router-requests": choice(["answer", "flood"]),
                ].merging(access) { a, _ in a }),
            "SwitchPort": element([
                "mac": scalar, "addresses": oneOrMore, "host": scalar, "tap": scalar, "namespace": scalar, "device": scalar, "security": truth,
                "uplink": truth, "queue": number, "rate": scalar, "max-rate": scalar,
            ]),
            "Neighbor": element(["address": word, "mac": word], required: ["address", "mac"]),
            "Router": element(
                ["ports": named("RouterPort"), "routes": list("Route"), "policies": list("Policy"), "host": scalar].merging(access) { a, _ in a }),
            "RouterPort": element([
                "mac": scalar, "addresses": oneOrMore, "switch": scalar, "router": scalar, "port": scalar, "in-line": ref("InLineElement"),
            ]),
            "InLineElement": element(["host": scalar, "router-side": ref("Attachment"), "peer-side": ref("Attachment")]),
            "Attachment": element(["tap": scalar, "namespace": scalar, "device": scalar]),
            "Route": element(["to": word].merging(target) { a, _ in a }, required: ["to"]),
            "Policy": element(
                ["name": scalar, "in": scalar, "from": oneOrMore, "to": oneOrMore, "not-to": oneOrMore].merging(target) { a, _ in a }),
            "AccessRule": element(
                [
                    "name": scalar, "direction": ["type": "string", "enum": ["in", "out"]],
                    "verdict": ["type": "string", "enum": ["allow", "drop", "reject"]], "port": scalar, "protocol": scalar, "from": oneOrMore,
                    "to": oneOrMore, "from-mac": scalar, "to-mac": scalar, "from-ports": oneOrMore, "to-ports": oneOrMore, "icmp-type": number,
                    "icmp-code": number,
                ], required: ["direction", "verdict"]),
            "Change": record(
                [
                    "revision": ["type": "integer"], "summary": word, "changes": ["type": "array", "items": word],
                    "modifications": ["type": "integer"],
                    "hosts": ["type": "array", "items": word], "waiting": ["type": "array", "items": word], "millisecondsToForce": ["type": "number"],
                ], optional: ["millisecondsToForce"]),
            "Plan": record([
                "revision": ["type": "integer"], "summary": word, "changes": ["type": "array", "items": word], "modifications": ["type": "integer"],
                "hosts": [
                    "type": "array",
                    "items": record(["host": word, "modifications": ["type": "integer"], "isGone": ["type": "boolean"]]),
                ],
            ]),
            "Note": record([
                "revision": ["type": "integer"], "time": ["type": "number"], "summary": word, "changes": ["type": "array", "items": word],
            ]),
            "Status": record(
                [
                    "name": word, "leads": ["type": "boolean"], "leader": word, "revision": ["type": "integer"],
                    "sets": [
                        "type": "array",
                        "items": record(["set": ["type": "integer"], "leader": word, "tenants": ["type": "integer"]], optional: ["leader"]),
                    ],
                    "hosts": ["type": "array", "items": ["type": "object"]], "masterships": ["type": "array", "items": ["type": "object"]],
                ], optional: ["leader"]),
            "Failure": record([
                "error": record(
                    [
                        "code": word, "message": word,
                        "faults": [
                            "type": "array",
                            "items": record(
                                ["line": ["type": "integer"], "column": ["type": "integer"], "message": word], optional: ["line", "column"]),
                        ],
                    ], optional: ["faults"])
            ]),
        ]
    }
}
