# SPDX-License-Identifier: MIT
# scenario/test_clock_jumps_change_nothing.py - N3, F1: the clock of day is set, ten years forward or back
"""No delay, no limit and no time-out hears of it; what is shown follows the clock; what is kept stays in its order.

The machine's clock is not ours to set, and a namespace has no clock of day of its own: so berth is started with one
that jumps on command (helpers/clock.c), and nothing else is made up."""

import os
import re
import signal
import struct
import time

import pytest

from berthtest import (TIMED_OUT, alive, answer, bindable, has_socket, ids, kill, port_of, refused,
                       root_and_user, wait_gone, wait_until)
from realservers import Lives

DAY = 24 * 3600
YEARS = 10 * 365 * DAY
SERVE = "bind 5000 api\nlisten"

both_ways = pytest.mark.parametrize("seconds", [YEARS, -YEARS], ids=["forward", "back"])


class Clock:
    """The clock of day of whatever the world starts from now on."""

    def __init__(self, world):
        self.path = os.path.join(world.folder, "clock")
        self.seconds = 0
        with open(self.path, "wb") as file:
            file.write(struct.pack("=q", 0))
        os.chmod(self.path, 0o644)
        world.env.update(LD_PRELOAD=world.helper("clock.so"), BERTH_TEST_CLOCK=self.path)
        world.env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        year = world.run(["date", "-u", "+%Y"]).out
        self.jump(YEARS)
        assert int(world.run(["date", "-u", "+%Y"]).out) >= int(year) + 9, "it jumps"
        self.jump(-YEARS)

    def jump(self, seconds):
        self.seconds += seconds
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=q", self.seconds))

    def now(self):
        return time.time() + self.seconds


@pytest.fixture
def clock(world):
    return Clock(world)


def run_d(world, life, *options):
    return world.run_d("--name", "api", "--port", "5000", *options, "--", *life.argv)["service"]


def fifo(world):
    path = os.path.join(world.folder, "fifo")
    os.mkfifo(path)
    world.give(path)
    return path


def asked_to_stop(world):
    """Its stop, when the service has got its signal."""
    stop = world.start("stop", "api")
    wait_until(lambda: "draining" in world.berth("logs", "api").out, "it is asked")
    return stop


def seconds_of(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def ends(world):
    return world.berth("history", "--json").json["ends"]


# --- forward: nothing is over before its time; back: nothing waits for the clock to catch up ---

@ids("I4", "N3")
@root_and_user
@both_ways
def test_a_delay_ends_in_its_time(world, clock, seconds):
    life = Lives(world, "api", SERVE)
    service = run_d(world, life, "--restart", "always", "--backoff", "700ms")
    began = time.monotonic()
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay")
    clock.jump(seconds)
    wait_until(lambda: len(life.pids()) == 2, "its second life", deadline=5)
    assert time.monotonic() - began >= 0.7
    assert answer(5000)["life"] == 2 and world.status("api")["kept"] == "handed-over"


@ids("I4", "N3")
@both_ways
def test_a_long_delay_stays_long_and_is_shown_by_the_new_clock(world, clock, seconds):
    life = Lives(world, "api", SERVE)
    service = run_d(world, life, "--restart", "always", "--backoff", "1000s", "--backoff-max", "1h")
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay")
    clock.jump(seconds)
    # A client that is let in has passed the loop of the supervisor, and all that was due with it.
    waiting = world.status("api")
    assert waiting["state"] == "waiting" and waiting["kept"] == "kept" and len(life.pids()) == 1
    assert clock.now() + 900 < seconds_of(waiting["restart_at"]) < clock.now() + 1260
    assert re.search(r"restarts in (16|17|18|19|20) min", world.berth("status", "api", check=1).out)
    world.berth("restart", "api")
    assert answer(5000)["life"] == 2


@ids("N3")
@both_ways
def test_a_hold_ends_in_its_time(world, clock, seconds):
    life = Lives(world, "api", SERVE)
    service = run_d(world, life, "--restart", "always", "--backoff", "1h", "--backoff-max", "1h", "--hold", "700ms")
    began = time.monotonic()
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay")
    clock.jump(seconds)
    wait_until(lambda: refused(5000), "clients are refused", deadline=5)
    assert time.monotonic() - began >= 0.7


@ids("I4")
@both_ways
def test_the_grace_period_is_as_long_as_it_was(world, clock, seconds):
    service = run_d(world, Lives(world, "api", f"drain {fifo(world)}\n{SERVE}"), "--grace", "700ms")
    began = time.monotonic()
    stop = asked_to_stop(world)
    clock.jump(seconds)
    wait_gone(service["pid"], deadline=5)
    assert time.monotonic() - began >= 0.7
    assert stop.wait() == 0
    world.nothing_left()


@ids("N3")
@both_ways
def test_a_time_to_live_is_as_long_as_it_was(world, clock, seconds):
    victim = world.victim()
    began = time.monotonic()
    world.run_d("--name", "api", "--port", "5000", "--ttl", "1s", "--", *victim.argv(5000))
    long = world.victim()
    world.run_d("--name", "long", "--port", "7000", "--ttl", "1h", "--", *long.argv(7000))
    clock.jump(seconds)
    assert "expires     in 59 min" in world.berth("status", "long").out
    world.berth("wait", "api", "--for", "stopped")
    assert time.monotonic() - began >= 1
    assert ends(world)[0]["exit"]["by"] == "ttl" and answer(7000)["say"] == long.name


@ids("F1")
@both_ways
def test_a_start_that_takes_too_long_is_ended_in_its_time(world, clock, seconds):
    victim = world.victim()
    began = time.monotonic()
    run = world.start("run", "-d", "--name", "api", "--port", "5000", "--start-timeout", "1s", "--", *victim.argv())
    victim.running()
    clock.jump(seconds)
    assert run.wait() == 1 and time.monotonic() - began >= 1
    assert "not ready within 1 s" in run.err, run


@ids("F1")
@both_ways
def test_probes_go_on_at_their_period(world, clock, seconds):
    """Neither a flood of those that are overdue, nor none until the clock has caught up."""
    victim = world.victim()
    service = world.run_d("--name", "api", "--port", "5000", "--live", "http /", "--probe-period", "200ms", "--restart",
                          "always", "--backoff", "0", "--", *victim.argv(5000))["service"]
    asked = lambda: int(victim.command("requests").split()[1])  # noqa: E731
    wait_until(lambda: asked() >= 2, "probes")
    began, before = time.monotonic(), asked()
    clock.jump(seconds)
    wait_until(lambda: asked() >= before + 4, "more of them", deadline=5)
    assert time.monotonic() - began > 0.5 and world.status("api")["health"] == "ok"
    victim.command("http 500")
    wait_until(lambda: not alive(service["pid"]), "it is ended", deadline=5)
    wait_until(lambda: world.status("api")["restarts"] == 1, "the restart")


@ids("I4")
@both_ways
def test_a_wait_ends_when_its_time_is_up(world, clock, seconds):
    victim = world.victim()
    run = world.start("run", "-d", "--name", "api", "--port", "5000", "--", *victim.argv("bind:5000"))
    victim.ready()
    began = time.monotonic()
    wait = world.start("wait", "api", "--timeout", "1s")
    wait_until(lambda: has_socket(wait.pid), "it has asked")
    clock.jump(seconds)
    assert wait.wait() == TIMED_OUT and time.monotonic() - began >= 1
    assert run.popen.poll() is None


@ids("I4")
@both_ways
def test_the_limit_of_restarts_counts_real_time(world, clock, seconds):
    """A jump between is no stable life, and the window has not passed."""
    life = Lives(world, "api", SERVE)
    run_d(world, life, "--restart", "always", "--backoff", "0", "--restart-limit", "2/1h")
    for number in (1, 2, 3):
        wait_until(lambda: len(life.pids()) == number and not refused(5000), f"life {number}")
        clock.jump(seconds)
        kill(life.pids()[-1])
    world.berth("wait", "api", "--for", "stopped")
    assert len(life.pids()) == 3 and ends(world)[0]["state"] == "failed" and bindable(5000)


@ids("I4", "I5")
@both_ways
def test_what_is_said_of_a_duration_is_true(world, clock, seconds):
    service = run_d(world, Lives(world, "api", f"drain {fifo(world)}\n{SERVE}"), "--grace", "1h")
    stop = asked_to_stop(world)
    clock.jump(seconds)
    kill(service["pid"])
    assert stop.wait() == 0
    assert re.search(r"SIGKILL, [0-9]\.[0-9] s\)", stop.err), stop


# --- what is kept and shown ---

@ids("I4", "N7")
@root_and_user
@both_ways
def test_a_service_that_runs_is_the_same_after_it(world, clock, seconds):
    """It is known by the kernel's clock since boot, so it is neither lost nor taken for another."""
    victim = world.victim()
    before = world.run_d("--name", "api", "--port", "5000", "--", *victim.argv(5000))["service"]
    clock.jump(seconds)
    after = world.status("api")
    for name in ("id", "pid", "supervisor_pid", "state", "started_at", "ready_at", "restarts"):
        assert after[name] == before[name], name
    assert port_of(after) == 5000 and [s["id"] for s in world.services()] == [before["id"]]
    world.berth("restart", "api")
    assert abs(seconds_of(world.status("api")["started_at"]) - clock.now()) < 60
    # Not even when nobody is left who remembers: what is cleared up is known by its start, too.
    now = world.status("api")
    clock.jump(seconds)
    kill(now["guardian_pid"], signal.SIGKILL)
    kill(now["supervisor_pid"], signal.SIGKILL)
    wait_gone(now["supervisor_pid"])
    world.berth("ls")
    world.nothing_left()
    assert bindable(5000)


@ids("I4")
def test_the_history_keeps_the_order_of_what_happened(world, clock):
    """Symptom: names sort by time. Set back, the newest end came last, and among twenty it was the one that was removed."""
    def end(code):
        world.berth("run", "-q", "--name", "api", "--port", "none", "--", "sh", "-c", f"exit {code}", check=code)

    for code in range(1, 21):
        end(code)
    clock.jump(-YEARS)
    for code in (21, 22):
        end(code)
    assert [one["exit"]["code"] for one in ends(world)] == list(range(22, 2, -1))
    assert world.berth("status", "api", "--json", check=3).service["last"]["exit"]["code"] == 22
    clock.jump(2 * YEARS)
    end(23)
    assert [one["exit"]["code"] for one in ends(world)] == list(range(23, 3, -1))


@ids("I4")
@pytest.mark.parametrize("seconds", [150 * DAY, -150 * DAY], ids=["forward", "back"])
def test_logs_are_in_the_order_in_which_they_were_said(world, clock, seconds):
    """Across a rotation, too: the older file then looks younger than the present one."""
    victim = world.victim()
    service = world.run_d("--name", "api", "--port", "none", "--log-size", "64K", "--log-files", "50", "--log-age", "365d",
                          "--", *victim.argv())["service"]
    follow = world.start("logs", "-f", "api")
    said = [f"line {number} of many, long enough to fill a pipe in the end" for number in range(2000)]

    def is_said(times):
        found = world.berth("logs", "api").out.splitlines()
        return found == said * times

    victim.command("say 2000")
    wait_until(lambda: is_said(1), "all is read")
    for name in os.listdir(os.path.dirname(service["log"])):  # as the kernel writes it by that clock
        path = os.path.join(os.path.dirname(service["log"]), name)
        status = os.stat(path)
        os.utime(path, (status.st_mtime - seconds, status.st_mtime - seconds))
    clock.jump(seconds)
    victim.command("say 2000")
    wait_until(lambda: is_said(2), lambda: f"all is read in its order: {len(world.berth('logs', 'api').out.splitlines())}")
    assert world.berth("logs", "-n", "3000", "api").out.splitlines() == (said * 2)[-3000:]
    victim.command("exit 0")
    assert follow.wait() == 0 and follow.out.splitlines() == said * 2


@ids("I4")
def test_a_log_is_rotated_and_removed_by_its_age(world, clock):
    victim = world.victim()
    service = world.run_d("--name", "api", "--port", "none", "--log-age", "1d", "--", *victim.argv())["service"]

    def say(text):
        victim.command(f"print {text}\n")
        victim.command("say 1")
        wait_until(lambda: text in world.berth("logs", "api").out, f"{text} is read")

    def older():
        return os.path.exists(f"{service['log']}.1")

    say("first")
    clock.jump(23 * 3600)
    os.utime(service["log"], (clock.now(), clock.now()))  # the file system has another clock
    say("second")
    assert not older()
    clock.jump(2 * 3600)
    os.utime(service["log"], (clock.now(), clock.now()))
    say("third")
    assert older() and "first" in world.berth("logs", "api").out
    clock.jump(25 * 3600)
    os.utime(service["log"], (clock.now(), clock.now()))
    say("fourth")
    text = world.berth("logs", "api").out
    assert "first" not in text and "third" in text and "fourth" in text
