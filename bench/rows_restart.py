# SPDX-License-Identifier: MIT
# bench/rows_restart.py - what clients notice of a restart
import os
import select
import signal
import struct

from load import Load, describe, failed, missing, port_of, server
from world import BERTH, MS, line, median, service_of, spread, status_of, wait_until

KILLS = 10
ANSWERS_BETWEEN = 500  # before the next kill
ROLLS = 3
LIVES = 100
CLIENTS, WAITS, SLOW_START_MS = 40, 10, 300
SERVERS = {"node": "Node", "go": "static Go", "java": "Java", "python": "Python", "c-epoll": "C", "asio": "Asio"}
NO_LIMIT = ["--restart-limit", "none"]


def kill(pid):
    """SIGKILL, and until it has ended."""
    fd = os.pidfd_open(pid)
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    select.select([fd], [], [])
    os.close(fd)


def not_measured(what, programs):
    return line(what, "", "not measured", None, f"not installed: {', '.join(programs)}")


# --- killed and started again under load ---

def kill_under_load(world, name, *options):
    """The figures of the clients over KILLS times kill -9, and what the service said of its socket at the end."""
    service = service_of(world, "--name", name, "--port", "5000", "--restart", "on-failure", *NO_LIMIT,
                         "--backoff", "100ms", "--backoff-max", "100ms", *options, "--", *server(world, name))
    load = Load(world, port_of(service), "--clients", "16", "--pause", "2", "--expect", '"port":5000')
    pids = set()
    for _ in range(KILLS):
        pid = load.answering(pids, ANSWERS_BETWEEN)
        pids.add(pid)
        kill(pid)
    load.answering(pids, ANSWERS_BETWEEN)
    counts = load.end()
    kept = status_of(world, name).get("kept")
    world.output(BERTH, "stop", name)
    return counts, kept


def row_refused(world):
    lines = []
    for name, title in SERVERS.items():
        what = f"{title}: {KILLS} x kill -9 and restart under load"
        if programs := missing(name):
            lines.append(not_measured(what, programs))
            continue
        counts, kept = kill_under_load(world, name)
        without, _ = kill_under_load(world, name, "--hold", "0")
        lines.append(line(what, "0 refused, 0 hung",
                          f"{counts['refused']} refused, {counts['hung']} hung, {counts['reset']} in flight reset; "
                          f"without the kept socket {without['refused']:,} refused",
                          failed(counts) == counts["reset"],
                          f"16 clients, restarts 100 ms after the death; the socket was {kept}: {describe(counts)}, "
                          f"longest wait {counts['latency_ms']['longest']:.0f} ms; with --hold 0: {describe(without)}"))
    return lines


# --- one worker after the other ---

def roll(world, *options):
    service = service_of(world, "--name", "api", "--port", "5000", "--workers", "4", "--", *server(world, "node"))
    load = Load(world, port_of(service), "--clients", "16", *options)
    load.answering(set(), ANSWERS_BETWEEN)
    before = pids = {worker["pid"] for worker in service["workers"]}
    for _ in range(ROLLS):
        world.output(BERTH, "restart", "--rolling", "api")
        now = {worker["pid"] for worker in status_of(world, "api")["workers"]}
        if len(now) != 4 or now & pids:
            raise RuntimeError(f"not all workers are new: {pids} then {now}")
        pids = now
    load.answering(before, ANSWERS_BETWEEN)
    counts = load.end()
    world.output(BERTH, "stop", "api")
    return counts


def row_rolling(world):
    what = "a rolling restart of 4 Node workers under load"
    if programs := missing("node"):
        return [not_measured(what, programs)]
    counts, kept_alive = roll(world), roll(world, "--keepalive")
    about = "16 clients, {} restarts: {}; longest wait {:.0f} ms; {:,} processes answered"

    def details(figures):
        return about.format(ROLLS, describe(figures), figures["latency_ms"]["longest"], len(figures["by_pid"]))

    return [line(what, "0 failed requests", f"{failed(counts)} failed", failed(counts) == 0, details(counts)),
            line(f"{what}, over connections that are kept alive", "", f"{failed(kept_alive)} failed", None,
                 details(kept_alive))]


# --- clients that come while nobody listens ---

def wait_over_restart(world, name, *options):
    """(the median wait of each turn in ms, the longest of all, how many were refused)"""
    service_of(world, "--name", name, "--port", "5000", "--restart", "on-failure", *NO_LIMIT, "--backoff", "0",
               *options, "--", *server(world, "c-epoll"), env={"START_DELAY_MS": str(SLOW_START_MS), "BACKLOG": "5"})
    medians, longest, failures, pids = [], 0, 0, set()

    def ready():
        service = status_of(world, name)
        return service if service["state"] == "ready" and service["pid"] not in pids else None

    for _ in range(WAITS):
        service = wait_until(ready, "the service is ready again")
        pids.add(service["pid"])
        kill(service["pid"])
        counts = Load(world, port_of(service), "--once", str(CLIENTS)).end()
        failures += failed(counts)
        if counts["latency_ms"]:
            medians.append(counts["latency_ms"]["p50"])
            longest = max(longest, counts["latency_ms"]["longest"])
    wait_until(ready, "the service is ready again")
    world.output(BERTH, "stop", name)
    return medians, longest, failures


def row_wait(world):
    medians, longest, failures = wait_over_restart(world, "api")
    _, _, refused = wait_over_restart(world, "bare", "--hold", "0")
    value = median(medians) if medians else float("inf")
    return [line(f"{CLIENTS} clients over a restart of {SLOW_START_MS} ms: median wait", "at most 0.4 s",
                 f"{value / 1e3:.2f} s", value <= 400 and failures == 0,
                 f"of {WAITS} restarts the medians went from {min(medians, default=0):.0f} to "
                 f"{max(medians, default=0):.0f} ms, the longest wait was {longest:.0f} ms, {failures} failed; the "
                 f"program itself asks for a queue of 5; with --hold 0 {refused} of {WAITS * CLIENTS} failed")]


# --- from death to exec ---

def gaps(path):
    """Nanoseconds from each end to the next beginning, of what bench/again.c has written."""
    with open(path, "rb") as file:
        times = [number for number, in struct.iter_unpack("q", file.read())]
    return [times[i + 1] - times[i] for i in range(1, len(times) - 1, 2)]


def row_exec(world):
    paths = {name: os.path.join(world.folder, name) for name in ("berth", "shell")}

    def command(name):
        return [world.program("again"), paths[name], str(LIVES)]

    def lived(name):
        return os.path.exists(paths[name]) and os.path.getsize(paths[name]) >= (2 * LIVES - 1) * 8

    shell = world.start("sh", "-c", 'while "$@"; do :; done', "sh", *command("shell"))
    wait_until(lambda: lived("shell"), "the shell has started it")
    shell.kill()
    shell.wait()
    world.output(BERTH, "run", "-d", "-q", "--name", "again", "--port", "none", "--restart", "always", "--backoff", "0",
                 *NO_LIMIT, "--", *command("berth"), check=False)
    wait_until(lambda: lived("berth"), "berth has started it")
    world.output(BERTH, "stop", "--all")
    value = median(gaps(paths["berth"])) / 1e6
    return [line("from death to the next start, no backoff", "at most 5 ms", f"{value:.2f} ms", value <= 5,
                 f"from the last instruction to the first line of main(): {spread(gaps(paths['berth']), MS)}; started "
                 f"again by a shell's loop {spread(gaps(paths['shell']), MS)}; {LIVES - 1} restarts of each")]


ROWS = {"refused": row_refused, "rolling": row_rolling, "wait": row_wait, "exec": row_exec}
