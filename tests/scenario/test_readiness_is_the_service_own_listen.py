# SPDX-License-Identifier: MIT
# scenario/test_readiness_is_the_service_own_listen.py - N7: seen as it happens, never guessed
"""`run -d` returns when the service listens: not when something answers, and not before all declared ports do."""

import json
import os
import subprocess

from berthtest import answer, bindable, ids, port_of, refused, root_and_user, wait_until


@ids("N7")
@root_and_user
def test_detached_start_returns_when_it_answers(world):
    for number in range(5):
        service = world.run_d("--name", f"w{number}", "--port", "5000", "--", *world.victim().argv(5000))["service"]
        assert answer(port_of(service))["port"] == port_of(service)


@ids("N7")
@root_and_user
def test_another_program_on_localhost_is_not_mistaken_for_it(world):
    """A stranger answers on [::1]:5000; the service has not listened yet."""
    world.stranger("[::1]:5000")
    victim = world.victim()
    run = world.start("run", "--name", "web", "--port", "5000", "--", *victim.argv("--wait-line", 5000),
                      stdin=subprocess.PIPE)
    service = wait_until(lambda: next(iter(world.services()), None), "it is listed")
    assert service["state"] in ("starting", "waiting") and service["ready_at"] is None
    assert port_of(service) == 5001  # part of 5000 is somebody else's
    run.send("\n")
    victim.ready()
    wait_until(lambda: world.status("web")["state"] == "ready", "ready")


@ids("N7")
@root_and_user
def test_ready_when_all_declared_ports_listen(world):
    victim = world.victim()
    run = world.start("run", "--name", "viewer", "--port", "http=8080", "--port", "ws=8081", "--", *victim.argv(8080))
    victim.ready()
    assert world.status("viewer")["state"] == "starting"
    assert victim.command("listen 8081") == "ok 8081"
    wait_until(lambda: world.status("viewer")["state"] == "ready", "ready")
    assert run.popen.poll() is None


@ids("N7")
@root_and_user
def test_bound_is_not_ready(world):
    victim = world.victim()
    world.start("run", "--name", "web", "--port", "5000", "--", *victim.argv("bind:5000"))
    victim.ready()
    assert world.status("web")["state"] == "starting"


@ids("N7")
@root_and_user
def test_a_service_that_ends_before_it_listens_is_a_failed_start_with_its_last_lines(world):
    result = world.berth("run", "-d", "--name", "web", "--port", "5000", "--", "sh", "-c",
                         "echo the reason >&2; exit 3", check=None)
    assert result.code != 0 and "the reason" in result.err
    world.nothing_left()
    assert bindable(5000)
    document = world.run_d("--name", "web", "--port", "5000", "--", "sh", "-c", "echo the reason >&2; exit 3", check=None)
    assert document["error"]["code"] == "start-failed"


@ids("N7")
@root_and_user
def test_a_detached_command_without_any_port_is_a_service_too(world):
    """A worker that never listens: `--port none`."""
    victim = world.victim()
    document = world.run_d("--name", "worker", "--port", "none", "--", *victim.argv())
    assert document["service"]["ports"] == []
    world.berth("stop", "worker")
    assert not world.living()


@ids("N7")
def test_status_fd_says_ready_when_it_is(world):
    victim = world.victim()
    run = world.start("run", "--status-fd", "1", "--name", "web", "--port", "5000", "--",
                      *victim.argv("--wait-line", 5000), stdin=subprocess.PIPE)
    run.wait_for(r'"leased"', "out")
    assert '"ready"' not in run.out
    run.send("\n")
    run.wait_for(r'"ready"', "out")
    events = [json.loads(line) for line in run.out.splitlines() if line.startswith("{")]
    assert events


@ids("N7")
@root_and_user
def test_a_detached_start_waits_as_long_as_it_is_told(world):
    victim = world.victim()
    document = world.run_d("--name", "web", "--port", "5000", "--wait=300ms", "--", *victim.argv(), check=124)
    assert document["error"]["code"] in ("timeout", "not-ready")
    world.berth("stop", "web")
    assert not world.living()


@ids("N7")
@root_and_user
def test_a_service_that_closes_its_listener_is_unready_and_refuses(world):
    """The symptom: with a duplicate of ours still listening, clients hung."""
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))
    victim.command("close 0")
    wait_until(lambda: refused(5000), "refused")
    wait_until(lambda: world.status("web")["state"] == "unready", "unready")
    assert not bindable(5000)  # still leased
    assert victim.command("listen 5000") == "ok 5000"
    wait_until(lambda: world.status("web")["state"] == "ready", "ready again")
    assert answer(5000)["say"] == victim.name


@ids("N7")
def test_a_detached_service_reads_nothing(world):
    """Its standard input is at its end, whatever that of the starter is."""
    world.berth("run", "-d", "--port", "none", "--name", "job", "--", "sh", "-c", f"cat; touch {world.home}/eof; sleep 1000",
                input="not for it")
    wait_until(lambda: os.path.exists(f"{world.home}/eof"), "end of file")
    assert world.status("job")["ports"] == []
