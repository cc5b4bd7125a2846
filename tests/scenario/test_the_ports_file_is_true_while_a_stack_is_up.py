# SPDX-License-Identifier: MIT
# scenario/test_the_ports_file_is_true_while_a_stack_is_up.py - S2, S3, S8, D2: .ports.json, and what a user writes there
"""The file is looked at from outside, as the programs do that read it: at every moment it is whole JSON, and true."""

import json
import os
import threading

import pytest

from berthtest import USAGE, alive, as_user, body, ids, kill, port_of, root_and_user, skip, wait_gone, wait_until
from stacks import Stack, program, read_json, read_lines, shell

# Listens on PORT at once, says where, and listens nowhere else. Written for a restart on another number.
SERVER = """
import http.server, os
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["PORT"].encode())
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Quiet).serve_forever()
"""


def server(port, **more):
    return program(SERVER, port=port, **more)


def own(file):
    """Without what is told under "berth"."""
    return {name: value for name, value in file.items() if name != "berth"}


@ids("S2")
@root_and_user
def test_it_has_the_keys_that_programs_read_and_no_others(world):
    viewer = world.victim()
    stack = Stack(world, top={"project": "shop"}, backend=server(9000), cache=server(6379),
                  viewer={"command": viewer.argv(8080, 8081), "ports": {"http": 8080, "ws": 8081}},
                  worker=shell("exec sleep 1000"), web=server(7000, instances=2), bare=server(7100, scheme="none"),
                  **{"front-end": server(5173)})
    services = stack.up()
    file = stack.ports()
    assert own(file) == {
        "backend_port": 9000, "backend_url": "http://localhost:9000",
        "front_end_port": 5173, "front_end_url": "http://localhost:5173",
        "cache_port": 6379, "cache_url": "redis://localhost:6379",
        "viewer_port": 8080, "viewer_url": "http://localhost:8080",
        "viewer_http_port": 8080, "viewer_http_url": "http://localhost:8080",
        "viewer_ws_port": 8081, "viewer_ws_url": file["viewer_ws_url"],
        "web_port": 7000, "web_url": "http://localhost:7000", "bare_port": 7100}
    assert file["viewer_ws_url"].endswith("://localhost:8081")
    notes = file["berth"]
    assert notes["version"] == 1 and notes["project"] == "shop" and notes["copy"] is None
    assert notes["pid"] == services["backend"]["supervisor_pid"]
    assert {name: service["state"] for name, service in notes["services"].items()} == {
        name: "ready" for name in ("backend", "front-end", "cache", "viewer", "worker", "web", "bare")}
    assert notes["services"]["backend"]["port"] == notes["services"]["backend"]["asked"] == 9000
    assert [one["port"] for one in notes["services"]["web"]["instances"]] == [7000, 7001]
    stack.berth("down")
    assert not os.path.exists(stack.ports_file)


@ids("S2")
@root_and_user
def test_it_is_there_before_the_first_service_runs(world):
    """A service can read it at its start, its own members and the others'."""
    copy = os.path.join(world.home, "copy")
    stack = Stack(world, backend=server(9000), frontend=shell("cp .ports.json $1; exec sleep 1000", copy, port=5173,
                                                              ready="log never", start_timeout="1h"),
                  late=server(9100, depends_on=["backend"]))
    world.occupy(9100)
    stack.start("up", "-d")
    wait_until(lambda: os.path.exists(copy) and os.path.getsize(copy), "it was read")
    assert {name: number for name, number in read_json(copy).items() if name.endswith("_port")} == {
        "backend_port": 9000, "frontend_port": 5173, "late_port": 9101}


@ids("S2", "P13")
@root_and_user
def test_a_service_that_moves_is_there_at_once(world):
    """Its number is taken between two lives: whoever reads the file is never told the old one once the new one answers."""
    stack = Stack(world, backend=server(9000, restart="no"), other=server(9100))
    first = stack.up()
    stack.berth("stop", "backend")
    wait_until(lambda: "backend_port" not in stack.ports(), lambda: stack.ports())
    assert stack.ports()["other_port"] == 9100
    world.occupy(9000)
    again = stack.up()
    number = port_of(again["backend"])
    assert number != 9000
    assert stack.ports()["backend_port"] == number and stack.ports()["backend_url"].endswith(f":{number}")
    assert again["other"] == first["other"]


@ids("S2")
@root_and_user
def test_whoever_reads_it_always_reads_the_whole_of_it(world):
    stack = Stack(world, **{f"s{i}": shell("exec sleep 1000", port=9000 + i, ready="log never", start_timeout="1h")
                            for i in range(4)}, api=server(9100))
    stack.start("up", "-d")
    wait_until(lambda: "api_port" in stack.ports(), "it is there")
    seen, over = [], threading.Event()

    def reader():
        while not over.is_set():
            with open(stack.ports_file, encoding="utf-8") as file:
                seen.append(file.read())
    thread = threading.Thread(target=reader)
    thread.start()
    for _ in range(3):
        stack.berth("restart", "api")
    over.set()
    thread.join()
    documents = [json.loads(text) for text in set(seen)]
    assert seen and all({f"s{i}_port" for i in range(4)} <= set(document) for document in documents)


# --- what a user has written ---

@ids("S3")
@root_and_user
def test_a_number_written_by_hand_is_the_wish(world):
    stack = Stack(world, backend=server(9000), frontend=server(5173, range="5173-5272"), other=server(9100))
    mine = {"backend_port": 9005, "frontend_port": "5180", "unknown_port": 1, "note": {"keep": ["me"]}}
    world.write(".ports.json", json.dumps(mine))
    assert {name: port_of(service) for name, service in stack.up().items()} == {
        "backend": 9005, "frontend": 5180, "other": 9100}
    file = stack.ports()
    assert file["backend_port"] == 9005 and file["frontend_port"] == 5180
    assert file["unknown_port"] == 1 and file["note"] == {"keep": ["me"]}
    stack.berth("down")
    assert stack.ports() == mine, "as it was"
    assert port_of(stack.up()["backend"]) == 9005


@ids("S3", "P5")
@root_and_user
def test_the_stronger_word_counts(world):
    """Manifest, .env, the file, the environment, the flag."""
    stack = Stack(world, backend=server(9000))

    def once(*arguments, **options):
        number = port_of(stack.up(*arguments, **options)["backend"])
        stack.berth("down")
        return number
    assert once() == 9000
    world.write(".env", "BACKEND_PORT=9010\n")
    assert once() == 9010
    world.write(".ports.json", '{"backend_port": 9020}')
    assert once() == 9020
    environment = {"BACKEND_PORT": "9030"}
    assert once(env=environment) == 9030
    assert once("-p", "backend=9040", env=environment) == 9040
    assert stack.ports() == {"backend_port": 9020}


@ids("S3")
@root_and_user
def test_what_stands_beside_it_is_kept_while_it_is_up(world):
    """Another program writes a member of its own meanwhile."""
    stack = Stack(world, backend=server(9000), late=server(9100))
    world.write(".ports.json", '{"mine": 1}')
    stack.up("backend")
    content = wait_until(lambda: stack.ports()["berth"]["services"]["backend"]["state"] == "ready" and stack.ports(),
                         "it says all that it has to")
    content["theirs"] = "hello"
    world.write(".ports.json", json.dumps(content))
    stack.up()
    assert own(stack.ports())["theirs"] == "hello" and stack.ports()["late_port"] == 9100
    stack.berth("down")
    assert stack.ports() == {"mine": 1, "theirs": "hello"}


@ids("S2", "I2")
@root_and_user
def test_a_file_that_a_killed_one_left_is_no_wish(world):
    stack = Stack(world, backend=server(9000), worker=server(9100))
    world.write(".ports.json", '{"mine": 1}')
    blocker = world.occupy(9000)
    service = stack.up()["backend"]
    assert port_of(service) == 9001
    blocker.close()
    kill(service["supervisor_pid"])
    wait_gone(service["supervisor_pid"])
    world.nothing_left()
    left = stack.ports()
    if "berth" in left:
        assert not alive(left["berth"]["pid"])
    stack.write(backend=server(9000), other=server(9200))
    assert port_of(stack.up("other")["other"]) == 9200
    assert set(own(stack.ports())) == {"mine", "other_port", "other_url"}
    stack.berth("down")
    assert stack.ports() == {"mine": 1}


@ids("D2", "S3")
@root_and_user
def test_what_is_planned_and_written_is_what_comes_up(world):
    stack = Stack(world, backend=server(9000), frontend=server(5173, depends_on=["backend"]))
    blocker = world.occupy(9000)
    planned = stack.berth("plan", "--json", "--write").json["services"]
    assert {service["service"]: port_of(service) for service in planned} == {"backend": 9001, "frontend": 5173}
    assert world.everything() == []
    assert stack.ports()["backend_port"] == 9001
    blocker.close()
    assert port_of(stack.up()["backend"]) == 9001, "it is a wish now"
    stack.berth("down")
    text = stack.berth("plan").out
    assert "9001" in text and "5173" in text, text


@ids("D2")
@root_and_user
def test_a_plan_starts_and_writes_nothing(world):
    stack = Stack(world, backend=server(9000), frontend=server(5173, depends_on=["backend"]))
    for arguments in (["plan"], ["up", "--dry-run"], ["up", "-d", "-n"]):
        out = stack.berth(*arguments).out
        assert "9000" in out and "5173" in out
        assert world.everything() == [] and stack.ports() == {}
    running = stack.up("backend")
    document = stack.berth("plan", "--json").json["services"]
    assert [(one["service"], one["running"], port_of(one)) for one in document] == [
        ("backend", True, 9000), ("frontend", False, 5173)]
    assert stack.services() == running


@ids("S8", "S2")
@root_and_user
def test_each_copy_has_a_file_of_its_own(world):
    stack = Stack(world, backend=server(9000))
    world.write(".ports.demo.json", '{"backend_port": 9050}')
    stack.up()
    stack.up("--as", "demo")
    assert stack.ports()["backend_port"] == 9000 and stack.ports("demo")["backend_port"] == 9050
    assert stack.ports("demo")["berth"]["copy"] == "demo"
    stack.berth("down")
    assert stack.ports() == {} and stack.ports("demo")["berth"]
    stack.berth("down", "--as", "demo")
    assert stack.ports("demo") == {"backend_port": 9050}


# --- the other form, and where it can't be written ---

@ids("S2", "S6")
@root_and_user
def test_the_same_is_kept_as_lines_of_an_environment(world):
    viewer = world.victim()
    stack = Stack(world, backend=server(9000), viewer={"command": viewer.argv(8080, 8081), "ports": {"http": 8080, "ws": 8081}})
    os.mkdir(os.path.join(world.project, "sub"))
    world.give(os.path.join(world.project, "sub"))
    world.occupy(9000)
    stack.berth("up", "-d", "--export-env", "ports.env", cwd=world.project)
    lines = read_lines(os.path.join(world.project, "ports.env"))
    for line in ("BACKEND_PORT=9001", "VIEWER_PORT=8080", "VIEWER_WS_PORT=8081"):
        assert line in lines, lines
    assert any(line.startswith("BACKEND_URL=") and line.strip("\"'").endswith("http://localhost:9001") for line in lines), lines
    stack.berth("down")
    assert not os.path.exists(os.path.join(world.project, "ports.env"))


@ids("S2", "S6", "F7")
def test_a_file_of_the_users_is_never_taken_for_it(world):
    """Symptom: `up --export-env .env` replaced the user's .env, and removed it in the end."""
    stack = Stack(world, backend=server(9000))
    path = world.write(".env", "SECRET=1\n")
    os.symlink(path, os.path.join(world.project, "link.env"))
    for name in (".env", "link.env"):
        result = stack.berth("up", "-d", "--export-env", name, check=USAGE)
        assert f"{name}' is not berth's, and would be lost" in result.err, result
    stack.berth("up", "-d", "--export-env", "ports.env")
    os.unlink(os.path.join(world.project, "ports.env"))
    os.rename(path, os.path.join(world.project, "ports.env"))
    stack.berth("down")
    assert read_lines(os.path.join(world.project, "ports.env")) == ["SECRET=1"]


@ids("S2", "S3")
@root_and_user
@pytest.mark.parametrize("text", ["not json", '{"backend_port": }', "[1, 2]", '{"backend_port": "many"}', '{"backend_port": 99999}'])
def test_what_can_not_be_understood_stops_the_start_and_stays(world, text):
    stack = Stack(world, backend=server(9000))
    path = world.write(".ports.json", text)
    for arguments in (["-d"], []):
        result = stack.berth("up", *arguments, check=USAGE)
        assert ".ports.json:1:" in result.err, result
    error = stack.berth("up", "-d", "--json", check=USAGE).error
    assert error["code"] == "config" and error["faults"][0]["file"].endswith(".ports.json")
    with open(path, encoding="utf-8") as file:
        assert file.read() == text
    assert world.everything() == []


@ids("S2")
@as_user
def test_a_folder_that_can_not_be_written_is_said_once_and_hinders_nothing(world):
    if world.uid is None:
        skip("root may write everywhere")
    stack = Stack(world, backend=server(9000))
    os.chown(world.project, 0, 0)
    os.chmod(world.project, 0o755)
    up = stack.start("up")
    up.wait_for("cannot write .*ports.json", stream="out")
    wait_until(lambda: stack.states() == {"backend": "ready"}, lambda: stack.states())
    assert stack.ports() == {} and body(9000) == "9000"
    stack.berth("down")
    up.wait()
    assert up.out.count("cannot write") == 1, up
