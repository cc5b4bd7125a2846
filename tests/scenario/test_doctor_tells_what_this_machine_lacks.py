# SPDX-License-Identifier: MIT
# scenario/test_doctor_tells_what_this_machine_lacks.py - each row of `berth doctor`, and the command that mends it
"""What can be made worse in a world of its own is; the rest is unit/app/test-doctor.c's."""

import os
import socket

import pytest

from berthtest import BERTH, as_user, ids, need, root_and_user, skip
from test_json_matches_its_schemas import validate

ROWS = {"lease", "time-wait", "above", "pidfd-getfd", "yama", "steering", "view", "new-privileges", "containment", "cgroup",
        "sockets", "processes", "port-range", "ipv6", "localhost", "open-files", "process-limit", "file-size", "names",
        "runtime-folder", "state-folder", "settings", "stale-files"}


def doctor(world, *before, code=0):
    """The rows by name, of berth started by @before."""
    result = world.run([*before, BERTH, "doctor", "--json"], check=code)
    validate(result.json, "doctor")
    return {check["name"]: check for check in result.json["checks"]}


def with_files(world, **files):
    """What starts a command that has these files in the place of those of /etc, and nobody else has."""
    script, paths = "", []
    for name, text in files.items():
        paths.append(world.write(f"etc/{name}", text))
        script += f'mount --bind "$1" /etc/{name.replace("_", ".")} && shift && '
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{script}exec "$@"', "sh", *paths]
    if world.run([*argv, "true"], check=None).code:
        skip("no mount namespace can be had")
    return argv


@ids("D6")
@root_and_user
def test_all_that_berth_stands_on_has_its_row(world):
    rows = doctor(world, code=None)
    assert set(rows) == ROWS
    for name in ("lease", "above", "pidfd-getfd", "steering", "containment", "stale-files"):
        assert rows[name]["result"] == "ok", rows[name]


@ids("D6")
@pytest.mark.parametrize("hosts, code, result, found", [
    ("127.0.0.1 localhost berth-doctor.localhost\n", 0, "ok", "leads to 127.0.0.1,"),
    ("::1 localhost berth-doctor.localhost\n127.0.0.1 localhost\n", 0, "ok", "[::1] and 127.0.0.1"),
    ("127.0.0.1 localhost\n", 0, "degraded", "names below localhost lead nowhere"),
    ("127.0.0.1 localhost\n10.9.8.7 berth-doctor.localhost\n", 0, "degraded", "lead to another machine"),
    ("127.0.0.1 elsewhere\n", 1, "missing", "leads nowhere"),
    ("10.9.8.7 localhost\n", 1, "missing", "leads to another machine"),
])
def test_where_localhost_leads(world, hosts, code, result, found):
    row = doctor(world, *with_files(world, hosts=hosts, nsswitch_conf="hosts: files\n"), code=code)["localhost"]
    assert row["result"] == result and found in row["found"], row
    assert not row["fix"] or result != "ok"


def test_a_resolver_that_does_not_answer_is_waited_for_a_second_at_most(world):
    """The name server is an address that swallows everything."""
    need("ip")
    world.run(["ip", "addr", "add", "10.9.8.7/32", "dev", "lo"])
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("10.9.8.7", 53))
    world.sockets.append(silent)
    argv = with_files(world, hosts="127.0.0.1 localhost\n", nsswitch_conf="hosts: files dns\n",
                      resolv_conf="nameserver 10.9.8.7\noptions timeout:30\n")
    row = doctor(world, *argv)["localhost"]
    assert "nothing came of it within a second" in row["found"], row


@ids("P6")
def test_a_port_that_outgoing_connections_use_is_told_and_can_be_reserved(world):
    need("sysctl")
    world.run(["sysctl", "-w", "net.ipv4.ip_local_reserved_ports=50000,50002-50003"])
    assert doctor(world)["port-range"]["result"] == "ok"
    world.run_d("--name", "api", "--port", "40000", "--", *world.victim().argv(40000))
    row = doctor(world)["port-range"]
    assert row["result"] == "degraded" and "port 40000 of 'shop/api'" in row["found"], row
    world.run(["sh", "-c", row["fix"]])
    assert doctor(world)["port-range"]["result"] == "ok"
    with open("/proc/sys/net/ipv4/ip_local_reserved_ports", encoding="ascii") as file:
        assert file.read() == "40000,50000,50002-50003\n"


@ids("D6")
def test_a_promise_that_does_not_hold_is_exit_1(world):
    runtime = os.path.join(world.runtime, "berth")
    os.mkdir(runtime)
    os.chmod(runtime, 0o777)
    result = world.berth("doctor", check=1)
    assert result.err == "berth: 1 of berth's promises does not hold here\n"
    assert f"fix: chmod 700 {runtime}\n" in result.out
    os.chmod(runtime, 0o700)
    world.berth("doctor")


@ids("D6")
@as_user
def test_a_limit_of_processes_is_told_to_a_user(world):
    row = doctor(world, "prlimit", "--nproc=40", code=None)["process-limit"]
    assert row["result"] == "degraded" and "may have 40 processes" in row["found"], row


def test_inside_of_a_copy_the_berth_above_is_no_fault(world):
    world.run_d("--name", "api", "--port", "5000", "--", *world.victim().argv(5000))
    rows = doctor(world, BERTH, "exec", "--in", "api", "--", code=0)
    assert rows["above"]["result"] == "ok" and "'shop/api'" in rows["above"]["found"], rows["above"]


@pytest.mark.parametrize("name", ["with blanks", "x\x1b[31m", "it's $HOME"])
def test_a_path_in_a_command_is_quoted(world, name):
    """A raw escape went to the terminal, and a blank made two words of it."""
    world.env["XDG_CONFIG_HOME"] = os.path.join(world.folder, name)
    path = world.write(os.path.join(world.folder, name, "berth", "config.yaml"), "nonsense: [\n")
    result = world.berth("doctor", check=1)
    assert "\x1b" not in result.out
    fix = next(line.strip() for line in result.out.splitlines() if "EDITOR" in line).removeprefix("fix: ")
    assert world.run(["bash", "-c", fix], env={"EDITOR": "printf %s"}).out == path


def test_without_room_for_a_file_all_is_checked_all_the_same(world):
    """It ended without a word, by SIGXFSZ, while it wrote its filter."""
    result = world.run(["sh", "-c", 'ulimit -f 0; "$0" doctor', BERTH], check=1)
    assert "a file may have 0 bytes" in result.out and "of berth's promises do" in result.err, result


def test_what_is_started_has_the_signals_that_berth_was_started_with(world):
    command = ["cat", "/proc/self/status"]
    plain = world.run(command).out
    for berth in ([BERTH, "run", "--"], [BERTH, "run", "--steer=off", "--"]):
        for word in ("SigBlk", "SigIgn", "SigCgt"):
            lines = [next(line for line in out.splitlines() if line.startswith(word))
                     for out in (plain, world.run([*berth, *command]).out)]
            assert lines[0] == lines[1]
