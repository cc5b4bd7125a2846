# SPDX-License-Identifier: MIT
# scenario/test_no_stranger_serves_on_a_leased_port.py - N2: hostile binders in tight loops
"""Between choosing a port and the end of the service nobody else can serve on it; the service always comes up."""

import os
import subprocess

import pytest

from berthtest import BERTH, Thief, answer, bindable, ids, kill, listeners, port_of, root_and_user, skip, wait_until

MODES = ["v4", "v6", "dual", "reuseaddr", "reuseaddr6", "reuseport", "bind0", "connect"]
STARTS = int(os.environ.get("BERTH_HOSTILE_STARTS", "1000"))


@ids("N2", "P14")
@root_and_user
@pytest.mark.parametrize("mode", MODES)
def test_no_stranger_serves_and_the_service_always_comes_up(world, who, mode):
    """STARTS over all modes. Each: berth takes the port; the thief attacks it; the service binds; a client comes."""
    if who == "root":
        prove_the_thief_works(world, mode)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write("5000 5063")  # the kernel's own choice is pressed into our faces
    sink = world.occupy(4999)
    thief = Thief(world, mode, sink.getsockname()[1])
    stolen = 0
    for number in range(STARTS // len(MODES)):
        stolen += one_start(world, who, thief, number)
    # without CAP_NET_RAW the thief may win the open moment, never the service's clients
    if who == "root":
        assert stolen == 0


def one_start(world, who, thief, number):
    victim = world.victim(f"s{number}")
    run = world.spawn([BERTH, "run", "--name", "web", "--new", "--port", "5000", "--",
                       *victim.argv("--wait-line", "--once", 5000)], stdin=subprocess.PIPE)
    victim.running()
    thief.attack(5000)
    run.send("\n")
    port = victim.port
    assert answer(port) == {"server": "victim", "port": port, "pid": victim.pids()[-1], "say": victim.name, "path": "/"}
    assert run.wait() == 0, run
    counts = thief.pause()
    assert counts["tries"] > 0
    if who == "user" and port != 5000:
        return 1  # it moved to the next number, which nobody attacked
    assert counts["accepted"] == 0, counts
    run.close()
    return 0


def prove_the_thief_works(world, mode):
    """A test that can't fail shows nothing: on a free port the same thief gets in."""
    if mode in ("bind0", "connect"):
        return
    thief = Thief(world, mode)
    thief.attack(5100)
    assert thief.pause()["listens"] > 0
    thief.process.signal(15)
    thief.process.wait()


@ids("N2")
@root_and_user
@pytest.mark.parametrize("mode", MODES)
def test_a_running_service_keeps_its_port(world, mode):
    """All the while that it runs: the thief never binds, every client reaches the service."""
    victim = world.victim()
    place = "5000" if mode in ("v4", "reuseaddr", "reuseport", "bind0", "connect") else "[::]:5000"
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv("--reuseport", place))
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write("4990 5010")
    thief = Thief(world, mode, world.occupy(4999).getsockname()[1])
    thief.attack(5000)
    for _ in range(40):
        assert answer(5000)["say"] == victim.name
    counts = thief.pause()
    assert counts["tries"] > 0 and counts["binds"] == counts["accepted"] == 0, counts


@ids("N2")
@root_and_user
@pytest.mark.parametrize("place", ["127.0.0.1:5000", "[::1]:5000", "[::]:5000", "0.0.0.0:5000"])
def test_a_service_on_one_address_keeps_the_whole_port(world, place):
    """On no address, in neither family."""
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv("--v6only", place))
    for mode in ("v4", "v6", "dual", "reuseaddr", "reuseaddr6", "reuseport"):
        thief = Thief(world, mode)
        thief.attack(5000)
        assert answer(5000, "::1" if "[" in place else "127.0.0.1")["say"] == victim.name
        counts = thief.pause()
        assert counts["tries"] > 0 and counts["binds"] == 0, counts


@ids("N2")
@root_and_user
def test_a_service_with_reuseport_does_not_open_its_port_to_others(world):
    """The symptom: 19 of 60 clients went to another program of the same user that set SO_REUSEPORT too."""
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv("--reuseport", 5000))
    thief = world.victim("thief")
    stranger = world.spawn(thief.argv("--reuseport", 5000))
    stranger.wait_for("bind: Address already in use")
    assert {answer(5000)["say"] for _ in range(20)} == {victim.name}


@ids("N2")
@root_and_user
def test_a_second_reuseport_worker_of_the_same_tree_still_gets_in(world):
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv("--reuseport", 5000))
    assert victim.command("listen 5000") == "ok 5000"
    assert {answer(5000)["say"] for _ in range(10)} == {victim.name}


@ids("N2", "P13")
@root_and_user
def test_a_start_right_after_time_wait_gets_that_very_port(world):
    """The symptom: `berth run --port 5000` right after an ordinary server moved to 5001, "held by nobody"."""
    stranger = world.stranger(5000)
    for _ in range(3):
        answer(5000)  # the server closes first: TIME_WAIT is on its side
    kill(stranger.pid)
    stranger.wait()
    with open("/proc/thread-self/net/tcp", encoding="ascii") as file:
        if not any(line.split()[1].endswith(":1388") and line.split()[3] == "06" for line in list(file)[1:]):
            skip("no TIME_WAIT on this kernel")
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))["service"]
    assert port_of(service) == 5000
    answer(5000)
    world.berth("stop", "web")
    assert bindable(5000)
    again = world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv("--no-reuseaddr", 5000))["service"]
    assert port_of(again) == 5000


@ids("N2")
@root_and_user
def test_the_port_stays_ours_when_the_service_closes_and_opens_again(world):
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))
    thief = Thief(world, "reuseaddr")
    thief.attack(5000)
    for number in range(10):
        victim.command(f"close {number}")
        assert victim.command("listen 5000") == "ok 5000"
    assert answer(5000)["say"] == victim.name
    assert thief.pause()["accepted"] == 0


@ids("N2")
@root_and_user
def test_a_service_that_narrows_itself_is_narrow(world):
    """The symptom: told 127.0.0.1, really still on 0.0.0.0."""
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))
    victim.command("close 0")
    assert victim.command("listen 127.0.0.1:5000") == "ok 5000"
    assert [address for address, port in listeners() if port == 5000] == ["127.0.0.1"]
    assert answer(5000)["say"] == victim.name
    assert not bindable(5000)


@ids("N2")
@root_and_user
def test_two_programs_of_one_tree_with_the_same_number_are_told_as_the_kernel_would(world):
    """The symptom: 10 of 20 requests for A were answered by B."""
    first = world.victim("first")
    run = world.start("run", "--name", "web", "--port", "5000", "--", "sh", "-c",
                      'helper=$1; shift; "$@" & while [ ! -e "$0" ]; do :; done; "$helper" 5000; echo "second: $?"; wait',
                      first.ready_file, world.helper("victim"), *first.argv(5000))
    run.wait_for("^second: 99", "out")
    assert {answer(5000)["say"] for _ in range(20)} == {"first"}


@ids("N2", "P14")
@root_and_user
def test_a_number_that_another_of_our_ports_has_is_no_reason_to_fail(world):
    """5000 was moved to 5001; the same program then wants 5001 too."""
    world.occupy(5000)
    victim = world.victim()
    world.run_d("--name", "web", "--", *victim.argv(5000, 5001))
    assert victim.ready() == [5001, 5002]
    assert victim.connect(5000)["port"] == 5001


@ids("N2", "P11")
@root_and_user
def test_an_extra_port_is_free_again_when_the_service_closes_it(world):
    """A probe (bind, close, tell somebody outside) must not keep the number."""
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))
    assert victim.command("listen 9464") == "ok 9464"
    assert not bindable(9464)
    victim.command("close 1")
    wait_until(lambda: bindable(9464), "the number is free")
