# SPDX-License-Identifier: MIT
# scenario/test_workers_share_one_port.py - N4: the kernel gives each connection to one of several processes
"""--workers N of unchanged programs: one socket where nobody blocks in accept(), else one each, in a closed group."""

import errno
import json
import socket

import pytest

from berthtest import Thief, bindable, body, ids, port_of, root_and_user, wait_until
from clients import FAILURES, Load
from realservers import WORK_SERVERS

SHARING = {
    "node": "socket",
    "go": "socket",
    "c-epoll": "socket",
    "python": "socket",
    "java": "socket",
    "asio": "socket",
    "c-threads": "group",
    "python-threads": "group",
    "java-blocking": "group",  # on [::] for both families
}
BLOCKING = [kind for kind in SHARING if SHARING[kind] == "group"]


def start(world, kind, *options, name="api"):
    return world.run_d("--name", name, "--port", "5000", *options, "--", *WORK_SERVERS[kind](world, name))["service"]


def pids_of(service):
    return {worker["number"]: worker["pid"] for worker in service["workers"]}


def ask_until_all_answered(port, workers):
    """{worker: pid} as the answers say, once @workers of them have said it."""
    said = {}

    def all_said():
        answer = json.loads(body(port))
        assert answer["port"] == port and answer["instance"] == 1, answer
        assert said.setdefault(answer["worker"], answer["pid"]) == answer["pid"]
        return len(said) == workers
    wait_until(all_said, lambda: f"answers of {workers} workers; there were {said}")
    return said


@ids("N4")
@pytest.mark.parametrize("kind", SHARING)
def test_every_worker_answers(world, kind):
    service = start(world, kind, "--workers", "4")
    pids = pids_of(service)
    assert service["state"] == "ready" and service["sharing"] == SHARING[kind]
    assert sorted(pids) == [1, 2, 3, 4] and len(set(pids.values())) == 4
    assert all(worker["state"] == "ready" and worker["exit"] is None for worker in service["workers"])
    clients = Load(world, 5000, "--expect", '"instance":1')
    assert ask_until_all_answered(5000, 4) == pids
    clients.all_answer(pids.values())
    counts = clients.end()
    assert not [name for name in FAILURES if counts[name]], counts
    assert set(map(int, counts["by_pid"])) == set(pids.values())
    world.berth("stop", "api")
    assert bindable(5000) and not world.living()


@ids("N4", "N2")
@root_and_user
@pytest.mark.parametrize("kind", BLOCKING)
def test_no_stranger_joins_the_group(world, kind):
    service = start(world, kind, "--workers", "2")
    thief = Thief(world, "reuseport")
    thief.attack(5000)
    assert ask_until_all_answered(5000, 2) == pids_of(service)
    found = thief.pause()
    assert found["binds"] == 0 and found["tries"] > 0, found


@ids("N4", "N2")
@pytest.mark.parametrize("kind", BLOCKING)
def test_the_group_is_closed_on_every_address(world, kind):
    start(world, kind, "--workers", "3")
    for address in ("0.0.0.0", "127.0.0.1", "::", "::1"):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError) as refusal:
                sock.bind((address, 5000))
            assert refusal.value.errno == errno.EADDRINUSE, address


@ids("N4")
def test_status_says_in_words_how_they_share(world):
    start(world, "node", "--workers", "2")
    world.run_d("--name", "old", "--port", "7000", "--workers", "2", "--", *WORK_SERVERS["c-threads"](world, "old"))
    text = world.berth("status", "api").out
    assert "all workers accept from one socket" in text and "worker 2" in text
    text = world.berth("status", "old").out
    assert "in a group that nobody else can join" in text and "worker 2" in text


@ids("N4")
def test_a_plain_service_is_one_worker_that_shares_nothing(world):
    service = start(world, "node")
    assert service["sharing"] is None
    [worker] = service["workers"]
    assert worker["number"] == 1 and worker["pid"] == service["pid"] and port_of(service) == 5000
    assert json.loads(body(5000))["worker"] == 1


@ids("N4")
def test_workers_get_the_next_port_together(world):
    world.occupy(5000)
    service = start(world, "node", "--workers", "3")
    assert port_of(service) == 5001
    assert ask_until_all_answered(5001, 3) == pids_of(service)


@ids("N4")
def test_ready_is_when_all_of_them_are(world):
    """What `run -d` has returned is ready, each of it."""
    started = world.run_d("--name", "api", "--port", "5000", "--workers", "4", "--",
                          *WORK_SERVERS["node"](world, "api"), env={"START_DELAY_MS": "150"})
    assert started["reused"] is False
    assert [worker["state"] for worker in started["service"]["workers"]] == ["ready"] * 4
    assert started["service"]["ready_at"] >= max(worker["ready_at"] for worker in started["service"]["workers"])


@ids("N4")
def test_without_steering_there_is_one_worker_and_that_is_said(world):
    """Nothing could put a second program on the port; with SO_REUSEPORT in the program, any stranger could follow."""
    result = world.berth("run", "-d", "--name", "api", "--port", "5000", "--workers", "3", "--steer=off", "--",
                         *WORK_SERVERS["node"](world, "api"))
    assert "one worker instead of 3" in result.err, result
    assert [worker["state"] for worker in world.status("api")["workers"]] == ["ready"]
    refusal = world.berth("scale", "api=2", check=1)
    assert "several workers" in refusal.err, refusal
    assert len(world.status("api")["workers"]) == 1
