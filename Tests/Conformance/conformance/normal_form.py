"""Makes what `ovs-ofctl` prints of two switches comparable: identities, times and orders that no standard sets are taken out, nothing else."""

import re

SUBSTITUTIONS = [
    (re.compile(r"\(xid=0x[0-9a-f]+\)"), "(xid=X)"),
    (re.compile(r"duration[=:]?[0-9.]+s"), "duration=T"),
    (re.compile(r"(idle|hard)_age=\d+"), r"\1_age=T"),
    (re.compile(r"duration_sec: \d+|duration_nsec: \d+"), "duration"),
    (re.compile(r"dpid:[0-9a-f]{16}"), "dpid:D"),
    (re.compile(r"addr:([0-9a-f]{2}:){5}[0-9a-f]{2}"), "addr:A"),
    (re.compile(r"unix:\S+"), "TARGET"),
    (re.compile(r"tcp:\S+"), "TARGET"),
    (re.compile(r"^(Manufacturer|Hardware|Software|Serial Num|DP Description): .*$"), r"\1: …"),
    (re.compile(r"\bgenerated_id=\d+"), "generated_id=N"),
    (re.compile(r"\b(ping|pong|bytes from).*time=.*"), "ping"),
    (re.compile(r"(max[_ ]entries[=:]? ?)\d+"), r"\1N"),
    (re.compile(r"/tmp/\S+"), "FILE"),
    # They count since the switch began, with all that its devices ever received.
    (re.compile(r"\blookup=\d+, matched=\d+"), "lookup=N, matched=N"),
]
PORT_COUNTERS = re.compile(r"\b(pkts|bytes|drop|errs|frame|over|crc|coll)=(\d+|\?)")
# One entry, that begins so, with the lines below it that begin with more spaces or with a lower-case name of their own.
BEGINNINGS = {
    "dump-flows": re.compile(r"^ ?cookie="), "dump-groups": re.compile(r"^ ?group_id="), "dump-group-stats": re.compile(r"^ ?group_id="),
    "dump-meters": re.compile(r"^ ?meter[=:]"), "meter-stats": re.compile(r"^ ?meter[=:]"), "dump-ports": re.compile(r"^  port +\S+:"),
    "dump-ports-desc": re.compile(r"^ \S+\(.*\): "), "show": re.compile(r"^ \S+\(.*\): "), "dump-flows-of-monitor": re.compile(r"^ event="),
    "diff-flows": re.compile(r"^[-+]"), "queue-stats": re.compile(r"^  port "),
}
LOCAL = re.compile(r"^ LOCAL\(|^  port +LOCAL:|^ \S*\(LOCAL\)")
HEXADECIMAL = re.compile(r"^[0-9a-f]{8}  ([0-9a-f]{2}[ -]){1,16}")
# What ovs-ofctl itself remarks while it reads a quoted message.
DIAGNOSTIC = re.compile(r"^\d{4}-\d\d-\d\dT\S+Z\|")
MESSAGE = re.compile(r"^(OFPT_|NXT_|OFPST_|ONFT_|ovs-ofctl)")
ERROR = re.compile(r"^OFPT_ERROR|^\S*OFPT_ERROR")


def normal(command, text):
    """The lines to compare of what a command printed."""
    lines = []
    quoted = False
    for line in text.replace("\r", "").split("\n"):
        line = line.rstrip()
        for pattern, replacement in SUBSTITUTIONS:
            line = pattern.sub(replacement, line)
        if command in ("dump-ports", "queue-stats"):
            line = PORT_COUNTERS.sub(r"\1=N", line)
        # What is quoted of the refused message depends on how much of it a switch sends back (64 bytes are enough for the standard).
        if HEXADECIMAL.match(line) or "***truncated" in line or DIAGNOSTIC.match(line):
            continue
        lines.append(line)
    lines = [line for line in _without_quotes(lines) if line]
    beginning = BEGINNINGS.get(command)
    return _sorted(lines, beginning) if beginning else lines


def _without_quotes(lines):
    """Leaves out the refused message below an error: its first line, which is no reply, and what is said of it up to the next message."""
    kept, place = [], None
    for line in lines:
        if ERROR.match(line):
            kept.append(line)
            place = "error"
        elif place == "error" and " reply " not in line and re.match(r"^(OFPT_|NXT_|OFPST_|ONFT_|\(|no |bundle|\*\*\*|\d)", line):
            place = "quote"
        elif place == "quote" and not MESSAGE.match(line):
            pass
        else:
            place = None
            kept.append(line)
    return kept


def _sorted(lines, beginning):
    head, blocks = [], []
    for line in lines:
        if beginning.match(line):
            blocks.append([line])
        elif blocks and line.startswith(" "):
            blocks[-1].append(line)
        elif blocks and not re.match(r"^(OF|NX|ovs-ofctl|\d)", line):
            blocks[-1].append(line)
        else:
            head.append(line)
    blocks = [block for block in blocks if not LOCAL.match(block[0])]
    for block in blocks:
        block[:] = block[:1] + [re.sub(r"^(OFPST_PORT reply.*): \d+ ports", r"\1: N ports", line) for line in block[1:]]
    head = [re.sub(r": \d+ ports$", ": N ports", line) for line in head]
    return head + [line for block in sorted(blocks) for line in block]
