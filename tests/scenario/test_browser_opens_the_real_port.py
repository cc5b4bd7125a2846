# SPDX-License-Identifier: MIT
# scenario/test_browser_opens_the_real_port.py - N11: the BROWSER hook
"""`vite --open` opens the real port in the user's browser, which survives the stop."""

import os

from berthtest import alive, ids, kill, root_and_user, wait_until


def fake_browser(world):
    """An xdg-open that notes what it was given and stays, as a browser does."""
    world.write(f"{world.bin}/xdg-open", f'#!/bin/sh\necho "$$ $*" >> {world.home}/opened\n'
                'exec /usr/bin/python3 -c "import signal; signal.pause()"\n', mode=0o755)


def opened(world):
    path = os.path.join(world.home, "opened")
    wait_until(lambda: os.path.exists(path) and open(path, encoding="utf-8").read().endswith("\n"), "the browser is opened")
    with open(path, encoding="utf-8") as file:
        pid, _, url = file.read().strip().partition(" ")
    return int(pid), url


@ids("N11")
@root_and_user
def test_browser_hook_opens_the_moved_port_and_survives_the_stop(world):
    fake_browser(world)
    world.occupy(5000)
    victim = world.victim()
    script = '"$@" & while [ ! -e "$0" ]; do :; done; $BROWSER http://localhost:5000/page; wait'
    world.run_d("--name", "web", "--", "sh", "-c", script, victim.ready_file, *victim.argv(5000))
    pid, url = opened(world)
    assert url == "http://localhost:5001/page"
    world.berth("stop", "web")
    assert alive(pid)  # it is the user's, not the service's
    kill(pid)


@ids("N11")
@root_and_user
def test_open_opens_a_service_by_name(world):
    fake_browser(world)
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    world.start("open", "web")
    pid, url = opened(world)
    assert url.rstrip("/") == "http://localhost:5000"
    kill(pid)


@ids("N11")
def test_other_urls_are_opened_as_they_are(world):
    fake_browser(world)
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    world.start("exec", "--", "sh", "-c", "$BROWSER https://example.org/docs?a=b")
    pid, url = opened(world)
    assert url == "https://example.org/docs?a=b"
    kill(pid)
