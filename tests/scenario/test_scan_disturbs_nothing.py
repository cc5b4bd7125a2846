# SPDX-License-Identifier: MIT
# scenario/test_scan_disturbs_nothing.py - what is free and what is taken, without a bind
"""`berth scan` beside what bind() itself says in this test's own network namespace."""

import socket

import pytest

from berthtest import BERTH, NO_PORT, USAGE, bindable, ids, need, root_and_user
from test_json_matches_its_schemas import validate


def scan(world, *arguments):
    document = world.berth("scan", "--json", *arguments).json
    validate(document, "scan")
    position = document["from"]
    for span in document["spans"]:
        assert span["from"] == position and span["count"] == span["to"] - span["from"] + 1, document["spans"]
        position = span["to"] + 1
    assert position == document["to"] + 1
    return document


def state_of(document, port):
    return next((span["state"], span["kind"]) for span in document["spans"] if span["from"] <= port <= span["to"])


@ids("P6")
@root_and_user
def test_each_kind_of_holder_is_told(world):
    listener = world.occupy(6000)
    world.occupy(6001, address="::1")
    world.occupy(6002, listen=False)
    client = socket.socket()
    world.sockets.append(client)
    client.bind(("127.0.0.1", 6003))
    client.connect(("127.0.0.1", 6000))
    accepted = listener.accept()[0]
    gone = socket.create_connection(("127.0.0.1", 6000), source_address=("127.0.0.1", 6004))
    other = listener.accept()[0]
    gone.close()
    other.close()
    document = scan(world, "5999-6010")
    assert [state_of(document, port) for port in range(5999, 6006)] == [
        ("free", None), ("taken", "listener"), ("taken", "listener"), ("taken", "bound"), ("taken", "connection"),
        ("taken", "time_wait"), ("free", None)]
    assert document["counts"] == {"free": 7, "taken": 5, "reserved": 0, "privileged": 0}
    accepted.close()


@ids("P6")
@root_and_user
def test_what_is_free_can_be_bound_and_what_is_taken_cannot(world):
    for port in range(7000, 7100, 7):
        world.occupy(port, address="127.0.0.1" if port % 2 else "0.0.0.0", listen=port % 3, reuseaddr=False)
    world.run_d("--name", "web", "--port", "7050", "--", *world.victim().argv(7050))
    document = scan(world, "7000-7099")
    for port in range(7000, 7100):
        assert (state_of(document, port)[0] == "free") == bindable(port), (port, state_of(document, port))


@ids("P6")
def test_not_one_bind_is_made(world):
    need("strace")
    trace = f"{world.folder}/trace"
    world.run(["strace", "-f", "-e", "trace=network,pidfd_getfd", "-o", trace, BERTH, "scan", "1-65535"],
              env={"ASAN_OPTIONS": "detect_leaks=0"})  # it would be a second tracer
    with open(trace, encoding="utf-8") as file:
        text = file.read()
    assert "sendto(" in text
    assert not [call for call in ("bind(", "listen(", "connect(", "pidfd_getfd(") if call in text], text


@ids("P6")
def test_a_range_that_is_being_scanned_stays_with_those_who_want_it(world):
    """A bind() of the scan's own would make one of theirs fail."""
    scanner = world.spawn(["sh", "-c", 'while :; do "$0" scan -q 6100-6199 || exit 1; done', BERTH])
    scanner.wait_for("^PORTS", stream="out")
    for port in list(range(6100, 6200)) * 10:
        with socket.socket() as sock:
            sock.bind(("0.0.0.0", port))
            sock.listen()
    scanner.pump()
    assert scanner.popen.poll() is None, scanner


@ids("P6")
@root_and_user
def test_so_many_free_numbers_for_scripts(world):
    world.occupy(6000)
    world.occupy(6002)
    result = world.berth("scan", "--count", "3", "6000-6010")
    assert result.out.split() == ["6001", "6003", "6004"]
    assert "may be taken the next moment" in result.err
    assert world.berth("scan", "-q", "-c", "1", "6000-6010").err == ""
    assert scan(world, "--count", "2", "6000-6010")["ports"] == [6001, 6003]
    error = world.berth("scan", "--count", "2", "6000-6001", "--json", check=NO_PORT)
    assert error.error["code"] == "no-port"
    assert world.berth("scan", "--count", "2", "6000-6001", check=NO_PORT).out == ""
    assert "6000-6001 has 1 number to give, not 2" in error.error["message"]


@ids("P6")
def test_numbers_that_nobody_should_be_given_are_not_counted_out(world):
    with open("/proc/sys/net/ipv4/ip_local_reserved_ports", "w", encoding="ascii") as file:
        file.write("6010-6011")
    document = scan(world, "6009-6012")
    assert [state_of(document, port)[0] for port in range(6009, 6013)] == ["free", "reserved", "reserved", "free"]
    assert world.berth("scan", "-q", "--count", "2", "6009-6012").out.split() == ["6009", "6012"]
    assert world.berth("scan", "-q", "--count", "2", "5060-5063").out.split() == ["5062", "5063"]  # browsers refuse SIP's


@ids("P6")
@pytest.mark.parametrize("who", ["user"], indirect=True)
def test_what_this_user_may_not_bind_is_privileged(world):
    assert state_of(scan(world, "1000-1030"), 1023) == ("privileged", None)
    assert state_of(scan(world, "1000-1030"), 1024) == ("free", None)


@ids("P6")
def test_udp_counts_where_it_is_asked_for(world):
    world.stranger("udp:6000")
    assert state_of(scan(world, "6000"), 6000) == ("free", None)
    assert state_of(scan(world, "--udp", "6000"), 6000) == ("taken", "listener")


@ids("P6")
def test_many_outgoing_connections_are_one_line(world):
    listener = world.occupy(6000)
    for _ in range(40):
        world.sockets.append(socket.create_connection(("127.0.0.1", 6000)))
        world.sockets.append(listener.accept()[0])
    lines = world.berth("scan").out.splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["free", "taken", "free", "changing", "free"], lines
    assert lines[4].endswith("outgoing: 40 now")
    assert scan(world)["counts"]["taken"] == 41


@ids("P6")
def test_what_listens_among_many_outgoing_connections_is_named_with_udp_too(world):
    """With -u every taken number of that range was an outgoing connection's."""
    listener = world.occupy(6000)
    for number in range(20):
        world.sockets.append(socket.create_connection(("127.0.0.1", 6000), source_address=("", 40000 + 2 * number)))
        world.sockets.append(listener.accept()[0])
    world.occupy(45001)
    world.stranger("udp:45003")
    lines = world.berth("scan", "-q", "32768-60999", "-u").out.splitlines()
    assert [line.split()[0] for line in lines if "listening" in line] == ["45001", "45003"], lines
    assert [line.split()[2] for line in lines[1:]] == ["changing", "taken", "changing", "taken", "changing"], lines


@ids("P6")
@pytest.mark.parametrize("operands", [["web"], ["6010-6000"], ["0-10"], ["6000", "6001"], ["--count", "0"]], ids=" ".join)
def test_what_is_no_range_is_a_usage_error(world, operands):
    world.berth("scan", *operands, check=USAGE)
