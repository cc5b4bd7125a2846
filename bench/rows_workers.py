# SPDX-License-Identifier: MIT
# bench/rows_workers.py - what several workers do that share a port
from load import Load, describe, failed, missing, port_of, server
from world import BERTH, line, median, service_of, status_of, wait_until

TURNS, SECONDS = 3, 3
SPREAD_SECONDS, AT_ONCE = 2, 128
BUSY = {"node": "Node", "c-epoll": "C with epoll"}
LONG = {"BUSY": "4"}  # beside it, what clients and connections take of the two cores counts for little
SPREAD = {"node": "Node", "go": "static Go", "c-epoll": "C with epoll", "c-threads": "C, a thread for each connection"}
KEEPS_ALIVE = ("node", "go")  # the others answer one request per connection


def per_second(world, name, workers):
    service = service_of(world, "--name", name, "--port", "5000", "--workers", str(workers), "--", *server(world, name),
                         env=LONG)
    counts = Load(world, port_of(service), "--clients", "16", "--seconds", str(SECONDS), "--path", "/busy").end()
    world.output(BERTH, "stop", name)
    if failed(counts):
        raise RuntimeError(f"{name} with {workers} workers: {describe(counts)}")
    return counts["per_second"]


def two_bare(world, name):
    """Requests/s of two processes on a port each, without berth: what the machine has to give."""
    ports = (6000, 6001)
    processes = [world.start(*server(world, name), env={**LONG, "PORT": str(port)}) for port in ports]
    for port in ports:
        wait_until(lambda port=port: Load(world, port, "--once", "1").end()["ok"], f"{name} answers")
    loads = [Load(world, port, "--clients", "8", "--seconds", str(SECONDS), "--path", "/busy") for port in ports]
    total = sum(load.end()["per_second"] for load in loads)
    for process in processes:
        process.kill()
        process.wait()
    return total


def row_workers(world):
    lines = []
    for name, title in BUSY.items():
        what = f"requests/s of 2 {title} workers over 1, CPU-bound"
        if programs := missing(name):
            lines.append(line(what, "", "not measured", None, f"not installed: {', '.join(programs)}"))
            continue
        one, two, bare = zip(*[(per_second(world, name, 1), per_second(world, name, 2), two_bare(world, name))
                               for _ in range(TURNS)])
        ratio = median(two) / median(one)
        lines.append(line(what, "at least 1.7x", f"{ratio:.2f}x", ratio >= 1.7,
                          f"{median(one):.0f} with one ({min(one):.0f} to {max(one):.0f}), {median(two):.0f} with two "
                          f"({min(two):.0f} to {max(two):.0f}); two processes without berth, on a port each: "
                          f"{median(bare):.0f}, {median(bare) / median(one):.2f}x; {TURNS} turns of {SECONDS} s, "
                          "16 clients, 4 to 6 ms of CPU time for each request"))
    return lines


def shares(world, port, pids, *options):
    """"31 %, 27 %, 22 %, 20 %": how much of the answers came from each of the processes."""
    counts = Load(world, port, *options).end()
    parts = sorted((counts["by_pid"].get(str(pid), 0) for pid in pids), reverse=True)
    text = ", ".join(f"{100 * part / max(1, sum(parts)):.0f} %" for part in parts)
    return text + (f" ({describe(counts)})" if failed(counts) else "")


def row_spread(world):
    lines = []
    for name, title in SPREAD.items():
        what = f"shares of 4 workers, {title}"
        if programs := missing(name):
            lines.append(line(what, "", "not measured", None, f"not installed: {', '.join(programs)}"))
            continue
        service_of(world, "--name", name, "--port", "5000", "--workers", "4", "--", *server(world, name))
        service = status_of(world, name)
        pids = [worker["pid"] for worker in service["workers"]]

        def ask(*options, port=port_of(service), pids=pids):
            return shares(world, port, pids, *options)

        lasting = ["--clients", "32", "--seconds", str(SPREAD_SECONDS)]
        details = [f"of empty ones {ask(*lasting)}",
                   f"of {AT_ONCE} connections that come at once {ask('--once', str(AT_ONCE), '--path', '/slow')}"]
        if name in KEEPS_ALIVE:
            details += [f"over connections that are kept alive {ask(*lasting, '--keepalive', '--path', '/busy')}",
                        f"of empty ones {ask(*lasting, '--keepalive')}"]
        lines.append(line(what, "", ask(*lasting, "--path", "/busy"), None,
                          "of requests that take 1 to 2 ms of CPU time each, a connection for each; "
                          f"{'; '.join(details)}; they share: {service['sharing']}; 32 clients, "
                          f"{SPREAD_SECONDS} s"))
        world.output(BERTH, "stop", name)
    return lines


ROWS = {"workers": row_workers, "spread": row_spread}
