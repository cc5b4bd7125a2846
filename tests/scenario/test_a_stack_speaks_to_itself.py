# SPDX-License-Identifier: MIT
# scenario/test_a_stack_speaks_to_itself.py - N10, N11: hard-coded numbers of siblings mean this copy's, before and after they listen
"""Programs know each other by numbers in their source only. Strangers sit on those, or another copy of the stack does."""

import contextlib
import json

import pytest

import realservers
from berthtest import answer, body, ids, port_of, root_and_user, wait_until
from stacks import Stack, program

ASKS = 40

# Listens on ARGV[1]; an answer tells who it is, and what ARGV[2], asked meanwhile, answers.
RELAY = """
import http.server, json, os, sys, urllib.request

class Relay(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = {"service": os.environ["BERTH_SERVICE"], "pid": os.getpid(), "next": None}
        if len(sys.argv) > 2:
            try:
                with urllib.request.urlopen("http://localhost:" + sys.argv[2], timeout=10) as reply:
                    answer["next"] = json.load(reply)
            except OSError as error:
                answer["next"] = str(error)
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Relay).serve_forever()
"""

NUMBERS = {"frontend": 5173, "backend": 9000, "db": 6379}


def chain(world, folder=None, wishes=True):
    """frontend asks backend, which asks db; nobody is told a number."""
    def relay(name, *after):
        return program(RELAY, NUMBERS[name], *(NUMBERS[other] for other in after),
                       **({"port": NUMBERS[name]} if wishes else {"range": "4000-4099"}),
                       **({"depends_on": list(after)} if after else {}))
    return Stack(world, folder, top={"project": "shop"}, frontend=relay("frontend", "backend"),
                 backend=relay("backend", "db"), db=relay("db"))


def path_of(text):
    """[(service, pid)] in the order in which a request came by."""
    found, at = [], json.loads(text)
    while isinstance(at, dict):
        found.append((at["service"], at["pid"]))
        at = at["next"]
    return found if at is None else [*found, at]


def expected(services):
    return [(name, services[name]["pid"]) for name in ("frontend", "backend", "db")]


# --- within one copy ---

@ids("N10")
@root_and_user
@pytest.mark.parametrize("wishes", [True, False], ids=["asked for", "only in the source"])
@pytest.mark.parametrize("strangers", [False, True], ids=["alone", "beside strangers"])
def test_a_number_in_the_source_reaches_the_sibling(world, wishes, strangers):
    for number in NUMBERS.values() if strangers else ():
        world.stranger(number)
    stack = chain(world, wishes=wishes)
    services = stack.up()
    if strangers:
        assert not {port_of(service) for service in services.values()} & set(NUMBERS.values())
    for _ in range(ASKS):
        assert path_of(body(port_of(services["frontend"]))) == expected(services)
    for number in NUMBERS.values() if strangers else ():
        assert answer(number)["server"] == "victim", "from outside the number is the stranger's"


@ids("N10")
@root_and_user
def test_before_it_listens_it_is_refused_and_never_a_stranger(world):
    world.stranger(9000)
    backend, frontend = world.victim("backend"), world.victim("frontend")
    stack = Stack(world, backend={"command": backend.argv(), "port": 9000},
                  frontend={"command": frontend.argv("--connect-before", "9000", 5173), "port": 5173})
    up = stack.start("up")
    backend.running()
    frontend.ready()
    for place in ("9000", "127.0.0.1:9000", "[::1]:9000"):
        assert frontend.connect(place) == "ECONNREFUSED"
    backend.command("listen [::]:9000")
    for place in ("9000", "127.0.0.1:9000", "[::1]:9000"):
        assert frontend.connect(place)["say"] == "backend"
    stack.berth("stop", "backend")
    assert frontend.connect(9000) == "ECONNREFUSED", "it was stopped: nobody else stands in for it"
    backend.forget()
    stack.berth("up", "-d", "--wait", "1s", "backend", check=None)
    backend.running()
    assert frontend.connect(9000) == "ECONNREFUSED"
    backend.command("listen 9000")
    assert frontend.connect(9000)["say"] == "backend"
    up.signal(15)
    up.wait()


@ids("N10")
@root_and_user
def test_one_that_waits_for_its_turn_has_its_number_already(world):
    world.stranger(9000)
    gate, early, late = world.victim("gate"), world.victim("early"), world.victim("late")
    stack = Stack(world, gate={"command": gate.argv(), "port": 9100}, early={"command": early.argv(5173), "port": 5173},
                  late={"command": late.argv(9000), "port": 9000, "depends_on": ["gate"]})
    stack.start("up", "-d")
    early.ready()
    stack.await_state("late", "waiting")
    assert early.connect(9000) == "ECONNREFUSED"
    gate.command("listen 9100")
    late.ready()
    assert early.connect(9000)["say"] == "late"


@ids("N10")
@root_and_user
def test_what_nobody_of_the_stack_asked_for_stays_the_machines(world):
    stranger = world.stranger(7777)
    backend, frontend = world.victim("backend"), world.victim("frontend")
    stack = Stack(world, backend={"command": backend.argv(9000), "port": 9000},
                  frontend={"command": frontend.argv(5173), "port": 5173})
    stack.up()
    for victim in (backend, frontend):
        assert victim.connect(7777)["say"] == stranger.victim.name
        assert victim.connect(7778) == "ECONNREFUSED"
    result = stack.berth("exec", "--in", "shop", "--", "curl", "-s", "http://localhost:7777/")
    assert json.loads(result.out)["say"] == stranger.victim.name


@ids("N10", "S1")
@root_and_user
def test_one_that_is_moved_takes_no_number_that_a_sibling_is_known_by(world):
    """Else it would have two meanings: the one in the source, and the one that is told."""
    world.stranger(9000)
    names = {"api": 9000, "ws": 9001, "admin": 9003}
    victims = {name: world.victim(name) for name in names}
    stack = Stack(world, **{name: {"command": victims[name].argv(port), "port": port} for name, port in names.items()})
    ports = {name: port_of(service) for name, service in stack.up().items()}
    assert ports == {"api": 9002, "ws": 9001, "admin": 9003}
    for victim in victims.values():
        for name, port in names.items():
            assert victim.connect(port)["say"] == name
            assert victim.connect(ports[name])["say"] == name, "the told number reaches it too"


@ids("N10", "N1")
@root_and_user
@pytest.mark.parametrize("kind", ["node", "asyncio", "nginx"])
def test_unchanged_servers_are_siblings(world, kind):
    world.stranger(5000)
    client = world.victim("client")
    stack = Stack(world, server={"command": realservers.JSON_SERVERS[kind](world, "sibling"), "port": 5000},
                  client={"command": client.argv(5173), "port": 5173, "depends_on": ["server"]})
    stack.up()
    heard = client.connect(5000)
    assert heard["say"] == "sibling" and heard.get("server") != "victim", heard


# --- two copies ---

@contextlib.contextmanager
def two_copies(world, how):
    """[(stack, exec's --in, copy, services)] of two that run the same files."""
    if how == "as":
        stack = chain(world)
        plain = stack.up()
        demo = stack.up("--as", "demo")
        yield [(stack, "shop", None, plain), (stack, "shop+demo", "demo", demo)]
        return
    stacks = [chain(world, world.make_project(name)) for name in ("one", "two")]
    yield [(stack, None, None, stack.up()) for stack in stacks]


@ids("N10", "S8")
@root_and_user
@pytest.mark.parametrize("how", ["as", "folders"])
def test_two_copies_never_cross_over(world, how):
    with two_copies(world, how) as copies:
        assert len({port_of(service) for *_, services in copies for service in services.values()}) == 6
        for _ in range(ASKS):
            for *_, services in copies:
                assert path_of(body(port_of(services["frontend"]))) == expected(services)
        # One of them lacks a part: it gets none of the other's.
        stack, _, copy, services = copies[1]
        arguments = ["--as", copy] if copy else []
        stack.berth("down", "db", *arguments)
        wait_until(lambda: services["db"]["pid"] not in {s["pid"] for s in world.services()}, "it has gone")
        for _ in range(ASKS):
            way = path_of(body(port_of(services["frontend"])))
            assert way[:2] == expected(services)[:2] and "refused" in way[2], way
            assert path_of(body(port_of(copies[0][3]["frontend"]))) == expected(copies[0][3])


@ids("N11", "S8")
@root_and_user
@pytest.mark.parametrize("how", ["as", "folders"])
def test_a_command_sees_each_copy_at_the_original_urls(world, how):
    with two_copies(world, how) as copies:
        for stack, name, _, services in copies:
            view = ["exec", *(["--in", name] if name else []), "--"]
            for service, number in NUMBERS.items():
                heard = path_of(stack.berth(*view, "curl", "-s", f"http://localhost:{number}/").out)
                assert heard[0] == (service, services[service]["pid"]), heard
            env = json.loads(stack.berth(*view, "python3", "-c",
                                         "import json, os; print(json.dumps(dict(os.environ)))").out)
            for service in NUMBERS:
                port = port_of(services[service])
                assert env[f"{service.upper()}_PORT"] == str(port) and str(port) in env[f"{service.upper()}_URL"], env


@ids("N11")
@root_and_user
def test_exec_in_one_service_has_its_variables_and_its_siblings(world):
    stack = chain(world)
    services = stack.up()
    result = stack.berth("exec", "--in", "backend", "--", "sh", "-c", "echo $PORT $DB_PORT $BERTH_SERVICE")
    assert result.out.split() == [str(port_of(services["backend"])), str(port_of(services["db"])), "backend"]
    heard = path_of(stack.berth("exec", "--in", "backend", "--", "curl", "-s", "http://localhost:5173/").out)
    assert heard == expected(services)
    result = stack.berth("exec", "--in", "shop+nobody", "--", "true", check=None)
    assert result.code in (3, 125) and "shop+nobody" in result.err, result


@ids("N11", "N10")
@root_and_user
def test_status_says_which_number_stands_for_which(world):
    world.stranger(9000)
    stack = chain(world)
    services = stack.up()
    assert path_of(body(port_of(services["frontend"]))) == expected(services)
    text = stack.berth("status").out
    assert "9000 → 9001" in text, text
