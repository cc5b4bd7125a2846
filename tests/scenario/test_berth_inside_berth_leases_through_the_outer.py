# SPDX-License-Identifier: MIT
# scenario/test_berth_inside_berth_leases_through_the_outer.py - N2, N5: nesting
"""The inner one leases through the outer; `-d` inside is started outside of the service's tree."""

from berthtest import BERTH, answer, bindable, ids, kill, root_and_user, wait_until


@ids("N2")
@root_and_user
def test_the_inner_wish_is_given_as_asked(world):
    """The symptom: asked for 6180, got 6120, the outer one's port."""
    victim = world.victim()
    world.start("run", "--name", "outer", "--port", "6120", "--", BERTH, "run", "--name", "inner", "--port", "6180",
                "--", *victim.argv(6180))
    assert victim.port == 6180
    assert answer(6180)["say"] == victim.name


@ids("N2")
@root_and_user
def test_the_inner_service_is_moved_where_its_wish_is_taken(world):
    world.occupy(6180)
    victim = world.victim()
    world.start("run", "--name", "outer", "--port", "6120", "--", BERTH, "run", "--name", "inner", "--port", "6180",
                "--", *victim.argv(6180))
    assert victim.port == 6181


@ids("N5")
@root_and_user
def test_the_end_of_the_outer_is_the_end_of_the_inner(world):
    victim = world.victim()
    run = world.start("run", "--name", "outer", "--port", "6120", "--", BERTH, "run", "--name", "inner", "--port", "6180",
                      "--", *victim.argv("--double-fork", 6180))
    victim.ready()
    kill(run.pid)
    world.nothing_left()
    assert bindable(6120) and bindable(6180)


@ids("N5")
@root_and_user
def test_a_detached_one_started_inside_outlives_the_outer(world):
    """An agent in a `berth run` shell starts a server with -d: it is not the shell's child."""
    victim = world.victim()
    run = world.start("run", "--name", "outer", "--port", "6120", "--", "sh", "-c",
                      '"$@"; echo "started $?"', "sh", BERTH, "run", "-d", "--name", "inner", "--port", "6180", "--",
                      *victim.argv(6180))
    run.wait_for("^started 0", "out", deadline=20)
    run.wait()
    assert answer(6180)["say"] == victim.name
    assert [s["service"] for s in world.services()] == ["inner"]
    world.berth("stop", "inner")
    assert bindable(6180)


@ids("N2")
@root_and_user
def test_without_the_variable_the_inner_one_runs_as_an_ordinary_service(world):
    victim = world.victim()
    keep = [f"{name}={value}" for name, value in world.env.items()]
    world.start("run", "--name", "outer", "--", "env", "-i", *keep, BERTH, "run", "--name", "inner", "--", *victim.argv(6180))
    assert answer(victim.port)["say"] == victim.name


@ids("N10")
@root_and_user
def test_other_commands_inside_work(world):
    result = world.berth("run", "--name", "outer", "--port", "6120", "--", BERTH, "port", "outer")
    assert result.out == "6120\n"
    result = world.berth("run", "--name", "outer", "--port", "6120", "--", BERTH, "ls", "--json")
    assert [s["service"] for s in result.json["services"]] == ["outer"]


def test_four_deep(world):
    """Each asks the outermost; the numbers are all distinct."""
    victim = world.victim()
    argv = victim.argv("PORT")
    for level in range(4):
        argv = [BERTH, "run", "--name", f"l{level}", "--port", "6200", "--", *argv]
    world.spawn(argv)
    ports = {p["port"] for s in wait_until(lambda: victim.port and world.services(), "all are listed") for p in s["ports"]}
    assert victim.port in ports
