# SPDX-License-Identifier: MIT
# scenario/test_the_harness_sees_what_is_left.py - a check of the tests' own eyes
"""A test of what is left behind is worth what its look is worth: here it must find what was really left."""

import pytest

from berthtest import (Thief, answer, bindable, descendants, kill, listeners, refused, root_and_user,
                       wait_until)
from realservers import JSON_SERVERS

KINDS = [("--double-fork", "--clear-env"), ("--dead-leader",), ("--no-dumpable",), ("--close-fds", "--double-fork"),
         ("--bind-in-child", "--title", "nginx: master process"), ("--hold-stdout",), ("--setsid",)]


@root_and_user
@pytest.mark.parametrize("options", KINDS)
def test_a_stray_of_any_kind_is_seen(world, options):
    victim = world.victim()
    world.spawn(victim.argv(*options, 5000))
    assert victim.port == 5000 and answer(5000)["say"] == victim.name
    assert not bindable(5000)
    seen = {process.pid for process in descendants()}
    assert seen & set(victim.pids())
    for pid in seen:
        kill(pid)
    wait_until(lambda: not descendants(), "all have ended")
    assert bindable(5000)


def test_namespaces_are_apart(world):
    assert listeners() == []


@pytest.mark.parametrize("mode", ["v4", "v6", "dual", "reuseaddr", "reuseaddr6", "reuseport"])
def test_a_thief_takes_what_is_free(world, mode):
    thief = Thief(world, mode)
    thief.attack(5000)
    counts = thief.pause()
    assert counts["tries"] > 0 and counts["binds"] == counts["tries"] == counts["listens"]


@root_and_user
@pytest.mark.parametrize("kind", JSON_SERVERS)
def test_each_server_has_port_5000_when_it_runs_bare(world, kind):
    """What the other tests move is really hard-coded."""
    server = world.spawn(JSON_SERVERS[kind](world, "bare"))
    wait_until(lambda: server.popen.poll() is not None or not refused(5000), lambda: f"{kind}: {server}")
    assert server.popen.poll() is None, (server.pump(1), server)
    assert answer(5000) == {**answer(5000), "port": 5000, "say": "bare"}
