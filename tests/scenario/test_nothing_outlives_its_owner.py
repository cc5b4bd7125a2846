# SPDX-License-Identifier: MIT
# scenario/test_nothing_outlives_its_owner.py - N12: --owner, --ttl, BERTH_OWNER
"""A service tied to a shell, an agent or a time ends with it."""

import datetime
import subprocess
import time

import pytest

from berthtest import BERTH, USAGE, answer, bindable, ids, kill, root_and_user, wait_until


def owner(world):
    return world.spawn(["cat"], stdin=subprocess.PIPE)


@ids("N12")
@root_and_user
def test_a_service_ends_with_its_owner(world):
    keeper = owner(world)
    service = world.run_d("--name", "web", "--port", "5000", "--owner", str(keeper.pid), "--",
                          *world.victim().argv(5000))["service"]
    assert service["owner_pid"] == keeper.pid
    assert answer(5000)["port"] == 5000
    keeper.popen.stdin.close()
    keeper.popen.stdin = None
    world.nothing_left(20)
    assert bindable(5000)


@ids("N12")
@root_and_user
def test_the_owner_may_be_the_parent(world):
    """`berth run -d --owner parent` in a script: the service ends with the script."""
    victim = world.victim()
    script = world.spawn(["sh", "-c", '"$@"; read line', "sh", BERTH, "run", "-d", "--name", "web", "--port", "5000",
                          "--owner", "parent", "--", *victim.argv(5000)], stdin=subprocess.PIPE)
    victim.ready()
    service = wait_until(lambda: next((s for s in world.services() if s["state"] == "ready"), None), "ready")
    assert service["owner_pid"] == script.pid
    script.send("\n")
    script.wait()
    wait_until(lambda: bindable(5000), "it ended with the script")


@ids("N12")
def test_the_owner_may_come_from_the_environment(world):
    keeper = owner(world)
    service = world.run_d("--name", "web", "--", *world.victim().argv(5000), env={"BERTH_OWNER": str(keeper.pid)})
    assert service["service"]["owner_pid"] == keeper.pid
    kill(keeper.pid)
    keeper.wait()
    world.nothing_left()


@ids("N12")
def test_an_owner_that_has_gone_is_an_error(world):
    keeper = owner(world)
    kill(keeper.pid)
    keeper.wait()
    result = world.berth("run", "--owner", str(keeper.pid), "--", "echo", "started", check=None)
    assert result.code in (USAGE, 125) and str(keeper.pid) in result.err and "started" not in result.out


@ids("N12")
@root_and_user
def test_a_time_to_live_ends_it(world):
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--ttl", "500ms", "--", *victim.argv(5000))["service"]
    assert service["expires_at"] > service["started_at"]
    world.nothing_left()
    assert bindable(5000)
    assert "ttl" in world.berth("history", "--json").out or "ttl" in world.berth("history").out


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@ids("N12", "I4")
def test_a_restart_gives_no_more_time_to_live(world):
    """Symptom: it ended at its time, and said that it would at a later one."""
    victim = world.victim()
    before = world.run_d("--name", "web", "--port", "9001", "--ttl", "1h", "--", *victim.argv(9001))["service"]
    wait_until(lambda: time.time() > seconds_of(before["started_at"]) + 0.05, "a moment")
    world.berth("restart", "web")
    after = world.status("web")
    assert after["started_at"] > before["started_at"]
    assert abs(seconds_of(after["expires_at"]) - seconds_of(before["expires_at"])) < 0.01


@ids("N12")
def test_a_foreground_service_has_a_time_to_live_too(world):
    result = world.berth("run", "--ttl", "300ms", "--", *world.victim().argv(5000), check=None)
    assert result.code != 0
    assert bindable(5000)


@ids("N12")
@pytest.mark.parametrize("wrong", ["soon", "-1", "0", "1y"])
def test_a_wrong_time_is_a_usage_error(world, wrong):
    world.berth("run", f"--ttl={wrong}", "--", "true", check=USAGE)
