# SPDX-License-Identifier: MIT
# scenario/stacks.py - a small stack in a folder, and what a user does with it
"""The manifest is written as JSON, which is YAML too. Services are victims, or short programs that tell what they were told."""

import errno
import json
import os
import re
import sys

from berthtest import wait_until

# Writes its words and its environment to ARGV[1], whole or not at all, and waits to be ended.
TELLER = """
import json, os, signal, sys
with open(sys.argv[1] + ".new", "w") as file:
    json.dump({"words": sys.argv[2:], "env": dict(os.environ)}, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()
"""

# Appends what becomes of it to ARGV[2], as ARGV[1]; with ARGV[3], a FIFO, it ends when somebody writes there.
POLITE = """
import os, signal, sys

def say(what):
    with open(sys.argv[2], "a") as file:
        file.write(f"{sys.argv[1]} {what}\\n")

def end(signum, frame):
    say("is told")
    if len(sys.argv) > 3:
        os.read(os.open(sys.argv[3], os.O_RDONLY), 1)
    say("ends")
    os._exit(0)

signal.signal(signal.SIGTERM, end)
say("runs")
print("up")
while True:
    signal.pause()
"""


class Stack:
    """A berth.yaml in @folder (default: the world's project). In @services without any word of a port there is none."""

    def __init__(self, world, folder=None, top=None, **services):
        self.world, self.folder = world, folder or world.project
        self.write(top, **services)

    def write(self, top=None, **services):
        """Again, as an editor does."""
        for service in services.values():
            if not {"port", "ports", "range"} & set(service):
                service["port"] = "none"
        self.content = {**(top or {}), "services": services}
        self.world.write(os.path.join(self.folder, "berth.yaml"), json.dumps(self.content, indent=1))

    def add(self, **services):
        self.write(**{**self.content["services"], **services})

    def berth(self, *arguments, **options):
        return self.world.berth(*arguments, **{"cwd": self.folder, **options})

    def start(self, *arguments, **options):
        return self.world.start(*arguments, **{"cwd": self.folder, **options})

    def up(self, *arguments, **options):
        """`up -d`; what it shows, as {name: service}."""
        return by_name(self.berth("up", "-d", "--json", *arguments, **options).json["services"])

    def services(self):
        """{"backend": service, "backend.2": ...} of what lives of it, of all its copies."""
        return by_name(service for service in self.world.services() if service["root"] == self.folder)

    def states(self):
        return {name: service["state"] for name, service in self.services().items()}

    def await_state(self, name, *states):
        return wait_until(lambda: self.states().get(name) in states, lambda: f"{name} {states}: {self.states()}")

    @property
    def ports_file(self):
        return os.path.join(self.folder, ".ports.json")

    def ports(self, copy=None):
        """What the ports file says, {} without one."""
        name = f".ports.{copy}.json" if copy else ".ports.json"
        return read_json(os.path.join(self.folder, name))


def by_name(services):
    return {service["service"] + (f".{service['instance']}" if service["instance"] > 1 else ""): service
            for service in services}


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def verbatim(text):
    """As a program's text has to be written there: {port} and ${HOME} mean something."""
    return re.sub(r"\{([\w.-]+)\}", r"{{\1}}", text).replace("$", "$$")


def program(text, *arguments, **more):
    return {"command": [sys.executable, "-u", "-c", verbatim(text), *map(str, arguments)], **more}


def shell(text, *arguments, **more):
    return {"command": ["sh", "-c", verbatim(text), "sh", *map(str, arguments)], **more}


def teller(world, name, *words, **more):
    """(service, told): told() waits for what it was told, {"words", "env"}."""
    path = os.path.join(world.home, f"told-{name}")

    def told():
        return wait_until(lambda: read_json(path), f"{name} has been told")
    return program(TELLER, path, *words, **more), told


def fifo(world, name):
    path = os.path.join(world.folder, name)
    os.mkfifo(path)
    os.chmod(path, 0o666)
    world.give(path)
    return path


def open_gate(path):
    """The FIFO to write into, once somebody reads from it."""
    def opened():
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise
    return wait_until(opened, f"somebody reads from {path}")


def let_go(path):
    """Whoever reads from the FIFO goes on, once it does."""
    fd = open_gate(path)
    os.write(fd, b"\n")
    os.close(fd)


def read_lines(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
