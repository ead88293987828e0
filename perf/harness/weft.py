"""Runs Weft's measuring commands. A command that does not exist or fails makes the row `not measured`, with the reason."""

import json
import os
import subprocess

from .openvswitch_dpdk import favour


class NotMeasured(Exception):
    """Why there is no figure."""


class Weft:
    def __init__(self, program):
        self.program = program

    def _run(self, arguments, timeout=600):
        if not self.program or not os.access(self.program, os.X_OK):
            raise NotMeasured(f"no program {self.program}" if self.program else "no --weft PROGRAM was given")
        # The first worker is pinned to core 1, as the peer's polling thread is; the program may place further ones where it likes.
        process = subprocess.Popen(
            [self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        favour(process.pid)
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise NotMeasured(f"weft {arguments[0]} took longer than {timeout} s")
        if process.returncode:
            lines = (errors or output).strip().splitlines()
            raise NotMeasured(f"weft {arguments[0]} exited {process.returncode}: {lines[0] if lines else 'no message'}")
        try:
            return json.loads(output)
        except ValueError:
            raise NotMeasured(f"weft {arguments[0]} --json printed no JSON")

    @staticmethod
    def _value(result, key):
        if not isinstance(result, dict) or key not in result:
            raise NotMeasured(f"no {key} in the JSON")
        return float(result[key])

    def rate(self, flows, capture, seconds, threads=1):
        """Mpps of a capture replayed from memory."""
        result = self._run(["replay", "--flows", flows, "--in", f"1={capture}", "--duration", str(seconds), "--threads", str(threads), "--json"])
        return self._value(result, "mpps"), result

    def cold_rate(self, flows, capture):
        """Mpps of a capture of distinct flows replayed once, in the measuring mode."""
        result = self._run(["replay", "--flows", flows, "--in", f"1={capture}", "--repeat", "1", "--threads", "1", "--json"])
        return self._value(result, "mpps"), result

    def load(self, flows):
        """(entries per second, bytes per entry)"""
        result = self._run(["bench", "load", "--flows", flows, "--json"])
        return self._value(result, "entriesPerSecond"), self._value(result, "bytesPerEntry")

    def churn(self):
        """(Mpps under 10,000 entry changes per second, Mpps without)"""
        result = self._run(["bench", "churn", "--json"])
        return self._value(result, "mpps"), self._value(result, "mppsWithoutChanges")
