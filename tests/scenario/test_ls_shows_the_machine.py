# SPDX-License-Identifier: MIT
# scenario/test_ls_shows_the_machine.py - every listening port, whoever has it, and each change
"""`berth ls -m` beside what really listens in this test's own network namespace, and `--watch`."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import threading

import pytest

from berthtest import USAGE, as_user, ids, listeners, root_and_user, wait_until
from test_json_matches_its_schemas import validate


def machine(world, *options):
    document = world.berth("ls", "-m", "--json", *options).json
    validate(document, "listeners")
    return document["listeners"]


def of_port(rows, port):
    return [row for row in rows if row["port"] == port]


def lines_of(process):
    """The NDJSON documents that have come so far."""
    process.pump()
    return [json.loads(line) for line in process.out.splitlines()]


@ids("N9")
@root_and_user
def test_all_that_listens_is_there_and_nothing_else(world):
    stranger = world.stranger("0.0.0.0:8000", "127.0.0.1:8001", "[::1]:8001", "[::]:8002")
    world.occupy(8003, listen=False)
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    rows = machine(world)
    assert {(row["port"], address) for row in rows for address in row["addresses"]} == {
        (port, address) for address, port in listeners()}
    assert {row["port"] for row in rows} == {5000, 8000, 8001, 8002}
    assert all(row["pid"] == stranger.pid and row["state"] == "listening" and row["service"] is None
               for row in rows if row["port"] >= 8000)
    assert sorted(of_port(rows, 8001)[0]["addresses"]) == ["127.0.0.1", "::1"] and len(of_port(rows, 8001)) == 1


@ids("N9")
@root_and_user
def test_services_have_their_name_and_state(world):
    service = world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))["service"]
    row = of_port(machine(world), 5000)[0]
    assert row["service"] == {"label": "shop/web", "id": service["id"], "instance": 1}
    assert row["pid"] == service["pid"] and row["state"] == "ready"
    assert row["cwd"] == world.project and row["project"]["root"] == world.project
    assert row["command"][0].endswith("victim")
    # As columns: PORT ADDRESS PID USER SERVICE STATE COMMAND WHERE
    fields = next(line.split() for line in world.berth("ls", "-m").out.splitlines() if line.lstrip().startswith("5000 "))
    assert fields[2] == str(service["pid"]) and fields[4:6] == ["shop/web", "ready"]
    only = world.berth("ls", "-m", "-o", "port,service,since").out.splitlines()
    assert only[0].split() == ["PORT", "SERVICE", "SINCE"] and only[1].split()[:2] == ["5000", "shop/web"]
    chosen = world.berth("ls", "-m", "-o", "port,process", "--json").json["listeners"]
    assert chosen == [{"port": 5000, "process": "victim"}]


@ids("N9")
@root_and_user
def test_each_number_has_a_line_of_its_own_also_where_nothing_else_differs(world):
    """The lines of one process are made at once: what is different among them must not get lost."""
    stranger = world.stranger("127.0.0.1:8000", "127.0.0.1:8001", "0.0.0.0:8002", "0.0.0.0:8003", "127.0.0.1:8004",
                              "[::1]:8004", "127.0.0.1:8006", "127.0.0.1:8007")
    other = world.stranger("127.0.0.1:8005", "127.0.0.1:8008")
    service = world.run_d("--name", "web", "--port", "8009", "--", *world.victim().argv(8009))["service"]
    lines = [line.split() for line in world.berth("ls", "-m").out.splitlines()[1:]]
    shown = [(line[0], ",".join(sorted(line[1].split(","))), int(line[2]), line[4]) for line in lines]
    assert shown[:9] == [
        ("8000", "127.0.0.1", stranger.pid, "-"), ("8001", "127.0.0.1", stranger.pid, "-"),
        ("8002", "0.0.0.0", stranger.pid, "-"), ("8003", "0.0.0.0", stranger.pid, "-"),
        ("8004", "127.0.0.1,::1", stranger.pid, "-"), ("8005", "127.0.0.1", other.pid, "-"),
        ("8006", "127.0.0.1", stranger.pid, "-"), ("8007", "127.0.0.1", stranger.pid, "-"),
        ("8008", "127.0.0.1", other.pid, "-")]
    assert [(line[0], line[2], line[3]) for line in shown[9:]] == [("8009", service["pid"], "shop/web")]


@ids("N9")
def test_workers_with_a_socket_each_have_a_line_each(world):
    """Their supervisor holds all of them, and is never who serves."""
    world.run_d("--name", "web", "--workers", "2", "--port", "5000", "--", *world.victim().argv(5000))
    pids = {worker["pid"] for worker in world.status("web")["workers"]}
    wait_until(lambda: {row["pid"] for row in of_port(machine(world), 5000)} == pids, "both workers listen")
    assert all(row["service"]["label"] == "shop/web" for row in of_port(machine(world), 5000))


@ids("N9")
def test_who_has_inherited_a_socket_stands_beside_it(world):
    stranger = world.stranger(8000)
    child = int(stranger.victim.command("fork").split()[-1])
    rows = of_port(machine(world), 8000)
    assert len(rows) == 1
    assert {rows[0]["pid"], *(other["pid"] for other in rows[0]["shared_with"])} == {stranger.pid, child}


@ids("N9")
def test_udp_is_shown_where_it_is_asked_for(world):
    world.stranger("udp:5353")
    assert machine(world) == []
    row = of_port(machine(world, "--udp"), 5353)[0]
    assert row["protocol"] == "udp" and row["pid"]
    assert world.berth("ls", "-m", "--udp").out.splitlines()[0].split()[:2] == ["PORT", "PROTO"]
    world.berth("ls", "--udp", check=USAGE)


@ids("N9", "D1")
@as_user
def test_what_is_hidden_is_said_and_not_left_out(world):
    with socket.socket() as ours:  # of root, who runs the tests
        ours.bind(("0.0.0.0", 8000))
        ours.listen()
        result = world.berth("ls", "-m")
        row = of_port(machine(world), 8000)[0]
        document = world.berth("ls", "-m", "--json").json
    assert row["pid"] is None and row["user"] == "root"
    assert result.out.splitlines()[1].split()[:4] == ["8000", "0.0.0.0", "-", "root"]
    assert re.search("^hint: not seen: .* as root: sudo berth ls -m$", result.err, re.M), result
    assert len(document["unseen"]) == 1


@ids("N9")
def test_control_characters_are_never_printed_raw(world):
    victim = world.victim("odd")
    world.spawn(["bash", "-c", 'exec -a "$(printf "a\\033[31m\\nb")" "$@"', "bash", *victim.argv(8000)])
    victim.ready()
    out = world.berth("ls", "-m").out
    assert "\033" not in out and len(out.splitlines()) == 2 and "\\e[31m" in out, out


@ids("N9")
@pytest.mark.parametrize("columns", [80, 132])
def test_a_terminal_gets_lines_that_fit(world, columns):
    world.run_d("--name", "a-service-of-a-long-name", "--port", "5000", "--", *world.victim().argv(5000))
    shown = world.start("ls", "-m", terminal=True, columns=columns, env={"TERM": "xterm"})
    shown.wait()
    lines = [re.sub("\033[^a-zA-Z]*[a-zA-Z]", "", line).rstrip() for line in shown.out.splitlines()]
    assert max(map(len, lines)) <= columns and len(lines) == 2, lines
    assert "\033[32mready" in shown.out


@ids("N9")
@pytest.mark.parametrize("options", [[], ["-m"]], ids=["services", "machine"])
def test_watching_in_a_pipe_is_a_document_for_each_change(world, options):
    watch = world.start("ls", *options, "--watch", "-o", "service,state")
    wait_until(lambda: len(lines_of(watch)) == 1, lambda: f"the first document: {watch}")
    member = "listeners" if options else "services"
    assert lines_of(watch)[0][member] == []
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    wait_until(lambda: lines_of(watch)[-1][member] == [{"service": "shop/web", "state": "ready"}],
               lambda: f"the start is told: {watch}")
    world.berth("stop", "web")
    wait_until(lambda: lines_of(watch)[-1][member] == [], lambda: f"the end is told: {watch}")
    documents = lines_of(watch)
    assert all(one != other for one, other in zip(documents, documents[1:])), documents
    assert all(set(document) == {"version", member, *(["unseen"] if options else [])} for document in documents)
    watch.signal(signal.SIGINT)
    assert watch.wait() == -signal.SIGINT


@ids("N9")
def test_watching_ends_with_its_reader(world):
    reading, writing = os.pipe()
    watch = world.start("ls", "-m", "--watch", stdout=writing)
    os.close(writing)
    assert os.read(reading, 65536)
    os.close(reading)
    assert watch.wait() == 0


@ids("N9")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_watched_screen_is_left_as_it_was(world, signum):
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    watch = world.start("ls", "--watch", terminal=True, columns=100, env={"TERM": "xterm"})
    watch.wait_for("shop/web")
    assert watch.out.startswith("\033[?1049h")
    before = len(watch.out)
    world.berth("stop", "web")
    wait_until(lambda: watch.pump() and "nothing runs" in watch.out[before:], lambda: f"the end is drawn: {watch}")
    watch.signal(signum)
    assert watch.wait() == -signum
    assert watch.out.endswith("\033[?1049l"), repr(watch.out[-40:])


@ids("N9")
def test_a_watched_screen_follows_the_size_of_its_terminal(world):
    for port in range(8000, 8010):
        world.occupy(port)
    watch = world.start("ls", "-m", "--watch", terminal=True, rows=24, columns=100, env={"TERM": "xterm"})
    watch.wait_for("8009")
    before = len(watch.out)
    watch.resize(5, 60)
    watch.signal(signal.SIGWINCH)
    wait_until(lambda: watch.pump() and "7 more" in watch.out[before:], lambda: f"what there is no room for is counted: {watch}")
    watch.signal(signal.SIGINT)
    watch.wait()


class Screen:
    """What a terminal shows of as much as the watch writes."""

    def __init__(self, rows, columns):
        self.lines = [[" "] * columns for _ in range(rows)]
        self.columns, self.row, self.column, self.wraps = columns, 0, 0, True

    def write(self, text):
        for match in re.finditer(r"\033\[([?\d;]*)([A-Za-z])|(.)", text, re.S):
            if match[3]:
                self.put(match[3])
            elif match[1] + match[2] in ("?7l", "?7h"):
                self.wraps = match[2] == "h"
            elif match[2] == "H":
                self.row = self.column = 0
            elif match[2] in "KJ":
                below = len(self.lines) if match[2] == "J" else self.row + 1
                for row in range(self.row, below):
                    start = min(self.column, self.columns - 1) if row == self.row else 0
                    self.lines[row][start:] = [" "] * (self.columns - start)

    def feed(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines = [*self.lines[1:], [" "] * self.columns]
            self.row -= 1

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.feed()
        else:
            if self.column == self.columns and self.wraps:
                self.column = 0
                self.feed()
            self.lines[self.row][min(self.column, self.columns - 1)] = character
            self.column = min(self.column + 1, self.columns)

    def text(self):
        return ["".join(line).rstrip() for line in self.lines]


@ids("N9")
def test_a_watched_screen_has_its_header_where_lines_are_longer_than_it_is_wide(world):
    """Each took two rows, and the header had gone off above."""
    for port in range(50000, 50014):
        world.occupy(port)
    watch = world.start("ls", "-m", "--watch", terminal=True, rows=12, columns=30, env={"TERM": "xterm"})
    watch.wait_for(" more")
    screen = Screen(12, 30)
    screen.write(watch.out)
    lines = screen.text()
    assert lines[0].split()[0] == "PORT" and lines[-1] == "4 more", lines
    assert [line.split()[0] for line in lines[1:-1]] == [str(port) for port in range(50000, 50010)]
    watch.signal(signal.SIGTERM)
    watch.wait()
    assert watch.out.rindex("\033[?7h") > watch.out.rindex("\033[?7l")


@ids("N9")
def test_the_proxy_of_a_container_has_its_name(world):
    """An engine answers on a socket of the test's own, and a program has the name of Docker's proxy."""
    start_proxy(world, 8000)
    containers = [{"Id": "4f1c" * 16, "Names": ["/cache"], "Image": "redis:7", "State": "running", "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 6379, "PublicPort": 8000, "Type": "tcp"}]}]
    with engine(world, containers) as path:
        env = {"DOCKER_HOST": f"unix://{path}"}
        lines = world.berth("ls", "-m", env=env).out.splitlines()
        rows = world.berth("ls", "-m", "--json", env=env).json["listeners"]
    assert lines[1].split()[-1] == "cache"
    assert rows[0]["container"]["name"] == "cache" and rows[0]["container"]["image"] == "redis:7"


@ids("D1", "N9")
def test_an_engine_that_hangs_is_waited_for_half_a_second_and_told_of(world):
    start_proxy(world, 8000)
    path = os.path.join(world.folder, "engine.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        env = {"DOCKER_HOST": f"unix://{path}"}
        who = world.berth("who", "--json", "8000", env=env).json
        words = world.berth("who", "8000", env=env).err
        machine = world.berth("ls", "-m", "--json", env=env).json
    said = "a container engine did not answer within 0.5 s: containers may be missing, or their names"
    assert said in who["unseen"] and said in machine["unseen"] and said in words
    assert [holder["pid"] for holder in who["ports"][0]["holders"] if holder["netns"] == "same"] == \
        [row["pid"] for row in machine["listeners"]]


@ids("D1", "N9")
@pytest.mark.parametrize("answer", [b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}", b"\0\1\2 junk", b""],
                         ids=["error", "junk", "nothing"])
def test_an_engine_that_answers_with_an_error_is_told_of(world, answer):
    """It was taken for one without containers."""
    start_proxy(world, 8000)
    with engine(world, [], answer) as path:
        env = {"DOCKER_HOST": f"unix://{path}"}
        who = world.berth("who", "--json", "8000", env=env).json
        words = world.berth("who", "8000", env=env).err
        machine = world.berth("ls", "-m", "--json", env=env).json
    said = ["a container engine answered with an error: containers may be missing, or their names"]
    assert who["unseen"] == machine["unseen"] == said
    assert said[0] in words and "sudo" not in words


def start_proxy(world, port):
    """A program that has the name of Docker's, and listens there."""
    proxy = os.path.join(world.bin, "docker-proxy")
    shutil.copy(world.helper("victim"), proxy)
    victim = world.victim()
    world.spawn([proxy, *victim.argv(port)[1:]])
    victim.ready()


@contextlib.contextmanager
def engine(world, containers, answer=None):
    """The path of a socket on which GET /containers/json is answered, by @answer if that is given."""
    path = os.path.join(world.folder, "engine.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    text = json.dumps(containers)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                peer = listener.accept()[0]
                with peer:
                    peer.recv(65536)
                    if answer is not None:
                        peer.sendall(answer)
                        continue
                    peer.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                 f"Content-Length: {len(text)}\r\n\r\n{text}".encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
