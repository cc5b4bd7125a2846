# SPDX-License-Identifier: MIT
# scenario/test_signals_reach_the_service.py - I4, I5: the table of SIGNALS in berth(1), row by row
"""What a signal to berth's own process does, in the foreground and detached; the stop signal and what follows it."""

import os
import re
import signal
import socket
import time

import pytest

from berthtest import BERTH, Process, alive, answer, bindable, ids, kill, root_and_user, wait_gone, wait_until

PASSED_ON = ["HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT", "TSTP", "TTIN", "TTOU"]
# Says each signal that it gets, and lives on; says when it has set all that up.
REPORTER = """
import os, signal, socket, sys
names = {getattr(signal, "SIG" + name): name for name in "HUP INT QUIT USR1 USR2 TERM CONT WINCH TSTP TTIN TTOU".split()}
signal.pthread_sigmask(signal.SIG_BLOCK, names)
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("up", os.getpid(), flush=True)
while True:
    name = names[signal.sigwait(names)]
    print("got", name, flush=True)
    if name in sys.argv[2:]:
        sys.exit(0)
"""


def reporter(world, *ends_on):
    return ["/usr/bin/python3", world.write("reporter.py", REPORTER), "5000", *ends_on]


class Service:
    def __init__(self, world, detached, *options, ends_on=("TERM",), **more):
        self.world, self.run = world, None
        options = ("--name", "api", "--port", "5000", *options, "--", *reporter(world, *ends_on))
        if detached:
            world.run_d(*options, **more)
        else:
            self.run = world.start("run", *options, **more)
            wait_until(lambda: (self.run.pump() or True) and any(s["state"] == "ready" for s in world.services()), "ready")
        self.status = world.status("api")

    def said(self):
        if self.run:
            self.run.pump()
            return self.run.out
        return self.world.berth("logs", "api").out

    def got(self, name):
        wait_until(lambda: f"got {name}\n" in self.said(), lambda: f"SIG{name}: {self.said()!r}")

    def times(self, name):
        return len(re.findall(f"^got {name}$", self.said(), re.M))

    def front(self, name):
        """To the process that a shell, an IDE or a test runner knows: the guardian."""
        kill(self.status["guardian_pid"], getattr(signal, f"SIG{name}"))


both = pytest.mark.parametrize("detached", [False, True], ids=["foreground", "detached"])


@ids("I5")
@root_and_user
@pytest.mark.parametrize("name", PASSED_ON)
def test_a_signal_to_the_foreground_is_passed_on_once(world, name):
    service = Service(world, False)
    assert service.run.pid == service.status["guardian_pid"]
    service.front(name)
    service.got(name)
    service.front("USR1" if name != "USR1" else "USR2")
    service.got("USR1" if name != "USR1" else "USR2")  # by now a second one would have come too
    assert service.times(name) == 1 and service.run.popen.poll() is None
    assert service.times("TERM") == service.times("INT") == 0
    service.run.signal(signal.SIGTERM)
    assert service.run.wait() == 0


@ids("I5")
@root_and_user
def test_signals_to_the_guardian_of_a_detached_service(world):
    """INT is for those who have a terminal: ignored. HUP says "reload" here, there is none that could hang up."""
    service = Service(world, True)
    service.front("INT")
    for name in PASSED_ON:  # one after the other: a stop signal takes back a SIGCONT that has not been read
        service.front(name)
        service.got(name)
    assert [service.times(name) for name in PASSED_ON] == [1] * len(PASSED_ON)
    assert service.times("INT") == service.times("TERM") == 0
    assert world.status("api")["state"] == "ready" and world.status("api")["containment"] != "degraded"
    assert Process(service.status["guardian_pid"]).state != "T"


@ids("I5")
@root_and_user
@pytest.mark.parametrize("name", ["TSTP", "TTIN", "TTOU"])
def test_a_command_that_is_stopped_by_it_stops_the_job(world, name):
    """As a shell's `kill -TSTP %1`; what hangs below a shell is stopped, and not thrown away as of an orphan."""
    shell = world.spawn(["bash", "--norc", "--noprofile", "-i"], terminal=True)
    shell.send(f"{BERTH} run --name api --port none -- sleep 1000 &\n")
    wait_until(lambda: (shell.pump() or True) and any(s["pid"] for s in world.services()), "it runs")
    status = world.status("api")
    wait_until(lambda: Process(status["pid"]).comm == "sleep", "the command itself")
    kill(status["guardian_pid"], getattr(signal, f"SIG{name}"))
    for pid in (status["pid"], status["guardian_pid"]):
        wait_until(lambda: Process(pid).state == "T", f"{Process(pid)} is stopped")
    assert Process(status["supervisor_pid"]).state != "T" and world.services()[0]["pid"] == status["pid"]
    kill(status["guardian_pid"], signal.SIGCONT)
    for pid in (status["pid"], status["guardian_pid"]):
        wait_until(lambda: Process(pid).state == "S", f"{Process(pid)} goes on")
    world.berth("stop", "api")
    shell.send("exit\n")
    shell.wait()


@ids("I5")
@root_and_user
@both
def test_a_hangup_that_was_ignored_at_the_start_stays_ignored(world, detached):
    """nohup."""
    service = Service(world, detached, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    service.front("HUP")
    service.front("USR1")
    service.got("USR1")
    assert service.times("HUP") == service.times("TERM") == 0 and world.status("api")["state"] == "ready"


@ids("I5")
@root_and_user
def test_where_ends_of_children_were_ignored_at_the_start_they_are_heard_of(world):
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    world.berth("run", "--", "sh", "-c", "sh -c 'exit 3'; exit $(($? + 4))", preexec_fn=ignore, check=7)
    service = Service(world, True, ends_on=("USR1",), preexec_fn=ignore)
    service.front("USR1")
    world.berth("wait", "api", "--for", "stopped")
    assert world.berth("history", "--json").json["ends"][0]["exit"]["code"] == 0


@ids("I5")
@root_and_user
def test_any_other_signal_to_the_front_is_its_end_and_that_of_all(world):
    service = Service(world, False)
    service.front("ALRM")
    assert service.run.wait() == -signal.SIGALRM
    world.nothing_left()
    assert bindable(5000)


@ids("I4", "I5")
@root_and_user
@both
def test_term_is_a_graceful_stop(world, detached):
    service = Service(world, detached)
    service.front("TERM")
    if service.run:
        assert service.run.wait() == 0
        assert service.times("TERM") == 1
    world.berth("wait", "api", "--for", "stopped")
    world.nothing_left()
    assert bindable(5000)
    end = world.berth("history", "--json").json["ends"][0]
    assert end["state"] == "stopped" and end["exit"] == {"code": 0, "signal": None, "by": "user"}, end


@ids("I5")
@root_and_user
def test_int_by_kill_is_passed_on_and_ends_it(world):
    service = Service(world, False, ends_on=("INT",))
    service.front("INT")
    assert service.run.wait() == 0
    assert service.times("INT") == 1 and service.times("TERM") == 0
    world.nothing_left()


@ids("I5")
@root_and_user
def test_a_second_int_by_kill_is_hard(world):
    service = Service(world, False, "--grace", "1h", ends_on=())
    service.front("INT")
    service.got("INT")
    wait_until(lambda: world.status("api")["state"] == "stopping", "the first is seen")
    service.front("INT")
    assert service.run.wait() == 128 + signal.SIGKILL
    world.nothing_left()


@ids("I4", "I5")
@root_and_user
@both
@pytest.mark.parametrize("name", ["INT", "SIGQUIT", "12"])
def test_the_stop_signal_is_what_was_asked_for(world, detached, name):
    """By `berth stop`, and by SIGTERM to berth."""
    short = {"INT": "INT", "SIGQUIT": "QUIT", "12": "USR2"}[name]
    service = Service(world, detached, "--stop-signal", name, ends_on=(short,))
    if detached:
        world.berth("stop", "api")
        assert "got TERM" not in world.berth("logs", "api").out and f"got {short}" in world.berth("logs", "api").out
    else:
        service.run.signal(signal.SIGTERM)
        assert service.run.wait() == 0
        assert service.times(short) == 1 and service.times("TERM") == 0
    world.nothing_left()


@ids("I4")
@pytest.mark.parametrize("name", ["KILL", "STOP", "NOTHING", "0", "65"])
def test_a_stop_signal_must_be_one_that_asks(world, name):
    result = world.berth("run", "--stop-signal", name, "--", "true", check=2)
    assert "stop-signal" in result.err


@ids("I4")
@root_and_user
@both
def test_a_stopped_service_hears_the_stop_signal(world, detached):
    """SIGCONT follows it: else SIGTERM waits until somebody does that."""
    service = Service(world, detached, "--grace", "1h")
    kill(service.status["pid"], signal.SIGSTOP)
    wait_until(lambda: Process(service.status["pid"]).state == "T", "it is stopped")
    if service.run:
        # Its job is stopped with it, as the shell would see.
        wait_until(lambda: Process(service.run.pid).state == "T", "so is its front")
        kill(service.run.pid, signal.SIGCONT)
    world.berth("stop", "api")
    assert not alive(service.status["pid"])
    end = world.berth("history", "--json").json["ends"][0]
    assert end["exit"] == {"code": 0, "signal": None, "by": "user"}, end


@ids("I4")
@root_and_user
@both
def test_who_does_not_end_is_killed_after_the_grace_period(world, detached):
    service = Service(world, detached, "--grace", "400ms", ends_on=())
    began = time.monotonic()
    service.front("TERM")
    wait_gone(service.status["pid"])
    assert time.monotonic() - began >= 0.4
    world.nothing_left()
    end = world.berth("history", "--json").json["ends"][0]
    assert end["exit"] == {"code": None, "signal": "KILL", "by": "user"}, end
    if service.run:
        assert service.run.wait() == 128 + signal.SIGKILL
        assert service.times("TERM") == 2  # to the command, and at half time to all


@ids("N5")
@root_and_user
@both
@pytest.mark.parametrize("name", ["INT", "HUP", "QUIT", "USR1", "USR2"])
def test_the_supervisor_itself_is_deaf(world, detached, name):
    """Whoever signals all processes of a name or a user does not cut the service off from its clearing up."""
    service = Service(world, detached)
    kill(service.status["supervisor_pid"], getattr(signal, f"SIG{name}"))
    # By the next answer it would have heard: it takes signals and calls in one loop.
    for _ in range(3):
        assert world.status("api")["state"] == "ready"
    assert service.times("TERM") == service.times(name) == 0
    with socket.create_connection(("127.0.0.1", 5000)):
        pass
    assert world.status("api")["supervisor_pid"] == service.status["supervisor_pid"]


@ids("N5")
@root_and_user
@both
def test_term_to_the_supervisor_is_a_graceful_stop(world, detached):
    """As a shutdown sends it to all processes there are."""
    service = Service(world, detached)
    kill(service.status["supervisor_pid"], signal.SIGTERM)
    if service.run:
        assert service.run.wait() == 0
        assert service.times("TERM") == 1
    world.berth("wait", "api", "--for", "stopped")
    world.nothing_left()
    end = world.berth("history", "--json").json["ends"][0]
    assert end["exit"] == {"code": 0, "signal": None, "by": "user"}, end


@ids("I5", "N4")
@root_and_user
def test_all_workers_get_what_the_front_gets(world):
    run = world.start("run", "--name", "api", "--port", "5000", "--workers", "2", "--", *reporter(world, "TERM"))
    wait_until(lambda: run.pump() and any(s["state"] == "ready" for s in world.services()), "ready")
    run.signal(signal.SIGUSR1)
    wait_until(lambda: run.pump() and run.out.count("got USR1\n") == 2, lambda: f"both: {run}")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert run.out.count("got TERM\n") == 2


@ids("I5")
@root_and_user
def test_a_hangup_of_the_terminal_is_a_stop(world):
    victim = world.victim()
    mark = os.path.join(world.home, "mark")
    run = world.start("run", "--name", "api", "--port", "5000", "--", *victim.argv("--graceful", "--report", "--setsid",
                                                                                "--file-at-term", mark, 5000),
                      terminal=True)
    victim.ready()
    wait_until(lambda: world.status("api")["state"] == "ready", "ready")
    assert answer(5000)["say"] == victim.name
    run.hang_up()
    world.nothing_left()
    assert os.path.exists(mark) and bindable(5000)
