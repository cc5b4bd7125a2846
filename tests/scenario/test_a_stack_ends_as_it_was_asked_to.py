# SPDX-License-Identifier: MIT
# scenario/test_a_stack_ends_as_it_was_asked_to.py - S1, S7, N5: in reverse order, once graceful, twice hard; nothing stays
"""`berth up` in the foreground and in the background, and each way that it can come to its end."""

import contextlib
import os
import signal
import subprocess

import pytest

from berthtest import BERTH, USAGE, Process, alive, answer, bindable, descendants, ids, root_and_user, wait_gone, wait_until
from stacks import POLITE, Stack, fifo, let_go, open_gate, program, read_lines, shell


class Chain:
    """page needs frontend, frontend needs backend; each writes down when it is told to end, and when it does."""

    def __init__(self, world, slow=None):
        self.path = os.path.join(world.home, "order")
        self.gate = fifo(world, "gate")
        needs = {"backend": [], "frontend": ["backend"], "page": ["frontend"]}
        self.stack = Stack(world, **{name: program(
            POLITE, name, self.path, *([self.gate] if name == slow else []), ready="log ^up",
            stop_grace_period="1h", **({"depends_on": before} if before else {})) for name, before in needs.items()})

    @property
    def lines(self):
        return read_lines(self.path)

    def await_all(self):
        wait_until(lambda: len(self.lines) == 3, lambda: self.lines)
        assert self.lines == ["backend runs", "frontend runs", "page runs"]

    def await_line(self, line):
        wait_until(lambda: line in self.lines, lambda: f"{line}: {self.lines}")

    def assert_reverse(self):
        assert self.lines[3:] == [f"{name} {what}" for name in ("page", "frontend", "backend")
                                  for what in ("is told", "ends")]


# --- by itself ---

@ids("S1")
@root_and_user
@pytest.mark.parametrize("one, two, code", [("exit 0", "exit 0", 0), ("exit 3", "exit 0", 3), ("exit 0", "kill -9 $$", 137)])
def test_it_ends_when_all_have_ended_with_the_code_of_the_first_that_failed(world, one, two, code):
    stack = Stack(world, one=shell(one), two=shell(two, depends_on={"one": {"condition": "started"}}))
    up = stack.start("up")
    assert up.wait() == code, up
    world.nothing_left()
    assert stack.ports() == {}


@ids("S1")
@root_and_user
@pytest.mark.parametrize("code", [0, 3])
def test_with_abort_on_exit_the_first_that_ends_ends_all(world, code):
    chain = Chain(world)
    gate = fifo(world, "go")
    chain.stack.add(job=shell("read line < $1; exit $2", gate, code))
    up = chain.stack.start("up", "--abort-on-exit")
    chain.await_all()
    let_go(gate)
    assert up.wait() == code, up
    assert "job has ended" in up.out, up
    chain.assert_reverse()
    world.nothing_left()


@ids("S1")
@root_and_user
@pytest.mark.parametrize("bad, code", [
    ({"command": "no-such-program-of-anybody"}, 127),
    ({"command": "sleep 1000", "ready": "exec false", "start_timeout": "300ms"}, 143),
    ({"command": "sleep 1000", "live": "exec false", "probe": {"period": "100ms", "failure_threshold": 1}}, 143),
], ids=["not to be started", "not ready in time", "not alive"])
def test_with_abort_on_exit_one_that_fails_ends_all(world, bad, code):
    """It went on for ever with the others: in CI."""
    stack = Stack(world, bad=bad, good=shell("exec sleep 1000"))
    up = stack.start("up", "--abort-on-exit")
    assert up.wait() == code, up
    assert "bad has ended" in up.out, up
    world.nothing_left()


@ids("S1")
def test_abort_on_exit_goes_not_with_the_background(world):
    stack = Stack(world, one=shell("exec sleep 1000"))
    assert "--abort-on-exit" in stack.berth("up", "-d", "--abort-on-exit", check=USAGE).err


# --- in the foreground ---

@ids("S1", "I5")
@root_and_user
def test_ctrl_c_ends_each_after_those_who_need_it(world):
    chain = Chain(world, slow="frontend")
    up = chain.stack.start("up", terminal=True)
    chain.await_all()
    up.send("\x03")
    chain.await_line("frontend is told")
    assert chain.stack.states() == {"backend": "ready", "frontend": "stopping"}
    assert "backend is told" not in chain.lines
    let_go(chain.gate)
    assert up.wait() in (130, -signal.SIGINT), up
    chain.assert_reverse()
    world.nothing_left()
    assert chain.stack.ports() == {}


@ids("S1", "I5")
@root_and_user
def test_ctrl_c_twice_ends_all_at_once(world):
    deaf = [world.victim(name) for name in ("backend", "frontend")]
    backend, frontend = ({"command": victim.argv("--ignore-term", "--ignore-int", "--double-fork", 9000 + i),
                          "port": 9000 + i, "stop_grace_period": "1h"} for i, victim in enumerate(deaf))
    stack = Stack(world, backend=backend, frontend={**frontend, "depends_on": ["backend"]})
    up = stack.start("up", terminal=True)
    pids = [pid for victim in deaf for pid in (victim.ready(), victim.pids())[1]]
    wait_until(lambda: set(stack.states().values()) == {"ready"}, "both are up")
    up.send("\x03")
    stack.await_state("frontend", "stopping")
    assert stack.states() == {"backend": "ready", "frontend": "stopping"} and up.popen.poll() is None
    up.send("\x03")
    assert up.wait() in (130, -signal.SIGINT), up
    world.nothing_left()
    assert not any(alive(pid) for pid in pids) and bindable(9000) and bindable(9001)


@ids("S1", "I5")
@root_and_user
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_up_ends_all_in_order(world, signum):
    chain = Chain(world)
    up = chain.stack.start("up")
    chain.await_all()
    up.signal(signum)
    assert up.wait() == 0, up
    chain.assert_reverse()
    world.nothing_left()


@ids("S1", "I5")
@root_and_user
def test_closing_the_window_ends_all_in_order(world):
    chain = Chain(world)
    up = chain.stack.start("up", terminal=True)
    chain.await_all()
    up.hang_up()
    wait_gone(up.pid)
    chain.assert_reverse()
    world.nothing_left()


@ids("S1", "I5")
@root_and_user
def test_who_closes_its_output_ends_it(world):
    """`berth up | head -1`"""
    chain = Chain(world)
    read, write = os.pipe()
    gate = fifo(world, "go")
    chain.stack.add(talker=shell("read line < $1; echo hello; exec sleep 1000", gate))
    up = chain.stack.start("up", stdout=write)
    os.close(write)
    chain.await_all()
    talker = open_gate(gate)
    os.close(read)
    with contextlib.suppress(BrokenPipeError):  # a word of berth's own has ended it by now
        os.write(talker, b"\n")
    os.close(talker)
    up.wait()
    chain.assert_reverse()
    world.nothing_left()


@ids("I5")
@root_and_user
def test_ctrl_z_stops_the_front_and_fg_brings_it_back(world):
    shell_ = world.spawn(["bash", "--norc", "--noprofile", "-i"], terminal=True)
    victim = world.victim()
    stack = Stack(world, backend={"command": victim.argv(9000), "port": 9000})
    shell_.send(f"{BERTH} up\n")
    assert victim.port == 9000
    shell_.send("\x1a")
    shell_.wait_for("Stopped")
    front = next(process.pid for process in descendants(shell_.pid) if process.parent == shell_.pid)
    assert Process(front).state == "T"
    assert answer(9000)["port"] == 9000, "a service of a stack is no part of the job"
    shell_.send("fg\n")
    wait_until(lambda: Process(front).state != "T", "it is in front again")
    shell_.send("\x03")
    wait_until(lambda: not stack.states(), "Ctrl-C after fg")
    shell_.send("echo code=$?\n")
    shell_.wait_for(r"code=130")


# --- in the background ---

@ids("S7", "N6")
@root_and_user
def test_down_ends_each_after_those_who_need_it_and_says_so(world):
    chain = Chain(world)
    chain.stack.up()
    pids = {name: service["pid"] for name, service in chain.stack.services().items()}
    down = chain.stack.berth("down")
    chain.assert_reverse()
    assert world.everything() == [], "the prompt comes back when all has gone"
    told = [line for line in down.err.splitlines() if any(name in line for name in pids)]
    assert [next(name for name in pids if name in line) for line in told] == ["page", "frontend", "backend"], down
    assert chain.stack.ports() == {}
    again = chain.stack.berth("down")
    assert again.code == 0 and "nothing" in again.err


@ids("S7")
@root_and_user
def test_down_of_one_leaves_those_that_it_needs(world):
    """Whoever needs the one that is stopped stays too: only what is named ends."""
    chain = Chain(world)
    before = chain.stack.up()
    chain.stack.berth("down", "frontend")
    assert chain.lines[3:] == ["frontend is told", "frontend ends"]
    assert chain.stack.services() == {name: before[name] for name in ("backend", "page")}
    assert chain.stack.berth("down", "no-such", check=3).err
    chain.stack.berth("down", "page", "backend")
    assert sorted(chain.lines[5:]) == ["backend ends", "backend is told", "page ends", "page is told"]
    world.nothing_left()


@ids("S7", "N6")
@root_and_user
def test_a_service_that_hears_nothing_is_killed_after_its_time(world):
    victim = world.victim()
    stack = Stack(world, deaf={"command": victim.argv("--ignore-term", "--double-fork", 9000), "port": 9000,
                               "stop_grace_period": "300ms"}, other=shell("exec sleep 1000", depends_on=["deaf"]))
    stack.up()
    pids = victim.pids()
    stack.berth("down")
    assert not any(alive(pid) for pid in pids) and bindable(9000)
    assert world.everything() == []


@ids("S7", "N6")
@root_and_user
@pytest.mark.parametrize("how", [["--grace", "100ms"], ["--kill"]], ids=["grace", "kill"])
def test_down_can_be_told_not_to_wait(world, how):
    deaf = [world.victim(name) for name in ("backend", "frontend")]
    backend, frontend = ({"command": victim.argv("--ignore-term", 9000 + i), "port": 9000 + i, "stop_grace_period": "1h"}
                         for i, victim in enumerate(deaf))
    stack = Stack(world, backend=backend, frontend={**frontend, "depends_on": ["backend"]})
    stack.up()
    stack.berth("down", *how)
    assert world.everything() == [] and bindable(9000) and bindable(9001)
    assert stack.ports() == {}


@ids("S7")
@root_and_user
def test_down_ends_one_in_the_foreground_too(world):
    chain = Chain(world)
    up = chain.stack.start("up")
    chain.await_all()
    chain.stack.berth("down")
    up.wait()
    chain.assert_reverse()
    world.nothing_left()


@ids("S7")
@root_and_user
def test_down_knows_it_without_its_manifest(world):
    """It has been broken, or removed, since."""
    chain = Chain(world)
    chain.stack.up()
    world.write("berth.yaml", "services: [\n")
    chain.stack.berth("down")
    chain.assert_reverse()
    chain.stack.world.write("berth.yaml", "services: {web: {command: sleep 1000, port: none}}\n")
    chain.stack.up()
    os.unlink(os.path.join(world.project, "berth.yaml"))
    chain.stack.berth("down")
    assert world.everything() == []


@ids("N12")
@root_and_user
def test_it_ends_with_its_owner(world):
    chain = Chain(world)
    keeper = world.spawn(["cat"], stdin=subprocess.PIPE)
    chain.stack.up("--owner", str(keeper.pid))
    assert {service["owner_pid"] for service in chain.stack.services().values()} == {keeper.pid}
    chain.await_all()
    keeper.popen.stdin.close()
    keeper.popen.stdin = None
    world.nothing_left()
    chain.assert_reverse()
    assert chain.stack.ports() == {}


@ids("N12")
@root_and_user
def test_it_ends_after_its_time(world):
    chain = Chain(world)
    chain.stack.berth("up", "-d", "--ttl", "1s")
    chain.await_all()
    world.nothing_left()
    chain.assert_reverse()


@ids("S7", "N6")
@root_and_user
def test_down_while_it_comes_up_ends_what_has_started_and_starts_no_more(world):
    backend, frontend = world.victim("backend"), world.victim("frontend")
    stack = Stack(world, backend={"command": backend.argv(), "port": 9000},
                  frontend={"command": frontend.argv(), "port": 9001, "depends_on": ["backend"]})
    up = stack.start("up", "-d")
    backend.running()
    stack.await_state("frontend", "waiting")
    stack.berth("down")
    assert up.wait() == 1, up
    assert world.everything() == [] and not os.path.exists(frontend.pids_file)
    assert bindable(9000) and bindable(9001) and stack.ports() == {}


@ids("S7")
@root_and_user
def test_up_while_it_goes_down_waits_for_that_or_says_so(world):
    """And never leaves half a stack."""
    chain = Chain(world, slow="frontend")
    chain.stack.up()
    down = chain.stack.start("down")
    chain.await_line("frontend is told")
    result = chain.stack.berth("up", "-d", check=None)
    assert result.code in (1, 4) and "being stopped" in result.err, result
    let_go(chain.gate)
    assert down.wait() == 0, down
    world.nothing_left()
    assert set(chain.stack.up()) == {"backend", "frontend", "page"}
