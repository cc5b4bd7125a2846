# SPDX-License-Identifier: MIT
# scenario/test_hard_coded_port_runs_in_three_copies.py - N1: unchanged programs, any number of copies
"""A program with a hard-coded port runs in any number of copies, unchanged: its own bind() is steered."""

import json
import os
import socket
import urllib.request

import pytest

from berthtest import (DEADLINE, ROOT, SERVERS, answer, as_user, body, http, ids, need, port_of, refused,
                       root_and_user, skip, wait_until)
from realservers import JSON_SERVERS


@ids("N1")
@pytest.mark.parametrize("who, kind", [(who, kind) for kind in JSON_SERVERS for who in ("root", "user")
                                       if (who, kind) != ("root", "java")], indirect=["who"])
def test_three_copies_each_answer_on_their_own_port(world, kind):
    ports = []
    for say in ("one", "two", "three"):
        folder = world.make_project(say)
        service = world.run_d("--name", "web", "--", *JSON_SERVERS[kind](world, say), cwd=folder)["service"]
        assert service["state"] == "ready" and service["steering"] == "full"
        ports.append((port_of(service), say))
    assert [port for port, _ in ports] == [5000, 5001, 5002]
    for port, say in ports:
        assert json.loads(body(port))["say"] == say
        # nginx answers $server_port from getsockname(), the others directly: the program believes its real number
        assert json.loads(body(port))["port"] == port
    for say in ("one", "two", "three"):
        world.berth("stop", "web", cwd=os.path.join(world.folder, say))
    assert not world.living()


@ids("N1")
@root_and_user
def test_the_main_port_is_the_one_with_the_wish_beside_node_inspect(world):
    """`node --inspect` binds 9229 before the server: that is a tool's port, in each copy another."""
    need("node")
    services = []
    for say in ("one", "two"):
        folder = world.make_project(say)
        services.append(world.run_d("--name", "web", "--port", "5000", "--", "node", "--inspect",
                                    f"{SERVERS}/server.js", say, cwd=folder)["service"])
    assert [port_of(service) for service in services] == [5000, 5001]
    tools = [[p for p in service["ports"] if p["reason"] == "tool" or p["asked"] == 9229] for service in services]
    assert [len(ports) for ports in tools] == [1, 1], services
    assert tools[0][0]["port"] == 9229 and tools[1][0]["port"] != 9229
    for service, ports, say in zip(services, tools, ("one", "two")):
        assert answer(port_of(service))["say"] == say
        version = urllib.request.urlopen(f"http://127.0.0.1:{ports[0]['port']}/json/version", timeout=DEADLINE)
        assert "node.js" in json.load(version)["Browser"]


@ids("N1")
@root_and_user
def test_python_http_server_listens_where_its_banner_says(world):
    """The banner is from getsockname(), so it is true."""
    world.occupy(5000)
    world.write("index.html", "hello from python")
    run = world.start("run", "--", "/usr/bin/python3", "-u", "-m", "http.server", "5000")
    banner = run.wait_for(r"Serving HTTP on \S+ port (\d+)", "out")
    assert banner[1] == "5001"
    run.wait_for(r"^berth: http-server is http://localhost:5001 \(it asked for 5000, held by ")
    assert body(5001) == "hello from python"


@ids("N1")
@root_and_user
def test_redis_servers_share_a_hard_coded_port(world):
    need("redis-server")
    for number, say in enumerate(("one", "two", "three")):
        folder = world.make_project(say)
        service = world.run_d("--name", "redis", "--", "redis-server", "--port", "6379", "--save", "", cwd=folder)["service"]
        assert port_of(service) == 6379 + number
        assert service["ports"][0]["url"] == f"redis://localhost:{6379 + number}"
        with socket.create_connection(("127.0.0.1", 6379 + number), timeout=DEADLINE) as sock:
            sock.sendall(f"SET say {say}\r\nGET say\r\n".encode())
            wait_until(lambda: say.encode() in sock.recv(100, socket.MSG_PEEK), "redis answers")


@ids("N1")
@root_and_user
def test_memcached_servers_share_a_hard_coded_port(world, who):
    need("memcached")
    identity = ["-u", "root"] if who == "root" else []
    for number, say in enumerate(("one", "two", "three")):
        folder = world.make_project(say)
        service = world.run_d("--name", "cache", "--", "memcached", "-p", "11211", "-U", "0", *identity,
                              cwd=folder)["service"]
        assert port_of(service) == 11211 + number
        with socket.create_connection(("127.0.0.1", 11211 + number), timeout=DEADLINE) as sock:
            sock.sendall(b"version\r\n")
            assert sock.recv(100).startswith(b"VERSION")


@ids("N1")
@as_user
def test_vite_with_strict_port_prints_the_steered_port(world):
    vite = os.path.join(ROOT, "tests", "node", "node_modules", "vite", "bin", "vite.js")
    if not os.path.exists(vite):
        skip("vite is not installed below tests/node")
    runs = []
    for say in ("one", "two"):
        folder = world.make_project(say)
        world.write(f"{folder}/index.html", f"<!doctype html><title>vite {say}</title>")
        runs.append(world.start("run", "--name", "web", "--", "node", vite, "--port", "5173", "--strictPort",
                                "--clearScreen", "false", cwd=folder))
        banner = runs[-1].wait_for(r"localhost:(?:\x1b\[\d+m)*(\d+)", "out", deadline=30)
        port = int(banner[1])
        assert port == 5173 + len(runs) - 1
        hosts = [host for host in ("127.0.0.1", "::1") if not refused(port, host)]
        assert hosts and f"vite {say}" in http(port, hosts[0])


@ids("N1", "P9")
@root_and_user
def test_a_second_bind_in_the_same_process_behaves_as_the_kernel_would(world):
    """Its own live listener is in the way: EADDRINUSE, and no third number."""
    world.occupy(5000)
    victim = world.victim()
    run = world.start("run", "--", *victim.argv("--twice", 5000))
    run.wait_for("^second bind: EADDRINUSE$", "out")
    assert victim.port == 5001


@ids("N1")
@root_and_user
def test_two_declared_ports_go_to_the_binds_that_name_them(world):
    world.occupy(8081)
    victim = world.victim()
    service = world.run_d("--name", "viewer", "--port", "http=8080", "--port", "ws=8081", "--",
                          *victim.argv(8080, 8081))["service"]
    assert victim.ready() == [port_of(service, "http"), port_of(service, "ws")] == [8090, 8091]
    assert answer(8090)["port"] == 8090 and answer(8091)["port"] == 8091


@ids("N1")
@root_and_user
def test_both_families_of_one_number_go_to_one_lease(world):
    world.occupy(5000)
    victim = world.victim()
    service = world.run_d("--name", "web", "--", *victim.argv("--v6only", "0.0.0.0:5000", "[::]:5000"))["service"]
    assert victim.ready() == [5001, 5001]
    assert [p["port"] for p in service["ports"]] == [5001]
    assert set(service["ports"][0]["addresses"]) == {"0.0.0.0", "::"}
    assert answer(5001)["port"] == 5001 and answer(5001, "::1")["port"] == 5001


@ids("N1")
@root_and_user
@pytest.mark.parametrize("place", ["127.0.0.1:5000", "[::1]:5000", "[::]:5000", "mptcp:5000"])
def test_other_addresses_and_protocols_are_steered_too(world, place):
    world.occupy(5000)
    world.occupy(5000, "::")
    victim = world.victim()
    service = world.run_d("--name", "web", "--", *victim.argv(place))["service"]
    assert victim.port == port_of(service) == 5001
    assert answer(5001, "::1" if "[" in place else "127.0.0.1")["say"] == victim.name
    assert refused(5001, "::1") == ("[" not in place)


@ids("N1")
@root_and_user
def test_port_zero_is_left_alone(world):
    victim = world.victim()
    run = world.start("run", "--port", "5000", "--", *victim.argv(0, 5000))
    ports = victim.ready()
    assert ports[1] == 5000 and ports[0] not in (0, 5000)
    run.wait_for(r"^berth: \S+ is http://localhost:5000$")


@ids("N1")
@root_and_user
def test_udp_of_the_leased_number_goes_with_it_and_other_udp_is_left_alone(world):
    world.occupy(5000)
    victim = world.victim()
    world.run_d("--name", "quic", "--port", "5000", "--", *victim.argv(5000, "udp:5000", "udp:5353"))
    assert victim.ready() == [5001, 5001, 5353]
