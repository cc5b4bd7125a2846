# SPDX-License-Identifier: MIT
# scenario/test_stops_that_overlap_end_the_service_alone.py - N5, N6, S7: a stop beside another one, and the rest of its stack
"""A stop whose patience was shorter than that of another one under way has killed the supervisor, and with it the stack."""

import contextlib
import os
import re
import socket
import time

import pytest

from berthtest import BERTH, SLOW, alive, ids, wait_until
from stacks import Stack, program, shell

DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print('x'); signal.pause()\nwhile True: signal.pause()"


def deaf(**more):
    return program(DEAF, ready="log x", **more)


def sleeper(**more):
    return shell("exec sleep 1000", **more)


class Pair:
    """"stub" ignores SIGTERM, "other" has nothing to do with it."""

    def __init__(self, world, **more):
        self.stack = Stack(world, other=sleeper(), stub=deaf(**more))
        services = self.stack.up()
        self.pids = {name: service["pid"] for name, service in services.items()}
        self.supervisor = services["other"]["supervisor_pid"]

    def begin(self, *arguments):
        """A stop of the stub that is under way."""
        stop = self.stack.start(*arguments)
        self.stack.await_state("stub", "stopping")
        return stop

    def assert_other_lives(self):
        assert alive(self.supervisor) and alive(self.pids["other"])
        assert self.stack.states() == {"other": "ready"}


@ids("N6", "S7")
def test_a_shorter_grace_counts_for_a_stop_that_is_under_way(world):
    pair = Pair(world, stop_grace_period="1h")
    first = pair.begin("stop", "stub")
    result = pair.stack.berth("stop", "--grace", "300ms", "stub")
    assert "SIGKILL" in result.err and "also ended" not in result.err, result
    assert first.wait() == 0, first
    pair.assert_other_lives()


@ids("N6", "S7")
def test_a_longer_grace_is_waited_for_by_whoever_asks_later(world):
    pair = Pair(world, stop_grace_period="100ms")
    first = pair.begin("stop", "--grace", "7s", "stub")
    began = time.monotonic()
    result = pair.stack.berth("stop", "stub")
    assert time.monotonic() - began > 6, result
    assert first.wait() == 0, first
    pair.assert_other_lives()


@ids("N6", "S7")
def test_a_shorter_grace_counts_for_a_stop_command_too(world):
    pair = Pair(world, stop_grace_period="1h", stop_command="sleep 1000")
    first = pair.begin("stop", "stub")
    result = pair.stack.berth("stop", "--kill", "stub")
    assert "SIGKILL" in result.err, result
    assert first.wait() == 0, first
    pair.assert_other_lives()


@ids("N6", "S7")
@pytest.mark.parametrize("more", [("--grace", "300ms"), ("--grace", "0"), ("--kill",)])
def test_a_second_down_makes_the_first_one_faster(world, more):
    pair = Pair(world, stop_grace_period="1h")
    first = pair.begin("down")
    began = time.monotonic()
    pair.stack.berth("down", *more)
    assert first.wait() == 0 and time.monotonic() - began < 8, first
    assert not any(alive(pid) for pid in pair.pids.values())
    world.nothing_left()


@ids("N6")
@pytest.mark.parametrize("command", ["stop", "down"])
def test_no_grace_is_a_grace(world, command):
    """--grace 0 has been taken for none, so that each had the 10 s of its own."""
    pair = Pair(world, stop_grace_period="1h")
    pair.stack.berth(command, "--grace", "0", "stub")
    pair.assert_other_lives()


@ids("N6")
@pytest.mark.parametrize("command", ["stop", "down"])
def test_kill_gives_a_stop_command_its_least_time(world, command):
    pair = Pair(world, stop_grace_period="1h", stop_command="sleep 1000")
    began = time.monotonic()
    pair.stack.berth(command, "--kill", "stub")
    assert time.monotonic() - began < 9
    pair.assert_other_lives()


# --- a supervisor that has no place for one more ---

def connect(world, service):
    """A client that says nothing."""
    with open(os.path.join(world.runtime, "berth", service["id"] + ".json"), encoding="utf-8") as file:
        name = file.readline().split()[-1]
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect("\0" + name)
    return sock


class Crowd(Pair):
    """So many clients at the "other" that there is room for nobody who has time."""

    def __init__(self, world, count, **more):
        super().__init__(world, **more)
        service = self.stack.services()["other"]
        with contextlib.ExitStack() as opened:
            self.clients = [opened.enter_context(connect(world, service)) for _ in range(count)]
            self.opened = opened.pop_all()
        world.sockets += self.clients


@ids("N5", "N6")
def test_who_stops_a_service_has_a_place_where_many_wait(world):
    """The supervisor hung up without a word on the 65th client, which took it for stuck and killed it."""
    stack = Stack(world, a=sleeper(), other=sleeper())
    services = stack.up()
    supervisor = services["a"]["supervisor_pid"]
    before = min(len(os.listdir(f"/proc/{supervisor}/fd")) for _ in range(20))
    waits = [stack.start("wait", "--for=stopped", "a") for _ in range(64)]
    wait_until(lambda: len(os.listdir(f"/proc/{supervisor}/fd")) >= before + 64, "they wait")
    stack.berth("stop", "other")
    assert stack.states() == {"a": "ready"} and alive(supervisor)
    stack.berth("stop", "a")
    assert [wait.wait() for wait in waits] == [0] * 64
    world.nothing_left()


@ids("N5", "N6")
@pytest.mark.parametrize("command", ["stop", "down"])
def test_who_stops_a_service_waits_for_a_place_where_there_is_none(world, command):
    crowd = Crowd(world, 100)
    stop = crowd.stack.start(command, "stub", "--grace", "0")
    with pytest.raises(pytest.fail.Exception):
        wait_until(lambda: stop.popen.poll() is not None or not alive(crowd.supervisor), "it waits", deadline=2 / SLOW)
    crowd.opened.close()
    assert stop.wait() == 0, stop
    crowd.assert_other_lives()


@ids("N6")
def test_a_wait_comes_again_where_there_is_no_place(world):
    crowd = Crowd(world, 100)
    wait = crowd.stack.start("wait", "other")
    with pytest.raises(pytest.fail.Exception):
        wait_until(lambda: wait.popen.poll() is not None, "it waits", deadline=1 / SLOW)
    crowd.opened.close()
    assert wait.wait() == 0, wait


# --- a supervisor that is not to be reached ---

@ids("N6", "S7")
def test_what_dies_with_its_supervisor_is_named(world):
    """From another network namespace its socket is not there."""
    pair = Pair(world)
    result = world.run(["unshare", "-n", BERTH, "stop", "stub"])
    assert re.search(r"ended \S+/stub .*SIGKILL.*; also ended: \S+/other, as their supervisor did not answer", result.err), result
    assert not alive(pair.supervisor)
    world.nothing_left()
