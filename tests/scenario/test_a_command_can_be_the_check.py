# SPDX-License-Identifier: MIT
# scenario/test_a_command_can_be_the_check.py - F1, N10: --ready and --live "exec COMMAND"
"""Exit 0 is success. It is run as the service's neighbour: in its folder, with its variables, in the copy's view."""

import json
import os
import time

import pytest

from berthtest import USAGE, alive, answer, descendants, ids, kill, port_of, root_and_user, wait_until

FAST = ("--probe-period", "100ms", "--probe-timeout", "2s")


def start(world, *options, check=0, places=(5000,), port=5000):
    victim = world.victim()
    result = world.berth("run", "-d", "--json", "--name", "api", "--port", str(port), *FAST, *options, "--",
                         *victim.argv(*places), check=check)
    return victim, result


def runs(world, name):
    """How often a check that appends a line to the file has been run."""
    try:
        with open(os.path.join(world.project, name), encoding="ascii") as file:
            return len(file.readlines())
    except FileNotFoundError:
        return 0


@ids("F1")
@root_and_user
def test_ready_is_when_it_exits_with_0(world):
    run = world.start("run", "-d", "--name", "api", "--port", "5000", "--ready", "exec echo x >> tries; test -e up", "--",
                      *world.victim().argv(5000))
    wait_until(lambda: runs(world, "tries") >= 2, "it is asked again")
    assert world.status("api")["state"] == "starting"
    world.write("up", "")
    assert run.wait() == 0, run
    assert world.status("api")["state"] == "ready" and world.status("api")["health"] == "ok"


@ids("F1")
@root_and_user
def test_it_has_the_folder_and_the_variables_of_the_service(world):
    world.occupy(5000)
    start(world, "-e", "COLOUR=green", "--ready", "exec:echo $PORT {port} $BERTH_SERVICE $COLOUR $NOTIFY_SOCKET > said",
          "-e", "X=1")
    with open(os.path.join(world.project, "said"), encoding="ascii") as file:
        assert file.read() == "5001 5001 api green\n"


@ids("F1", "N10")
@root_and_user
def test_it_sees_the_copys_own_numbers(world):
    """A health check with a hard-coded port, in a second copy: it asks this copy, not the first."""
    world.occupy(5000)
    script = "import socket; s = socket.create_connection(('127.0.0.1', 5000)); s.send(b'GET / HTTP/1.0\\r\\n\\r\\n'); " \
             "open('said', 'w').write(s.makefile().read())"
    world.write("check.py", script)
    _, result = start(world, "--ready", "exec python3 check.py", "--probe-timeout", "10s")
    service = result.json["service"]
    assert port_of(service) == 5001
    with open(os.path.join(world.project, "said"), encoding="ascii") as file:
        said = json.loads(file.read().partition("\n\n")[2])
    assert said["port"] == 5001 and said["pid"] == answer(5001)["pid"], said


@ids("F1")
def test_it_is_not_run_before_the_service_listens(world):
    run = world.start("run", "-d", "--name", "api", "--port", "5000", "--ready", "exec echo x >> tries", "--",
                      "sh", "-c", 'until test -e go; do sleep 0.01; done; exec "$@"', "sh", *world.victim().argv(5000))
    wait_until(lambda: world.services() and world.services()[0]["pid"], "it runs")
    world.write("go", "")
    assert run.wait() == 0, run
    assert runs(world, "tries") == 1


@ids("F1")
def test_a_service_without_a_port_can_have_one(world):
    run = world.start("run", "-d", "--name", "job", "--port", "none", *FAST, "--ready", "exec test -e up",
                      "--live", "exec test -e up", "--restart", "on-failure", "--", "sleep", "1000")
    wait_until(lambda: world.services(), "it runs")
    world.write("up", "")
    assert run.wait() == 0, run
    before = world.status("job")
    os.unlink(os.path.join(world.project, "up"))
    wait_until(lambda: not alive(before["pid"]), "liveness ends it")


@ids("F1")
@root_and_user
def test_liveness_says_why(world):
    world.write("up", "")
    victim = world.victim()
    run = world.start("run", "--name", "api", "--port", "5000", *FAST, "--live",
                      "exec test -e up || { echo; echo the disk is full; echo more; exit 7; }", "--",
                      *victim.argv("--graceful", 5000))
    victim.ready()
    wait_until(lambda: world.status("api")["state"] == "ready", "ready")
    os.unlink(os.path.join(world.project, "up"))
    run.wait_for("^berth: api is not alive: exit 7: the disk is full$")
    assert run.wait() != 0, run
    world.nothing_left()


@ids("F1")
@root_and_user
def test_one_that_hangs_is_killed_with_all_that_it_started(world):
    victim = world.victim()
    run = world.start("run", "-v", "--name", "api", "--port", "5000", "--probe-period", "100ms", "--probe-timeout", "300ms",
                      "--ready", "exec echo waiting; setsid sleep 777 & sleep 777", "--", *victim.argv(5000))
    run.wait_for("readiness probe of api failed: no end within 0.3 s: waiting")
    run.wait_for("readiness probe of api failed: (?s:.*)readiness probe of api failed: no end")
    # No more than one at a time.
    assert len([p for p in descendants() if p.comm == "sleep"]) <= 2
    world.berth("stop", "api")
    run.wait()
    world.nothing_left()


@ids("F1")
def test_one_that_writes_without_end_waits_for_nobody(world):
    victim = world.victim()
    run = world.start("run", "-v", "--name", "api", "--port", "5000", *FAST, "--ready",
                      "exec head -c 3000000 /dev/zero; echo x >> tries", "--", *victim.argv(5000))
    wait_until(lambda: runs(world, "tries") >= 1, "it ends")
    run.wait_for("^berth: api is ")
    wait_until(lambda: world.status("api")["state"] == "ready", "ready")


@ids("F1")
def test_what_a_check_leaves_behind_is_none_of_the_services(world):
    """Nor is it asked to end with it: it is gone by then."""
    start(world, "--ready", "exec setsid sleep 778 & true")
    wait_until(lambda: not [p for p in descendants() if p.comm == "sleep"], "it is ended with the check")
    end = world.berth("stop", "--json", "api").json
    assert "sleep" not in str(end), end


@ids("F1", "N5")
@pytest.mark.parametrize("which", ["supervisor_pid", "guardian_pid"])
def test_it_ends_with_berth(world, which):
    victim = world.victim()
    run = world.start("run", "--name", "api", "--port", "5000", "--probe-timeout", "30s", "--ready", "exec sleep 779", "--",
                      *victim.argv(5000))
    wait_until(lambda: [p for p in descendants() if p.comm == "sleep"], "the check runs")
    kill(world.services()[0][which])
    run.wait()
    world.nothing_left()


@ids("F1")
def test_a_stop_does_not_wait_for_it(world):
    victim = world.victim()
    world.start("run", "--name", "api", "--port", "5000", "--probe-timeout", "30s", "--ready", "exec sleep 780", "--",
                *victim.argv(5000))
    wait_until(lambda: [p for p in descendants() if p.comm == "sleep"], "the check runs")
    began = time.monotonic()
    world.berth("stop", "api")
    assert time.monotonic() - began < 5
    world.nothing_left()


@ids("F1")
@pytest.mark.parametrize("option", ["--ready", "--live"])
def test_it_needs_a_command(world, option):
    refused = world.berth("run", option, "exec", "--", "true", check=USAGE)
    assert f"{option}: 'exec' needs a COMMAND" in refused.err and "'exec pg_isready -p {port}'" in refused.err, refused
