"""A `weft switch` process in a namespace, driven as a user drives it."""

import json
import os
import signal
import socket
import subprocess

from .case import Failure, expect
from .lab import PATIENCE, end, run, until


class Switch:
    """`configuration` is a dictionary with the keys of the YAML file (JSON is YAML)."""

    def __init__(self, lab, space, configuration, name="switch", seconds=20):
        self.lab, self.space, self.configuration, self.name = lab, space, configuration, name
        self.file, self.socket, self.log = lab.path(f"{name}.yaml"), lab.path(f"{name}.sock"), f"{name}.log"
        lab.logs.append(self.log)
        self.process = None
        self.start(seconds)

    def write(self):
        with open(self.file, "w") as file:
            json.dump(self.configuration, file, indent=1)

    def start(self, seconds=20, prefix=()):
        self.write()
        logged = len(self.text())
        self.process = self.space.start(*prefix, self.lab.program, "switch", "--config", self.file, "--socket", self.socket, log=self.log)
        until(lambda: " forwarding " in self.text()[logged:] or self.process.poll() is not None, lambda: f"forwarding:\n{self.text()}", seconds)
        expect(self.process.poll() is None, lambda: f"the switch ended with status {self.process.returncode}:\n{self.text()}")

    def text(self):
        return self.lab.read(self.log)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def alive(self):
        """Fails when the switch has ended or complained of a fault of its own."""
        expect(self.is_running(), lambda: f"the switch ended with status {self.process.returncode}:\n{self.text()[-3000:]}")

    def stop(self, seconds=5):
        """SIGTERM; fails unless the switch ends well in that time, `PATIENCE` times."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"the switch did not end within {seconds * PATIENCE} s of SIGTERM:\n{self.text()[-2000:]}") from None
        expect(status == 0, lambda: f"after SIGTERM the switch ended with status {status}:\n{self.text()[-2000:]}")

    def kill(self):
        end(self.process, signal.SIGKILL)

    def reload(self, configuration=None, word="configuration read anew"):
        """SIGHUP with another configuration; waits for a line of the log with that word."""
        if configuration is not None:
            self.configuration = configuration
        self.write()
        logged = len(self.text())
        self.process.send_signal(signal.SIGHUP)
        return until(lambda: next((line for line in self.text()[logged:].splitlines() if word in line), None), lambda: f"'{word}' in\n{self.text()[logged:]}")

    def weft(self, *arguments, check=True, timeout=30 * PATIENCE):
        return run(self.lab.program, *arguments, "--socket", self.socket, check=check, timeout=timeout)

    def json(self, *arguments):
        return json.loads(self.weft(*arguments, "--json"))

    def stats(self):
        return self.json("stats")

    def drops(self):
        return self.stats()["drops"]

    def ports(self):
        return {port["name"]: port for port in self.json("port", "list")["ports"]}

    def waiting(self):
        return {port["name"]: port["reason"] for port in self.json("port", "list")["waiting"]}

    def state(self, port):
        """`up`, `down`, `no carrier`, `no device`, or `waiting`."""
        text = self.ports().get(port)
        if text is None:
            return "waiting" if port in self.waiting() else "unknown"
        status = text["status"]
        return "no device" if not status["isPresent"] else "down" if not status["isUp"] else "no carrier" if not status["hasLink"] else "up"

    def becomes(self, port, state, seconds=5):
        until(lambda: self.state(port) == state, lambda: f"port {port} {state}; it is {self.state(port)}", seconds)

    def status(self, key):
        """A line of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return line.split(":", 1)[1].strip()
        return ""

    def resident(self):
        """Memory in bytes."""
        return int(self.status("VmRSS").split()[0]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def talk(self, data, seconds=5.0):
        """Sends bytes to the control socket, ends sending, and returns what comes back."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(seconds)
            client.connect(self.socket)
            received = b""
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError, OSError):
                pass
            try:
                while piece := client.recv(65536):
                    received += piece
            except ConnectionResetError:
                pass
            return received
