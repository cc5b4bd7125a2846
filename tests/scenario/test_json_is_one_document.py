# SPDX-License-Identifier: MIT
# scenario/test_json_is_one_document.py - all that prints has --json, and it looks as berth(1) says
"""Exactly one document on standard output, success or error, null for absent and never missing."""

import pytest

from berthtest import check_service, ids, port_of, root_and_user


@ids("I4")
@root_and_user
def test_a_moved_service_has_every_key(world):
    stranger = world.stranger(5000)
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    for command in (["ls", "--json"], ["status", "web", "--json"], ["status", "--json"]):
        service = world.berth(*command).service
        check_service(service)
        port = service["ports"][0]
        assert (port["asked"], port["port"], port["reason"]) == (5000, 5001, "taken")
        assert port["holder"]["pid"] == stranger.pid and port["holder"]["process"] == "victim"
        assert port["url"] == "http://localhost:5001" and port["addresses"] == ["0.0.0.0"]


@pytest.mark.parametrize("command", [["ls"], ["history"], ["doctor"], ["version"], ["stop", "web"], ["port", "web"],
                                     ["url", "web"], ["status", "web"], ["restart", "web"]])
def test_every_command_that_prints_has_json(world, command):
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    result = world.berth(*command, "--json", check=None)
    assert result.json["version"] == 1 and result.code in (0, 1)
    assert len(result.out.strip().splitlines()) == 1


@pytest.mark.parametrize("command, code", [(["status", "none"], "not-found"), (["port", "none"], "not-found"),
                                           (["run", "-d", "--port", "x", "--", "true"], "usage"),
                                           (["restart", "none"], "not-found")])
def test_errors_are_documents_too(world, command, code):
    options = command[:1] + ["--json"] + command[1:]
    result = world.berth(*options, check=None)
    assert result.error["code"] in (code, "not-running")


def test_doctor_says_what_berth_can_do_here(world):
    result = world.berth("doctor", check=None)
    assert "steer" in result.out.lower() and "contain" in result.out.lower()


@ids("I4")
def test_the_port_of_a_named_port_is_asked_with_a_colon(world):
    world.run_d("--name", "viewer", "--port", "http=8080", "--port", "ws=8081", "--", *world.victim().argv(8080, 8081))
    assert world.berth("port", "viewer:ws").out == "8081\n"
    assert world.berth("url", "viewer:ws").out == "http://localhost:8081\n"
    assert port_of(world.services()[0], "ws") == 8081
