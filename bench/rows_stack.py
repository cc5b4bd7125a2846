# SPDX-License-Identifier: MIT
# bench/rows_stack.py - a stack of a hundred services: until all are started, its plan, its memory
"""What starts many is measured from the fork of the tool until each service has written a byte into a fifo: then its
own program runs, whoever started it and however. All get the same programs, and what a tool needs to know of them, in
the file that it reads by itself."""

import contextlib
import json
import os
import resource
import select
import signal
import shutil
import socket
import subprocess
import tempfile
import time

from world import BERTH, DEADLINE, MS, ROOT, children_of, end_what_is_left, line, median, pss_kib, spread

SERVICES, TURNS = 100, 7
FIRST, TAKEN = 5000, 1000
NF = os.path.join(ROOT, "tests", "node", "node_modules", ".bin", "nf")
FASTER = 5


@contextlib.contextmanager
def runtime_in_memory(world):
    """The runtime folder where every login has it: in memory. The other folders stay on the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield "the runtime folder on the disk"
        return
    before = world.env["XDG_RUNTIME_DIR"]
    with tempfile.TemporaryDirectory(prefix="berth-bench-", dir="/dev/shm") as folder:
        world.env["XDG_RUNTIME_DIR"] = folder
        try:
            yield "the runtime folder in memory, as /run/user is"
        finally:
            world.env["XDG_RUNTIME_DIR"] = before


class Started:
    """Counts the services that have said that they are there."""

    def __init__(self, world):
        self.path = os.path.join(world.folder, "started")
        os.mkfifo(self.path)
        self.reading = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.writing = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)  # else every moment without one is an end

    def time(self, world, command, cwd):
        """Nanoseconds from the fork of @command until SERVICES have been counted."""
        began, count = time.monotonic_ns(), 0
        process = subprocess.Popen(command, env=world.env, cwd=cwd, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while count < SERVICES:
            if not select.select([self.reading], [], [], DEADLINE)[0]:
                raise RuntimeError(f"{command[0]}: only {count} of {SERVICES} have started")
            count += len(os.read(self.reading, 4096))
        took = time.monotonic_ns() - began
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
        end_what_is_left()
        return took


def write_files(world, command):
    """Each tool's own file for SERVICES times @command; {title: how it is started}."""
    names = [f"s{number:02}" for number in range(SERVICES)]
    with open(os.path.join(world.cwd, "Procfile"), "w", encoding="utf-8") as file:
        file.writelines(f"{name}: exec {command}\n" for name in names)
    with open(os.path.join(world.cwd, "supervisord.conf"), "w", encoding="utf-8") as file:
        file.write("[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
                   f"pidfile={world.folder}/supervisord.pid\nchildlogdir={world.folder}\n")
        file.writelines(f"[program:{name}]\ncommand={command}\n" for name in names)
    with open(os.path.join(world.cwd, "berth.yaml"), "w", encoding="utf-8") as file:
        file.write("services:\n")
        file.writelines(f"  {name}:\n    command: {command}\n    port: none\n" for name in names)
    return {
        "berth up": [BERTH, "up", "-f", "berth.yaml"],
        "foreman (Ruby)": ["foreman", "start"],
        "nf (node-foreman)": [NF, "start"],
        "supervisord": ["supervisord", "-n", "-c", "supervisord.conf"],
        "honcho": ["honcho", "start"],
    }


def row_up(world):
    with runtime_in_memory(world) as where:
        started = Started(world)
        tools = write_files(world, f"{world.program('here')} {started.path}")
        absent = [title for title, command in tools.items()
                  if not shutil.which(command[0], path=world.env["PATH"])]
        took = {title: [] for title in tools if title not in absent}
        for _ in range(TURNS):
            for title, times in took.items():
                times.append(started.time(world, tools[title], world.cwd))
    ours = took.pop("berth up")
    best = min(took, key=lambda title: median(took[title]), default=None)
    what = f"`up` of {SERVICES} services"
    lines = [line(f"{what}, until all are started", "at most 400 ms", f"{median(ours) / 1e6:.0f} ms",
                  median(ours) <= 400e6, f"{spread(ours, MS)}; {TURNS} turns, port: none; {where}")]
    if best:
        ratio = median(took[best]) / median(ours)
        lines.append(line(f"{what} over the best of {', '.join(took)}", f"{FASTER} x faster", f"{ratio:.1f} x faster",
                          ratio >= FASTER,
                          f"{best} {spread(took[best], MS)}; by turns" +
                          (f"; not to be had here: {', '.join(absent)}" if absent else "")))
    lines += [line(f"{what.replace('`up`', 'start')} with {title}", "", f"{median(times) / 1e6:.0f} ms", None,
                   spread(times, MS)) for title, times in took.items()]
    return lines


def take_ports(count):
    """As a stranger would: listening sockets on the wildcard."""
    wanted = count + 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    sockets = []
    for port in range(FIRST, FIRST + count):
        sockets.append(socket.socket())
        sockets[-1].bind(("0.0.0.0", port))
        sockets[-1].listen(1)
    return sockets


def row_plan(world):
    with open(os.path.join(world.cwd, "berth.yaml"), "w", encoding="utf-8") as file:
        file.write("services:\n")
        file.writelines(f"  s{number:02}:\n    command: [sleep, '1000']\n"
                        f"    port: {FIRST + number * (TAKEN // SERVICES)}\n    range: {FIRST}-{FIRST + 2 * TAKEN - 1}\n"
                        for number in range(SERVICES))
    sockets = take_ports(TAKEN)
    plan = json.loads(world.output(BERTH, "plan", "--json"))
    ports = {port["port"] for service in plan["services"] for port in service["ports"]}
    if len(ports) != SERVICES or min(ports) < FIRST + TAKEN:
        raise RuntimeError(f"{len(ports)} ports are planned, the lowest is {min(ports, default=0)}")
    bare, planned = zip(*world.numbers(world.program("spawn"), "40", "true", "--and", BERTH, "plan"))
    for sock in sockets:
        sock.close()
    return [line(f"`plan` for {SERVICES} services, {TAKEN:,} of the ports taken", "at most 20 ms",
                 f"{median(planned) / 1e6:.1f} ms", median(planned) <= 20e6,
                 f"{spread(planned, MS)}, of it a start as that of `true` {spread(bare, MS)}; 40 of each by turns")]


def row_stack_memory(world):
    with open(os.path.join(world.cwd, "berth.yaml"), "w", encoding="utf-8") as file:
        file.write("services:\n")
        file.writelines(f"  s{number:02}:\n    command: [sleep, '1000']\n    port: none\n"
                        for number in range(SERVICES))
    world.output(BERTH, "up", "-d", "-q")
    services = json.loads(world.output(BERTH, "ls", "--json"))["services"]
    supervisor, guardian = services[0]["supervisor_pid"], services[0]["guardian_pid"]
    commands = {service["pid"] for service in services}
    helpers = [pid for pid in children_of(supervisor) if pid not in commands]
    kib = {"supervisor": pss_kib(supervisor), "guardian": pss_kib(guardian),
           f"{len(helpers)} keepers": sum(pss_kib(pid) for pid in helpers)}
    world.output(BERTH, "down")
    total = sum(kib.values()) / 1024
    return [line(f"memory of guardian + supervisor + keepers with {len(services)} services (PSS)", "at most 8 MB",
                 f"{total:.2f} MB", total <= 8 and len(services) == SERVICES,
                 ", ".join(f"{name} {size} KiB" for name, size in kib.items()))]


ROWS = {"up": row_up, "plan": row_plan, "stack-memory": row_stack_memory}
