# SPDX-License-Identifier: MIT
# scenario/test_scaling_fails_no_request.py - N4: more or fewer workers of what runs, under load
"""`berth scale SERVICE=N`: those that there are go on, the last ones end first, and no client hears of it."""

import json
import os

import pytest

from berthtest import TIMED_OUT, USAGE, alive, bindable, body, ids, kill, port_of, root_and_user, wait_until
from clients import FAILURES, Load
from realservers import WORK_SERVERS

SOCKET = ["node", "go", "python", "c-epoll"]
GROUP = ["c-threads", "python-threads"]


def start(world, kind, *options):
    return world.run_d("--name", "api", "--port", "5000", *options, "--", *WORK_SERVERS[kind](world, "api"))["service"]


def pids(world):
    return {worker["number"]: worker["pid"] for worker in world.status("api")["workers"]}


def no_failure(counts):
    assert counts["ok"] and not [name for name in FAILURES if counts[name]], counts


@ids("N4")
@root_and_user
@pytest.mark.parametrize("kind", SOCKET + GROUP)
def test_up_and_down_under_load(world, kind):
    start(world, kind, "--workers", "2")
    first = pids(world)
    clients = Load(world, 5000, "--clients", "8")
    clients.all_answer(first.values())
    result = world.berth("scale", "api=4")
    assert "4 workers" in result.err + result.out
    more = pids(world)
    assert sorted(more) == [1, 2, 3, 4] and all(more[number] == first[number] for number in first)
    assert [worker["state"] for worker in world.status("api")["workers"]] == ["ready"] * 4
    clients.all_answer(more.values())
    world.berth("scale", "api=1")
    assert pids(world) == {1: first[1]}
    assert not [pid for number, pid in more.items() if number > 1 and alive(pid)]
    clients.goes_on()
    no_failure(clients.end())
    world.berth("stop", "api")
    assert bindable(5000) and not world.living()


@ids("N4")
@pytest.mark.parametrize("kind, sharing", [("node", "socket"), ("c-threads", "group")])
def test_a_plain_service_gets_workers_and_loses_them(world, kind, sharing):
    before = start(world, kind)
    clients = Load(world, 5000, "--clients", "8")
    clients.goes_on()
    result = world.berth("scale", "api=3", "--json")
    assert len(result.service["workers"]) == 3 and result.service["sharing"] == sharing
    clients.all_answer(pids(world).values())
    world.berth("scale", "api=1")
    after = world.status("api")
    assert after["pid"] == before["pid"] and len(after["workers"]) == 1 and port_of(after) == 5000
    clients.goes_on()
    no_failure(clients.end())


@ids("N4")
def test_what_is_so_already_changes_nothing(world):
    start(world, "node", "--workers", "2")
    before = pids(world)
    world.berth("scale", "api=2")
    assert pids(world) == before


@ids("N4")
def test_up_again_while_down_is_under_way(world):
    """The ones that go are slow about it; new ones take their numbers."""
    start(world, "node", "--workers", "3")
    before = pids(world)
    slow = Load(world, 5000, "--clients", "12", "--path", "/slow")
    slow.all_answer(before.values(), 1)
    down = world.start("scale", "api=1")
    up = world.start("scale", "api=3")
    assert up.wait() == 0 and down.wait() == 0, (up, down)
    wait_until(lambda: [worker["state"] for worker in world.status("api")["workers"]] == ["ready"] * len(pids(world)),
               lambda: world.status("api")["workers"])
    assert len(pids(world)) in (1, 3) and pids(world)[1] == before[1]
    no_failure(slow.end())


@ids("N4")
def test_scale_replaces_one_that_has_failed(world):
    """Without a policy it stays away, until somebody says how many there shall be."""
    start(world, "node", "--workers", "2")
    before = pids(world)
    kill(before[2])
    wait_until(lambda: pids(world)[2] is None, "worker 2 has failed")
    world.berth("scale", "api=2")
    after = pids(world)
    assert after[1] == before[1] and after[2] not in (None, before[2])
    assert [worker["state"] for worker in world.status("api")["workers"]] == ["ready"] * 2


@ids("N4")
def test_a_worker_that_does_not_get_ready_is_said(world):
    """It ends at once: the command says so at once, and what was there goes on."""
    world.write("run.sh", 'if test "$BERTH_WORKER" = 2 && test -e bad; then echo "out of luck"; exit 3; fi\nexec "$@"\n')
    world.run_d("--name", "api", "--port", "5000", "--", "sh", "run.sh", *WORK_SERVERS["node"](world, "api"))
    before = pids(world)
    world.write("bad", "")
    result = world.berth("scale", "api=2", "--wait", "20s", check=None)
    assert result.code == 1 and "worker 2" in result.err, result
    assert pids(world)[1] == before[1] and json.loads(body(5000))["worker"] == 1
    os.unlink(os.path.join(world.project, "bad"))
    world.berth("scale", "api=2")
    assert [worker["state"] for worker in world.status("api")["workers"]] == ["ready"] * 2


@ids("N4")
def test_the_wait_can_be_bounded(world):
    world.write("run.sh", 'test "$BERTH_WORKER" = 1 || exec sleep 1000\nexec "$@"\n')
    world.run_d("--name", "api", "--port", "5000", "--", "sh", "run.sh", *WORK_SERVERS["node"](world, "api"))
    result = world.berth("scale", "api=2", "--wait", "300ms", check=TIMED_OUT)
    assert "not all" in result.err, result
    assert json.loads(body(5000))["worker"] == 1


@ids("N4")
@pytest.mark.parametrize("operand", ["api", "api=", "api=0", "api=-1", "api=x", "api=65", "=3"])
def test_what_is_no_number_of_workers_is_refused(world, operand):
    start(world, "node")
    before = pids(world)
    world.berth("scale", operand, check=USAGE)
    assert pids(world) == before
