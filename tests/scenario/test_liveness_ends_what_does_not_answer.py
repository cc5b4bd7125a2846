# SPDX-License-Identifier: MIT
# scenario/test_liveness_ends_what_does_not_answer.py - F1: --live http and tcp, and whose answers count
"""So many failures in a row end the service; what follows is the policy's. No other program's answer ever counts."""

import signal
import socket

import pytest

from berthtest import alive, answer, bindable, ids, kill, port_of, root_and_user, skip, wait_until

MPTCP = 262
FAST = ("--probe-period", "100ms", "--probe-timeout", "200ms")


def start(world, *options, places=(5000,), victim=()):
    one = world.victim()
    document = world.run_d("--name", "api", "--port", "5000", *FAST, *options, "--", *one.argv(*victim, *places))
    one.ready()
    return one, document["service"]


def restarted(world, before):
    """The status of the next life, when that is ready."""
    def look():
        service = next(iter(world.services()), None)
        return service and service["restarts"] and service["state"] == "ready" and service["pid"] != before and service
    return wait_until(look, "a restart")


@ids("F1")
@root_and_user
@pytest.mark.parametrize("how", ["500", "0"])
def test_three_failures_are_a_restart_by_the_policy(world, how):
    victim, service = start(world, "--live", "http /up", "--restart", "on-failure")
    victim.command("http 500")
    wait_until(lambda: int(victim.command("requests").split()[1]) >= 1, "it is asked")
    assert alive(service["pid"])
    victim.command("http 200")  # one, or two, are forgiven
    asked = int(victim.command("requests").split()[1])
    wait_until(lambda: int(victim.command("requests").split()[1]) >= asked + 4, "it is asked again")
    assert world.status("api")["restarts"] == 0 and world.status("api")["health"] == "ok"
    victim.command(f"http {how}")
    after = restarted(world, service["pid"])
    assert after["restarts"] == 1 and after["workers"][0]["exit"]["by"] == "liveness", after
    assert after["health"] == "ok" and answer(5000)["pid"] == after["pid"]


@ids("F1")
@root_and_user
def test_without_a_policy_it_has_failed(world):
    victim, service = start(world, "--live", "http /up")
    waiter = world.start("wait", "api", "--for", "stopped")
    victim.command("http 503")
    assert waiter.wait() == 0
    assert not alive(service["pid"]) and bindable(5000)
    world.nothing_left()
    end = world.berth("history", "--json").json["ends"][0]
    assert end["exit"]["by"] == "liveness" and end["state"] == "failed", end
    assert "as its probe failed" in world.berth("history").out


@ids("F1")
@root_and_user
def test_the_foreground_says_why_and_its_exit_code_is_not_0(world):
    """Also of a service that ends with 0 when it is asked to."""
    victim = world.victim()
    run = world.start("run", "--name", "api", "--port", "5000", "--live", "http /up", *FAST, "--",
                      *victim.argv("--graceful", 5000))
    victim.ready()
    wait_until(lambda: world.status("api")["state"] == "ready", "ready")
    victim.command("http 503")
    run.wait_for("^berth: api is not alive: HTTP 503")
    assert run.wait() != 0, run
    world.nothing_left()


@ids("F1")
@root_and_user
def test_tcp_that_is_not_accepted_is_alive_and_one_that_is_refused_is_not(world):
    victim, service = start(world, "--live", "tcp", "--restart", "on-failure", victim=("--no-serve",))
    assert world.start("wait", "api", "--for", "stopped", "--timeout", "700ms").wait() == 124
    assert world.status("api")["restarts"] == 0
    victim.command("close 0")
    after = restarted(world, service["pid"])
    assert after["workers"][0]["exit"]["by"] == "liveness", after


@ids("F1")
@root_and_user
def test_a_stopped_process_does_not_answer(world):
    """SIGSTOP: the kernel accepts for it, nobody answers; the end of it must get through to it."""
    _, service = start(world, "--live", "http /", "--restart", "on-failure", "--grace", "300ms")
    kill(service["pid"], signal.SIGSTOP)
    after = restarted(world, service["pid"])
    assert after["workers"][0]["exit"]["by"] == "liveness" and not alive(service["pid"])


@ids("F1")
def test_liveness_waits_until_it_is_ready(world):
    """A slow start is not a death."""
    victim = world.victim()
    run = world.start("run", "-d", "--name", "api", "--port", "5000", *FAST, "--ready", "log ^line 1", "--live",
                      "http /up", "--", *victim.argv("--http", "503", 5000))
    victim.ready()
    assert world.start("wait", "api", "--timeout", "700ms").wait() == 124
    assert int(victim.command("requests").split()[1]) == 0
    victim.command("http 200")
    victim.command("say 2")
    assert run.wait() == 0
    wait_until(lambda: int(victim.command("requests").split()[1]), "it is asked")
    assert world.status("api")["restarts"] == 0


@ids("F1", "N7")
@root_and_user
def test_a_strangers_answer_on_the_other_family_makes_nothing_ready(world):
    """Without steering: the service has 127.0.0.1:5000 and says 503, another program has [::1]:5000 and says 200."""
    victim = world.victim()
    run = world.start("run", "-d", "--name", "api", "--steer=off", "--port", "5000", *FAST, "--ready", "http /", "--",
                      *victim.argv("--http", "503", "127.0.0.1:5000"))
    victim.ready()
    assert port_of(world.status("api")) == 5000
    world.stranger("[::1]:5000", say="other")
    assert answer(5000, "::1")["say"].startswith("other")
    asked = int(victim.command("requests").split()[1])
    wait_until(lambda: int(victim.command("requests").split()[1]) >= asked + 3, "it is asked itself")
    assert world.status("api")["state"] == "starting" and run.popen.poll() is None
    victim.command("http 200")
    assert run.wait() == 0


@ids("F1", "N7")
@root_and_user
def test_a_strangers_answer_on_the_other_family_keeps_nothing_alive(world):
    """It has closed its listener; all that answers on the number is somebody else."""
    victim, service = start(world, "--live", "http /", "--steer=off", places=("127.0.0.1:5000",))
    assert port_of(service) == 5000
    world.stranger("[::1]:5000", say="other")
    assert answer(5000, "::1")["say"].startswith("other")
    wait = world.start("wait", "api", "--for", "stopped")
    victim.command("close 0")
    assert wait.wait() == 0
    assert world.berth("history", "--json").json["ends"][0]["exit"]["by"] == "liveness"


@ids("F1", "N7")
@root_and_user
def test_a_strangers_answer_in_its_very_place_is_no_answer(world):
    """The same with the same address: SO_REUSEPORT, or somebody who was quicker than the next bind()."""
    victim, _ = start(world, "--live", "http /", "--steer=off", places=("127.0.0.1:5000",))
    wait = world.start("wait", "api", "--for", "stopped")
    victim.command("close 0")
    world.stranger("127.0.0.1:5000", say="other")
    assert wait.wait() == 0
    assert answer(5000)["say"].startswith("other")
    assert world.berth("history", "--json").json["ends"][0]["exit"]["by"] == "liveness"


def start_workers(world, workers, *options, victim="", place="5000", foreground=False):
    """Victims with a socket each, w1 ..; and what berth says of the service."""
    victims = {number: world.victim(f"w{number}") for number in range(1, workers + 1)}
    script = f'exec "$0" --say "w$BERTH_WORKER" --ready-file "$2/v-w$BERTH_WORKER/ready" {victim} ' \
             '--control "$2/v-w$BERTH_WORKER/control" "$1"'
    arguments = ("--name", "api", "--port", "5000", "--workers", workers, *FAST, *options, "--", "sh", "-c", script,
                 world.helper("victim"), place, world.folder)
    if foreground:
        return victims, world.start("run", "-d", *arguments)
    service = world.run_d(*arguments)["service"]
    assert service["sharing"] == "group"
    return victims, service


def pids_of(service):
    return {worker["number"]: worker["pid"] for worker in service["workers"]}


def asked(victim):
    return int(victim.command("requests").split()[1])


@ids("F1", "N4")
@pytest.mark.parametrize("hung", [1, 2, 3])
def test_of_several_workers_the_one_that_hangs_is_started_again(world, hung):
    """Each has a socket of its own: an answer of another worker is none of this one's, and the others are left alone."""
    victims, service = start_workers(world, 3, "--live", "http /", "--restart", "on-failure", "--backoff", "0",
                                     "--grace", "300ms")
    before = pids_of(service)
    kill(before[hung], signal.SIGSTOP)

    def back():
        now = world.status("api")["workers"][hung - 1]
        return now["state"] == "ready" and now["pid"] != before[hung] and now
    now = wait_until(back, lambda: f"worker {hung} is back: {world.status('api')['workers']}")
    assert now["restarts"] == 1 and now["exit"]["by"] == "liveness", now
    others = {number: pid for number, pid in before.items() if number != hung}
    counts = {number: asked(victims[number]) for number in victims}
    for number in victims:
        wait_until(lambda: asked(victims[number]) >= counts[number] + 6, f"worker {number} is asked")
    after = world.status("api")
    assert {number: pid for number, pid in pids_of(after).items() if number != hung} == others, after["workers"]
    assert [worker["restarts"] for worker in after["workers"]] == [int(number == hung) for number in before], after


@ids("F1", "N4")
def test_who_is_left_of_several_workers_is_still_looked_after(world):
    """The one that is ended is not started again; while that lasts, and then, each of the others is asked itself."""
    victims, service = start_workers(world, 4, "--live", "http /", "--grace", "700ms")
    before = pids_of(service)

    def ended(number):
        worker = next((one for one in world.status("api")["workers"] if one["number"] == number), None)
        return not worker or worker["exit"] or worker["state"] in ("failed", "stopped")
    for hung in (1, 3):
        kill(before[hung], signal.SIGSTOP)
        wait_until(lambda: not alive(before[hung]) and ended(hung), f"worker {hung} has been ended")
    count = asked(victims[2])
    wait_until(lambda: asked(victims[2]) >= count + 6, "worker 2 is asked")
    assert alive(before[2]) and alive(before[4]) and answer(5000)["pid"] in (before[2], before[4])


@ids("F1", "N4")
def test_a_worker_is_ready_by_its_own_answer(world):
    victims, run = start_workers(world, 3, "--ready", "http /", foreground=True,
                                 victim="$([ $BERTH_WORKER = 2 ] && echo --http 503)")

    def states():
        return {worker["number"]: worker["state"] for worker in world.status("api")["workers"]}
    victims[1].ready()
    wait_until(lambda: states() == {1: "ready", 2: "starting", 3: "ready"}, states)
    count = asked(victims[2])
    wait_until(lambda: asked(victims[2]) >= count + 5, "worker 2 is asked again and again")
    assert states() == {1: "ready", 2: "starting", 3: "ready"} and run.popen.poll() is None
    victims[2].command("http 200")
    assert run.wait() == 0
    assert states() == {1: "ready", 2: "ready", 3: "ready"}
    victims[3].command("http 503")
    wait_until(lambda: states() == {1: "ready", 2: "ready", 3: "unready"}, states)
    count = asked(victims[1])
    wait_until(lambda: asked(victims[1]) >= count + 5, "worker 1 is asked again and again")
    assert states() == {1: "ready", 2: "ready", 3: "unready"}


@ids("F1", "N4")
def test_where_workers_can_not_be_told_apart_none_is_ended_and_all_get_ready(world):
    """The kernel leads no client among sockets of MPTCP."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP).close()
    except OSError:
        skip("this kernel has no MPTCP")
    victims, service = start_workers(world, 3, "--ready", "http /", "--live", "http /", "--restart", "on-failure",
                                     "--probe-failure-threshold", "1", place="mptcp:5000")
    assert all(worker["ready_at"] for worker in service["workers"]), service["workers"]
    kill(pids_of(service)[2], signal.SIGSTOP)
    assert world.start("wait", "api", "--for", "stopped", "--timeout", "1500ms").wait() == 124
    after = world.status("api")
    assert pids_of(after) == pids_of(service) and not after["restarts"], after
    kill(pids_of(service)[2], signal.SIGCONT)
    assert victims[2].command("ping") == "ok"
