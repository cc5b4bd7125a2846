# SPDX-License-Identifier: MIT
# bench/rows_calls.py - what one run, one call, one lease and one search take
import contextlib
import os
import signal
import socket

from world import BERTH, MS, US, line, median, spread


def row_run(world):
    turns = world.numbers(world.program("spawn"), "300", "true", "--and", BERTH, "run", "--", "true")
    bare, berth = zip(*turns)
    more = (median(berth) - median(bare)) / 1e6
    return [line("`berth run -- true` over `true`", "at most 4 ms more", f"{more:.2f} ms more", more <= 4,
                 f"`true` {spread(bare, MS)}, `berth run -- true` {spread(berth, MS)}; 300 of each by turns")]


def row_calls(world):
    calls = world.program("calls")
    times = {"bind": ([], []), "again": ([], []), "connect": ([], [])}
    first = []  # that a service makes
    wishes = [str(5000 + 10 * i) for i in range(16)]
    count = {"bind": (20, 7, wishes), "again": (2, 300, wishes[:1]), "connect": (10, 500, ["7000"])}
    run = [BERTH, "run", "-q", *(word for port in wishes for word in ("--port", f"p{port}={port}")), "--"]

    def accept(listener):
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()

    # Elsewhere: a listener that is none of the service's, in another process as it always is.
    with socket.create_server(("127.0.0.1", 7000), backlog=4096) as listener:
        acceptor = os.fork()
        if acceptor == 0:
            accept(listener)
            os._exit(0)
    for what, (turns, calls_each, ports) in count.items():
        arguments = (calls, what, str(calls_each), *ports)
        for _ in range(turns):
            times[what][0].extend(world.numbers(*arguments))
            steered = world.numbers(*run, *arguments)
            times[what][1].extend(steered)
            if what == "bind":
                first.append(steered[0])
    os.kill(acceptor, signal.SIGKILL)
    os.waitpid(acceptor, 0)

    def judge(what, name, reach):
        bare, steered = times[what]
        value = median(steered) / 1e3
        return line(name, f"at most {reach} µs" if reach else "", f"{value:.1f} µs",
                    value <= reach if reach else None,
                    f"bare {spread(bare, US)}, below berth {spread(steered, US)}; {len(steered):,} calls of each in "
                    f"{count[what][0]} turns")

    return [judge("bind", "a steered bind()", 50),
            judge("connect", "a trapped connect() to elsewhere", 40),
            line("the first steered bind() that a service makes", "", f"{median(first) / 1e3:.1f} µs", None,
                 f"{spread(first, US)}; of {len(first)} services; the port is entered among the records then"),
            judge("again", "a steered bind() where the last socket was closed (the tree is searched for it)", None)]


def row_take(world):
    holds, bare = zip(*world.numbers(world.program("holds"), "take", "5000"))
    ratio = median(holds) / median(bare)
    return [line("take + release of a free port in libberth, over two bare bind() + close()", "within 2.5x",
                 f"{ratio:.2f}x", ratio <= 2.5,
                 f"`berth_hold_new()` and `berth_hold_free()` {spread(holds, US)}, two bare sockets "
                 f"{spread(bare, US)}; 5,000 of each by turns")]


def row_search(world):
    behind = world.numbers(world.program("holds"), "behind", "100", "1000")
    full = world.numbers(world.program("holds"), "full", "40", "10000")
    return [line("first free port behind 1,000 taken ones", "at most 5 ms", f"{median(behind) / 1e6:.2f} ms",
                 median(behind) <= 5e6, f"{spread(behind, MS)}; 100 times"),
            line("a full range of 10,000 refused, with who holds it", "at most 25 ms", f"{median(full) / 1e6:.1f} ms",
                 median(full) <= 25e6, f"{spread(full, MS)}; 40 times")]


ROWS = {"run": row_run, "calls": row_calls, "take": row_take, "search": row_search}
