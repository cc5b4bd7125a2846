# SPDX-License-Identifier: MIT
# scenario/clients.py - clients that ask a service all the time, and what became of each request
"""tests/helpers/load.c, for tests that look at a restart from outside."""

import json
import subprocess

import pytest

from berthtest import DEADLINE, wait_until

FAILURES = ("refused", "reset", "hung", "wrong", "other")


class Load:
    """Clients of @port until end(), or for as long as @options say; the figures are those of helpers/load.c."""

    def __init__(self, world, port, *options):
        self.process = world.spawn([world.helper("load"), *options, str(port)], stdin=subprocess.PIPE)
        self.seen = 0

    def _line(self):
        def whole():
            self.process.pump()
            return "\n" in self.process.out[self.seen:]
        wait_until(whole, lambda: f"figures of {self.process}", deadline=2 * DEADLINE)
        text = self.process.out[self.seen:]
        text = text[:text.index("\n") + 1]
        self.seen += len(text)
        return json.loads(text)

    def report(self):
        self.process.send("report\n")
        return self._line()

    def end(self):
        """The figures, once it has ended by itself or is told to."""
        if self.process.popen.poll() is None:
            self.process.send("end\n")
        counts = self._line()
        assert self.process.wait() == 0, self.process
        return {**counts, "said": self.process.err}

    def answering(self, pids=(), count=20):
        """A process that is none of @pids and has answered @count times; its pid."""
        def find():
            said = self.report()["by_pid"]
            return next((int(pid) for pid, number in said.items() if int(pid) not in pids and number >= count), None)
        return wait_until(find, lambda: f"{count} answers of a process that is none of {pids}: {self.report()}")

    def all_answer(self, pids, count=3):
        """Until each of @pids has answered @count times more than by now."""
        before = self.report()["by_pid"]

        def missing():
            now = self.report()["by_pid"]
            return [pid for pid in pids if now.get(str(pid), 0) < before.get(str(pid), 0) + count]
        wait_until(lambda: not missing(), lambda: f"{count} answers each of {missing()}: {self.report()}")

    def goes_on(self, count=50):
        """Until @count requests more have been answered, by whomever."""
        before = self.report()["ok"]
        wait_until(lambda: self.report()["ok"] >= before + count, lambda: f"{count} answers more: {self.report()}")


def nobody_was_refused(counts, in_flight=0):
    """All were answered but those whose request had been accepted by a process that was killed, at most @in_flight."""
    assert counts["ok"] > 0, counts
    bad = {name: counts[name] for name in FAILURES if name != "reset" and counts[name]}
    if bad or counts["reset"] > in_flight:
        pytest.fail(f"clients failed ({bad or 'reset'}, {in_flight} may be reset): {counts}")
