# SPDX-License-Identifier: MIT
# scenario/test_a_restart_that_is_interrupted_leaves_nothing.py - N6, I4: killed, stopped, left alone in a restart
"""Whatever moment of a restart it is: what is killed or stopped then leaves no process, no port and no client hanging."""

import os

import pytest

from berthtest import UNKNOWN, alive, answer, bindable, each_containment, ids, kill, refused, wait_until
from realservers import Lives

LIVE = "bind 5000 api\nlisten"
MOMENTS = ["delayed", "ending", "beginning", "bound", "listening"]


class Restart:
    """A service that stays in one moment of its restart, and the caller of that restart (None: the policy's)."""

    def __init__(self, world, moment, *options, foreground=False):
        self.world, self.moment = world, moment
        self.go = os.path.join(world.folder, "go")
        os.mkfifo(self.go)
        world.give(self.go)
        first = f"drain {self.go}\n{LIVE}" if moment == "ending" else LIVE
        second = {"beginning": f"say here\nwait {self.go}\n{LIVE}", "bound": f"bind 5000 api\nsay here\nwait {self.go}\nlisten",
                  "listening": f"{LIVE}\nsay here\nwait {self.go}"}.get(moment, LIVE)
        self.life = Lives(world, "api", first, second)
        arguments = ["--name", "api", "--port", "5000", "--restart", "always", "--backoff",
                     "1h" if moment == "delayed" else "0", "--backoff-max", "1h", *options, "--", *self.life.argv]
        self.front = world.start("run", *arguments) if foreground else None
        if not foreground:
            world.run_d(*arguments)
        wait_until(lambda: world.services() and world.services()[0]["state"] == "ready", "its first life")
        self.service = world.services()[0]
        self.caller = None if moment == "delayed" else world.start("restart", "api")
        if moment == "delayed":
            kill(self.service["pid"])
        wait_until(self._is_there, lambda: f"{moment}: {world.services()}")

    @property
    def waits(self):
        """The caller has not been answered: what listens may be ready by now."""
        return self.moment not in ("delayed", "listening")

    def _said(self):
        if self.front:
            self.front.pump()
            return self.front.out
        return self.world.berth("logs", "api").out

    def _is_there(self):
        if self.moment == "delayed":
            return self.world.services()[0]["state"] == "waiting"
        return ("draining" if self.moment == "ending" else "here") in self._said()

    def go_on(self):
        def open_it():
            try:
                return os.open(self.go, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return None
        os.close(wait_until(lambda: open_it(), "it waits"))

    def nothing_left(self):
        self.world.nothing_left()
        assert bindable(5000) and refused(5000)


@ids("N6", "N3")
@pytest.mark.parametrize("moment", MOMENTS)
@each_containment
def test_a_killed_supervisor_takes_all_with_it(world, moment):
    restart = Restart(world, moment)
    kill(restart.service["supervisor_pid"])
    restart.nothing_left()
    if restart.waits:
        assert restart.caller.wait() not in (0, None)


@ids("N6", "N3")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_front_takes_all_with_it(world, moment):
    restart = Restart(world, moment, foreground=True)
    kill(restart.front.pid)
    restart.nothing_left()


@ids("N6", "I4")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stop_ends_it_and_all_who_wait_are_told(world, moment):
    restart = Restart(world, moment, "--grace", "400ms")
    lives = len(restart.life.pids())
    world.berth("stop", "api")
    restart.nothing_left()
    assert len(restart.life.pids()) == lives, "a stop starts nothing"
    if restart.waits:
        assert restart.caller.wait() == 1, restart.caller
        assert "api" in restart.caller.err
    world.berth("status", "api", check=UNKNOWN)


@ids("N6", "I4")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_ends_it_at_once(world, moment):
    restart = Restart(world, moment, "--grace", "1h")
    world.berth("stop", "--kill", "api")
    restart.nothing_left()


@ids("I4", "N3")
@pytest.mark.parametrize("moment", ["ending", "beginning", "bound"])
def test_a_caller_that_is_killed_changes_nothing(world, moment):
    restart = Restart(world, moment)
    kill(restart.caller.pid)
    restart.caller.wait()
    restart.go_on()
    assert answer(5000)["life"] == 2
    service = world.status("api")
    assert service["kept"] == "handed-over" and not alive(restart.service["pid"])


@ids("N3")
@pytest.mark.parametrize("moment", ["beginning", "bound", "listening"])
def test_a_new_life_that_is_killed_there_is_followed_by_another(world, moment):
    """And a client that came in the meantime is answered by that."""
    restart = Restart(world, moment)
    kill(restart.life.pids()[1])
    wait_until(lambda: len(restart.life.pids()) == 3, "its third life")
    restart.go_on()
    assert answer(5000)["life"] == 3
    assert restart.caller.wait() == 0
    assert world.status("api")["restarts"] == 2
