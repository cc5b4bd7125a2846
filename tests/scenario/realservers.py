# SPDX-License-Identifier: MIT
# scenario/realservers.py - unchanged programs with a hard-coded port 5000
"""Each is a function of the world and of what it should say, and returns its command line.

JSON_SERVERS name their port and what they should say. WORK_SERVERS name their pid and worker as well, drain at SIGTERM,
and have /busy and /slow (servers/work/README).
"""

import os

import workservers
from berthtest import SERVERS, need
from conftest import build_once


def node(world, say):
    need("node")
    return ["node", f"{SERVERS}/server.js", say]


def asyncio(world, say):
    return ["/usr/bin/python3", f"{SERVERS}/asyncio_server.py", say]


def go(world, say):
    need("go")
    binary = build_once("go-server", [f"{SERVERS}/go/main.go"], ["go", "build", "-o"], cwd=f"{SERVERS}/go",
                        env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"})
    return [binary, say]


def java(world, say):
    need("java", "javac")
    classes = build_once("java", [f"{SERVERS}/java/Server.java"], ["javac", "Server.java", "-d"], cwd=f"{SERVERS}/java")
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", classes, "Server", say]


def nginx(world, say):
    need("nginx")
    folder = os.path.join(world.folder, f"nginx-{say}")
    os.mkdir(folder)
    world.give(folder)
    with open(f"{SERVERS}/nginx.conf", encoding="ascii") as file:
        text = file.read().replace("@DIR@", folder).replace("@SAY@", say)
    if world.uid is None:
        text = text.replace("daemon off;", "daemon off; user root;")
    return ["nginx", "-e", "stderr", "-p", folder, "-c", world.write(f"{folder}/nginx.conf", text)]


def victim(*options):
    return lambda world, say: world.victim(say).argv(*options, 5000)


JSON_SERVERS = {
    "node": node,
    "asyncio": asyncio,
    "go": go,
    "java": java,
    "nginx": nginx,
    "c": victim(),
    "c-without-reuseaddr": victim("--no-reuseaddr"),
    "c-with-reuseport": victim("--reuseport"),
    "c-that-probes-first": victim("--probe"),
    "c-that-binds-in-a-child": victim("--bind-in-child"),
}


def _work(name):
    server = workservers.ALL[name]

    def start(world, say):
        need(*server.missing())
        built = None
        if server.command:
            built = build_once(f"work-{name}", server.sources, server.command, cwd=server.cwd, env=server.env)
        return server.argv(built, say)

    return start


WORK_SERVERS = {name: _work(name) for name in workservers.ALL}


class Lives:
    """servers/lives.py: @texts are the steps of its first life, its second and so on; the last one is repeated."""

    def __init__(self, world, name, *texts):
        self.world = world
        self.folder = os.path.join(world.folder, f"lives-{name}")
        os.mkdir(self.folder)
        world.give(self.folder)
        for number, text in enumerate(texts, 1):
            world.write(f"{self.folder}/{number}", text)

    @property
    def argv(self):
        return ["/usr/bin/python3", f"{SERVERS}/lives.py", self.folder]

    def pids(self):
        """Of all lives that have begun."""
        try:
            with open(f"{self.folder}/pids", encoding="ascii") as file:
                return [int(line) for line in file.read().split()]
        except FileNotFoundError:
            return []
