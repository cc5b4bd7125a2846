# SPDX-License-Identifier: MIT
# bench/rows_look.py - who holds a port, what listens, what is free: beside ss, lsof and fuser
"""Each row is measured twice, in worlds of its own: with 2,000 listeners over 300 processes, and with 20,000 sockets over
2,000 (a listener, both ends of four connections and a UDP socket each). The processes of the rest of the machine count
for all of them alike."""

import functools
import select
import shutil
import subprocess

from world import BERTH, DEADLINE, MS, line, median, service_of, spread

BASE, MIDDLE = 10000, 11000
SIZES = {
    # processes, listeners, connections and UDP sockets of each
    "2,000 listeners, 300 processes": (300, 2000, 0, 0),
    "20,000 sockets, 2,000 processes": (2000, 2000, 4, 1),
}
TURNS, TURNS_OF_THE_SLOW = 15, 5
SS = ["ss", "-Hltnp", "sport", "=", f":{MIDDLE}"]
SS_ALL = ["ss", "-Hltnp"]
LSOF = ["lsof", "-nP", f"-iTCP:{MIDDLE}", "-sTCP:LISTEN"]
LSOF_ALL = ["lsof", "-nP", "-iTCP", "-sTCP:LISTEN"]
FUSER = ["fuser", "-n", "tcp", str(MIDDLE)]


def crowd(world, size):
    """Until all of it is there; it ends with the world."""
    process = subprocess.Popen([world.program("crowd"), str(BASE), *map(str, SIZES[size])], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    if not select.select([process.stdout], [], [], DEADLINE)[0] or process.stdout.readline() != b"ready\n":
        raise RuntimeError("the crowd does not come up")


def by_turns(world, turns, ours, theirs):
    """The times of ours and of theirs in ns, each from start to end."""
    return zip(*world.numbers(world.program("spawn"), str(turns), BERTH, *ours, "--and", *theirs))


def beside(world, ours, others, size):
    """A line for each of @others: (command, how many times as fast we must be, turns)."""
    shown = f"`berth {' '.join(ours)}`"
    lines = []
    for theirs, times, turns in others:
        what = f"{shown} over `{' '.join(theirs)}`, {size}"
        reach = f"{times} x faster"
        if not shutil.which(theirs[0]):
            lines.append(line(what, reach, f"no {theirs[0]} here", False, f"{theirs[0]} is not installed"))
            continue
        own, other = by_turns(world, turns, ours, theirs)
        ratio = median(other) / median(own)
        lines.append(line(what, reach, f"{ratio:.1f} x faster", ratio >= times,
                          f"berth {spread(own, MS)}, {theirs[0]} {spread(other, MS)}; {turns} of each by turns"))
    return lines


def row_who(world, size):
    crowd(world, size)
    return beside(world, ["who", str(MIDDLE)], [(SS, 3, TURNS), (LSOF, 8, TURNS_OF_THE_SLOW),
                                                (FUSER, 6, TURNS_OF_THE_SLOW)], size)


def row_own(world, size):
    crowd(world, size)
    service_of(world, "--name", "own", "--port", "5000", "--", "socat", "TCP-LISTEN:5000,fork,reuseaddr", "/dev/null")
    bare, own = zip(*world.numbers(world.program("spawn"), "60", "true", "--and", BERTH, "who", "5000"))
    world.output(BERTH, "stop", "own")
    return [line(f"`berth who` of a port of its own, {size}", "at most 3 ms", f"{median(own) / 1e6:.2f} ms",
                 median(own) <= 3e6,
                 f"{spread(own, MS)}, of it a start as that of `true` {spread(bare, MS)}; 60 of each by turns")]


def row_machine(world, size):
    crowd(world, size)
    shown = len(world.output(BERTH, "ls", "-m").splitlines()) - 1
    lines = beside(world, ["ls", "-m"], [(SS_ALL, 2, TURNS), (LSOF_ALL, 5, TURNS_OF_THE_SLOW)], size)
    for entry in lines:
        entry["details"] += f"; {shown:,} lines"
    return lines


def row_scan(world, size):
    crowd(world, size)
    bare, own = zip(*world.numbers(world.program("spawn"), "60", "true", "--and", BERTH, "scan", "-q", "1-65535"))
    return [line(f"`berth scan 1-65535`, {size}", "at most 10 ms", f"{median(own) / 1e6:.1f} ms", median(own) <= 10e6,
                 f"{spread(own, MS)}, of it a start as that of `true` {spread(bare, MS)}; 60 of each by turns")]


ROWS = {f"{name}-{processes}": functools.partial(row, size=size)
        for size, (processes, *_) in SIZES.items()
        for name, row in (("who", row_who), ("own", row_own), ("machine", row_machine), ("scan", row_scan))}
