# SPDX-License-Identifier: MIT
# scenario/test_a_container_is_a_service.py - F6, N5: `podman run -p` under berth, for real
"""podman as root, as in test_who_names_containers.py: conmon holds the port, netavark's rules lead clients to it. What
berth runs is its command, from the PATH."""

import json
import os
import signal

import pytest

from berthtest import bindable, body, descendants, ids, kill, port_of, refused, wait_gone, wait_until
from test_free_stops_the_container import put_in_path
from test_who_names_containers import IMAGE, podman  # noqa: F401 - a fixture

READY = 60  # making a container takes its time


@pytest.fixture
def engine(world, podman):  # noqa: F811
    put_in_path(world, podman)
    yield podman
    podman("rm", "--all", "--force", "--time=0", check=False)


def run(*options, stop="podman rm --force --time=0 {id}"):
    page = "mkdir -p /www; echo container > /www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www"
    return ("run", "--name", "web", "--port", "18480", "--outside", *(("--stop-command", stop) if stop else ()), *options,
            "--", "podman", "run", "--rm", "--name", "{id}", "-p", "{port}:8080", IMAGE, "/bin/busybox", "sh", "-c", page)


def start(world, *options, **more):
    return world.run_d(*run("--wait=60", *options, **more)[1:], deadline=READY)["service"]


def containers(engine):
    return [one["Names"][0] for one in json.loads(engine("ps", "--all", "--format", "json").stdout or "[]")]


def gone(world, engine, port=18480):
    world.nothing_left(READY)
    assert containers(engine) == []
    wait_until(lambda: bindable(port), "the port is free")


@ids("F6", "P1")
def test_a_published_port_that_is_taken_is_another_one(world, engine):
    world.occupy(18480)
    service = start(world)
    port = port_of(service)
    assert port == 18481 and service["state"] == "ready" and service["outside"], service
    assert containers(engine) == [service["id"]]
    assert body(port) == "container\n"
    world.berth("stop", "web", deadline=READY)
    gone(world, engine, port)


@ids("F6", "D1")
def test_who_names_container_and_service(world, engine):
    service = start(world)
    holders = world.berth("who", "--json", "18480").json["ports"][0]["holders"]
    conmon = [holder for holder in holders if holder["process"] == "conmon" and holder["netns"] == "same"]
    assert conmon and conmon[0]["container"]["name"] == service["id"], holders
    assert conmon[0]["service"]["id"] == service["id"], holders
    world.berth("stop", "web", deadline=READY)


@ids("F6", "N6")
def test_each_life_has_a_new_container(world, engine):
    service = start(world)
    before = json.loads(engine("inspect", service["id"]).stdout)[0]["Id"]
    world.berth("restart", "web", deadline=2 * READY)
    after = json.loads(engine("inspect", service["id"]).stdout)[0]["Id"]
    assert before != after and world.status("web")["state"] == "ready" and body(18480) == "container\n"
    world.berth("stop", "web", deadline=READY)
    gone(world, engine)


@ids("F6")
def test_a_stop_signal_alone_will_do_where_the_client_passes_it_on(world, engine):
    start(world, "--grace", "4s", stop=None)
    world.berth("stop", "web", deadline=READY)
    wait_until(lambda: refused(18480), "nobody answers")
    world.nothing_left(READY)


@ids("F6", "N5")
def test_kill_9_of_the_client_leaves_no_container(world, engine):
    service = start(world)
    kill(service["pid"])
    gone(world, engine)


@ids("F6", "N5")
@pytest.mark.parametrize("who_dies", ["supervisor", "guardian", "both"])
def test_kill_9_of_berth_leaves_no_container(world, engine, who_dies):
    front = world.start(*run())
    service = wait_until(lambda: next((one for one in world.services() if one["state"] == "ready"), None), "ready", READY)
    assert containers(engine) == [service["id"]]
    victims = {"supervisor": [service["supervisor_pid"]], "guardian": [front.pid],
               "both": [front.pid, service["supervisor_pid"]]}[who_dies]
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    for pid in victims:
        kill(pid)
    if who_dies == "both":
        for pid in victims:
            wait_gone(pid)
        assert containers(engine) == [service["id"]]
        # An orphan is ours to reap, and podman waits for that.
        command = world.start("ls")
        wait_until(lambda: descendants() is not None and command.popen.poll() is not None, "ls returns", READY)
    front.wait(READY)
    gone(world, engine)
