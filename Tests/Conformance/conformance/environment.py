"""Python environments with the versions that the tests are written for, from PyPI, made once and kept in `.build/conformance`."""

import os
import shutil
import subprocess
import sys
import venv

from . import ROOT

# os-ken 2.8.1 is the last line with eventlet's green threads and the manager program; its test cases are Ryu's. The example applications left
# os-ken after 1.4.1. Faucet pins its own os-ken.
PACKAGES = {
    "tester": ["os-ken==2.8.1", "eventlet==0.41.3"],
    "applications": ["os-ken==1.4.1", "eventlet==0.41.3", "setuptools<80"],
    "faucet": ["faucet==1.10.12"],
}
BUILD_SECONDS = 600


class EnvironmentMissing(Exception):
    """The environment cannot be made here, with the reason."""


class Environment:
    def __init__(self, name, directory=None):
        self.name = name
        self.directory = os.path.join(directory or os.path.join(ROOT, ".build/conformance"), name)

    @property
    def python(self):
        return os.path.join(self.directory, "bin/python")

    @property
    def packages(self):
        return PACKAGES[self.name]

    def module_directory(self, module):
        """Where a package of the environment lies."""
        code = f"import importlib.util; print(list(importlib.util.find_spec('{module}').submodule_search_locations)[0])"
        return subprocess.run([self.python, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def prepare(self, say=lambda text: None):
        """Makes the environment unless it is there with just these packages."""
        stamp = os.path.join(self.directory, "packages")
        wanted = "\n".join(self.packages) + "\n"
        if os.path.exists(stamp) and open(stamp).read() == wanted:
            return self
        say(f"installing {', '.join(self.packages)} in {self.directory}")
        shutil.rmtree(self.directory, ignore_errors=True)
        try:
            venv.create(self.directory, with_pip=True)
            done = subprocess.run(
                [self.python, "-m", "pip", "install", "--quiet", *self.packages], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=BUILD_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            raise EnvironmentMissing(f"no Python environment: {error}")
        if done.returncode:
            raise EnvironmentMissing(f"{', '.join(self.packages)} cannot be installed from PyPI: {done.stdout.strip()[-800:]}")
        with open(stamp, "w") as file:
            file.write(wanted)
        return self


def skip(text):
    """Says plainly that nothing was tested, and why. 77 is what test drivers take for a skip."""
    print(f"skipped: {text}", file=sys.stderr)
    sys.exit(77)
