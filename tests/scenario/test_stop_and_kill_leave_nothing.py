# SPDX-License-Identifier: MIT
# scenario/test_stop_and_kill_leave_nothing.py - N5, N6: every kind of service, every way to end it
"""{kinds of service} x {ways to end it}: the port is bindable and nobody is left.

As an ordinary user without a cgroup of its own, containment is the subreaper chain; as root a cgroup where there is one.
"""

import os
import signal
import subprocess

import pytest

from berthtest import (BERTH, UNKNOWN, alive, answer, bindable, each_containment, ids, kill, wait_gone, wait_until)

KINDS = {
    "plain": (),
    "double fork": ("--double-fork",),
    "setsid": ("--setsid",),
    "ignores TERM": ("--ignore-term", "--ignore-int"),
    "holds stdout": ("--hold-stdout",),
    "closes all fds": ("--close-fds",),
    "cleared environment": ("--clear-env",),
    "nginx-like title": ("--bind-in-child", "--title", "nginx: master process"),
}


class Service:
    """One service of a kind, and beside it a daemon that it forked off: both must go."""

    def __init__(self, world, kind, *options, detached=True, **spawn):
        self.world, self.victim = world, world.victim()
        argv = self.victim.argv(*KINDS[kind], 5000)
        if kind == "double fork":  # what started the daemon stays, as a shell script would
            argv = ["sh", "-c", '"$@"; exec "$0"', world.helper("victim"), *argv]
        options = ("--name", "web", "--port", "5000", "--grace", "150ms", *options)
        if detached:
            self.run = None
            self.service = world.run_d(*options, "--", *argv)["service"]
        else:
            self.run = world.start("run", *options, "--", *argv, **spawn)
            self.victim.ready()
            self.service = wait_until(lambda: next((s for s in world.services() if s["state"] == "ready"), None), "ready")
        assert answer(5000)["say"] == self.victim.name
        self.stray = int(self.victim.command("daemon").split()[1])
        self.pids = [*self.victim.pids(), self.stray]
        self.supervisor = self.service["supervisor_pid"]
        self.guardian = world.status("web")["guardian_pid"]

    def gone(self):
        """At once, with no patience: after a stop that has returned."""
        assert not [pid for pid in self.pids if alive(pid)], self.world.living()
        assert not self.world.living()
        assert bindable(5000)

    def soon_gone(self):
        self.world.nothing_left()
        self.gone()


each_kind = pytest.mark.parametrize("kind", KINDS)


@ids("N6", "I4")
@each_containment
@each_kind
def test_stop_returns_when_nothing_lives_and_the_port_is_bindable(world, kind):
    service = Service(world, kind)
    world.berth("stop", "web")
    service.gone()
    world.nothing_left()
    assert world.services() == []


@ids("N5")
@each_containment
@each_kind
def test_a_killed_supervisor_takes_all_with_it(world, kind):
    service = Service(world, kind)
    kill(service.supervisor)
    service.soon_gone()
    world.berth("status", "web", check=UNKNOWN)


@ids("N5")
@each_containment
@each_kind
def test_a_killed_front_in_the_foreground_takes_all_with_it(world, kind):
    """What the shell, an IDE or a test runner started, and kills with SIGKILL."""
    service = Service(world, kind, detached=False)
    assert service.run.pid == service.guardian
    kill(service.run.pid)
    service.soon_gone()


@ids("N5")
@each_containment
@each_kind
def test_a_killed_guardian_of_a_detached_service_is_said_and_stop_still_ends_all(world, kind):
    service = Service(world, kind)
    kill(service.guardian)
    wait_gone(service.guardian)
    assert answer(5000)["say"] == service.victim.name
    wait_until(lambda: world.status("web")["containment"] == "degraded", "containment: degraded")
    world.berth("stop", "web")
    service.gone()
    world.nothing_left()


@ids("N5", "I2")
@each_containment
@each_kind
def test_both_killed_at_once_the_next_command_ends_what_is_left(world, kind):
    service = Service(world, kind)
    kill(service.guardian)
    kill(service.supervisor)
    wait_gone(service.guardian)
    wait_gone(service.supervisor)
    world.berth("ls")
    service.soon_gone()


@ids("N6")
@each_containment
@each_kind
def test_two_stops_both_succeed(world, kind):
    service = Service(world, kind)
    stops = [world.start("stop", "web"), world.start("stop", "web")]
    assert [stop.wait() for stop in stops] == [0, 0], stops
    service.gone()
    world.berth("stop", "web")


@ids("N5")
@each_containment
@each_kind
def test_a_closed_terminal_takes_all_with_it(world, kind):
    service = Service(world, kind, detached=False, terminal=True)
    service.run.hang_up()
    service.soon_gone()


@ids("N12", "N5")
@each_containment
@each_kind
def test_the_end_of_the_owner_takes_all_with_it(world, kind):
    owner = world.spawn(["cat"], stdin=subprocess.PIPE)
    service = Service(world, kind, "--owner", str(owner.pid))
    assert service.service["owner_pid"] == owner.pid
    kill(owner.pid)
    owner.wait()
    service.soon_gone()


@ids("N12", "N5")
@each_containment
@each_kind
def test_the_end_of_its_time_takes_all_with_it(world, kind):
    service = Service(world, kind, "--ttl", "1s")
    assert service.service["expires_at"]
    service.soon_gone()


@ids("N6")
@each_containment
def test_stop_frees_port_of_double_forked_daemon(world):
    """The command itself has ended long ago; the daemon is the service."""
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--", *victim.argv("--double-fork", "--ignore-term", 5000))
    assert "service" in service, service
    assert answer(5000)["say"] == victim.name
    world.berth("stop", "web", "--grace", "150ms", check=None)
    world.berth("stop", "web")
    assert bindable(5000) and not world.living()


@ids("N6")
@each_containment
def test_stop_returns_with_a_pipe_that_the_service_still_holds(world):
    """`berth run -d` in $(...) must not hang on what the service inherited."""
    victim = world.victim()
    result = world.run(["sh", "-c", 'out=$("$@"); echo "returned"', "sh", BERTH, "run", "-d", "--name", "web", "--port", "5000", "--",
                        *victim.argv("--hold-stdout", 5000)])
    assert "returned" in result.out


@ids("N5")
@each_containment
def test_containment_is_told(world, who, containment):
    service = Service(world, "plain")
    told = world.status("web")["containment"]
    if who == "user" or containment == "subreaper" or not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        assert told == "subreaper" or containment == "cgroup"
    else:
        assert told == "cgroup"  # root on a unified hierarchy
    world.berth("stop", "web")
    service.gone()


@ids("N5")
@each_containment
def test_a_stopped_service_is_ended_too(world):
    service = Service(world, "plain")
    kill(service.service["pid"], signal.SIGSTOP)
    world.berth("stop", "web")
    service.gone()


@ids("N6")
@each_containment
def test_a_stopped_supervisor_does_not_hang_stop(world):
    service = Service(world, "plain")
    kill(service.supervisor, signal.SIGSTOP)
    world.berth("stop", "web")
    service.gone()


@ids("N6")
@each_containment
def test_a_fork_bomb_of_fifty_daemons_is_ended(world):
    service = Service(world, "ignores TERM")
    for _ in range(50):
        service.pids.append(int(service.victim.command("daemon").split()[1]))
    world.berth("stop", "web")
    service.gone()


@ids("N5")
@each_containment
def test_the_end_of_the_command_in_the_foreground_ends_what_it_left(world):
    result = world.berth("run", "--", "sh", "-c", "sleep 1000 & setsid sleep 1000 & exit 5", check=5)
    assert not world.living(), result
    world.nothing_left()


@ids("N5")
@each_containment
def test_the_end_of_the_service_frees_the_port_without_a_stop(world):
    service = Service(world, "plain")
    kill(service.service["pid"])
    world.nothing_left()
    service.gone()
    assert world.services() == []
