# SPDX-License-Identifier: MIT
# scenario/test_settings_count_for_all_projects.py - F5: config.yaml of the user
"""Range, skip list, grace, colours, tools and pins; a broken file starts nothing, and says where it is broken."""

import os
import subprocess
import time

import pytest

from berthtest import ids, root_and_user
from stacks import Stack

PORT = ["sh", "-c", "echo $PORT"]


def settle(world, text):
    return world.write(os.path.join(world.config, "berth", "config.yaml"), text)


@ids("F5")
@root_and_user
def test_the_range_is_that_of_who_named_no_number(world):
    settle(world, "range: 7100-7199\n")
    assert world.berth("run", "--new", "--", *PORT).out == "7100\n"
    assert world.berth("run", "--new", "--port", "5000", "--", *PORT).out == "5000\n"


@ids("F5")
@root_and_user
def test_what_is_to_be_skipped_is_skipped_beside_the_option(world):
    settle(world, "skip: [5000, 5002-5003]\n")
    assert world.berth("run", "--port", "5000", "--skip", "5001", "--", *PORT).out == "5004\n"


@ids("F5")
def test_the_grace_is_that_of_the_settings_unless_an_option_says_so(world):
    settle(world, "grace: 200ms\n")
    world.run_d("--name", "web", "--", *world.victim().argv("--ignore-term", 5000))
    before = time.monotonic()
    world.berth("stop", "web")
    assert time.monotonic() - before < 8  # the default is 10 s
    world.run_d("--name", "web", "--grace", "10s", "--", *world.victim().argv("--ignore-term", 5000))
    stop = world.start("stop", "web")
    with pytest.raises(subprocess.TimeoutExpired):
        stop.popen.wait(1)
    world.berth("stop", "web", "--kill")
    assert stop.wait() == 0


@ids("F5")
def test_the_grace_of_a_manifest_goes_before_that_of_the_settings(world):
    """Even where it is the number that berth would take anyway."""
    settle(world, "grace: 200ms\n")
    silent, patient = world.victim("silent"), world.victim("patient")
    stack = Stack(world, silent={"command": silent.argv("--ignore-term", 5000), "port": 5000},
                  patient={"command": patient.argv("--ignore-term", 6000), "port": 6000, "stop_grace_period": "10s"})
    stack.up()
    before = time.monotonic()
    stack.berth("stop", "silent")
    assert time.monotonic() - before < 8
    stop = stack.start("stop", "patient")
    with pytest.raises(subprocess.TimeoutExpired):
        stop.popen.wait(1)
    stack.berth("stop", "patient", "--kill")
    assert stop.wait() == 0


@ids("F5", "P12")
@root_and_user
@pytest.mark.parametrize("key", ["shop/web", "{project}/web"])
def test_a_pin_of_the_settings_is_one(world, key):
    settle(world, f"pins: {{ {key.format(project=world.project)}: 7000 }}\n")
    assert world.berth("run", "--name", "web", "--port", "5000", "--", *PORT).out == "7000\n"
    assert world.berth("run", "--name", "api", "--port", "7000", "--", *PORT).out == "7001\n"
    assert world.berth("pin").out.splitlines()[1].split()[-1] == "config"
    assert "config.yaml" in world.berth("unpin", "web", check=1).err
    world.berth("pin", "web", "7005")
    assert world.berth("run", "--name", "web", "--port", "5000", "--", *PORT).out == "7005\n"


@ids("F5", "N10")
def test_the_users_tools_have_ports_of_their_own(world):
    """The debugger comes first, and is not taken for the main port."""
    settle(world, "tools: [9876]\n")
    world.berth("pin", "web", "7000")
    victim = world.victim()
    service = world.run_d("--name", "web", "--ready", "tcp", "--", *victim.argv(9876, 5000))["service"]
    assert {port["port"]: port["reason"] for port in service["ports"]} == {7000: "pinned", 9876: "tool"}


@ids("F5")
@root_and_user
def test_a_broken_file_starts_nothing_and_shows_where(world):
    path = settle(world, "grase: 3s\nskip: [6000, x]\n")
    result = world.berth("run", "--", "sh", "-c", "touch started", check=2)
    assert result.err == f"""{path}:1:1: 'grase' is no setting; did you mean 'grace'?
     1 | grase: 3s
       | ^~~~~
{path}:2:14: 'x' is not a port or a range of ports, like 6000 or 6000-6010
     2 | skip: [6000, x]
       |              ^
berth: {path} has 2 faults; nothing is started
"""
    assert not os.path.exists(os.path.join(world.project, "started"))
    error = world.berth("run", "-d", "--json", "--", "true", check=2).error
    assert error["code"] == "config" and [(fault["line"], fault["column"]) for fault in error["faults"]] == [(1, 1), (2, 14)]


@ids("F5")
def test_what_starts_nothing_goes_on_and_says_so(world):
    path = settle(world, "x: 1\n")
    result = world.berth("ls")
    assert f"{path} has 1 fault; as long as that is so, it does not count" in result.err
    assert world.berth("ls", "--json").json["services"] == []


@ids("F5")
@root_and_user
def test_a_file_that_may_not_be_read_starts_nothing(world):
    path = settle(world, "grace: 1s\n")
    os.unlink(path)
    os.mkdir(path)
    assert "cannot read" in world.berth("run", "--", "true", check=2).err


@ids("F5")
def test_dotfiles_may_be_links(world):
    real = world.write("dotfiles.yaml", "range: 7100-7199\n")
    os.mkdir(os.path.join(world.config, "berth"))
    os.symlink(real, os.path.join(world.config, "berth", "config.yaml"))
    assert world.berth("run", "--new", "--", *PORT).out == "7100\n"


@ids("F5")
def test_colours_are_what_the_user_wants(world):
    def is_coloured(**options):
        return "\033[" in world.berth("ls", **options).err

    assert not is_coloured()
    settle(world, "colour: always\n")
    assert is_coloured() and is_coloured(env={"NO_COLOR": "1"})
    assert "\033[" not in world.berth("ls", "--no-color").err
    settle(world, "color: never\n")
    run = world.start("ls", terminal=True, env={"TERM": "xterm"})
    run.wait()
    assert "nothing runs" in run.out and "\033[" not in run.out


@ids("F5")
def test_an_empty_file_settles_nothing(world):
    settle(world, "# nothing yet\n")
    assert world.berth("run", "--new", "--", *PORT).out == "3000\n"
