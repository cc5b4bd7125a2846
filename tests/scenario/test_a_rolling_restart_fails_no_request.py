# SPDX-License-Identifier: MIT
# scenario/test_a_rolling_restart_fails_no_request.py - N4: `restart --rolling` of what is under load
"""There is never a moment without a process that accepts; a new version that is no good changes nothing."""

import json
import os
import re

import pytest

from berthtest import (alive, bindable, body, ids, kill, port_of, refused, root_and_user, wait_gone, wait_until)
from clients import FAILURES, Load
from realservers import WORK_SERVERS

CLIENTS = 8


def command(world, kind, say="one"):
    return ["--", *WORK_SERVERS[kind](world, say)]


def start(world, kind, *options, say="one", **more):
    return world.run_d("--name", "api", "--port", "5000", *options, *command(world, kind, say), **more)["service"]


def load(world, *options):
    clients = Load(world, 5000, "--clients", str(CLIENTS), "--expect", '"port":5000', *options)
    clients.goes_on(10)
    return clients


def workers(world):
    return world.status("api")["workers"]


def pids(world):
    return {worker["number"]: worker["pid"] for worker in workers(world)}


def no_failure(counts, in_flight=0):
    failures = {name: counts[name] for name in FAILURES if counts[name] and name != "reset"}
    assert counts["ok"] and not failures and counts["reset"] <= in_flight, counts


def is_as_before(world, before, number=None):
    """Nothing has changed, and no old one knows of anything."""
    service = world.status("api")
    assert service["state"] == "ready"
    assert {worker["number"]: worker["pid"] for worker in service["workers"]} == before
    assert [worker["state"] for worker in service["workers"]] == ["ready"] * len(before)
    assert json.loads(body(5000))["say"] == "one"
    assert len(world.living()) == (number or len(before)), world.living()


# --- versions that are good ---

@ids("N4", "N3")
@root_and_user
@pytest.mark.parametrize("kind, sharing", [("node", "socket"), ("go", "socket"), ("python", "socket"), ("c-epoll", "socket"),
                                           ("c-threads", "group"), ("python-threads", "group")])
@pytest.mark.parametrize("count", [4, 1])
def test_nobody_notices(world, kind, sharing, count):
    start(world, kind, *(["--workers", str(count)] if count > 1 else []))
    before = pids(world)
    clients = load(world)
    result = world.berth("restart", "--rolling", "api")
    after = pids(world)
    assert sorted(after) == list(range(1, count + 1)) and not set(before.values()) & set(after.values())
    assert not [pid for pid in before.values() if alive(pid)]
    assert f"{count} workers" in result.err if count > 1 else f"pid {after[1]}" in result.err
    clients.all_answer(after.values())
    no_failure(clients.end())
    service = world.status("api")
    assert service["state"] == "ready" and port_of(service) == 5000
    assert service["sharing"] == (sharing if count > 1 else None)
    world.berth("stop", "api")
    assert bindable(5000) and not world.living()


@ids("N4")
def test_long_requests_are_answered_by_the_old_one(world):
    start(world, "node", "--workers", "2")
    clients = load(world, "--path", "/slow")
    world.berth("restart", "--rolling", "api")
    clients.goes_on(CLIENTS)
    no_failure(clients.end())


@ids("N4")
@pytest.mark.parametrize("kind", ["node", "c-threads"])
def test_again_and_again(world, kind):
    start(world, kind, "--workers", "2")
    clients = load(world)
    for _ in range(4):
        world.berth("restart", "--rolling", "api")
    clients.all_answer(pids(world).values())
    no_failure(clients.end())


@ids("N4", "N1")
def test_a_passed_socket_stays_as_long_as_one_worker_does(world):
    """The first one that went took it along: there was "Address already in use" for the next new one."""
    world.write("activated.py", "\n".join([
        "import os, socket",
        "sock = socket.socket(fileno=3)",
        "while True:",
        "    peer, _ = sock.accept()",
        "    peer.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n%d' % os.getpid())",
        "    peer.close()",
    ]))
    world.run_d("--name", "api", "--port", "5000", "--pass-socket", "--workers", "2", "--", "/usr/bin/python3", "activated.py")
    before = pids(world)
    world.berth("restart", "--rolling", "api")
    assert sorted(pids(world)) == [1, 2] and not set(before.values()) & set(pids(world).values())
    world.berth("scale", "api=1")
    world.berth("scale", "api=2")
    assert int(body(5000)) in pids(world).values()
    world.berth("stop", "api")
    assert bindable(5000) and not world.living()


@ids("N4")
def test_a_new_version_with_new_variables_takes_over(world):
    start(world, "node", "--workers", "3")
    clients = load(world)
    result = world.berth("restart", "--rolling", "--json", "-e", "COLOUR=blue", "api", *command(world, "node", "two"))
    assert {json.loads(body(5000))["say"] for _ in range(20)} == {"two"}
    assert result.service["command"][-1] == "two"
    for pid in pids(world).values():
        with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
            assert "COLOUR=blue" in file.read().split("\0")
    no_failure(clients.end())
    kill(pids(world)[2])
    wait_until(lambda: workers(world)[1]["state"] == "failed", "worker 2 has failed")
    world.berth("restart", "api")  # the changed command is the service's from now on
    assert {json.loads(body(5000))["say"] for _ in range(20)} == {"two"}


@ids("N4")
@pytest.mark.parametrize("old, new", [("node", "c-threads"), ("c-epoll", "c-threads"), ("c-threads", "c-epoll"),
                                      ("c-threads", "python")])
@pytest.mark.parametrize("count", [1, 2])
def test_a_new_version_that_listens_in_another_way_takes_over(world, old, new, count):
    """One is non-blocking, the other blocks in accept(): they can't have one socket. Where a new one could not be had
    beside the old one, that is said, and the old one goes on."""
    start(world, old, *(["--workers", str(count)] if count > 1 else []))
    before = pids(world)
    clients = load(world)
    result = world.berth("restart", "--rolling", "api", *command(world, new, "two"), check=None)
    if result.code == 0:
        assert {json.loads(body(5000))["say"] for _ in range(20)} == {"two"}
        assert not set(before.values()) & set(pids(world).values())
    else:
        assert result.code == 1 and "did not get ready" in result.err, result
        is_as_before(world, before)
    clients.goes_on()
    no_failure(clients.end())


@ids("N4", "P10")
def test_instances_follow_one_another(world):
    world.run_d("--name", "api", "--port", "5000", "--instances", "3", *command(world, "node"))
    before = {service["instance"]: service["pid"] for service in world.services()}
    clients = [Load(world, port, "--clients", "3", "--expect", f'"port":{port}') for port in (5000, 5001, 5002)]
    for each in clients:
        each.goes_on(10)
    world.berth("restart", "--rolling", "api")
    after = {service["instance"]: service for service in world.services()}
    assert sorted(after) == [1, 2, 3] and not {service["pid"] for service in after.values()} & set(before.values())
    for number, each in enumerate(clients, 1):
        each.all_answer([after[number]["pid"]])
        no_failure(each.end())


# --- versions that are no good ---

@ids("N4")
@pytest.mark.parametrize("count", [3, 1])
@pytest.mark.parametrize("kind", ["node", "c-threads"])
def test_one_that_ends_at_once_is_named_and_changes_nothing(world, kind, count):
    start(world, kind, *(["--workers", str(count)] if count > 1 else []))
    before = pids(world)
    clients = load(world)
    result = world.berth("restart", "--rolling", "api", "--", "sh", "-c", "echo no such table >&2; exit 7", check=1)
    assert "did not get ready" in result.err and "exit 7" in result.err, result
    assert "api (worker 1)" in result.err or count == 1
    assert "no such table" in result.err, "the last lines of its log"
    is_as_before(world, before)
    assert world.status("api")["command"][-1] == "one"
    clients.all_answer(before.values())
    no_failure(clients.end())
    error = world.berth("restart", "--rolling", "--json", "api", "--", "sh", "-c", "exit 7", check=1).error
    assert error["code"] == "start-failed" and "exit 7" in error["message"]


@ids("N4")
def test_one_that_is_no_program_is_named_and_changes_nothing(world):
    start(world, "node", "--workers", "2")
    before = pids(world)
    clients = load(world)
    result = world.berth("restart", "--rolling", "api", "--", "./no-such-program", check=None)
    assert result.code in (1, 126, 127) and "no-such-program" in result.err, result
    is_as_before(world, before)
    no_failure(clients.end())
    world.berth("restart", "--rolling", "api")
    assert json.loads(body(5000))["say"] == "one" and not set(before.values()) & set(pids(world).values())


@ids("N4")
@pytest.mark.parametrize("count", [2, 1])
def test_one_that_never_gets_ready_is_ended_after_its_time(world, count):
    start(world, "node", "--start-timeout", "1s", *(["--workers", str(count)] if count > 1 else []))
    before = pids(world)
    clients = load(world)
    result = world.berth("restart", "--rolling", "api", "--", "sleep", "1000", check=1)
    assert "did not get ready" in result.err, result
    is_as_before(world, before)
    clients.goes_on()
    no_failure(clients.end())


@ids("N4")
def test_the_third_of_four_that_is_no_good_ends_the_roll(world):
    """Two have been replaced, the third old one and the fourth are untouched."""
    world.write("run.sh", 'test "$BERTH_WORKER" != 3 || exit 9\nexec "$@"\n')
    start(world, "node", "--workers", "4")
    before = pids(world)
    clients = load(world)
    result = world.berth("restart", "--rolling", "api", "--", "sh", "run.sh", *WORK_SERVERS["node"](world, "two"), check=1)
    assert "worker 3" in result.err and "exit 9" in result.err, result
    after = pids(world)
    assert [number for number in before if after[number] == before[number]] == [3, 4]
    assert [worker["state"] for worker in workers(world)] == ["ready"] * 4
    clients.all_answer(after.values())
    no_failure(clients.end())


@ids("N4")
def test_a_fault_is_followed_by_a_roll_that_is_good(world):
    start(world, "node", "--workers", "2")
    world.berth("restart", "--rolling", "api", "--", "false", check=1)
    before = pids(world)
    world.berth("restart", "--rolling", "api", *command(world, "node", "two"))
    assert json.loads(body(5000))["say"] == "two" and not set(before.values()) & set(pids(world).values())


@ids("N4")
@pytest.mark.parametrize("old, new, in_flight", [("0.0.0.0", "127.0.0.1", 0), ("[::]", "127.0.0.1", 0),
                                                 ("127.0.0.1", "0.0.0.0", 4)])
def test_a_new_version_that_listens_on_another_address_takes_over(world, old, new, in_flight):
    """Both stand side by side for a moment; in the end only the new one's address is served. From the narrower address
    to the wider clients come to the old one up to its last moment, and those in its queue are reset."""
    first, second = world.victim("one"), world.victim("two")
    world.run_d("--name", "api", "--port", "5000", "--", *first.argv(f"{old}:5000"))
    before = pids(world)
    clients = Load(world, 5000, "--clients", "4", "--expect", '"port":5000')
    clients.goes_on(10)
    world.berth("restart", "--rolling", "api", "--", *second.argv(f"{new}:5000"))
    assert not set(pids(world).values()) & set(before.values()) and not alive(before[1])
    assert json.loads(body(5000))["say"] == "two"
    assert refused(5000, "127.0.0.2") == (new == "127.0.0.1")
    clients.goes_on()
    no_failure(clients.end(), in_flight)


# --- what happens meanwhile ---

class Roll:
    """A rolling restart that stands where its first new worker has been started and is not ready yet."""

    def __init__(self, world, count=3, *options, gate_at=1):
        self.world = world
        self.gate = os.path.join(world.project, "gate")
        world.run(["mkfifo", self.gate])
        world.give(self.gate)
        start(world, "node", "--workers", str(count), *options)
        self.before = pids(world)
        world.write("run.sh", f'echo $$ >"new-$BERTH_WORKER"\ntest "$BERTH_WORKER" != {gate_at} || read line <gate\n'
                              'exec "$@"\n')
        self.clients = load(world)
        self.process = world.start("restart", "--rolling", "api", "--", "sh", "run.sh",
                                   *WORK_SERVERS["node"](world, "two"))
        self.file = os.path.join(world.project, f"new-{gate_at}")
        self.new = int(wait_until(self._said, "the new worker has started"))

    def _said(self):
        if os.path.exists(self.file):
            with open(self.file, encoding="ascii") as file:
                return file.read().strip()
        return None

    def open(self):
        with open(self.gate, "w", encoding="ascii") as file:
            file.write("go\n")


@ids("N4", "I4")
def test_the_new_one_is_killed_during_the_roll(world):
    roll = Roll(world)
    kill(roll.new)
    assert roll.process.wait() == 1, roll.process
    assert "SIGKILL" in roll.process.err and "worker 1" in roll.process.err
    is_as_before(world, roll.before)
    roll.clients.all_answer(roll.before.values())
    no_failure(roll.clients.end())


@ids("N4", "I4")
@pytest.mark.parametrize("policy", ["no", "on-failure"])
def test_the_old_one_is_killed_during_the_roll(world, policy):
    """The new one is on its way already: it takes the place, and no third one is started."""
    roll = Roll(world, 3, "--restart", policy)
    kill(roll.before[1])
    wait_gone(roll.before[1])
    roll.clients.goes_on()
    roll.open()
    assert roll.process.wait() == 0, roll.process
    after = pids(world)
    assert after[1] == roll.new and [worker["state"] for worker in workers(world)] == ["ready"] * 3
    assert len(world.living()) == 3, world.living()
    roll.clients.all_answer(after.values())
    no_failure(roll.clients.end(), in_flight=CLIENTS)


@ids("N4", "I4")
def test_another_old_one_is_killed_during_the_roll(world):
    roll = Roll(world, 3, "--restart", "on-failure")
    kill(roll.before[3])
    wait_until(lambda: [worker["state"] for worker in workers(world) if worker["number"] == 3] == ["ready"]
               and pids(world)[3] != roll.before[3], lambda: f"worker 3 is back: {workers(world)}")
    roll.open()
    assert roll.process.wait() == 0, roll.process
    assert [worker["state"] for worker in workers(world)] == ["ready"] * 3
    assert {json.loads(body(5000))["say"] for _ in range(20)} == {"two"}
    no_failure(roll.clients.end(), in_flight=CLIENTS)


@ids("N4", "I4")
def test_a_stop_during_the_roll_ends_all_of_both_versions(world):
    roll = Roll(world)
    world.berth("stop", "api")
    assert not world.living() and bindable(5000) and refused(5000)
    assert roll.process.wait() == 1, roll.process
    assert "api" in roll.process.err
    world.nothing_left()


@ids("N4", "I4")
def test_a_second_roll_is_refused_while_one_is_under_way(world):
    roll = Roll(world)
    result = world.berth("restart", "--rolling", "api", check=1)
    assert "under way" in result.err, result
    roll.open()
    assert roll.process.wait() == 0, roll.process
    no_failure(roll.clients.end())


@ids("N4", "I4")
def test_a_plain_restart_during_the_roll_takes_its_place(world):
    roll = Roll(world)
    world.berth("restart", "api", *command(world, "node", "three"))
    assert roll.process.wait() == 1, roll.process
    assert {json.loads(body(5000))["say"] for _ in range(20)} == {"three"}
    assert [worker["state"] for worker in workers(world)] == ["ready"] * 3
    assert len(world.living()) == 3, world.living()


@ids("N4", "I4")
def test_scale_during_the_roll(world):
    """Up while the first is being replaced; the roll goes on over those that it began with."""
    roll = Roll(world)
    up = world.start("scale", "api=4")
    roll.open()
    assert roll.process.wait() == 0, roll.process
    assert up.wait() == 0, up
    assert [(worker["number"], worker["state"]) for worker in workers(world)] == [(n, "ready") for n in (1, 2, 3, 4)]
    roll.clients.all_answer(pids(world).values())
    no_failure(roll.clients.end())


@ids("N4", "N5")
def test_the_supervisor_is_killed_during_the_roll(world):
    roll = Roll(world)
    kill(world.status("api")["supervisor_pid"])
    world.nothing_left()
    assert roll.process.wait() != 0, roll.process
    assert bindable(5000) and world.services() == []


@ids("N4")
def test_status_tells_of_both_while_it_rolls(world):
    roll = Roll(world)
    found = world.status("api")
    assert found["state"] == "ready"
    assert [(worker["number"], worker["state"]) for worker in found["workers"]] == [
        (1, "ready"), (1, "starting"), (2, "ready"), (3, "ready")]
    text = world.berth("status", "api").out
    assert len(re.findall(r"^ +worker 1 ", text, re.M)) == 2, text
    roll.open()
    assert roll.process.wait() == 0, roll.process
