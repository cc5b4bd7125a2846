# SPDX-License-Identifier: MIT
# scenario/test_a_service_is_started_again_as_its_policy_says.py - I4, F1: --restart, its delays and its limit
"""no, on-failure, always; delays that grow; a limit, and what is said when it is reached; commands that can't be started."""

import datetime
import json
import os
import re
import signal
import time

import pytest

from berthtest import (NOT_EXECUTABLE, NOT_FOUND, TIMED_OUT, UNKNOWN, alive, answer, bindable, ids, kill, refused,
                       root_and_user, wait_until)
from realservers import Lives

SERVE = "bind 5000 api\nlisten"
FAST = ["--backoff", "10ms", "--backoff-max", "10ms"]


def run(world, life, *options, **more):
    """In the foreground; the service has one port, whether it listens there or not."""
    return world.start("run", "--name", "api", "--port", "5000", *options, "--", *life.argv, **more)


def run_d(world, life, *options):
    return world.run_d("--name", "api", "--port", "5000", *options, "--", *life.argv)["service"]


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@ids("I4")
@root_and_user
@pytest.mark.parametrize("policy, ends, lives, code", [
    ("no", ["exit 3"], 1, 3),
    ("no", ["exit 0"], 1, 0),
    ("on-failure", ["exit 0"], 1, 0),
    ("on-failure", ["exit 3", "kill", "exit 0"], 3, 0),
    ("always", ["exit 0", "exit 3", "kill", "exit 0", "exit 0", "exit 7"], 6, 7),
])
def test_what_has_ended_is_started_again_as_the_policy_says(world, policy, ends, lives, code):
    """The exit code is that of the last life."""
    life = Lives(world, "api", *(f"{SERVE}\n{end}" for end in ends))
    assert run(world, life, "--restart", policy, *FAST).wait() == code
    assert len(life.pids()) == lives
    world.nothing_left()
    assert bindable(5000)


@ids("I4")
def test_nothing_is_started_again_without_a_policy(world):
    life = Lives(world, "api", f"{SERVE}\nexit 3")
    run = world.start("run", "--name", "api", "--port", "5000", "--", *life.argv)
    assert run.wait() == 3 and len(life.pids()) == 1


@ids("I4")
@root_and_user
def test_what_crashes_at_once_for_ever_has_failed_in_the_end(world):
    """Five restarts in ten seconds: then it is over, the port is free, and the last lines tell why."""
    life = Lives(world, "api", "say the database is down\nexit 3")
    crashing = run(world, life, "--restart", "on-failure", *FAST)
    assert crashing.wait() == 3
    assert len(life.pids()) == 6, "one life, and five more"
    assert "berth: api ended with exit 3; it has failed: 5 restarts in 10 s are enough" in crashing.err
    assert crashing.out == "the database is down\n" * 6
    world.nothing_left()
    assert bindable(5000) and refused(5000)


@ids("I4")
@root_and_user
def test_a_detached_service_that_has_failed_is_told_with_its_last_lines(world):
    life = Lives(world, "api", "say the database is down\nexit 3")
    result = world.berth("run", "-d", "--name", "api", "--port", "5000", "--restart", "always", *FAST, "--", *life.argv,
                         check=1)
    assert "api ended before it listened (exit 3" in result.err and "the database is down" in result.err
    assert len(life.pids()) == 6
    world.nothing_left()
    gone = world.berth("status", "api", check=UNKNOWN)
    assert "the database is down" in gone.out + gone.err
    end = world.berth("history", "--json").json["ends"][0]
    assert end["state"] == "failed" and end["restarts"] == 5 and end["last_lines"][-1] == "the database is down"
    assert end["exit"] == {"code": 3, "signal": None, "by": "itself"}
    assert refused(5000) and bindable(5000)


@ids("I4")
@root_and_user
def test_a_service_that_fails_after_it_was_ready_ends_for_all_who_wait(world):
    """Its clients are refused then, and do not wait for a life that will not come."""
    life = Lives(world, "api", SERVE, "exit 3")
    service = run_d(world, life, "--restart", "on-failure", *FAST, "--restart-limit", "3/10s")
    wait = world.start("wait", "api", "--for", "stopped")
    wait_until(lambda: any("wait" in process.command for process in world.everything()), "somebody waits")
    kill(service["pid"])
    assert wait.wait() == 0
    assert len(life.pids()) == 4 and refused(5000) and bindable(5000)
    result = world.berth("status", "api", "--json", check=UNKNOWN).json
    assert '"failed"' in json.dumps(result), result


@ids("I4")
@pytest.mark.parametrize("limit, lives", [("2/1m", 3), ("0/1s", None), ("none", None)])
def test_the_limit_is_the_users(world, limit, lives):
    life = Lives(world, "api", "exit 3")
    crashing = run(world, life, "--restart", "on-failure", "--backoff", "0", "--restart-limit", limit)
    if limit == "0/1s":
        assert crashing.wait() in (2, 3) and len(life.pids()) <= 1
        return
    if lives:
        assert crashing.wait() == 3 and len(life.pids()) == lives
        return
    wait_until(lambda: len(life.pids()) > 8, "more lives than the usual limit allows")
    world.berth("stop", "api")
    crashing.wait()


@ids("I4")
def test_delays_grow_to_their_limit(world):
    """The events tell when each life began; a delay is never shorter than what was asked for."""
    life = Lives(world, "api", "exit 3")
    read, write = os.pipe()
    crashing = run(world, life, "--restart", "on-failure", "--backoff", "40ms", "--backoff-max", "160ms", "--status-fd",
                   write, pass_fds=[write])
    os.close(write)
    assert crashing.wait() == 3
    with open(read, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    assert [event["event"] for event in events] == ["leased", *["restarted"] * 5, "exited"]
    times = [seconds(event["at"]) for event in events[:-1]]
    for earlier, later, delay in zip(times, times[1:], (40, 80, 160, 160, 160)):
        assert later - earlier >= delay / 1000 - 0.001, (events, delay)
    assert [event["restarts"] for event in events[1:-1]] == [1, 2, 3, 4, 5]
    assert events[-1]["code"] == 3


@ids("I4")
@root_and_user
def test_status_says_when_it_is_started_again(world):
    """At least the delay from now, and a quarter more at most. A stop ends the waiting at once."""
    life = Lives(world, "api", SERVE)
    service = run_d(world, life, "--restart", "always", "--backoff", "1000s", "--backoff-max", "1h")
    before = time.time()
    kill(service["pid"])
    waiting = wait_until(lambda: next((s for s in world.services() if s["state"] == "waiting"), None), "the delay")
    assert before + 999 < seconds(waiting["restart_at"]) < time.time() + 1251
    text = world.berth("status", "api", check=1).out
    assert re.search(r"^shop/api  waiting  restarts in", text) and re.search(r"^ *last end +SIGKILL by itself", text, re.M), text
    world.berth("stop", "api")
    world.nothing_left()
    assert len(life.pids()) == 1 and bindable(5000)


@ids("I4")
def test_each_end_and_delay_is_said(world):
    life = Lives(world, "api", f"{SERVE}\nkill", "exit 3", SERVE)
    running = run(world, life, "--restart", "always", "--backoff", "100ms")
    running.wait_for(r"^berth: api was ended by SIGKILL; it is started again in 0\.1 s$")
    running.wait_for(r"^berth: api ended with exit 3; it is started again in 0\.[12] s$")
    wait_until(lambda: not refused(5000), "its third life serves")
    assert answer(5000)["life"] == 3


@ids("I4")
@pytest.mark.parametrize("state", ["ready", "waiting", "starting"])
def test_a_stop_is_the_last_word_whatever_the_policy(world, state):
    life = Lives(world, "api", SERVE, "")
    service = run_d(world, life, "--restart", "always", "--backoff", "0" if state == "starting" else "1h",
                    "--backoff-max", "1h")
    if state != "ready":
        kill(service["pid"])
        wait_until(lambda: world.services()[0]["state"] == state, state)
    lives = 2 if state == "starting" else 1
    wait_until(lambda: len(life.pids()) == lives, "as many lives as that takes")
    world.berth("stop", "api")
    world.nothing_left()
    assert len(life.pids()) == lives and bindable(5000)
    end = world.berth("history", "--json").json["ends"][0]
    assert end["state"] == "stopped" and end["exit"]["by"] == "user", end


@ids("I4")
def test_a_user_restart_counts_in_no_limit(world):
    life = Lives(world, "api", SERVE)
    run_d(world, life, "--restart", "on-failure", "--restart-limit", "1/1h")
    for _ in range(3):
        world.berth("restart", "api")
    service = world.status("api")
    assert service["state"] == "ready" and service["restarts"] == 3
    kill(service["pid"])
    wait_until(lambda: len(life.pids()) == 5 and world.services() and world.services()[0]["state"] == "ready",
               "the policy still has its one restart")


# --- in the foreground ---

@ids("I4", "I5")
@root_and_user
@pytest.mark.parametrize("state", ["ready", "waiting", "starting"])
def test_ctrl_c_is_the_last_word_whatever_the_policy(world, state):
    """In each of its states, once it has served; also where there is nobody whom the terminal could tell."""
    life = Lives(world, "api", SERVE, "")
    running = run(world, life, "--restart", "always", "--backoff", "0" if state == "starting" else "1h", "--backoff-max",
                  "1h", terminal=True)
    wait_until(lambda: running.pump() and world.services() and world.services()[0]["state"] == "ready", "its first life")
    lives = 2 if state == "starting" else 1
    if state != "ready":
        kill(world.services()[0]["pid"])
        wait_until(lambda: world.services()[0]["state"] == state and len(life.pids()) == lives, state)
    running.send("\x03")
    assert running.wait() in (-signal.SIGINT, 128 + signal.SIGINT, 128 + signal.SIGKILL), running
    world.nothing_left()
    assert len(life.pids()) == lives and bindable(5000)


@ids("I4", "I5")
@root_and_user
def test_ctrl_c_ends_what_has_never_served_and_waits_to_be_started_again(world):
    """Symptom: taken for a word in a REPL, where there was nobody but berth to hear it."""
    life = Lives(world, "api", "exit 3")
    running = run(world, life, "--restart", "always", "--backoff", "1h", "--backoff-max", "1h", terminal=True)
    running.wait_for("it is started again in")
    running.send("\x03")
    assert running.wait() == 3, running
    world.nothing_left()
    assert len(life.pids()) == 1


@ids("I4", "I5")
@root_and_user
def test_what_has_never_served_and_ends_of_ctrl_c_is_not_started_again(world):
    """It may be a REPL; but if it ends of that, its user wanted it so."""
    life = Lives(world, "api", "say up")
    running = run(world, life, "--restart", "always", "--backoff", "1s", terminal=True)
    running.wait_for("^up")
    running.send("\x03")
    assert running.wait() in (-signal.SIGINT, 1), running
    world.nothing_left()
    assert len(life.pids()) == 1 and "started again" not in running.out


@ids("I4", "I5")
@pytest.mark.parametrize("lives, code", [([f"{SERVE}\nkill", f"{SERVE}\nexit 0"], 0), (["exit 4", "exit 0"], 0)])
def test_the_events_come_in_the_order_of_what_happened(world, lives, code):
    life = Lives(world, "api", *lives)
    read, write = os.pipe()
    running = run(world, life, "--restart", "on-failure", *FAST, "--status-fd", write, pass_fds=[write])
    os.close(write)
    assert running.wait() == code
    with open(read, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    names = [event["event"] for event in events]
    assert [name for name in names if name != "ready"] == ["leased", "restarted", "exited"], events
    assert events[-1]["code"] == code and events[-1]["signal"] is None
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


# --- what can't be started again ---

def script(world, text="#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n", mode=0o755):
    return world.write(f"{world.bin}/serve", text, mode)


def run_script(world, life, *options):
    return world.run_d("--name", "api", "--port", "5000", *options, "--", "serve", *life.argv[1:])["service"]


@ids("I4")
def test_what_never_started_is_not_tried_again(world):
    result = world.berth("run", "--name", "api", "--restart", "always", "--", "nothing-of-that-name", check=NOT_FOUND)
    assert result.err.count("cannot run 'nothing-of-that-name'") == 1, result
    world.nothing_left()


@ids("I4")
@root_and_user
@pytest.mark.parametrize("how", ["removed", "not executable"])
def test_a_restart_on_demand_of_a_command_that_has_gone_is_told(world, how):
    """It is asked for before anything is ended: the caller is told why, and what runs goes on."""
    life = Lives(world, "api", SERVE)
    path = script(world)
    run_script(world, life)
    if how == "removed":
        os.unlink(path)
    else:
        os.chmod(path, 0o644)
    result = world.berth("restart", "api", "--json", check=1)
    assert result.error["code"] == "start-failed" and "cannot run 'serve'" in result.error["message"]
    assert answer(5000)["life"] == 1 and world.status("api")["state"] == "ready"


@ids("I4")
def test_a_command_that_has_gone_fails_by_the_limit(world):
    life = Lives(world, "api", SERVE)
    path = script(world)
    running = world.start("run", "--name", "api", "--port", "5000", "--restart", "always", *FAST, "--", "serve",
                          *life.argv[1:])
    wait_until(lambda: not refused(5000), "it serves")
    os.unlink(path)
    kill(life.pids()[0])
    assert running.wait() == NOT_FOUND
    assert "cannot run 'serve': no such command in PATH" in running.err
    assert "it has failed: 5 restarts in 10 s are enough" in running.err
    world.nothing_left()
    assert refused(5000) and bindable(5000)


@ids("I4", "N3")
def test_a_command_that_comes_back_serves_those_who_waited(world):
    """As while a compiler writes it anew."""
    life = Lives(world, "api", SERVE)
    path = script(world)
    service = run_script(world, life, "--restart", "always", *FAST, "--restart-limit", "none")
    os.rename(path, f"{path}.away")
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["restarts"] > 2, "it is tried again and again")
    assert world.services()[0]["kept"] == "kept"
    os.rename(f"{path}.away", path)
    assert answer(5000)["life"] == 2
    assert world.status("api")["kept"] == "handed-over"


@ids("I4")
@root_and_user
def test_a_restart_with_a_command_that_does_not_exist_is_told(world):
    life = Lives(world, "api", SERVE)
    service = run_d(world, life)
    result = world.berth("restart", "api", "--json", "--", "nothing-of-that-name", check=1)
    assert "cannot run 'nothing-of-that-name': no such command in PATH" in result.error["message"]
    assert world.status("api")["pid"] == service["pid"] and answer(5000)["life"] == 1
    world.berth("restart", "api")
    assert answer(5000)["life"] == 2, "the command is the one before"


# --- what does not listen ---

@ids("I4", "F1")
def test_a_restart_of_what_never_listens_again_is_not_waited_for_for_ever(world):
    life = Lives(world, "api", SERVE, "")
    run_d(world, life)
    result = world.berth("restart", "api", "--wait", "200ms", "--json", check=TIMED_OUT)
    assert result.error["code"] == "timeout"
    wait_until(lambda: len(life.pids()) == 2, "its second life")
    service = world.status("api")
    assert service["state"] == "starting" and service["pid"] == life.pids()[1]
    world.berth("stop", "api")
    world.nothing_left()


@ids("I4", "F1")
def test_with_a_start_timeout_what_never_listens_is_a_failure_like_any_other(world):
    life = Lives(world, "api", SERVE, "", "", SERVE)
    service = run_d(world, life, "--restart", "on-failure", *FAST, "--start-timeout", "200ms")
    kill(service["pid"])
    assert answer(5000)["life"] == 4
    service = world.status("api")
    assert service["restarts"] == 3 and service["kept"] == "handed-over"
