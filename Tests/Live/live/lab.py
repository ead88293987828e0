"""Namespaces and devices of one case, with everything that runs in them; all of it is gone when the case ends, however it ends."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time

from .case import Failure

# Limits are said for a machine with nothing else to do; one that has waits so many times as long before it gives up.
PATIENCE = 5


def run(*command, check=True, timeout=60 * PATIENCE, **more):
    """A command to its end. Its output, unless `check` is False: then the finished process."""
    command = [str(c) for c in command]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **more)
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        raise Failure(f"{' '.join(command)}: not done after {timeout} s\n{said.decode(errors='replace')}") from None
    if check and done.returncode:
        raise Failure(f"{' '.join(command)}: status {done.returncode}\n{(done.stdout + done.stderr).strip()}")
    return done.stdout if check else done


def until(condition, what, seconds=10.0, pause=0.05):
    """Waits until the condition holds, and returns its value; fails the case with `what` after that time, `PATIENCE` times."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"after {seconds:g} s still not: {what() if callable(what) else what}")
        time.sleep(pause)


def end(process, signal_number=signal.SIGTERM):
    """Ends a process that this module started."""
    if process.poll() is not None:
        return
    process.send_signal(signal_number)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Space:
    """A network namespace. Commands run in it; links are named as in it."""

    def __init__(self, lab, role):
        self.lab, self.role, self.name = lab, role, f"wl{lab.tag}{role}"
        self.exists = False
        self.make()

    def make(self):
        run("ip", "netns", "add", self.name)
        self.exists = True
        # No waiting for duplicate addresses, no router solicitations in captures.
        self.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0",
                 "net.ipv4.ping_group_range=0 2147483647")
        self.ip("link", "set", "lo", "up")

    def delete(self):
        if self.exists:
            self.exists = False
            run("ip", "netns", "del", self.name, check=False)

    def run(self, *command, **more):
        return run("ip", "netns", "exec", self.name, *command, **more)

    def ip(self, *arguments, **more):
        return run("ip", "-n", self.name, *arguments, **more)

    def start(self, *command, log=None, **more):
        """A process that the lab ends."""
        return self.lab.start("ip", "netns", "exec", self.name, *command, log=log, **more)

    def links(self):
        return {link["ifname"]: link for link in json.loads(self.ip("-j", "link", "show"))}

    def address(self, device, *addresses):
        for address in addresses:
            self.ip("addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))

    def counters(self, device):
        return json.loads(self.ip("-s", "-j", "link", "show", "dev", device))[0]["stats64"]

    def no_offload(self, device):
        """The device finishes no checksums and cuts no segments, and joins none."""
        for feature in ("tx", "rx", "tso", "gso", "gro"):
            self.run("ethtool", "-K", device, feature, "off", check=False)


class Lab:
    """Use as a context manager."""

    def __init__(self, program, verbose=False):
        self.program, self.verbose = program, verbose
        self.tag = secrets.token_hex(3)
        self.folder = tempfile.mkdtemp(prefix="weft-live-")
        self.spaces, self.processes, self.closers, self.logs = [], [], [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Each step, whatever became of the one before.
        with contextlib.ExitStack() as steps:
            steps.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for space in self.spaces:
                steps.callback(space.delete)
            for process in self.processes:
                steps.callback(end, process)
            for closer in self.closers:
                steps.callback(closer)

    def path(self, name):
        return os.path.join(self.folder, name)

    def space(self, role):
        space = Space(self, role)
        self.spaces.append(space)
        return space

    def start(self, *command, log=None, **more):
        if log:
            with open(self.path(log), "ab") as file:
                more["stdout"], more["stderr"] = file, subprocess.STDOUT
                process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, **more)
        else:
            more.setdefault("stdout", subprocess.DEVNULL)
            more.setdefault("stderr", subprocess.DEVNULL)
            process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        return process

    def read(self, name):
        try:
            with open(self.path(name), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def veth(self, a, b, mtu=1500):
        """A pair of devices, up; each argument is (space, device)."""
        a[0].ip("link", "add", a[1], "mtu", mtu, "type", "veth", "peer", "name", b[1], "mtu", mtu, "netns", b[0].name)
        for space, device in (a, b):
            space.ip("link", "set", device, "up")
