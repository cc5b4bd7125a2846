# SPDX-License-Identifier: MIT
# scenario/test_who_sees_what_others_do_not.py - D1, N9: who holds a port, whatever it is, and why a bind() fails
"""Each row of what ss, lsof, fuser and netstat leave out. What berth says of a bind() is held against a real one.

Other tests have network namespaces too, and root sees them: holders are looked at here if they are in the test's own.
"""

import contextlib
import datetime
import errno
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from berthtest import (BERTH, DEADLINE, USAGE, as_user, bindable, descendants, ids, need, root_and_user, skip,
                       wait_until)
from stacks import Stack
from test_json_matches_its_schemas import validate

ALL_FREE = 3


def look(world, *arguments, check=0):
    """`berth who --json ARGUMENTS`: {port: document}, with the holders of our network namespace only."""
    document = world.berth("who", "--json", *arguments, check=check).json
    validate(document, "who")
    for port in document["ports"]:
        port["elsewhere"] = [holder for holder in port["holders"] if holder["netns"] != "same"]
        port["holders"] = [holder for holder in port["holders"] if holder["netns"] == "same"]
    ports = {(port["port"], port["protocol"]): port for port in document["ports"]}
    ports["unseen"] = document["unseen"]
    return ports


def look_at(world, port, check=0, protocol="tcp", options=()):
    """The document of one port."""
    return look(world, str(port), *options, check=check)[port, protocol]


def only_holder(document):
    assert len(document["holders"]) == 1, document
    return document["holders"][0]


def spawn_python(world, code, *arguments, **options):
    """A program that says a line when it is ready; its process and that line."""
    process = world.spawn([sys.executable, "-c", code, *arguments], **options)
    line = process.wait_for(r"^.*\n", "out").group().strip()
    return process, line


# --- what is in the way ---

@ids("D1", "N9")
@root_and_user
def test_a_listener_of_ones_own_with_all_that_is_known(world):
    world.write("package.json", "{}")
    cwd = os.path.join(world.project, "web")
    world.write("web/server.js", "")
    victim = world.victim()
    process = world.spawn(victim.argv("127.0.0.1:5000"), cwd=cwd)
    victim.ready()
    document = look_at(world, 5000)
    holder = only_holder(document)
    assert not document["bindable"] and not bindable(5000)
    assert document["answers"] == ["127.0.0.1"]
    assert sorted(document["refused"]) == sorted(["0.0.0.0", "::", "127.0.0.1"])  # [::1] is free still
    assert (holder["kind"], holder["in_the_way"], holder["address"], holder["family"]) == (
        "listener", True, "127.0.0.1", "ipv4")
    assert (holder["pid"], holder["process"], holder["command"]) == (process.pid, "victim", victim.argv("127.0.0.1:5000"))
    assert (holder["cwd"], holder["project"]) == (cwd, {"root": world.project, "kind": ".git"})
    assert holder["uid"] == (world.uid or 0) and holder["pid_visible"] and holder["shared_with"] == []
    assert holder["parents"][0]["pid"] == os.getpid() and holder["parents"][-1]["pid"] == 1
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(holder["started_at"][:-1] + "+00:00")
    assert abs(age.total_seconds()) < DEADLINE
    assert document["fix"] == ["berth", "free", "5000"] and document["fix_needs"] is None
    process.signal(signal.SIGKILL)
    process.wait()
    assert look_at(world, 5000, check=ALL_FREE)["bindable"] and bindable(5000)


@ids("D1", "N9")
@as_user
def test_roots_listener_is_hidden_but_not_left_out(world):
    victim = world.victim()
    world.spawn(victim.argv(5432), as_root=True)
    victim.ready()
    ports = look(world, "5432")
    holder = only_holder(ports[5432, "tcp"])
    assert (holder["pid"], holder["pid_visible"], holder["uid"], holder["user"]) == (None, False, 0, "root")
    assert (holder["kind"], holder["address"], holder["in_the_way"]) == ("listener", "0.0.0.0", True)
    assert ports["unseen"] == ["5432 is held by uid 0 (root), process hidden"]
    said = world.berth("who", "5432")
    assert re.search(r"^5432 +listening +process hidden +root ", said.out, re.M), said
    assert said.err == "hint: 5432 is held by uid 0 (root), process hidden\nhint: as root: sudo berth who 5432\n"


def cgroup_folder():
    with open("/proc/self/mounts", encoding="ascii") as file:
        mounts = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    if os.geteuid() != 0 or not mounts or not os.access(mounts[0], os.W_OK):
        skip("needs root and a writable cgroup2 mount")
    return mounts[0]


@ids("N9")
@root_and_user
def test_the_unit_is_told_though_the_process_is_hidden(world):
    """sock_diag(7) has the cgroup of a socket, for everybody."""
    folder = os.path.join(cgroup_folder(), f"test-{os.getpid()}.slice")
    group = os.path.join(folder, "db@15-main.service")
    try:
        os.makedirs(group)
    except OSError as error:
        skip(f"no cgroup of our own: {error}")
    victim = world.victim()
    process = None
    try:
        argv = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh", *victim.argv(5432)]
        process = world.spawn(argv, as_root=True)
        victim.ready()
        holder = only_holder(look_at(world, 5432))
        assert holder["unit"] == "db@15-main.service" and holder["pid_visible"] == (world.uid is None)
        assert re.search(r" db@15-main\.service$", world.berth("who", "5432").out, re.M)
    finally:
        if process:
            process.signal(signal.SIGKILL)
            process.wait()
        for path in (group, folder):
            wait_until(lambda path=path: remove_group(path), f"{path} empty")


def remove_group(path):
    with contextlib.suppress(FileNotFoundError):
        try:
            os.rmdir(path)
        except OSError as error:
            return error.errno != errno.EBUSY
    return True


@ids("N9")
def test_another_network_namespace_is_looked_into_as_root(world):
    need("unshare")
    victim = world.victim()
    process = world.spawn(["unshare", "-n", *victim.argv(5432)])
    victim.ready()
    document = look_at(world, 5432, check=ALL_FREE)
    found = [holder for holder in document["elsewhere"] if holder["pid"] == process.pid]
    assert len(found) == 1, document
    assert found[0]["netns"] == os.readlink(f"/proc/{process.pid}/ns/net") and not found[0]["in_the_way"]
    assert document["bindable"] and bindable(5432) and document["holders"] == []
    assert "another network namespace" in document["hint"]
    assert re.search(rf"^5432 +listening +victim {process.pid} ", world.berth("who", "5432", check=ALL_FREE).out, re.M)


@ids("N9")
def test_a_listener_of_another_network_namespace_is_no_reason_here(world):
    need("unshare")
    elsewhere = world.victim()
    world.spawn(["unshare", "-n", *elsewhere.argv(5001)])
    elsewhere.ready()
    world.stranger("--no-reuseaddr", "bind:5001")
    document = look_at(world, 5001)
    assert document["elsewhere"] and not document["bindable"]
    assert "bound and not listening" in (document["hint"] or ""), document


@ids("N9")
@root_and_user
def test_bound_and_not_listening(world):
    process = world.stranger("bind:5001")
    document = look_at(world, 5001)
    holder = only_holder(document)
    assert (holder["kind"], holder["pid"]) == ("bound", process.pid)
    said = world.berth("who", "5001").out
    assert re.search(rf"^5001 +bound +victim {process.pid} ", said, re.M), said


@ids("N9")
@root_and_user
def test_bound_and_not_listening_without_reuseaddr_fails_a_bind(world):
    world.stranger("--no-reuseaddr", "bind:5001")
    document = look_at(world, 5001)
    assert not document["bindable"] and not bindable(5001)
    assert "bound and not listening" in (document["hint"] or "") and document["answers"] == [], document


@ids("N9")
@as_user
def test_what_another_user_has_bound_is_told(world):
    victim = world.victim()
    world.spawn(victim.argv("--no-reuseaddr", "bind:5001"), as_root=True)
    victim.ready()
    document = look_at(world, 5001)
    holder = only_holder(document)
    assert (holder["kind"], holder["pid"], holder["uid"]) == ("bound", None, 0)
    assert not document["bindable"] and not bindable(5001)


CONNECT = """
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@ids("N9")
@root_and_user
def test_an_outgoing_connection_has_the_port(world):
    world.occupy(7000, "127.0.0.1")
    process, port = spawn_python(world, CONNECT, "7000", stdin=subprocess.PIPE)
    port = int(port)
    document = look_at(world, port)
    holder = only_holder(document)
    assert not bindable(port) and not document["bindable"]
    assert (holder["kind"], holder["pid"], holder["peer"]) == ("connection", process.pid, "127.0.0.1:7000")
    assert "reserve " + str(port) + " with net.ipv4.ip_local_reserved_ports" in document["hint"]
    said = world.berth("who", str(port))
    assert re.search(rf"^ *{port} +outgoing +python\S* {process.pid} .*→ 127\.0\.0\.1:7000 +bind\(\) fails although nobody",
                     said.out, re.M), said
    assert re.search(r"^hint: \d+: move your fallback range out of ", said.err, re.M), said


@ids("N9")
@root_and_user
def test_clients_of_a_listener_are_no_holders(world):
    process = world.stranger("127.0.0.1:7000")
    with socket.create_connection(("127.0.0.1", 7000)):
        assert only_holder(look_at(world, 7000))["pid"] == process.pid


@ids("N9")
@root_and_user
def test_time_wait_is_told_and_does_not_refuse_a_server(world):
    listener = world.occupy(7000, "127.0.0.1")
    with socket.create_connection(("127.0.0.1", 7000)) as client:
        server, _ = listener.accept()
        server.close()  # whoever closes first keeps the TIME_WAIT
        client.recv(1)
    listener.close()
    wait_until(lambda: look_at(world, 7000, check=None)["holders"], "TIME_WAIT")
    document = look_at(world, 7000, check=ALL_FREE)
    holder = only_holder(document)
    assert (holder["kind"], holder["pid"], holder["pid_visible"], holder["uid"]) == ("time_wait", None, True, None)
    assert document["bindable"] and bindable(7000)
    assert "SO_REUSEADDR" in document["hint"]


@ids("N9")
@root_and_user
def test_udp_is_told_where_it_is_asked_for(world):
    process = world.stranger("udp:5353")
    assert look_at(world, 5353, check=ALL_FREE)["holders"] == []
    ports = look(world, "--udp", "5353")
    assert ports[5353, "tcp"]["bindable"]
    holder = only_holder(ports[5353, "udp"])
    assert (holder["pid"], holder["protocol"]) == (process.pid, "udp")
    lines = world.berth("who", "--udp", "5353").out.splitlines()
    assert lines[0].split()[:3] == ["PORT", "PROTO", "STATE"]
    assert [line.split()[1:3] for line in lines[1:]] == [["tcp", "free"], ["udp", "listening"]]


@ids("N9")
@root_and_user
def test_two_programs_on_localhost_are_pointed_out(world):
    first, second = world.stranger("127.0.0.1:8080"), world.stranger("--v6only", "[::1]:8080")
    document = look_at(world, 8080)
    assert sorted(document["answers"]) == ["127.0.0.1", "::1"]
    assert {holder["pid"] for holder in document["holders"]} == {first.pid, second.pid}
    said = world.berth("who", "8080").err
    assert f"127.0.0.1 is victim {first.pid}, [::1] is victim {second.pid}" in said
    second.signal(signal.SIGKILL)
    second.wait()
    assert look_at(world, 8080)["hint"] is None


@ids("N9")
@root_and_user
def test_one_program_on_both_families_is_one_line(world):
    process = world.stranger("--v6only", "0.0.0.0:8080", "[::]:8080")
    assert look_at(world, 8080)["hint"] is None
    lines = [line for line in world.berth("who", "8080", "-o", "pid,address,netns").out.splitlines() if "same" in line]
    assert [line.split() for line in lines] == [[str(process.pid), "0.0.0.0,::", "same"]]


@ids("N9")
@root_and_user
def test_a_pair_with_reuseport(world):
    pair = {world.stranger("--reuseport", "8080").pid for _ in range(2)}
    document = look_at(world, 8080)
    assert {holder["pid"] for holder in document["holders"]} == pair
    assert "2 sockets share it (SO_REUSEPORT)" in document["hint"]


@ids("N9")
@root_and_user
def test_a_socket_that_others_have_inherited(world):
    process = world.stranger("--fork", "5000")
    child = wait_until(lambda: [p.pid for p in descendants(process.pid)], "child")[0]
    holder = only_holder(look_at(world, 5000))
    pids = {holder["pid"], *(other["pid"] for other in holder["shared_with"])}
    assert pids <= {process.pid, child} and holder["pid"] == min(pids, key=lambda pid: (pid != process.pid, pid))


INHERIT = """
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 5000))
pids = [os.getpid()]
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        sys.stdin.read()
        os._exit(0)
    pids.append(pid)
print(*pids, flush=True)
sys.stdin.read()
"""


@ids("N9")
@root_and_user
def test_workers_that_share_a_socket_are_told_with_it(world):
    process, pids = spawn_python(world, INHERIT, stdin=subprocess.PIPE)
    pids = [int(pid) for pid in pids.split()]
    holder = only_holder(look_at(world, 5000))
    assert holder["pid"] == process.pid == pids[0]
    assert sorted(other["pid"] for other in holder["shared_with"]) == sorted(pids[1:])
    assert re.search(rf" {process.pid} \+3 ", world.berth("who", "5000").out)
    # The one that opened it has gone: whoever has it now is told.
    process.signal(signal.SIGKILL)
    process.wait()
    holder = only_holder(look_at(world, 5000))
    assert {holder["pid"], *(other["pid"] for other in holder["shared_with"])} == set(pids[1:])


# --- berth's own ---

@ids("D1", "N9")
@root_and_user
def test_a_lease_before_and_after_its_service_listens(world):
    victim = world.victim()
    world.start("run", "--name", "web", "--port", "5000", "--", *victim.argv("--wait-line", "PORT"), stdin=subprocess.PIPE)
    victim.running()
    run = world.started[-1]
    document = look_at(world, 5000)
    service = {"label": "shop/web", "id": world.services()[0]["id"], "instance": 1}
    assert {holder["kind"] for holder in document["holders"]} == {"lease"}
    assert all(holder["service"] == service for holder in document["holders"])
    assert not document["bindable"] and not bindable(5000)
    lines = world.berth("who", "5000").out.splitlines()
    assert len([line for line in lines if " lease " in line]) == 1 and "shop/web" in "".join(lines)
    run.send("\n")
    victim.ready()
    document = wait_until(lambda: with_listener(look_at(world, 5000)), "listener")
    listener = [holder for holder in document["holders"] if holder["kind"] == "listener"]
    assert [holder["pid"] for holder in listener] == victim.pids() and listener[0]["service"] == service
    assert listener[0]["shared_with"] == []  # berth's duplicate is no news
    assert document["fix"] == ["berth", "stop", "5000"]
    said = [line for line in world.berth("who", "5000").out.splitlines() if "shop/web" in line]
    assert len(said) == 1 and " listening " in said[0]
    for operands in (["web"], ["5000,web"], ["4999-5001"]):
        assert pids_of(look(world, *operands)[5000, "tcp"]) == pids_of(document)


def pids_of(document):
    return [holder["pid"] for holder in document["holders"]]


def with_listener(document):
    return document if any(holder["kind"] == "listener" for holder in document["holders"]) else None


@ids("N9")
@root_and_user
def test_a_stranger_beside_a_lease_is_not_missed(world):
    """Only the service's tree is searched first: what that does not explain is looked for everywhere."""
    victim = world.victim()
    world.run_d("--name", "web", "--steer", "off", "--port", "5000", "--", *victim.argv("127.0.0.1:5000"))
    silent = world.stranger("bind:127.0.0.3:5000")
    pids = {holder["pid"] for holder in look_at(world, 5000)["holders"]}
    assert {silent.pid, *victim.pids()} <= pids
    stranger = world.stranger("127.0.0.2:5000")
    pids = {holder["pid"] for holder in look_at(world, 5000)["holders"]}
    assert {stranger.pid, silent.pid, *victim.pids()} <= pids


@ids("N9")
@root_and_user
def test_what_a_service_has_bound_and_does_not_listen_on_is_told(world):
    """Of a lease it is the supervisor that is asked for such sockets, and not the kernel's table."""
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv("127.0.0.1:5000", "bind:[::1]:5000"))
    document = look_at(world, 5000)
    held = {(holder["kind"], holder["address"]): holder["pid"] for holder in document["holders"]}
    victim_pid, supervisor = victim.pids()[0], world.services()[0]["supervisor_pid"]
    assert held == {("listener", "127.0.0.1"): victim_pid, ("bound", "::1"): victim_pid,
                    ("lease", "0.0.0.0"): supervisor, ("lease", "::"): supervisor}
    assert document["refused"] == ["0.0.0.0", "::", "127.0.0.1", "::1"]


# --- what the kernel keeps back ---

@ids("N9")
@root_and_user
def test_reserved_numbers_and_those_below_the_first_unprivileged_one(world):
    if "BERTH_TEST_USERNS" in os.environ:
        skip("needs root")
    for name, value in (("ip_local_reserved_ports", "5000-5003"), ("ip_unprivileged_port_start", "1024")):
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
            file.write(value)
    document = look_at(world, 5002, check=ALL_FREE)
    assert only_holder(document)["kind"] == "reserved" and document["bindable"] and bindable(5002)
    assert "ip_local_reserved_ports" in document["hint"]
    ranged = look(world, "5000-5010", check=ALL_FREE)  # of a range, only what is held
    assert all(port["elsewhere"] for key, port in ranged.items() if key != "unseen")
    document = look_at(world, 80, check=0 if world.uid else ALL_FREE)
    if world.uid:
        assert only_holder(document)["in_the_way"] and not document["bindable"] and document["fix_needs"] == "root"
        said = world.berth("who", "80", "81,443")
        assert re.search("^ *80 +reserved ", said.out, re.M)
        assert [line.split(" ")[1] for line in said.err.splitlines()] == ["80,81,443:"]  # one hint for all of them
    else:
        assert document["bindable"] and document["holders"] == []


# --- how it is asked ---

@ids("D1")
def test_numbers_lists_and_ranges(world):
    first, second = world.stranger(5000), world.stranger(5003)
    assert {key[0]: [holder["pid"] for holder in port["holders"]]
            for key, port in look(world, "5000-5010").items() if key != "unseen" and port["holders"]} == {
        5000: [first.pid], 5003: [second.pid]}
    listed = look(world, ":5003,5000,5002-5002")
    assert [key[0] for key in listed if key != "unseen"] == [5003, 5000, 5002]  # a single number always is there
    assert listed[5002, "tcp"]["holders"] == []
    said = world.berth("who", "5000-5010", "-o", "port,pid,netns").out.splitlines()
    assert [line.split() for line in said if "same" in line] == [
        ["5000", str(first.pid), "same"], ["5003", str(second.pid), "same"]]
    chosen = world.berth("who", "5000", "--json", "-o", "pid,state").json["ports"]
    assert {"pid": first.pid, "state": "listening"} in chosen


@ids("D1")
@pytest.mark.parametrize("operands", [[], ["0"], ["65536"], ["5010-5000"], ["80x"], ["5000,,5001"], [""], ["nobody"]], ids=str)
def test_what_is_no_port_is_no_answer(world, operands):
    """3 would say that they are all free."""
    result = world.berth("who", "--json", *operands, check=USAGE)
    validate(result.json, "error")
    if operands == ["5010-5000"]:
        assert result.error["message"] == "'5010-5000' ends before it begins"


@ids("D1")
def test_a_free_port_is_one_line(world):
    lines = world.berth("who", "5999", check=ALL_FREE).out.splitlines()
    assert len(lines) >= 2 and re.match(r"5999 +(free|listening|bound)", lines[1])


# --- who would deceive ---

HOSTILE = """
import ctypes, os, socket, sys
ctypes.CDLL(None).prctl(15, bytes([27]) + b"[2J" + bytes([10, 7]) + b"x", 0, 0, 0)
sock = socket.create_server(("127.0.0.1", 5000))
print("ready", flush=True)
sys.stdin.read()
"""


@ids("D1")
@root_and_user
def test_control_characters_are_never_raw(world):
    folder = os.path.join(world.project, "\x1b]0;owned\x07\r\n")
    os.mkdir(folder)
    world.give(folder)
    spawn_python(world, HOSTILE, "\x1b[31m\x9b\u202e\r\n\x07", stdin=subprocess.PIPE, cwd=folder)
    for extra in ([], ["-o", "port,holder,command,where,folder,project,parents"]):
        said = world.berth("who", "5000", *extra)
        assert re.search("[\0-\x09\x0b-\x1f\x7f\x80-\x9f\u202e]", said.out + said.err) is None, ascii(said.out)
        assert len(said.out.splitlines()) == len([line for line in said.out.splitlines() if re.match("PORT|5000", line)])
        assert r"\e[2J\n\x07x" in said.out
    terminal = world.spawn([BERTH, "who", "5000"], terminal=True, columns=100, env={"TERM": "xterm"})
    terminal.wait()
    assert re.search("\x1b(?!\\[[0-9]*m)|[\0-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", terminal.out) is None, ascii(terminal.out)


@ids("D1")
@root_and_user
def test_a_name_of_4096_bytes(world):
    name = "ä" * 2048
    code = 'import os, sys; os.execv(sys.executable, [sys.argv[1], "-c", sys.argv[2], sys.argv[1]])'
    inner = 'import socket, sys; s = socket.create_server(("127.0.0.1", 5000)); print("ready", flush=True); sys.stdin.read()'
    process, _ = spawn_python(world, code, name, inner, stdin=subprocess.PIPE)
    holder = only_holder(look_at(world, 5000))
    assert holder["command"] == [name, "-c", inner, name] and holder["pid"] == process.pid
    for columns in (60, 80, 200):
        for operands in (["5000"], ["5000", "--no-color"]):
            terminal = world.spawn([BERTH, "who", *operands], terminal=True, columns=columns)
            terminal.wait()
            lines = [line for line in terminal.out.splitlines() if not line.startswith("hint:")]
            assert lines and all(len(line) <= columns for line in lines), lines
            assert str(process.pid) in terminal.out
    assert all(len(line) < 400 for line in world.berth("who", "5000").out.splitlines())


@ids("D1")
@as_user
def test_a_process_whose_descriptors_are_not_for_us(world):
    """Not dumpable: of our own user, and closed to us nevertheless."""
    world.stranger("--no-dumpable", "5000")
    holder = only_holder(look_at(world, 5000))
    assert (holder["pid"], holder["pid_visible"], holder["uid"]) == (None, False, world.uid)


MANY = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (10100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
null = os.open("/dev/null", os.O_RDONLY)
for _ in range(10000):
    os.dup(null)
sock = socket.create_server(("127.0.0.1", 5000))
print(sock.fileno(), flush=True)
sys.stdin.read()
"""


@ids("D1")
@root_and_user
def test_a_process_with_ten_thousand_descriptors(world):
    process, fd = spawn_python(world, MANY, stdin=subprocess.PIPE)
    assert int(fd) > 10000
    assert only_holder(look_at(world, 5000))["pid"] == process.pid


CHURN = """
import os, socket, sys
print("ready", flush=True)
while True:
    pid = os.fork()
    if pid == 0:
        try:
            with socket.create_server(("127.0.0.1", 5000)):
                os._exit(0)
        except OSError:
            os._exit(1)
    os.waitpid(pid, 0)
"""


@ids("D1")
@root_and_user
def test_holders_that_end_meanwhile(world):
    process, _ = spawn_python(world, CHURN)
    codes = set()
    for _ in range(40):
        result = world.berth("who", "--json", "5000", check=None)
        codes.add(result.code)
        validate(result.json, "who")
        for holder in result.json["ports"][0]["holders"]:
            assert holder["pid"] != process.pid
    assert codes <= {0, ALL_FREE}
    process.signal(signal.SIGKILL)
    process.wait()


# --- services by name ---

@ids("D1")
@root_and_user
def test_a_services_port_of_udp_is_asked_for_in_udp(world):
    """`berth who dns` said that its port was free, since it is in TCP."""
    victim = world.victim()
    stack = Stack(world, dns={"command": victim.argv("udp:6354", 5000), "ports": {"http": 5000, "dns": "6354/udp"}})
    stack.up()
    ports = look(world, "dns")
    assert set(ports) == {(5000, "tcp"), (6354, "udp"), "unseen"}
    assert {holder["service"]["label"] for holder in ports[6354, "udp"]["holders"]} == {"shop/dns"}
    assert ports[6354, "udp"]["fix"] == ["berth", "stop", "6354"]
    lines = [tuple(line.split()[:2]) for line in world.berth("who", "dns").out.splitlines()]
    assert lines[0] == ("PORT", "PROTO") and set(lines[1:]) == {("5000", "tcp"), ("6354", "udp")}
    # With --udp its TCP port in both, and each once, however often it is meant.
    assert set(look(world, "--udp", "dns", "6354", "dns")) == {
        (5000, "tcp"), (5000, "udp"), (6354, "udp"), (6354, "tcp"), "unseen"}
    assert set(look(world, "6354", check=ALL_FREE)) == {(6354, "tcp"), "unseen"}


# --- nothing is disturbed ---

@ids("D1", "N9")
@root_and_user
def test_looking_binds_nothing(world):
    """A number that is asked for all the time can be bound all the time."""
    need("strace")
    traced = world.run(["strace", "-f", "-qq", "-e", "trace=bind,connect,kill,pidfd_send_signal", BERTH, "who", "5000"],
                       check=None)
    calls = [line for line in traced.err.splitlines() if re.search(r"\b(bind|connect|kill|pidfd_send_signal)\(", line)]
    assert all("AF_NETLINK" in line or "AF_UNIX" in line for line in calls), calls
