# SPDX-License-Identifier: MIT
# scenario/test_free_says_what_it_would_do.py - D3, D4: the dry run, the question, and what run does with it
"""Before anybody is ended: -n tells it, a terminal is asked, --json has it all; then `run --free` and `run --ask`."""

import signal

import pytest

from berthtest import NO_PORT, USAGE, alive, answer, bindable, ids, root_and_user
from test_json_matches_its_schemas import validate


# --- the dry run ---


@ids("D3")
@root_and_user
def test_a_dry_run_tells_exactly_what_would_be_done_and_does_nothing(world):
    stranger = world.stranger(5000)
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5001", "--", *victim.argv(5001))["service"]
    other = world.victim()
    elsewhere = world.spawn(other.argv(5002), cwd=world.make_project("other"))
    other.ready()
    result = world.berth("free", "-n", "--grace=2s", "5000-5002", check=1)
    assert result.out.splitlines() == [
        f"5000  victim {stranger.pid}  SIGTERM, after 2 s SIGKILL",
        f"5001  shop/web  berth stop {service['id']}",
        f"5002  victim {elsewhere.pid}  only with --yes: it is neither berth's own nor of this project",
    ]
    assert result.err == ""
    planned = world.berth("free", "-n", "--json", "--yes", "5000-5002").json
    validate(planned, "free")
    assert planned["dry_run"] and not planned["free"]
    assert {holder["result"] for holder in planned["holders"]} == {"left-alone"}
    for port, name in ((5000, stranger.victim.name), (5001, victim.name), (5002, other.name)):
        assert answer(port)["say"] == name
    done = world.berth("free", "--json", "--yes", "5000-5002").json
    validate(done, "free")
    assert done["free"] and not done["dry_run"]
    for before, after in zip(planned["holders"], done["holders"]):
        differ = {key for key in before if before[key] != after[key]}
        assert after["result"] == "ended" and differ <= {"result", "took_ms", "started_at"}, differ
    assert all(bindable(port) for port in (5000, 5001, 5002))


@ids("D3")
@root_and_user
def test_a_dry_run_that_would_free_all_exits_0_on_a_terminal_too(world):
    stranger = world.stranger(5000)
    run = world.start("free", "-n", "5000", terminal=True)
    assert run.wait() == 0
    assert "[y/N]" not in run.out and f"5000  victim {stranger.pid}  SIGTERM" in run.out
    assert alive(stranger.pid)


@ids("D3")
@root_and_user
def test_documents_are_what_their_schemas_say(world):
    validate(world.berth("free", "--json", "5000").json, "free")
    stranger = world.stranger(5000)
    victim = world.victim()
    other = world.spawn(victim.argv(5001), cwd=world.make_project("other"))
    victim.ready()
    refused = world.berth("free", "--json", "5000-5001", check=1)
    validate(refused.json, "error")
    assert refused.error["code"] == "refused"
    results = {holder["pid"]: holder["result"] for holder in refused.json["error"]["holders"]}
    assert results == {stranger.pid: "ended", other.pid: "left-alone"}
    validate(world.berth("history", "--json", "-a").json, "history")


@ids("D3")
@root_and_user
def test_control_characters_of_a_holder_are_never_printed_raw(world):
    victim = world.victim()
    stranger = world.spawn(victim.argv("--title", "\x1b[31mred\x07", 5000), cwd=world.make_project("\x1b[2Jother"))
    victim.ready()
    for options in (["-n"], [], ["--yes"]):
        result = world.berth("free", *options, "5000", check=None)
        assert "\x1b" not in result.out + result.err and "\x07" not in result.out + result.err
    assert stranger.wait() == -signal.SIGTERM
    assert "\x1b" not in world.berth("history", "-a").out


# --- the question ---


@ids("D3")
@root_and_user
@pytest.mark.parametrize("answered, ends", [("y\n", True), ("Y\n", True), ("yes\n", True), ("n\n", False), ("\n", False),
                                            ("\x04", False), ("what\ny\n", True)])
def test_a_terminal_is_shown_the_holder_and_asked(world, answered, ends):
    stranger = world.stranger(5000)
    run = world.start("free", "5000", terminal=True, columns=400)
    run.wait_for(rf"5000 is held by victim {stranger.pid} of .*, for .*, .*victim .*, in .*shop")
    run.wait_for(r"  SIGTERM, after 10 s SIGKILL")
    run.wait_for(r"end it\? \[y/N\]")
    assert alive(stranger.pid)
    run.send(answered)
    assert run.wait() == (0 if ends else 1), run
    if ends:
        assert stranger.wait() == -signal.SIGTERM and bindable(5000)
    else:
        assert alive(stranger.pid) and "nothing was ended" in run.out


@ids("D3")
@root_and_user
def test_the_question_covers_another_projects_and_counts_them(world):
    world.stranger(5000)
    other = world.victim()
    elsewhere = world.spawn(other.argv(5001), cwd=world.make_project("other"))
    other.ready()
    run = world.start("free", "5000-5001", terminal=True)
    run.wait_for(r"end these 2\? \[y/N\]")
    run.send("y\n")
    assert run.wait() == 0, run
    assert elsewhere.wait() == -signal.SIGTERM


@ids("D3")
@root_and_user
def test_yes_asks_nobody_on_a_terminal(world):
    stranger = world.stranger(5000)
    run = world.start("free", "--yes", "5000", terminal=True)
    assert run.wait() == 0
    assert "[y/N]" not in run.out
    assert stranger.wait() == -signal.SIGTERM


@ids("D3")
@root_and_user
def test_ci_is_not_asked_even_with_a_terminal(world):
    other = world.victim()
    elsewhere = world.spawn(other.argv(5000), cwd=world.make_project("other"))
    other.ready()
    run = world.start("free", "5000", terminal=True, env={"CI": "true"})
    assert run.wait() == 1
    assert "[y/N]" not in run.out and "berth free --yes 5000" in run.out
    assert alive(elsewhere.pid)


# --- as part of a start ---


@ids("D3")
@root_and_user
def test_a_start_with_free_any_ends_who_holds_the_wish(world):
    other = world.victim()
    elsewhere = world.spawn(other.argv(5000), cwd=world.make_project("other"))
    other.ready()
    victim = world.victim()
    result = world.berth("run", "-d", "--free=any", "--name", "web", "--port", "5000", "--", *victim.argv(5000))
    assert f"ended victim {elsewhere.pid} (SIGTERM, " in result.err
    assert "web is http://localhost:5000" in result.err
    assert elsewhere.wait() == -signal.SIGTERM
    assert answer(5000)["say"] == victim.name
    assert world.berth("history", "--json").json["ends"][0]["by"] == "run"


@ids("D3")
@root_and_user
def test_free_any_of_a_range_ends_each_holder_in_it(world):
    strangers = [world.stranger(5000), world.stranger(5003)]
    beside = world.stranger(5005)
    victim = world.victim()
    world.berth("run", "-d", "--free=any", "--name", "web", "--range", "5000-5004", "--", *victim.argv("PORT"))
    for stranger in strangers:
        assert stranger.wait() == -signal.SIGTERM
    assert alive(beside.pid) and answer(5000)["say"] == victim.name


@ids("D3")
@root_and_user
def test_free_own_leaves_strangers_and_free_alone_means_own(world):
    stranger = world.stranger(5000)
    for option in ("--free", "--free=own"):
        victim = world.victim()
        world.berth("run", "-d", option, "--new", "--name", "web", "--port", "5000", "--", *victim.argv(5000))
        assert alive(stranger.pid)
        assert answer(5000)["say"] == stranger.victim.name


@ids("D3")
@root_and_user
def test_whom_free_any_must_not_end_keeps_the_port_and_the_start_goes_on(world):
    """The test itself holds it: an ancestor of berth, or a process that its user may not see."""
    world.occupy(5000)
    victim = world.victim()
    result = world.berth("run", "-d", "--free=any", "--name", "web", "--port", "5000", "--", *victim.argv(5000))
    assert "5000 stays with " in result.err
    assert "web is http://localhost:5001" in result.err
    world.berth("run", "-d", "--free=any", "--strict", "--name", "two", "--port", "5000", "--", "true", check=NO_PORT)


# --- run --ask ---


def ask(world, *options, victim):
    return world.start("run", "--ask", "--name", "web", "--port", "5000", *options, "--", *victim.argv(5000),
                       terminal=True)


@ids("D4")
@root_and_user
def test_ask_next_takes_the_next_port(world):
    stranger = world.stranger(5000)
    victim = world.victim()
    run = ask(world, victim=victim)
    run.wait_for(rf"5000 is held by victim {stranger.pid}")
    run.wait_for(r"\[n\]ext port, \[f\]ree it, \[q\]uit\?")
    run.send("n\n")
    run.wait_for("web is http://localhost:5001")
    assert alive(stranger.pid)


@ids("D4")
@root_and_user
def test_ask_free_ends_the_holder_and_starts_there(world):
    stranger = world.stranger(5000)
    victim = world.victim()
    run = ask(world, victim=victim)
    run.wait_for(r"\[q\]uit\?")
    run.send("f\n")
    run.wait_for("web is http://localhost:5000")
    assert stranger.wait() == -signal.SIGTERM
    assert answer(5000)["say"] == victim.name


@ids("D4")
@root_and_user
@pytest.mark.parametrize("answered", ["q\n", "\n", "\x04"])
def test_ask_quit_starts_nothing(world, answered):
    stranger = world.stranger(5000)
    run = ask(world, victim=world.victim())
    run.wait_for(r"\[q\]uit\?")
    run.send(answered)
    assert run.wait() == NO_PORT
    assert f"not started: 5000 is held by victim {stranger.pid}" in run.out
    assert alive(stranger.pid) and world.services() == []


@ids("D4")
@root_and_user
def test_ask_asks_nothing_where_the_wish_is_free(world):
    run = ask(world, victim=world.victim())
    run.wait_for("web is http://localhost:5000")
    assert "uit?" not in run.out


@ids("D4")
@root_and_user
def test_ask_does_not_offer_what_cannot_be(world):
    """Nothing of the holder may be ended; with --strict, no other port will do."""
    world.occupy(5000)
    run = ask(world, victim=world.victim())
    run.wait_for(r"berth: \[n\]ext port, \[q\]uit\?")
    run.send("q\n")
    assert run.wait() == NO_PORT
    stranger = world.stranger(5001)
    run = world.start("run", "--ask", "--strict", "--name", "web", "--port", "5001", "--", "true", terminal=True)
    run.wait_for(r"berth: \[f\]ree it, \[q\]uit\?")
    run.send("n\nq\n")
    assert run.wait() == NO_PORT
    assert alive(stranger.pid)


@ids("D4")
@root_and_user
def test_the_answer_is_read_and_nothing_behind_it(world):
    """What was typed ahead is for the command."""
    world.stranger(5000)
    run = world.start("run", "--ask", "--name", "web", "--port", "5000", "--", "sh", "-c",
                      'read line; echo "got $line"', terminal=True)
    run.wait_for(r"\[q\]uit\?")
    run.send("n\nhello\n")
    run.wait_for("got hello")
    assert run.wait() == 0


@ids("D4")
@root_and_user
def test_ask_without_a_terminal_or_a_wish_is_a_usage_error(world):
    result = world.berth("run", "--ask", "--port", "5000", "--", "true", check=USAGE)
    assert "--ask needs a terminal" in result.err
    run = world.start("run", "--ask", "--", "true", terminal=True)
    assert run.wait() == USAGE and "there is no wish" in run.out
    run = world.start("run", "--ask", "--free", "--port", "5000", "--", "true", terminal=True)
    assert run.wait() == USAGE
