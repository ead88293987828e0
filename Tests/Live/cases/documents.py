"""What the documents tell a user to type, in a network and mount namespace of its own, so that the names in them are free."""

import os
import re

from live.case import case, expect
from live.lab import run

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def isolated(lab, script, seconds=90):
    """Runs a shell script where no namespace, device or socket of this machine is seen."""
    os.makedirs(lab.path("bin"), exist_ok=True)
    os.symlink(lab.program, lab.path("bin/weft"))
    file = lab.path("script")
    with open(file, "w") as text:
        text.write(f"mount -t tmpfs none /run\nip link set lo up\nexport PATH={lab.path('bin')}:$PATH LAB_DIR=/run/lab WEFT={lab.program}\n{script}\n")
    return run("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "bash", file, check=False, timeout=seconds, cwd=lab.folder)


@case(tools=["unshare"])
def the_lab(lab):
    """`tools/lab` builds three hosts, pings between their workloads, and takes everything down."""
    done = isolated(lab, f"set -e; cd {ROOT}\ntools/lab up --hosts 3\ntools/lab status\ntools/lab enter host1-vm1 ping -c2 -W2 10.0.0.21\n"
                    "tools/lab enter host3-vm2 ping -c2 -W2 10.0.0.12\ntools/lab down\necho left: $(ip netns list) $(ls /run/lab 2>/dev/null)\ntools/lab status")
    said = done.stdout + done.stderr
    expect(done.returncode == 0, lambda: f"status {done.returncode}:\n{said}")
    expect(said.count("2 received") == 2, said)
    expect("left:\n" in said, f"something is left: {said[-300:]}")


@case(tools=["unshare", "tshark"])
def the_live_session_of_the_readme(lab):
    """The session of README.md, typed in as it stands."""
    with open(os.path.join(ROOT, "README.md")) as file:
        section = file.read().split("## A live switch\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.S)
    expect(len(blocks) == 3, f"{len(blocks)} blocks in README.md")
    # A table that goes on for ever is looked at for a moment; the switch needs one until it forwards.
    script = "".join(blocks).replace("weft stats --watch\n", "weft stats --watch --count 2\n")
    # The next ping is a second away.
    script = script.replace("weft flow dump\nweft stats", "weft flow dump\nsleep 1.5\nweft stats")
    script = script.replace("switch.yaml &\n", "switch.yaml &\nuntil weft stats >/dev/null 2>&1; do sleep 0.1; done\n")
    done = isolated(lab, "set -e\n" + script + "kill %1 %2; wait %1; ip netns del vm1; ip netns del vm2\n")
    said = done.stdout + done.stderr
    expect(done.returncode == 0, lambda: f"status {done.returncode}:\n{said}")
    for words in ("3 received", "rx pps", "Verdict: sent on port 2", "4 packets captured", "to port 2 (vm2)", "1 change made", "actionDrop"):
        expect(words in said, lambda: f"nothing says '{words}':\n{said}")
