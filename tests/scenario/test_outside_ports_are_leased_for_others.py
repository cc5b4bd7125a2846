# SPDX-License-Identifier: MIT
# scenario/test_outside_ports_are_leased_for_others.py - F6: --outside, the port is bound by a process that is not ours
"""As Docker's daemon does it for `docker run -p`. The engine is the test's own, see engine.py; podman's is in
test_a_container_is_a_service.py."""

import json
import os
import select
import subprocess
import time

import pytest

from berthtest import USAGE, bindable, body, ids, kill, need, port_of, root_and_user, wait_gone, wait_until
from engine import Engine


@pytest.fixture
def engine(world):
    one = Engine(world)
    yield one
    one.close()


def goes_on(command):
    """It has had a second to end, and has not."""
    fd = os.pidfd_open(command.pid)
    try:
        return not select.select([fd], [], [], 1)[0]
    finally:
        os.close(fd)


def outside(world, engine, *options, ports=(), run=(), check=0):
    return world.berth("run", "-d", "--json", "--name", "db", "--outside", "--stop-command", engine.stop, *options, "--",
                       *engine.run(*ports), check=check, **dict(run))


@ids("F6", "N7")
@root_and_user
def test_it_is_ready_when_somebody_answers_there(world, engine):
    engine.may_bind.clear()
    run = world.start("run", "-d", "--json", "--name", "db", "--port", "5432", "--outside", "--stop-command", engine.stop,
                      "--", *engine.run())
    wait_until(engine.runs, "the engine is asked")
    before = world.status("db")
    assert before["state"] == "starting" and before["outside"] and not before["ports"][0]["listening"], before
    engine.may_bind.set()
    assert run.wait() == 0, run
    after = world.status("db")
    assert after["state"] == "ready" and after["ports"][0]["listening"] and after["health"] == "ok", after
    assert port_of(after) == 5432 and after["ports"][0]["url"] == "postgresql://localhost:5432"
    assert "5432  outside, bound by a process that is not ours" in world.berth("status", "db").out
    assert body(5432) == "outside\n"


@ids("F6", "N2")
@root_and_user
def test_until_it_is_bound_it_is_open_to_nobody_without_reuseaddr(world, engine):
    engine.may_bind.clear()
    run = world.start("run", "-d", "--name", "db", "--port", "5432", "--outside", "--stop-command", engine.stop, "--",
                      *engine.run())
    wait_until(engine.runs, "the engine is asked")
    for address in ("0.0.0.0", "::", "127.0.0.1"):
        with pytest.raises(OSError, match="Address already in use"):
            world.occupy(5432, address, reuseaddr=False)
    other = world.run_d("--name", "other", "--port", "5432", "--", *world.victim().argv(5432))["service"]
    assert port_of(other) == 5433 and other["ports"][0]["holder"]["service"] == "shop/db", other
    engine.may_bind.set()
    assert run.wait() == 0, run


@ids("F6", "P1")
@root_and_user
def test_a_number_that_a_stranger_has_is_not_given_to_the_engine(world, engine):
    world.occupy(5432)
    service = outside(world, engine, "--port", "5432").json["service"]
    assert port_of(service) == 5433 and service["ports"][0]["asked"] == 5432, service
    assert engine.calls == [("run", service["id"], "5433")]
    assert body(5433) == "outside\n"


@ids("F6")
def test_a_stranger_who_was_faster_is_the_engines_own_error(world, engine):
    """He sets SO_REUSEADDR and comes between our lease and the engine's bind()."""
    engine.may_bind.clear()
    run = world.start("run", "-d", "--name", "db", "--port", "5432", "--outside", "--", *engine.run())
    wait_until(engine.runs, "the engine is asked")
    world.occupy(5432)
    engine.may_bind.set()
    assert run.wait() == 1, run
    assert "Address already in use" in run.err, run
    world.nothing_left()


@ids("F6", "N7")
def test_who_accepts_and_closes_has_nobody_behind_him(world, engine):
    """Symptom: docker-proxy accepts as soon as the container is made, long before anybody listens in it."""
    engine.how = "proxy"
    run = world.start("run", "-v", "--name", "db", "--port", "5432", "--outside", "--ready", "tcp",
                      "--stop-command", engine.stop, "--", *engine.run())
    run.wait_for("readiness probe of db failed: the connection is closed at once: nobody is behind it")
    assert world.status("db")["state"] == "starting" and "db is" not in run.err
    engine.how = "serve"
    run.wait_for("^berth: db is postgresql://localhost:5432")
    assert world.status("db")["state"] == "ready"


@ids("F6")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_answer_in_either_family_will_do(world, engine, address):
    engine.addresses = (address,)
    service = outside(world, engine, "--port", "5432").json["service"]
    assert service["state"] == "ready"
    assert body(5432, address) == "outside\n"


@ids("F6", "F1")
def test_http_and_liveness_ask_whoever_answers(world, engine):
    service = outside(world, engine, "--port", "8080", "--ready", "http /", "--live", "http /", "--probe-period", "100ms",
                      "--probe-timeout", "200ms", "--restart", "on-failure").json["service"]
    assert service["state"] == "ready"
    engine.how = "proxy"
    wait_until(lambda: len(engine.runs()) == 2, "liveness ends it, and the policy starts it again")
    engine.how = "serve"
    after = wait_until(lambda: world.status("db")["state"] == "ready" and world.status("db"), "ready again")
    assert after["restarts"] >= 1 and engine.runs()[0] == engine.runs()[1] == after["id"], after
    assert after["workers"][0]["exit"]["by"] == "liveness", after


@ids("F6")
def test_all_its_ports_have_to_answer(world, engine):
    world.occupy(8081, reuseaddr=True)
    service = outside(world, engine, "--port", "http=8080", "--port", "ws=8090",
                      ports=("{port.http}", "{port.ws}")).json["service"]
    assert [port["listening"] for port in service["ports"]] == [True, True], service
    assert body(port_of(service, "http")) == body(port_of(service, "ws")) == "outside\n"
    world.berth("stop", "db")
    # The second one alone does not answer.
    run = world.start("run", "-d", "--name", "half", "--port", "http=8080", "--port", "ws=8090", "--outside",
                      "--wait=1", "--stop-command", engine.stop, "--", *engine.run("{port.http}"))
    assert run.wait() == 124, run
    assert world.status("half")["state"] == "starting"
    world.berth("stop", "half")
    world.nothing_left()


@ids("F6")
def test_no_socket_at_all_is_needed(world, engine):
    """A rule of NAT leads clients away before any socket is looked for. Here: to another port of this machine."""
    need("nft")
    engine.how = "nat"
    server = world.stranger(18081)
    rules = "table ip bt {\nchain o {\ntype nat hook output priority -100\ntcp dport 8080 redirect to :18081\n}\n}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=10)
    service = outside(world, engine, "--port", "8080").json["service"]
    assert service["state"] == "ready" and service["ports"][0]["listening"], service
    assert str(server.pid) in body(8080)


@ids("F6", "N6")
def test_a_stop_waits_until_the_port_is_free(world, engine):
    service = outside(world, engine, "--port", "5432").json["service"]
    engine.may_unbind.clear()
    stop = world.start("stop", "db")
    wait_gone(service["pid"])
    assert goes_on(stop) and not bindable(5432)
    engine.may_unbind.set()
    assert stop.wait() == 0, stop
    assert bindable(5432) and "5432 is free" in stop.err


@ids("F6", "N6")
def test_the_next_life_waits_for_it_too(world, engine):
    service = outside(world, engine, "--port", "5432").json["service"]
    engine.may_unbind.clear()
    restart = world.start("restart", "db")
    wait_gone(service["pid"])
    assert goes_on(restart) and len(engine.runs()) == 1
    engine.may_unbind.set()
    assert restart.wait() == 0, restart
    assert len(engine.runs()) == 2 and len(engine.removals()) == 1
    assert body(5432) == "outside\n"


@ids("F6")
def test_a_port_that_nobody_frees_is_said_and_not_waited_for_forever(world, engine):
    outside(world, engine, "--port", "5432")
    engine.may_unbind.clear()
    began = time.monotonic()
    stop = world.berth("stop", "db", check=None)
    assert time.monotonic() - began >= 4
    assert "port 5432 is still bound, 5 s after the end of db" in world.berth("logs", "db").out, stop


@ids("F6")
@pytest.mark.parametrize("options, message", [
    (("--port", "none"), "--outside needs a port"),
    (("--port", "5000", "--workers", "2"), "--outside goes not with --workers"),
    (("--port", "5000", "--pass-socket"), "--outside goes not with --pass-socket"),
    (("--port", "5000", "--loopback"), "--outside goes not with --loopback"),
    (("--port", "5000", "--map", "1:5001"), "--outside goes not with --map"),
    (("--port", "5000", "--ready", "listen"), "a listen() of a process that is not ours is not seen"),
])
def test_what_makes_no_sense_with_it_is_refused(world, options, message):
    assert message in world.berth("run", "--outside", *options, "--", "true", check=USAGE).err


@ids("F6")
def test_it_can_be_neither_scaled_nor_rolled(world, engine):
    outside(world, engine, "--port", "5432")
    assert "its stop command ends all of them" in world.berth("scale", "db=2", check=1).err
    assert "bound by a process that is not ours" in world.berth("restart", "--rolling", "db", check=1).err
    assert len(engine.runs()) == 1


@ids("F6", "D1")
@root_and_user
def test_who_names_the_service_and_the_holder(world, engine):
    service = outside(world, engine, "--port", "5432").json["service"]
    document = world.berth("who", "--json", "5432").json
    listeners = [holder for holder in document["ports"][0]["holders"] if holder["kind"] == "listener"]
    assert listeners and all((holder["service"] or {}).get("id") == service["id"]
                             for holder in document["ports"][0]["holders"]), document
    assert all(holder["pid"] != service["pid"] for holder in listeners)
    # A user need not be root to end his own service, whoever holds its port.
    assert document["ports"][0]["fix"] == ["berth", "stop", "5432"] and not document["ports"][0]["fix_needs"], document


@ids("F6", "D3")
def test_free_stops_the_service_and_not_the_engine(world, engine):
    outside(world, engine, "--port", "5432")
    world.berth("free", "--yes", "5432")
    assert len(engine.removals()) == 1 and bindable(5432)
    world.nothing_left()


@ids("F6", "D6")
@pytest.mark.parametrize("how", ["serve", "nat"])
def test_doctor_takes_nobody_for_a_stranger(world, engine, how):
    engine.how = how
    if how == "nat":
        need("nft")
        server = world.victim()
        world.spawn(server.argv(18081))
        server.ready()
        rules = "table ip bt {\nchain o {\ntype nat hook output priority -100\ntcp dport 8080 redirect to :18081\n}\n}\n"
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=10)
    outside(world, engine, "--port", "8080")
    told = world.berth("doctor", "db", check=None)
    assert "another" not in told.out and "stranger" not in told.out, told
    rows = {row["name"]: row for row in world.berth("doctor", "--json", "db", check=None).json["services"][0]["checks"]}
    assert rows["listening"]["result"] == "ok", rows


STACK = """
services:
  db:
    command: {command}
    stop_command: {stop}
    port: 5432
    outside: true
  api:
    command: {api}
    port: 8000
    depends_on: [db]
"""


@ids("F6", "S1", "N5")
@pytest.mark.parametrize("end", ["down", "supervisor"])
def test_in_a_stack_it_is_the_same(world, engine, end):
    server = world.victim()
    api = [*server.argv("{port}")]
    world.write("berth.yaml", STACK.format(command=json.dumps(engine.run()), stop=json.dumps(engine.stop),
                                           api=json.dumps(api)))
    world.occupy(5432)
    world.berth("up", "-d", deadline=30)
    db = world.status("db")
    assert db["outside"] and db["state"] == "ready" and port_of(db) == 5433, db
    assert engine.calls == [("run", db["id"], "5433")]
    if end == "down":
        world.berth("down", deadline=30)
    else:
        kill(db["supervisor_pid"])
    wait_until(lambda: not engine.containers, "the container is removed")
    world.nothing_left()
    assert engine.removals() == [db["id"]] and bindable(5433)
