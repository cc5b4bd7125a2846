# SPDX-License-Identifier: MIT
# scenario/test_a_copy_sees_its_own_numbers.py - N10, N11: the original URL, in each copy
"""Inside whatever berth started a loopback connect() to a number that this copy asked for reaches this copy."""

import os
import socket

import pytest

from berthtest import SERVERS, answer, ids, need, root_and_user


@ids("N10")
@root_and_user
def test_server_and_client_in_one_tree_meet_beside_a_stranger(world):
    """`berth run -- sh -c 'server & client'`, the stranger really holds the number."""
    world.stranger(5000)
    victim = world.victim("mine")
    client = world.victim("client")
    world.start("run", "--name", "web", "--", "sh", "-c", '"$0" --say mine --ready-file "$1" 5000 & exec "$2" '
                '--control "$3" --ready-file "$4"', world.helper("victim"), victim.ready_file, world.helper("victim"),
                client.control, client.ready_file)
    assert victim.port == 5001
    assert client.connect(5000)["say"] == "mine"
    assert client.connect(5000)["port"] == 5001
    assert client.connect(5001)["say"] == "mine"
    assert answer(5000)["say"] != "mine"


@ids("N10")
@root_and_user
def test_it_reaches_itself(world):
    world.stranger(5000)
    victim = world.victim("mine")
    world.run_d("--name", "web", "--", *victim.argv(5000))
    assert victim.connect(5000)["say"] == "mine"


@ids("N10")
@root_and_user
def test_node_fetches_its_own_hard_coded_address(world):
    need("node")
    world.stranger(5000)
    for say in ("one", "two"):
        run = world.start("run", "--", "node", f"{SERVERS}/fetches_itself.js", say, cwd=world.make_project(say))
        run.wait_for(f"^I see node {say}$", "out")


@ids("N10")
@root_and_user
def test_not_up_yet_is_refused_and_never_a_stranger(world):
    """Another copy of the same service has the number; this one has not bound yet."""
    first = world.victim("first")
    world.run_d("--name", "web", "--new", "--port", "5000", "--", *first.argv(5000))
    second = world.victim("second")
    world.start("run", "--name", "web", "--new", "--port", "5000", "--", *second.argv())
    assert second.connect(5000) == "ECONNREFUSED"
    assert second.command("listen 5000") == "ok 5001"
    assert second.connect(5000)["say"] == "second"
    assert first.connect(5000)["say"] == "first"


@ids("N10")
@root_and_user
def test_v4_and_v6_loopback_reach_it_alike(world):
    world.stranger(5000, "[::1]:5000")
    victim = world.victim("mine")
    world.run_d("--name", "web", "--", *victim.argv("[::]:5000"))
    assert victim.connect("127.0.0.1:5000")["say"] == "mine"
    assert victim.connect("[::1]:5000")["say"] == "mine"


@ids("N10")
@root_and_user
def test_other_numbers_and_unix_sockets_are_left_alone(world):
    stranger = world.stranger(6379)
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))
    assert victim.connect(6379)["say"] == stranger.victim.name
    assert victim.connect(6380) == "ECONNREFUSED"


@ids("N10")
@root_and_user
def test_a_full_queue_of_the_copy_does_not_freeze_it(world):
    """A client of a service that does not accept waits by itself; berth goes on answering."""
    victim = world.victim()
    world.occupy(5000)
    world.run_d("--name", "web", "--", *victim.argv("--no-serve", 5000))
    sockets = []
    for _ in range(140):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", 5001))
        sockets.append(sock)
    client = world.start("exec", "--in", "web", "--", "sh", "-c", "true")
    assert client.wait() == 0
    assert victim.command("listen 5010").startswith("ok")
    assert world.status("web")["state"] == "ready"
    for sock in sockets:
        sock.close()


@ids("N11")
@root_and_user
def test_exec_runs_a_client_in_the_view_of_each_copy(world):
    world.stranger(5000)
    folders = {}
    for say in ("one", "two"):
        folders[say] = world.make_project(say)
        world.run_d("--name", "web", "--", *world.victim(say).argv(5000), cwd=folders[say])
    for say, folder in folders.items():
        result = world.berth("exec", "--", "curl", "-s", "http://localhost:5000/", cwd=folder)
        assert f'"say":"{say}"' in result.out, result
        result = world.berth("exec", "--in", "web", "curl", "-s", "http://127.0.0.1:5000/", cwd=folder)
        assert f'"say":"{say}"' in result.out, result


@ids("N11")
@root_and_user
def test_exec_passes_the_exit_code_and_the_standard_streams_on(world):
    world.run_d("--name", "web", "--", *world.victim().argv(5000))
    result = world.berth("exec", "--", "sh", "-c", "cat; echo err >&2; exit 9", input="through\n", check=9)
    assert result.out == "through\n" and "err" in result.err
    world.berth("exec", "--", "sh", "-c", "kill -TERM $$", check=128 + 15)
    world.berth("exec", "--", "/no/such/program", check=127)


@ids("N11")
def test_exec_without_a_running_copy_says_so(world):
    result = world.berth("exec", "--in", "web", "--", "true", check=None)
    assert result.code in (3, 125) and "web" in result.err


@ids("N11")
@root_and_user
def test_chromium_in_two_copies_at_one_url(world, who):
    need("chromium")
    world.stranger(5000)
    for say in ("one", "two"):
        folder = world.make_project(say)
        world.run_d("--name", "web", "--", *world.victim(say).argv(5000), cwd=folder)
        profile = os.path.join(world.home, f"chromium-{say}")
        result = world.berth("exec", "--", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                             "--no-first-run", "--disable-background-networking", "--disable-component-update",
                             "--disable-sync", f"--user-data-dir={profile}", "--dump-dom", "http://localhost:5000/",
                             cwd=folder, deadline=90)
        assert f'"say":"{say}"' in result.out, result


@ids("N10")
@root_and_user
def test_steer_bind_leaves_connect_alone(world):
    world.stranger(5000, say="stranger")
    victim = world.victim("mine")
    world.run_d("--name", "web", "--steer", "bind", "--", *victim.argv(5000))
    assert victim.port == 5001
    assert victim.connect(5000)["say"] != "mine"


@ids("N10")
@root_and_user
def test_steer_off_only_sets_port(world):
    victim = world.victim()
    service = world.run_d("--name", "web", "--steer", "off", "--port", "5000", "--", *victim.argv("PORT"), check=None)
    if "service" in service:
        assert service["service"]["steering"] == "off" and victim.port == 5000
    else:
        pytest.fail(f"PORT is free for its own service: {service}")
