# SPDX-License-Identifier: MIT
# scenario/test_shop_runs_twice_and_each_page_asks_its_own_backend.py - S2, S5, S8: two worktrees and a browser
"""Two git worktrees of examples/shop side by side, loaded by one Chromium: CORS leads each page to its own backend."""

import json

from berthtest import as_user, ids, root_and_user, wait_until
from shop import DEFAULTS, START, node, shop


def open_pages(world, *copies):
    argv, env = node(world, "shop-pages.mjs", *(copy.ports["frontend_url"] for copy in copies))
    return json.loads(world.run(argv, env=env, deadline=START * 2).out)


@ids("S2", "S5", "S8")
@as_user
def test_chromium_loads_both_and_each_reaches_its_own(world):
    world.stranger(*DEFAULTS.values())
    main = shop(world).up()
    fix = main.worktree("fix").up()
    copies = (main, fix)
    assert [copy.ports["frontend_port"] for copy in copies] == [5174, 5175]
    backends = [copy.services()["backend"]["id"] for copy in copies]

    seen = open_pages(world, *copies)
    for copy, backend, page in zip(copies, backends, seen["before"]):
        assert page["origin"] == copy.ports["frontend_url"]
        assert page["api"] == copy.ports["backend_url"]
        assert page["backend"] == backend
        assert page["items"] == {"apple": "12", "bread": "7", "cheese": "5"}

    # A sale in the first is heard of in the first, through its own Redis.
    assert [page["items"]["apple"] for page in seen["after"]] == ["11", "12"]
    assert [copy.left("apple") for copy in copies] == [11, 12]

    # To the other's backend each page is foreign, and the browser says so.
    assert seen["asks"] == [[backends[0], "TypeError"], ["TypeError", backends[1]]]


@ids("S8", "P12")
@root_and_user
def test_worktrees_are_told_apart_and_keep_their_ports(world):
    main = shop(world)
    fix = main.worktree("fix")
    main.up()
    fix.up()
    before = [copy.ports for copy in (main, fix)]
    assert [ports["backend_port"] for ports in before] == [9000, 9001]
    assert [copy.services()["backend"]["branch"] for copy in (main, fix)] == ["main", "fix"]
    listing = world.berth("ls").out
    assert "shop@main/backend" in listing and "shop@fix/backend" in listing

    for copy in (main, fix):
        copy.berth("down")
    for copy in (fix, main):  # in the other order
        copy.up()
    for copy, ports in zip((main, fix), before):
        assert {key: copy.ports[key] for key in ports if key != "berth"} == {
            key: ports[key] for key in ports if key != "berth"}


@ids("S7", "S8")
@root_and_user
def test_what_is_said_to_one_copy_leaves_the_other_alone(world):
    main = shop(world)
    fix = main.worktree("fix")
    main.up()
    fix.up()
    untouched = {name: service["id"] for name, service in main.services().items()}
    fix.berth("restart", "backend")
    wait_until(lambda: fix.get("/healthz")[0] == 200, "it answers again")
    fix.berth("down")
    assert fix.services() == {}
    assert {name: service["id"] for name, service in main.services().items()} == untouched
    assert all(service["restarts"] == 0 for service in main.services().values())
    assert main.get("/healthz")[0] == 200
