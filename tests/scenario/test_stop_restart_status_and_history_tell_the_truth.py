# SPDX-License-Identifier: MIT
# scenario/test_stop_restart_status_and_history_tell_the_truth.py - I4, I5: ending, starting again, looking
"""stop, restart, status, history, wait, logs: what was sent to whom, and how it ended."""

import json
import os
import re
import signal
import time

import pytest

from berthtest import UNKNOWN, alive, bindable, ids, kill, port_of, root_and_user, skip, wait_gone, wait_until


def start(world, *options, name="api", port=9001, berth=()):
    victim = world.victim()
    service = world.run_d("--name", name, "--port", port, *berth, "--", *victim.argv(*options, port))["service"]
    return victim, service


@ids("I4")
@root_and_user
def test_stop_is_graceful_first(world):
    mark = os.path.join(world.home, "mark")
    _, service = start(world, "--graceful", "--file-at-term", mark)
    result = world.berth("stop", "api")
    assert os.path.exists(mark) and not alive(service["pid"]) and bindable(9001)
    assert "api" in result.err + result.out and str(service["pid"]) in result.err + result.out


@ids("I4")
@root_and_user
def test_stop_is_hard_after_the_grace_period(world):
    _, service = start(world, "--ignore-term", "--ignore-int", berth=["--grace", "200ms"])
    result = world.berth("stop", "api")
    assert not alive(service["pid"]) and bindable(9001)
    assert "KILL" in result.err + result.out


@ids("I4")
@pytest.mark.parametrize("by", ["name", "port", "colon-port", "id"])
def test_stop_knows_a_service_by_name_port_and_id(world, by):
    _, service = start(world)
    operand = {"name": "api", "port": "9001", "colon-port": ":9001", "id": service["id"]}[by]
    world.berth("stop", operand)
    assert not alive(service["pid"]) and bindable(9001)


@ids("I4")
def test_stop_succeeds_when_the_goal_already_holds(world):
    start(world)
    world.berth("stop", "api")
    world.berth("stop", "api")


@ids("I4")
def test_an_unknown_name_is_said_with_the_closest(world):
    start(world, name="backend")
    result = world.berth("status", "bakend", check=UNKNOWN)
    assert "backend" in result.err
    assert world.berth("status", "bakend", "--json", check=UNKNOWN).error["code"] == "not-found"


@ids("I4")
@root_and_user
def test_stop_names_what_it_ended_besides(world):
    victim, service = start(world)
    extra = int(victim.command("daemon").split()[1])
    result = world.berth("stop", "api")
    assert re.search(rf"also ended: .*victim {extra}", result.err + result.out), result
    assert not alive(extra)


@ids("I4")
@root_and_user
def test_restart_keeps_port_and_command(world):
    victim, before = start(world)
    victim.forget()
    world.berth("restart", "api")
    assert victim.port == 9001
    after = world.status("api")
    assert after["pid"] != before["pid"] and not alive(before["pid"])
    assert after["command"] == before["command"] and port_of(after) == 9001


@ids("I4")
@root_and_user
def test_status_tells_pid_port_and_age(world):
    _, service = start(world)
    now = world.status("api")
    assert now["state"] == "ready" and now["pid"] == service["pid"] and port_of(now) == 9001
    assert now["guardian_pid"] > 0 and now["supervisor_pid"] > 0
    assert now["started_at"] <= now["ready_at"] and now["exit"] is None
    assert now["cwd"] == now["root"] == world.project and now["branch"] == "main" and now["project"] == "shop"
    text = world.berth("status", "api").out
    assert "9001" in text and str(service["pid"]) in text
    assert "PATH=" not in json.dumps(now)


@ids("I4")
def test_ls_lists_what_runs_in_every_project(world):
    start(world, name="api", port=9001)
    other = world.make_project("other")
    world.run_d("--name", "web", "--port", "9002", "--", *world.victim().argv(9002), cwd=other)
    assert {(s["project"], s["service"], port_of(s)) for s in world.services()} == {
        ("shop", "api", 9001), ("other", "web", 9002)}
    table = world.berth("ls").out
    assert "9001" in table and "9002" in table
    world.berth("stop", "9002")
    assert [s["service"] for s in world.services()] == ["api"]


@ids("I4")
def test_port_and_url_print_just_that(world):
    start(world)
    assert world.berth("port", "api").out == "9001\n"
    assert world.berth("url", "api").out == "http://localhost:9001\n"
    world.berth("port", "nothing", check=UNKNOWN)


@ids("I4")
@root_and_user
def test_status_of_the_dead_says_how_it_ended(world):
    victim, _ = start(world)
    victim.command("exit 7")
    wait_until(lambda: not world.services(), lambda: f"the end is noticed: {world.services()}")
    result = world.berth("status", "api", "--json", check=UNKNOWN)
    document = result.json
    text = json.dumps(document)
    assert '"last"' in text and re.search(r'"code": ?7\b', text), result
    text = world.berth("status", "api", check=UNKNOWN)
    assert "7" in text.out + text.err


@ids("I4")
@root_and_user
@pytest.mark.parametrize("name", ["SEGV", "KILL", "ABRT"])
def test_history_tells_the_signal(world, name):
    victim, _ = start(world)
    victim.command(f"die {name}")
    wait_until(lambda: not world.services(), "the end is noticed")
    assert name in world.berth("history").out
    text = world.berth("history", "--json").out
    assert name in text and json.loads(text)["version"] == 1


@ids("I4")
def test_history_keeps_the_last_twenty_ends(world):
    for number in range(22):
        world.berth("run", "--name", "short", "--", "sh", "-c", f"exit {number}", check=number)
    document = world.berth("history", "--json").json
    ends = next(value for key, value in document.items() if isinstance(value, list))
    assert len(ends) == 20
    codes = sorted(end["exit"]["code"] for end in ends)
    assert codes == list(range(2, 22))


@ids("I4")
@root_and_user
def test_history_finds_what_it_shows_and_keeps_projects_apart(world):
    """ "web" showed the other project's too, "hb/web", as the column has it, nothing, and nothing was said of that."""
    here, there = world.make_project("ha"), world.make_project("hb")
    for folder in (here, there):
        world.berth("run", "--name", "web", "--", "true", cwd=folder)

    def shown(*words):
        return [line.split()[0] for line in world.berth("history", *words, cwd=here).out.splitlines()[1:]]

    assert shown("web") == ["ha/web"] == shown("web.1")
    assert shown("hb/web") == ["hb/web"]
    assert sorted(shown("-a", "web")) == ["ha/web", "hb/web"]
    unknown = world.berth("history", "nosuch", cwd=here, check=UNKNOWN)
    assert unknown.err == "berth: no end of 'nosuch' is known\n" and not unknown.out
    assert "did you mean 'web'?" in world.berth("history", "wbe", cwd=here, check=UNKNOWN).err


@ids("I4")
def test_the_last_lines_of_the_dead_are_kept(world):
    victim, _ = start(world)
    victim.command("say 3")
    victim.command("die KILL")
    wait_until(lambda: not world.services(), "the end is noticed")
    result = world.berth("status", "api", check=UNKNOWN)
    assert "line 2 of many" in result.out + result.err


@ids("I4")
def test_the_log_of_a_detached_service_is_the_users_alone(world):
    victim, service = start(world)
    victim.command("say 2")
    wait_until(lambda: "line 1 of many" in open(service["log"], encoding="utf-8").read(), "the log")
    assert os.stat(service["log"]).st_mode & 0o777 == 0o600


@ids("I4")
def test_a_restart_of_what_does_not_run_is_an_error_that_says_so(world):
    result = world.berth("restart", "nothing", check=UNKNOWN)
    assert "nothing" in result.err


@ids("I5")
@root_and_user
@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR2"])
def test_signals_to_berth_end_the_service_and_clean_up(world, name):
    """The front is what an IDE or nodemon signals: INT, TERM, HUP and USR2 end all of it."""
    victim = world.victim()
    run = world.start("run", "--name", "api", "--port", "9001", "--pid-file", ".server.pid", "--",
                      *victim.argv("--graceful", 9001))
    victim.ready()
    wait_until(lambda: os.path.exists(f"{world.project}/.server.pid"), "pid file")
    run.signal(getattr(signal, f"SIG{name}"))
    run.wait()
    world.nothing_left()
    assert bindable(9001)
    assert not os.path.exists(f"{world.project}/.server.pid")


@ids("I4")
@root_and_user
def test_the_usual_kill_by_port_frees_the_port_too(world):
    """`lsof -ti:9001 | xargs kill -9` must hit the service, and what berth holds goes with it."""
    victim, service = start(world)
    result = world.run(["lsof", "-ti:9001"], check=None, as_root=True)
    pids = [int(word) for word in result.out.split()]
    if not pids:
        skip("lsof shows nothing in this network namespace")
    assert service["pid"] in pids
    for pid in pids:
        kill(pid)
    world.nothing_left()
    assert bindable(9001)


@ids("I4")
def test_stop_all_of_a_folder_needs_no_name(world):
    _, service = start(world)
    world.berth("stop", check=None)
    if alive(service["pid"]):
        world.berth("stop", "api")
    wait_gone(service["pid"])


@ids("I4")
def test_several_have_their_grace_at_the_same_time(world):
    """Eight that ignore SIGTERM: one after the other they would take eight times as long."""
    names = [f"stubborn{number}" for number in range(8)]
    for name in names:
        world.berth("run", "-d", "--name", name, "--port", "none", "--grace", "1s", "--", "sh", "-c",
                    "trap '' TERM; while :; do sleep 1000; done")
    began = time.monotonic()
    result = world.berth("stop", "--all")
    assert time.monotonic() - began < len(names) and [name for name in names if f"{name} " not in result.err] == [], result
    assert result.err.count("SIGKILL") == len(names) and world.services() == []
    world.nothing_left()
