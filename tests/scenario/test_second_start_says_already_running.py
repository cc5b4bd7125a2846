# SPDX-License-Identifier: MIT
# scenario/test_second_start_says_already_running.py - I1, I2, I3: one instance of each service
"""One instance per project and service; a second start says so; the dead are no obstacle."""

import os
import re

from berthtest import ALREADY, BERTH, UNKNOWN, alive, answer, ids, kill, port_of, root_and_user


@ids("I1")
@root_and_user
def test_a_second_start_says_pid_url_and_since_when(world):
    victim = world.victim()
    service = world.run_d("--name", "api", "--port", "9001", "--", *victim.argv(9001))["service"]
    result = world.berth("run", "--name", "api", "--port", "9001", "--", *world.victim().argv(9001), check=ALREADY)
    first, *rest = result.err.splitlines()
    assert re.fullmatch(rf"berth: 'api' of \S+ is already running: http://localhost:9001, pid {service['pid']}, "
                        r"since \d\d:\d\d \(\d+ \w+\)", first), result
    assert any(line.startswith("hint:") and "--new" in line and "restart" in line for line in rest), result
    assert answer(9001)["say"] == victim.name


@ids("I1")
def test_a_program_can_ask_the_same(world):
    service = world.run_d("--name", "api", "--port", "9001", "--", *world.victim().argv(9001))["service"]
    result = world.berth("run", "-d", "--json", "--name", "api", "--", "true", check=ALREADY)
    assert result.error["code"] == "already-running"
    assert result.error["service"]["pid"] == service["pid"] and result.error["service"]["id"] == service["id"]


@ids("I1")
def test_reuse_hands_out_the_running_one(world):
    command = ["--name", "api", "--port", "9001", "--reuse", "--", *world.victim().argv(9001)]
    first = world.run_d(*command)
    assert first["reused"] is False
    again = world.run_d(*command)
    assert again["reused"] is True and again["service"]["id"] == first["service"]["id"]


@ids("I1")
def test_reuse_of_another_command_is_refused(world):
    """What runs is not what was asked for."""
    world.run_d("--name", "api", "--port", "9001", "--", *world.victim().argv(9001))
    world.berth("run", "-d", "--name", "api", "--reuse", "--", *world.victim().argv(9001), check=ALREADY)


@ids("I1")
def test_the_key_is_the_folder_not_the_name(world):
    """The same name in another project, or in another folder of it, is another service."""
    other = world.make_project("other")
    below = os.path.join(world.project, "sub")
    os.mkdir(below)
    world.give(below)
    ports = [port_of(world.run_d("--name", "api", "--port", "9001", "--", *world.victim().argv(9001),
                                 cwd=cwd)["service"]) for cwd in (world.project, other, below)]
    assert ports == [9001, 9002, 9003]


@ids("I1")
@root_and_user
def test_of_two_starts_at_the_same_instant_exactly_one_wins(world):
    for round_number in range(5):
        starts = []
        for _ in range(6):
            victim = world.victim()
            starts.append(world.spawn([BERTH, "run", "-d", "--name", f"r{round_number}", "--port", "9001", "--",
                                       *victim.argv(9001)]))
        codes = sorted(start.wait() for start in starts)
        assert codes == [0] + [ALREADY] * 5, [repr(start) for start in starts]
        assert len([s for s in world.services() if s["service"] == f"r{round_number}"]) == 1
        world.berth("stop", f"r{round_number}")


@ids("I2")
@root_and_user
def test_a_killed_instance_leaves_no_stale_lock(world):
    victim = world.victim()
    service = world.run_d("--name", "api", "--port", "9001", "--", *victim.argv(9001))["service"]
    kill(service["supervisor_pid"])
    world.nothing_left()
    victim.forget()
    again = world.run_d("--name", "api", "--port", "9001", "--", *victim.argv(9001))["service"]
    assert port_of(again) == 9001 and again["id"] != service["id"]


@ids("I2")
def test_a_record_of_the_dead_is_cleaned_up_by_a_look(world):
    victim = world.victim()
    service = world.run_d("--name", "api", "--", *victim.argv(9001))["service"]
    kill(service["supervisor_pid"])
    world.nothing_left()
    assert world.services() == []
    world.berth("status", "api", check=UNKNOWN)
    records = [name for folder, _, files in os.walk(os.path.join(world.runtime, "berth")) for name in files]
    assert not [name for name in records if service["id"] in name], records


@ids("I3")
@root_and_user
def test_force_ends_what_runs_and_starts(world):
    first, second = world.victim("first"), world.victim("second")
    old = world.run_d("--name", "api", "--port", "9001", "--", *first.argv("--graceful", 9001))["service"]
    new = world.run_d("--name", "api", "--port", "9001", "--force", "--", *second.argv(9001))["service"]
    assert not alive(old["pid"]) and port_of(new) == 9001
    assert answer(9001)["say"] == "second"


@ids("I3")
def test_force_says_what_was_sent_to_whom(world):
    first = world.victim("first")
    old = world.run_d("--name", "api", "--port", "9001", "--", *first.argv(9001))["service"]
    run = world.start("run", "--name", "api", "--port", "9001", "--force", "--", *world.victim().argv(9001))
    run.wait_for(r"^berth: api is http://localhost:9001$")
    assert str(old["pid"]) in run.err


@ids("D3")
@root_and_user
def test_free_ends_a_holder_that_is_ours_before_the_start(world):
    other = world.make_project("other")
    old = world.run_d("--name", "web", "--port", "9001", "--", *world.victim().argv(9001), cwd=other)["service"]
    new = world.run_d("--name", "api", "--port", "9001", "--free", "--", *world.victim("new").argv(9001))["service"]
    assert port_of(new) == 9001 and not alive(old["pid"])
    assert answer(9001)["say"] == "new"


@ids("D3")
def test_free_leaves_strangers_alone(world):
    stranger = world.stranger(9001)
    new = world.run_d("--name", "api", "--port", "9001", "--free", "--", *world.victim().argv(9001))["service"]
    assert port_of(new) == 9002 and alive(stranger.pid)
