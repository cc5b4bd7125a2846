# SPDX-License-Identifier: MIT
# scenario/test_a_kept_socket_is_given_up_where_nobody_comes.py - N3: what is refused without berth is refused
"""A kept socket is for the next life of its service. Where there is none, or it listens elsewhere, clients are refused."""

import os
import socket

import pytest

from berthtest import DEADLINE, alive, answer, bindable, ids, kill, port_of, refused, root_and_user, wait_until
from clients import Load, nobody_was_refused
from realservers import WORK_SERVERS, Lives

ALWAYS = ["--restart", "always", "--restart-limit", "none", "--backoff", "10ms", "--backoff-max", "10ms"]


def run_d(world, life, *options):
    return world.run_d("--name", "api", "--port", "5000", *options, "--", *life.argv)["service"]


def gate(world, name):
    path = os.path.join(world.folder, name)
    os.mkfifo(path)
    world.give(path)
    return path


def pass_gate(path):
    """Let those go on who wait for it; one that has not come yet is waited for."""
    def open_it():
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None
    os.close(wait_until(lambda: open_it(), f"somebody waits for {path}"))


def again(world, life, number=2):
    """Until its life of that number is ready."""
    def ready():
        service = world.status("api")
        return service if service["state"] == "ready" and len(life.pids()) == number else None
    return wait_until(ready, lambda: f"life {number}: {world.services()}")


# --- on purpose ---

@ids("N3")
@root_and_user
@pytest.mark.parametrize("options", [[], ALWAYS], ids=["no-restart", "restart"])
def test_a_service_that_closes_its_listener_and_lives_on_refuses(world, options):
    victim = world.victim()
    service = world.run_d("--name", "api", "--port", "9001", *options, "--", *victim.argv(9001))["service"]
    victim.command("close 0")
    wait_until(lambda: refused(9001), "clients are refused")
    assert alive(service["pid"]) and not bindable(9001), "it is the service's still"
    assert world.status("api")["state"] == "unready" and world.status("api")["kept"] is None
    assert victim.command("listen 9001") == "ok 9001"
    assert answer(9001)["pid"] == service["pid"]


@ids("N3", "I4")
@root_and_user
def test_a_stop_drops_it_before_the_signal(world):
    """A service that closes its listener at SIGTERM and takes its time: new clients are refused from then on."""
    go = gate(world, "go")
    life = Lives(world, "api", f"drain {go}\nbind 5000 api\nlisten")
    service = run_d(world, life, *ALWAYS)
    stop = world.start("stop", "api")
    wait_until(lambda: "draining" in world.berth("logs", "api").out, "SIGTERM has come")
    assert refused(5000) and alive(service["pid"])
    pass_gate(go)
    assert stop.wait() == 0
    assert len(life.pids()) == 1 and bindable(5000)


@ids("N3", "I4")
def test_a_restart_keeps_it_while_the_old_life_drains(world):
    """The same service, asked to come back: the client waits for the next life."""
    go = gate(world, "go")
    life = Lives(world, "api", f"drain {go}\nbind 5000 api\nlisten")
    run_d(world, life)
    restart = world.start("restart", "api")
    wait_until(lambda: "draining" in world.berth("logs", "api").out, "SIGTERM has come")
    with socket.create_connection(("127.0.0.1", 5000), timeout=DEADLINE) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        pass_gate(go)
        assert '"life":2' in client.makefile().read()
    assert restart.wait() == 0


# --- nobody comes ---

@ids("N3")
@root_and_user
def test_a_life_that_never_listens_has_its_clients_refused_after_the_hold(world):
    """They wait for so long and not longer; the port stays the service's own, which gets it when it comes after all."""
    go = gate(world, "go")
    life = Lives(world, "api", "bind 5000 api\nlisten", f"wait {go}\nbind 5000 api\nlisten")
    service = run_d(world, life, *ALWAYS, "--hold", "300ms")
    kill(service["pid"])
    wait_until(lambda: len(life.pids()) == 2, "its second life")
    wait_until(lambda: refused(5000), "clients are refused", deadline=3)
    waiting = world.status("api")
    assert waiting["state"] == "starting" and waiting["kept"] is None
    assert waiting["kept_why"] == "nothing took it over in time"
    assert "not kept over a restart: nothing took it over in time" in world.berth("status", "api", check=None).out
    assert not bindable(5000)
    pass_gate(go)
    service = again(world, life)
    assert answer(5000)["life"] == 2 and service["kept"] is None


@ids("N3")
def test_a_client_that_waits_when_the_hold_ends_is_told(world):
    """Reset, not left hanging."""
    life = Lives(world, "api", "bind 5000 api\nlisten", "")
    service = run_d(world, life, *ALWAYS, "--hold", "300ms")
    kill(service["pid"])
    with socket.create_connection(("127.0.0.1", 5000), timeout=DEADLINE) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    assert refused(5000)


@ids("N3")
def test_the_hold_is_over_during_a_long_delay_too(world):
    life = Lives(world, "api", "bind 5000 api\nlisten")
    service = run_d(world, life, "--restart", "always", "--backoff", "1h", "--backoff-max", "1h", "--hold", "200ms")
    kill(service["pid"])
    wait_until(lambda: refused(5000), "clients are refused", deadline=3)
    assert world.services()[0]["state"] == "waiting" and not bindable(5000)
    world.berth("restart", "api")
    assert answer(5000)["life"] == 2


@ids("N3")
@root_and_user
def test_what_dies_inside_of_the_tree_and_is_not_replaced_refuses_within_seconds(world):
    """A reloader that waits for an edit: a second is given, as the service itself lives and nobody will come."""
    go = gate(world, "go")
    inner = Lives(world, "inner", "bind 5000 inner\nlisten")
    outer = Lives(world, "outer", f"later {go}\nchild {inner.folder}")
    run_d(world, outer)
    assert answer(5000)["life"] == 1
    kill(inner.pids()[0])
    wait_until(lambda: refused(5000), "clients are refused", deadline=5)
    assert world.status("api")["state"] == "unready"
    pass_gate(go)
    wait_until(lambda: not refused(5000), "the edit has come")
    assert answer(5000)["life"] == 2 and world.status("api")["restarts"] == 0


# --- it listens elsewhere, or in another way ---

@ids("N3")
@root_and_user
def test_what_was_open_to_all_and_narrows_itself_is_open_to_itself_alone(world):
    """0.0.0.0 before, 127.0.0.1 now: the kept socket would answer everybody. It is bound anew, and status says why."""
    life = Lives(world, "api", "bind 0.0.0.0:5000 wide\nlisten", "bind 127.0.0.1:5000 narrow\nlisten")
    run_d(world, life)
    assert answer(5000, "127.0.0.2")["say"] == "wide"
    restart = world.berth("restart", "api")
    assert answer(5000)["say"] == "narrow" and refused(5000, "127.0.0.2") and refused(5000, "::1")
    service = world.status("api")
    assert service["kept"] == "bound-anew" and "another address" in service["kept_why"]
    assert service["ports"][0]["addresses"] == ["127.0.0.1"]
    assert service["kept_why"] in restart.err + restart.out and service["kept_why"] in world.berth("status", "api").out


@ids("N3")
@pytest.mark.parametrize("before, after, answers", [
    ("bind 127.0.0.1:5000 b", "bind 0.0.0.0:5000 a", {"127.0.0.1": "a", "127.0.0.2": "a", "::1": None}),
    ("bind 0.0.0.0:5000 b\nbind 6only:[::]:5000 b", "bind [::]:5000 a", {"127.0.0.1": "a", "::1": "a"}),
    ("bind [::]:5000 b", "bind 0.0.0.0:5000 a\nbind 6only:[::]:5000 a2", {"127.0.0.1": "a", "::1": "a2"}),
    ("bind 127.0.0.1:5000 b\nbind 127.0.0.2:5000 b", "bind 0.0.0.0:5000 a", {"127.0.0.1": "a", "127.0.0.2": "a"}),
    ("bind [::]:5000 b", "bind 6only:[::]:5000 a", {"127.0.0.1": None, "::1": "a"}),
    ("bind 0.0.0.0:5000 b", "bind 6only:[::]:5000 a", {"127.0.0.1": None, "::1": "a"}),
    ("bind 0.0.0.0:5000 b\nbind 6only:[::]:5000 b", "bind 0.0.0.0:5000 b", {"127.0.0.1": "b", "::1": None}),
], ids=["wider", "two-to-dual", "dual-to-two", "several-to-all", "dual-to-6", "4-to-6", "two-to-one"])
def test_a_life_that_listens_otherwise_is_reached_as_it_listens(world, before, after, answers):
    """Where it answers it answers; where it does not clients are refused, a second after it is ready."""
    life = Lives(world, "api", f"{before}\nlisten", f"{after}\nlisten")
    service = run_d(world, life, *ALWAYS)
    kill(service["pid"])
    again(world, life)
    for host, say in answers.items():
        if say:
            assert answer(5000, host)["say"] == say
        else:
            wait_until(lambda: refused(5000, host), f"{host} is refused", deadline=3)
    service = world.status("api")
    assert service["kept"] == ("handed-over" if after in before else "bound-anew")
    assert (service["kept_why"] is None) == (after in before)


@ids("N3")
def test_a_port_that_is_not_wanted_any_more_refuses(world):
    """Two ports before, one now: with the second one undeclared the service is ready without it."""
    life = Lives(world, "api", "bind 5000 one\nbind 5001 two\nlisten", "bind 5000 one\nlisten")
    run_d(world, life)
    assert answer(5001)["say"] == "two"
    world.berth("restart", "api")
    assert answer(5000)["life"] == 2 and refused(5001)


@ids("N3")
@root_and_user
def test_a_socket_with_a_copy_is_bound_anew(world):
    """The kept one would come under one of its two numbers alone."""
    life = Lives(world, "api", "bind 5000 one\nlisten", "dup 5000 two\nlisten")
    run_d(world, life)
    world.berth("restart", "api")
    assert answer(5000)["say"] == "two"
    service = world.status("api")
    assert service["kept"] == "bound-anew" and service["kept_why"] == "it has a copy of its socket (dup)"


@ids("N3")
@pytest.mark.parametrize("protocol", ["mptcp:5000", "5000"])
def test_another_protocol_is_bound_anew(world, protocol):
    before = world.victim("before")
    after = world.victim("after")
    other = "5000" if protocol.startswith("mptcp") else "mptcp:5000"
    world.run_d("--name", "api", "--port", "5000", "--", *before.argv(protocol))
    world.berth("restart", "api", "--", *after.argv(other))
    assert answer(5000)["say"] == "after"
    assert world.status("api")["kept"] == "bound-anew"


# --- two programs with one number ---

@ids("N3")
@root_and_user
def test_two_programs_of_one_tree_with_the_same_port_never_answer_for_each_other(world):
    """Both have 5000 in their source, on an address each. However they die and come back, in whatever order: each
    client reaches the program that it asked for."""
    programs = {"127.0.0.1": Lives(world, "one", "bind 127.0.0.1:5000 one\nlisten"),
                "127.0.0.2": Lives(world, "two", "bind 127.0.0.2:5000 two\nlisten")}
    outer = Lives(world, "outer", "\n".join(f"child {program.folder}" for program in programs.values()))
    says = {"127.0.0.1": "one", "127.0.0.2": "two"}
    service = run_d(world, outer, *ALWAYS)
    for host in says:
        wait_until(lambda: not refused(5000, host), f"{says[host]} serves")
    clients = {host: Load(world, f"{host}:5000", "--clients", "4", "--pause", "2", "--expect", f'"say":"{say}"')
               for host, say in says.items()}
    pids = {host: [load.answering()] for host, load in clients.items()}
    for host, program in programs.items():
        kill(program.pids()[-1])
        pids[host].append(clients[host].answering(pids[host]))
    kill(service["pid"])
    for host, load in clients.items():
        pids[host].append(load.answering(pids[host]))
    world.berth("restart", "api")
    for host, load in clients.items():
        load.answering(pids[host])
    for load in clients.values():
        nobody_was_refused(load.end(), in_flight=3 * 4)


@ids("N3")
def test_a_second_program_gets_no_socket_that_the_first_one_still_has(world):
    """As without berth: EADDRINUSE, while the first lives, and also right after a restart of both."""
    first, second = Lives(world, "first", "bind 5000 first\nlisten"), world.victim("second")
    outer = Lives(world, "outer", f"child {first.folder}")
    run_d(world, outer)
    for _ in range(2):
        wait_until(lambda: not refused(5000), "the first one serves")
        result = world.berth("exec", "--", *second.argv(5000), check=None)
        assert result.code == 99 and "Address already in use" in result.err, result
        assert answer(5000)["say"] == "first"
        world.berth("restart", "api")


@ids("N3", "N2")
def test_without_a_kept_socket_the_port_is_still_the_services_own(world):
    service = run_d(world, Lives(world, "api", "bind 5000 api\nlisten"), "--hold", "0", "--restart", "always",
                    "--backoff", "1h", "--backoff-max", "1h")
    assert port_of(service) == 5000
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay")
    assert refused(5000) and not bindable(5000)
    assert world.services()[0]["kept"] is None and world.services()[0]["kept_why"] == "--hold is 0"


@ids("N3")
def test_a_plain_foreground_service_keeps_nothing(world):
    """Ctrl-C and up again by hand is its restart: what ends is refused at once, and no socket is kept for a while."""
    run = world.start("run", "--name", "web", "--port", "5000", "--", *WORK_SERVERS["c-epoll"](world, "web"))
    wait_until(lambda: not refused(5000), "it serves")
    assert world.status("web")["kept"] is None
    kill(world.status("web")["pid"])
    run.wait()
    assert refused(5000) and bindable(5000)
