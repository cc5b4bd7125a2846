# SPDX-License-Identifier: MIT
# scenario/test_a_stack_starts_in_the_order_of_its_needs.py - S1: who starts when, who does not, and what that says
"""Services become ready, fail and end when the test tells them to. How a stack ends is in test_a_stack_ends_as_it_was_asked_to.py."""

import os
import re

import pytest

from berthtest import (
    ALREADY,
    USAGE,
    answer,
    as_user,
    bindable,
    ids,
    port_of,
    root_and_user,
    wait_until,
)
from stacks import Stack, by_name, fifo, let_go, shell, teller


def runs(victim):
    return os.path.exists(victim.pids_file)


def victims(world, *names):
    return [world.victim(name) for name in names]


# --- who waits for whom ---

@ids("S1")
@root_and_user
def test_each_waits_for_what_it_needs_and_for_nothing_else(world):
    backend, started, ready, completed, alone = victims(world, "backend", "started", "ready", "completed", "alone")
    gate = fifo(world, "gate")

    def needs(name, condition):
        return {"depends_on": {name: {"condition": condition}}}
    stack = Stack(world, backend={"command": backend.argv(), "port": 9000},
                  migrate=shell("read line < $1", gate),
                  started={"command": started.argv(), **needs("backend", "started")},
                  ready={"command": ready.argv(), **needs("backend", "ready")},
                  completed={"command": completed.argv(), **needs("migrate", "completed")},
                  alone={"command": alone.argv()})
    up = stack.start("up")
    for victim in (backend, started, alone):
        victim.running()
    stack.await_state("alone", "ready")
    assert stack.states() == {"backend": "starting", "migrate": "ready", "started": "ready", "alone": "ready",
                              "ready": "waiting", "completed": "waiting"}
    assert not runs(ready) and not runs(completed)
    assert port_of(stack.services()["backend"]) == 9000

    assert backend.command("listen 9000").startswith("ok")
    ready.running()
    assert not runs(completed) and stack.states()["completed"] == "waiting"
    let_go(gate)
    completed.running()
    assert up.popen.poll() is None


@ids("S1")
@root_and_user
def test_a_list_of_names_waits_until_all_are_ready(world):
    one, two, last = victims(world, "one", "two", "last")
    stack = Stack(world, last={"command": last.argv(), "depends_on": ["one", "two"]},
                  one={"command": one.argv(), "port": 9001}, two={"command": two.argv(), "port": 9002})
    up = stack.start("up", "-d")
    one.running()
    two.running()
    assert one.command("listen 9001").startswith("ok")
    stack.await_state("one", "ready")
    assert stack.states()["last"] == "waiting" and not runs(last)
    assert two.command("listen 9002").startswith("ok")
    last.running()
    assert up.wait() == 0, up


@ids("S1")
def test_those_who_need_nobody_come_up_together(world):
    """None is ready before all of them run."""
    parts = {f"s{i}": world.victim(f"s{i}") for i in range(12)}
    stack = Stack(world, **{name: {"command": part.argv(), "port": 9000 + i} for i, (name, part) in enumerate(parts.items())})
    up = stack.start("up", "-d")
    for part in parts.values():
        part.running()
    assert set(stack.states().values()) == {"starting"} and up.popen.poll() is None
    for i, part in enumerate(parts.values()):
        assert part.command(f"listen {9000 + i}").startswith("ok")
    assert up.wait() == 0 and set(stack.states().values()) == {"ready"}


@ids("S1")
def test_a_long_chain_comes_up_without_waiting_for_anything_else(world):
    names = [f"s{i}" for i in range(60)]
    services = {name: shell("exec sleep 1000", depends_on=names[max(i - 1, 0):i]) for i, name in enumerate(names)}
    assert set(Stack(world, **services).up()) == set(names)


# --- what does not come up ---

@ids("S1")
@root_and_user
def test_who_needs_one_that_failed_is_not_started(world):
    """A service that ends before it is ready: its dependants wait in vain, the others go on, its last words are shown."""
    alone, frontend, page = victims(world, "alone", "frontend", "page")
    stack = Stack(world, backend=shell("echo no database here >&2; exit 7", port=9000),
                  frontend={"command": frontend.argv(), "port": 5173, "depends_on": ["backend"]},
                  page={"command": page.argv(), "depends_on": ["frontend"]},
                  alone={"command": alone.argv(9100), "port": 9100})
    result = stack.berth("up", "-d", check=1)
    assert "no database here" in result.err and "backend" in result.err and "7" in result.err, result
    assert re.search(r"frontend.* is not started: it depends on backend", result.err), result
    assert alone.port == 9100
    assert stack.states() == {"alone": "ready"}
    assert not runs(frontend) and not runs(page)
    assert all(bindable(port) for port in (9000, 5173)), "what is not to start holds nothing"

    document = stack.berth("up", "-d", "--json", check=1)
    error = document.error
    assert error["code"] == "start-failed" and "backend" in error["message"]
    assert {failed["service"]: failed["exit"] for failed in error["failed"]} == {"backend": 7, "frontend": 0, "page": 0}
    assert not runs(frontend) and alone.pids() == [stack.services()["alone"]["pid"]]


@ids("S1")
@root_and_user
def test_one_that_had_to_complete_and_failed_keeps_the_others_from_starting(world):
    backend, = victims(world, "backend")
    stack = Stack(world, migrate=shell("echo table is missing; test -e mended || exit 1"),
                  backend={"command": backend.argv(9000), "port": 9000,
                           "depends_on": {"migrate": {"condition": "completed"}}})
    result = stack.berth("up", "-d", check=1)
    assert "table is missing" in result.err and "backend is not started" in result.err, result
    assert not runs(backend)
    world.nothing_left()
    world.write("mended", "")
    assert set(stack.up()) == {"backend"}, "the next start does it all again"
    assert backend.port == 9000


@ids("S1")
def test_in_the_foreground_the_others_go_on_too(world):
    alone, frontend = victims(world, "alone", "frontend")
    stack = Stack(world, backend=shell("echo no database here; exit 7", port=9000), alone={"command": alone.argv()},
                  frontend={"command": frontend.argv(), "depends_on": ["backend"]})
    up = stack.start("up")
    up.wait_for(r"backend\.1 +\| no database here", stream="out")
    up.wait_for(r"berth +\| frontend is not started: it depends on backend", stream="out")
    alone.running()
    assert stack.await_state("alone", "ready") and up.popen.poll() is None
    assert alone.command("exit 0") is not None
    assert up.wait() == 7 and not runs(frontend), "the code of the first that failed"


@ids("S1")
@root_and_user
def test_a_missing_command_is_told_with_its_service(world):
    frontend, = victims(world, "frontend")
    stack = Stack(world, backend={"command": ["no-such-program", "x"], "port": 9000},
                  frontend={"command": frontend.argv(), "depends_on": ["backend"]})
    result = stack.berth("up", "-d", check=1)
    assert "no-such-program" in result.err and "backend" in result.err, result
    assert not runs(frontend)
    world.nothing_left()
    assert bindable(9000) and stack.ports() == {}
    up = stack.start("up")
    assert up.wait() == 127, up
    assert "no-such-program" in up.out and not runs(frontend), up


@ids("S1")
@root_and_user
@pytest.mark.parametrize("missing, words", [
    ({"working_dir": "no/such"}, ["backend", "no/such"]),
    ({"env_file": ".env.missing"}, ["backend", ".env.missing"]),
], ids=["working_dir", "env_file"])
def test_what_is_missing_around_a_service_is_said_before_anything_starts(world, missing, words):
    alone, = victims(world, "alone")
    stack = Stack(world, alone={"command": alone.argv()}, backend=shell("exec sleep 1000", **missing))
    for arguments in (["-d"], [], ["--dry-run"]):
        result = stack.berth("up", *arguments, check=USAGE)
        assert all(word in result.err for word in words), result
    assert not runs(alone) and world.everything() == []


@ids("S1")
@root_and_user
@pytest.mark.parametrize("missing, path", [
    ({"working_dir": "later"}, "later/x"), ({"env_file": "later.env"}, "later.env"),
], ids=["working_dir", "env_file"])
def test_what_lacks_around_a_service_that_is_not_wanted_is_in_nobodys_way(world, missing, path):
    stack = Stack(world, alone=shell("exec sleep 1000"), backend=shell("exec sleep 1000", profiles=["later"], **missing))
    stack.up("alone")
    stack.up()
    assert "backend" in stack.berth("up", "-d", "backend", check=USAGE).err
    assert set(stack.services()) == {"alone"}
    os.makedirs(os.path.dirname(os.path.join(stack.folder, path)), exist_ok=True)
    world.write(os.path.join(stack.folder, path), "A=1\n")
    stack.berth("down")
    assert "backend" in stack.up("backend")


# --- again, and some of them ---

@ids("S1", "S7")
@root_and_user
def test_a_second_up_starts_what_lacks_and_nothing_else(world):
    one, two, three = victims(world, "one", "two", "three")
    stack = Stack(world, one={"command": one.argv(9001), "port": 9001}, two={"command": two.argv(9002), "port": 9002},
                  three={"command": three.argv(9003), "port": 9003, "depends_on": ["one"]})
    first = stack.up()
    assert set(first) == {"one", "two", "three"}
    assert stack.up() == first, "all runs"

    two.forget()
    stack.berth("stop", "two")
    one.forget()
    one.command("exit 0")
    wait_until(lambda: set(stack.states()) == {"three"}, lambda: stack.states())
    again = stack.up()
    assert again["three"] == first["three"]
    for name, victim, port in (("one", one, 9001), ("two", two, 9002)):
        assert again[name]["pid"] != first[name]["pid"] and port_of(again[name]) == port
        assert answer(port)["pid"] == again[name]["pid"] == victim.pids()[0]


@ids("S1")
@root_and_user
def test_one_that_is_named_comes_with_what_it_needs(world):
    backend, frontend, worker = victims(world, "backend", "frontend", "worker")
    stack = Stack(world, worker={"command": worker.argv()},
                  frontend={"command": frontend.argv(5173), "port": 5173, "depends_on": ["backend"]},
                  backend={"command": backend.argv(9000), "port": 9000})
    result = stack.berth("up", "-d", "frontend")
    assert set(stack.states()) == {"backend", "frontend"} and not runs(worker)
    assert "5173" in result.err + result.out
    first = stack.services()
    assert set(stack.up("worker")) == {"backend", "frontend", "worker"}
    assert {name: stack.services()[name] for name in first} == first
    assert worker.pids() == [stack.services()["worker"]["pid"]]


@ids("S1", "I1")
def test_in_the_foreground_a_second_start_is_refused(world):
    stack = Stack(world, one=shell("exec sleep 1000"))
    first = stack.up()
    result = stack.berth("up", check=ALREADY)
    assert "already running" in result.err and "berth down" in result.err, result
    assert stack.services() == first


@ids("S1")
def test_an_unknown_service_is_answered_with_the_closest(world):
    stack = Stack(world, backend=shell("exec sleep 1000"))
    result = stack.berth("up", "-d", "backned", check=None)
    assert result.code == 3 and "did you mean 'backend'" in result.err, result
    assert world.everything() == []


# --- what they are told of each other ---

@ids("S1", "S6")
@root_and_user
@pytest.mark.parametrize("strangers", [False, True], ids=["alone", "beside strangers"])
def test_each_is_told_where_the_others_are(world, strangers):
    """In its words, its environment and without asking for it; also of those that start later."""
    service, told = teller(world, "frontend", "--api={backend.url}/v1", "{backend.port}", "{viewer.port.ws}",
                           "{viewer.url.http}", "{backend.host}", "{port}", "{{port}}", "{later.port}",
                           port=5173, environment={"API": "{backend.url}", "BRACE": "{{x}}", "OWN": "{port}"})
    backend, viewer, later = victims(world, "backend", "viewer", "later")
    stack = Stack(world, frontend=service, backend={"command": backend.argv(9000), "port": 9000},
                  viewer={"command": viewer.argv(8080, 8081), "ports": {"http": 8080, "ws": 8081}},
                  later={"command": later.argv(9300), "port": 9300, "depends_on": {"frontend": {"condition": "started"}}})
    if strangers:
        for port in (9000, 8081, 5173):
            world.occupy(port)
    up = stack.start("up", "-d")
    said = told()
    services = stack.services()
    p = {"backend": port_of(services["backend"]), "http": port_of(services["viewer"], "http"),
         "ws": port_of(services["viewer"], "ws"), "own": port_of(services["frontend"]), "later": port_of(services["later"])}
    expected = (9001, 8090, 8091, 5174, 9300) if strangers else (9000, 8080, 8081, 5173, 9300)
    assert tuple(p.values()) == expected
    assert said["words"] == [f"--api=http://localhost:{p['backend']}/v1", str(p["backend"]), str(p["ws"]),
                             f"http://localhost:{p['http']}", "localhost", str(p["own"]), "{port}", str(p["later"])]
    env = said["env"]
    wanted = {
        "API": f"http://localhost:{p['backend']}", "BRACE": "{x}", "OWN": str(p["own"]), "PORT": str(p["own"]),
        "BACKEND_PORT": str(p["backend"]), "BACKEND_URL": f"http://localhost:{p['backend']}", "BACKEND_HOST": "localhost",
        "VIEWER_PORT": str(p["http"]), "VIEWER_WS_PORT": str(p["ws"]), "VIEWER_WS_URL": f"http://localhost:{p['ws']}",
        "LATER_PORT": str(p["later"]), "BERTH_SERVICE": "frontend", "BERTH_INSTANCE": "1"}
    assert {name: env.get(name) for name in wanted} == wanted
    assert up.popen.poll() is None, "the teller never listens"


# --- how many, which, where ---

@ids("S1", "P10")
@root_and_user
def test_a_formation_says_how_many_of_each(world):
    web = {"command": ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"], "port": 8000}
    worker, = victims(world, "worker")
    stack = Stack(world, web=web, worker={"command": worker.argv()})
    services = stack.up("-m", "web=2,worker=0")
    assert {name: port_of(service) for name, service in services.items()} == {"web": 8000, "web.2": 8001}
    assert not runs(worker)
    stack.berth("down")
    result = stack.berth("up", "-m", "wbe=2", check=USAGE)
    assert "wbe" in result.err, result


@ids("F5")
@root_and_user
def test_services_with_profiles_start_only_with_one_of_them_or_by_name(world):
    debug, web = victims(world, "debug", "web")
    stack = Stack(world, web={"command": web.argv()}, debug={"command": debug.argv(), "profiles": ["tools", "all"]})
    assert set(stack.up()) == {"web"} and not runs(debug)
    stack.berth("down")
    assert set(stack.up("debug")) == {"debug"}
    stack.berth("down")
    for victim in (debug, web):
        victim.forget()
    stack.up("--profile", "tools")
    assert runs(debug) and runs(web)
    result = stack.berth("up", "--profile", "tool", check=USAGE)
    assert "did you mean 'tools'" in result.err, result


@ids("F5", "S8")
@root_and_user
def test_each_environment_takes_from_its_own_range(world):
    """A profile with a range is a copy of its own; nobody else takes one of its numbers."""
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    stack = Stack(world, top={"profiles": {"test": {"range": "20000-20009"}, "stage": {"range": "9001-9005"}}},
                  web={"command": command, "port": 9000}, api={"command": command, "port": 9100})
    blocked = world.occupy(9000)
    plain = stack.up()
    assert {name: port_of(service) for name, service in plain.items()} == {"web": 9006, "api": 9100}
    test = stack.up("--profile", "test")
    assert sorted(port_of(service) for service in test.values()) == [20000, 20001]
    stage = stack.up("--profile", "stage")
    assert sorted(port_of(service) for service in stage.values()) == [9001, 9002]
    blocked.close()
    assert stack.ports("test")["web_port"] == port_of(test["web"])
    assert stack.ports("stage")["api_port"] == port_of(stage["api"])
    assert stack.ports()["web_port"] == 9006
    stack.berth("down", "--profile", "test")
    left = {service["pid"] for service in world.services()}
    assert left == {service["pid"] for service in [*plain.values(), *stage.values()]}
    assert stack.ports("test") == {} and stack.ports("stage")


@ids("S8")
@root_and_user
def test_copies_in_one_folder_live_beside_each_other(world):
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    stack = Stack(world, web={"command": command, "port": 8000})
    plain, demo = stack.up(), stack.up("--as", "demo")
    assert [port_of(plain["web"]), port_of(demo["web"])] == [8000, 8001]
    assert stack.up("--as", "demo") == demo and stack.up() == plain
    assert stack.ports("demo")["berth"]["copy"] == "demo" and stack.ports()["berth"]["copy"] is None
    text = stack.berth("status").out
    assert "demo" in text, text
    stack.berth("down")
    assert [service["pid"] for service in world.services()] == [demo["web"]["pid"]]
    assert stack.berth("down", "--as", "demo").code == 0
    assert world.services() == [] and stack.ports("demo") == {}
    result = stack.berth("up", "-d", "--as", "../x", check=USAGE)
    assert "../x" in result.err


@ids("S1")
@as_user
def test_the_nearest_manifest_counts_from_below_too(world):
    inner = os.path.join(world.project, "a", "b")
    os.makedirs(inner)
    stack = Stack(world, web=shell("exec sleep 1000"))
    world.berth("up", "-d", cwd=inner)
    assert set(stack.states()) == {"web"}
    assert by_name(world.berth("up", "-d", "--json", cwd=inner).json["services"]) == stack.services()
    world.berth("down", cwd=inner)
    assert stack.states() == {}
