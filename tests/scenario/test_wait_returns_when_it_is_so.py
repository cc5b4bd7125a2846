# SPDX-License-Identifier: MIT
# scenario/test_wait_returns_when_it_is_so.py - I4, N6: berth wait --for ready, stopped, free
"""It returns then and not before, whoever makes it so; 124 when the time is up."""

import signal
import time

import pytest

from berthtest import (TIMED_OUT, UNKNOWN, Process, alive, bindable, has_socket, ids, kill, port_of, root_and_user, wait_gone,
                       wait_until)


def start(world, *options, name="api", port=5000, places=None):
    victim = world.victim()
    document = world.run_d("--name", name, "--port", port, *options, "--", *victim.argv(*(places or (port,))))
    victim.ready()
    return victim, document["service"]


def starting(world, name="api", port=5000):
    """A service that has bound and will listen when told to."""
    victim = world.victim()
    run = world.start("run", "-d", "--name", name, "--port", port, "--", *victim.argv(f"bind:{port}"))
    victim.ready()
    return victim, run


def listens(victim, port=5000):
    victim.command("close 0")
    assert victim.command(f"listen {port}").startswith("ok")


@ids("I4")
@root_and_user
def test_what_is_ready_is_no_wait(world):
    start(world)
    result = world.berth("wait", "api")
    assert "api is ready: http://localhost:5000" in result.err, result
    assert world.berth("wait", "--for", "ready", "--json", "5000").service["state"] == "ready"


@ids("I4")
@root_and_user
def test_ready_is_waited_for(world):
    victim, run = starting(world)
    wait = world.start("wait", "api", "--json")
    assert world.start("wait", "api", "--timeout", "300ms").wait() == TIMED_OUT
    assert wait.popen.poll() is None
    listens(victim)
    assert wait.wait() == 0 and '"state":"ready"' in wait.out, wait
    assert run.wait() == 0


@ids("I4")
@root_and_user
def test_a_service_that_starts_later_is_waited_for(world):
    wait = world.start("wait", "api", "worker")
    wait.wait_for("^berth: waiting: ")
    start(world)
    wait.wait_for("^berth: shop/api is ready")
    assert wait.popen.poll() is None
    start(world, name="worker", port=5001)
    assert wait.wait() == 0, wait


@ids("I4")
@root_and_user
def test_one_that_ends_before_it_is_ready_is_told(world):
    victim, run = starting(world)
    wait = world.start("wait", "api", "--json")
    again = world.start("wait", "api")
    wait_until(lambda: has_socket(wait.pid) and has_socket(again.pid), "both wait")
    victim.command("exit 3")
    assert (wait.wait(), again.wait(), run.wait()) == (1, 1, 1), (wait, again, run)
    assert '"start-failed"' in wait.out and "ended before it was ready" in again.err, (wait, again)


@ids("I4")
@root_and_user
def test_a_restart_between_is_waited_out(world):
    victim, _ = start(world, "--restart", "on-failure", "--backoff", "0")
    victim.forget()
    victim.command("exit 3")
    world.berth("wait", "api")
    assert world.status("api")["restarts"] in (0, 1)  # it may have been quicker than the end
    wait_until(lambda: world.status("api")["restarts"] == 1, "the restart")
    world.berth("wait", "api")
    assert victim.port == 5000


@ids("I4", "N6")
@root_and_user
def test_stopped_is_when_nothing_lives(world):
    victim, service = start(world)
    stray = int(victim.command("daemon").split()[1])
    wait = world.start("wait", "api", "--for", "stopped")
    assert world.start("wait", "api", "--for", "stopped", "--timeout", "300ms").wait() == TIMED_OUT
    assert wait.popen.poll() is None
    victim.command("exit 3")
    assert wait.wait() == 0, wait
    assert not alive(service["pid"]) and not alive(stray) and bindable(5000)


@ids("I4", "N5")
@root_and_user
@pytest.mark.parametrize("victims", ["supervisor", "both"])
def test_stopped_by_a_kill_of_berth_itself_is_stopped(world, victims):
    start(world)
    status = world.status("api")
    wait = world.start("wait", "api", "--for", "stopped", "--timeout", "5s")
    wait_until(lambda: has_socket(wait.pid), "it waits")
    if victims == "both":
        kill(status["guardian_pid"])
    kill(status["supervisor_pid"])
    if victims == "both":
        wait_gone(status["supervisor_pid"])
        world.berth("ls")  # clears up
    assert wait.wait() == 0, wait
    world.nothing_left()


@ids("I4")
@root_and_user
def test_what_does_not_run_has_stopped(world):
    world.berth("wait", "api", "--for", "stopped")
    start(world)
    world.berth("stop", "api")
    assert world.berth("wait", "api", "--for", "stopped", "--json").json["services"] == []


@ids("I4", "N6")
@root_and_user
def test_free_is_when_the_port_can_be_bound_whoever_had_it(world):
    stranger = world.stranger(5000)
    wait = world.start("wait", "5000", "--for", "free")
    assert world.start("wait", "5000", "--for", "free", "--timeout", "300ms").wait() == TIMED_OUT
    assert wait.popen.poll() is None
    kill(stranger.pid)
    assert wait.wait() == 0 and bindable(5000), wait
    world.berth("wait", "5000", "5001", "--for", "free")


@ids("I4", "N6")
@root_and_user
def test_free_of_a_service_is_all_of_its_ports(world):
    victim = world.victim()
    world.run_d("--name", "api", "--port", "http=5000", "--port", "ws=5001", "--", *victim.argv(5000, 5001))
    wait = world.start("wait", "api", "--for", "free")
    assert world.start("wait", "api", "--for", "free", "--timeout", "300ms").wait() == TIMED_OUT
    world.berth("stop", "api")
    assert wait.wait() == 0, wait
    blocker = world.occupy(5001)
    assert world.start("wait", "api", "--for", "free", "--timeout", "300ms").wait() == TIMED_OUT  # as it ran last
    blocker.close()
    world.berth("wait", "api", "--for", "free")


@ids("I4")
def test_several_operands_are_all_waited_for(world):
    one, _ = start(world, name="one", port=5000)
    start(world, name="two", port=5001)
    wait = world.start("wait", "one", "two", "--for", "stopped")
    wait_until(lambda: "poll" in Process(wait.popen.pid).doing, "it has looked, and waits")
    one.command("exit 0")
    wait.wait_for("^berth: shop/one has stopped")
    assert wait.popen.poll() is None
    world.berth("stop", "two")
    assert wait.wait() == 0


@ids("I4", "P10")
def test_one_name_is_all_instances(world):
    document = world.run_d("--name", "api", "--instances", "2", "--port", "5000", "--", "sh", "-c",
                           f'exec {world.helper("victim")} "$PORT"')
    assert [port_of(service) for service in document["services"]] == [5000, 5001]
    assert len(world.berth("wait", "api", "--json").json["services"]) == 2
    wait = world.start("wait", "api", "--for", "stopped")
    world.berth("stop", "5000")
    assert world.start("wait", "api", "--for", "stopped", "--timeout", "300ms").wait() == TIMED_OUT
    assert wait.popen.poll() is None
    world.berth("stop", "5001")
    assert wait.wait() == 0


@ids("I4")
def test_unknown_names(world):
    start(world, name="backend")
    result = world.berth("wait", "bakend", "--timeout", "200ms", check=TIMED_OUT)
    assert "backend" in result.err, result
    error = world.berth("wait", "bakend", "--timeout", "200ms", "--json", check=TIMED_OUT).error
    assert error["code"] == "timeout"
    world.berth("wait", "bakend", "--for", "stopped")
    result = world.berth("wait", "bakend", "--for", "free", check=UNKNOWN)
    assert "backend" in result.err
    world.berth("wait", check=2)
    assert "ready" in world.berth("wait", "x", "--for", "redy", check=2).err


@ids("I4")
def test_the_timeout_is_for_all_operands_together(world):
    starting(world, "one", 5000)
    starting(world, "two", 5001)
    began = time.monotonic()
    world.berth("wait", "one", "two", "--timeout", "1s", check=TIMED_OUT)
    assert 1 <= time.monotonic() - began < 2


@ids("I4")
@root_and_user
def test_a_killed_wait_leaves_the_service_alone(world):
    victim, run = starting(world)
    wait = world.start("wait", "api")
    wait_until(lambda: has_socket(wait.pid), "it waits")
    wait.signal(signal.SIGINT)
    assert wait.wait() == -signal.SIGINT
    listens(victim)
    assert run.wait() == 0
