"""The controllers of others, each with a site, and what must hold with them."""

import json
import os
import shutil
import subprocess
import tempfile

from harness.lab import LabError

from .hosts import CONTROLLER_PORT, Site

LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch.py")
FAUCET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../faucet")
REST_PORT = 8080


def manager(environment, application):
    """The command of an os-ken application."""
    return [
        environment.python, LAUNCHER, application, "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(CONTROLLER_PORT), "--wsapi-host",
        "127.0.0.1", "--wsapi-port", str(REST_PORT)]


def learning_switch(lab, kind, environment, directory):
    """simple_switch_13: hosts of one network find each other, and entries take over from the controller."""
    site = Site(lab, kind, {port: (f"h{port}", f"10.1.0.{port}/24", None) for port in (1, 2, 3)})
    try:
        site.start(*manager(environment, "os_ken.app.simple_switch_13"), log=os.path.join(directory, "controller.log"))
        for source in (1, 2, 3):
            for destination in (1, 2, 3):
                if source != destination:
                    site.reaches(f"h{source}", f"10.1.0.{destination}")
        site.listen("h2", 5001)
        site.until("h1 connects to h2 by TCP", lambda: site.connects("h1", "10.1.0.2", 5001))
        learned = site.flows().count("dl_dst=")
        site.check("an entry for each direction of each pair was installed", learned >= 6, f"{learned} entries with dl_dst")
        lost = site.pings("h1", "10.1.0.2", count=20).stdout
        site.check("twenty pings lose nothing", " 0% packet loss" in lost, lost.strip().split("\n")[-2])
    finally:
        site.stop()
    return site.checks


def router(lab, kind, environment, directory):
    """rest_router: three networks, addresses by its REST interface, ARP and ICMP answered by the controller, routes in the tables."""
    site = Site(lab, kind, {port: (f"h{port}", f"172.16.{port}.10/24", f"172.16.{port}.1") for port in (1, 2, 3)})

    def rest(body):
        done = subprocess.run(
            ["ip", "netns", "exec", site.space, "curl", "-s", "-m", "5", "-d", json.dumps(body), f"http://127.0.0.1:{REST_PORT}/router/{1:016x}"],
            stdout=subprocess.PIPE, text=True)
        return done.stdout

    try:
        site.start(*manager(environment, "os_ken.app.rest_router"), log=os.path.join(directory, "controller.log"))
        for port in (1, 2):
            site.until(f"the address 172.16.{port}.1 is taken", lambda: "Add address" in rest({"address": f"172.16.{port}.1/24"}))
        for source in (1, 2):
            site.reaches(f"h{source}", f"172.16.{source}.1")
        site.reaches("h1", "172.16.2.10")
        site.reaches("h2", "172.16.1.10")
        site.does_not_reach("h1", "172.16.3.10")
        rest({"address": "172.16.3.1/24"})
        site.reaches("h3", "172.16.3.1")
        site.reaches("h1", "172.16.3.10")
        expired = site.pings("h1", "172.16.2.10", "-t", "1")
        site.check("a packet whose time to live ends is told of", "Time to live exceeded" in expired.stdout, expired.stdout.strip()[-200:])
        site.listen("h3", 5001)
        site.until("h1 connects to h3 by TCP", lambda: site.connects("h1", "172.16.3.10", 5001))
        lost = site.pings("h1", "172.16.2.10", count=20).stdout
        site.check("twenty pings lose nothing", " 0% packet loss" in lost, lost.strip().split("\n")[-2])
    finally:
        site.stop()
    return site.checks


FAUCET_HOSTS = {
    1: ("office1", "10.1.0.1/24", "10.1.0.254"), 2: ("office2", "10.1.0.2/24", "10.1.0.254"), 3: ("guest1", "10.2.0.1/24", "10.2.0.254"),
    4: ("guest2", "10.2.0.2/24", "10.2.0.254")}


def _faucet(lab, kind, environment, directory, configuration, hosts):
    site = Site(lab, kind, hosts)
    shutil.copy(os.path.join(FAUCET, configuration), os.path.join(directory, "faucet.yaml"))
    variables = dict(
        os.environ, PATH=f"{environment.directory}/bin:{os.environ['PATH']}", FAUCET_CONFIG=os.path.join(directory, "faucet.yaml"),
        FAUCET_LOG=os.path.join(directory, "faucet.log"), FAUCET_EXCEPTION_LOG=os.path.join(directory, "faucet-exception.log"),
        FAUCET_PROMETHEUS_ADDR="127.0.0.1")
    with open(os.path.join(directory, "ryu.conf"), "w") as file:
        file.write("[DEFAULT]\n")
    site.start(
        os.path.join(environment.directory, "bin/faucet"), "--ryu-config-file", os.path.join(directory, "ryu.conf"), "--ryu-ofp-listen-host",
        "127.0.0.1", "--ryu-ofp-tcp-listen-port", str(CONTROLLER_PORT), log=os.path.join(directory, "controller.log"), environment=variables)
    return site


def faucet(lab, kind, environment, directory):
    """Faucet with two VLANs and access lists: within a VLAN as the lists say, nothing between them."""
    hosts = {port: (name, address, None) for port, (name, address, _) in FAUCET_HOSTS.items()}
    hosts[3], hosts[4] = ("guest1", "10.1.0.3/24", None), ("guest2", "10.1.0.4/24", None)
    site = _faucet(lab, kind, environment, directory, "two-vlans.yaml", hosts)
    try:
        site.reaches("office1", "10.1.0.2")
        site.reaches("office2", "10.1.0.1")
        # The guests' list lets only UDP, ARP, and TCP to port 80 through.
        site.listen("guest2", 80)
        site.listen("guest2", 5001)
        site.until("guest1 connects to guest2, port 80", lambda: site.connects("guest1", "10.1.0.4", 80))
        site.check("guest1 does not connect to guest2, port 5001", not site.connects("guest1", "10.1.0.4", 5001))
        site.does_not_reach("guest1", "10.1.0.4")
        # The same network, but other VLANs.
        for source, address in (("office1", "10.1.0.3"), ("office2", "10.1.0.4"), ("guest2", "10.1.0.1")):
            site.does_not_reach(source, address)
        site.check("office1 does not connect to guest2, port 80", not site.connects("office1", "10.1.0.4", 80))
    finally:
        site.stop()
    return site.checks


def faucet_routing(lab, kind, environment, directory):
    """Faucet routes between two VLANs, and an access list holds for what is routed."""
    site = _faucet(lab, kind, environment, directory, "routed-vlans.yaml", FAUCET_HOSTS)
    try:
        site.reaches("office1", "10.1.0.254")
        site.reaches("guest1", "10.2.0.254")
        site.reaches("office1", "10.2.0.1")
        site.reaches("guest1", "10.1.0.2")
        site.listen("office2", 22)
        site.listen("office2", 80)
        site.until("guest1 connects to office2, port 80", lambda: site.connects("guest1", "10.1.0.2", 80))
        site.check("guest1 does not connect to office2, port 22", not site.connects("guest1", "10.1.0.2", 22))
        site.until("office1 connects to office2, port 22", lambda: site.connects("office1", "10.1.0.2", 22))
    finally:
        site.stop()
    return site.checks


# name: (environment, test)
APPLICATIONS = {
    "learning-switch": ("applications", learning_switch), "router": ("applications", router), "faucet": ("faucet", faucet),
    "faucet-routing": ("faucet", faucet_routing)}


def run_application(name, lab, kind, environment):
    """The checks of an application; a failure to set up is a failed check."""
    with tempfile.TemporaryDirectory(prefix="weft-controllers-") as directory:
        try:
            return APPLICATIONS[name][1](lab, kind, environment, directory)
        except LabError as error:
            return [{"check": "the site is set up", "ok": False, "seen": str(error)}]
