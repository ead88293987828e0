"""Where Weft deliberately prints something else than Open vSwitch: the sequence, the reason, and the only lines that may differ.

A line is written as `ofctl-sessions` prints it: `-` what Open vSwitch says, `+` what Weft says. What is not listed here is a fault.
"""

import re

REFUSED = (r"\+ status 1", r"\+ OFPT_ERROR .*: (OFPBAC_BAD_VENDOR_TYPE|OFPBMC_BAD_FIELD)")
LIMITS = (r"-  max option space=256 max fields=64", r"\+  max option space=128 max fields=16")


RATES = (r"- queue [17]:", r"\+ queue [17]: max_rate:[15]0\.0%")
UNTOLD = "Rates are told as shares of the port's own (OpenFlow 1.3.5 §A.3.6); Open vSwitch leaves them out."


class Explanation:
    def __init__(self, sequence, reason, *lines):
        self.sequence, self.reason, self.lines = sequence, reason, [re.compile(line) for line in lines]
        self.used = False

    def covers(self, line):
        return any(pattern.fullmatch(line) for pattern in self.lines)


EXPLAINED = [
    Explanation("actions: notes and others", "There is no sampling for IPFIX; `sample` is refused.", *REFUSED, r"- .*actions=sample\(.*"),
    Explanation(
        "actions: encapsulation", "There is no pipeline aware of packet types; `encap` is refused.", *REFUSED, r"- .*actions=encap\(.*"),
    Explanation(
        "bundles: a bundle seen by a monitor", "Each update comes in a message of its own.", r"\+ OFPST_FLOW_MONITOR reply .*:"),
    Explanation(
        "bytes: a match of another type", "`OFPMT_STANDARD` is deprecated since 1.2 (OpenFlow 1.3.5 §A.2.3.1).",
        r"\+ OFPT_ERROR .*: OFPBMC_BAD_TYPE", r"- .*priority=1,metadata=0,in_port=0,.*"),
    Explanation(
        "bytes: set_field of what cannot be set", "set_field writes eth_type, ip_proto and mpls_bos (OpenFlow 1.3.5 §5.12); ovs-ofctl cannot read such an entry.",
        r"- OFPT_ERROR .*: OFPBAC_BAD_SET_ARGUMENT", r"- OFPST_FLOW reply .*:", r"\+ OFPST_FLOW reply .*: \*\*\*decode error: OFPBAC_BAD_SET_ARGUMENT\*\*\*",
        r"\+ .*actions=.*set_field:.*->(eth_type|nw_proto|mpls_bos).*"),
    Explanation(
        "bytes: goto out of range", "255 is no table: OFPTT_MAX is 254 (OpenFlow 1.3.5 §A.3.4.1).",
        r"\+ OFPT_ERROR .*: OFPBIC_BAD_TABLE_ID", r"- .*actions=goto_table:255"),
    Explanation(
        "refusals: goto a lower or the same table", "255 is no table.", r"\+ status 1", r"\+ OFPT_ERROR .*: OFPBIC_BAD_TABLE_ID",
        r"- .*actions=goto_table:255", r"\+ .*actions=goto_table:254"),
    Explanation(
        "bytes: outputs that are not ports", "0xffffff01 is Weft's dispatch port.", r"- OFPT_ERROR .*: OFPBAC_BAD_OUT_PORT"),
    Explanation(
        "bytes: old actions in a new version", "Actions of 1.1 are no actions of 1.3 (OpenFlow 1.3.5 §A.2.5).",
        r"- OFPT_ERROR .*: OFPBAC_MATCH_INCONSISTENT", r"\+ OFPT_ERROR .*: OFPBAC_BAD_TYPE"),
    Explanation(
        "bytes: packet-out, refused", "A packet without an Ethernet header is no packet.", r"\+ OFPT_ERROR .*: OFPBRC_BAD_PACKET"),
    Explanation(
        "bytes: statistics of nothing", "There is no hidden table 254.", r"\+ OFPT_ERROR .*: OFPBRC_BAD_TABLE_ID", r"- OFPST_FLOW reply .*:",
        r"- .*table=254.*"),
    Explanation(
        "bytes: statistics in two parts", "A request for flows has one part; Open vSwitch waits for more.",
        r"\+ OFPT_ERROR .*: OFPBRC_MULTIPART_BUFFER_OVERFLOW"),
    Explanation(
        "bytes: bundles, refused", "Open vSwitch answers a bundle message of an unknown type as if it were none of its business.",
        r"- OFPT_BUNDLE_CONTROL .*:", r"-  bundle_id=0x1 type=OPEN_REQUEST flags=0", r"\+ OFPT_ERROR .*: OFPBFC_BAD_TYPE"),
    Explanation(
        "flows: check_overlap", "An equal match overlaps (OpenFlow 1.3.5 §6.4).", r"\+ status 1",
        r"\+ OFPT_ERROR .*: OFPFMFC_OVERLAP", r"- .*check_overlap .*actions=output:3", r"\+ .*in_port=1 actions=output:2"),
    Explanation("ports: queues", UNTOLD, *RATES),
    Explanation("bytes: queue configuration", UNTOLD, *RATES),
    Explanation(
        "queues: queue-get-config", UNTOLD + " A queue that is not there is BAD_QUEUE.", *RATES, r"- OFPT_ERROR .*: NXQOFC_QUEUE_ERROR",
        r"\+ OFPT_ERROR .*: OFPQOFC_BAD_QUEUE"),
    Explanation(
        "groups: chains and loops", "Groups that are not there and loops are refused (OpenFlow 1.3.5 §6.5).", r"\+ status 1",
        r"\+ OFPT_ERROR .*: (OFPBAC_BAD_OUT_GROUP|OFPGMFC_LOOP)", r"-  group_id=[134],.*", r"\+  group_id=1,.*actions=output:1"),
    Explanation(
        "refusals: a group with an unknown group", "Groups that are not there are refused (OpenFlow 1.3.5 §6.5).", r"\+ status 1",
        r"\+ OFPT_ERROR .*: OFPBAC_BAD_OUT_GROUP", r"-  group_id=1,.*actions=group:2"),
    Explanation("matches: tunnel options", "There are 16 tunnel metadata fields of 8 bytes.", *LIMITS),
    Explanation("matches: tunnel options that clash", "There are 16 tunnel metadata fields of 8 bytes.", *LIMITS),
    Explanation(
        "meters: rates and bands", "Meters are Weft's own: more of them, with more bands, which also mark.",
        r"- max_meter:262144 max_bands:8 max_color:0", r"\+ max_meter:\d+ max_bands:255 max_color:0", r"- band_types: drop",
        r"\+ band_types: drop dscp_remark"),
    Explanation(
        "meters: a band that marks", "Meters also mark.", r"- status 1", r"- OFPT_ERROR .*: OFPMMFC_BAD_BAND", r"\+ meter=1 kbps bands=",
        r"[-+] type=dscp_remark rate=1000 prec_level=1"),
    Explanation(
        "packets: a port that sends no packet-ins", "The entry of priority 0 is the table's miss (OpenFlow 1.3.5 §A.2.1, OFPPC_NO_PACKET_IN).",
        r"- NXT_PACKET_IN2 .*\(via no_match\).*", r"- udp,.*"),
    Explanation(
        "ports: show", "Flow monitors have a bit of their own in 1.5.", r"- capabilities: .* BUNDLES", r"\+ capabilities: .* BUNDLES FLOW_MONITORING"),
    Explanation(
        "ports: get-frags and set-frags", "The switch does nothing to fragments; entries may match `nw_frag`.", r"\+ status 1",
        r"\+ OFPT_ERROR .*: OFPSCFC_BAD_FLAGS", r"- drop", r"\+ normal"),
    Explanation(
        "ports: dump-table-features", "Fields of connection tracking, NSH, ERSPAN, GTP-U and of Open vSwitch's own caches are not there.",
        r"[-+]         supported on Set-Field: .*", r"[-+]       arbitrary mask: .*", r"[-+]       exact match or wildcard: .*"),
    Explanation(
        "ports: dump-table-desc", "Tables evict nothing.", r"-    eviction=off eviction_flags=OTHER\|IMPORTANCE\|LIFETIME",
        r"\+    eviction=off eviction_flags=\(default\)"),
    Explanation(
        "ports: mod-table with eviction", "Tables evict nothing, and have no vacancy to tell of: OFPTC_EVICTION and OFPTC_VACANCY_EVENTS are refused.",
        r"\+ status 1", r"\+ OFPT_ERROR .*: OFPTMFC_BAD_CONFIG", r"-    eviction=(on|off) eviction_flags=OTHER\|IMPORTANCE\|LIFETIME",
        r"\+    eviction=off eviction_flags=\(default\)", r"-    vacancy=on .*", r"-     vacancy.*", r"\+    vacancy=off"),
    Explanation(
        "ports: a port's change is told", "Open vSwitch takes the device down and tells of each step; Weft stops using it and tells once.",
        r"[-+]      (config|state|current|speed):.*", r"- OFPT_PORT_STATUS .*"),
    Explanation(
        "refusals: connection tracking", "There is no connection tracking; `ct` and its fields are refused.", *REFUSED),
]


def unexplained(sequence, lines):
    """The lines of a difference that no explanation covers, commands included where something below them is left; empty when all is explained."""
    explanations = [each for each in EXPLAINED if each.sequence == sequence]
    left, command = [], None
    for line in lines:
        text = line.removeprefix("      ")
        if line.startswith("    $ "):
            command = line
        elif any(each.covers(text) for each in explanations):
            for each in explanations:
                each.used = True
        else:
            if command:
                left.append(command)
                command = None
            left.append(line)
    return left
