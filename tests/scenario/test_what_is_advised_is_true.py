# SPDX-License-Identifier: MIT
# scenario/test_what_is_advised_is_true.py - F9: what a refused command says, and what it says to do instead
"""Hints that were wrong for what runs in a stack, or was stopped meanwhile."""

import pytest

from berthtest import BERTH, TIMED_OUT, UNKNOWN, Process, has_socket, ids, wait_until
from stacks import Stack, fifo, let_go, shell


@ids("F9")
@pytest.mark.parametrize("command", [("restart", "quick"), ("scale", "quick=2")])
def test_what_was_of_a_stack_is_started_in_its_stack(world, command):
    stack = Stack(world, quick=shell("exit 0"), other=shell("exec sleep 1000"))
    stack.berth("up", "-d")
    wait_until(lambda: set(stack.states()) == {"other"}, "it has ended")
    result = stack.berth(*command, check=UNKNOWN)
    assert "hint: to start it: berth up -d quick\n" in result.err, result


@ids("F9")
def test_a_copy_and_another_file_are_named(world):
    stack = Stack(world, quick=shell("exit 0"), other=shell("exec sleep 1000"))
    world.write("my stack.yaml", open(f"{stack.folder}/berth.yaml", encoding="utf-8").read())
    stack.berth("up", "-d", "-f", "my stack.yaml", "--as=demo")
    wait_until(lambda: set(stack.states()) == {"other"}, "it has ended")
    result = stack.berth("restart", "shop+demo/quick", check=UNKNOWN)
    assert f"berth up -d -f '{stack.folder}/my stack.yaml' --as=demo quick\n" in result.err, result
    command = result.err.partition("to start it: berth ")[2].strip()
    world.run(["sh", "-c", f'exec "$0" {command}', BERTH])


@ids("F9", "N4")
def test_nothing_goes_on_where_a_rolling_restart_was_stopped(world):
    world.write("run.sh", "test -e slow || echo up\nexec sleep 1000\n")
    world.run_d("--name", "web", "--port", "none", "--ready", "log ^up", "--", "sh", "run.sh")
    world.write("slow", "")
    restart = world.start("restart", "--rolling", "web")
    wait_until(lambda: len(world.status("web")["workers"]) == 2, "the new one has been started")
    world.berth("stop", "web")
    assert restart.wait() == 1, restart
    assert "was given up: it was stopped meanwhile" in restart.err and "goes on" not in restart.err, restart


@ids("F9", "S2")
def test_what_was_given_up_does_not_wait(world):
    gate = fifo(world, "gate")
    stack = Stack(world, base=shell("read line < $1; exit 3", gate, ready="log ^up"),
                  dep=shell("exec sleep 1000", depends_on=["base"]), other=shell("exec sleep 1000"))
    up = stack.start("up", "-d")
    stack.await_state("base", "starting")
    wait = stack.start("wait", "dep")
    # It sleeps for the first time when it has asked.
    wait_until(lambda: has_socket(wait.pid) and Process(wait.pid).state == "S", "it waits")
    stack.berth("status", check=None)  # who is answered later has been heard later
    let_go(gate)
    assert wait.wait() == 1 and up.wait() == 1, wait
    assert "/dep' was not started" in wait.err and "waiting" not in wait.err, wait


@ids("F9")
@pytest.mark.parametrize("stack", [False, True])
def test_a_short_wait_is_told_as_it_was_given(world, stack):
    if stack:
        result = Stack(world, web=shell("exec sleep 1000", ready="log ^up")).berth("up", "-d", "--wait=500ms", check=TIMED_OUT)
    else:
        result = world.berth("run", "-d", "--wait=500ms", "--ready", "log ^up", "--name", "web", "--", "sleep", "1000",
                             check=TIMED_OUT)
    assert "ready after 0.5 s" in result.err, result
