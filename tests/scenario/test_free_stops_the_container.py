# SPDX-License-Identifier: MIT
# scenario/test_free_stops_the_container.py - D3: a container's port is freed by stopping the container
"""podman as root, as in test_who_names_containers.py. What berth runs is its command, from the PATH."""

import shlex
import shutil

from berthtest import alive, bindable, ids, wait_until
from test_ls_shows_the_machine import engine
from test_who_names_containers import podman, serve  # noqa: F401 - fixtures


def put_in_path(world, engine):
    """`podman` with the folders of the test's own."""
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in engine.env.items())
    world.write(f"{world.bin}/podman", f'#!/bin/sh\nexec env {settings} {shlex.join(engine.argv)} "$@"\n', 0o755)


@ids("D3")
def test_the_container_of_a_published_port_needs_force_and_is_stopped(world, podman, serve):  # noqa: F811
    container = serve("bt-free", 8080, "--publish", "127.0.0.1:18480:8080")
    put_in_path(world, podman)
    refused = world.berth("free", "--yes", "18480", check=1)
    assert "18480 is held by container 'bt-free': it is a container's, by conmon " in refused.err
    assert "hint: podman stop bt-free, or berth free --force --yes 18480" in refused.err
    assert world.berth("free", "-n", "--yes", "--force", "18480").out == "18480  container 'bt-free'  podman stop bt-free\n"
    conmon = world.berth("who", "--json", "18480").json["ports"][0]["holders"][0]["pid"]
    assert alive(conmon)
    done = world.berth("free", "--yes", "--force", "18480", deadline=60)
    assert "stopped container 'bt-free' (" in done.err
    assert bindable(18480)
    wait_until(lambda: not alive(conmon), "conmon ends with its container")
    assert container not in podman("ps", "--quiet", "--no-trunc").stdout
    history = world.berth("history").out
    assert "conmon" in history and "its container 'bt-free' stopped by berth free" in history
    assert world.berth("history", "--json").json["ends"][0]["container"]["name"] == "bt-free"


@ids("D3")
def test_with_the_network_of_the_host_the_container_is_stopped_too(world, podman, serve):  # noqa: F811
    serve("bt-free-host", 18500, "--network=host")
    put_in_path(world, podman)
    wait_until(lambda: not bindable(18500), "it listens")
    refused = world.berth("free", "--yes", "18500", check=1)
    assert "18500 is held by container 'bt-free-host'" in refused.err
    world.berth("free", "--yes", "--force", "18500", deadline=60)
    assert bindable(18500)


@ids("D3")
def test_the_history_names_what_was_stopped_in_a_proxys_stead(world):
    """Of a proxy it said "its container stopped", and which one it was, nowhere."""
    containers = [{"Id": "f" * 64, "Names": ["/db"], "State": "running", "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 7801, "Type": "tcp"}]}]
    with engine(world, containers) as path:
        shutil.copy(world.helper("victim"), f"{world.bin}/docker-proxy")
        victim = world.victim()
        proxy = world.spawn([f"{world.bin}/docker-proxy", *victim.argv(7801)[1:]])
        victim.ready()
        world.write(f"{world.bin}/docker", f"#!/bin/sh\nkill {proxy.pid}\n", 0o755)
        result = world.berth("free", "--yes", "--force", "7801", env={"DOCKER_HOST": f"unix://{path}"})
    assert "stopped container 'db' (" in result.err
    end = world.berth("history", "--json", "-a").json["ends"][0]
    assert (end["how"], end["container"]) == ("container", {"name": "db", "engine": "docker"})
    assert "its container 'db' stopped by berth free" in world.berth("history", "-a").out
