# SPDX-License-Identifier: MIT
# bench/load.py - clients (tests/helpers/load.c) and the servers that they ask (tests/scenario/servers/work)
import json
import os
import subprocess
import sys

from world import DEADLINE, ROOT, wait_until

sys.path.insert(0, os.path.join(ROOT, "tests", "scenario"))
import workservers  # noqa: E402

FAILURES = ("refused", "reset", "hung", "wrong", "other")


def missing(*names):
    """What the servers of these names need and is not installed."""
    return sorted({program for name in names for program in workservers.ALL[name].missing()})


def server(world, name):
    """The command line of one of servers/work; it is built when it is first asked for."""
    program = workservers.ALL[name]
    path = world.program(f"work-{name}")
    if program.command and not os.path.exists(path):
        subprocess.run([*program.command, path], cwd=program.cwd, env=program.env, check=True, timeout=DEADLINE)
    return program.argv(path)


def port_of(service):
    return next(port["port"] for port in service["ports"] if port["name"] == "main")


def failed(counts):
    return sum(counts[name] for name in FAILURES)


def describe(counts):
    """"12,345 ok, 0 refused, 0 hung, 3 reset"; what else there was only if there was."""
    words = [f"{counts[name]:,} {name}" for name in ("ok", "refused", "hung", "reset")]
    return ", ".join(words + [f"{counts[name]:,} {name}" for name in ("wrong", "other") if counts[name]])


class Load:
    """Clients of @port until end(), or for as long as @options say."""

    def __init__(self, world, port, *options):
        self.process = subprocess.Popen([world.program("load"), *options, str(port)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"the clients ended early: exit {self.process.wait()}")
        return json.loads(text)

    def report(self):
        self.process.stdin.write("report\n")
        self.process.stdin.flush()
        return self.line()

    def end(self):
        """The figures, once it has ended by itself or is told to."""
        self.process.stdin.close()
        counts = self.line()
        self.process.wait(DEADLINE)
        return counts

    def answering(self, pids, count):
        """A process that is none of @pids, and has answered @count times."""
        def find():
            said = self.report()["by_pid"]
            return next((int(pid) for pid, number in said.items() if int(pid) not in pids and number >= count), None)
        return wait_until(find, "a new process answers")
