# SPDX-License-Identifier: MIT
# scenario/test_what_sigkill_does_not_end_is_named.py - a process that sleeps in the kernel
"""A disk or a network file system that hangs can't be made here; the old freezer can: what it has frozen is in
uninterruptible sleep ('D') and hears of SIGKILL when it is thawed (cgroup-v1/freezer-subsystem in the kernel's documents).
"""

import contextlib
import os

import pytest

from berthtest import alive, bindable, ids, skip, wait_until

FREEZER = "/sys/fs/cgroup/freezer"


@pytest.fixture
def freeze():
    """freeze(pid) puts a process into such a sleep; thaw() ends it."""
    folder = f"{FREEZER}/berth-test-{os.getpid()}"
    try:
        os.mkdir(folder)
    except OSError as error:
        skip(f"no freezer of the first version of control groups: {error.strerror}")

    def write(name, text):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    class Freezer:
        def __call__(self, pid):
            write("cgroup.procs", str(pid))
            write("freezer.state", "FROZEN")

        def thaw(self):
            write("freezer.state", "THAWED")

    freezer = Freezer()
    yield freezer
    freezer.thaw()

    def removed():
        with contextlib.suppress(OSError):
            os.rmdir(folder)
        return not os.path.exists(folder)

    wait_until(removed, "the group is empty")


@ids("I4", "N6")
def test_stop_names_it_and_its_wait_channel_and_exits_1(world, freeze):
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--grace", "100ms", "--", *victim.argv(5000))["service"]
    freeze(service["pid"])
    result = world.berth("stop", "web", check=1)
    assert f"process {service['pid']} (victim) of 'web' does not end after SIGKILL" in result.err, result
    assert "it sleeps in the kernel (" in result.err and "hint:" in result.err, result
    assert alive(service["pid"])
    freeze.thaw()
    # nobody needs to ask again: it has its SIGKILL
    world.nothing_left()
    wait_until(lambda: bindable(5000), "the port is free")
