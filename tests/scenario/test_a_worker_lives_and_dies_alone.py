# SPDX-License-Identifier: MIT
# scenario/test_a_worker_lives_and_dies_alone.py - N4, N5: one of several workers ends, or all, or who watches them
"""The others serve on; what belongs to another worker is left alone; what belongs to nobody any more is ended."""

import signal

import pytest

from berthtest import Process, alive, bindable, each_containment, ids, kill, process_table, refused, wait_gone, wait_until
from clients import FAILURES, Load, nobody_was_refused
from realservers import WORK_SERVERS

CLIENTS = 8


def start(world, *options, kind="node", workers=4):
    argv = WORK_SERVERS[kind](world, "api")
    return world.run_d("--name", "api", "--port", "5000", "--workers", str(workers), *options, "--", *argv)["service"]


def load(world):
    return Load(world, 5000, "--clients", str(CLIENTS), "--expect", '"port":5000')


def workers_of(service):
    return {worker["number"]: worker for worker in service["workers"]}


def worker(world, number):
    return workers_of(world.status("api"))[number]


def until(world, number, condition, what):
    return wait_until(lambda: (found := worker(world, number)) and condition(found) and found,
                      lambda: f"worker {number} {what}: {world.status('api')['workers']}")


class Families:
    """A service each of whose workers has a daemon of its own: forked twice, in a session of its own."""

    SCRIPT = 'setsid sh -c "sleep 1000 & echo \\$! >$DAEMONS/$BERTH_WORKER" && exec "$@"'

    def __init__(self, world, workers, *options, **more):
        self.world = world
        folder = world.write("daemons/.keep", "")
        self.folder = folder[:-len("/.keep")]
        world.give(self.folder)
        argv = ["sh", "-c", self.SCRIPT, "sh", *WORK_SERVERS["c-epoll"](world, "api")]
        self.service = world.run_d("--name", "api", "--port", "5000", "--workers", str(workers), "--grace", "500ms",
                                   *options, "--", *argv, env={"DAEMONS": self.folder}, **more)["service"]
        self.pids = {worker["number"]: worker["pid"] for worker in self.service["workers"]}
        self.daemons = {number: self.daemon(number) for number in self.pids}
        assert all(alive(pid) for pid in [*self.pids.values(), *self.daemons.values()])

    def daemon(self, number):
        """Its shell has said it before it began to listen."""
        with open(f"{self.folder}/{number}", encoding="ascii") as file:
            return int(file.read())

    def gone(self, *numbers):
        """At once, with no patience: that is what was answered."""
        table = process_table()
        left = [table[pids[number]] for pids in (self.pids, self.daemons) for number in numbers
                if pids[number] in table and table[pids[number]].alive]
        assert not left, [(process, process.doing) for process in left]

    def all_gone(self):
        self.gone(*self.pids)
        assert not self.world.living()
        assert bindable(5000)


@ids("N4")
@pytest.mark.parametrize("kind", ["node", "go", "c-epoll", "python", "c-threads"])
def test_the_others_go_on_and_it_comes_back_by_the_policy(world, kind):
    pids = {number: worker["pid"] for number, worker in
            workers_of(start(world, "--restart", "on-failure", kind=kind)).items()}
    clients = load(world)
    clients.all_answer(pids.values())
    for victim in (3, 1):  # one that came later, and the one that showed the others how it listens
        kill(pids[victim])
        back = until(world, victim, lambda now, before=pids[victim]: now["state"] == "ready" and now["pid"] != before,
                     "is back")
        assert back["restarts"] == 1 and back["exit"]["signal"] == "KILL"
        pids[victim] = back["pid"]
        clients.all_answer(pids.values())
    nobody_was_refused(clients.end(), in_flight=2 * CLIENTS)
    service = world.status("api")
    assert service["state"] == "ready" and service["restarts"] == 2
    assert {number: now["pid"] for number, now in workers_of(service).items()} == pids
    assert service["sharing"] == ("group" if kind == "c-threads" else "socket")


@ids("N4")
def test_without_a_policy_it_stays_failed_and_the_service_goes_on(world):
    pids = {number: worker["pid"] for number, worker in workers_of(start(world, workers=3)).items()}
    clients = load(world)
    clients.goes_on()
    kill(pids[2])
    failed = until(world, 2, lambda now: now["state"] == "failed", "has failed")
    assert failed["pid"] is None and failed["exit"]["signal"] == "KILL" and failed["restarts"] == 0
    clients.goes_on()
    nobody_was_refused(clients.end(), in_flight=CLIENTS)
    service = world.status("api")
    assert service["state"] == "ready" and [now["state"] for now in service["workers"]] == ["ready", "failed", "ready"]
    assert "worker 2    failed" in world.berth("status", "api").out
    world.berth("stop", "api")
    assert bindable(5000) and not world.living()


@ids("N4", "I4")
def test_restart_brings_back_one_that_has_failed(world):
    pids = {number: worker["pid"] for number, worker in workers_of(start(world, workers=3)).items()}
    kill(pids[2])
    until(world, 2, lambda now: now["state"] == "failed", "has failed")
    world.berth("restart", "api")
    service = world.status("api")
    assert [now["state"] for now in service["workers"]] == ["ready"] * 3
    assert not {now["pid"] for now in service["workers"]} & set(pids.values())


@ids("N4", "N5")
def test_when_all_have_ended_so_has_the_service(world):
    service = start(world, workers=3)
    for number, now in workers_of(service).items():
        kill(now["pid"])
        if number < 3:
            until(world, number, lambda now: now["state"] == "failed", "has failed")
    world.nothing_left()
    assert world.services() == [] and bindable(5000)
    end = world.berth("status", "api", "--json", check=3).service["last"]["exit"]
    assert end["signal"] == "KILL" and end["by"] == "itself"


@ids("N4")
@pytest.mark.parametrize("ends, code", [({1: 0, 2: 7, 3: 0}, 7), ({1: 0, 2: 0, 3: 0}, 0), ({1: -9, 2: 0, 3: 0}, 137)])
def test_the_exit_code_is_that_of_the_first_worker_that_failed(world, ends, code):
    names = {number: world.victim(f"w{number}") for number in ends}
    script = 'exec "$0" --say "w$BERTH_WORKER" --ready-file "$2/v-w$BERTH_WORKER/ready" ' \
             '--control "$2/v-w$BERTH_WORKER/control" "$1"'
    run = world.start("run", "--name", "api", "--port", "5000", "--workers", "3", "--", "sh", "-c", script,
                      world.helper("victim"), "5000", world.folder)
    run.wait_for("api is http://localhost:5000")
    for number, victim in names.items():
        victim.ready()
        victim.command(f"exit {ends[number]}" if ends[number] >= 0 else f"die {-ends[number]}")
    assert run.wait() == code, run
    assert bindable(5000) and not world.living()


@ids("N4", "N5")
@each_containment
@pytest.mark.parametrize("whom", ["supervisor", "guardian"])
def test_nothing_of_any_worker_outlives(world, whom):
    families = Families(world, 4)
    guardian = world.status("api")["guardian_pid"]
    if whom == "supervisor":
        kill(families.service["supervisor_pid"])
        world.nothing_left()
    else:
        kill(guardian)
        wait_gone(guardian)
        wait_until(lambda: world.status("api")["containment"] == "degraded", "containment: degraded")
        assert all(alive(pid) for pid in [*families.pids.values(), *families.daemons.values()])
        world.berth("stop", "api")
    families.all_gone()
    world.nothing_left()


@ids("N4", "N5")
@each_containment
def test_a_killed_front_in_the_foreground_takes_all_workers_with_it(world):
    argv = WORK_SERVERS["node"](world, "api")
    run = world.start("run", "--name", "api", "--port", "5000", "--workers", "3", "--", *argv)
    run.wait_for("api is http://localhost:5000")
    kill(run.pid)
    world.nothing_left()
    assert bindable(5000) and not world.living()


@ids("N4", "N6")
@each_containment
def test_stop_ends_the_trees_of_all_workers(world):
    families = Families(world, 4)
    world.berth("stop", "api")
    families.all_gone()
    world.nothing_left()


@ids("N4", "N6")
@each_containment
def test_a_daemon_ends_with_its_own_worker_and_with_no_other(world):
    """Scaled down, the last one goes with all that hangs below it; those of the others hear nothing of it."""
    families = Families(world, 3)
    world.berth("scale", "api=2")
    families.gone(3)
    assert [number for number in (1, 2) if alive(families.pids[number]) and alive(families.daemons[number])] == [1, 2]
    kill(families.pids[2])
    until(world, 2, lambda now: now["state"] == "failed", "has failed")
    families.gone(2)
    assert alive(families.daemons[1]) and alive(families.pids[1])
    world.berth("stop", "api")
    families.all_gone()


@ids("N4", "N6")
@each_containment
def test_a_daemon_of_the_first_worker_is_left_alone_too(world):
    """The first one hangs where it can be mistaken: below the supervisor itself."""
    families = Families(world, 2)
    kill(families.pids[1])
    until(world, 1, lambda now: now["state"] == "failed", "has failed")
    families.gone(1)
    assert alive(families.pids[2]) and alive(families.daemons[2])
    kill(families.pids[2])
    world.nothing_left()
    families.all_gone()


@ids("N4", "N6")
@each_containment
def test_what_a_killed_keeper_leaves_is_ended_before_the_next_life(world):
    """The worker never came back: its daemon, an orphan of nobody that was looked at, lived on for ever."""
    families = Families(world, 2, "--restart", "on-failure")
    keeper = Process(families.pids[2]).parent
    assert Process(keeper).comm == "berth: keeper"
    kill(keeper)
    until(world, 2, lambda now: now["restarts"] == 1 and now["state"] == "ready", "is back")
    families.gone(2)
    first = worker(world, 1)
    assert first["pid"] == families.pids[1] and not first["restarts"] and alive(families.daemons[1])


@ids("N4", "N6")
def test_one_that_ignores_the_stop_signal_does_not_spare_the_others(world):
    victim = world.helper("victim")
    service = world.run_d("--name", "api", "--port", "5000", "--workers", "3", "--grace", "300ms", "--",
                          victim, "--ignore-term", "5000")["service"]
    world.berth("stop", "api")
    assert not [now for now in service["workers"] if alive(now["pid"])] and bindable(5000)


@ids("N4")
def test_ctrl_c_ends_all_workers_once(world):
    argv = WORK_SERVERS["node"](world, "api")
    run = world.start("run", "--name", "api", "--port", "5000", "--workers", "3", "--", *argv, terminal=True)
    run.wait_for("api is http://localhost:5000")
    clients = Load(world, 5000, "--clients", "2", "--path", "/slow")
    clients.goes_on(2)
    run.send("\x03")
    assert run.wait() == -signal.SIGINT, run
    counts = clients.end()
    assert not counts["hung"] and not counts["wrong"], counts
    assert refused(5000) and not world.living()


@ids("N4")
def test_a_worker_that_closes_its_listener_gives_its_clients_to_the_others(world):
    """SIGTERM to one of them is none to the service: it drains, and nobody is refused."""
    pids = {number: worker["pid"] for number, worker in workers_of(start(world, workers=3)).items()}
    clients = load(world)
    clients.all_answer(pids.values())
    kill(pids[2], signal.SIGTERM)
    ended = until(world, 2, lambda now: now["state"] in ("stopped", "failed"), "has ended")
    assert ended["state"] == "stopped" and ended["exit"]["code"] == 0
    clients.goes_on()
    counts = clients.end()
    assert not [name for name in FAILURES if counts[name]], counts
    assert world.status("api")["state"] == "ready"
