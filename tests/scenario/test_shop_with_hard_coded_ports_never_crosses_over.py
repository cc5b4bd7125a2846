# SPDX-License-Identifier: MIT
# scenario/test_shop_with_hard_coded_ports_never_crosses_over.py - N1, N10, N11: two copies, unchanged, each for itself
"""examples/shop-fixed knows no PORT: frontend → 9000 → 9100 → 6379. Each answer names the folder of every part it came
through, and each Redis counts: a request that went astray would be seen in both."""

import json
import os
import re

import pytest

from berthtest import answer, as_user, ids, root_and_user, wait_until
from shop import FIXED, START, node, shop

REQUESTS = 100
PARTS = {"frontend": "frontend", "backend": "", "worker": "", "redis": ""}  # and where each one runs

each_neighbourhood = pytest.mark.parametrize("strangers", [False, True], ids=["alone", "beside-strangers"])


@pytest.fixture
def copies(world, request):
    """Two that are up; the first has the numbers themselves, unless strangers do."""
    if "strangers" in request.fixturenames and request.getfixturevalue("strangers"):
        world.stranger(*FIXED.values())
    main = shop(world, "shop-fixed")
    fix = main.worktree("fix")
    return main.up(), fix.up()


def expected(copy):
    return {part: os.path.join(copy.folder, below).rstrip("/") for part, below in PARTS.items()}


def check_own(copy, visit):
    """Whatever came back came from this copy alone."""
    folders = expected(copy)
    assert {part: visit[part] for part in PARTS if visit.get(part)}.items() <= folders.items(), visit


def check_whole(copy, visit):
    check_own(copy, visit)
    assert visit["status"] == 200 and set(PARTS) <= set(visit), visit


@ids("N1", "N10")
@root_and_user
@each_neighbourhood
def test_no_request_crosses_over(world, copies, strangers):
    offset = 1 if strangers else 0
    for number, copy in enumerate(copies):
        assert {name: copy.ports[f"{name}_port"] for name in FIXED} == {
            name: port + number + offset for name, port in FIXED.items()}
    for number in range(1, REQUESTS + 1):
        for copy in copies:
            visit = copy.visit()
            check_whole(copy, visit)
            assert visit["visits"] == number
    for port in FIXED.values() if strangers else ():
        assert answer(port)["say"].startswith("stranger")


@ids("N10", "N11")
@root_and_user
@each_neighbourhood
def test_in_the_view_of_each_copy_the_numbers_are_its_own(world, copies, strangers):
    """Many clients in both views at once, at the original URLs, and past the frontend as well."""
    script = 'for n in $(seq 25); do for url; do curl -s -D - "$url" || exit; echo; done; done'
    urls = ("http://localhost:5173/api/visit", "http://127.0.0.1:9000/", "http://localhost:9100/")
    clients = [(copy, copy.start("exec", "--", "sh", "-c", script, "sh", *urls)) for copy in copies for _ in range(2)]
    for copy, client in clients:
        assert client.wait(deadline=START) == 0, client
        visits = [json.loads(line) for line in client.out.splitlines() if line.startswith("{")]
        assert len(visits) == 25 * len(urls)
        for visit in visits:
            check_own(copy, visit)
            assert "error" not in visit
        assert client.out.count(f"x-frontend: {copy.folder}/frontend") == 25
    for copy in copies:
        assert copy.visit()["visits"] == 2 * 25 * len(urls) + 1


@ids("N10")
@pytest.mark.parametrize("who, strangers", [("root", False), ("user", True)], indirect=["who"])
@pytest.mark.parametrize("part", ["redis", "worker", "backend"])
def test_a_part_that_is_down_is_missed_and_nobody_takes_its_place(world, copies, strangers, part):
    """Its number is another copy's, or a stranger's: to this copy nobody listens there until its own does again."""
    for copy, other in (copies, reversed(copies)):
        copy.berth("stop", part)
        for _ in range(10):
            visit = copy.visit()
            check_own(copy, visit)
            assert visit["status"] in (500, 502, 503), visit
            assert "ECONNREFUSED" in visit.get("error", "ECONNREFUSED"), visit
            check_whole(other, other.visit())
        copy.up()
        wait_until(lambda: copy.visit()["status"] == 200, "it is whole again")
        check_whole(copy, copy.visit())


@ids("N10", "S1")
@root_and_user
def test_a_part_that_was_never_started_is_not_replaced_by_that_of_the_other_copy(world):
    main = shop(world, "shop-fixed")
    fix = main.worktree("fix")
    main.up()
    fix.up("frontend", "backend")
    for _ in range(5):
        visit = fix.visit()
        assert visit["status"] == 503 and "worker" not in visit, visit
        check_own(fix, visit)
    assert main.visit()["visits"] == 1


@ids("N10", "S7")
@root_and_user
def test_nothing_crosses_over_while_one_copy_is_restarted(world, copies):
    """From the view and from outside: answers are this copy's own, or none, at every moment."""
    main, fix = copies
    script = 'while [ ! -e "$0" ]; do curl -s http://localhost:5173/api/visit; echo; done'
    stop = os.path.join(world.home, "stop")
    client = fix.start("exec", "--", "sh", "-c", script, stop)
    client.wait_for("^{", "out", deadline=START)
    heard = 0
    for part in ("worker", "redis", "backend", "frontend"):
        restart = fix.start("restart", part)
        while restart.popen.poll() is None:
            check_own(fix, fix.visit())
            check_whole(main, main.visit())
            client.pump()
            heard += 1
        assert restart.wait() == 0, restart
    wait_until(lambda: fix.visit()["status"] == 200, "it is whole again")
    world.write(stop, "")
    client.wait()
    visits = [json.loads(line) for line in client.out.splitlines() if line.startswith("{")]
    assert visits and heard
    for visit in visits:
        check_own(fix, visit)


@ids("N11", "S8")
@as_user
def test_chromium_sees_each_copy_at_the_original_url(world, copies):
    for copy in copies:
        argv, env = node(world, "shop-fixed-page.mjs", "http://localhost:5173/")
        page = json.loads(copy.berth("exec", "--in", "shop-fixed", "--", *argv, env=env, deadline=START * 2).out)
        assert page["page"] == "http://localhost:5173"
        assert {part: page[part] for part in PARTS} == expected(copy)


@ids("N10")
@root_and_user
def test_status_says_which_number_stands_for_which(world, copies):
    """The second copy's numbers are not its own: "9000 -> 9001 (backend)" for all that run beside it."""
    _, fix = copies
    text = fix.berth("status", "frontend").out
    sees = re.search(r"^ *sees +(.*)$", text, re.M)
    assert sees, text
    for name in ("redis", "worker", "backend"):
        assert re.search(rf"\b{FIXED[name]} (->|→) {FIXED[name] + 1} \({name}\)", sees[1]), text
