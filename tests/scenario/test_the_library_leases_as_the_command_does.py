# SPDX-License-Identifier: MIT
# scenario/test_the_library_leases_as_the_command_does.py - N8, P1: libberth in the example server
"""A program that links libberth takes its port by itself, beside strangers, other copies and `berth run`."""

import os

import pytest

from berthtest import BUILD, Thief, answer, bindable, http, ids, port_of, root_and_user, skip


@pytest.fixture(params=["hello-server", "hello-server-static"])
def example(request):
    path = os.path.join(BUILD, "examples", request.param)
    if not os.access(path, os.X_OK):
        skip(f"{request.param} is not built")
    return path


@ids("N8", "P1")
@root_and_user
def test_copies_take_one_number_after_the_other(world, example):
    for port in (8080, 8081, 8082):
        server = world.spawn([example])
        server.wait_for(f"^http://localhost:{port}$", "out")
        assert http(port).endswith("hello\n")


@ids("N2")
@root_and_user
def test_nobody_else_gets_the_port_and_it_is_free_at_the_end(world, example):
    server = world.spawn([example])
    server.wait_for("^http://localhost:8080$", "out")
    for mode in ("v4", "v6", "dual", "reuseaddr", "reuseaddr6", "reuseport"):
        thief = Thief(world, mode)
        thief.attack(8080)
        assert thief.pause()["binds"] == 0
    server.signal(9)
    server.wait()
    assert bindable(8080)


@ids("N8")
@root_and_user
def test_the_command_and_the_library_see_each_other(world, example):
    service = world.run_d("--name", "web", "--port", "8080", "--", *world.victim().argv(8080))["service"]
    assert port_of(service) == 8080
    world.spawn([example]).wait_for("^http://localhost:8081$", "out")
    assert answer(8080)["port"] == 8080


@ids("N1")
@root_and_user
def test_the_library_below_berth_run(world, example):
    """Its own holders are bound below a supervisor that answers bind(): both must still work."""
    world.occupy(8080)
    service = world.run_d("--name", "web", "--", example)["service"]
    assert any(http(p["port"]).endswith("hello\n") for p in service["ports"]), service
