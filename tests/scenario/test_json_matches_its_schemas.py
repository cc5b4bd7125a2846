# SPDX-License-Identifier: MIT
# scenario/test_json_matches_its_schemas.py - what --json prints is what share/schemas says
"""Members that are not in the schema are a fault too: they would be undocumented."""

import json
import os
import pathlib
import signal
import warnings

import pytest

from berthtest import ROOT, root_and_user, skip

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMAS = pathlib.Path(ROOT, "share", "schemas")


def validate(document, name):
    if jsonschema is None:
        skip("python3-jsonschema is not installed")
    path = SCHEMAS / f"{name}.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Debian 12 knows no other way to resolve references
        resolver = jsonschema.RefResolver(path.as_uri(), schema)
        faults = list(jsonschema.Draft202012Validator(schema, resolver=resolver).iter_errors(document))
    causes = [cause for fault in faults for cause in fault.context or [fault]]
    assert not faults, [(list(cause.absolute_path), cause.message) for cause in causes]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_one(path):
    if jsonschema is None:
        skip("python3-jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@root_and_user
def test_every_document_of_a_service_that_was_moved(world):
    world.occupy(5000)
    start = ["run", "-d", "--json", "--name", "web", "--port", "5000", "--ttl", "1h", "--",
             *world.victim().argv(5000)]
    validate(world.berth(*start).json, "run")
    again = world.berth(*start, check=None).json
    validate(again, "error")
    assert again["error"]["service"]["ports"][0]["port"] == 5001
    for command in ("ls", "status", "restart"):
        validate(world.berth(command, "--json").json, "services")
    for operands in (["web"], ["5001", "--for", "ready"]):
        validate(world.berth("wait", "--json", *operands).json, "services")
    for command in ("port", "url"):
        validate(world.berth(command, "web", "--json").json, command)
    validate(world.berth("stop", "web", "--json").json, "services")
    stopped = world.berth("status", "web", "--json", check=3).json
    validate(stopped, "services")
    assert stopped["services"][0]["last"]["exit"]["by"] == "user"
    ended = world.berth("history", "--json").json
    validate(ended, "history")
    assert ended["ends"]


def test_documents_of_workers_and_instances(world):
    for kind, scaled in (("--workers", 1), ("--instances", 3)):
        world.berth("run", "-d", "--name", "web", "--restart", "always", kind, "2", "--", *world.victim().argv(5000))
        for command in (["ls"], ["status"], ["restart"], ["restart", "--rolling"], ["scale", "web=3"], ["wait", "web"]):
            document = world.berth(*command, "--json").json
            validate(document, "services")
            assert document["services"][0]["restart_policy"] == "always"
        assert len(document["services"]) == scaled
        assert len(document["services"][0]["workers"]) == (3 if kind == "--workers" else 1)
        stopped = world.berth("stop", "web", "--json").json
        validate(stopped, "services")
        validate(world.berth("wait", "web", "--for", "stopped", "--json").json, "services")


def test_a_service_that_ended_comes_with_the_error(world):
    victim = world.victim()
    world.berth("run", "-d", "--name", "web", "--", *victim.argv(5000))
    failed = world.berth("restart", "--json", "web", "--", "false", check=1).json
    validate(failed, "error")
    assert failed["error"]["code"] == "start-failed"


def test_each_line_of_a_log_is_a_document(world):
    world.berth("run", "-d", "--name", "web", "--port", "none", "--ready", "log ^up", "--", "sh", "-c",
                "echo starting; echo odd >&2; echo up; exec sleep 600")
    lines = [json.loads(line) for line in world.berth("logs", "--json", "web").out.splitlines()]
    for line in lines:
        validate(line, "log")
    assert sorted((line["stream"], line["text"]) for line in lines) == [
        ("stderr", "odd"), ("stdout", "starting"), ("stdout", "up")]


def test_each_line_of_a_stack_is_a_document(world):
    with open(os.path.join(world.project, "berth.yaml"), "w", encoding="utf-8") as file:
        file.write("services:\n  web: {command: [sh, -c, 'echo up; exec sleep 600'], port: none}\n"
                   "  job: {command: [sh, -c, 'exit 3'], port: none}\n")
    up = world.start("up", "--json")
    up.wait_for('"text":"up"', stream="out")
    up.wait_for('"stream":"berth"', stream="out")
    up.signal(signal.SIGINT)
    up.wait()
    for line in up.out.splitlines():
        validate(json.loads(line), "log")


def test_documents_without_a_service(world):
    validate(world.berth("ls", "--json").json, "services")
    validate(world.berth("history", "--json").json, "history")
    validate(world.berth("version", "--json").json, "version")
    validate(world.berth("doctor", "--json", check=None).json, "doctor")
    world.occupy(5000)
    validate(world.berth("who", "--json", "5000", "5001").json, "who")


@pytest.mark.parametrize("command", [["status", "nobody"], ["ls", "--bogus"], ["run", "true"],
                                     ["run", "-d", "--port", "5000", "--strict", "true"],
                                     ["run", "-d", "false"], ["restart", "nobody"], ["scale", "nobody=2"], ["scale", "web=0"],
                                     ["wait", "nobody", "--timeout", "1ms"]], ids=" ".join)
def test_every_error_is_a_document(world, command):
    world.occupy(5000)
    result = world.berth(command[0], "--json", *command[1:], check=None)
    validate(result.json, "error")
    assert result.json["error"]["exit"] == result.code


def test_each_event_of_a_life_with_a_restart(world):
    world.occupy(5000)
    read_end, write_end = os.pipe()
    victim = world.victim()
    run = world.start("run", "--status-fd", str(write_end), "--name", "web", "--", *victim.argv(5000),
                      pass_fds=[write_end])
    os.close(write_end)
    run.wait_for("^berth: web is")
    world.berth("restart", "web")
    world.berth("stop", "web")
    run.wait()
    with os.fdopen(read_end, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    for event in events:
        validate(event, "event")
    assert [event["event"] for event in events] == [
        "leased", "moved", "ready", "restarted", "moved", "ready", "exited"]


STACK = """
services:
  backend: {{ command: {backend}, port: 9000, links: {{ docs: /docs }}, cors: [frontend] }}
  frontend: {{ command: {frontend}, port: 5173, depends_on: [backend] }}
  worker: {{ command: sleep 1000, port: none, instances: 2 }}
"""


@root_and_user
def test_every_document_of_a_stack(world):
    world.occupy(9000)
    manifest = os.path.join(world.project, "berth.yaml")
    words = {name: json.dumps(world.victim().argv(port)) for name, port in (("backend", 9000), ("frontend", 5173))}
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(STACK.format(**words))
    plan = world.berth("plan", "--json").json
    validate(plan, "plan")
    assert [service["service"] for service in plan["services"]] == ["backend", "frontend", "worker", "worker"]
    up = world.berth("up", "-d", "--json").json
    validate(up, "services")
    backend = next(service for service in up["services"] if service["service"] == "backend")
    assert backend["ports"][0]["links"] == {"docs": "http://localhost:9001/docs"}
    running = world.berth("up", "-n", "--json").json
    validate(running, "plan")
    assert all(service["running"] for service in running["services"])
    for command in (["status"], ["ls"], ["up", "-d"], ["restart", "frontend"], ["down", "worker"], ["down"]):
        validate(world.berth(*command, "--json").json, "services")
    with open(manifest, "a", encoding="utf-8") as file:
        file.write("  bad: { command: sh -c 'exit 3', port: 7000 }\n")
    failed = world.berth("up", "-d", "--json", check=1).json
    validate(failed, "error")
    assert [one["service"] for one in failed["error"]["failed"]] == ["bad"]
    assert failed["error"]["failed"][0]["exit"] == 3
    world.berth("down")
    with open(manifest, "a", encoding="utf-8") as file:
        file.write("  bad: { command: x }\n")
    wrong = world.berth("up", "--json", check=2).json
    validate(wrong, "error")
    assert wrong["error"]["faults"]
