# SPDX-License-Identifier: MIT
# scenario/test_ready_is_what_was_asked_for.py - F1, N7: --ready tcp, http, log, notify; --start-timeout
"""Not ready before it is so, and `run -d` returns exactly then. Readiness never ends or restarts anything."""

import os
import re
import signal
import socket

import pytest

from berthtest import alive, answer, bindable, ids, kill, root_and_user, wait_gone, wait_until


def is_pending(pid, signum):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (signum - 1) & 1 for mask in masks)


class Starting:
    """A `run -d` that waits, and the victim that it waits for."""

    def __init__(self, world, *options, places=(5000,), victim=()):
        self.world, self.victim = world, world.victim()
        self.run = world.start("run", "-d", "--json", "--name", "api", *options, "--",
                               *self.victim.argv(*victim, *places))
        self.victim.ready()

    def status(self):
        return self.world.status("api")

    def not_ready(self):
        status = self.status()
        assert status["state"] == "starting" and status["ready_at"] is None, status
        assert self.run.popen.poll() is None, self.run

    def ready(self):
        """The start returns, and what it prints is ready."""
        assert self.run.wait() == 0, self.run
        assert '"state":"ready"' in self.run.out.replace(" ", ""), self.run
        status = self.status()
        assert status["state"] == "ready" and status["ready_at"], status
        return status

    def asked(self):
        """So many probes that came as far as a request."""
        return int(self.victim.command("requests").split()[1])

    def asked_again(self, times=2):
        before = self.asked()
        wait_until(lambda: self.asked() >= before + times, "probes")


@ids("F1", "N7")
@root_and_user
def test_http_is_ready_with_the_first_good_answer(world):
    service = Starting(world, "--port", "5000", "--ready", "http /up", victim=("--http", "503"))
    service.asked_again()
    service.not_ready()
    service.victim.command("http 200")
    service.ready()


@ids("F1")
@pytest.mark.parametrize("code, good", [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False)])
def test_http_success_is_200_to_399(world, code, good):
    service = Starting(world, "--port", "5000", "--ready", "http:/", victim=("--http", str(code)))
    if good:
        service.ready()
    else:
        service.asked_again()
        service.not_ready()


@ids("F1")
def test_http_that_says_nothing_is_not_ready(world):
    service = Starting(world, "--port", "5000", "--ready", "http /up", "--probe-timeout", "100ms",
                       victim=("--http", "0"))
    service.asked_again()
    service.not_ready()
    service.victim.command("http 200")
    service.ready()


@ids("F1")
@root_and_user
def test_http_is_not_ready_again_and_nothing_is_restarted(world):
    service = Starting(world, "--port", "5000", "--ready", "http /up", "--restart", "always",
                       "--probe-period", "100ms")
    before = service.ready()
    service.victim.command("http 500")
    wait_until(lambda: service.status()["state"] == "unready", "unready")
    service.asked_again(5)
    now = service.status()
    assert now["state"] == "unready" and now["pid"] == before["pid"] and now["restarts"] == 0, now
    assert (before["health"], now["health"]) == ("ok", "failing")
    service.victim.command("http 200")
    wait_until(lambda: service.status()["state"] == "ready", "ready again")
    assert service.status()["restarts"] == 0 and service.status()["health"] == "ok"


@ids("F1")
def test_thresholds_are_those_of_kubernetes(world):
    service = Starting(world, "--port", "5000", "--ready", "http /up", "--probe-period", "100ms",
                       "--probe-success-threshold", "3", "--probe-failure-threshold", "4")
    service.ready()
    assert service.asked() >= 3
    before = service.asked()
    service.victim.command("http 500")
    wait_until(lambda: service.status()["state"] == "unready", "unready")
    assert service.asked() >= before + 4


@ids("F1")
def test_the_initial_delay_comes_before_the_first_probe(world):
    """So the service listens, is asked nothing, and is not ready."""
    service = Starting(world, "--port", "5000", "--ready", "http /up", "--probe-initial-delay", "1h")
    run = world.start("wait", "api", "--timeout", "500ms")
    assert run.wait() == 124
    assert service.asked() == 0
    service.not_ready()


@ids("F1", "N7")
@root_and_user
def test_tcp_is_ready_when_a_connection_stands(world):
    service = Starting(world, "--port", "5000", "--ready", "tcp", places=("bind:5000",))
    service.not_ready()
    assert service.victim.command("close 0") == "ok"
    assert service.victim.command("listen 5000") == "ok 5000"
    service.ready()


@ids("F1", "N7")
@root_and_user
def test_a_line_of_the_log_makes_it_ready(world):
    service = Starting(world, "--port", "5000", "--ready", r"log ^ready in [0-9]+ ms")
    service.victim.command("print not ready in 3 ms\n")
    service.victim.command("say 2")
    wait_until(lambda: "line 1 of many" in world.berth("logs", "api").out, "its lines are read")
    service.not_ready()
    # The victim's commands are lines: what it prints ends with the next one.
    service.victim.command("print ready in 12 ms")
    service.victim.command("say 1")
    wait_until(lambda: "ready in 12 msline 0" in world.berth("logs", "api").out, "a line that is too long by a word")
    service.ready()


@ids("F1", "N7")
@root_and_user
def test_a_line_without_a_port_is_enough(world):
    victim = world.victim()
    run = world.start("run", "-d", "--json", "--name", "worker", "--port", "none", "--ready", "log:of many", "--",
                      *victim.argv())
    victim.ready()
    assert world.status("worker")["state"] == "starting" and run.popen.poll() is None
    victim.command("say 1")
    assert run.wait() == 0, run


@ids("F1")
@root_and_user
def test_a_line_before_the_port_listens_is_not_enough(world):
    service = Starting(world, "--port", "5000", "--ready", "log of many", places=("bind:5000",))
    service.victim.command("say 1")
    wait_until(lambda: "line 0" in world.berth("logs", "api").out, "it is read")
    service.not_ready()
    service.victim.command("close 0")
    service.victim.command("listen 5000")
    service.ready()


@ids("F1", "I5")
@root_and_user
@pytest.mark.parametrize("stream", ["out", "err"])
def test_the_output_that_is_looked_at_is_passed_on_as_it_is(world, stream):
    """In the foreground: each byte, the last line without an end, each stream to its own descriptor."""
    data = bytes(range(256)) * 300 + b"\nREADY\n\xff\0no end"
    path = os.path.join(world.folder, "data")
    with open(path, "wb") as file:
        file.write(data)
    redirect = "" if stream == "out" else ">&2"
    script = world.write(f"{world.folder}/bytes.sh", f"cat {path} {redirect}; exit 7\n")
    with open(os.path.join(world.folder, "out"), "wb") as out, open(os.path.join(world.folder, "err"), "wb") as err:
        run = world.start("run", "-q", "--name", "api", "--port", "none", "--ready", "log ^READY$", "--", "sh", script,
                          stdout=out, stderr=err)
        assert run.wait() == 7
    for name in ("out", "err"):
        with open(os.path.join(world.folder, name), "rb") as file:
            assert file.read() == (data if name == stream else b""), name


@ids("F1", "I5")
@root_and_user
def test_the_foreground_is_ready_by_its_line_too(world):
    victim = world.victim()
    run = world.start("run", "--name", "api", "--port", "5000", "--ready", "log ^line 1 of", "--", *victim.argv(5000))
    victim.ready()
    victim.command("say 1")
    run.wait_for("^line 0 of many", "out")
    assert world.status("api")["state"] == "starting"
    victim.command("say 2")
    wait_until(lambda: world.status("api")["state"] == "ready", "ready")
    run.signal(signal.SIGTERM)
    run.wait()


@ids("F1", "N7")
@root_and_user
def test_notify_is_ready_when_it_says_so(world):
    service = Starting(world, "--port", "5000", "--ready", "notify")
    service.victim.command("notify STATUS=warming the cache")
    wait_until(lambda: service.status()["status"] == "warming the cache", "STATUS=")
    service.not_ready()
    service.victim.command("notify READY=1|STATUS=serving")
    assert service.ready()["status"] == "serving"
    assert "serving" in world.berth("status", "api").out


@ids("F1")
@root_and_user
def test_notify_stopping_is_unready_until_ready_is_said_again(world):
    service = Starting(world, "--port", "5000", "--ready", "notify")
    service.victim.command("notify READY=1")
    before = service.ready()
    service.victim.command("notify STOPPING=1")
    wait_until(lambda: service.status()["state"] == "unready", "unready")
    service.victim.command("notify READY=1")
    wait_until(lambda: service.status()["state"] == "ready", "ready again")
    now = service.status()
    assert now["pid"] == before["pid"] and now["restarts"] == 0


@ids("F1")
@root_and_user
def test_notify_of_another_program_is_not_heard(world):
    """Whoever can read the service's environment knows the address."""
    service = Starting(world, "--port", "5000", "--ready", "notify")
    with open(f"/proc/{service.status()['pid']}/environ", "rb") as file:
        variables = dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
    name = variables[b"NOTIFY_SOCKET"]
    assert name.startswith(b"@")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1\nSTATUS=a lie\nMAINPID=1", b"\0" + name[1:])
    service.victim.command("notify STATUS=the truth")  # after the lie, in the same queue
    wait_until(lambda: service.status()["status"], "a status")
    assert service.status()["status"] == "the truth"
    service.not_ready()


@ids("F1", "N6")
@root_and_user
def test_notify_mainpid_of_a_child_is_the_service(world):
    """A server that forks, tells which process it is now, and leaves: only the child's end is the service's."""
    service = Starting(world, "--port", "5000", "--ready", "notify")
    child = int(service.victim.command("fork").split()[1])
    service.victim.command(f"notify READY=1|MAINPID={child}")
    assert service.ready()["pid"] == child
    parent = service.victim.pids()[0]
    service.victim.command("exit 3")
    wait_gone(parent)
    assert service.status()["state"] == "ready" and service.status()["pid"] == child
    kill(child)
    wait_until(lambda: not world.services(), "its end is the end")
    world.nothing_left()
    assert bindable(5000)
    assert "SIGKILL by itself" in world.berth("history").out


@ids("F1")
@root_and_user
def test_notify_mainpid_of_a_stranger_is_not_taken(world):
    stranger = world.stranger(6000)
    service = Starting(world, "--port", "5000", "--ready", "notify")
    before = service.status()["pid"]
    service.victim.command(f"notify MAINPID={stranger.pid}|READY=1")
    assert service.ready()["pid"] == before
    world.berth("stop", "api")
    assert alive(stranger.pid)


@ids("F1")
@root_and_user
def test_notify_mainpid_gets_the_stop_signal(world):
    service = Starting(world, "--port", "5000", "--ready", "notify", victim=("--graceful",))
    child = int(service.victim.command("fork").split()[1])  # has it blocked, and reads none of it
    service.victim.command(f"notify READY=1|MAINPID={child}")
    service.ready()
    stop = world.start("stop", "api", "--grace", "1h")
    wait_until(lambda: is_pending(child, signal.SIGTERM), "it is asked")
    assert service.victim.command("ping") == "ok"
    assert "got SIGTERM" not in world.berth("logs", "api").out
    kill(child)
    assert stop.wait() == 0
    assert "got SIGTERM" in world.berth("logs", "api").out  # now the rest of the tree is


@ids("F1", "N7")
@root_and_user
def test_a_start_that_takes_too_long_has_failed(world):
    victim = world.victim()
    result = world.berth("run", "-d", "--name", "api", "--port", "5000", "--start-timeout", "300ms", "--", *victim.argv(),
                         check=1)
    assert "not ready" in result.err and re.search(r"0\.3 s|300 ?ms", result.err), result
    world.nothing_left()
    assert bindable(5000)
    assert '"by": "timeout"' in world.berth("history", "--json").out.replace('":"', '": "')


@ids("F1")
@root_and_user
def test_a_start_that_takes_too_long_tells_json_and_the_foreground(world):
    document = world.run_d("--name", "api", "--port", "5000", "--start-timeout", "300ms", "--", *world.victim().argv(),
                           check=1)
    assert document["error"]["code"] == "start-failed"
    assert document["error"]["service"]["exit"]["by"] == "timeout", document
    run = world.start("run", "--name", "api", "--port", "5000", "--start-timeout", "300ms", "--", *world.victim().argv())
    assert run.wait() not in (0, None), run
    run.wait_for("not ready within")


@ids("F1")
def test_a_start_timeout_restarts_by_policy(world):
    """It is a failure of the start, not a probe: Kubernetes' startup probe does the same."""
    victim = world.victim()
    run = world.start("run", "-d", "--json", "--name", "api", "--port", "5000", "--start-timeout", "300ms", "--restart",
                      "on-failure", "--restart-limit", "1/1m", "--backoff", "0", "--", *victim.argv())
    assert run.wait() == 1, run
    assert len(victim.pids()) == 2
    assert "start-failed" in run.out


@ids("F1")
@root_and_user
def test_what_is_ready_in_time_is_left_alone(world):
    service = Starting(world, "--port", "5000", "--ready", "notify", "--start-timeout", "2s")
    service.victim.command("notify READY=1")
    pid = service.ready()["pid"]
    service.victim.command("notify STOPPING=1")
    wait_until(lambda: service.status()["state"] == "unready", "unready")
    # Beyond its start's time: nothing.
    assert world.start("wait", "api", "--timeout", "2500ms").wait() == 124
    assert alive(pid) and answer(5000)["pid"] == pid
