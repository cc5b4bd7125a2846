# SPDX-License-Identifier: MIT
# scenario/berthtest.py - a world of its own for each test, and what a user does in it
"""Every test runs in a network namespace of its own with state folders of its own (conftest.py makes the World).

The process that runs the tests is a child subreaper: whatever berth lets slip, however it forked, becomes our child.
So "nothing is left" is a plain look at our own descendants, and needs no mark that a program could wash off.

Nothing here sleeps for a time. Waiting is on a descriptor (a pidfd, a pipe, a terminal), or asks for a condition again
and again until a deadline that is an error.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

SLOW = float(os.environ.get("BERTH_TEST_SLOW", "1"))
DEADLINE = 10 * SLOW
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BERTH_BUILD", os.path.join(ROOT, "build"))
BERTH = os.environ.get("BERTH_BIN", os.path.join(BUILD, "src", "cli", "berth"))
SERVERS = os.path.join(ROOT, "tests", "scenario", "servers")
CACHE = os.path.join(BUILD, "scenario")

# Exit codes, as berth(1) has them.
USAGE, UNKNOWN, ALREADY, NO_PORT, TIMED_OUT, OWN_FAILURE, NOT_EXECUTABLE, NOT_FOUND = (
    2, 3, 4, 75, 124, 125, 126, 127)

STATES = {"waiting", "starting", "ready", "unready", "stopping", "stopped", "failed"}
REASONS = {"wished", "pinned", "remembered", "taken", "reserved", "group", "any", "extra", "tool"}
ERROR_CODES = {"usage", "config", "not-found", "not-running", "already-running", "no-port", "start-failed",
               "not-ready", "timeout", "refused", "denied", "unsupported", "internal"}

root_and_user = pytest.mark.parametrize("who", ["root", "user"], indirect=True)
each_containment = pytest.mark.parametrize(
    "who, containment", [("root", "cgroup"), ("root", "subreaper"), ("user", "subreaper")], indirect=True)
as_user = pytest.mark.parametrize("who", ["user"], indirect=True)


def ids(*names):
    """The requirements that a test shows; `pytest -m requirement` lists them, --co -q shows the test names."""
    return pytest.mark.requirement(*names)


def skip(reason):
    if os.environ.get("BERTH_MUST_RUN") == "1":
        pytest.fail(f"may not be skipped here: {reason}")
    pytest.skip(reason)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not installed")


def wait_until(condition, what, deadline=None):
    """Ask @condition until it is true; its value. @what is for the reader of a failure."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline * SLOW)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within the deadline: {what() if callable(what) else what}")
        select.select([], [], [], 0.004)


# --- processes ---

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PR_SET_CHILD_SUBREAPER = 36


def become_subreaper():
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


class Process:
    """One line of the process table, as it was when we looked."""

    def __init__(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
        after = text[text.rindex(")") + 2:].split()
        self.pid = pid
        self.comm = text[text.index("(") + 1:text.rindex(")")]
        self.state = after[0]
        self.parent = int(after[1])
        self.start = int(after[19])

    @property
    def threads_alive(self):
        """A process whose leader has ended is a zombie with living threads."""
        with contextlib.suppress(OSError):
            return len(os.listdir(f"/proc/{self.pid}/task")) > 1
        return False

    @property
    def alive(self):
        return self.state not in "ZX" or self.threads_alive

    @property
    def is_berth(self):
        try:
            return os.path.basename(os.readlink(f"/proc/{self.pid}/exe")).split(" ")[0] == os.path.basename(BERTH)
        except OSError:  # on its way out
            return self.comm.startswith("berth")

    @property
    def command(self):
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.pid}/cmdline", "rb") as file:
                return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        return ""

    @property
    def doing(self):
        """The system call it is in, and where the kernel waits for it."""
        words = []
        for name in ("syscall", "wchan"):
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.pid}/{name}", encoding="ascii") as file:
                    words.append(file.read().split(" ")[0].strip())
        return "/".join(words)

    def __repr__(self):
        return f"{self.pid}({self.comm} {self.state} of {self.parent}: {self.command[:100]})"


def process_table():
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                table[int(name)] = Process(int(name))
    return table


def descendants(of=None):
    """All living processes below @of (default: below us), orphans that became ours included. Reaps those."""
    top = os.getpid() if of is None else of
    table = process_table()
    children = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found, queue = [], [top]
    while queue:
        for child in children.get(queue.pop(), []):
            queue.append(child.pid)
            if child.alive:
                found.append(child)
            elif child.parent == os.getpid() and child.pid not in _ours:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child.pid, os.WNOHANG)
    return found


def bare_descendants(of):
    """Pids below @of, but neither a berth nor what a berth started."""
    found = []
    for process in process_table().values():
        if process.parent == of and process.alive and not process.is_berth:
            found += [process.pid, *bare_descendants(process.pid)]
    return found


_ours = set()  # pids of Popen objects: theirs to reap


def alive(pid):
    try:
        return Process(pid).alive
    except (OSError, ValueError):
        return False


def kill(pid, signum=signal.SIGKILL):
    """Through a pidfd. One that has gone already is no error."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, signum)
    os.close(fd)


def wait_gone(pid, deadline=None):
    """Until the process has ended (a zombie has)."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    limit = DEADLINE if deadline is None else deadline * SLOW
    gone = select.select([fd], [], [], limit)[0]
    os.close(fd)
    assert gone, f"process {pid} has not ended"


def has_socket(pid):
    """It has asked somebody: a command that waits for an answer has a socket to a supervisor."""
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            return False
    return any(link.startswith("socket:") for link in links)


# --- network ---

def enter_netns():
    """A network namespace of our own with lo up; returns a descriptor to come back by."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if _libc.unshare(CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        os.close(back)
        skip(f"no network namespace of our own: {os.strerror(code)}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14s", b"lo", 0x1 | 0x40, b"")  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(sock, 0x8914, request)  # SIOCSIFFLAGS
    return back


def leave_netns(back):
    if _libc.setns(back, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(back)


def bindable(port):
    """Can an ordinary server have it: SO_REUSEADDR, bind and listen, 0.0.0.0 and [::] each."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind((address, port))
                sock.listen(1)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
    return True


def listeners():
    """[(address, port)] of all that listens in this namespace."""
    found = []
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] != "0A":
                    continue
                raw, port = fields[1].split(":")
                words = [struct.pack("=I", int(raw[i:i + 8], 16)) for i in range(0, len(raw), 8)]
                found.append((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def http(port, host="127.0.0.1", path="/", headers=""):
    """One HTTP/1.0 request; the whole answer as text."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(DEADLINE)
        sock.connect((host, port))
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n{headers}\r\n".encode())
        parts = []
        while True:
            with contextlib.suppress(ConnectionResetError):
                part = sock.recv(65536)
                if part:
                    parts.append(part)
                    continue
            break
    return b"".join(parts).decode(errors="replace")


def body(port, host="127.0.0.1", path="/"):
    return http(port, host, path).partition("\r\n\r\n")[2]


def answer(port, host="127.0.0.1"):
    """What a victim says: {"server": "victim", "port": …, "pid": …, "say": …}."""
    return json.loads(body(port, host))


def refused(port, host="127.0.0.1"):
    """Nobody listens. A listener that is just being closed resets those who were waiting."""
    try:
        http(port, host)
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


# --- a program in the foreground ---

class Result:
    """A command that has ended."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    @property
    def json(self):
        try:
            document = json.loads(self.out)
        except ValueError:
            pytest.fail(f"not one JSON document on standard output: {self}")
        assert document["version"] == 1, self
        return document

    @property
    def service(self):
        document = self.json
        return document["service"] if "service" in document else document["services"][0]

    @property
    def error(self):
        error = self.json["error"]
        assert error["code"] in ERROR_CODES and error["exit"] == self.code and error["message"], self
        return error

    def __repr__(self):
        return (f"\n$ {' '.join(map(str, self.argv))}\nexit {self.code}\n--- stdout\n{self.out}"
                f"\n--- stderr\n{self.err}\n---")


class Foreground:
    """A running command, its output collected as it comes. With a terminal, both outputs are one ("out")."""

    def __init__(self, popen, master, argv):
        self.popen, self.master, self.argv = popen, master, argv
        self.pid = popen.pid
        _ours.add(self.pid)
        self.texts = {"out": "", "err": ""}
        self.fds = {}
        if master is not None:
            self.fds[master] = "out"
        else:
            if popen.stdout:
                self.fds[popen.stdout.fileno()] = "out"
            if popen.stderr:
                self.fds[popen.stderr.fileno()] = "err"
        for fd in self.fds:
            os.set_blocking(fd, False)

    out = property(lambda self: self.texts["out"])
    err = property(lambda self: self.texts["out" if self.master is not None else "err"])

    def __repr__(self):
        return (f"\n$ {' '.join(map(str, self.argv))}  (pid {self.pid}, ended: {self.popen.poll()})"
                f"\n--- stdout\n{self.out}\n--- stderr\n{self.texts['err']}\n---")

    def pump(self, timeout=0.0):
        """Read what is there, waiting at most @timeout for the first of it. False once all of it is closed."""
        if not self.fds:
            return False
        for fd in select.select(list(self.fds), [], [], timeout)[0]:
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                continue
            except OSError:  # EIO: the terminal's last user has gone
                data = b""
            if not data:
                del self.fds[fd]
                continue
            self.texts[self.fds[fd]] += data.decode(errors="replace")
        return bool(self.fds)

    def wait_for(self, pattern, stream="err", deadline=None):
        """Until a line of @stream matches the regular expression; the match."""
        end = time.monotonic() + (DEADLINE if deadline is None else deadline * SLOW)
        stream = "out" if self.master is not None else stream
        while True:
            match = re.search(pattern, self.texts[stream], re.M)
            if match:
                return match
            left = end - time.monotonic()
            if left <= 0:
                pytest.fail(f"no line like {pattern!r}: {self}")
            if not self.pump(min(left, 1)):
                match = re.search(pattern, self.texts[stream], re.M)
                if match:
                    return match
                pytest.fail(f"ended without a line like {pattern!r}: {self}")

    def wait(self, deadline=None):
        """Until it has ended, draining its output; the exit code (negative: the signal)."""
        end = time.monotonic() + (DEADLINE if deadline is None else deadline * SLOW)
        fd = os.pidfd_open(self.pid) if self.popen.returncode is None else -1
        try:
            while self.popen.poll() is None:
                left = end - time.monotonic()
                if left <= 0:
                    pytest.fail(f"has not ended: {self}\n{descendants()}")
                ready = select.select([fd, *self.fds], [], [], left)[0]
                if any(r != fd for r in ready):
                    self.pump()
        finally:
            if fd >= 0:
                os.close(fd)
        while self.pump(0) and select.select(list(self.fds), [], [], 0)[0]:
            pass
        _ours.discard(self.pid)
        return self.popen.returncode

    def send(self, text):
        data = text.encode()
        if self.master is not None:
            os.write(self.master, data)
        else:
            self.popen.stdin.write(data)
            self.popen.stdin.flush()

    def signal(self, signum):
        kill(self.pid, signum)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self):
        """The terminal's window is closed."""
        self.fds.pop(self.master, None)
        os.close(self.master)
        self.master = None

    def close(self):
        if self.master is not None:
            self.fds.clear()
            os.close(self.master)
            self.master = None
        for file in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if file:
                with contextlib.suppress(OSError):
                    file.close()


class Victim:
    """The command line of one helpers/victim, and a way to talk to it once it runs."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.folder = os.path.join(world.folder, f"v-{name}")
        os.mkdir(self.folder)
        world.give(self.folder)
        self.ready_file = os.path.join(self.folder, "ready")
        self.control = os.path.join(self.folder, "control")
        self.pids_file = os.path.join(self.folder, "pids")

    def argv(self, *arguments):
        """@arguments: options and places of the victim; it says its name, tells its pids and takes commands."""
        return [self.world.helper("victim"), "--say", self.name, "--ready-file", self.ready_file,
                "--control", self.control, "--pids-file", self.pids_file, *map(str, arguments)]

    def ready(self):
        """The ports that it believes to have, when it listens."""
        wait_until(lambda: os.path.exists(self.ready_file), lambda: f"victim {self.name} ready; {descendants()}")
        with open(self.ready_file, encoding="ascii") as file:
            return [int(word) for word in file.read().split()[1:]]

    def running(self):
        """It has been started, so its port is leased; it may not have bound yet."""
        wait_until(lambda: os.path.exists(self.pids_file) and self.pids(), lambda: f"victim {self.name} running; {descendants()}")

    @property
    def port(self):
        return self.ready()[0]

    def pids(self):
        with open(self.pids_file, encoding="ascii") as file:
            return [int(line) for line in file.read().split()]

    def forget(self):
        """Before it is started again."""
        for path in (self.ready_file, self.pids_file):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def command(self, line):
        """One command, one line of answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(DEADLINE)
            wait_until(lambda: sock.connect_ex(self.control) == 0, f"control socket of {self.name}")
            sock.sendall(line.encode() + b"\n")
            return sock.makefile().readline().strip()

    def connect(self, place):
        """What the victim sees when it asks that place: an answer as a dictionary, or the name of an errno."""
        word, _, rest = self.command(f"connect {place}").partition(" ")
        return json.loads(rest) if word == "answer" else rest


class Thief:
    """One helpers/thief."""

    def __init__(self, world, mode, sink=0):
        argv = [world.helper("thief"), mode, str(sink)]
        self.process = world.spawn(argv, stdin=subprocess.PIPE)
        self.mode = mode

    def _ask(self, line):
        before = len(self.process.out)
        self.process.send(line + "\n")
        wait_until(lambda: self.process.pump() and self.process.out[before:].endswith("\n"), f"thief: {line}")
        return self.process.out[before:].strip()

    def attack(self, port):
        assert self._ask(f"attack {port}") == "attacking"

    def pause(self):
        return json.loads(self._ask("pause"))


# --- the world of one test ---

class World:
    """Folders, environment and processes of one test; @uid: who runs berth (None: whoever runs the tests)."""

    def __init__(self, folder, uid, helper):
        self.folder, self.uid, self.helper = folder, uid, helper
        self.started = []
        self.sockets = []
        self.victims = 0
        for name in ("home", "runtime", "state", "config", "bin"):
            path = os.path.join(folder, name)
            os.mkdir(path, 0o700 if name != "bin" else 0o755)
            setattr(self, name, path)
            self.give(path)
        self.project = self.make_project("shop")
        self.env = {
            "PATH": f"{self.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.home,
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "SHELL": "/bin/sh",
            "XDG_RUNTIME_DIR": self.runtime,
            "XDG_STATE_HOME": self.state,
            "XDG_CONFIG_HOME": self.config,
        }
        # A supervisor that a sanitizer ends has nobody to tell: it writes, and the end of the test reads.
        self.reports = os.path.join(folder, "reports")
        os.mkdir(self.reports)
        os.chmod(self.reports, 0o1777)
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            self.env[name] = f"{os.environ.get(name, '')}:log_path={self.reports}/{name.lower()[:2]}".removeprefix(":")

    def give(self, path):
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def write(self, path, text, mode=0o644):
        """A file of the user's, below the project unless @path is absolute."""
        path = os.path.join(self.project, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        self.give(path)
        return path

    def make_project(self, name):
        """A folder with a git repository on branch main, as `git init` leaves it."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.join(path, ".git", "refs", "heads"))
        os.makedirs(os.path.join(path, ".git", "objects"))
        with open(os.path.join(path, ".git", "HEAD"), "w", encoding="ascii") as file:
            file.write("ref: refs/heads/main\n")
        for folder, _, files in os.walk(path):
            self.give(folder)
            for entry in files:
                self.give(os.path.join(folder, entry))
        return path

    # Processes

    def popen(self, argv, env=None, cwd=None, unset=(), as_root=False, **options):
        environment = {**self.env, **(env or {})}
        for name in unset:
            environment.pop(name, None)
        if self.uid is not None and not as_root:
            options.update(user=self.uid, group=self.uid, extra_groups=[])
        return subprocess.Popen([str(a) for a in argv], env=environment, cwd=cwd or self.project, **options)

    def run(self, argv, check=0, input=None, deadline=None, **options):
        """Any command, to its end. @check: the exit code it must have (None: any)."""
        popen = self.popen(argv, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        _ours.add(popen.pid)
        try:
            out, err = popen.communicate(input.encode() if input is not None else None,
                                         timeout=DEADLINE * 2 if deadline is None else deadline * SLOW)
        except subprocess.TimeoutExpired:
            tree = descendants()
            popen.kill()
            try:
                out, err = popen.communicate(timeout=1)
            except subprocess.TimeoutExpired as late:
                out, err = late.stdout or b"", late.stderr or b""
            result = Result(argv, None, out.decode(errors="replace"), err.decode(errors="replace"))
            pytest.fail(f"does not end (or keeps its outputs open): {result}\n{tree}")
        finally:
            _ours.discard(popen.pid)
        result = Result(argv, popen.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        assert check is None or result.code == check, f"expected exit {check}: {result}"
        return result

    def berth(self, *arguments, **options):
        return self.run([BERTH, *arguments], **options)

    def spawn(self, argv, terminal=False, rows=24, columns=80, **options):
        """A command that goes on; ended when the test ends."""
        master = None
        if terminal:
            master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if self.uid is not None:
                os.fchown(slave, self.uid, self.uid)
            for name in ("stdin", "stdout", "stderr"):
                options.setdefault(name, slave)

            def take_terminal():
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

            options.update(start_new_session=True, preexec_fn=take_terminal)
        else:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", subprocess.PIPE)
            options.setdefault("stderr", subprocess.PIPE)
        popen = self.popen(argv, **options)
        if terminal:
            os.close(slave)
        process = Foreground(popen, master, argv)
        self.started.append(process)
        return process

    def start(self, *arguments, **options):
        """`berth ARGUMENTS` in the foreground."""
        return self.spawn([BERTH, *arguments], **options)

    def run_d(self, *arguments, **options):
        """`berth run -d --json ARGUMENTS`; the document's service."""
        result = self.berth("run", "-d", "--json", *arguments, **options)
        document = result.json
        if result.code == 0:
            assert set(document) == {"version", "reused", "service", "services"}, result
            check_service(document["service"])
        return document

    def services(self):
        document = self.berth("ls", "--json").json
        for service in document["services"]:
            check_service(service)
        return document["services"]

    def status(self, name, **options):
        """Of a service that lives, ready (exit 0) or not (exit 1)."""
        result = self.berth("status", name, "--json", check=None, **options)
        assert result.code in (0, 1) and "services" in result.json, result
        return result.service

    def victim(self, name=None):
        self.victims += 1
        return Victim(self, name or f"v{self.victims}")

    # Strangers

    def occupy(self, port, address="0.0.0.0", listen=True, reuseaddr=True):
        """A stranger in our own process that holds @port."""
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        if ":" in address:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if reuseaddr:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if listen:
            sock.listen(64)
        self.sockets.append(sock)
        return sock

    def stranger(self, *places, say="stranger"):
        """A server that berth did not start, on those places; its process."""
        victim = self.victim(f"{say}{self.victims}")
        process = self.spawn(victim.argv(*places), as_root=True) if self.uid is None else \
            self.spawn(victim.argv(*places))
        victim.ready()
        process.victim = victim
        return process

    # The end

    def living(self):
        """What lives below us and is neither berth nor a stranger of the test's own."""
        own = {process.pid for process in self.started}
        below = set()
        for process in self.started:
            if not _is_berth_argv(process.argv):
                below.update(p.pid for p in descendants(process.pid))
        return [p for p in descendants() if p.pid not in own and p.pid not in below and not p.is_berth]

    def everything(self):
        """All that lives below us but for the test's own strangers: services, guardians, supervisors."""
        strangers = set()
        for process in self.started:
            if not _is_berth_argv(process.argv):
                strangers.add(process.pid)
                strangers.update(p.pid for p in descendants(process.pid))
        return [p for p in descendants() if p.pid not in strangers]

    def nothing_left(self, deadline=None):
        """Until no process of berth or of its services lives."""
        end = time.monotonic() + (DEADLINE if deadline is None else deadline * SLOW)
        looks = 0
        while True:
            left = self.everything()
            for process in self.started:
                process.popen.poll()
            looks = 0 if left else looks + 1
            if looks == 3:
                return
            if time.monotonic() > end:
                pytest.fail(f"left behind: {left}")
            select.select([], [], [], 0.004)

    def sanitizer_reports(self):
        texts = []
        for name in os.listdir(self.reports):
            with open(os.path.join(self.reports, name), encoding="utf-8", errors="replace") as file:
                texts.append(file.read()[:4000])
        # A leak check that could not look (a thread had just ended) says so too: that is no finding.
        return "\n".join(text for text in texts if "ERROR: " in text or "runtime error" in text)

    def end(self):
        """End all, the way a machine crash does to the supervisors: what then remains is berth's fault. Its list."""
        for sock in self.sockets:
            sock.close()
        strangers = [process.pid for process in self.started if not _is_berth_argv(process.argv)]
        for pid in strangers:
            kill(pid, signal.SIGSTOP)  # no further workers while we look
        for pid in [*strangers, *(p for pid in strangers for p in bare_descendants(pid))]:
            kill(pid)
        berths = [process for process in descendants() if process.is_berth]
        supervisors = [process for process in berths if process.comm.startswith("berth:")]
        for process in berths:
            if process.state == "T":
                kill(process.pid, signal.SIGCONT)
        for process in supervisors or berths:
            kill(process.pid)
        for process in self.started:
            with contextlib.suppress(Exception):
                process.pump()
            process.close()
        left = [f"{process!r} in {process.doing}" for process in self._drain(time.monotonic() + 5 * SLOW)]
        while self._drain(time.monotonic() + 1):
            for process in descendants():
                kill(process.pid)
        for process in self.started:
            _ours.discard(process.pid)
        return left

    def _drain(self, end):
        """Until nothing lives below us, or @end; what does. An orphan on its way to us can be missed by one look."""
        looks = 0
        while True:
            for process in self.started:
                process.popen.poll()
            left = descendants()
            looks = 0 if left else looks + 1
            if looks == 3 or (left and time.monotonic() > end):
                return left
            select.select([], [], [], 0.002)


def _is_berth_argv(argv):
    return str(argv[0]) == BERTH


# --- what JSON must look like (design: closed lists, null for absent, never missing) ---

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
_SERVICE = {
    "id": str, "project": str, "root": str, "branch": (str, None), "service": str, "instance": int, "state": STATES,
    "pid": (int, None), "supervisor_pid": (int, None), "owner_pid": (int, None), "expires_at": (_TIME, None),
    "started_at": (_TIME, None), "ready_at": (_TIME, None), "restarts": int, "health": (str, None), "command": list,
    "cwd": str, "log": (str, None), "ports": list, "exit": (dict, None), "steering": (str, None),
    "containment": (str, None),
}
_PORT = {
    "name": str, "protocol": {"tcp", "udp"}, "asked": (int, None), "port": int, "reason": REASONS, "addresses": list,
    "url": (str, None), "holder": (dict, None),
}


def _check(value, kind, where):
    for option in kind if isinstance(kind, tuple) else (kind,):
        if option is None and value is None:
            return
        if isinstance(option, set) and value in option:
            return
        if isinstance(option, re.Pattern) and isinstance(value, str) and option.match(value):
            return
        if isinstance(option, type) and isinstance(value, option) and not isinstance(value, bool):
            return
    pytest.fail(f"{where} is {value!r}, expected {kind}")


def check_service(service):
    for key, kind in _SERVICE.items():
        assert key in service, f"{key} is missing: {service}"
        _check(service[key], kind, key)
    for port in service["ports"]:
        for key, kind in _PORT.items():
            assert key in port, f"ports[].{key} is missing: {port}"
            _check(port[key], kind, f"ports[].{key}")
    assert "environment" not in service and "env" not in service


def port_of(service, name="main"):
    for port in service["ports"]:
        if port["name"] == name:
            return port["port"]
    raise AssertionError(f"no port {name!r}: {service['ports']}")
