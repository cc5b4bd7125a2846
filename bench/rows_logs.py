# SPDX-License-Identifier: MIT
# bench/rows_logs.py - a service that writes a lot
import os
import re
import subprocess
import threading

from world import BERTH, Gathering, line, median, service_of

MEGABYTES, TURNS = 200, 3
READ = 1 << 20


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.M).group(1))


class Watch(threading.Thread):
    """The most memory that a process has had, looked at ten times a second until end()."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.most, self.ended = pid, rss_kib(pid), threading.Event()
        self.before = self.most
        self.start()

    def run(self):
        while not self.ended.wait(0.1):
            self.most = max(self.most, rss_kib(self.pid))

    def end(self):
        self.ended.set()
        self.join()
        return max(self.most, rss_kib(self.pid))


def written(gathering, process=None):
    """(lines, nanoseconds) of the one program that has connected; it ends then."""
    gathering.tell("\n")
    words = next(iter(gathering.hear(1, [process] if process else [], 1).values())).split()
    return int(words[1]), int(words[2])


def into_file(world):
    path = os.path.join(world.folder, "plain")
    gathering = Gathering(world)
    with open(path, "wb") as file:
        process = subprocess.Popen([world.program("chatty"), gathering.path, str(MEGABYTES)], stdout=file)
    gathering.hear(1, [process], 0)
    _, ns = written(gathering, process)
    gathering.close()
    process.wait()
    os.unlink(path)
    return ns


def lines_lost(world, name, count):
    """How many of @count numbered lines `berth logs` does not have, whole and in order, and how many others it has."""
    reading = subprocess.Popen([BERTH, "logs", name], env=world.env, cwd=world.cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, bufsize=READ)
    found = strange = last = 0
    for text in reading.stdout:
        whole = re.fullmatch(rb"(\d{10}) x{88}\n?", text)
        if whole and int(whole.group(1)) > last:
            last = int(whole.group(1))
            found += 1
        else:
            strange += 1
    if reading.wait():
        raise RuntimeError(f"berth logs: exit {reading.returncode}")
    return count - found, strange


def into_log(world, name):
    """((lines lost, strange ones), nanoseconds, KiB of the supervisor before, the most of it)"""
    gathering = Gathering(world)
    service = service_of(world, "--name", name, "--port", "none", "--log-size", "10M", "--log-files", "60", "--",
                         world.program("chatty"), gathering.path, str(MEGABYTES))
    gathering.hear(1, [], 0)
    watch = Watch(service["supervisor_pid"])
    count, ns = written(gathering)
    most = watch.end()
    gathering.close()
    world.output(BERTH, "wait", name, "--for", "stopped", "--timeout", "60s")
    return lines_lost(world, name, count), ns, watch.before, most


def row_logs(world):
    plain, logged = [], []
    for turn in range(TURNS):
        plain.append(into_file(world))
        logged.append(into_log(world, f"chatty{turn}"))
    lost, strange = (sum(numbers) for numbers in zip(*[entry[0] for entry in logged]))
    ratio = median(plain) / median([entry[1] for entry in logged])
    growth = max(entry[3] - entry[2] for entry in logged)
    what = f"a service that writes {MEGABYTES} MB of lines"
    return [line(f"{what}: lines lost", "0", f"{lost}", lost == strange == 0,
                 f"of {MEGABYTES * TURNS / 100:.0f} million in {TURNS} turns, the last without a newline; read back by "
                 f"`berth logs` from what has been rotated at 10 MB, with {strange} that are none of them"),
            line(f"{what}: speed of writing over that into a file", "at least 0.5x", f"{ratio:.2f}x", ratio >= 0.5,
                 f"into a file {', '.join(f'{ns / 1e9:.2f}' for ns in plain)} s, through berth "
                 f"{', '.join(f'{entry[1] / 1e9:.2f}' for entry in logged)} s; by turns"),
            line(f"{what}: the supervisor's memory grows", "flat: at most 1 MB", f"{growth / 1024:.2f} MB",
                 growth <= 1024, "RSS before and at most, KiB: " +
                 ", ".join(f"{entry[2]} and {entry[3]}" for entry in logged))]


ROWS = {"logs": row_logs}
