# SPDX-License-Identifier: MIT
# scenario/test_pid_and_lock_files_are_where_the_user_wants_them.py - I6, S2: files for other programs
"""--pid-file, --lock-file, --ports-file: written when true, whole, and gone with the service."""

import json
import os

from berthtest import bindable, ids, kill, root_and_user, wait_until


@ids("I6")
@root_and_user
def test_both_files_tell_who_where_and_what(world):
    service = world.run_d("--name", "api", "--port", "9001", "--pid-file", ".server.pid", "--lock-file", ".server.lock",
                          "--", *world.victim().argv(9001))["service"]
    with open(f"{world.project}/.server.pid", encoding="ascii") as file:
        assert int(file.read()) == service["pid"]
    with open(f"{world.project}/.server.lock", encoding="utf-8") as file:
        lock = json.load(file)
    assert lock["pid"] == service["pid"] and lock["project"] == "shop" and lock["service"] == "api"
    assert lock["command"] == service["command"] and "9001" in json.dumps(lock["ports"])
    assert any("start" in key for key in lock)
    world.berth("stop", "api")
    assert not os.path.exists(f"{world.project}/.server.pid")
    assert not os.path.exists(f"{world.project}/.server.lock")


@ids("I6", "I5")
@root_and_user
def test_both_files_go_when_the_supervisor_is_killed(world):
    service = world.run_d("--name", "api", "--port", "9001", "--pid-file", ".server.pid", "--lock-file", ".server.lock",
                          "--ports-file", "--", *world.victim().argv(9001))["service"]
    kill(service["supervisor_pid"])
    world.nothing_left()
    assert [name for name in os.listdir(world.project) if name != ".git"] == []
    assert bindable(9001)


@ids("I6", "S2")
@root_and_user
def test_the_ports_file_has_port_and_url(world):
    world.occupy(9001)
    world.run_d("--name", "backend", "--port", "9001", "--ports-file", "--", *world.victim().argv(9001))
    with open(f"{world.project}/.ports.json", encoding="utf-8") as file:
        ports = json.load(file)
    assert ports["backend_port"] == 9002 and ports["backend_url"] == "http://localhost:9002"
    world.berth("stop", "backend")
    assert not os.path.exists(f"{world.project}/.ports.json") or \
        "backend_port" not in open(f"{world.project}/.ports.json", encoding="utf-8").read()


@ids("I6")
def test_a_stale_pid_file_is_no_obstacle(world):
    world.write(".server.pid", "1\n")
    service = world.run_d("--name", "api", "--pid-file", ".server.pid", "--", *world.victim().argv(9001))["service"]
    wait_until(lambda: open(f"{world.project}/.server.pid", encoding="ascii").read().strip() == str(service["pid"]),
               "the pid file is ours")


@ids("I6")
def test_a_pid_file_in_no_folder_is_said(world):
    result = world.berth("run", "--pid-file", "no/such/folder/pid", "--", "true", check=None)
    assert result.code in (0, 125) and "no/such/folder" in result.err
