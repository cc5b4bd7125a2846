# SPDX-License-Identifier: MIT
# scenario/test_usage_errors_offer_the_closest_word.py - the command line's own face
"""One line and "try --help"; unknown words offer the closest; results on standard output, all else on standard error."""


import pytest

from berthtest import UNKNOWN, USAGE


@pytest.mark.parametrize("typed, meant", [
    ("rnu", "run"), ("staus", "status"), ("stpo", "stop"), ("restrat", "restart"), ("hisotry", "history"),
    ("kill", "stop"), ("start", "run"), ("restart-all", "restart"), ("lsof", "who"),
])
def test_an_unknown_verb_gets_the_right_one_in_one_line(world, typed, meant):
    result = world.berth(typed, check=USAGE)
    assert result.out == "" and f"berth {meant}" in result.err or f"'{meant}'" in result.err, result
    assert len(result.err.splitlines()) <= 2


@pytest.mark.parametrize("typed", ["list", "ps"])
def test_words_that_mean_exactly_one_of_ours_work(world, typed):
    assert world.berth(typed, "--json").json == {"version": 1, "services": []}


@pytest.mark.parametrize("typed, meant", [("--prot", "--port"), ("--nmae", "--name"), ("--detatch", "--detach"),
                                          ("--rage", "--range")])
def test_an_unknown_option_offers_the_closest(world, typed, meant):
    result = world.berth("run", typed, "x", "--", "true", check=USAGE)
    assert meant in result.err and len(result.err.splitlines()) <= 2


@pytest.mark.parametrize("arguments", [
    ["run"], ["run", "--"], ["run", "--port"], ["run", "--range", "5-"], ["port"], ["exec"], ["status", "--nonsense"],
    ["run", "--steer", "sideways", "--", "true"], ["run", "--map", "x", "--", "true"], ["run", "--grace", "long", "--", "true"],
    ["run", "--owner", "me", "--", "true"], ["run", "-e", "NOEQUALS=", "-e", "=x", "--", "true"],
])
def test_usage_errors_are_exit_2_and_say_what_to_try(world, arguments):
    result = world.berth(*arguments, check=None)
    if arguments == ["port"]:
        assert result.code in (USAGE, UNKNOWN)
        return
    assert result.code == USAGE, result
    assert result.out == "" and result.err.startswith("berth: ") and len(result.err.splitlines()) <= 2


@pytest.mark.parametrize("command", ["up", "plan", "down"])
def test_a_second_profile_is_refused(world, command):
    """Compose takes several; here the last one won, and nobody was told."""
    world.write("berth.yaml", "services: { a: { command: x, profiles: [x, y] } }\n")
    for words in (["--profile", "x", "--profile", "y"], ["--profile=x", "--profile=x"]):
        refused = world.berth(command, *words, check=USAGE)
        assert "--profile can be given once, and is 'x' and '" in refused.err, refused


def test_a_usage_error_with_json_is_one_document(world):
    result = world.berth("run", "-d", "--json", "--port", "x", "--", "true", check=USAGE)
    assert result.error["code"] == "usage"


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["run", "--help"], ["stop", "--help"], ["help", "run"]])
def test_help_is_a_result(world, arguments):
    result = world.berth(*arguments)
    assert "berth" in result.out and result.err == ""
    assert max(map(len, result.out.splitlines())) <= 100


def test_version(world):
    assert world.berth("--version").out.startswith("berth ")
    assert world.berth("version").out.startswith("berth ")


def test_nothing_running_is_an_empty_list(world):
    assert world.berth("ls", "--json").json == {"version": 1, "services": []}
    assert world.berth("status", "--json", check=None).code in (0, UNKNOWN)


def test_no_color_without_a_terminal(world):
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    for command in ("ls", "status"):
        assert "\x1b" not in world.berth(command, env={"TERM": "xterm"}).out


def test_columns_may_be_picked(world):
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    out = world.berth("ls", "-o", "service,url", check=None)
    assert out.code == 0 and "web" in out.out and "5000" in out.out
    assert world.berth("ls", "-o", "nonsense", check=USAGE).out == ""


def test_no_option_asks_for_a_key_without_a_terminal(world):
    world.occupy(5000)
    world.berth("run", "--port", "5000", "--", "true", input="")
