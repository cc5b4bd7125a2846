# SPDX-License-Identifier: MIT
# scenario/test_a_stack_leases_all_or_nothing.py - S1, P6, P13, N5: all ports first; raced, refused or killed, no half of it stays
"""Other starts come at the same moment, the ports are taken, berth is killed: then all of a stack is there, or nothing."""

import os
import random
import signal

import pytest

from berthtest import (
    ALREADY,
    NO_PORT,
    USAGE,
    alive,
    answer,
    bindable,
    each_containment,
    ids,
    kill,
    port_of,
    root_and_user,
    wait_gone,
    wait_until,
)
from stacks import Stack, by_name, shell

ROUNDS = 12
SEED = 5


def three(world, names=("backend", "frontend", "worker"), first=9000):
    """Victims with a port each, every one needs the one before it."""
    victims = {name: world.victim(name) for name in names}
    services = {}
    for i, (name, victim) in enumerate(victims.items()):
        services[name] = {"command": victim.argv(first + i), "port": first + i,
                          **({"depends_on": [names[i - 1]]} if i else {})}
    return victims, services


def forget(victims):
    for victim in victims.values():
        victim.forget()


# --- all of them, or none ---

@ids("S1", "P13")
@root_and_user
def test_all_ports_are_held_before_the_first_is_started(world):
    """Whoever is started last, and waits, has its port already: no stranger gets it."""
    victims, services = three(world)
    services["backend"]["command"] = victims["backend"].argv()
    stack = Stack(world, **services)
    up = stack.start("up", "-d")
    victims["backend"].running()
    wait_until(lambda: len(stack.states()) == 3, lambda: stack.states())
    assert stack.states() == {"backend": "starting", "frontend": "waiting", "worker": "waiting"}
    ports = {name: port_of(service) for name, service in stack.services().items()}
    assert ports == {"backend": 9000, "frontend": 9001, "worker": 9002}
    assert not any(bindable(port) for port in ports.values())
    assert {name: stack.ports()[f"{name}_port"] for name in ports} == ports
    victims["backend"].command("listen 9000")
    assert up.wait() == 0
    assert {name: answer(port)["say"] for name, port in ports.items()} == {name: name for name in ports}


@ids("S1", "P6")
@root_and_user
def test_where_one_has_no_port_nothing_is_started_or_held(world):
    victims, services = three(world)
    services["worker"].update(port=9100, range="9100-9102")
    stack = Stack(world, **services)
    blockers = [world.occupy(port) for port in (9100, 9101, 9102)]
    for arguments in (["-d"], []):
        result = stack.berth("up", *arguments, check=NO_PORT)
        assert "worker" in result.err and "9100-9102" in result.err, result
        holder = f"{os.getpid()}" if world.uid is None else "uid 0"
        assert result.err.count(holder) >= 3, f"who holds them: {result}"
        assert bindable(9000) and bindable(9001) and stack.ports() == {}
        world.nothing_left()
    error = stack.berth("up", "-d", "--json", check=NO_PORT).error
    assert error["code"] == "no-port"
    assert not any(os.path.exists(victim.pids_file) for victim in victims.values())
    anywhere = port_of(stack.up("--any")["worker"])
    assert anywhere not in (9100, 9101, 9102)
    stack.berth("down")
    forget(victims)
    blockers[1].close()
    assert port_of(stack.up()["worker"]) == 9101


@ids("S1")
@root_and_user
def test_a_range_too_small_for_all_instances_starts_none(world):
    web = {"command": ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"], "range": "8000-8001", "port": 8000}
    stack = Stack(world, other=shell("exec sleep 1000"), web={**web, "instances": 3})
    result = stack.berth("up", "-d", check=None)
    assert result.code == USAGE and "8000-8001" in result.err and "3 instances" in result.err, result
    assert world.everything() == [] and bindable(8000) and bindable(8001)


@ids("S1", "N2")
@root_and_user
def test_stacks_of_two_folders_have_ports_of_their_own(world):
    stacks, first = [], {}
    for name in ("one", "two"):
        folder = world.make_project(name)
        victims, services = three(world, tuple(f"{name}-{part}" for part in ("backend", "frontend", "worker")))
        stacks.append((Stack(world, folder, **services), victims))
    for stack, victims in stacks:
        first[stack.folder] = {name: port_of(service) for name, service in stack.up().items()}
    (one, ones), (two, twos) = stacks
    assert sorted(first[one.folder].values()) == [9000, 9001, 9002]
    assert not set(first[one.folder].values()) & set(first[two.folder].values())
    for stack, victims in stacks:
        for name, victim in victims.items():
            assert answer(first[stack.folder][name])["say"] == victim.name == name
    one.berth("down")
    assert one.ports() == {} and set(by_name(world.services())) == set(twos)


@ids("S1")
def test_services_that_wish_the_same_number_are_not_in_each_others_way(world):
    """No fault of a file where a range makes room for both; then each has one of its own."""
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    stack = Stack(world, one={"command": command, "port": 8000}, two={"command": command, "port": 8000})
    result = stack.berth("up", "-d", check=None)
    if result.code == 0:
        assert sorted(port_of(service) for service in stack.services().values()) == [8000, 8001]
    else:
        assert result.code == USAGE and "8000" in result.err and "one" in result.err and "two" in result.err, result
        assert world.everything() == []


# --- raced ---

@ids("S1", "I1")
@root_and_user
def test_many_starts_at_once_make_one_stack(world):
    victims, services = three(world)
    stack = Stack(world, **services)
    starts = [stack.start("up", "-d") for _ in range(20)]
    codes = [start.wait(deadline=60) for start in starts]
    assert codes == [0] * 20, [start for start in starts if start.popen.returncode]
    supervisors = {service["supervisor_pid"] for service in stack.services().values()}
    assert len(supervisors) == 1 and set(stack.states()) == set(victims)
    for i, (name, victim) in enumerate(victims.items()):
        assert len(victim.pids()) == 1 and answer(9000 + i)["say"] == name
    stack.berth("down")
    assert world.everything() == []


@ids("S1", "I1")
@root_and_user
def test_of_many_starts_in_the_foreground_one_is_it(world):
    victims, services = three(world)
    stack = Stack(world, **services)
    starts = [stack.start("up") for _ in range(10)]
    wait_until(lambda: sum(start.popen.poll() is not None for start in starts) == 9, "nine have been refused", 30)
    refused = [start for start in starts if start.popen.poll() is not None]
    assert [start.wait() for start in refused] == [ALREADY] * 9
    assert all("already running" in start.err for start in refused)
    for victim in victims.values():
        victim.ready()
    assert all(len(victim.pids()) == 1 for victim in victims.values())
    one, = (start for start in starts if start not in refused)
    one.signal(signal.SIGTERM)
    one.wait()
    world.nothing_left()
    assert all(bindable(9000 + i) for i in range(3))


@ids("S1", "I1")
@root_and_user
def test_a_service_that_runs_by_itself_is_not_started_twice(world):
    """`berth run --name backend` in the folder of the stack is that service."""
    victims, services = three(world)
    single = world.victim("single")
    stack = Stack(world, **services)
    run = world.run_d("--name", "backend", "--port", "9000", "--", *single.argv(9000))["service"]
    result = stack.berth("up", "-d", check=ALREADY)
    assert "backend" in result.err and "already running" in result.err, result
    assert not any(os.path.exists(victim.pids_file) for victim in victims.values())
    assert [service["pid"] for service in world.services()] == [run["pid"]]
    assert bindable(9001) and bindable(9002) and stack.ports() == {}
    world.berth("stop", "backend")
    assert set(stack.up()) == set(victims)
    result = world.berth("run", "--name", "backend", "--", "sleep", "1000", check=ALREADY)
    assert "already running" in result.err, result


@ids("S1", "S7", "N6")
@root_and_user
def test_starts_raced_against_stops_leave_all_of_it_or_nothing(world):
    victims, services = three(world)
    stack = Stack(world, **services)
    for _ in range(ROUNDS):
        forget(victims)
        both = [stack.start("up", "-d"), stack.start("down"), stack.start("up", "-d"), stack.start("down")]
        codes = [process.wait(deadline=30) for process in both]
        assert codes[1] == codes[3] == 0 and {codes[0], codes[2]} <= {0, 1}, both
        left = stack.states()
        assert left in ({}, {name: "ready" for name in victims}), (left, both)
        stack.berth("down")
        check_nothing(world, stack)


# --- killed ---

def processes(stack):
    """(guardian, supervisor) of what runs."""
    service = next(iter(stack.services().values()))
    supervisor = service["supervisor_pid"]
    with open(f"/proc/{supervisor}/stat", encoding="ascii") as file:
        guardian = int(file.read().rpartition(")")[2].split()[1])
    return guardian, supervisor


def check_nothing(world, stack, ports=(9000, 9001, 9002)):
    world.nothing_left(20)
    assert all(bindable(port) for port in ports)
    assert world.services() == []
    file = stack.ports()
    if file:  # nobody is left to remove it: it says so itself
        supervisor = file["berth"]["pid"]
        assert not alive(supervisor)


@ids("S1", "N5")
@each_containment
@pytest.mark.parametrize("victim_of", ["supervisor", "guardian", "both"])
@pytest.mark.parametrize("detached", [True, False], ids=["background", "foreground"])
def test_killed_while_it_is_up_leaves_nothing(world, victim_of, detached):
    victims, services = three(world)
    # A parent's end is not its child's; but with both killed nobody is left who could see to that.
    for i, name in enumerate(victims if victim_of != "both" else ()):
        services[name]["command"] = victims[name].argv("--fork", "--setsid", "--ignore-term", 9000 + i)
        services[name]["stop_grace_period"] = "100ms"
    stack = Stack(world, **services)
    up = stack.start("up", *(["-d"] if detached else []))
    for victim in victims.values():
        victim.ready()
    wait_until(lambda: set(stack.states().values()) == {"ready"}, lambda: stack.states())
    guardian, supervisor = processes(stack)
    pids = {"supervisor": [supervisor], "guardian": [guardian], "both": [guardian, supervisor]}[victim_of]
    if not detached:
        assert guardian == up.pid
    for pid in pids:
        kill(pid)
    for pid in pids:
        wait_gone(pid)
    if victim_of == "guardian" and detached:
        wait_until(lambda: {service["containment"] for service in world.services()} == {"degraded"}, "it says so")
        assert stack.states() == {name: "ready" for name in victims}, "it goes on"
        assert answer(9000)["say"] == "backend"
        stack.berth("down")
    check_nothing(world, stack)
    forget(victims)
    assert set(stack.up()) == set(victims)
    assert stack.ports()["backend_port"] == 9000


@ids("S1", "N5")
@root_and_user
@pytest.mark.parametrize("detached", [True, False], ids=["background", "foreground"])
def test_killed_at_any_moment_of_its_start_leaves_nothing(world, detached):
    """After a time of no meaning, some of it started and some not; the seed is the same each time."""
    victims, services = three(world)
    stack = Stack(world, **services)
    dice = random.Random(SEED)
    for _ in range(ROUNDS):
        forget(victims)
        up = stack.start("up", *(["-d"] if detached else []))
        let_pass(world, dice.randrange(12))
        berths = [process.pid for process in world.everything() if process.is_berth and process.pid != up.pid]
        dice.shuffle(berths)
        if not detached:
            berths.insert(dice.randrange(len(berths) + 1), up.pid)
        for pid in berths[:dice.randrange(1, 3)]:
            kill(pid)
        if not detached:
            up.signal(signal.SIGTERM)
        up.wait(deadline=30)
        if detached:  # it may have found nobody to kill, or have tried again
            stack.berth("down")
        check_nothing(world, stack)
    forget(victims)
    assert set(stack.up()) == set(victims)


def let_pass(world, count):
    """A while: so many looks at the process table, some ms each."""
    for _ in range(count):
        world.everything()


@ids("S1", "N5")
@root_and_user
def test_killed_while_a_service_waits_leaves_nothing(world):
    victims, services = three(world)
    services["backend"]["command"] = victims["backend"].argv()
    stack = Stack(world, **services)
    for which in (0, 1):
        forget(victims)
        up = stack.start("up")
        victims["backend"].running()
        wait_until(lambda: len(stack.states()) == 3, lambda: stack.states())
        assert stack.ports()["worker_port"] == 9002
        kill(processes(stack)[which])
        up.wait()
        check_nothing(world, stack)


@ids("S1", "N5")
@root_and_user
def test_killed_while_it_goes_down_leaves_nothing(world):
    victims, services = three(world)
    services["worker"].update(command=victims["worker"].argv("--ignore-term", 9002), stop_grace_period="1h")
    stack = Stack(world, **services)
    stack.up()
    _, supervisor = processes(stack)
    down = stack.start("down")
    stack.await_state("worker", "stopping")
    kill(supervisor)
    down.wait()
    check_nothing(world, stack)
    forget(victims)
    services["worker"]["command"] = victims["worker"].argv(9002)
    stack.write(**services)
    assert set(stack.up()) == set(victims)
