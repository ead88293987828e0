/// Lines that Open vSwitch 3.1 and Weft must judge alike and print alike, and those where they differ on purpose.
enum FlowTextCorpus {
    private static let matches: [String] = [
        "", "ip", "tcp", "udp", "sctp", "icmp", "arp", "rarp", "ipv6", "tcp6", "udp6", "sctp6", "icmp6", "mpls", "mplsm", "ip4", "ipv4", "ip6",
        "in_port=1", "in_port=LOCAL", "in_port=local", "in_port=65534", "in_port=CONTROLLER", "in_port=4294967294", "in_port=65279",
        "in_port=0x1", "in_port=-1", "in_port=70000", "in_port=foo", "in_port=ANY",
        "dl_src=00:11:22:33:44:55", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "eth_src=0:1:2:3:4:5", "eth_dst=00:11:22:33:44", "dl_src=xx",
        "dl_src=00:11:22:33:44:55/ff:ff:ff:00:00:00", "dl_dst=*", "dl_type=0x1234", "dl_type=0x0800", "eth_type=2048", "dl_type=0x800/0xff00",
        "dl_type=0x10000",
        "vlan_tci=0x1123", "vlan_tci=0x1000/0x1000", "vlan_tci=0", "vlan_tci=0xf123/0xf000", "dl_vlan=5", "dl_vlan=0xffff", "dl_vlan=0",
        "dl_vlan_pcp=3", "dl_vlan=5,dl_vlan_pcp=3", "vlan_vid=0x1005", "vlan_vid=0x1000/0x1000", "vlan_pcp=5", "vlan_pcp=5,dl_vlan=1", "vlan_vid=5",
        "mpls,mpls_label=5", "mpls,mpls_tc=3", "mpls,mpls_bos=1", "mpls,mpls_ttl=9", "mpls_label=5", "mpls,mpls_label=5,mpls_tc=1,mpls_bos=0",
        "ip,nw_src=10.0.0.1", "ip,nw_src=10.0.0.1/8", "ip,nw_dst=10.0.0.0/255.0.255.0", "ip,ip_src=1.2.3.4/32", "ip,nw_src=1.2.3.4/0",
        "ip,nw_src=1.2.3",
        "ip,nw_src=1.2.3.256", "ip,nw_src=1.2.3.4/33", "ip,nw_src=*", "nw_src=1.2.3.4", "ip,nw_src=1.2.3.4/",
        "ipv6,ipv6_src=2001:db8::1", "ipv6,ipv6_dst=2001:db8::/32", "ipv6,ipv6_src=::", "ipv6,ipv6_src=::1/::1", "ipv6,ipv6_src=::ffff:1.2.3.4",
        "ipv6,ipv6_src=1::2::3", "ipv6,ipv6_src=fe80::1/129", "ipv6,ipv6_label=0x12345", "ipv6,ipv6_label=5/0xf", "ipv6,ipv6_dst=1:2:3:4:5:6:7:8",
        "ipv6,ipv6_dst=1:0:0:4:0:0:0:8", "ipv6,ipv6_src=::1.2.3.4", "ipv6,nw_src=1.2.3.4", "ip,ipv6_src=::1",
        "ip,nw_proto=47", "ipv6,nw_proto=47", "ip,nw_proto=6", "ip,ip_proto=17", "nw_proto=6", "ip,nw_proto=256", "ip,nw_tos=0", "ip,nw_tos=252",
        "ip,ip_dscp=63", "ip,nw_ecn=3", "ip,ip_ecn=1", "ip,nw_ttl=64", "ipv6,nw_ttl=1,nw_tos=8", "ip,nw_ttl=64/0xf0", "ip,nw_tos=4,nw_ecn=2",
        "ip,ip_frag=no", "ip,ip_frag=yes", "ip,nw_frag=first", "ip,ip_frag=later", "ip,ip_frag=not_later", "ip,ip_frag=LATER", "ip,ip_frag=maybe",
        "ip_frag=no",
        "arp,arp_op=1", "arp,arp_spa=1.2.3.4", "arp,arp_tpa=1.2.3.0/24", "arp,arp_sha=00:11:22:33:44:55", "arp,arp_tha=00:11:22:33:44:55",
        "arp,nw_src=1.2.3.4",
        "arp,nw_proto=2", "rarp,arp_op=3", "arp_op=1", "arp,arp_sha=00:11:22:33:44:55/ff:00:00:00:00:00",
        "tcp,tp_src=80", "tcp,tcp_dst=80", "tcp,tp_src=0x1000/0xf000", "udp,udp_src=53", "udp,tp_dst=53", "sctp,sctp_dst=5", "tcp6,tcp_src=1",
        "udp6,udp_dst=1/1",
        "tp_src=5", "tcp_src=5", "ip,tp_src=5", "udp,tcp_src=5", "tcp,tp_src=65536", "tcp,tp_src=", "tcp,tp_src",
        "tcp,tcp_flags=+syn-ack", "tcp,tcp_flags=syn", "tcp,tcp_flags=0x12", "tcp,tcp_flags=2/0x12", "tcp,tcp_flags=+foo", "udp,tcp_flags=+syn",
        "tcp,tcp_flags=syn|ack", "tcp,tcp_flags=+syn+syn", "tcp6,tcp_flags=-rst", "tcp,tcp_flags=0",
        "icmp,icmp_type=8", "icmp,icmp_type=8,icmp_code=0", "icmp,tp_src=3", "icmp6,icmpv6_type=128", "icmp6,icmp_type=135", "icmp_type=8",
        "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1", "icmp6,icmpv6_type=135,icmpv6_code=0,nd_sll=00:11:22:33:44:55",
        "icmp6,icmpv6_type=136,icmpv6_code=0,nd_tll=00:11:22:33:44:55", "icmp6,nd_target=fe80::1", "icmp,icmp_type=256",
        "icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=fe80::/16",
        "tun_id=5", "tun_id=0x10/0xf0", "tunnel_id=7", "tun_src=1.2.3.4", "tun_dst=1.0.0.0/8", "tun_ipv6_src=::1", "tun_ipv6_dst=fe80::/10",
        "tun_flags=+oam",
        "tun_flags=-oam", "tun_flags=oam", "tun_gbp_id=5", "tun_gbp_flags=8", "tun_metadata0=5",
        "metadata=5", "metadata=0x1234567890abcdef", "metadata=5/0xff", "metadata=0x10000000000000000", "metadata=-1",
        "reg0=0", "reg0=5", "reg15=0xffffffff", "reg3=5/0xf", "reg0=0x100000000", "reg16=1", "xreg0=5", "xreg1=0x100000002", "xxreg0=1",
        "xxreg0=0x1234567890abcdef1234567890abcdef", "xxreg3=5/0xff", "reg0[0..3]=5", "reg0[4]=1", "NXM_NX_REG1[]=5", "NXM_NX_REG1[8..15]=0xff",
        "reg0[0..3]=16",
        "reg0[5..3]=1", "reg0[32]=1", "reg0[a]=1", "reg0=010", "reg0=08", "reg0=+5", "reg0=5x", "reg0=0x",
        "pkt_mark=5", "pkt_mark=5/0xff", "conj_id=7", "conj_id=7/0xf", "actset_output=5",
        "foo=1", "nwsrc=1.2.3.4", "foo", "tcp=1", "eth", "ip,ip", "tcp,udp", "reg0=1,reg0=2", "ip,nw_src=1.2.3.4,nw_src=*",
        "reg0=1/0xff,reg0=0x100/0xff00",
        "priority=5", "priority=65535", "priority=65536", "priority=-1", "priority=0x10", "priority=", "table=0", "table=1", "table=254", "table=x",
        "table=256", "cookie=0x1234", "cookie=-1", "cookie=1/1", "cookie=x", "idle_timeout=5", "hard_timeout=70000", "idle_timeout=5,hard_timeout=6",
        "send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts,no_byte_counts", "importance=5", "out_port=1",
        "duration=5s,n_packets=3,n_bytes=7",
        "idle_age=5", "hard_age=6", "no_readonly_table", "allow_hidden_fields", "n_packets",
    ]

    private static let actions: [String] = [
        "", "drop", "1", "output:1", "output=1", "output(1)", "output:65280", "output:65279", "LOCAL", "local", "in_port", "IN_PORT", "normal",
        "flood", "all",
        "controller", "controller:128", "CONTROLLER:65535", "controller(max_len=5)", "controller(reason=no_match)", "controller(id=5)",
        "controller(userdata=01.02)", "controller(pause)", "controller(foo=1)", "controller:70000", "controller(reason=foo)", "output:controller",
        "controller(max_len=1,reason=invalid_ttl,id=7,userdata=00,meter_id=3)", "none", "any", "output:foo", "output:-1", "foo", "1,2,3",
        "output:1 output:2",
        "output(port=1,max_len=64)", "output(port=1,max_len=13)", "output(port=LOCAL,max_len=100)", "output(port=ALL,max_len=100)", "output(port=1)",
        "output:NXM_NX_REG0[]", "output:NXM_NX_REG0[0..15]", "output:reg1[5..10]", "output:reg0", "output:foo[]", "output:NXM_OF_TCP_SRC[]",
        "resubmit:1", "resubmit(1,2)", "resubmit(,2)", "resubmit(1,)", "resubmit:in_port", "resubmit(in_port,3)", "resubmit(,255)", "resubmit()",
        "resubmit(,256)",
        "resubmit(foo,1)", "resubmit(1,2,3)", "enqueue:1:2", "enqueue(1,2)", "enqueue:1", "enqueue:ALL:1", "enqueue:LOCAL:5", "set_queue:5",
        "pop_queue", "set_queue",
        "group:5", "group:x", "set_tunnel:5", "set_tunnel64:0x123456789", "set_tunnel:0x123456789", "set_tunnel:x",
        "mod_dl_src:00:11:22:33:44:55", "mod_dl_dst:00:11:22:33:44:55", "mod_dl_src:00:11", "mod_vlan_vid:5", "mod_vlan_vid:4096", "mod_vlan_pcp:3",
        "mod_vlan_pcp:8", "strip_vlan", "mod_nw_src:1.2.3.4", "mod_nw_dst:1.2.3.4", "mod_nw_src:1.2.3", "mod_nw_tos:8", "mod_nw_tos:5",
        "mod_nw_ecn:3",
        "mod_nw_ecn:4", "mod_nw_ttl:5", "mod_nw_ttl:256", "mod_tp_src:5", "mod_tp_dst:65535", "mod_tp_dst:65536", "dec_ttl", "dec_ttl(1,2)",
        "dec_ttl(7)",
        "push_mpls:0x8847", "push_mpls:0x8848", "push_mpls:0x0800", "push_mpls:0x8847,set_mpls_label:5", "push_mpls:0x8847,set_mpls_label(5)",
        "push_mpls:0x8847,set_mpls_tc:3,set_mpls_ttl:5,dec_mpls_ttl", "push_mpls:0x8847,set_mpls_tc:8", "push_mpls:0x8847,pop_mpls:0x0800,dec_ttl",
        "push_mpls:0x8847,set_mpls_label:0x100000", "push_mpls:0x8847,set_field:5->mpls_label", "set_field:5->mpls_label",
        "load:5->NXM_NX_REG0[]", "load:0x5->NXM_NX_REG0[0..3]", "load:16->NXM_NX_REG0[0..3]", "load:1->reg0[0]", "load:1->NXM_OF_ETH_TYPE[]",
        "load:1->NXM_NX_FOO[]", "load:5", "load:5->", "load:->NXM_NX_REG0[]", "load:0x112233445566->NXM_OF_ETH_SRC[]", "load:0->NXM_OF_IN_PORT[]",
        "load:0x10000->NXM_OF_IN_PORT[]", "load:5->OXM_OF_METADATA[]", "load:0->NXM_OF_VLAN_TCI[]", "load:5->NXM_NX_TUN_ID[0..23]",
        "load:1->NXM_NX_REG0[5..3]",
        "move:NXM_NX_REG0[]->NXM_NX_REG1[]", "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
        "move:NXM_NX_REG0[]->NXM_NX_REG1[0..15]", "move:NXM_NX_REG0[]", "move:NXM_OF_IP_SRC[]->NXM_NX_REG0[]", "move:reg0[0..7]->reg1[8..15]",
        "move:NXM_NX_REG0[0..15]->NXM_OF_ETH_TYPE[]", "push:NXM_NX_REG0[]", "pop:NXM_NX_REG0[0..15]", "push:NXM_NX_REG0[", "pop:NXM_OF_ETH_TYPE[]",
        "push:foo",
        "set_field:5->ip_src", "set_field:1.2.3.4->ip_src", "set_field:5->eth_type", "set_field:5->foo", "set_field:5", "set_field:64->tcp_src",
        "note:00.11.22.33.44.55", "note:001122334455", "note:1", "note:xx", "exit", "exit,1",
        "fin_timeout(idle_timeout=5)", "fin_timeout(idle_timeout=5,hard_timeout=6)", "fin_timeout(foo=5)",
        "conjunction(1,1/2)", "conjunction(1,2/2),conjunction(2,1/3)", "conjunction(1,0/2)", "conjunction(1,3/2)", "conjunction(1,1/1)",
        "conjunction(1,1/65)",
        "conjunction(1,1/2),1", "conjunction(1,1/2),note:00.00.00.00.00.00", "conjunction(1,1/2)x", "conjunction:1",
        "clone(1)", "clone(1,2),3", "clone(clone(1),2)", "clone(set_field:5->reg0,1)", "clone(drop)", "clone(goto_table:2)",
        "clone(write_actions(1))",
        "multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])", "multipath(symmetric_l4, 1024, hrw, 10, 0, NXM_NX_REG0[0..4])",
        "multipath(symmetric_l3l4,0,iter_hash,4,5,NXM_NX_REG1[0..1])", "multipath(symmetric_l3l4+udp,0,hash_threshold,4,5,NXM_NX_REG1[0..2])",
        "multipath(eth_src,50,modulo_n,5,0,NXM_NX_REG0[0..1])", "multipath(foo,50,modulo_n,1,0,NXM_NX_REG0[])",
        "multipath(eth_src,50,foo,1,0,NXM_NX_REG0[])",
        "multipath(eth_src,50,modulo_n,0,0,NXM_NX_REG0[])", "multipath(eth_src,50)", "multipath(nw_src,1,hrw,2,0,NXM_OF_ETH_TYPE[])",
        "bundle(eth_src,0,hrw,ofport,members:1,2,3)", "bundle(symmetric_l4,60,active_backup,ofport,slaves:2,3)",
        "bundle(nw_src,0,hrw,ofport,members:[1,8])",
        "bundle(nw_dst,0,hrw,ofport,members:)", "bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[],members:2,3)", "bundle(foo,0,hrw,ofport,members:1)",
        "bundle(eth_src,0,foo,ofport,members:1)", "bundle(eth_src,0,hrw,foo,members:1)", "bundle(eth_src,0,hrw,ofport,foo:1)",
        "bundle(eth_src,0,hrw,ofport,members:x)", "bundle(symmetric_l3,0,hrw,ofport,members:1,LOCAL)",
        "check_pkt_larger(1500)->NXM_NX_REG0[0]", "check_pkt_larger(1500)->reg3[5]", "check_pkt_larger(1500)->NXM_NX_REG0[]",
        "check_pkt_larger(70000)->NXM_NX_REG0[0]",
        "learn()", "learn(table=1)",
        "learn(table=2,idle_timeout=10,hard_timeout=20,fin_idle_timeout=1,fin_hard_timeout=2,priority=10,cookie=0xfedcba9876543210)",
        "learn(table=1,hard_timeout=60,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
        "learn(table=1,NXM_OF_ETH_TYPE[]=0x800,NXM_OF_IP_SRC[]=0x0a000001)",
        "learn(eth_type=0x800,nw_proto=6,NXM_OF_TCP_SRC[]=5,load:5->NXM_NX_REG0[0..7])",
        "learn(table=255)", "learn(foo)", "learn(foo=1)", "learn(NXM_OF_TCP_SRC[]=5)", "learn(load:NXM_OF_ETH_SRC[]->NXM_NX_REG0[])",
        "learn(load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[])", "learn(in_port=5,dl_src=00:11:22:33:44:55)", "learn(send_flow_rem,delete_learned,limit=5)",
        "learn(limit=5,result_dst=NXM_NX_REG0[8])", "learn(limit=5,result_dst=NXM_NX_REG0[])", "learn(reg0=5,reg1[0..3]=7)", "learn(load:->reg0[])",
        "learn(dl_type=0x86dd,ipv6_dst=fe80::1,nw_proto=17,NXM_OF_UDP_DST[]=NXM_NX_REG0[0..15])", "learn(NXM_OF_VLAN_TCI[0..11]=5)",
        "write_metadata:5", "write_metadata:5/0xff", "write_metadata:x", "clear_actions", "goto_table:5", "goto_table:1", "goto_table:0", "meter:5",
        "write_actions(1)", "write_actions(drop)", "write_actions(goto_table:5)", "1,clear_actions", "clear_actions,1", "goto_table:5,1",
        "write_metadata:1,goto_table:5",
        "goto_table:5,write_metadata:1", "write_actions(1),clear_actions", "meter:5,1", "1,meter:5", "meter:5,meter:6", "meter:0",
        "goto_table:5,goto_table:6",
        "push_vlan:0x8100", "push_vlan:0x88a8", "push_vlan:0x0800", "push_vlan:0x8100,set_field:0x1005->vlan_vid",
        "push_vlan:0x8100,push_vlan:0x8100",
        "push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100", "push_vlan:0x8100,mod_nw_src:1.2.3.4", "set_field:0x1005->vlan_vid",
        "drop,drop", "drop,1", "1,drop", "apply_actions(1)", "load:5->NXM_NX_REG0[],resubmit(,3)", "OUTPUT:1", "Mod_Dl_Src:00:11:22:33:44:55",
        "pop_mpls:0x0800", "dec_mpls_ttl", "set_mpls_label:5",
    ]

    /// Actions whose meaning depends on the match.
    private static let contexts: [(String, [String])] = [
        (
            "ip",
            [
                "mod_nw_src:1.2.3.4", "dec_ttl", "set_field:1.2.3.4->ip_src", "load:1->NXM_OF_IP_TOS[2..7]", "mod_tp_src:5",
                "push_vlan:0x8100,mod_nw_src:1.2.3.4",
                "push_vlan:0x8100,dec_ttl", "push_vlan:0x8100,mod_tp_src:5", "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]", "set_field:4->nw_tos",
                "set_field:1->ip_dscp",
                "set_field:1->nw_ecn", "push_mpls:0x8847,dec_ttl,push_vlan:0x8100", "set_field:64->nw_ttl",
            ]
        ),
        (
            "tcp",
            [
                "mod_tp_src:5", "set_field:5->tcp_src", "set_field:5->udp_src", "push_vlan:0x8100,mod_tp_src:5", "load:5->NXM_OF_TCP_DST[]",
                "set_field:5->tcp_flags", "fin_timeout(idle_timeout=5)", "learn(eth_type=0x800,nw_proto=6,NXM_OF_TCP_SRC[]=NXM_OF_TCP_DST[])",
                "learn(NXM_OF_TCP_SRC[])", "push_vlan:0x8100,fin_timeout(idle_timeout=5)", "output:NXM_OF_TCP_SRC[]",
            ]
        ),
        ("tcp,ip_frag=later", ["mod_tp_src:5", "set_field:5->tcp_src"]),
        ("udp", ["set_field:5->udp_dst", "set_field:5->tcp_dst", "push_vlan:0x8100,mod_tp_dst:5"]),
        (
            "arp",
            [
                "set_field:2->arp_op", "set_field:1.2.3.4->arp_spa", "load:0x5->NXM_OF_ARP_OP[]", "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
                "push_vlan:0x8100,mod_nw_src:1.2.3.4",
            ]
        ),
        (
            "ipv6",
            [
                "set_field:::1->ipv6_src", "set_field:5->ipv6_label", "set_field:1.2.3.4->ip_src", "dec_ttl",
                "move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]",
            ]
        ),
        (
            "icmp6,icmp_type=135,icmp_code=0",
            ["set_field:::1->nd_target", "set_field:00:11:22:33:44:55->nd_sll", "set_field:00:11:22:33:44:55->nd_tll"]
        ),
        ("icmp6,icmp_type=136,icmp_code=0", ["set_field:00:11:22:33:44:55->nd_tll", "set_field:136->icmpv6_type"]),
        ("icmp", ["set_field:8->icmp_type", "set_field:0->icmp_code", "set_field:0->icmpv6_code"]),
        (
            "mpls",
            [
                "set_field:5->mpls_label", "set_field:1->mpls_tc", "set_field:1->mpls_bos", "pop_mpls:0x0800",
                "pop_mpls:0x0800,dec_ttl,push_vlan:0x8100", "dec_mpls_ttl", "load:5->OXM_OF_MPLS_LABEL[]",
            ]
        ),
        (
            "dl_vlan=5",
            [
                "set_field:0x1006->vlan_vid", "set_field:3->vlan_pcp", "strip_vlan", "strip_vlan,push_vlan:0x8100",
                "strip_vlan,set_field:0x1006->vlan_vid", "push_vlan:0x8100,push_vlan:0x8100", "mod_vlan_vid:7",
            ]
        ),
        ("table=3", ["goto_table:4", "goto_table:3", "goto_table:2", "resubmit(,2)"]),
    ]

    static let lines: [String] =
        matches.map { $0.isEmpty ? "actions=drop" : "\($0) actions=drop" } + actions.map { "table=1 actions=\($0)" }
        + contexts.flatMap { c in c.1.map { "\(c.0) actions=\($0)" } }
        + [
            "", "tcp", "actions", "action=1", "actions =1", "tcp,action=1", "tcp actions=1 # comment", "tcp actions=clone(1", "actions=1)",
            "ip, nw_src=1.2.3.4  ,actions=1",
        ] + differences.keys.sorted()

    /// Lines that the two judge or print differently, with the reason; see Docs/Ledgers/FlowSyntax.md.
    static let differences: [String: String] = [
        "ip,nw_src=1.2.3.256 actions=drop": "cut",
        "dl_vlan=5000 actions=drop": "cut", "vlan_pcp=9 actions=drop": "cut", "mpls,mpls_label=2000000 actions=drop": "cut",
        "arp,arp_op=0x1ff actions=drop": "cut",
        "reg0=0x actions=drop": "0x without digits", "tcp actions=clone(1": "open parenthesis", "tcp actions=1 # comment": "comments outside files",
        "table=1 actions=set_field:5->eth_type": "kinds of payload are written", "mpls actions=set_field:1->mpls_bos": "kinds of payload are written",
        "actions=goto_table:0": "table 0 by default", "table=1 actions=goto_table:255": "table 255",
        "table=1 actions=write_actions(drop)": "empty action set",
        "actions=note:11.22": "padding of note", "actions=set_tunnel64:5": "set_tunnel64",
        "ip actions=push_vlan:0x8100,mod_nw_src:1.2.3.4": "mod and push together",
        "tcp actions=push_vlan:0x8100,mod_tp_src:5": "mod and push together",
        "udp actions=push_vlan:0x8100,mod_tp_dst:5": "mod and push together",
        "dl_vlan=5 actions=strip_vlan,push_vlan:0x8100": "mod and push together",
        "NXM_OF_IP_SRC=1.2.3.4,ip actions=drop": "NXM names as keys", "actions=set_field:5->reg0[0..3]": "set_field of a part",
        "actions=ct_clear": "not supported", "ct_state=+trk actions=drop": "not supported",
        "vlan_tci1=5 actions=drop": "Weft's own", "actions=output:DISPATCH": "Weft's own", "tun_ttl=3 actions=drop": "fields without OXM",
        "skb_priority=5 actions=drop": "fields without OXM", "actions=65533": "controller by number",
    ]
}
