# SPDX-License-Identifier: MIT
# scenario/test_a_changed_manifest_counts_from_the_next_start_on.py - S1, S7: what runs goes on, what is started is as it is written
"""`up -d` and `restart` of a stack whose manifest was changed, broken or removed since it was started."""

import os

from berthtest import USAGE, alive, ids, port_of, root_and_user, wait_until
from stacks import Stack, read_lines, shell

SLEEPER = "  {name}: {{ command: sleep 1000, port: none }}\n"


def write(world, *lines):
    world.write("berth.yaml", "services:\n" + "".join(lines))


def sleeper(name):
    return SLEEPER.format(name=name)


def pids(world):
    return {service["service"]: service["pid"] for service in world.services()}


@ids("S1")
@root_and_user
def test_a_new_service_is_started_and_the_others_go_on(world):
    write(world, sleeper("one"))
    world.berth("up", "-d")
    before = pids(world)
    write(world, sleeper("zero"), sleeper("one"), "  two: { command: sleep 1000, port: none, depends_on: [zero, one] }\n")
    world.berth("up", "-d")
    after = pids(world)
    assert sorted(after) == ["one", "two", "zero"]
    assert after["one"] == before["one"]
    assert len({service["supervisor_pid"] for service in (world.status(name) for name in after)}) == 1
    world.berth("down")
    world.nothing_left()


@ids("S7")
@root_and_user
def test_a_restart_takes_the_command_and_the_variables_that_are_written_now(world):
    told = os.path.join(world.home, "told")
    command = "  one: { command: 'echo \"$COLOUR %s\" >> %s; exec sleep 1000', port: none, environment: { COLOUR: %s } }\n"
    write(world, command % ("old", told, "red"), sleeper("two"))
    world.berth("up", "-d")
    wait_until(lambda: read_lines(told) == ["red old"], lambda: read_lines(told))
    before = pids(world)
    write(world, command % ("new", told, "blue"), sleeper("two"))
    world.berth("restart", "one")
    wait_until(lambda: read_lines(told) == ["red old", "blue new"], lambda: read_lines(told))
    world.berth("restart", "one", "-e", "COLOUR=green")
    wait_until(lambda: read_lines(told)[2:] == ["green new"], lambda: read_lines(told))
    assert pids(world)["two"] == before["two"]
    world.berth("down")
    world.nothing_left()


FILES = "  one: { command: 'echo \"$A $B\" >> %s; exec sleep 1000', port: none, env_file: one.env, environment: { B: \"${B:-0}\" } }\n"


def start_with_files(world):
    """(the lines that it has said since, the pid of the one that goes on)"""
    told = os.path.join(world.home, "told")
    world.write("one.env", "A=1\n")
    write(world, FILES % told, sleeper("two"))
    world.berth("up", "-d")
    wait_until(lambda: read_lines(told) == ["1 0"], lambda: read_lines(told))
    return lambda: read_lines(told)[1:], pids(world)["two"]


@ids("S1")
@root_and_user
def test_a_start_takes_what_the_files_of_variables_say_now(world):
    lines, other = start_with_files(world)
    world.berth("stop", "one")
    world.write("one.env", "A=2\n")
    world.berth("up", "-d")
    wait_until(lambda: lines() == ["2 0"], lines)
    world.berth("stop", "one")
    world.write(".env", "B=3\n")
    world.berth("up", "-d")
    wait_until(lambda: lines()[1:] == ["2 3"], lines)
    world.berth("stop", "one")
    os.unlink(os.path.join(world.project, "one.env"))
    assert "one.env" in world.berth("up", "-d", check=USAGE).err
    world.write("one.env", "A=no end'\"\n=\n")
    world.berth("up", "-d", check=USAGE)
    world.write("one.env", "A=4\n")
    world.berth("up", "-d")
    wait_until(lambda: lines()[2:] == ["4 3"], lines)
    assert pids(world)["two"] == other
    world.berth("down")
    world.nothing_left()


@ids("S7")
@root_and_user
def test_a_restart_takes_what_the_files_of_variables_say_now(world):
    lines, other = start_with_files(world)
    world.write("one.env", "A=2\n")
    world.write(".env", "B=3\n")
    world.berth("restart", "one")
    wait_until(lambda: lines() == ["2 3"], lines)
    os.unlink(os.path.join(world.project, "one.env"))
    before = pids(world)
    assert "one.env" in world.berth("restart", "one", check=USAGE).err
    assert pids(world) == before and before["two"] == other
    world.write("one.env", "A=5\nA=6\n")
    world.berth("restart", "--rolling", "one")
    wait_until(lambda: lines()[1:] == ["6 3"], lines)
    world.berth("down")
    world.nothing_left()


@ids("S7")
def test_a_rollout_that_fails_takes_back_the_variables_of_files(world):
    told = os.path.join(world.home, "told")
    world.write("one.env", "A=1\n")
    write(world, f"  one: {{ command: 'echo $A >> {told}; test $A = 1 && exec sleep 1000', port: none, env_file: one.env, "
                 "ready: exec true }\n")
    world.berth("up", "-d")
    world.write("one.env", "A=2\n")
    world.berth("restart", "--rolling", "one", check=1)
    world.write("one.env", "A=3\n")
    os.unlink(os.path.join(world.project, "berth.yaml"))
    world.berth("restart", "one")
    wait_until(lambda: read_lines(told)[-1] == "1" and len(read_lines(told)) >= 3, lambda: read_lines(told))
    world.berth("down")


@ids("S1")
@root_and_user
def test_a_service_that_runs_and_is_written_no_more_is_named_and_nothing_changes(world):
    write(world, sleeper("one"), sleeper("two"))
    world.berth("up", "-d")
    before = pids(world)
    write(world, sleeper("one"), sleeper("three"))
    refused = world.berth("up", "-d", check=1)
    assert "two runs, but" in refused.err and "hint: berth down two first" in refused.err
    assert pids(world) == before
    world.berth("down", "two")
    world.berth("up", "-d")
    assert sorted(pids(world)) == ["one", "three"]
    world.berth("down")
    world.nothing_left()


@ids("S7")
@root_and_user
def test_a_broken_manifest_starts_and_restarts_nothing(world):
    write(world, sleeper("one"))
    world.berth("up", "-d")
    before = pids(world)
    world.write("berth.yaml", "services: { one: { comand: sleep 1 } }\n")
    for words in (["up", "-d"], ["restart", "one"]):
        refused = world.berth(*words, check=USAGE)
        assert "did you mean 'command'?" in refused.err, refused
    assert pids(world) == before
    assert alive(before["one"])
    world.berth("down")
    world.nothing_left()


@ids("S7")
@root_and_user
def test_without_its_manifest_a_restart_is_as_it_was(world):
    write(world, sleeper("one"))
    world.berth("up", "-d")
    before = pids(world)
    os.unlink(os.path.join(world.project, "berth.yaml"))
    world.berth("restart", "one")
    assert pids(world)["one"] not in (None, before["one"])
    world.berth("down")
    world.nothing_left()


@ids("S1", "F5")
@root_and_user
def test_services_of_profiles_alone_are_read_again_too(world):
    """Without any service that needs no profile: "has no service to start"."""
    tools = {name: shell("exec sleep 1000", profiles=["x"]) for name in ("tool", "tool2")}
    stack = Stack(world, **tools)
    first = stack.up("tool")
    stack.add(tool3=tools["tool"])
    assert set(stack.up("tool", "tool2")) == {"tool", "tool2"}
    assert stack.services()["tool"]["pid"] == first["tool"]["pid"]
    assert set(stack.up("tool3")) == {"tool", "tool2", "tool3"}


@ids("S1", "P2")
@root_and_user
def test_what_the_start_had_said_counts_still(world):
    """Settings of the user, -p and --any were forgotten with the first change."""
    deaf = shell("trap '' TERM; echo up; while :; do sleep 1000 & wait; done", ready="log up")
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    world.write(os.path.join(world.config, "berth", "config.yaml"), "grace: 300ms\n")
    stack = Stack(world, one=shell("exec sleep 1000"), web={"command": command, "port": 9120})
    assert port_of(stack.up("-p", "web=9130")["web"]) == 9130
    stack.berth("stop", "web")
    stack.add(deaf=deaf)
    assert port_of(stack.up()["web"]) == 9130
    down = stack.berth("down", "deaf", deadline=5)
    assert "deaf" in down.err + down.out
    stack.berth("down", "web")
    del stack.content["services"]["web"]
    stack.add(other=shell("exec sleep 1000"))
    assert set(stack.up()) == {"one", "deaf", "other"}
