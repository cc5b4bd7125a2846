# SPDX-License-Identifier: MIT
# scenario/test_a_second_up_judges_what_is_there_now.py - S1, S7: who asks for services is told of those, as they are
"""`up -d SERVICE` and `scale` in a stack that runs, whatever has become of its services before."""

from berthtest import ids, kill, port_of, root_and_user, wait_until
from stacks import Stack, fifo, let_go, program, shell

SERVER = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
# Does not end by SIGTERM, only when somebody writes to the FIFO ARGV[1].
DEAF = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up")
os.read(os.open(sys.argv[1], os.O_RDONLY), 1)
"""


# --- who is told of what ---

@ids("S1")
@root_and_user
def test_an_old_failure_of_another_one_is_not_told_again(world):
    """It was exit 1 for ever, with the last lines of one that nobody had asked for."""
    stack = Stack(world, backend={"command": SERVER, "port": 9100}, other=shell("exec sleep 1000"),
                  bad=shell("exit 3", ready="exec false"))
    first = stack.berth("up", "-d", "other", "bad", check=1)
    assert "bad" in first.err
    second = stack.berth("up", "-d", "backend")
    assert "bad" not in second.err + second.out and "9100" in second.err + second.out, second
    assert "bad" in stack.berth("up", "-d", "bad", check=1).err


@ids("S1")
@root_and_user
def test_who_asks_for_one_does_not_wait_for_another(world):
    gate = fifo(world, "gate")
    stack = Stack(world, slow=shell("read line < $1; echo up; exec sleep 1000", gate, ready="log up"),
                  other=shell("exec sleep 1000"))
    up = stack.start("up", "-d")
    stack.await_state("other", "ready")
    stack.berth("up", "-d", "other")
    assert stack.states()["slow"] == "starting"
    let_go(gate)
    assert up.wait() == 0, up


@ids("S1")
@root_and_user
def test_what_was_ready_and_has_failed_is_told_and_nobody_starts_for_it(world):
    """a dies while b comes up: c, which needs both, was started, and a was not named."""
    gate, end = fifo(world, "gate"), fifo(world, "end")
    stack = Stack(world, a=shell("echo up; read line < $1; exit 3", end, ready="log up"),
                  b=shell("read line < $1; echo up; exec sleep 1000", gate, ready="log up"),
                  c=shell("exec sleep 1000", depends_on=["a", "b"]))
    up = stack.start("up", "-d")
    stack.await_state("a", "ready")
    let_go(end)
    wait_until(lambda: "a" not in stack.states(), lambda: stack.states())
    let_go(gate)
    assert up.wait() == 1, up
    assert "a ended after it was ready (exit 3)" in up.err and "c is not started" in up.err, up
    assert set(stack.states()) == {"b"}


@ids("S1", "P10")
@root_and_user
def test_of_several_instances_all_have_to_be_ready_for_who_needs_them(world):
    text = "[ $BERTH_INSTANCE = 2 ] && exit 4; echo up; exec sleep 1000"
    stack = Stack(world, inst=shell(text, ready="log up", instances=2), c=shell("exec sleep 1000", depends_on=["inst"]))
    up = stack.berth("up", "-d", check=1)
    assert "inst.2" in up.err and "c is not started" in up.err, up
    assert set(stack.states()) == {"inst"}


# --- what does not run is started ---

@ids("S1", "N6")
@root_and_user
def test_what_is_on_its_way_out_is_waited_for_and_started_again(world):
    gate = fifo(world, "gate")
    stack = Stack(world, stub=program(DEAF, gate, ready="log up", stop_grace_period="60s"), other=shell("exec sleep 1000"))
    old = stack.up()["stub"]
    stop = stack.start("stop", "stub")
    stack.await_state("stub", "stopping")
    up = stack.start("up", "-d", "stub")
    let_go(gate)
    assert up.wait() == 0 and stop.wait() == 0, up
    new = stack.services()["stub"]
    assert new["state"] == "ready" and new["pid"] != old["pid"] and new["supervisor_pid"] == old["supervisor_pid"]
    down = stack.start("down", "stub")
    stack.await_state("stub", "stopping")
    up = stack.start("up", "-d")
    let_go(gate)
    assert up.wait() == 0 and down.wait() == 0, up
    assert stack.states() == {"stub": "ready", "other": "ready"}
    kill(stack.services()["stub"]["pid"])


@ids("S1", "N3")
@root_and_user
def test_what_waits_before_its_next_try_is_started_now(world):
    stack = Stack(world, a=shell("exec sleep 1000", restart="on-failure", backoff="10m", backoff_max="10m"), other=shell("exec sleep 1000"))
    first = stack.up()["a"]
    # The first restart is at once only after a stable run.
    kill(first["pid"])
    stack.await_state("a", "waiting")
    second = stack.up("a")["a"]
    assert second["state"] == "ready" and second["pid"] not in (None, first["pid"])


@ids("S1", "P10")
@root_and_user
def test_an_instance_that_was_stopped_is_started_again(world):
    stack = Stack(world, inst=shell("exec sleep 1000", instances=2), other=shell("exec sleep 1000"))
    first = stack.up()
    for gone, stays in (("inst.2", "inst"), ("inst", "inst.2")):
        stack.berth("stop", "inst.1" if gone == "inst" else gone)
        assert gone not in stack.states()
        now = stack.up("inst")
        assert set(now) == {"inst", "inst.2", "other"} and now[stays]["pid"] == stack.services()[stays]["pid"]
        assert now["other"] == first["other"]


# --- more of them ---

@ids("P10", "S1")
@root_and_user
def test_what_is_scaled_waits_for_its_needs_and_is_heard(world):
    """It was started before what it depends on, and its lines came nowhere."""
    gate = fifo(world, "gate")
    stack = Stack(world, slow=shell("read line < $1; echo up; exec sleep 1000", gate, ready="log up"),
                  dep=shell("exec sleep 1000", depends_on=["slow"]),
                  inst=shell("echo I am $BERTH_INSTANCE; exec sleep 1000", instances=2, depends_on=["slow"]))
    up = stack.start("up")
    stack.await_state("slow", "starting")
    scaled = [stack.start("scale", "dep=2"), stack.start("scale", "inst=3")]
    stack.await_state("inst.3", "waiting")
    states = stack.states()
    assert states.pop("slow") == "starting" and set(states.values()) == {"waiting"}, states
    let_go(gate)
    assert [one.wait() for one in scaled] == [0, 0], scaled
    assert len(stack.berth("status", "dep", "--json").service["workers"]) == 2
    up.wait_for("I am 3", stream="out")
    stack.berth("scale", "inst=1")
    assert {name for name in stack.up() if name.startswith("inst")} == {"inst"}, "as many as were ordered last"


@ids("P10", "S1")
@root_and_user
def test_what_is_scaled_and_can_not_start_is_told_and_the_others_go_on(world):
    stack = Stack(world, need=shell("exec sleep 1000"), inst=shell("exec sleep 1000", instances=2, depends_on=["need"]))
    first = stack.up()
    stack.berth("stop", "need")
    result = stack.berth("scale", "inst=3", check=1)
    assert "depends on need" in result.err, result
    assert {name: service["pid"] for name, service in stack.services().items()} == {
        name: first[name]["pid"] for name in ("inst", "inst.2")}


# --- whose ports are told ---

@ids("S1", "S6")
@root_and_user
def test_whose_port_is_told_is_started_with_it(world):
    stack = Stack(world, backend={"command": SERVER, "port": 9100},
                  web=shell("echo backend is at {backend.url}; exec sleep 1000"), other=shell("exec sleep 1000"))
    stack.content["services"]["web"]["command"][2] = "echo backend is at {backend.url}; exec sleep 1000"
    stack.write(**stack.content["services"])
    stack.up("other")
    assert set(stack.up("web")) == {"backend", "web", "other"}
    port = port_of(stack.services()["backend"])
    wait_until(lambda: f"backend is at http://localhost:{port}" in stack.berth("logs", "web").out, "it is told")


@ids("S6", "S7")
@root_and_user
def test_whose_port_is_told_is_known_when_it_has_gone(world):
    """web could not be started again: "nothing is called '{backend.url}' here"."""
    stack = Stack(world, backend={"command": SERVER, "port": 9100}, web=shell("exec sleep 1000"))
    stack.content["services"]["web"]["command"][2] = "echo {backend.url} $BACKEND_PORT; exec sleep 1000"
    stack.write(**stack.content["services"])
    port = port_of(stack.up()["backend"])
    stack.berth("stop", "backend")
    stack.berth("restart", "web")
    said = f"http://localhost:{port} {port}"
    wait_until(lambda: stack.berth("logs", "web").out.count(said) == 2, lambda: stack.berth("logs", "web"))
    assert stack.states() == {"web": "ready"}
