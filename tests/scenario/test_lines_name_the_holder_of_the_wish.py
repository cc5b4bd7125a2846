# SPDX-License-Identifier: MIT
# scenario/test_lines_name_the_holder_of_the_wish.py - D5: what berth says, and that it says no more
"""One line a port on standard error, at listen(); a second only where the user must know something."""

import os
import re

from berthtest import SERVERS, ids, need, root_and_user


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("berth:")]


@ids("D5")
@root_and_user
def test_one_line_says_where_the_service_is(world):
    victim = world.victim()
    run = world.start("run", "--name", "web", "--port", "3000", "--", *victim.argv(3000))
    run.wait_for("^berth: web is http://localhost:3000$")
    run.signal(15)
    run.wait()
    assert own_lines(run.err) == ["berth: web is http://localhost:3000"]


@ids("D5")
@root_and_user
def test_the_line_of_a_moved_service_names_the_holder(world):
    stranger = world.stranger(3000)
    run = world.start("run", "--name", "web", "--port", "3000", "--", *world.victim().argv(3000))
    run.wait_for(rf"^berth: web is http://localhost:3001 \(it asked for 3000, held by victim {stranger.pid}\)$")


@ids("D5")
@root_and_user
def test_the_line_names_the_service_of_a_holder_that_berth_started(world):
    first = world.run_d("--name", "web", "--port", "3000", "--", *world.victim().argv(3000))["service"]
    other = world.make_project("other")
    run = world.start("run", "--name", "api", "--port", "3000", "--", *world.victim().argv(3000), cwd=other)
    line = run.wait_for(r"^berth: api is http://localhost:3001 \(it asked for 3000, held by (.*)\)$")
    assert re.fullmatch(rf"victim {first['pid']} 'shop(@main)?/web'", line[1])
    holder = world.status("api", cwd=other)["ports"][0]["holder"]
    assert holder["pid"] == first["pid"] and holder["service"].endswith("/web")


@ids("D5")
def test_each_named_port_has_a_line(world):
    run = world.start("run", "--name", "viewer", "--port", "http=8080", "--port", "ws=8081", "--",
                      *world.victim().argv(8080, 8081))
    run.wait_for(r"^berth: viewer\S* .*http://localhost:8081")
    assert len([line for line in own_lines(run.err) if "808" in line]) == 2


@ids("D5")
def test_quiet_says_nothing_and_verbose_says_each_steered_call(world):
    world.occupy(3000)
    victim = world.victim()
    run = world.start("run", "-q", "--", *victim.argv(3000))
    victim.ready()
    run.signal(15)
    run.wait()
    assert own_lines(run.err) == []
    victim = world.victim()
    run = world.start("run", "-v", "--new", "--", *victim.argv(3000))
    run.wait_for(r"^berth: .*bind.*3000.*3001")


@ids("D5")
def test_another_scheme_is_announced_with_it(world):
    run = world.start("run", "--name", "db", "--port", "6379", "--", *world.victim().argv(6379))
    run.wait_for("^berth: db is redis://localhost:6379$")


@ids("D5")
def test_a_steered_address_has_the_same_line(world):
    run = world.start("run", "--name", "web", "--port", "3000", "--loopback", "--", *world.victim().argv(3000))
    run.wait_for("^berth: web is http://localhost:3000")


@ids("D5", "N8")
@root_and_user
def test_nothing_of_berth_is_on_standard_output(world):
    result = world.berth("run", "--port", "3000", "--", "echo", "mine")
    assert result.out == "mine\n"
    assert os.listdir(os.path.join(world.runtime)) in ([], ["berth"])


@ids("D5")
@root_and_user
def test_a_moved_debugger_has_a_line_and_one_at_home_has_none(world):
    need("node")
    runs = []
    for say in ("one", "two"):
        runs.append(world.start("run", "--name", "web", "--port", "5000", "--", "node", "--inspect",
                                f"{SERVERS}/server.js", say, cwd=world.make_project(say)))
        runs[-1].wait_for("^berth: web is http://localhost:500[01]")
    runs[1].wait_for(r"^berth: .*9229.*")
    assert not [line for line in own_lines(runs[0].err) if "9229" in line]


@ids("D5")
@root_and_user
def test_a_command_that_never_listens_has_no_line(world):
    result = world.berth("run", "--port", "3000", "--", "true")
    assert result.out == result.err == ""
