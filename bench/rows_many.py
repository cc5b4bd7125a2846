# SPDX-License-Identifier: MIT
# bench/rows_many.py - what is held in memory, and what many instances take
import concurrent.futures
import json
import os
import time

from world import BERTH, MS, Gathering, line, median, pss_kib, service_of, spread

INSTANCES = 1000
IN_ONE = 100  # of one `berth run --instances`


def row_memory(world):
    gathering = Gathering(world)
    service = service_of(world, "--port", "5000", "--", world.program("late"), gathering.path, "0")
    pids = {name: service[f"{name}_pid"] for name in ("supervisor", "guardian")}
    if not pids["guardian"]:
        raise RuntimeError("the document names no guardian")
    kib = {name: pss_kib(pid) for name, pid in pids.items()}
    total = sum(kib.values()) / 1024
    world.output(BERTH, "stop", "--all")
    gathering.close()
    return [line("memory of supervisor + guardian (PSS)", "at most 3 MB", f"{total:.2f} MB", total <= 3,
                 f"supervisor {kib['supervisor']} KiB, guardian {kib['guardian']} KiB; of the only instance that runs: "
                 "with more of them, what they share counts less for each")]


def row_ls(world):
    gathering = Gathering(world)
    late = [world.program("late"), gathering.path, "0"]

    def start(_):
        world.output(BERTH, "run", "-d", "-q", "--new", "--name", "web", "--port", "20000", "--range", "20000-29999",
                     "--", *late)

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        list(pool.map(start, range(INSTANCES)))
    started = time.monotonic() - began
    listed = json.loads(world.output(BERTH, "ls", "--json"))["services"]
    ports = {port["port"] for service in listed for port in service["ports"]}
    bare, berth = zip(*world.numbers(world.program("spawn"), "40", "true", "--and", BERTH, "ls"))
    began = time.monotonic()
    world.output(BERTH, "stop", "--all")
    stopped = time.monotonic() - began
    gathering.close()
    left = len(json.loads(world.output(BERTH, "ls", "--json"))["services"])
    return [line(f"`berth ls` with {len(listed):,} instances", "at most 30 ms", f"{median(berth) / 1e6:.1f} ms",
                 median(berth) <= 30e6 and len(listed) >= INSTANCES,
                 f"{spread(berth, MS)}, of it a start as that of `true` {spread(bare, MS)}; 40 of each by turns; "
                 f"{len(ports):,} distinct ports; all started in {started:.1f} s, stopped by `berth stop --all` in "
                 f"{stopped:.1f} s, {left} left")]


def row_instances(world):
    gathering = Gathering(world)
    service_of(world, "--name", "tiny", "--port", "5000", "--range", "5000-5199", "--instances", str(IN_ONE), "--",
               world.program("late"), gathering.path, "0")
    ports = {int(text.split()[1]) for text in gathering.hear(IN_ONE, [], 0).values()}
    services = json.loads(world.output(BERTH, "ls", "--json"))["services"]
    supervisors = {service["supervisor_pid"] for service in services}
    kib = sum(pss_kib(pid) for pid in supervisors)
    world.output(BERTH, "stop", "--all")
    gathering.close()
    return [line(f"memory of the supervisor with {IN_ONE} instances (PSS)", "at most 6 MB", f"{kib / 1024:.2f} MB",
                 kib <= 6 * 1024 and len(ports) == IN_ONE,
                 f"{len(services)} services, {len(ports)} distinct ports, supervisors: {len(supervisors)}")]


ROWS = {"memory": row_memory, "ls": row_ls, "instances": row_instances}
