# SPDX-License-Identifier: MIT
# scenario/test_a_stop_command_ends_what_signals_do_not_reach.py - F6, N5, N6: --stop-command
"""Whatever ends a life, and whoever is killed: the container is removed, once, and never by two at a time. The engine is
the test's own, see engine.py."""

import os
import shlex
import signal
import time

import pytest

from berthtest import BERTH, USAGE, Process, alive, bindable, ids, kill, port_of, root_and_user, wait_gone, wait_until
from engine import Engine


@pytest.fixture
def engine(world):
    one = Engine(world)
    yield one
    one.close()


def options(engine, *more):
    return ("run", "--name", "db", "--port", "5432", "--outside", "--stop-command", engine.stop, *more, "--", *engine.run())


def start(world, engine, *more):
    return world.run_d(*options(engine, *more)[1:])["service"]


def removed(world, engine, service, times=1):
    """The container is gone, after so many removals, and nothing of berth is left."""
    wait_until(lambda: not engine.containers, "the container is removed")
    world.nothing_left()
    assert engine.removals() == [service["id"]] * times and engine.removing_most == 1, engine.calls
    assert bindable(port_of(service))


@ids("F6", "N6")
@root_and_user
@pytest.mark.parametrize("how", [("stop", "db"), ("stop", "--kill", "db"), ("free", "--yes", "5432")])
def test_a_stop_removes_the_container(world, engine, how):
    service = start(world, engine)
    world.berth(*how)
    removed(world, engine, service)


@ids("F6", "N6")
def test_it_comes_before_the_signal(world, engine):
    """Its client is gone by then of itself, with exit 0: nobody had to be told."""
    service = start(world, engine)
    engine.may_remove.clear()
    stop = world.start("stop", "--grace", "20", "db")
    wait_until(lambda: engine.removing, "the stop command")
    assert alive(service["pid"])
    engine.may_remove.set()
    assert stop.wait() == 0, stop
    end = world.berth("history", "--json").json["ends"][0]
    assert end["exit"] == {"code": 0, "signal": None, "by": "user"}, end


@ids("F6", "N6")
def test_signals_follow_when_half_of_the_grace_period_is_over(world, engine):
    service = start(world, engine)
    engine.may_remove.clear()
    began = time.monotonic()
    stop = world.start("stop", "--grace", "2", "db")
    wait_gone(service["pid"])
    assert time.monotonic() - began >= 0.9
    assert stop.popen.poll() is None  # the stop command is still at it
    engine.may_remove.set()
    assert stop.wait() == 0, stop
    removed(world, engine, service)


@ids("F6", "N6")
def test_one_that_does_not_end_is_killed_and_that_is_said(world, engine):
    """It has five seconds, however short the grace period."""
    service = start(world, engine)
    engine.may_remove.clear()
    engine.may_unbind.clear()
    began = time.monotonic()
    stop = world.start("stop", "--kill", "db")
    stop.wait(30)
    assert time.monotonic() - began >= 5
    world.nothing_left()
    log = world.berth("logs", "db").out
    assert "the stop command of db has not ended within 5 s: killed" in log and service["id"], log


@ids("F6")
def test_its_failure_is_said_and_what_it_says_is_in_the_log(world):
    world.run_d("--name", "web", "--port", "5000", "--stop-command", "echo going; echo $PORT {id} >&2; exit 3", "--",
                *world.victim().argv(5000))
    identity = world.status("web")["id"]
    world.berth("stop", "web")
    log = world.berth("logs", "web").out
    assert "going" in log and f"5000 {identity}" in log and "the stop command of web failed: exit 3" in log, log


@ids("F6")
def test_in_the_foreground_it_speaks_on_standard_error(world):
    run = world.start("run", "--name", "web", "--port", "5000", "--stop-command", "echo going {port}", "--",
                      *world.victim().argv(5000))
    run.wait_for("^berth: web is ")
    run.signal(signal.SIGTERM)
    run.wait()
    assert "going 5000" in run.err and "going" not in run.out, run


@ids("F6")
def test_a_terminals_ctrl_c_runs_it(world, engine):
    run = world.start(*options(engine), terminal=True)
    run.wait_for("db is postgresql://localhost:5432")
    service = world.status("db")
    run.send("\x03")
    run.wait()
    removed(world, engine, service)


@ids("F6", "N12")
def test_time_and_owner_run_it(world, engine):
    service = start(world, engine, "--ttl", "1")
    removed(world, engine, service)


@ids("F6")
@root_and_user
def test_a_client_that_is_killed_leaves_no_container(world, engine):
    """Symptom: kill -9 of `docker run`, and the container runs on with its port."""
    service = start(world, engine)
    kill(service["pid"])
    removed(world, engine, service)


@ids("F6")
def test_one_that_ends_by_itself_is_cleared_up_after(world, engine):
    service = start(world, engine)
    world.run(["sh", "-c", engine.stop.replace("{id}", service["id"])])
    removed(world, engine, service, times=2)


@ids("F6")
@pytest.mark.parametrize("by", ["restart", "policy"])
def test_each_life_has_a_container_of_its_own(world, engine, by):
    service = start(world, engine, "--restart", "on-failure")
    if by == "restart":
        world.berth("restart", "db")
    else:
        kill(service["pid"])
    wait_until(lambda: len(engine.runs()) == 2 and world.status("db")["state"] == "ready", "the next life")
    assert [call[0] for call in engine.calls] == ["run", "rm", "run"] and len(engine.containers) == 1
    world.berth("stop", "db")
    removed(world, engine, service, times=2)


@ids("F6", "N5")
@root_and_user
@pytest.mark.parametrize("front", [(), ("-d",)])
def test_kill_9_of_the_supervisor_leaves_no_container(world, engine, front):
    run = world.start(*options(engine, *front))
    service = wait_until(lambda: next((s for s in world.services() if s["state"] == "ready"), None), "ready")
    kill(service["supervisor_pid"])
    run.wait()
    removed(world, engine, service)


@ids("F6", "N5")
@root_and_user
def test_kill_9_of_the_guardian_in_the_foreground_leaves_no_container(world, engine):
    run = world.start(*options(engine))
    service = wait_until(lambda: next((s for s in world.services() if s["state"] == "ready"), None), "ready")
    run.signal(signal.SIGKILL)
    run.wait()
    removed(world, engine, service)


@ids("F6", "N5")
def test_kill_9_of_the_guardian_in_the_background_ends_nothing(world, engine):
    service = start(world, engine)
    kill(service["guardian_pid"])
    wait_until(lambda: world.status("db")["containment"] == "degraded", "it is noticed")
    assert len(engine.containers) == 1 and not engine.removals()
    # From here on nobody is left who could: the next command does.
    kill(service["supervisor_pid"])
    wait_gone(service["supervisor_pid"])
    world.berth("ls")
    removed(world, engine, service)


def kill_both(service):
    for pid in (service["guardian_pid"], service["supervisor_pid"]):
        os.kill(pid, signal.SIGSTOP)
    for pid in (service["guardian_pid"], service["supervisor_pid"]):
        kill(pid)
        wait_gone(pid)


@ids("F6", "N5")
@root_and_user
def test_kill_9_of_both_is_cleared_up_by_the_next_command(world, engine):
    service = start(world, engine)
    kill_both(service)
    assert len(engine.containers) == 1
    world.berth("ls")
    removed(world, engine, service)


@ids("F6", "N5")
def test_the_next_command_may_be_another_start_which_has_its_port_then(world, engine):
    before = start(world, engine)
    kill_both(before)
    after = start(world, engine)
    assert port_of(after) == 5432 and [call[:2] for call in engine.calls] == [
        ("run", before["id"]), ("rm", before["id"]), ("run", after["id"])]


@ids("F6", "N5")
def test_two_commands_that_find_it_run_it_once(world, engine):
    service = start(world, engine)
    kill_both(service)
    engine.may_remove.clear()
    commands = [world.start("ls") for _ in range(3)]
    wait_until(lambda: engine.removing, "one of them is at it")
    # The others wait: whoever returns finds all of it gone.
    wait_until(lambda: all(Process(command.pid).state == "S" for command in commands), "they wait")
    engine.may_remove.set()
    assert [command.wait() for command in commands] == [0, 0, 0]
    removed(world, engine, service)


@ids("F6", "N5")
def test_kill_9_of_the_supervisor_in_the_middle_of_it(world, engine):
    """Its own attempt is ended before the guardian makes another: never two at a time."""
    service = start(world, engine)
    engine.may_remove.clear()
    stop = world.start("stop", "db")
    wait_until(lambda: engine.removing == 1, "the stop command")
    kill(service["supervisor_pid"])
    wait_until(lambda: len(engine.removals()) == 2, "the guardian's")
    engine.may_remove.set()
    stop.wait()
    wait_until(lambda: not engine.containers, "the container is removed")
    world.nothing_left()


@ids("F6", "N5")
def test_kill_9_of_the_guardian_in_the_middle_of_it(world, engine):
    service = start(world, engine)
    engine.may_remove.clear()
    kill(service["supervisor_pid"])
    wait_until(lambda: engine.removing == 1, "the guardian's")
    kill(service["guardian_pid"])
    wait_gone(service["guardian_pid"])
    engine.may_remove.set()
    world.berth("ls")
    wait_until(lambda: not engine.containers, "the container is removed")
    world.nothing_left()
    assert world.services() == []


@ids("F6", "N5")
def test_the_guardian_knows_the_command_before_there_is_anything_to_end(world, engine):
    """kill -9 while the engine is still starting the container."""
    engine.may_bind.clear()
    world.start(*options(engine, "-d"))
    wait_until(engine.runs, "the engine is asked")
    service = world.services()[0]
    kill(service["supervisor_pid"])
    wait_until(engine.removals, "the guardian's")
    engine.may_bind.set()
    world.nothing_left()


@ids("F6", "N5")
def test_a_unit_that_has_ended_is_not_ended_again(world, engine):
    """Of two instances one is stopped: should the supervisor be killed then, only the other is cleared up."""
    world.run_d("--name", "db", "--port", "5432", "--instances", "2", "--outside", "--stop-command", engine.stop, "--",
                *engine.run())
    first, second = sorted(world.services(), key=lambda service: service["instance"])
    assert first["id"] != second["id"]
    world.berth("stop", first["id"])
    wait_until(lambda: len(world.services()) == 1, "one has ended")
    kill(second["supervisor_pid"])
    wait_until(lambda: not engine.containers, "the container is removed")
    world.nothing_left()
    assert engine.removals() == [first["id"], second["id"]], engine.calls


@ids("F6")
def test_after_a_failed_exec_there_is_nothing_to_end(world, engine):
    world.berth("run", "-d", "--name", "db", "--port", "5432", "--stop-command", engine.stop, "--", "no-such-command",
                check=127)
    assert not engine.calls


@ids("F6")
def test_a_missing_command_or_folder_is_said(world):
    world.run_d("--name", "web", "--port", "5000", "--stop-command", "no-such-engine rm {id}", "--",
                *world.victim().argv(5000))
    world.berth("stop", "web")
    assert "the stop command of web failed: exit 127" in world.berth("logs", "web").out


@ids("F6")
def test_with_workers_it_is_refused(world, engine):
    refused = world.berth("run", "--workers", "2", "--stop-command", "true", "--", "true", check=USAGE)
    assert "--stop-command goes not with --workers" in refused.err
    assert "--stop-command: COMMAND is empty" in world.berth("run", "--stop-command", "", "--", "true", check=USAGE).err


@ids("F6")
def test_inside_of_another_service_it_is_refused_but_in_the_background(world, engine):
    outer = ["run", "--name", "outer", "--port", "none", "--", BERTH]
    run = world.start(*outer, *options(engine))
    assert run.wait() == 125 and "--outside does nothing inside of another service" in run.err, run
    run = world.start(*outer, *options(engine)[:1], *options(engine)[5:])
    assert run.wait() == 125 and not engine.calls, run
    # The command that starts it lives on; and {id} is for the inner one to fill in.
    world.write("inner.sh", shlex.join([BERTH, *options(engine, "-d")]) + "\nexec sleep 1000\n")
    world.start(*outer[:-1], "sh", "inner.sh")
    service = wait_until(lambda: next((one for one in world.services() if one["state"] == "ready" and one["outside"]), None),
                         "ready")
    assert list(engine.containers) == [service["id"]]
    world.berth("stop", service["id"])
    assert engine.removals() == [service["id"]] and not engine.containers
    world.berth("stop", "outer")
    world.nothing_left()
