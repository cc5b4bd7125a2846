# SPDX-License-Identifier: MIT
# scenario/test_the_ports_file_has_three_authors.py - S2: .ports.json of single services
"""A person, a stack and any number of services write into one file, and each finds its own again."""

import json
import os

from berthtest import ids, kill, root_and_user, wait_until


def path(world):
    return os.path.join(world.project, ".ports.json")


def read(world):
    with open(path(world), encoding="utf-8") as file:
        return json.load(file)


def start(world, name, port, *options):
    return world.run_d("--name", name, "--port", str(port), "--ports-file", *options, "--", *world.victim().argv(port))["service"]


@ids("S2")
@root_and_user
def test_what_the_user_has_written_comes_back(world):
    text = '{\n  "note": "mine",\n  "backend_port": 9005\n}\n'
    world.write(".ports.json", text)
    world.occupy(9000)
    start(world, "backend", 9000)
    now = read(world)
    assert now["note"] == "mine" and now["backend_port"] == 9001 and now["backend_url"] == "http://localhost:9001"
    world.berth("stop", "backend")
    with open(path(world), encoding="utf-8") as file:
        assert file.read() == text


@ids("S2")
@root_and_user
def test_several_services_share_it(world):
    for name, port in (("api", 9000), ("my-web", 5000)):
        start(world, name, port)
    now = read(world)
    assert (now["api_port"], now["my_web_port"]) == (9000, 5000)
    world.berth("stop", "api")
    now = read(world)
    assert "api_port" not in now and now["my_web_port"] == 5000
    world.berth("stop", "my-web")
    assert not os.path.exists(path(world))


@ids("S2")
def test_services_that_start_at_once_lose_none(world):
    runs = [world.start("run", "-d", "--name", f"s{i}", "--port", str(9000 + i), "--ports-file", "--",
                        *world.victim().argv(9000 + i)) for i in range(6)]
    for run in runs:
        assert run.wait() == 0
    now = read(world)
    assert [now.get(f"s{i}_port") for i in range(6)] == [9000 + i for i in range(6)]


@ids("S2", "N5")
@root_and_user
def test_what_a_killed_one_has_left_is_taken_out(world):
    world.write(".ports.json", '{"api_port": 9005}')
    service = start(world, "api", 9000)
    assert read(world)["api_port"] == 9000
    kill(service["supervisor_pid"])
    kill(service["guardian_pid"])
    world.nothing_left()
    world.berth("ls")
    wait_until(lambda: read(world) == {"api_port": 9005}, lambda: f"the user's file again: {read(world)}")


@ids("S2")
@root_and_user
def test_what_is_no_json_is_never_written_over(world):
    world.write(".ports.json", "{\n  // mine\n}\n")
    result = world.berth("run", "--ports-file", "--name", "api", "--", "sh", "-c", "touch started", check=2)
    assert f"{path(world)}:2:3: no JSON" in result.err and "hint: mend it or remove it" in result.err
    assert not os.path.exists(os.path.join(world.project, "started"))


@ids("S2")
def test_what_is_broken_meanwhile_is_left_alone_and_said_once(world):
    run = world.start("run", "--name", "api", "--port", "9000", "--ports-file", "--", *world.victim().argv(9000))
    run.wait_for("api is http")
    world.write(".ports.json", "broken")
    world.berth("stop", "api")
    run.wait()
    with open(path(world), encoding="utf-8") as file:
        assert file.read() == "broken"
    assert run.err.count("no JSON") == 1


@ids("S2")
def test_a_link_is_not_followed(world):
    target = world.write("elsewhere.json", "{}")
    os.symlink(target, path(world))
    assert "symbolic link" in world.berth("run", "--ports-file", "--", "true", check=2).err
    assert os.path.islink(path(world))


@ids("S2")
@root_and_user
def test_a_folder_that_takes_no_files_is_said_once_and_no_obstacle(world):
    result = world.berth("run", "--name", "api", "--ports-file=/proc/self/none/.ports.json", "--", "true")
    assert result.err.count("cannot write '/proc/self/none/.ports.json'") == 1
