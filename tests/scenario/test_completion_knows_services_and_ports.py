# SPDX-License-Identifier: MIT
# scenario/test_completion_knows_services_and_ports.py - the Tab key, in real shells
"""The scripts that berth prints ask berth itself, so they know what runs."""

import os

import pytest

from berthtest import BERTH, ids, need


def in_path(world):
    os.symlink(BERTH, os.path.join(world.bin, "berth"))
    world.run_d("--name", "backend", "--port", "9001", "--", *world.victim().argv(9001))


@ids("I4")
@pytest.mark.parametrize("typed, completed", [
    ("berth stop back", "berth stop backend"), ("berth stop 90", "berth stop 9001"), ("berth resta", "berth restart"),
    ("berth doctor ba", "berth doctor backend"),
    ("berth run --loop", "berth run --loopback"), ("berth run --steer=decl", "berth run --steer=declared"),
])
def test_bash(world, typed, completed):
    in_path(world)
    shell = world.spawn(["bash", "--norc", "--noprofile", "-i"], terminal=True, columns=200, env={"PS1": "$ "})
    shell.send('source <(berth completion bash); echo "loaded $?"\n')
    shell.wait_for("^loaded 0")
    shell.send(f"{typed}\t")
    shell.wait_for(rf"\$ {completed} ")


@ids("I4")
@pytest.mark.parametrize("typed, offered", [("berth stop ", "backend"), ("berth stop ", "9001"), ("berth hist", "history"),
                                            ("berth run --loop", "--loopback")])
def test_fish(world, typed, offered):
    need("fish")
    in_path(world)
    result = world.run(["fish", "--no-config", "-c", f'berth completion fish | source; complete -C "{typed}"'])
    assert any(line.split("\t")[0] == offered for line in result.out.splitlines()), result


@ids("I4")
def test_zsh_accepts_the_script(world):
    need("zsh")
    in_path(world)
    script = world.write("_berth", world.berth("completion", "zsh").out)
    world.run(["zsh", "-f", "-n", script])


def test_free_is_offered_what_it_takes(world):
    """It was offered "backend", and said that this is no port."""
    in_path(world)
    offered = world.berth("completion", "words", "bash", "--", "free", "").out.split()
    assert offered == ["9001"]
    world.berth("free", *offered)


def test_an_unknown_shell_is_a_usage_error(world):
    world.berth("completion", "tcsh", check=2)
