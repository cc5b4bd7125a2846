# SPDX-License-Identifier: MIT
# scenario/test_worktrees_never_swap_ports.py - P12: whose number it is, whoever comes first
"""Two worktrees of one project: each comes back to its own number, in every order, with a wish and without."""

import itertools
import json
import os
import shutil

import pytest

from berthtest import ids, port_of, root_and_user

WISHES = {
    "a wish": ["--port", "5000"],
    "a range": ["--range", "5000-5099"],
    "a group": ["--port", "http=5000", "--port", "ws=5001"],
    "a number of its own": [],  # the program binds 5000, and nobody says so
}
PLACES = {"a group": (5000, 5001)}


class Copies:
    """One service in several folders."""

    def __init__(self, world, kind, names=("one", "two")):
        self.world, self.options, self.places = world, WISHES[kind], PLACES.get(kind, (5000,))
        self.folders = [world.make_project(name) for name in names]

    def start(self, folder):
        victim = self.world.victim()
        service = self.world.run_d("--name", "web", *self.options, "--", *victim.argv(*self.places), cwd=folder)["service"]
        return service["ports"][0]["port"]

    def stop(self, folder):
        self.world.berth("stop", "web", cwd=folder)

    def once(self, folder):
        port = self.start(folder)
        self.stop(folder)
        return port


@ids("P12")
@root_and_user
@pytest.mark.parametrize("kind", WISHES)
def test_each_comes_back_to_its_own_in_every_order(world, kind):
    copies = Copies(world, kind)
    first = {folder: copies.start(folder) for folder in copies.folders}
    assert len(set(first.values())) == 2
    for folder in copies.folders:
        copies.stop(folder)
    for order in itertools.permutations(copies.folders):
        again = {folder: copies.start(folder) for folder in order}
        assert again == first
        for folder in order:
            copies.stop(folder)


@ids("P12")
@root_and_user
@pytest.mark.parametrize("kind", WISHES)
def test_one_that_is_alone_leaves_the_other_its_number(world, kind):
    """The first has ended, its number is free, and yet it is not for the second."""
    copies = Copies(world, kind)
    one, two = copies.folders
    mine = copies.once(one)
    theirs = copies.once(two)
    assert theirs != mine
    assert copies.once(two) == theirs and copies.once(one) == mine


@ids("P12")
@root_and_user
@pytest.mark.parametrize("kind", ["a wish", "a number of its own"])
def test_one_moved_by_a_stranger_goes_home(world, kind):
    copies = Copies(world, kind)
    one, two = copies.folders
    assert [copies.once(one), copies.once(two)] == [5000, 5001]
    blocker = world.occupy(5000)
    moved = copies.once(one)
    assert moved == 5002
    blocker.close()
    assert copies.once(two) == 5001
    assert [copies.once(one), copies.once(two)] == [5000, 5001]


@ids("P12")
@root_and_user
def test_the_second_goes_home_too(world):
    """Its home is not its wish, which is the first one's."""
    copies = Copies(world, "a wish")
    one, two = copies.folders
    assert [copies.once(one), copies.once(two)] == [5000, 5001]
    blocker = world.occupy(5001)
    assert [copies.once(two), copies.once(two)] == [5002, 5002]
    blocker.close()
    assert [copies.once(two), copies.once(one)] == [5001, 5000]


@ids("P12")
def test_a_third_copy_takes_neither(world):
    copies = Copies(world, "a wish", ("one", "two", "three"))
    ports = [copies.once(folder) for folder in copies.folders]
    assert ports == [5000, 5001, 5002]
    assert [copies.once(folder) for folder in reversed(copies.folders)] == [5002, 5001, 5000]


@ids("P12")
def test_a_number_of_another_folder_is_taken_when_there_is_no_other(world):
    copies = Copies(world, "a wish")
    one, two = copies.folders
    assert copies.once(one) == 5000
    victim = world.victim()
    service = world.run_d("--name", "web", "--range", "5000-5000", "--", *victim.argv(5000), cwd=two)["service"]
    assert port_of(service) == 5000


@ids("P12")
def test_a_worktree_that_was_removed_gives_its_number_back(world):
    copies = Copies(world, "a number of its own")
    one, two = copies.folders
    assert copies.once(one) == 5000
    shutil.rmtree(one)
    assert copies.once(two) == 5000
    assert len(os.listdir(os.path.join(world.state, "berth", "ports"))) == 1


@ids("P12", "N10")
def test_the_line_says_for_whom_the_number_was_left(world):
    copies = Copies(world, "a number of its own")
    one, two = copies.folders
    assert copies.once(one) == 5000
    run = world.start("run", "--name", "web", "--", *world.victim().argv(5000), cwd=two)
    run.wait_for(r"5001.*5000.*kept for another service")


STACK = """
services:
  web:
    command: VICTIM {port}
    port: 5000
"""


def up(world, folder, *options):
    world.berth("up", "-d", *options, cwd=folder)
    name = f".ports.{options[1]}.json" if options else ".ports.json"
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)["web_port"]


@ids("P12", "F5")
@root_and_user
def test_stacks_of_worktrees_and_copies_come_back_to_their_own(world):
    places = []
    for name in ("one", "two"):
        folder = world.make_project(name)
        world.write(os.path.join(folder, "berth.yaml"), STACK.replace("VICTIM", world.helper("victim")))
        places += [(folder,), (folder, "--as", "demo")]
    first = {place: up(world, *place) for place in places}
    assert sorted(first.values()) == [5000, 5001, 5002, 5003]
    for place in places:
        world.berth("down", *place[1:], cwd=place[0])
    for place in reversed(places):
        assert up(world, *place) == first[place]
        world.berth("down", *place[1:], cwd=place[0])
