# SPDX-License-Identifier: MIT
# bench/world.py - the world in which a row is measured, and how figures are told
"""Each row runs in a network namespace of its own with runtime, state and settings folders of its own, so that neither
what runs on this machine nor what another row left behind is in its way; without root that takes user namespaces."""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import selectors
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time
import traceback

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(BENCH)
BUILD = os.path.abspath(os.environ.get("BERTH_BUILD", os.path.join(ROOT, "build")))
BERTH = os.environ.get("BERTH_BIN", os.path.join(BUILD, "src", "cli", "berth"))
DEADLINE = 120  # of anything that is waited for: beyond it, something hangs

CLONE_NEWUSER, CLONE_NEWNET, PR_SET_CHILD_SUBREAPER = 0x10000000, 0x40000000, 36
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
libc = ctypes.CDLL(None, use_errno=True)


# --- the world of a row ---

def call(function, *arguments):
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function.__name__}: {os.strerror(ctypes.get_errno())}")


def enter_namespace():
    uid, gid = os.getuid(), os.getgid()
    call(libc.unshare, CLONE_NEWNET | (CLONE_NEWUSER if uid else 0))
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    with socket.socket() as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def children_of(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    return []


def end_what_is_left():
    """Detached guardians are our children, since we are a subreaper; so is whatever they let slip."""
    while pids := children_of(os.getpid()):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


class World:
    def __init__(self, folder, programs):
        self.folder = folder
        self.programs = programs
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": folder,
            "XDG_RUNTIME_DIR": os.path.join(folder, "run"),
            "XDG_STATE_HOME": os.path.join(folder, "state"),
            "XDG_CONFIG_HOME": os.path.join(folder, "config"),
        }
        self.cwd = os.path.join(folder, "shop")
        for path in ("run", "state", "config", "shop"):
            os.mkdir(os.path.join(folder, path), 0o700)

    def program(self, name):
        return os.path.join(self.programs, name)

    def output(self, *command, check=True, env=None):
        """What @command prints; it fails loudly."""
        done = subprocess.run(command, env={**self.env, **(env or {})}, cwd=self.cwd, text=True, timeout=DEADLINE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command[:6])} ...: exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def numbers(self, *command):
        """Each line of what @command prints as integers."""
        lines = [[int(word) for word in line.split()] for line in self.output(*command).splitlines()]
        return lines if lines and len(lines[0]) > 1 else [line[0] for line in lines]

    def start(self, *command, env=None):
        return subprocess.Popen(command, env={**self.env, **(env or {})}, cwd=self.cwd, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_world(row, programs):
    """Run @row in a process of its own; what it returns, by way of JSON."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        result = {"error": "ended early"}
        try:
            call(libc.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            enter_namespace()
            with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
                try:
                    result = {"lines": row(World(folder, programs))}
                finally:
                    end_what_is_left()
        except BaseException as error:  # whatever it is, the parent writes it down
            result = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {"error": "ended early"}


# --- figures ---

def spread(values, unit):
    """"2.51 ms (2.38 to 3.02)": the median, and the first and last tenth."""
    values = sorted(value / unit[1] for value in values)
    tenth = len(values) // 10
    form = "{:.0f}" if statistics.median(values) >= 100 else "{:.1f}" if statistics.median(values) >= 10 else "{:.2f}"
    text = [form.format(value) for value in (statistics.median(values), values[tenth], values[-1 - tenth])]
    return f"{text[0]} {unit[0]} ({text[1]} to {text[2]})"


NS, US, MS = ("ns", 1), ("µs", 1e3), ("ms", 1e6)
median = statistics.median


def line(what, reach, measured, reached, details):
    """@reached None: it is not asked for, and measured for comparison."""
    return {"what": what, "reach": reach, "measured": measured, "reached": reached, "details": details}


# --- what rows have in common ---

class Gathering:
    """The unix socket on which many programs say what became of them."""

    def __init__(self, world):
        self.path = os.path.join(world.folder, "gathering")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4096)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.text = {}

    def hear(self, count, started, word):
        """{socket: the @word-th line that it says} of @count programs; one that ended without is not waited for."""
        end = time.monotonic() + DEADLINE
        while True:
            words = {sock: lines[word] for sock, text in self.text.items()
                     if len(lines := text.split("\n")[:-1]) > word}
            silent = sum(process.poll() is not None for process in started)
            if len(words) >= count or len(words) + silent >= count and len(words) == len(self.text):
                return words
            if time.monotonic() > end:
                raise RuntimeError(f"only {len(words)} of {count} have reported")
            for key, _ in self.selector.select(0.2):
                self.read(key.fileobj)

    def read(self, sock):
        if sock is self.listener:
            peer = self.listener.accept()[0]
            self.text[peer] = ""
            self.selector.register(peer, selectors.EVENT_READ)
        elif data := sock.recv(4096):
            self.text[sock] += data.decode()
        else:
            self.selector.unregister(sock)

    def tell(self, text):
        for sock in self.text:
            sock.sendall(text.encode())

    def close(self):
        for sock in [*self.text, self.listener]:
            sock.close()
        self.selector.close()
        os.unlink(self.path)


def service_of(world, *arguments, env=None):
    return json.loads(world.output(BERTH, "run", "-d", "--json", "-q", *arguments, env=env))["service"]


def status_of(world, name):
    """Its document; `berth status` has another exit code for each state."""
    return json.loads(world.output(BERTH, "status", name, "--json", check=False))["services"][0]


def wait_until(condition, what):
    """Ask @condition until it is true; its value."""
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {DEADLINE} s: {what}")
        select.select([], [], [], 0.005)
    return value


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1))
