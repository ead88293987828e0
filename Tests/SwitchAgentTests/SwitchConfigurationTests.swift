import Flow
import Ports
import Testing

@testable import SwitchAgent

@Suite struct SwitchConfigurationTests {
    private func faults(_ yaml: String) -> [String] {
        do throws(ConfigurationError) {
            _ = try SwitchConfiguration(yaml: yaml, file: "s.yaml")
            return []
        } catch {
            return error.lines
        }
    }

    @Test func anEmptyFileIsTheStandardSwitch() throws {
        #expect(try SwitchConfiguration(yaml: "", file: "") == SwitchConfiguration())
        #expect(try SwitchConfiguration(yaml: "# nothing\n", file: "") == SwitchConfiguration())
        #expect(try SwitchConfiguration(yaml: "ports:\nflows:\n", file: "") == SwitchConfiguration())
    }

    @Test func everyKeyIsRead() throws {
        let c = try SwitchConfiguration(
            yaml: """
                workers: 3
                spin: 1ms
                pin-workers: yes
                socket: /tmp/x.sock
                log-level: debug
                namespaces: true
                ports:
                  - {name: vm1, number: 7, kind: tap, device: tap7, netns: blue, mtu: 9000, mac: "02:00:00:00:00:07", persist: true}
                  - {name: p1, kind: patch, peer: p2}
                  - {name: nat, kind: service, path: /run/weft/nat.sock}
                tunnels:
                  - {name: g0, number: 0x10, kind: geneve, remote: flow, local: 192.0.2.1, key: flow, port: 6082, checksum: false,
                     ttl: inherit, tos: 8, dont-fragment: false, mtu: 1400}
                  - {name: x0, kind: vxlan, remote: "2001:db8::1", key: 0xffffff, group-policy: true, netns: red}
                  - {name: r0, kind: gre, remote: 192.0.2.3, key: 0xffffffff, sequence: true}
                flows: {file: a.flows}
                groups: |
                  group_id=1,type=all,bucket=output:1
                meters: ["meter=1,pktps,band=type=drop,rate=10"]
                controllers: ["tcp:127.0.0.1:6653"]
                """, file: "s.yaml")
        #expect(c.workers == 3 && c.spin == 1_000_000 && c.pinsWorkers && c.socket == "/tmp/x.sock" && c.logLevel == .debug && c.allowsNamespaces)
        #expect(c.controllers == [.connect(host: "127.0.0.1", port: 6653, isSecure: false)])
        #expect(
            c.ports[0]
                == SwitchConfiguration.Port(
                    name: "vm1", number: 7, kind: .tap, device: "tap7", namespace: "blue", mtu: 9000, address: [2, 0, 0, 0, 0, 7], isPersistent: true)
        )
        #expect(c.ports[1].peer == "p2" && c.ports[2].path == "/run/weft/nat.sock" && c.tunnels[1].namespace == "red" && c.usesNamespaces)
        let g = c.tunnels[0].portConfiguration(number: 16)
        #expect(c.tunnels[0].number == 16 && g.remote == .flow && g.key == .flow && g.destinationPort == 6082 && g.checksum == .off)
        #expect(g.ttl == .inherit && g.tos == .fixed(8) && !g.dontFragment && g.mtu == 1400)
        let x = c.tunnels[1].portConfiguration(number: 2)
        #expect(x.key == .fixed(0xff_ffff) && x.hasGroupPolicy && x.destinationPort == 4789 && x.dontFragment)
        let r = c.tunnels[2].portConfiguration(number: 3)
        #expect(r.key == .fixed(0xffff_ffff) && r.hasSequence)
        #expect(c.flows == .file("a.flows", line: 16))
        #expect(c.groups == .inline("group_id=1,type=all,bucket=output:1\n", line: 18))
    }

    @Test(arguments: [
        ("worker: 2", "s.yaml:1:1: the configuration has no key 'worker' (did you mean workers?)"),
        ("workers: 0", "s.yaml:1:10: workers must be a number from 1 to 64, not '0'"),
        ("workers: [1]", "s.yaml:1:10: workers must be one value, not a list"),
        ("\nspin: 5", "s.yaml:2:7: spin must be a time like 20us, 1ms or 0, not '5'"),
        ("log-level: inf", "(did you mean info?)"),
        ("ports: vm1", "s.yaml:1:8: ports must be a list: lines that begin with '- '"),
        ("ports: [{kind: tap}]", "s.yaml:1:9: port 1 has no name"),
        ("ports: [{name: a}]", "port 1 has no kind: one of tap, packet"),
        ("ports: [{name: a, kind: service, path: x}]", "path must be an absolute path of up to 107 bytes, not 'x'"),
        ("ports: [{name: a/b, kind: service}]", "'a/b' cannot be a file's name; say where the service connects with path:"),
        ("ports: [{name: a, kind: memory, path: /x}]", "path is for service ports, and a is a memory port"),
        ("ports: [{name: a, kind: tpa}]", "kind must be one of tap, packet, xdp, patch, service, memory, not 'tpa' (did you mean tap?)"),
        ("ports:\n- {name: a, kind: tap}\n- {name: a, kind: tap}", "s.yaml:3:10: the name 'a' is taken by the port of line 2"),
        ("ports:\n- {name: a, kind: tap, number: 3}\n- {name: b, kind: tap, number: 3}", "number 3 is taken by the port 'a'"),
        ("ports: [{name: a, kind: tap, number: 0xffffff00}]", "number must be a number from 1 to 4294967039, not '0xffffff00'"),
        ("ports: [{name: a, kind: tap, mtu: 20}]", "mtu must be a number from 68 to 65535, not '20'"),
        ("ports: [{name: a, kind: tap, mac: 01:00:00:00:00:01}]", "mac must be an Ethernet address of one station"),
        ("ports: [{name: a, kind: packet, persist: true}]", "persist is for tap ports, and a is a packet port"),
        ("ports: [{name: a, kind: patch}]", "has no peer"),
        ("ports: [{name: much-too-long-for-a-device, kind: tap}]", "cannot be a device's name"),
        ("tunnels: [{name: a, kind: tap, remote: 1.1.1.1}]", "kind must be one of vxlan, geneve, gre, not 'tap'"),
        ("tunnels: [{name: a, kind: vxlan, remote: host}]", "remote must be an IPv4 or IPv6 address, or flow, not 'host'"),
        ("tunnels: [{name: a, kind: vxlan, remote: 1.1.1.1, key: 16777216}]", "key must be a number from 0 to 16777215, or flow"),
        ("tunnels: [{name: a, kind: vxlan, remote: 1.1.1.1, sequence: true}]", "sequence is for gre tunnels"),
        ("tunnels: [{name: a, kind: vxlan, remote: 1.1.1.1, local: \"::1\"}]", "are of different IP versions"),
        ("tunnels: [{name: a, kind: vxlan, remote: flow, bfd: true}]", "bfd is for tunnels with one remote, and that of a is flow"),
        ("tunnels: [{name: a, kind: gre, remote: 1.1.1.1, bfd: maybe}]", "bfd must be true or false, not 'maybe'"),
        ("tunnels: [{name: a, kind: gre, remote: 1.1.1.1, bfd: {interval: 9 ms}}]", "interval must be a time from 10 ms to 60 s, not '9 ms'"),
        ("tunnels: [{name: a, kind: gre, remote: 1.1.1.1, bfd: {multiplier: 0}}]", "multiplier must be a number from 1 to 50, not '0'"),
        ("tunnels: [{name: a, kind: gre, remote: 1.1.1.1, bfd: {intervall: 1s}}]", "bfd has no key 'intervall' (did you mean interval?)"),
        ("flows: pipeline.flows", "a file is given as {file: pipeline.flows}"),
        ("a: 1\nb: [", "not YAML"),
        ("workers: 1\nworkers: 2", "given twice"),
        ("- 1", "a configuration is a mapping"),
    ]) func aFaultIsToldWithItsLineAndValue(yaml: String, message: String) {
        let found = faults(yaml)
        #expect(found.contains { $0.contains(message) }, "\(found)")
        #expect(found.allSatisfy { $0.hasPrefix("s.yaml:") })
    }

    @Test func aTunnelIsWatchedWhenAsked() throws {
        func read(_ bfd: String) throws -> LivenessConfiguration? {
            let c = try SwitchConfiguration(yaml: "tunnels: [{name: a, kind: gre, remote: 1.1.1.1\(bfd)}]", file: "s.yaml")
            return c.tunnels[0].portConfiguration(number: 1).liveness
        }
        #expect(try read("") == nil && read(", bfd: false") == nil)
        #expect(try read(", bfd: true") == LivenessConfiguration(interval: 300_000_000, multiplier: 3))
        #expect(try read(", bfd: {interval: 100 ms}") == LivenessConfiguration(interval: 100_000_000, multiplier: 3))
        #expect(try read(", bfd: {interval: 60s, multiplier: 50}") == LivenessConfiguration(interval: 60_000_000_000, multiplier: 50))
    }

    @Test func allFaultsAreToldAtOnceInOrder() {
        let found = faults("workers: x\nspin: y\nports:\n- {name: a, kind: q}\n")
        #expect(found.count == 3)
        #expect(zip(found, ["s.yaml:1:", "s.yaml:2:", "s.yaml:4:"]).allSatisfy { $0.hasPrefix($1) })
    }

    @Test func faultsOfInlineEntriesHaveTheLinesOfTheConfiguration() throws {
        for yaml in [
            "workers: 1\nflows: |\n  priority=1,actions=drop\n  priority=x,actions=drop\n",
            "workers: 1\nflows:\n  - priority=1,actions=drop\n  - priority=x,actions=drop\n",
        ] {
            let c = try SwitchConfiguration(yaml: yaml, file: "s.yaml")
            do throws(ConfigurationError) {
                _ = try ConfiguredProgram(c, file: "s.yaml")
                Issue.record("accepted")
            } catch {
                #expect(error.lines.count == 1 && error.lines[0].hasPrefix("s.yaml:4: "), "\(error)")
            }
        }
    }

    @Test func aMissingFlowFileIsAFaultOfItsLine() throws {
        let c = try SwitchConfiguration(yaml: "\nflows: {file: nowhere.flows}", file: "/etc/s.yaml")
        do throws(ConfigurationError) {
            _ = try ConfiguredProgram(c, file: "/etc/s.yaml")
            Issue.record("accepted")
        } catch {
            #expect(error.lines == ["/etc/s.yaml:2: flows: /etc/nowhere.flows cannot be read: No such file or directory"])
        }
    }

    // MARK: - Differences

    @Test func equalPortsAreLeftAloneByAReload() throws {
        let old = try SwitchConfiguration(yaml: "ports: [{name: a, kind: tap}, {name: b, kind: tap}, {name: c, kind: tap}]", file: "")
        let new = try SwitchConfiguration(yaml: "ports: [{name: c, kind: tap}, {name: b, kind: tap, mtu: 900}, {name: d, kind: tap}]", file: "")
        let d = PortDifference(
            from: Dictionary(uniqueKeysWithValues: old.ports.map { ($0.name, .port($0)) }), to: new.ports.map(SwitchDaemon.Wanted.port))
        #expect(d.closed == ["a", "b"])
        #expect(d.opened.map(\.name) == ["b", "d"])
        #expect(d.lines == ["port a removed", "port b changed", "port d added"])
    }

    private func program(_ flows: String, groups: String = "") throws -> ConfiguredProgram {
        var c = SwitchConfiguration()
        c.flows = .inline(flows, line: 1)
        if !groups.isEmpty { c.groups = .inline(groups, line: 1) }
        return try ConfiguredProgram(c, file: "")
    }

    @Test func onlyDifferentEntriesAreChanged() throws {
        let old = try program("priority=1,actions=drop\npriority=2,actions=drop\npriority=3,ip,actions=drop\n", groups: "group_id=1,type=all\n")
        let new = try program("priority=1,actions=drop\npriority=2,actions=output:1\npriority=4,actions=drop\n")
        let other = FlowEntry(priority: 77)
        let changes = new.entries.count == 3 ? old.changes(to: new, live: old.entries + [other]) : []
        let texts = changes.map { FlowText.text($0) }
        #expect(texts.count == 4, "\(texts)")
        #expect(texts.contains { $0.contains("priority=2") && $0.contains("output:1") })
        #expect(texts.contains { $0.contains("priority=4") })
        #expect(texts.contains { $0.contains("delete_strict") && $0.contains("priority=3") })
        #expect(changes.last == .deleteGroup(1))
        // An entry that somebody deleted comes back; nothing else is touched.
        #expect(old.changes(to: old, live: Array(old.entries.dropFirst())).count == 1)
        #expect(old.changes(to: old, live: old.entries).isEmpty)
    }

    @Test func capabilitiesFollowTheConfiguration() throws {
        let plain = try SwitchConfiguration(yaml: "ports: [{name: a, kind: tap}]", file: "")
        #expect(Privileges.needed(by: plain) == 1 << 12 | 1 << 13)
        let spaces = try SwitchConfiguration(yaml: "ports: [{name: a, kind: tap, netns: blue}]", file: "")
        #expect(Privileges.needed(by: spaces) == 1 << 12 | 1 << 13 | 1 << 21)
    }
}
