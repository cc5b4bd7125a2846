# SPDX-License-Identifier: MIT
# scenario/test_shop_goes_without_a_trace.py - N5, N6, S7: down, and kill -9 at each stage of the start
"""After `berth down`, and however berth is killed, nothing of the shop lives, no port is held, no ports file is left."""

import os
import signal

import pytest

from berthtest import (NO_PORT, alive, bindable, descendants, each_containment, ids, kill, listeners, root_and_user,
                       wait_gone, wait_until)
from shop import DEFAULTS, START, shop

USED = [*DEFAULTS.values()]


def check_gone(main):
    """Nothing of it, at once."""
    assert not main.world.living()
    assert [port for port in USED if not bindable(port)] == []
    assert not os.path.exists(main.ports_file)


def supervisor_of(front):
    """The child of `berth up` that holds the ports; None until it is there."""
    return next((process for process in descendants(front) if process.is_berth and process.parent == front), None)


def supervisor_in_background():
    """The same, when `berth up -d` has put a guardian in between; keepers and their like are further below."""
    inner = [process for process in descendants() if process.comm.startswith("berth:")]
    pids = {process.pid for process in inner}
    return next((process for process in inner if process.parent not in pids), None)


def command_starts(text):
    """The process of a service, by its command line, once its program runs."""
    return next((process for process in descendants() if text in process.command and not process.is_berth
                 and process.comm != "sh"), None)


# What is there at each stage of `berth up`; each is looked for again and again.
STAGES = {
    "forked": lambda main: True,
    "leased": lambda main: os.path.exists(main.ports_file),
    "first-started": lambda main: command_starts("redis-server"),
    "first-waited-for": lambda main: (("127.0.0.1", DEFAULTS["redis"]) in listeners()
                                      or ("0.0.0.0", DEFAULTS["redis"]) in listeners()),
    "second-started": lambda main: command_starts("backend/server.mjs"),
    "last-started": lambda main: command_starts("vite"),
    "all-ready": lambda main: len(main.services()) == 4
    and all(service["state"] == "ready" for service in main.services().values()),
}

each_stage = pytest.mark.parametrize("stage", STAGES)


def shop_for(world, stage):
    """For the stage where all the others wait for Redis, it listens and never becomes ready."""
    main = shop(world)
    if stage == "first-waited-for":
        edit(main, "berth.yaml", "range: 6379-6478", "ready: log this is never said")
    return main


def edit(main, name, old, new):
    path = os.path.join(main.folder, name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    main.world.write(path, text.replace(old, new))


@ids("S7", "N6")
@each_containment
def test_down_leaves_nothing(world):
    main = shop(world).up()
    pids = [service["pid"] for service in main.services().values()]
    main.berth("down")
    assert not [pid for pid in pids if alive(pid)]
    check_gone(main)
    world.nothing_left()
    assert world.services() == []
    main.berth("down")  # nothing to do: 0


@ids("N5")
@root_and_user
@each_stage
def test_a_killed_supervisor_leaves_nothing(world, stage):
    main = shop_for(world, stage)
    run = main.start("up")
    supervisor = wait_until(lambda: supervisor_of(run.pid), lambda: f"a supervisor: {run}")
    wait_until(lambda: STAGES[stage](main), lambda: f"{stage}: {run}", deadline=START)
    kill(supervisor.pid)
    assert run.wait(deadline=START) != 0
    world.nothing_left(deadline=START)
    check_gone(main)


@ids("N5")
@root_and_user
@each_stage
def test_a_killed_front_leaves_nothing(world, stage):
    main = shop_for(world, stage)
    run = main.start("up")
    wait_until(lambda: supervisor_of(run.pid), lambda: f"a supervisor: {run}")
    wait_until(lambda: STAGES[stage](main), lambda: f"{stage}: {run}", deadline=START)
    kill(run.pid)
    wait_gone(run.pid)
    world.nothing_left(deadline=START)
    check_gone(main)


@ids("N5")
@each_stage
def test_a_supervisor_killed_under_up_d_is_told_to_the_caller(world, stage):
    """The command that waits for the start does not wait for ever, and fails, unless all was up."""
    main = shop_for(world, stage)
    run = main.start("up", "-d")
    supervisor = wait_until(supervisor_in_background, lambda: f"a supervisor: {run}")
    wait_until(lambda: STAGES[stage](main), lambda: f"{stage}: {run}", deadline=START)
    kill(supervisor.pid)
    code = run.wait(deadline=START)
    assert code != 0 or stage == "all-ready", run
    world.nothing_left(deadline=START)
    check_gone(main)


@ids("N5", "I2", "S2")
@each_containment
def test_both_killed_at_once_the_next_start_finds_no_trace(world):
    """Nobody is left to clear up; the next command does, and the file that lies there is no wish."""
    main = shop(world).up()
    berths = [process for process in descendants() if process.is_berth]
    for process in berths:
        kill(process.pid, signal.SIGSTOP)
    for process in berths:
        kill(process.pid)
    for process in berths:
        wait_gone(process.pid)
    world.berth("ls")
    world.nothing_left()
    assert [port for port in USED if not bindable(port)] == []
    main.up()
    assert main.get("/healthz")[0] == 200
    main.berth("down")
    check_gone(main)


@ids("S1")
@root_and_user
def test_a_start_that_gets_no_port_starts_nothing(world):
    """All together or not at all: Redis has its port, and is not started for a backend that has none."""
    main = shop(world)
    edit(main, "berth.yaml", "9000-9099", "9000-9001")
    world.occupy(9000)
    world.occupy(9001)
    result = main.berth("up", "-d", check=NO_PORT)
    assert "backend" in result.err
    world.nothing_left()
    assert bindable(6379) and bindable(5173)
    assert not os.path.exists(main.ports_file)


@ids("S1")
@root_and_user
def test_a_part_that_dies_before_it_is_ready_keeps_its_dependants_from_starting(world):
    main = shop(world)
    world.write(os.path.join(main.folder, "backend/server.mjs"), 'console.error("no shelf here");\nprocess.exit(7);\n')
    edit(main, "berth.yaml", "restart: on-failure", "restart: no")
    result = main.berth("up", "-d", check=1)
    assert "no shelf here" in result.err and "7" in result.err, result
    assert command_starts("vite") is None
    main.berth("down")
    check_gone(main)
