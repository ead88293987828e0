"""Files of sessions: sequences of `ovs-ofctl` commands, each begun with empty tables.

    # a remark
    protocols: OpenFlow14 OpenFlow15      before the first sequence for the whole file, below a title for that sequence
    = title of a sequence
    COMMAND ARGUMENTS                     as ovs-ofctl takes them, without the target, which comes in after the command
        indented lines                    the content of a file, which becomes the last argument; `generate N LINE` stands for N lines, {i} from 1
    monitor NAME ARGUMENTS                begins a monitor; monitor-end NAME ends it and tells what it printed
    send PORT HEX                         a frame into a port from outside
    received PORT                         what left a port since the last `received`, in hexadecimal
    message HEX                           one message as bytes (version and xid are put in), and the answers to it
    wait MILLISECONDS                     for what only time brings about
"""

import os
import shlex

PROTOCOLS = ("OpenFlow13", "OpenFlow14", "OpenFlow15")
# These need the far ends of the switch's ports.
OUTSIDE = ("send", "received")


class SessionError(Exception):
    """A file that is not written as it has to be."""


class Command:
    def __init__(self, words, line):
        self.options = []
        while words and words[0].startswith("--"):
            self.options.append(words.pop(0))
        if not words:
            raise SessionError(f"line {line}: options without a command")
        self.name, self.arguments, self.content = words[0], words[1:], None

    def __str__(self):
        words = [*self.options, self.name, *(each if len(each) < 90 else f"{each[:30]}…{each[-56:]}" for each in self.arguments)]
        return " ".join(words) + (f" <{len(self.content)} lines>" if self.content else "")


class Sequence:
    def __init__(self, file, title, protocols):
        self.file, self.title, self.protocols, self.commands = file, title, protocols, []

    @property
    def name(self):
        return f"{self.file}: {self.title}"

    @property
    def needs_outside(self):
        return any(command.name in OUTSIDE for command in self.commands)

    @property
    def is_quick(self):
        """Whether nothing in it waits for what comes of its own."""
        return not any(command.name in (*OUTSIDE, "wait", "monitor") for command in self.commands)


def read(path):
    """The sequences of a file."""
    file = os.path.splitext(os.path.basename(path))[0]
    sequences, protocols = [], PROTOCOLS
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("protocols:"):
                chosen = tuple(line.split(":", 1)[1].split())
                if sequences:
                    sequences[-1].protocols = chosen
                else:
                    protocols = chosen
            elif line.startswith("= "):
                sequences.append(Sequence(file, line[2:].strip(), protocols))
            elif not sequences:
                raise SessionError(f"{path}:{number}: a command before the first title")
            elif line[0].isspace():
                if not sequences[-1].commands:
                    raise SessionError(f"{path}:{number}: content without a command")
                command = sequences[-1].commands[-1]
                command.content = (command.content or []) + _content(line.strip())
            else:
                sequences[-1].commands.append(Command(shlex.split(line), number))
    return sequences


def _content(line):
    if line.startswith("generate "):
        _, count, text = line.split(" ", 2)
        return [text.replace("{i}", str(i)) for i in range(1, int(count) + 1)]
    return [line]
