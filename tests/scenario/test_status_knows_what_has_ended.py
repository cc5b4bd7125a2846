# SPDX-License-Identifier: MIT
# scenario/test_status_knows_what_has_ended.py - I4, S7, S8: of a stack that runs, what has failed; of copies, each its own
"""An end belongs to a service of a copy, and to the life of its stack."""

from berthtest import ids, kill, root_and_user, wait_until
from stacks import Stack, fifo, let_go, shell

EXIT_FAILED, EXIT_NOT_RUNNING = 1, 3


def gone(stack, name):
    wait_until(lambda: name not in stack.states(), lambda: stack.states())


@ids("I4", "S7")
@root_and_user
def test_what_has_failed_of_a_stack_that_runs_is_told(world):
    """It was exit 0, and not a word of it."""
    gate = fifo(world, "gate")
    stack = Stack(world, a=shell("exec sleep 1000"), b=shell("exec sleep 1000"), job=shell("read line < $1", gate))
    services = stack.up()
    let_go(gate)
    gone(stack, "job")
    assert "job" in stack.berth("status").out, "done is no failure"
    kill(services["a"]["pid"])
    gone(stack, "a")
    status = stack.berth("status", check=EXIT_FAILED)
    assert "shop/a  failed" in status.out and "SIGKILL" in status.out, status
    stack.up("a")
    assert "shop/a  failed" not in stack.berth("status").out
    stack.berth("stop", "a")
    assert "shop/a  stopped" in stack.berth("status", check=EXIT_NOT_RUNNING).out
    stack.berth("down")
    stack.up("b")
    assert "shop/a" not in stack.berth("status").out, "of a life before"


@ids("I4", "P10")
@root_and_user
def test_of_instances_each_has_its_end(world):
    stack = Stack(world, inst=shell("exec sleep 1000", instances=3))
    services = stack.up()
    kill(services["inst.2"]["pid"])
    gone(stack, "inst.2")
    assert "shop/inst.2  failed" in stack.berth("status", check=EXIT_FAILED).out
    assert "shop/inst.2  failed" in stack.berth("status", "inst", check=EXIT_FAILED).out
    stack.up()
    stack.berth("scale", "inst=1")
    assert "inst.3" not in stack.berth("status").out, "nobody wants it"


@ids("I4", "S8")
@root_and_user
def test_the_end_of_a_copy_is_its_own(world):
    """That of the copy stood for the plain service's, and could not be asked for."""
    stack = Stack(world, a=shell("echo I am $BERTH_PORTS_FILE; exec sleep 1000"))
    plain = stack.up()
    kill(plain["a"]["pid"])
    gone(stack, "a")
    stack.up("--as", "demo")
    wait_until(lambda: ".ports.demo.json" in stack.berth("logs", "shop+demo/a").out, "it has said it")
    stack.berth("down", "--as", "demo")
    status = stack.berth("status", check=EXIT_NOT_RUNNING).out
    assert "shop/a  failed" in status and "SIGKILL" in status and "shop+demo/a  stopped" in status, status
    assert "shop/a  failed" in stack.berth("status", "a", check=EXIT_NOT_RUNNING).out
    assert "shop+demo/a  stopped" in stack.berth("status", "shop+demo/a", check=EXIT_NOT_RUNNING).out
    assert ".ports.demo.json" in stack.berth("logs", "shop+demo/a").out
    assert ".ports.json" in stack.berth("logs", "a").out and ".ports.json" in stack.berth("logs", "shop/a").out
