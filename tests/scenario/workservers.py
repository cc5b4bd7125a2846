# SPDX-License-Identifier: MIT
# scenario/workservers.py - how the servers of servers/work are built and started
"""For tests (realservers.py) and measurements (bench/). What a server does: servers/work/README."""

import os
import shutil

WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "servers", "work")
_CC = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-pthread"]
# Into a file, not a folder: that one can take the place of an older one.
_JAVAC = ["sh", "-c", 'javac -nowarn -XDignore.symbol.file -d "$2.classes" "$1.java" && '
          'jar -c -f "$2" -C "$2.classes" . && rm -r "$2.classes"', "sh"]
_JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m", "-cp"]


class Server:
    """@command makes what is built, at a path put behind it; @start is its command line, with BUILT for that path."""

    def __init__(self, start, needs, sources=(), command=(), folder=".", env=None):
        self.needs = needs
        self.sources = [os.path.join(WORK, folder, name) for name in sources]
        self.command = list(command)
        self.cwd = os.path.join(WORK, folder)
        self.env = {**os.environ, **(env or {})}
        self.start = start

    def missing(self):
        return [program for program in self.needs if not shutil.which(program) and not os.path.exists(program)]

    def argv(self, built, say=""):
        return [built if word == "BUILT" else word for word in self.start] + ([say] if say else [])


ALL = {
    "node": Server(["node", f"{WORK}/server.js"], ["node"]),
    "go": Server(["BUILT"], ["go"], ["main.go"], ["go", "build", "-o"], folder="go",
                 env={"CGO_ENABLED": "0", "GO111MODULE": "off"}),
    "java": Server([*_JAVA, "BUILT", "Nio"], ["java", "javac"], ["Nio.java"], [*_JAVAC, "Nio"]),
    "java-blocking": Server([*_JAVA, "BUILT", "Blocking"], ["java", "javac"], ["Blocking.java"],
                            [*_JAVAC, "Blocking"]),
    "python": Server(["/usr/bin/python3", f"{WORK}/server_asyncio.py"], ["/usr/bin/python3"]),
    "python-threads": Server(["/usr/bin/python3", f"{WORK}/server_threads.py"], ["/usr/bin/python3"]),
    "c-epoll": Server(["BUILT"], [_CC[0]], ["epoll.c", "work.h"], [*_CC, "epoll.c", "-o"]),
    "c-threads": Server(["BUILT"], [_CC[0]], ["threads.c", "work.h"], [*_CC, "threads.c", "-o"]),
    "asio": Server(["BUILT"], ["g++", "/usr/include/asio.hpp"], ["asio.cpp", "work.h"],
                   ["g++", "-std=gnu++17", "-D_GNU_SOURCE", "-O1", "-pthread", "asio.cpp", "-o"]),
}
