# SPDX-License-Identifier: MIT
# scenario/test_a_pinned_number_is_kept_for_its_service.py - P12: berth pin, berth unpin
"""A pinned number goes before wish and memory, is nobody else's while there is another one, and is no reason to fail."""

import json
import os

from berthtest import ids, root_and_user
from test_json_matches_its_schemas import validate


def once(world, *options, places=(5000,), cwd=None, name="web", keep=False):
    victim = world.victim()
    service = world.run_d("--name", name, *options, "--", *victim.argv(*places), cwd=cwd)["service"]
    if not keep:
        world.berth("stop", name, cwd=cwd)
    return service["ports"][0]["port"], service["ports"][0]["reason"]


@ids("P12")
@root_and_user
def test_a_pin_goes_before_the_wish_and_what_is_remembered(world):
    assert once(world, "--port", "5000") == (5000, "wished")
    result = world.berth("pin", "web", "7000")
    assert result.out == "" and result.err == "berth: web is pinned to 7000\n"
    assert once(world, "--port", "5000") == (7000, "pinned")
    assert once(world, "--range", "5000-5010") == (7000, "pinned")
    assert once(world, "--port", "5000", "--strict") == (5000, "wished")
    assert once(world, "--port", "5000", "--free") == (5000, "wished")
    world.berth("unpin", "web")
    assert once(world, "--port", "5000")[0] == 5000


@ids("P12")
@root_and_user
def test_a_pin_of_what_has_never_run_is_in_port_from_the_first_start_on(world):
    result = world.berth("pin", "web", "7000")
    assert "no 'web' has run here yet" in result.err
    out = world.berth("run", "--name", "web", "--", "sh", "-c", "echo $PORT").out
    assert out == "7000\n"
    assert once(world) == (7000, "pinned")  # the program binds 5000, which nobody has told


@ids("P12")
def test_a_pin_that_a_stranger_holds_is_no_reason_to_fail(world):
    world.berth("pin", "web", "7000")
    world.occupy(7000)
    assert once(world, "--port", "5000") == (5000, "wished")
    assert once(world, "--range", "5001-5001") == (5001, "wished")
    assert once(world, name="web")[0] in (5000, 5001)


@ids("P12")
def test_a_pin_alone_that_a_stranger_holds_leaves_the_program_its_own(world):
    world.berth("pin", "api", "7000")
    world.occupy(7000)
    assert once(world, name="api")[0] == 5000


@ids("P12")
@root_and_user
def test_a_pinned_number_is_nobody_elses_while_there_is_another(world):
    other = world.make_project("other")
    world.berth("pin", "web", "5000")
    assert once(world, "--port", "5000", name="api")[0] == 5001
    assert once(world, "--port", "5000", cwd=other)[0] == 5002  # 5001 is remembered for the one before
    assert once(world, cwd=other, name="own-number")[0] not in (5000,)
    assert once(world, "--range", "5000-5000", cwd=other)[0] == 5000
    assert once(world, "--port", "5000") == (5000, "pinned")


@ids("P12")
def test_of_a_group_one_port_can_be_pinned(world):
    world.berth("pin", "web:ws", "7001")
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "http=5000", "--port", "ws=5001", "--",
                          *victim.argv(5000, 5001))["service"]
    assert {port["name"]: port["port"] for port in service["ports"]} == {"http": 7000, "ws": 7001}


@ids("P12")
def test_the_pin_follows_the_folder_that_it_runs_in(world):
    """`berth pin` at the root means the service that runs below it."""
    below = os.path.join(world.project, "api")
    os.mkdir(below)
    world.give(below)
    assert once(world, "--port", "5000", cwd=below, keep=True)[0] == 5000
    result = world.berth("pin", "web", "7000")
    assert "it has 5000 now, and 7000 when it is stopped and started" in result.err
    world.berth("stop", "web")
    assert once(world, "--port", "5000", cwd=below) == (7000, "pinned")


@ids("P12")
def test_an_instance_has_a_pin_of_its_own(world):
    world.berth("pin", "web.2", "7002")
    document = world.run_d("--name", "web", "--instances", "2", "--port", "5000", "--", world.helper("victim"), "5000")
    assert [service["ports"][0]["port"] for service in document["services"]] == [5000, 7002]


@ids("P12")
def test_what_was_pinned_is_told_with_its_instance_and_port(world):
    """`berth pin v:nope 1` said that "v" was pinned, and so did `pin v:ws`, `pin api.2`."""
    world.write("berth.yaml", "services:\n  v: { command: x, ports: { http: 9734, ws: 9735 } }\n"
                              "  api: { command: x, port: 9700 }\n  job: { command: x, port: none }\n")
    assert world.berth("pin", "api.2", "9706").err == "berth: api.2 is pinned to 9706\n"
    assert world.berth("pin", "v:ws", "9735").err == "berth: v:ws is pinned to 9735\n"
    assert world.berth("unpin", "v:ws").err == "berth: v:ws is not pinned any more\n"
    world.berth("pin", "v:main", "9734")
    world.berth("unpin", "v:nope")
    for operand, said in (("v:htp", "'v' has no port 'htp'"), ("api:ws", "'api' has no port 'ws'"), ("job", "'job' has no port")):
        refused = world.berth("pin", operand, "1234", check=2)
        assert said in refused.err, refused
    assert "did you mean 'http'?" in world.berth("pin", "v:htp", "1234", check=2).err
    assert len(world.berth("pin", "--json").json["pins"]) == 2


@ids("P12")
def test_what_is_pinned_is_listed(world):
    other = world.make_project("other")
    assert world.berth("pin").err == "berth: nothing is pinned\n"
    validate(world.berth("pin", "web", "7000", "--json").json, "pins")
    world.berth("pin", "api:ws", "7001", cwd=other)
    document = world.berth("pin", "--json").json
    validate(document, "pins")
    assert [(pin["label"], pin["port"]) for pin in document["pins"]] == [("shop/web", 7000), ("other/api:ws", 7001)]
    lines = world.berth("pin").out.splitlines()
    assert lines[0].split() == ["SERVICE", "PORT", "FOLDER", "FROM"]
    assert lines[1].split() == ["shop/web", "7000", world.project, "pin"]
    document = world.berth("unpin", "web", "--json").json
    validate(document, "pins")
    assert document["pins"] == []


@ids("P12")
def test_a_number_is_pinned_once(world):
    other = world.make_project("other")
    world.berth("pin", "web", "7000")
    result = world.berth("pin", "api", "7000", check=1)
    assert f"port 7000 is pinned for 'shop/web' of {world.project}" in result.err and "unpin" in result.err
    world.berth("pin", "web", "7000", cwd=other, check=1)
    world.berth("pin", "web", "7000")  # it is so already
    world.berth("pin", "web", "7001")
    world.berth("pin", "api", "7000")


@ids("P12")
def test_the_goal_may_hold_already(world):
    assert "was not pinned" in world.berth("unpin", "web").err


@ids("P12")
def test_what_can_not_be_meant_is_refused(world):
    for operands in (["web", "0"], ["web", "65536"], ["web", "x"], ["Web", "5"], ["shop/web", "5"], ["web"], ["5000", "5"]):
        world.berth("pin", *operands, check=2)


@ids("P12")
def test_pins_that_are_rubbish_are_no_obstacle_to_a_start(world):
    world.berth("pin", "web", "7000")
    path = os.path.join(world.state, "berth", "pins.json")
    world.write(path, "rubbish", mode=0o600)
    assert once(world, "--port", "5000")[0] == 5000
    assert "no list of pins" in world.berth("pin", check=2).err
    world.write(path, json.dumps({"version": 1, "pins": [1, {}, {"key": 1}, {"port": 70000}]}), mode=0o600)
    assert once(world, "--port", "5000")[0] == 5000


@ids("P12", "F5")
@root_and_user
def test_a_service_of_a_stack_is_pinned_by_its_name_from_anywhere_below(world):
    victim = world.helper("victim")
    world.write("berth.yaml", f"services:\n  web:\n    command: {victim} {{port}}\n    port: 5000\n")
    below = os.path.join(world.project, "src")
    os.mkdir(below)
    world.give(below)
    for options, port in (([], 7000), (["--as", "demo"], 7001)):
        result = world.berth("pin", *options, "web", str(port), cwd=below)
        assert result.err == f"berth: web is pinned to {port}\n"
        document = world.berth("up", "-d", "--json", *options).json
        assert [(p["port"], p["reason"]) for p in document["services"][0]["ports"]] == [(port, "pinned")]
    assert [pin["label"] for pin in world.berth("pin", "--json").json["pins"]] == ["shop/web", "shop+demo/web"]
    for options in ([], ["--as", "demo"]):
        world.berth("down", *options)
        world.berth("unpin", *options, "web", cwd=below)
    assert world.berth("pin").err == "berth: nothing is pinned\n"
