"""Runs sequences of commands against one switch and takes down what each printed."""

import os
import select
import socket
import struct
import subprocess
import tempfile
import time

from harness.raw_port import RawPort

from .normal_form import normal

COMMAND_SECONDS = 60
# Packets and events come of their own; this long without any is taken for the end.
QUIET_SECONDS = 0.35
VERSIONS = {"OpenFlow13": 4, "OpenFlow14": 5, "OpenFlow15": 6}


class Outside:
    """The far ends of a switch's ports, in their namespace."""

    def __init__(self, namespace, devices):
        self.sockets = {port: RawPort(namespace, device).socket for port, device in devices.items()}

    def send(self, port, frame):
        self.sockets[port].send(frame)

    def received(self, port):
        """Frames that came in until it was quiet."""
        frames, each = [], self.sockets[port]
        while select.select([each], [], [], QUIET_SECONDS)[0]:
            frames.append(each.recv(65536))
        return frames

    def empty(self):
        for each in self.sockets.values():
            while select.select([each], [], [], 0)[0]:
                each.recv(65536)

    def close(self):
        for each in self.sockets.values():
            each.close()


class Monitor:
    """`ovs-ofctl monitor` in the background, with its own control socket."""

    def __init__(self, protocol, target, options, arguments):
        self.directory = tempfile.mkdtemp(prefix="weft-monitor-")
        self.control = os.path.join(self.directory, "ctl")
        self.output = open(os.path.join(self.directory, "out"), "w+")
        self.process = subprocess.Popen(
            ["ovs-ofctl", "-O", protocol, f"--unixctl={self.control}", *options, "monitor", target, *arguments], stdout=self.output,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + COMMAND_SECONDS
        while not os.path.exists(self.control) and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self._barrier()
        self._quiet()

    def _barrier(self):
        try:
            subprocess.run(
                ["ovs-appctl", "-t", self.control, "ofctl/barrier"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            pass

    def _quiet(self):
        size = -1
        while size != os.fstat(self.output.fileno()).st_size:
            size = os.fstat(self.output.fileno()).st_size
            time.sleep(QUIET_SECONDS)

    def end(self):
        self._barrier()
        self._quiet()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(COMMAND_SECONDS)
        self.output.seek(0)
        text = self.output.read()
        self.output.close()
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        os.rmdir(self.directory)
        return text


class SessionRunner:
    def __init__(self, target, outside=None):
        self.target, self.outside, self.monitors = target, outside, {}

    def ofctl(self, protocol, command, path=None):
        arguments = [*command.arguments, *([path] if path else [])]
        return self._run(["ovs-ofctl", "-O", protocol, "--no-names" if "--names" not in command.options else "--names", "-vconsole:off",
                          *[option for option in command.options if option != "--names"], command.name, self.target, *arguments])

    @staticmethod
    def _run(words):
        try:
            done = subprocess.run(
                words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
                timeout=COMMAND_SECONDS)
            return done.returncode, done.stdout
        except subprocess.TimeoutExpired as error:
            return "timeout", (error.stdout or b"").decode(errors="replace")

    def reset(self, protocol):
        """Empty tables, groups and meters; says what could not be emptied."""
        for name in ("del-flows", "del-groups", "del-meters"):
            status, text = self._run(["ovs-ofctl", "-O", protocol, name, self.target])
            if status:
                return f"{name}: {text.strip()}"
        if self.outside:
            self.outside.empty()
        return None

    def run(self, sequence, protocol):
        """[(command, [line])] of a sequence; a command's lines begin with its exit status when it is not 0."""
        results = []
        refusal = self.reset(protocol)
        if refusal:
            results.append(("(empty tables)", [refusal]))
        try:
            for command in sequence.commands:
                results.append((str(command), self._lines(command, protocol)))
        finally:
            for monitor in self.monitors.values():
                monitor.end()
            self.monitors = {}
        return results

    def _lines(self, command, protocol):
        if command.name == "monitor":
            self.monitors[command.arguments[0]] = Monitor(protocol, self.target, command.options, command.arguments[1:])
            return []
        if command.name == "monitor-end":
            return normal("monitor", self.monitors.pop(command.arguments[0]).end())
        if command.name == "send":
            self.outside.send(int(command.arguments[0]), bytes.fromhex(command.arguments[1]))
            # No barrier covers packets from outside.
            time.sleep(QUIET_SECONDS)
            return []
        if command.name == "received":
            return [frame.hex() for frame in self.outside.received(int(command.arguments[0]))]
        if command.name == "wait":
            time.sleep(int(command.arguments[0]) / 1000)
            return []
        if command.name == "message":
            return normal("message", self._exchange(protocol, bytes.fromhex("".join(command.arguments))))
        if command.content is None:
            status, text = self.ofctl(protocol, command)
        else:
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
                file.write("\n".join(command.content) + "\n")
                file.flush()
                status, text = self.ofctl(protocol, command, file.name)
        return ([f"status {status}"] if status else []) + normal(command.name, text)

    # Bytes.

    def _connect(self):
        kind, _, address = self.target.partition(":")
        if kind == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(COMMAND_SECONDS)
            connection.connect(address)
        else:
            host, _, port = address.rpartition(":")
            connection = socket.create_connection((host, int(port)), COMMAND_SECONDS)
        return connection

    def _exchange(self, protocol, message):
        """What the switch answers to a message, up to the answer to a barrier behind it, as `ovs-ofctl ofp-print` says it."""
        version = VERSIONS[protocol]
        printed = []
        with self._connect() as connection:
            connection.sendall(struct.pack("!BBHI", version, 0, 8, 1))
            connection.sendall(bytes([version]) + message[1:4] + struct.pack("!I", 0x77) + message[8:])
            connection.sendall(struct.pack("!BBHI", version, 20, 8, 0x78))
            buffer = b""
            while True:
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    printed.append("no answer to the barrier")
                    break
                if not data:
                    printed.append("the switch closed the connection")
                    break
                buffer += data
                while len(buffer) >= 8 and len(buffer) >= max(8, struct.unpack_from("!H", buffer, 2)[0]):
                    size = max(8, struct.unpack_from("!H", buffer, 2)[0])
                    one, buffer = buffer[:size], buffer[size:]
                    kind, xid = one[1], struct.unpack_from("!I", one, 4)[0]
                    if kind == 21 and xid == 0x78:
                        return "\n".join(printed)
                    if kind != 0:
                        printed.append(self._run(["ovs-ofctl", "ofp-print", one.hex()])[1])
        return "\n".join(printed)
