# SPDX-License-Identifier: MIT
# scenario/test_no_descriptor_of_the_caller_is_kept.py - F4, N5: what a shell has open is not kept open in the background
"""A lock that a script had by `exec 9>lock; flock 9` was held by a service that it had started in the background, and a
CI that waits for the end of a pipe hung."""

import os

import pytest

from berthtest import BERTH, descendants, ids, wait_until
from stacks import Stack, shell


def open_files(pid):
    return {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


class Inherited:
    """A file that is open as some descriptors of whoever starts berth."""

    def __init__(self, world):
        self.path = world.write("inherited", "text\n")

    def argv(self, *arguments):
        return ["bash", "-c", f'exec 3<"$0" 9<"$0" 57<"$0" 300<"$0"; exec "$@"', self.path, BERTH, *arguments]

    def holders(self):
        return [process for process in descendants() if self.path in open_files(process.pid)]


@ids("N5")
@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--tty",), ("--ready", "exec true")])
def test_a_service_of_the_background_has_none(world, options):
    inherited = Inherited(world)
    world.run(inherited.argv("run", "-d", "--port", "none", "--name", "web", *options, "--", "sleep", "1000"))
    assert inherited.holders() == []
    world.berth("restart", "web")
    assert inherited.holders() == []


@ids("N5")
def test_a_stack_of_the_background_has_none(world):
    inherited = Inherited(world)
    Stack(world, one=shell("exec sleep 1000"), two=shell("exec sleep 1000"))
    world.run(inherited.argv("up", "-d"))
    assert inherited.holders() == []


@ids("N5")
def test_no_service_of_a_stack_in_the_foreground_has_one(world):
    inherited = Inherited(world)
    stack = Stack(world, one=shell("exec sleep 1000"), two=shell("exec sleep 1000"))
    world.spawn(inherited.argv("up"))
    stack.await_state("one", "ready")
    stack.await_state("two", "ready")
    assert [process for process in inherited.holders() if not process.is_berth] == []


@ids("N5")
def test_a_command_in_the_foreground_has_them_as_after_exec(world):
    inherited = Inherited(world)
    run = world.spawn(inherited.argv("run", "-q", "--port", "none", "--", "sh", "-c", "cat <&3"))
    assert run.wait() == 0 and run.out == "text\n", run


@ids("N5")
def test_passed_sockets_come_through(world):
    inherited = Inherited(world)
    told = os.path.join(world.home, "told")
    world.run(inherited.argv("run", "-d", "--port", "5000", "--pass-socket", "--", "sh", "-c",
                             'ls -l /proc/self/fd >"$0.new"; mv "$0.new" "$0"; exec sleep 1000', told))
    wait_until(lambda: os.path.exists(told), "it has told")
    with open(told, encoding="ascii") as file:
        text = file.read()
    assert "3 -> socket:" in text and "inherited" not in text, text


@ids("N5")
def test_status_fd_goes_on_in_the_background(world):
    inherited = Inherited(world)
    ends = os.pipe()
    os.set_inheritable(ends[1], True)
    argv = inherited.argv("run", "-d", "--port", "none", "--name", "web", "--status-fd", str(ends[1]), "--", "sleep", "1000")
    world.run(argv, pass_fds=[ends[1]])
    os.close(ends[1])
    world.berth("stop", "web")
    with os.fdopen(ends[0]) as file:
        assert '"exited"' in file.read()
