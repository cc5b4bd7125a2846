# SPDX-License-Identifier: MIT
# scenario/shop.py - the shops of examples/, as users have them: in git, with what npm installs, in any number of copies
"""A Shop is a folder with its berth.yaml, and asks from outside, as any client of the machine would."""

import json
import os
import shutil
import socket
import urllib.error
import urllib.request

from berthtest import DEADLINE, ROOT, need, skip

NODE = os.path.join(ROOT, "tests", "node")
START = 60  # seconds: npm, Vite and three more programs, beside other tests
DEFAULTS = {"redis": 6379, "backend": 9000, "frontend": 5173}
FIXED = {**DEFAULTS, "worker": 9100}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Shop:
    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        self.ports_file = os.path.join(folder, ".ports.json")
        self._install()

    def _install(self):
        """What `npm install --prefix frontend` leaves: the packages are those of tests/node."""
        modules = os.path.join(self.folder, "frontend", "node_modules")
        os.makedirs(os.path.join(modules, ".bin"))
        os.symlink(os.path.join(NODE, "node_modules", "vite"), os.path.join(modules, "vite"))
        os.symlink("../vite/bin/vite.js", os.path.join(modules, ".bin", "vite"))
        for path in (modules, os.path.join(modules, ".bin")):
            self.world.give(path)

    def worktree(self, name):
        """Another copy of it, on a branch of its own."""
        folder = os.path.join(self.world.folder, name)
        os.mkdir(folder)
        self.world.give(folder)
        git(self.world, self.folder, "worktree", "add", "-q", "-b", name, folder)
        return Shop(self.world, folder)

    # berth

    def berth(self, *arguments, **options):
        return self.world.berth(*arguments, cwd=self.folder, **{"deadline": START, **options})

    def start(self, *arguments, **options):
        return self.world.start(*arguments, cwd=self.folder, **options)

    def up(self, *arguments):
        self.berth("up", "-d", *arguments)
        return self

    def services(self):
        """{name: service} of what lives of it."""
        found = [service for service in self.world.services() if service["root"] == self.folder]
        return {service["service"]: service for service in found}

    @property
    def ports(self):
        """What .ports.json says."""
        return read_ports(self.ports_file)

    # Clients

    def get(self, path, service="backend", **options):
        """(status, headers, text) from the URL that .ports.json has."""
        return get(self.ports[f"{service}_url"] + path, **options)

    def items(self):
        return json.loads(self.get("/api/items")[2])

    def buy(self, item):
        assert self.get("/api/orders", data=json.dumps({"item": item}).encode())[0] == 202

    def left(self, item):
        return next(entry["left"] for entry in self.items()["items"] if entry["name"] == item)

    def visit(self):
        """Of a hard-coded shop: the folder of each part that a request came through; "status" is 200 if it reached all."""
        status, headers, text = self.get("/api/visit", "frontend")
        parts = json.loads(text) if text.startswith("{") else {}
        return {"status": status, "frontend": headers.get("x-frontend"), **parts}


def shop(world, example="shop", name="main"):
    """The first copy: an example as the root of a repository, everything committed."""
    need("git", "node", "npm", "redis-server")
    if not os.path.exists(os.path.join(NODE, "node_modules", "vite")):
        skip("vite is not installed below tests/node")
    folder = os.path.join(world.folder, name)
    unwanted = shutil.ignore_patterns("node_modules", ".ports*", "dist")
    shutil.copytree(os.path.join(ROOT, "examples", example), folder, ignore=unwanted)
    for path, _, files in os.walk(folder):
        world.give(path)
        for file in files:
            world.give(os.path.join(path, file))
    git(world, folder, "init", "-q", "-b", "main")
    git(world, folder, "add", "-A")
    git(world, folder, "-c", "user.name=shop", "-c", "user.email=shop@localhost", "commit", "-q", "-m", "a shop")
    return Shop(world, folder)


def git(world, folder, *arguments):
    world.run(["git", "-C", folder, *arguments])


def read_ports(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def get(url, headers=None, data=None):
    """(status, headers, text) of a GET, or with @data of a POST; tries both families, as browsers do with localhost. (0, {}, "") where nobody answers."""
    request = urllib.request.Request(url, headers=headers or {}, data=data)
    try:
        with DIRECT.open(request, timeout=DEADLINE) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()
    except OSError:
        return 0, {}, ""


def redis(port, *words):
    """The first line of Redis' answer."""
    with socket.create_connection(("localhost", port), timeout=DEADLINE) as sock:
        sock.sendall(" ".join(words).encode() + b"\r\n")
        return sock.makefile().readline().strip()


def node(world, script, *arguments):
    """The command line of one of tests/node, and its environment: its traces stay in the world."""
    need("chromium")
    if not os.path.exists(os.path.join(NODE, "node_modules", "playwright-core")):
        skip("playwright-core is not installed below tests/node")
    return (["node", os.path.join(NODE, script), *arguments],
            {"CHROMIUM": shutil.which("chromium"), "TMPDIR": world.home})
