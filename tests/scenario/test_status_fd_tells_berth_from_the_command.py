# SPDX-License-Identifier: MIT
# scenario/test_status_fd_tells_berth_from_the_command.py - I5: exit codes without guessing
"""--status-fd N: NDJSON with leased, moved, ready, restarted, exited{code, signal, by}."""

import json
import os

import pytest

from berthtest import ids, root_and_user


def events(world, *arguments, check=0, **options):
    read_end, write_end = os.pipe()
    try:
        world.berth("run", "--status-fd", str(write_end), *arguments, pass_fds=[write_end], check=check, **options)
    finally:
        os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as file:
        lines = file.read().splitlines()
    return [json.loads(line) for line in lines]


def named(found, name):
    """The one event of that name, whatever the key of its name is."""
    hits = [event for event in found if name in event.values() or name in event]
    assert hits, f"no {name!r} in {found}"
    return hits[0]


@ids("I5")
@root_and_user
def test_leased_moved_ready_and_exited(world):
    world.occupy(5000)
    victim = world.victim()
    read_end, write_end = os.pipe()
    run = world.start("run", "--status-fd", str(write_end), "--name", "web", "--port", "5000", "--", *victim.argv(5000),
                      pass_fds=[write_end])
    os.close(write_end)
    run.wait_for("^berth: web is")
    victim.command("exit 7")
    assert run.wait() == 7
    with os.fdopen(read_end, encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    names = [event["event"] for event in found]
    assert sorted(names) == ["exited", "leased", "moved", "ready"] and (names[0], names[3]) == ("leased", "exited"), found
    assert "5001" in json.dumps(named(found, "leased")) and "5000" in json.dumps(named(found, "moved"))
    assert (named(found, "exited")["code"], named(found, "exited")["signal"]) == (7, None)


@ids("I5")
@root_and_user
def test_a_commands_125_is_not_berths_125(world):
    own = events(world, "--", "sh", "-c", "exit 125", check=125)
    assert '"code": 125' in json.dumps(named(own, "exited"))
    other = events(world, "--env-file", "/no/such/file", "--", "true", check=125)
    assert "exited" not in json.dumps(other)


@ids("I5")
@root_and_user
def test_a_signal_is_told_as_one(world):
    found = events(world, "--", world.helper("victim"), "--die", "TERM", check=None)
    text = json.dumps(named(found, "exited"))
    assert "TERM" in text or "15" in text


@ids("I5")
def test_the_service_does_not_inherit_the_status_fd(world):
    read_end, write_end = os.pipe()
    result = world.berth("run", "--status-fd", str(write_end), "--", "sh", "-c", f"test -e /proc/self/fd/{write_end}",
                         pass_fds=[write_end], check=None)
    os.close(write_end)
    os.close(read_end)
    assert result.code == 1


@pytest.mark.parametrize("wrong", ["x", "-1", "999"])
def test_a_wrong_status_fd_is_said_before_anything_runs(world, wrong):
    result = world.berth("run", f"--status-fd={wrong}", "--", "echo", "ran", check=None)
    assert result.code in (2, 125) and "ran" not in result.out
