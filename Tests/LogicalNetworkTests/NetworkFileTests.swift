import Foundation
import LogicalNetwork
import Testing
import Wire
import Yams

@testable import NetworkFile

@Suite struct NetworkFileTests {
    /// The faults of a file, each as `LINE:COLUMN: message`.
    static func faults(_ text: String) -> [String] {
        do {
            _ = try NetworkFile.parse(text)
            return []
        } catch { return error.faults.map(\.description) }
    }

    @Test func theBundledExampleIsReadInFull() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("Docs/Examples/two-hosts.yaml"), encoding: .utf8)
        let network = try NetworkFile.parse(text)
        #expect(
            network.hosts == [
                Host(name: "hostA", address: IPAddress("192.0.2.1")!, queues: [HostQueue(number: 1, maximumKilobits: 50_000)]),
                Host(name: "hostB", address: IPAddress("192.0.2.2")!, queues: [HostQueue(number: 1, maximumKilobits: 50_000)]),
            ])
        let blue = try #require(network.tenants.first)
        #expect(
            blue.switches[1].ports[1]
                == SwitchPort(
                    name: "vm4", mac: MACAddress("02:00:00:00:00:04"), addresses: [IPAddress("10.0.2.10")!, IPAddress("2001:db8:2::10")!],
                    host: "hostB",
                    attachment: .tap("blue-vm4"), queue: 1, rateKilobits: 100_000))
        #expect(
            blue.switches[1].access.rules[1]
                == AccessRule(
                    name: "ssh-from-admins", direction: .out, verdict: .allow, network: .ip(nil), transport: 6, sources: [.set("admins")],
                    destinationPorts: [.init(22, 22)]))
        #expect(blue.switches[1].access.defaultVerdict == .drop)
        #expect(blue.routers[0].routes == [StaticRoute(prefix: AddressPrefix("10.66.0.0/16")!, target: .drop)])
        #expect(
            blue.routers[0].ports[0]
                == RouterPort(
                    name: "to-web", mac: MACAddress("02:01:01:01:01:01"),
                    addresses: [AddressPrefix("10.0.1.1/24")!, AddressPrefix("2001:db8:1::1/64")!],
                    peer: .logicalSwitch("web")))
        #expect(network.tenants[1].switches[0].ports.map(\.mac) == blue.switches[0].ports.map(\.mac))
    }

    @Test func allFaultsOfAFileAreToldWithTheirLines() {
        let faults = Self.faults(
            """
            hosts:
              a: {address: 192.0.2.1}
              b: {address: 192.0.2.1, tunnel: vxlan}
            tenants:
              t:
                switches:
                  s:
                    ports:
                      p1: {mac: "02:00:00:00:00:01", addresses: [10.0.0.2], host: a, tap: x}
                      p2: {mac: "02:00:00:00:00:01", addresses: [10.0.0.2], host: a, tap: x}
                      p3: {mac: "03:00:00:00:00:01", addresses: [10.0.0.300], host: nowhere, colour: red}
                    access:
                      - {direction: in, verdict: maybe}
                      - {direction: in, verdict: drop, protocol: icmp, to-ports: 80, from: $nobody}
                routers:
                  r:
                    ports:
                      one: {switch: s, addresses: 10.0.0.1/24}
                      two: {switch: s, addresses: 10.0.0.129/25}
                      three: {switch: gone, addresses: 10.9.0.1/24}
                    routes:
                      - {to: 10.1.0.1/16, via: 10.0.0.2}
                      - {to: 10.2.0.0/16, via: 10.3.0.1}
                      - {to: 10.3.0.0/16, via: 10.0.0.99}
                    policies:
                      - {name: p, in: nowhere, from: 10.0.0.0/24, via: 10.0.0.2}
            """)
        #expect(
            faults == [
                "3:3: host b: tunnel must be geneve, the form that carries a packet's logical context, not 'vxlan'",
                "3:3: host b has the address 192.0.2.1 of host a",
                "10:11: port p2 has the mac 02:00:00:00:00:01 of port p1 on switch s",
                "10:11: port p2 has the address 10.0.0.2 of port p1 on switch s",
                "10:11: port p2: x of host a is already port t/s/p1",
                "11:11: port p3: 03:00:00:00:00:01 is a group address",
                "11:11: port p3: there is no host 'nowhere'",
                "11:54: port p3: addresses must be an IP address, not '10.0.0.300'",
                "11:82: port p3 has no key 'colour'; it has addresses, device, host, mac, max-rate, namespace, queue, rate, security, tap, uplink",
                "13:38: rule 1 of switch s: verdict must be one of allow, drop, reject, not 'maybe'",
                "14:13: switch s: rule rule-2: there is no address set 'nobody'",
                "14:13: switch s: rule rule-2: only tcp, udp and sctp have ports",
                "19:11: router r: subnet 10.0.0.128/25 of port two overlaps 10.0.0.0/24 of port one",
                "20:11: port three of router r: there is no switch 'gone'",
                "22:13: router r: route to 10.1.0.1/16 has bits behind its prefix; the subnet is 10.1.0.0/16",
                "23:13: router r: route to 10.2.0.0/16: the next hop 10.3.0.1 is in no subnet of the router",
                "24:13: router r: route to 10.3.0.0/16: no port, router or neighbor of switch s has the next hop's address 10.0.0.99",
                "26:13: router r: policy p: the router has no port 'nowhere'",
            ])
    }

    @Test(arguments: [
        ("", "the file is empty"),
        ("hosts: [a, b]", "1:8: the network: hosts must be a mapping: a line 'name:' for each"),
        ("hosts:\n  a: {}", "2:3: host a has no address"),
        ("hosts:\n  a: {address: 224.0.0.1}", "2:3: host a: 224.0.0.1 is no address of one machine"),
        ("hosts:\n  a: {address: 10.0.0.1}\n  a: {address: 10.0.0.2}", "2:3: a is there twice in the mapping that begins here"),
        ("hosts:\n  a: {address: 10.0.0.1", "3:1"),
        ("tenants:\n  t:\n    switches:\n      s: {ports: {p: {}}}", "4:19: port p has no mac"),
        (
            "tenants:\n  t:\n    switches:\n      s: {ports: {p: {uplink: true, mac: '02:00:00:00:00:01'}}}",
            "4:19: port p is an uplink: no one mac or address is behind it"
        ),
        (
            "tenants:\n  t:\n    routers:\n      r: {ports: {p: {addresses: 10.0.0.0/24, switch: s}}}",
            "4:19: port p of router r: 10.0.0.0 is the address of the subnet 10.0.0.0/24 itself"
        ),
        (
            "tenants:\n  t:\n    routers:\n      r: {ports: {p: {addresses: 10.0.0.1/24, router: r, port: p}}}",
            "4:19: port p of router r leads to itself"
        ),
        ("tenants:\n  t:\n    switches: {x: {}}\n    routers: {x: {}}", "4:15: switch or router 'x' is there twice"),
        ("tenants:\n  t/u: {}", "2:3: tenant 't/u': a name has 1 to 63 letters, digits, '-', '_' and '.'"),
        (
            "tenants:\n  t:\n    address-sets: {s: [10.0.0.1/8]}",
            "3:20: address set s: 10.0.0.1/8 has bits behind its prefix; the subnet is 10.0.0.0/8"
        ),
        (
            "hosts:\n  a: {address: 10.0.0.1, zone: x}\n  b: {address: 10.0.0.2}",
            "3:3: host b is in another zone than host a, and no host is a pool node, by which they would reach each other"
        ),
        (
            "hosts:\n  a: {address: 10.0.0.1, pool: true}\n  b: {address: 10.0.0.2, pool: true}",
            "3:3: host b is a pool node, and so is host a: there is one"
        ),
        (
            "hosts:\n  a: {address: 10.0.0.1, bfd: {interval: 1 s}}", "2:3: host a: bfd is for the pool node, which stands in for tunnels that fail"
        ),
        (
            "hosts:\n  a: {address: 10.0.0.1, pool: true, bfd: {interval: 5 ms}}",
            "2:54: host a: bfd: interval must be a time from 10 ms to 60 s, not '5 ms'"
        ),
        (
            "hosts:\n  a: {address: 10.0.0.1, pool: true, bfd: {multiplier: 0}}",
            "2:56: host a: bfd: multiplier must be a number from 1 to 50, not '0'"
        ),
        ("tenants:\n  t:\n    routers: {r: {host: nowhere}}", "3:15: router r: there is no host 'nowhere'"),
        (
            "tenants:\n  t:\n    switches: {s: {placement: last-hop}}\n    routers: {r: {ports: {a: {switch: s, addresses: 10.0.0.1/24}}}, "
                + "q: {ports: {b: {switch: s, addresses: 10.0.0.2/24}}}}",
            "3:16: switch s: with 'placement: last-hop' it has one router; port b of router q is a second"
        ),
        ("tenants:\n  t:\n    switches: {s: {placement: middle}}", "3:31: switch s: placement must be first-hop or last-hop, not 'middle'"),
        ("hosts:\n  a:\n    address: 192.0.2.1\n    queues: {x: {}}", "4:14: queue x of host a: a queue is a number from 0 to 4294967294"),
        (
            "hosts:\n  a:\n    address: 192.0.2.1\n    queues:\n      1: {rate: 1 Mbit/s}",
            "5:11: queue 1 of host a has no key 'rate'; it has buffer, burst, max-rate, min-rate, priority"
        ),
        (
            "hosts:\n  a:\n    address: 192.0.2.1\n    queues:\n      1: {max-rate: 2000 Gbit/s}",
            "5:21: queue 1 of host a: max-rate must be a number of kbit/s, Mbit/s or Gbit/s, from 1 kbit/s to 1000 Gbit/s, not '2000 Gbit/s'"
        ),
        (
            "hosts:\n  a:\n    address: 192.0.2.1\n    queues:\n      1: {max-rate: 1 Mbit/s, min-rate: 2 Mbit/s}",
            "5:7: host a: queue 1 has a min-rate above its max-rate"
        ),
        (
            "hosts:\n  a:\n    address: 192.0.2.1\n    queues:\n      1: {burst: 1 KiB}",
            "5:18: queue 1 of host a: burst must be a number of bytes, KiB or MiB, from 1500 to 67108864 bytes, not '1 KiB'"
        ),
        (
            "hosts: {a: {address: 192.0.2.1, queues: {1: {}}}}\ntenants:\n  t:\n    switches:\n      s:\n        ports:\n"
                + "          p: {mac: '02:00:00:00:00:01', host: a, queue: 2}",
            "7:11: port p: host a has no queue 2"
        ),
        (
            "hosts: {a: {address: 192.0.2.1}}\ntenants:\n  t:\n    switches:\n      s:\n        ports:\n"
                + "          p: {mac: '02:00:00:00:00:01', host: a, queue: 1}",
            "7:11: port p: host a has no queue 1"
        ),
        (
            "hosts: {a: {address: 192.0.2.1, queues: {1: {min-rate: 600 kbit/s}, 2: {min-rate: 600 kbit/s}}}}\ntenants:\n  t:\n    switches:\n"
                + "      s:\n        ports:\n          p: {mac: '02:00:00:00:00:01', host: a, max-rate: 1 Mbit/s}",
            "7:11: port p: the min-rates of host a's queues come to 1200 kbit/s, more than its max-rate"
        ),
    ])
    func eachFaultHasItsWords(text: String, expected: String) {
        let faults = Self.faults(text)
        #expect(faults.contains { $0.hasPrefix(expected) }, "\(faults)")
    }

    @Test func queuesAreReadWithAllTheyHave() throws {
        let network = try NetworkFile.parse(
            """
            hosts:
              a:
                address: 192.0.2.1
                queues:
                  0: {priority: 2}
                  7: {min-rate: 1 Mbit/s, max-rate: 2.5 Gbit/s, priority: 1, burst: 64 KiB, buffer: 2097152}
            tenants: {t: {switches: {s: {ports: {p: {mac: "02:00:00:00:00:01", host: a, queue: 7, max-rate: 3 Gbit/s},
                q: {mac: "02:00:00:00:00:02", host: a, queue: 0}}}}}}
            """)
        #expect(
            network.hosts[0].queues == [
                HostQueue(number: 0, priority: 2),
                HostQueue(
                    number: 7, minimumKilobits: 1000, maximumKilobits: 2_500_000, priority: 1, burstBytes: 65536, bufferBytes: 2_097_152),
            ])
        #expect(network.tenants[0].switches[0].ports[0].maximumKilobits == 3_000_000)
    }

    /// A network without faults, in which each case puts one thing for another.
    private static let right = """
        hosts: {a: {address: 192.0.2.1}, b: {address: 192.0.2.2}}
        tenants:
          t:
            switches:
              s: {ports: {p: {mac: "02:00:00:00:00:01", addresses: [10.0.0.2, "fd00::2"], host: a}, q: {mac: "02:00:00:00:00:02", addresses: 10.0.0.3, host: b}}}
              u: {ports: {x: {mac: "02:00:00:00:00:03", addresses: 10.0.1.2, host: a}}}
            routers:
              r:
                ports:
                  one: {switch: s, addresses: [10.0.0.1/24, "fd00::1/64"]}
                  two: {switch: u, addresses: 10.0.1.1/24}
        """

    @Test(
        arguments: [
            ("10.0.0.2", "10.0.0.0", "port p: 10.0.0.0 is the address of the subnet 10.0.0.0/24 itself, of port one of router r"),
            ("10.0.0.2", "10.0.0.255", "port p: 10.0.0.255 is the broadcast address of 10.0.0.0/24, of port one of router r"),
            ("10.0.0.2", "127.0.0.1", "port p: 127.0.0.1 is no address of one machine"),
            ("fd00::2", "::1", "port p: ::1 is no address of one machine"),
            ("10.0.0.2", "255.255.255.255", "port p: 255.255.255.255 is no address of one machine"),
            ("192.0.2.1}", "255.255.255.255}", "host a: 255.255.255.255 is no address of one machine"),
            ("10.0.1.1/24", "127.0.0.1/8", "port two of router r: 127.0.0.1 is no address of one port"),
            ("10.0.0.2", "10.0.0.3", "port q has the address 10.0.0.3 of port p on switch s"),
            ("10.0.0.2", "10.0.0.1", "port one of router r has the address 10.0.0.1 of port p on switch s"),
            ("00:00:00:01", "00:00:00:02", "port q has the mac 02:00:00:00:00:02 of port p on switch s"),
            ("02:00:00:00:00:01", "00:00:00:00:00:00", "port p: 00:00:00:00:00:00 is no address"),
            (
                "switch: u, addresses: 10.0.1.1/24", "switch: s, addresses: 10.0.0.9/25",
                "router r: subnet 10.0.0.0/25 of port two overlaps 10.0.0.0/24 of port one"
            ),
            (
                "two: {switch: u,", "two: {switch: u, mac: \"02:00:00:00:00:03\",",
                "port two of router r has the mac 02:00:00:00:00:03 of port x on switch u"
            ),
            (
                "two: {switch: u, addresses: 10.0.1.1/24}",
                "two: {switch: u, addresses: 10.0.1.1/24}\n      o: {ports: {z: {switch: u, addresses: 10.0.1.9/16}}}",
                "port z of router o: subnet 10.0.0.0/16 overlaps 10.0.1.0/24 of port two of router r on switch u"
            ),
            (
                "two: {switch: u, addresses: 10.0.1.1/24}",
                "two: {router: o, port: z, addresses: 10.0.1.1/24}\n      o: {ports: {z: {router: r, port: two, addresses: 10.0.5.1/24}}}",
                "port two of router r has no subnet in common with port z of router o, to which it leads"
            ),
            (
                "two: {switch: u, addresses: 10.0.1.1/24}", "two: {router: r, port: one, addresses: 10.0.7.1/24}",
                "port two of router r: port one of router r does not lead back to it"
            ),
            (
                "addresses: 10.0.1.1/24}",
                "addresses: 10.0.1.1/24}\n        routes: [{to: 0.0.0.0/0, via: 10.0.1.2}, {to: 0.0.0.0/0, via: 10.0.0.2}]",
                "router r: route to 0.0.0.0/0 is there twice"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24}\n        routes: [{to: 0.0.0.0/0, via: \"fd00::2\"}]",
                "router r: route to 0.0.0.0/0: the next hop fd00::2 is of the other address family"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24}\n        routes: [{to: 10.9.0.0/16, via: 10.0.1.1}]",
                "router r: route to 10.9.0.0/16: the next hop 10.0.1.1 is the router itself"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24}\n        routes: [{to: 10.0.1.0/24, via: 10.0.0.2}]",
                "router r: route to 10.0.1.0/24: the router is itself in 10.0.1.0/24"
            ),
            ("s: {ports", "s: {access: [{direction: in, verdict: drop, port: nobody}], ports", "switch s: rule rule-1: there is no port 'nobody'"),
            (
                "s: {ports", "s: {neighbors: [{address: 10.0.0.77, mac: \"02:00:00:00:00:09\"}], ports",
                "switch s has neighbors but no uplink port behind which they are"
            ),
            (
                "s: {ports", "s: {neighbors: [{address: 224.0.0.1, mac: \"02:00:00:00:00:09\"}], ports",
                "neighbor 224.0.0.1 is no address of one machine"
            ),
            ("host: b}", "host: b, tap: \"a/b\"}", "port q: 'a/b' is no name of a device or namespace: no '/', no spaces, not '.' or '..'"),
            ("host: b}", "host: b, namespace: ..}", "port q: '..' is no name of a device or namespace: no '/', no spaces, not '.' or '..'"),
            ("host: b}", "uplink: true}", "port q is an uplink and has no host"),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24, in-line: {host: c}}",
                "in-line element at port two of router r: there is no host 'c'"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24, in-line: {peer-side: {tap: x}}}",
                "in-line element at port two of router r has no host: where it is"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24, in-line: {host: a, peer-side: {tap: x}, router-side: {tap: x}}}",
                "t/r/two:peer-side: x of host a is already port t/r/two:router-side"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24, in-line: {host: a, peer-side: {device: a/b}}}",
                "in-line element at port two of router r, peer-side: 'a/b' is no name of a device or namespace: no '/', no spaces, not '.' or '..'"
            ),
            (
                "addresses: 10.0.1.1/24}", "addresses: 10.0.1.1/24, in-line: {host: a, peer-side: {tap: x, device: y}}}",
                "in-line element at port two of router r, peer-side: is attached more than once: give one of tap, namespace and device"
            ),
            (
                "u: {ports: {x: {mac: \"02:00:00:00:00:03\", addresses: 10.0.1.2, host: a}}}\n    routers:\n      r:\n        ports:\n          one: {switch: s, addresses: [10.0.0.1/24, \"fd00::1/64\"]}\n          two: {switch: u, addresses: 10.0.1.1/24}",
                "u: {placement: last-hop, ports: {}}\n    routers:\n      r:\n        ports:\n          two: {switch: u, addresses: 10.0.1.1/24, in-line: {host: a}}",
                "in-line element at port two of router r: packets from the router do not pass there, since switch u has 'placement: last-hop'"
            ),
            (
                "two: {switch: u, addresses: 10.0.1.1/24}",
                "two: {router: o, port: z, addresses: 10.0.5.2/24, in-line: {host: a}}\n      o: {ports: {z: {router: r, port: two, addresses: 10.0.5.1/24, in-line: {host: b}}}}",
                "in-line element at port two of router r: port z of router o, at the other end, has one already"
            ),
        ])
    func whatCannotBeIsRefusedWhole(old: String, new: String, expected: String) throws {
        #expect(Self.faults(Self.right) == [])
        let text = Self.right.replacing(old, with: new, maxReplacements: 1)
        #expect(text != Self.right)
        let faults = Self.faults(text).map { $0.split(separator: " ", maxSplits: 1).last.map(String.init) ?? "" }
        #expect(faults.contains(expected), "\(faults)")
        let ofTenant = try Self.faultsOfTenant(text)
        #expect(ofTenant == Self.faultsWithoutPlaces(text))
    }

    /// As the whole network is judged, so is one tenant that takes another's place in a network that is right.
    private static func faultsOfTenant(_ text: String) throws -> [String] {
        let root = try NetworkFile.compose(text)
        let hosts = try #require(root["hosts"])
        var network: NetworkDescription
        do {
            network = try NetworkFile.read(Node([(Node("hosts"), hosts)]))
        } catch {
            // The hosts themselves.
            return faultsWithoutPlaces(text)
        }
        let old = try NetworkFile.parse(right)
        network.tenants = old.tenants
        var faults: [NetworkFault] = []
        for (key, node) in try #require(root["tenants"]?.mapping) {
            let read = NetworkFile.readTenant(try #require(key.scalar?.string), node)
            faults += read.faults
            guard let tenant = read.tenant else { continue }
            do { try network.validate(tenant, others: AttachmentIndex(old)) } catch { faults += error.faults }
        }
        return faults.map(\.message).sorted()
    }
    private static func faultsWithoutPlaces(_ text: String) -> [String] {
        do {
            _ = try NetworkFile.parse(text)
            return []
        } catch { return error.faults.map(\.message).sorted() }
    }

    @Test func tenantsDoNotTakeEachOthersDevices() throws {
        let text = """
            hosts: {a: {address: 192.0.2.1}}
            tenants:
              t: {switches: {s: {ports: {p: {mac: "02:00:00:00:00:01", host: a, tap: one}}}}}
              u: {switches: {s: {ports: {p: {mac: "02:00:00:00:00:01", host: a, tap: two}}}}}
            """
        var network = try NetworkFile.parse(text)
        var index = AttachmentIndex(network)
        var other = network.tenants[1]
        try network.validate(other, others: index)
        other.switches[0].ports[0].attachment = .tap("one")
        let faults = #expect(throws: NetworkFaults.self) { try network.validate(other, others: index) }
        #expect(faults?.faults.map(\.message) == ["port p: one of host a is already port t/s/p"])
        network.tenants[1] = other
        #expect(throws: NetworkFaults.self) { try network.validate() }
        // Once the other has let go of it.
        var first = network.tenants[0]
        first.switches[0].ports[0].attachment = nil
        index.replace(network.tenants[0], with: first)
        network.tenants[0] = first
        try network.validate(other, others: index)
        try network.validate()
    }

    @Test func aFileThatIsCutAnywhereIsRefusedOrReadButNeverTraps() throws {
        let text = """
            hosts: {a: {address: 192.0.2.1}}
            tenants:
              t:
                switches:
                  s: {ports: {p: {mac: "02:00:00:00:00:01", addresses: [10.0.0.2, "fd00::2"], host: a, rate: 10 Mbit/s}}, access: [{direction: in, verdict: drop}]}
                routers: {r: {ports: {p: {switch: s, addresses: [10.0.0.1/24]}}, routes: [{to: 0.0.0.0/0, via: 10.0.0.2}]}}
            """
        _ = try NetworkFile.parse(text)
        for count in 0..<text.count { _ = Self.faults(String(text.prefix(count))) }
        var random = UInt64(7)
        for _ in 0..<400 {
            var bytes = Array(text.utf8)
            for _ in 0..<3 {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(random >> 33) % bytes.count] = UInt8(32 + random >> 58)
            }
            _ = Self.faults(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test(
        arguments: [
            ("1 kbit/s", 1), ("2.5 Gbit/s", 2_500_000), ("10 Mbit/s", 10_000), ("0 kbit/s", nil), ("10", nil), ("-1 kbit/s", nil),
            ("9999 Gbit/s", nil), ("nan kbit/s", nil),
        ] as [(String, UInt32?)])
    func ratesHaveUnits(text: String, kilobits: UInt32?) { #expect(SwitchReader.rate(text) == kilobits) }
}

@Suite struct AddressTests {
    @Test func aPoolNodeStandsInForSoManyHosts() {
        func file(_ more: String) -> String {
            let hosts = (1...2048).map { "  h\($0): {address: 10.0.\($0 / 200).\($0 % 200 + 1)}\n" }
            return "hosts:\n  pool: {address: 10.1.0.1, pool: true\(more)}\n" + hosts.joined()
        }
        #expect(
            NetworkFileTests.faults(file("")) == [
                "2:3: host pool can stand in for failed tunnels of 2048 hosts, and there are 2049: say 'bfd: false'"
            ])
        #expect(NetworkFileTests.faults(file(", bfd: false")) == [])
    }

    @Test func aRangeIsTheUnionOfItsBlocks() {
        for (first, last) in [(0, 65535), (1, 65534), (80, 80), (8000, 8999), (65535, 65535), (0, 0), (1024, 65535)] {
            let blocks = AccessRule.PortRange(UInt16(first), UInt16(last)).blocks
            #expect(blocks.count <= 30)
            for port in 0...65535 {
                let hits = blocks.count { UInt16(port) & $0.mask == $0.value }
                if hits != ((first...last).contains(port) ? 1 : 0) { Issue.record("\(first)-\(last): port \(port) is in \(hits) blocks") }
            }
        }
    }

    @Test func prefixesContainAndOverlap() throws {
        let net = try #require(AddressPrefix("2001:db8::/33"))
        #expect(
            net.contains(IPAddress("2001:db8:7fff::1")!) && !net.contains(IPAddress("2001:db8:8000::1")!) && !net.contains(IPAddress("10.0.0.1")!))
        #expect(
            AddressPrefix("10.0.0.0/8")!.overlaps(AddressPrefix("10.1.2.3/32")!)
                && !AddressPrefix("10.0.0.0/9")!.overlaps(AddressPrefix("10.128.0.0/9")!))
        #expect(AddressPrefix("0.0.0.0/0")!.contains(IPAddress("255.255.255.255")!))
        #expect(
            AddressPrefix("10.0.0.0/33") == nil && AddressPrefix("10.0.0.0/") == nil && AddressPrefix("10.0.0.0/+8") == nil
                && AddressPrefix("::/129") == nil)
        #expect(AddressPrefix("10.0.0.77/24")!.subnet.description == "10.0.0.0/24")
    }
}
