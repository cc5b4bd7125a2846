# SPDX-License-Identifier: MIT
# scenario/test_the_same_port_comes_again.py - P12: remembered numbers
"""The same port again next time; never another folder's; home again when the wish is free."""

import os
import shutil

from berthtest import ids, kill, port_of, root_and_user


def once(world, *options, places=(5000,), cwd=None, keep=False, name="web"):
    victim = world.victim()
    service = world.run_d("--name", name, *options, "--", *victim.argv(*places), cwd=cwd)["service"]
    if not keep:
        world.berth("stop", name, cwd=cwd)
    return service


@ids("P12")
@root_and_user
def test_a_moved_service_gets_its_number_again_while_the_wish_is_held(world):
    world.occupy(5000)
    blocker = world.occupy(5001)
    assert port_of(once(world, "--port", "5000")) == 5002
    blocker.close()
    service = once(world, "--port", "5000")
    assert port_of(service) == 5002 and service["ports"][0]["reason"] == "remembered"


@ids("P12")
@root_and_user
def test_home_again_when_the_wish_is_free(world):
    blocker = world.occupy(5000)
    assert port_of(once(world, "--port", "5000")) == 5001
    blocker.close()
    assert port_of(once(world, "--port", "5000")) == 5000


@ids("P12")
@root_and_user
def test_worktrees_never_swap(world):
    """Started in either order, each has its own."""
    folders = [world.make_project(name) for name in ("one", "two")]
    first = [port_of(once(world, "--port", "5000", cwd=folder, keep=True)) for folder in folders]
    assert first == [5000, 5001]
    for folder in folders:
        world.berth("stop", "web", cwd=folder)
    again = [port_of(once(world, "--port", "5000", cwd=folder, keep=True)) for folder in reversed(folders)]
    assert again == [5001, 5000]


@ids("P12")
def test_a_folder_that_has_gone_keeps_nothing(world):
    world.occupy(5000)
    folder = world.make_project("gone")
    assert port_of(once(world, "--port", "5000", cwd=folder)) == 5001
    shutil.rmtree(folder)
    assert port_of(once(world, "--port", "5000")) == 5001


@ids("P12", "N10")
@root_and_user
def test_a_hard_coded_port_is_leased_before_the_second_start(world):
    """No wish: from the second run on PORT is set, and banners are true."""
    world.occupy(5000)
    assert port_of(once(world)) == 5001
    victim = world.victim()
    run = world.start("run", "--name", "web", "--", "sh", "-c", 'echo "PORT=$PORT"; exec "$@"', "sh", *victim.argv(5000))
    run.wait_for("^PORT=5001$", "out")
    assert victim.port == 5001


@ids("P12")
def test_memory_that_is_rubbish_is_no_obstacle(world):
    once(world, "--port", "5000")
    for folder, _, files in os.walk(os.path.join(world.state, "berth")):
        for name in files:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(os.urandom(200))
    assert port_of(once(world, "--port", "5000")) == 5000


@ids("P12")
def test_memory_survives_a_kill(world):
    world.occupy(5000)
    service = once(world, "--port", "5000", keep=True)
    kill(service["supervisor_pid"])
    world.nothing_left()
    world.occupy(5002)
    assert port_of(once(world, "--port", "5000")) == port_of(service)
