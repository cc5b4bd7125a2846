# SPDX-License-Identifier: MIT
# scenario/test_a_stack_is_a_unit_of_systemd.py - S1, S7: `berth up` tells a manager when it is ready, and when it ends
"""The manager is a socket of the test's own, as NOTIFY_SOCKET names it (sd_notify(3)); of the shipped unit, systemd-analyze
says whether it is one."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from berthtest import BUILD, DEADLINE, ROOT, ids, kill, need, root_and_user, wait_until
from stacks import POLITE, Stack, fifo, let_go, program, shell, teller

GATED = 'read line < "$1"; echo up; exec sleep 1000'


class Manager:
    """Hears what is said to it. A path and no abstract name: those end at the world's network namespace."""

    def __init__(self, world):
        self.path = os.path.join(world.folder, "manager")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        world.give(self.path)

    @property
    def env(self):
        return {"NOTIFY_SOCKET": self.path}

    def hear(self):
        self.socket.settimeout(DEADLINE)
        return self.socket.recv(4096).decode()

    def assert_nothing(self):
        self.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            print(self.socket.recv(4096))


@pytest.fixture
def manager(world):
    manager = Manager(world)
    yield manager
    manager.socket.close()


def stop(world, manager, up):
    """As systemd does it."""
    kill(up.pid, signal.SIGTERM)
    assert manager.hear() == "STOPPING=1"
    up.wait()
    world.nothing_left()


@ids("S1")
@root_and_user
def test_ready_is_said_when_all_are_ready_and_stopping_before_the_first_ends(world, manager):
    gate = fifo(world, "gate")
    polite = os.path.join(world.home, "order")
    stack = Stack(world, backend=program(POLITE, "backend", polite, ready="log ^up"),
                  frontend=shell(GATED, gate, ready="log ^up"))
    up = stack.start("up", env=manager.env)
    stack.await_state("backend", "ready")
    manager.assert_nothing()
    let_go(gate)
    assert manager.hear() == "READY=1"
    assert stack.states() == {"backend": "ready", "frontend": "ready"}
    manager.assert_nothing()
    stop(world, manager, up)


@ids("S1")
@root_and_user
def test_a_stack_that_ends_by_itself_says_so(world, manager):
    gate = fifo(world, "gate")
    stack = Stack(world, one=shell('echo up; read line < "$1"', gate, ready="log ^up"))
    up = stack.start("up", env=manager.env)
    assert manager.hear() == "READY=1"
    let_go(gate)
    assert manager.hear() == "STOPPING=1"
    assert up.wait() == 0
    world.nothing_left()


@ids("S1")
@root_and_user
def test_one_that_fails_is_never_said_to_be_ready(world, manager):
    gate = fifo(world, "gate")
    stack = Stack(world, bad=shell("exit 3", ready="log ^up"), good=shell(GATED, gate, ready="log ^up"))
    up = stack.start("up", env=manager.env)
    wait_until(lambda: set(stack.states()) == {"good"}, stack.states)
    let_go(gate)
    stack.await_state("good", "ready")
    manager.assert_nothing()
    stop(world, manager, up)


@ids("S1")
@root_and_user
def test_services_have_no_way_to_the_manager(world, manager):
    service, told = teller(world, "one")
    asking, asked = teller(world, "two", ready="notify")
    stack = Stack(world, one=service, two=asking)
    up = stack.start("up", env=manager.env)
    assert "NOTIFY_SOCKET" not in told()["env"]
    assert asked()["env"]["NOTIFY_SOCKET"].startswith("@")  # berth's own
    stop(world, manager, up)


@ids("S1")
def test_the_shipped_unit_is_one_and_starts_a_stack_in_its_folder(tmp_path):
    path = os.path.join(BUILD, "share", "berth@.service")
    text = open(path, encoding="utf-8").read()
    settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.M))
    assert settings["Type"] == "notify" and settings["KillMode"] == "mixed"
    assert settings["WorkingDirectory"] == "%f"
    assert re.fullmatch(r"/\S*/berth up", settings["ExecStart"])
    need("systemd-analyze")
    copy = tmp_path / "berth@srv-shop.service"
    copy.write_text(text.replace(settings["ExecStart"], f"{shutil.which('true')} up"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True,
                          cwd=ROOT, check=False)
    assert done.returncode == 0 and copy.name not in done.stderr, done.stderr
