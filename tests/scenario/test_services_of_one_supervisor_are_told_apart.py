# SPDX-License-Identifier: MIT
# scenario/test_services_of_one_supervisor_are_told_apart.py - D1, D3: what a service has besides its ports is its own
"""Two services below one supervisor. One of them has a connection out and a UDP socket, which no record names.

`who` named the first service of the stack for both, and `free` ended that one.
"""

import os
import socket
import sys

import pytest

from berthtest import TIMED_OUT, UNKNOWN, each_containment, ids, root_and_user, wait_until
from stacks import Stack, program
from test_json_matches_its_schemas import validate

# Listens on ARGV[1] (0: nowhere), connects to ARGV[2] (0: does not), has UDP port ARGV[3] (0: none), as ARGV[4] says a
# process with its parent, an orphan, or an orphan with a session of its own; tells the number of its end in ARGV[5].
BUSY = """
import os, signal, socket, sys
port, peer, udp = map(int, sys.argv[1:4])
how, told = sys.argv[4:6]
if how != "child":
    if os.fork():
        signal.pause()
    if how == "daemon":
        os.setsid()
    if os.fork():
        os._exit(0)
listener = socket.create_server(("127.0.0.1", port)) if port else None
client = socket.create_connection(("127.0.0.1", peer)) if peer else None
if udp:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", udp))
with open(told + ".new", "w") as file:
    file.write(f"{os.getpid()} {client.getsockname()[1] if client else 0}")
os.rename(told + ".new", told)
signal.pause()
"""

PLAIN = ("0", "0", "0", "child")


class Two:
    """alpha and beta, of which @busy has what is asked for. Without a port of their own each is ready as it runs."""

    def __init__(self, world, busy, how, udp=6353):
        self.world = world
        self.server = socket.create_server(("127.0.0.1", 0))
        words = {"alpha": PLAIN, "beta": PLAIN}
        words[busy] = ("0", str(self.server.getsockname()[1]), str(udp), how)
        told = {name: os.path.join(world.home, f"told-{name}") for name in words}
        self.stack = Stack(world, **{name: program(BUSY, *words[name], told[name]) for name in words})
        self.services = self.stack.up()
        wait_until(lambda: all(map(os.path.exists, told.values())), "both run")
        with open(told[busy], encoding="ascii") as file:
            self.pid, self.port = map(int, file.read().split())

    def who(self, port, protocol="tcp"):
        document = self.world.berth("who", "--json", "--udp", str(port), check=None).json
        validate(document, "who")
        return [holder for found in document["ports"] if found["protocol"] == protocol
                for holder in found["holders"] if holder["netns"] == "same"]

    def close(self):
        self.server.close()


@pytest.fixture
def two(world):
    made = []

    def make(*arguments, **options):
        made.append(Two(world, *arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@ids("D1", "D3")
@each_containment
@pytest.mark.parametrize("how", ["child", "orphan", "daemon"])
@pytest.mark.parametrize("busy, other", [("alpha", "beta"), ("beta", "alpha")])
def test_a_connection_out_is_of_the_service_that_made_it(world, two, busy, other, how):
    pair = two(busy, how)
    mine = [holder for holder in pair.who(pair.port) if holder["pid"] == pair.pid]
    assert [holder["service"]["label"] for holder in mine] == [f"shop/{busy}"], mine
    # The other end is ours, and open: nobody can bind the number yet, and that is said.
    result = world.berth("free", "--wait", "100ms", str(pair.port), check=TIMED_OUT)
    assert "a closed connection" in result.err and f"ended shop/{busy} " in result.err, result
    assert pair.stack.states().get(other) == "ready" and busy not in pair.stack.states()


@ids("D1", "D3")
@each_containment
@pytest.mark.parametrize("how", ["child", "orphan", "daemon"])
def test_a_udp_socket_is_of_the_service_that_has_it(world, two, how):
    pair = two("beta", how)
    holders = pair.who(6353, "udp")
    assert [(holder["pid"], holder["service"]["label"]) for holder in holders] == [(pair.pid, "shop/beta")], holders
    rows = world.berth("ls", "-m", "-u", "--json").json["listeners"]
    assert [(row["pid"], row["service"]["label"]) for row in rows if row["port"] == 6353] == [
        (pair.pid, "shop/beta")], rows
    world.berth("free", "-u", "6353")
    assert pair.stack.states() == {"alpha": "ready"}


@ids("D1")
@root_and_user
def test_the_number_of_another_services_tcp_port_does_not_make_it_that_ones(world):
    """The UDP socket of beta has the number of alpha's port."""
    victim = world.victim()
    told = os.path.join(world.home, "told")
    stack = Stack(world, alpha={"command": victim.argv(5000), "port": 5000},
                  beta=program(BUSY, "0", "0", "5000", "child", told))
    stack.up()
    wait_until(lambda: os.path.exists(told), "beta has bound")
    document = world.berth("who", "--json", "--udp", "5000").json
    fixes = {found["protocol"]: found["fix"] for found in document["ports"]}
    ids_of = {name: service["id"] for name, service in stack.services().items()}
    assert fixes == {"tcp": ["berth", "stop", "5000"], "udp": ["berth", "stop", ids_of["beta"]]}
    assert {(found["protocol"], holder["service"]["label"]) for found in document["ports"]
            for holder in found["holders"] if holder["netns"] == "same"} == {
                ("tcp", "shop/alpha"), ("udp", "shop/beta")}, document
    rows = world.berth("ls", "-m", "-u", "-o", "port,protocol,service").out.splitlines()[1:]
    assert sorted(row.split() for row in rows) == [["5000", "tcp", "shop/alpha"], ["5000", "udp", "shop/beta"]], rows


@ids("D1")
@root_and_user
def test_what_who_says_to_type_ends_that_service(world):
    """`berth stop 54274` was no command that could work: no service has that port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = os.path.join(world.home, "told")
        peer = server.getsockname()[1]
        service = world.run_d("--name", "web", "--port", "5000", "--", sys.executable, "-c", BUSY, "5000", str(peer), "0",
                              "child", told)["service"]
        wait_until(lambda: os.path.exists(told), "it is connected")
        with open(told, encoding="ascii") as file:
            pid, port = map(int, file.read().split())
        result = world.berth("stop", str(port), "--json", check=UNKNOWN)
        assert f"no service has port {port}: it is held by " in result.error["message"], result
        assert f" {pid} " in result.error["message"] and "of 'shop/web'" in result.error["message"], result
        assert result.error["hint"] == f"name that service by its id: {service['id']}"
        fixes = {number: world.berth("who", "--json", str(number)).json["ports"][0]["fix"] for number in (5000, port)}
        assert fixes == {5000: ["berth", "stop", "5000"], port: ["berth", "stop", service["id"]]}
        world.berth(*fixes[port][1:])
        assert world.services() == []


@ids("D1", "D3")
@root_and_user
def test_instances_are_told_apart(world):
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = os.path.join(world.home, "told-")
        code = BUSY.replace("sys.argv[4:6]", "sys.argv[4], sys.argv[5] + os.environ['BERTH_INSTANCE']")
        world.run_d("--name", "web", "--instances", "2", "--port", "5000", "--", sys.executable, "-c", code, "5000",
                    str(server.getsockname()[1]), "0", "orphan", told)
        for instance in ("1", "2"):
            path = told + instance
            wait_until(lambda path=path: os.path.exists(path), f"instance {instance} runs")
            with open(path, encoding="ascii") as file:
                pid, port = map(int, file.read().split())
            holders = world.berth("who", "--json", str(port)).json["ports"][0]["holders"]
            assert [holder["service"]["instance"] for holder in holders if holder["pid"] == pid] == [int(instance)], holders


@ids("D6")
@root_and_user
def test_doctor_does_not_take_the_listener_of_another_service_for_this_ones(world):
    """It told of alpha, which listens nowhere, that it listened where beta does."""
    told = os.path.join(world.home, "told")
    code = """
import os, signal, socket, sys
listener = socket.socket()
listener.listen()
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()
"""
    stack = Stack(world, alpha={"command": ["sleep", "infinity"]}, beta=program(code, told))
    stack.up()
    wait_until(lambda: os.path.exists(told), "beta listens")
    with open(told, encoding="ascii") as file:
        port = file.read()
    for name, expected in (("alpha", False), ("beta", True)):
        result = world.berth("doctor", name, "--json", check=None, cwd=stack.folder)
        checks = {check["name"]: check["found"] for check in result.json["services"][0]["checks"]}
        assert (port in checks["listening"]) == expected, checks
