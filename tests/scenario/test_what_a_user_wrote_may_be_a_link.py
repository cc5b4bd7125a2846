# SPDX-License-Identifier: MIT
# scenario/test_what_a_user_wrote_may_be_a_link.py - S1, F7: berth.yaml, .env and env_file may lead elsewhere
"""Dotfiles and secrets are often links into another folder, and Python's virtual environments are folders called .env."""

import os

from berthtest import OWN_FAILURE, USAGE, answer, ids, port_of, root_and_user
from stacks import Stack, program, teller


def link(world, name, text):
    """A link of that name in the project; the path of what it leads to."""
    path = world.write(f"real-{name.strip('.')}", text)
    os.symlink(path, os.path.join(world.project, name))
    return path


@ids("S1")
@root_and_user
def test_variables_behind_links_are_read(world):
    link(world, ".env", "FROM_DOTENV=one\n")
    link(world, "more.env", "FROM_FILE=two\n")
    service, told = teller(world, "web", environment={"SEEN": "${FROM_DOTENV}"}, env_file="more.env")
    Stack(world, web=service).up()
    env = told()["env"]
    assert (env["SEEN"], env["FROM_FILE"]) == ("one", "two")


@ids("S1")
def test_a_folder_called_env_is_no_file(world):
    os.mkdir(os.path.join(world.project, ".env"))
    service, told = teller(world, "web")
    Stack(world, web=service).up()
    assert told()["words"] == []
    victim = world.victim()
    world.run_d("--name", "api", "--port", "5000", "--", *victim.argv(5000))


@ids("P2")
def test_run_reads_a_link_called_env(world):
    link(world, ".env", "PORT=9444\n")
    victim = world.victim()
    assert port_of(world.run_d("--name", "api", "--", *victim.argv(8123))["service"]) == 9444
    assert answer(9444)


@ids("F7")
def test_what_can_not_be_read_is_said(world):
    os.mkfifo(os.path.join(world.project, ".env"))
    Stack(world, web=program("pass"))
    for command, code in ((["config"], USAGE), (["up"], USAGE), (["run", "--", "true"], OWN_FAILURE)):
        result = world.berth(*command, check=code)
        assert "cannot read" in result.err and ".env" in result.err, result


@ids("S1")
def test_a_manifest_behind_a_link_that_was_changed_is_read_again(world):
    one, two = world.victim("one"), world.victim("two")
    path = world.write("real.yaml", "")
    os.symlink(path, os.path.join(world.project, "berth.yaml"))
    stack = Stack(world, one={"command": one.argv(9000), "port": 9000})
    stack.up()
    stack.add(two={"command": two.argv(9100), "port": 9100})
    assert set(stack.up()) == {"one", "two"}
