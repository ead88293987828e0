"""What the switch tester prints while it runs, read line by line.

A file's description stands at the margin, each case four columns in with `OK` or `ERROR` after column 104, its reason eight columns in.
"""

import re

CASE = re.compile(r"^    (\S.*?)\s+(OK|ERROR)$")
FILE = re.compile(r"^(\w+): (\S.*)$")
GROUPS = ("match", "action", "group", "meter")


class Case:
    def __init__(self, group, file, description, outcome):
        self.group, self.file, self.description, self.outcome, self.reason = group, file, description, outcome, None

    def as_json(self):
        return {"group": self.group, "file": self.file, "case": self.description, "outcome": self.outcome, "reason": self.reason}


class TesterLog:
    """Takes lines in any number of portions; `cases` are those finished, `ended` tells that the tester has come to its end by itself."""

    def __init__(self):
        self.cases, self.group, self.file = [], None, None
        self.started = self.ended = False
        self.notes = []

    def add(self, line):
        line = line.rstrip("\n").rstrip("\r")
        if line.startswith("---"):
            self.started = True
            if "Test end" in line:
                self.ended = True
        if self.ended:
            return
        if match := CASE.match(line):
            self.cases.append(Case(self.group, self.file, match[1], match[2]))
        elif line.startswith("        ") and self.cases and self.cases[-1].outcome == "ERROR" and self.cases[-1].reason is None:
            self.cases[-1].reason = line.strip()
        elif (match := FILE.match(line)) and match[1] in GROUPS:
            self.group, self.file = match[1], match[2]
        elif line.strip():
            self.notes.append(line)
