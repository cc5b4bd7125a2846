# SPDX-License-Identifier: MIT
# scenario/test_a_restart_refuses_no_connection.py - N3: the listening socket is kept from one life to the next
"""Programs are killed or restarted under load, unchanged: clients wait for the next life, and nobody is refused."""

import os
import signal
import socket
import threading
import time

import pytest

from berthtest import DEADLINE, alive, answer, ids, kill, need, port_of, root_and_user, wait_until
from clients import Load, nobody_was_refused
from realservers import WORK_SERVERS, Lives

KINDS = ["node", "go", "java", "python", "c-epoll", "asio"]
CLIENTS = 8
AGAIN = ["--restart", "on-failure", "--restart-limit", "none", "--backoff", "100ms", "--backoff-max", "100ms"]


def start(world, kind, *options, name="api", say="", **more):
    return world.run_d("--name", name, "--port", "5000", *options, "--", *WORK_SERVERS[kind](world, say), **more)["service"]


def load(world, place=5000, *options):
    return Load(world, place, "--clients", str(CLIENTS), "--pause", "2", *options)


def kill_under_load(world, clients, kills):
    pids = set()
    for _ in range(kills):
        pid = clients.answering(pids)
        pids.add(pid)
        kill(pid)
    clients.answering(pids)
    return clients.end()


@ids("N3")
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_refused_when_it_is_killed_under_load(world, kind):
    start(world, kind, *AGAIN)
    counts = kill_under_load(world, load(world, 5000, "--expect", '"port":5000'), kills=3)
    nobody_was_refused(counts, in_flight=3 * CLIENTS)
    service = world.status("api")
    assert service["kept"] == "handed-over" and service["kept_why"] is None and service["restarts"] == 3


@ids("N3")
@pytest.mark.parametrize("kind", KINDS)
def test_without_the_kept_socket_clients_are_refused(world, kind):
    """What the test above would show if nothing were kept."""
    start(world, kind, *AGAIN, "--hold", "0")
    counts = kill_under_load(world, load(world), kills=1)
    assert counts["refused"] > 0, counts
    assert world.status("api")["kept"] is None


@ids("N3")
@pytest.mark.parametrize("kind", KINDS)
def test_a_restart_on_demand_fails_no_request(world, kind):
    """These programs answer what they have accepted before they end, so nothing is reset either."""
    start(world, kind)
    clients = load(world)
    pids = {clients.answering()}
    for _ in range(2):
        world.berth("restart", "api")
        pids.add(clients.answering(pids))
    nobody_was_refused(clients.end())
    assert len(pids) == 3 and [pid for pid in pids if alive(pid)] == [world.status("api")["pid"]]


@ids("N3")
@root_and_user
def test_a_restart_on_demand_takes_a_changed_command_and_environment(world):
    old, new = (Lives(world, name, f"bind 5000 {name}\nlisten") for name in ("old", "new"))
    world.run_d("--name", "api", "--port", "5000", "-e", "GREETING=hello", "--", *old.argv)
    clients = load(world)
    pids = [clients.answering()]
    assert (answer(5000)["say"], answer(5000)["greeting"]) == ("old", "hello")
    world.berth("restart", "api", "-e", "GREETING=good morning")
    assert (answer(5000)["say"], answer(5000)["greeting"]) == ("old", "good morning")
    pids.append(clients.answering(pids))
    world.berth("restart", "api", "--", *new.argv)
    assert (answer(5000)["say"], answer(5000)["greeting"]) == ("new", "good morning")
    pids.append(clients.answering(pids))
    world.berth("restart", "api")
    assert (answer(5000)["say"], answer(5000)["greeting"]) == ("new", "good morning"), "changes stay"
    assert world.status("api")["command"] == new.argv
    clients.answering(pids)
    nobody_was_refused(clients.end(), in_flight=3 * CLIENTS)


@ids("N3")
def test_a_restart_while_another_is_under_way_ends_in_one_life(world):
    """While the first one waits for its slow start: the others begin anew, and all callers are told the same."""
    start(world, "c-epoll", env={"START_DELAY_MS": "200"})
    clients = load(world)
    pid = clients.answering()
    callers = [world.start("restart", "api", "--json") for _ in range(3)]
    wait_until(lambda: not alive(pid), "the first life ends")
    callers.append(world.start("restart", "api", "--json"))
    assert [caller.wait() for caller in callers] == [0] * 4, callers
    service = world.status("api")
    assert service["state"] == "ready" and clients.answering({pid}) == service["pid"]
    nobody_was_refused(clients.end())
    assert len([process for process in world.living() if "work-c-epoll" in process.command]) == 1


@ids("N3")
@pytest.mark.parametrize("step", ["", "bind 5000 slow\n"], ids=["before-bind", "before-listen"])
def test_a_changed_restart_while_another_is_under_way_is_what_counts(world, step):
    """The life that the first one has begun never gets ready; it goes, and its clients are answered by the new command."""
    go = os.path.join(world.folder, "go")
    os.mkfifo(go)
    old = Lives(world, "old", "bind 5000 old\nlisten", f"{step}say here\nwait {go}\nbind 5000 slow\nlisten")
    new = Lives(world, "new", "bind 5000 new\nlisten")
    world.run_d("--name", "api", "--port", "5000", "--", *old.argv)
    clients = load(world)
    pid = clients.answering()
    first = world.start("restart", "api")
    wait_until(lambda: "here" in world.berth("logs", "api").out, "the first one waits")
    world.berth("restart", "api", "-e", "GREETING=hello", "--", *new.argv)
    assert first.wait() == 0, first
    assert (answer(5000)["say"], answer(5000)["greeting"]) == ("new", "hello")
    assert len(old.pids()) == 2 and not alive(old.pids()[1]) and world.status("api")["command"] == new.argv
    clients.answering({pid})
    nobody_was_refused(clients.end(), in_flight=CLIENTS)


@ids("N3")
@root_and_user
def test_a_restart_does_not_wait_for_the_delay_of_the_policy(world):
    """A client that comes meanwhile waits too, and is answered by the new life."""
    life = Lives(world, "api", "bind 5000 one\nlisten")
    service = world.run_d("--name", "api", "--port", "5000", "--restart", "on-failure", "--backoff", "1h",
                          "--backoff-max", "1h", "--", *life.argv)["service"]
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay begins")
    waiting = world.services()[0]
    assert waiting["restart_at"] and waiting["kept"] == "kept" and waiting["pid"] is None
    said = []
    client = threading.Thread(target=lambda: said.append(answer(5000)))
    client.start()
    world.berth("restart", "api")
    client.join()
    assert said[0]["pid"] == world.status("api")["pid"] != service["pid"] and said[0]["life"] == 2
    assert world.status("api")["restart_at"] is None


@ids("N3")
@pytest.mark.parametrize("second", [
    "bind 0.0.0.0:5000 four\nbind 6only:[::]:5000 six\nbind 5001 admin\nlisten",
    "bind 5001 admin\nbind 6only:[::]:5000 six\nbind 0.0.0.0:5000 four\nlisten",
], ids=["same-order", "other-order"])
def test_each_socket_comes_back_as_itself(world, second):
    """Two families and two ports: each kept socket is handed to the bind() of its own place, whatever the order."""
    life = Lives(world, "api", "bind 0.0.0.0:5000 four\nbind 6only:[::]:5000 six\nbind 5001 admin\nlisten", second)
    service = world.run_d("--name", "api", "--port", "5000", "--port", "admin=5001", *AGAIN, "--", *life.argv)["service"]
    assert (port_of(service), port_of(service, "admin")) == (5000, 5001)
    places = {"127.0.0.1:5000": "four", "[::1]:5000": "six", "127.0.0.1:5001": "admin"}
    clients = [load(world, place, "--expect", f'"say":"{say}"') for place, say in places.items()]
    pids = set()
    for _ in range(2):
        pid = [each.answering(pids) for each in clients][0]
        pids.add(pid)
        kill(pid)
    for each in clients:
        each.answering(pids)
    for each in clients:
        nobody_was_refused(each.end(), in_flight=2 * CLIENTS)
    service = world.status("api")
    assert service["kept"] == "handed-over" and service["kept_why"] is None


@ids("N3")
def test_what_waits_is_held_against_strangers(world):
    """Between two lives the port is as much the service's own as in one."""
    life = Lives(world, "api", "bind 127.0.0.1:5000 one\nlisten")
    service = world.run_d("--name", "api", "--port", "5000", "--restart", "always", "--backoff", "1h", "--backoff-max",
                          "1h", "--", *life.argv)["service"]
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay begins")
    for address in ("0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1"):
        with pytest.raises(OSError, match="Address already in use"):
            world.occupy(5000, address)
    world.berth("stop", "api")
    world.nothing_left()
    world.occupy(5000)


@ids("N3")
@pytest.mark.parametrize("then", ["bind 5000 three\nkill", "bind 5000 three\nlisten\nkill"],
                         ids=["between-bind-and-listen", "between-listen-and-accept"])
def test_a_life_that_dies_before_it_serves_loses_no_client(world, then):
    """Its clients stay in the queue that it was handed, and the next life finds them there."""
    good = "bind 5000 good\nlisten"
    life = Lives(world, "api", good, then, then, good)
    world.run_d("--name", "api", "--port", "5000", *AGAIN, "--", *life.argv)
    clients = load(world, 5000, "--expect", '"say":"good"')
    pid = clients.answering()
    kill(pid)
    clients.answering({pid})
    nobody_was_refused(clients.end(), in_flight=CLIENTS)
    service = world.status("api")
    assert len(life.pids()) == 4 and service["restarts"] == 3 and service["kept"] == "handed-over"


@ids("N3")
@pytest.mark.parametrize("then", ["bind 5000 first\nkill", "bind 5000 first\nlisten\nkill"],
                         ids=["between-bind-and-listen", "between-listen-and-accept"])
@root_and_user
def test_a_first_life_that_dies_before_it_serves_is_no_obstacle(world, then):
    life = Lives(world, "api", then, "bind 5000 second\nlisten")
    service = world.run_d("--name", "api", "--port", "5000", *AGAIN, "--", *life.argv)["service"]
    assert service["restarts"] == 1 and port_of(service) == 5000
    assert answer(5000)["say"] == "second"


# --- what the next life finds ---

@ids("N3")
def test_clients_wait_in_a_queue_of_their_own_length(world):
    """The service has room for one; while nobody accepts there is room for thousands, so nobody waits for a second SYN."""
    need("ss")
    life = Lives(world, "api", "bind 5000 api\nlisten 1")
    service = world.run_d("--name", "api", "--port", "5000", "--restart", "always", "--backoff", "1h", "--backoff-max",
                          "1h", "--", *life.argv)["service"]

    def room():
        return [int(line.split()[2]) for line in world.run(["ss", "-Hltn", "sport = :5000"]).out.splitlines()]

    assert room() == [1]
    kill(service["pid"])
    wait_until(lambda: world.services()[0]["state"] == "waiting", "the delay begins")
    assert room() == [4096]
    began = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", 5000), timeout=DEADLINE) for _ in range(300)]
    assert time.monotonic() - began < 1, "a SYN that is dropped is sent again after a second"
    for client in clients:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    world.berth("restart", "api")
    for client in clients:
        with client:
            assert '"life":2' in client.makefile().read()
    assert room() == [1], "its own listen() counts again"


# Says what its listening socket is like, in numbers; MODE: which of them it sets itself.
FLAGS = """
import fcntl, os, signal, socket
mode = os.environ["MODE"].split(",")
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if "block" not in mode:
    sock.setblocking(False)
if "inherit" in mode:
    sock.set_inheritable(True)
if "options" in mode:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50000)
sock.bind(("127.0.0.1", 5000))
sock.listen(7)
get = [(socket.SOL_SOCKET, name) for name in (socket.SO_KEEPALIVE, socket.SO_RCVBUF, socket.SO_REUSEADDR, socket.SO_REUSEPORT)]
get += [(socket.IPPROTO_TCP, name) for name in (socket.TCP_NODELAY, socket.TCP_DEFER_ACCEPT)]
print(os.environ["MODE"], sock.fileno(), fcntl.fcntl(sock, fcntl.F_GETFD), fcntl.fcntl(sock, fcntl.F_GETFL) & os.O_NONBLOCK,
      *[sock.getsockopt(*name) for name in get], flush=True)
while "once" not in mode:
    signal.pause()
"""
MODES = ["block", "inherit", "options", "block,inherit,options", "plain"]


@ids("N3")
@root_and_user
def test_its_socket_is_as_the_program_made_it(world):
    """Flags, close-on-exec and options are those of this life, whatever the one before had set."""
    script = ["/usr/bin/python3", world.write("flags.py", FLAGS)]
    bare = [world.run(script, env={"MODE": f"{mode},once"}).out.replace(",once", "") for mode in MODES]
    world.run_d("--name", "api", "--port", "5000", "-e", f"MODE={MODES[-1]}", "--", *script)
    for mode in MODES:
        world.berth("restart", "api", "-e", f"MODE={mode}")
        service = world.status("api")
        assert (service["kept"], service["kept_why"]) == ("handed-over", None), mode
    said = [line for line in world.berth("logs", "api").out.splitlines(True) if not line.startswith("berth: ")]
    assert said == [bare[-1], *bare]


# It listens on its lowest descriptor, and has many: the kernel takes its time to close them all.
MANY = """
import resource, signal, socket
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(("127.0.0.1", 5000))
others = [socket.socket(socket.AF_UNIX) for _ in range(min(limit - 64, 20000))]
sock.listen(64)
while True:
    signal.pause()
"""


@ids("N3")
def test_a_look_at_a_process_that_is_just_dying_gives_nothing_up(world):
    """The socket of one that was killed was gone, and it was no zombie yet: taken for a service that closes on purpose."""
    world.run_d("--name", "api", "--port", "5000", "--restart", "always", "--backoff", "0", "--restart-limit", "none", "--",
                "/usr/bin/python3", world.write("many.py", MANY))
    for _ in range(5):
        pid = world.status("api")["pid"]
        os.kill(pid, signal.SIGKILL)
        service = wait_until(lambda: (now := world.status("api"))["state"] == "ready" and now["pid"] != pid and now,
                             "its next life")
        assert service["kept"] == "handed-over"


# --- what is started anew inside of the tree ---

@ids("N3")
@root_and_user
def test_a_reloader_that_is_part_of_the_service_refuses_nobody_either(world):
    """The first process lives on and starts the server again: its socket waits for that, for a second."""
    inner = Lives(world, "inner", "bind 5000 inner\nlisten")
    outer = Lives(world, "outer", f"child {inner.folder}")
    world.run_d("--name", "api", "--port", "5000", "--", *outer.argv)
    clients = load(world)
    pids = set()
    for _ in range(3):
        pid = clients.answering(pids)
        pids.add(pid)
        kill(pid)
    clients.answering(pids)
    nobody_was_refused(clients.end(), in_flight=3 * CLIENTS)
    service = world.status("api")
    assert service["restarts"] == 0 and service["pid"] == outer.pids()[0] and len(inner.pids()) == 4


@ids("N3")
def test_node_watch_refuses_nobody(world):
    script = world.write("server.js", """
require("http").createServer((request, response) => response.end(`{"pid":${process.pid}}`)).listen(5000);
""")
    world.run_d("--name", "web", "--port", "5000", "--", "node", "--watch", script)
    clients = load(world)
    pid = clients.answering()
    os.utime(script)
    clients.answering({pid})
    nobody_was_refused(clients.end(), in_flight=CLIENTS)
