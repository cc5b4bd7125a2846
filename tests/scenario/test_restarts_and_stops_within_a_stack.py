# SPDX-License-Identifier: MIT
# scenario/test_restarts_and_stops_within_a_stack.py - S7, I4, N3: one service is changed, the others do not notice
"""A service of a stack is an ordinary one: restart, stop, status, logs, wait and scale mean it by its name."""

import os
import signal

from berthtest import TIMED_OUT, alive, answer, bindable, body, ids, kill, port_of, root_and_user, wait_until
from clients import Load, nobody_was_refused
from realservers import WORK_SERVERS
from stacks import Stack, shell

RESTARTS = 5


def pair(world, *options, **more):
    """backend on 9000 with what @more says, and frontend, which needs it."""
    backend, frontend = world.victim("backend"), world.victim("frontend")
    stack = Stack(world, backend={"command": backend.argv(*options, 9000), "port": 9000, **more},
                  frontend={"command": frontend.argv(5173), "port": 5173, "depends_on": ["backend"]})
    return stack, backend, frontend


def load_stack(world, kind="python", **more):
    stack = Stack(world, backend={"command": WORK_SERVERS[kind](world, ""), "port": 5000, **more},
                  frontend=shell("exec sleep 1000", depends_on=["backend"]))
    return stack, stack.up()


# --- restart ---

@ids("S7", "I4")
@root_and_user
def test_one_that_is_restarted_is_another_and_the_others_are_the_same(world):
    stack, backend, _ = pair(world)
    first = stack.up()
    backend.forget()
    stack.berth("restart", "backend")
    second = stack.services()
    assert second["frontend"] == first["frontend"]
    assert second["backend"]["pid"] != first["backend"]["pid"] and second["backend"]["state"] == "ready"
    assert second["backend"]["supervisor_pid"] == first["backend"]["supervisor_pid"]
    assert answer(9000)["pid"] == second["backend"]["pid"] and stack.ports()["backend_port"] == 9000


@ids("S7")
@root_and_user
def test_all_of_it_is_restarted_where_none_is_named(world):
    stack, backend, frontend = pair(world)
    first = stack.up()
    for victim in (backend, frontend):
        victim.forget()
    stack.berth("restart")
    second = stack.services()
    assert set(second) == set(first) and set(stack.states().values()) == {"ready"}
    assert all(second[name]["pid"] != first[name]["pid"] for name in first)
    assert {name: port_of(service) for name, service in second.items()} == {"backend": 9000, "frontend": 5173}


@ids("N3", "S7")
@root_and_user
def test_a_restart_under_load_refuses_nobody(world):
    stack, services = load_stack(world)
    clients = Load(world, 5000, "--clients", "8", "--pause", "2")
    pids = [services["backend"]["pid"]]
    clients.answering()
    for _ in range(RESTARTS):
        stack.berth("restart", "backend")
        pids.append(clients.answering(pids))
    counts = clients.end()
    nobody_was_refused(counts, in_flight=8 * RESTARTS)
    assert stack.services()["frontend"] == services["frontend"]


@ids("N3", "S7")
@root_and_user
def test_one_that_is_killed_comes_back_by_its_policy(world):
    stack, services = load_stack(world, restart="always", backoff="50ms")
    clients = Load(world, 5000, "--clients", "4", "--pause", "2")
    clients.answering()
    kill(services["backend"]["pid"])
    clients.answering([services["backend"]["pid"]])
    nobody_was_refused(clients.end(), in_flight=4)
    now = stack.services()
    assert now["backend"]["restarts"] == 1 and now["frontend"] == services["frontend"]


@ids("S7", "S1")
@root_and_user
def test_one_that_is_restarted_while_another_waits_for_it_lets_it_start(world):
    """Its next life is what the other one waits for."""
    backend, frontend = world.victim("backend"), world.victim("frontend")
    stack = Stack(world, backend={"command": backend.argv(), "port": 9000, "restart": "on-failure", "backoff": "10ms"},
                  frontend={"command": frontend.argv(5173), "port": 5173, "depends_on": ["backend"]})
    up = stack.start("up", "-d")
    backend.running()
    old, = backend.pids()
    backend.forget()
    kill(old)
    backend.running()
    assert not os.path.exists(frontend.pids_file)
    wait_until(lambda: backend.pids() != [old], "another life")
    backend.command("listen 9000")
    assert up.wait() == 0, up
    assert frontend.port == 5173


# --- stop ---

@ids("S7", "N6")
@root_and_user
def test_one_that_is_stopped_is_gone_and_the_others_stay(world):
    stack, backend, frontend = pair(world)
    first = stack.up()
    stack.berth("stop", "backend")
    assert stack.services() == {"frontend": first["frontend"]} and bindable(9000)
    assert not alive(backend.pids()[0]) and alive(frontend.pids()[0])
    assert "backend_port" not in stack.ports() and stack.ports()["frontend_port"] == 5173
    status = stack.berth("status", "backend", "--json", check=None)
    assert status.code in (1, 3)
    backend.forget()
    assert set(stack.up()) == {"backend", "frontend"}


@ids("S7", "N6")
@root_and_user
def test_stop_of_the_last_one_is_the_end_of_the_stack(world):
    stack, *_ = pair(world)
    stack.up()
    stack.berth("stop", "backend")
    stack.berth("stop", "frontend")
    world.nothing_left()
    assert stack.ports() == {} and bindable(9000) and bindable(5173)


@ids("S7", "N6")
@root_and_user
def test_a_deaf_one_is_killed_and_the_others_do_not_notice(world):
    stack, backend, _ = pair(world, "--ignore-term", "--double-fork", stop_grace_period="200ms")
    first = stack.up()
    pids = backend.pids()
    stack.berth("down", "backend")
    assert not any(alive(pid) for pid in pids) and bindable(9000)
    assert stack.services() == {"frontend": first["frontend"]}


@ids("S7", "I4")
@root_and_user
def test_its_own_signal_is_sent_to_it(world):
    backend = world.victim("backend")
    stack = Stack(world, backend={"command": backend.argv("--ignore-term", "--ignore-int", 9000), "port": 9000,
                                  "stop_signal": "SIGUSR2", "stop_grace_period": "1h"})
    stack.up()
    pid, = backend.pids()
    down = stack.berth("down")
    assert not alive(pid) and "SIGUSR2" in down.err, down


@ids("S7", "S8", "I4")
@root_and_user
def test_a_plain_name_never_means_another_copy(world):
    """Of two copies in one folder the one without a name has lost a service: the other's is not ended in its place."""
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    stack = Stack(world, web={"command": command, "port": 8000}, worker=shell("exec sleep 1000"))
    plain, demo = stack.up(), stack.up("--as", "demo")
    stack.berth("stop", "web")
    for arguments in (["stop", "web"], ["restart", "web"], ["port", "web"], ["env", "web"], ["status", "web"]):
        result = stack.berth(*arguments, check=None)
        assert result.code in (0, 3) and str(port_of(demo["web"])) not in result.out, result
    stack.berth("restart")
    pids = {service["pid"] for service in world.services()}
    assert {service["pid"] for service in demo.values()} < pids and plain["worker"]["pid"] not in pids and len(pids) == 3
    assert stack.berth("port", "shop+demo/web").out.strip() == str(port_of(demo["web"]))
    result = stack.berth("exec", "--", "sh", "-c", "echo $BERTH_PROJECT", check=None)
    assert result.code == 0, result
    stack.berth("stop")
    assert {service["pid"] for service in world.services()} == {service["pid"] for service in demo.values()}
    stack.berth("stop", "shop+demo/web")
    assert [service["pid"] for service in world.services()] == [demo["worker"]["pid"]]


# --- look, wait ---

@ids("I4", "S7")
@root_and_user
def test_status_tells_of_all_and_of_one(world):
    stack, *_ = pair(world)
    services = stack.up()
    document = stack.berth("status", "--json").json["services"]
    assert {service["service"]: service["pid"] for service in document} == {
        name: service["pid"] for name, service in services.items()}
    one = stack.berth("status", "frontend", "--json").service
    assert one["service"] == "frontend" and one["pid"] == services["frontend"]["pid"]
    text = stack.berth("status").out
    assert "9000" in text and "5173" in text


@ids("I4", "S1")
@root_and_user
def test_status_tells_what_one_waits_for(world):
    backend = world.victim("backend")
    stack = Stack(world, backend={"command": backend.argv(), "port": 9000},
                  frontend=shell("exec sleep 1000", depends_on=["backend"]))
    stack.start("up", "-d")
    stack.await_state("frontend", "waiting")
    result = stack.berth("status", check=None)
    assert result.code == 1 and any("waiting" in line for line in result.out.splitlines() if "frontend" in line), result


@ids("I4", "S7")
@root_and_user
def test_logs_are_those_of_the_one_that_is_named(world):
    stack = Stack(world, backend=shell("echo I am backend; exec sleep 1000"), frontend=shell("echo I am frontend; exec sleep 1000"))
    stack.up()
    wait_until(lambda: "I am backend" in stack.berth("logs", "backend").out, "it has said it")
    wait_until(lambda: "I am frontend" in stack.berth("logs").out, "both have")
    assert "frontend" not in stack.berth("logs", "backend").out
    both = stack.berth("logs").out
    assert "I am backend" in both and "I am frontend" in both


@ids("I4", "S7")
@root_and_user
def test_wait_waits_for_one_of_them(world):
    backend, alone = world.victim("backend"), world.victim("alone")
    stack = Stack(world, backend={"command": backend.argv(), "port": 9000},
                  alone={"command": alone.argv(5173), "port": 5173})
    stack.start("up", "-d")
    stack.berth("wait", "alone")
    stack.berth("wait", "backend", "--timeout", "200ms", check=TIMED_OUT)
    waiting = stack.start("wait", "backend")
    backend.running()
    backend.command("listen 9000")
    assert waiting.wait() == 0, waiting
    gone = stack.start("wait", "--for", "stopped", "alone")
    alone.command("exit 0")
    assert gone.wait() == 0, gone


# --- how many ---

@ids("P10", "S7")
@root_and_user
def test_a_service_gets_more_instances_and_loses_them(world):
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    stack = Stack(world, web={"command": command, "port": 8000, "instances": 2}, other=shell("exec sleep 1000"))
    first = stack.up()
    stack.berth("scale", "web=4")
    more = stack.services()
    assert {name: port_of(more[name]) for name in ("web", "web.2", "web.3", "web.4")} == {
        "web": 8000, "web.2": 8001, "web.3": 8002, "web.4": 8003}
    assert {name: more[name] for name in first} == first
    assert all(body(port) for port in range(8000, 8004))
    wait_until(lambda: len(stack.ports()["berth"]["services"]["web"]["instances"]) == 4, lambda: stack.ports())
    stack.berth("scale", "web=1")
    assert set(stack.states()) == {"web", "other"} and stack.services()["web"]["pid"] == first["web"]["pid"]
    assert all(bindable(port) for port in range(8001, 8004))
    stack.berth("down")
    assert world.everything() == []


@ids("N4", "S7")
@root_and_user
def test_a_service_gets_workers_and_loses_them(world):
    stack, services = load_stack(world, kind="node")
    stack.berth("scale", "backend=3")
    workers = stack.services()["backend"]["workers"]
    assert len(workers) == 3 and services["backend"]["pid"] in [worker["pid"] for worker in workers]
    clients = Load(world, 5000, "--clients", "8")
    clients.all_answer([worker["pid"] for worker in workers])
    stack.berth("scale", "backend=1")
    clients.goes_on()
    nobody_was_refused(clients.end())
    assert stack.services()["frontend"] == services["frontend"]
    stack.berth("down")
    assert world.everything() == []


@ids("N6", "I4")
@root_and_user
def test_a_deaf_one_is_ended_with_the_stack_when_its_time_is_over(world):
    stack, backend, _ = pair(world, "--ignore-term", stop_grace_period="200ms")
    up = stack.start("up")
    wait_until(lambda: stack.states() == {"backend": "ready", "frontend": "ready"}, lambda: stack.states())
    up.signal(signal.SIGTERM)
    up.wait()
    world.nothing_left()
    assert bindable(9000) and not alive(backend.pids()[0])
