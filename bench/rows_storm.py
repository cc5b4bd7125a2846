# SPDX-License-Identifier: MIT
# bench/rows_storm.py - many programs at once that want the same port
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time

from world import BENCH, BERTH, DEADLINE, ROOT, Gathering, line

NODE_PACKAGES = os.path.join(ROOT, "tests", "node")
TOOLS = ["get-port", "portfinder", "detect-port", "get-port-please"]
STORM, STORM_NPM, STORM_DELAY_MS = 200, 40, 300


def answers(port):
    """The pid that says it serves @port."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as sock:
        return sock.makefile().readline().strip()


def count_storm(words, expected):
    """How many distinct ports are served by the very program that reported them, and the reasons of the others."""
    ports, reasons = set(), []
    for text in words.values():
        pid, _, said = text.partition(" ")
        if not said.isdigit():
            reasons.append(said.removeprefix("failed: "))
        elif int(said) in ports or answers(int(said)) != pid:
            reasons.append("served by another one")
        else:
            ports.add(int(said))
    reasons.extend(["said nothing"] * (expected - len(words)))
    return ports, reasons


def storm(world, command, count, ask_ready, env=None):
    """@count of @command at once; how many ports were served, why others were not, and the seconds it took."""
    gathering = Gathering(world)
    began = time.monotonic()
    started = [world.start(*[part.replace("{gathering}", gathering.path) for part in command], env=env)
               for _ in range(count)]
    try:
        if ask_ready:
            gathering.hear(count, started, 0)
            began = time.monotonic()
            gathering.tell("go\n")
        words = gathering.hear(count, started, 1 if ask_ready else 0)
        took = time.monotonic() - began
        ports, reasons = count_storm(words, count)
    finally:
        gathering.close()
        for process in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DEADLINE / 4)
            process.kill()
            process.wait()
    return ports, reasons, took


RUN_ON_5000 = [BERTH, "run", "-q", "--new", "--name", "storm", "--port", "5000", "--range", "5000-5999", "--"]


def describe(reasons):
    return ", ".join(f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons)))


def row_storm(world):
    command = [*RUN_ON_5000, world.program("late"), "{gathering}", str(STORM_DELAY_MS)]
    ports, reasons, took = storm(world, command, STORM, False)
    measured = f"{len(ports)} distinct ports, {len(reasons)} failures"
    return [line(f"storm: {STORM} programs at once that want port 5000 and listen {STORM_DELAY_MS} ms later",
                 f"{STORM} distinct ports, 0 failures", measured, len(ports) == STORM and not reasons,
                 f"each port answered by the program that reported it; ports {min(ports)} to {max(ports)}; "
                 f"all served after {took:.1f} s" + (f"; {describe(reasons)}" if reasons else ""))]


def row_npm(world):
    node = shutil.which("node")
    missing = [tool for tool in TOOLS if not os.path.isdir(os.path.join(NODE_PACKAGES, "node_modules", tool))]
    if not node or missing:
        return [line(f"storm: {STORM_NPM} Node programs", "", "not measured", None,
                     f"not installed: {', '.join(missing if node else ['node'])} (npm ci in tests/node)")]
    lines = []
    script = [node, os.path.join(BENCH, "late.mjs")]
    rest = ["{gathering}", str(STORM_DELAY_MS), NODE_PACKAGES]
    for tool in TOOLS:
        with open(os.path.join(NODE_PACKAGES, "node_modules", tool, "package.json"), encoding="utf-8") as file:
            version = json.load(file)["version"]
        ports, reasons, _ = storm(world, [*script, tool, *rest], STORM_NPM, True)
        lines.append(line(f"{STORM_NPM} at once with {tool} {version}", "",
                          f"{len(ports)} came up, {len(reasons)} failed", None, describe(reasons)))
    ports, reasons, _ = storm(world, [*RUN_ON_5000, *script, "PORT", *rest], STORM_NPM, True)
    lines.append(line(f"{STORM_NPM} at once of the same program below `berth run`", "0 failures",
                      f"{len(ports)} came up, {len(reasons)} failed", not reasons, describe(reasons)))
    return lines


ROWS = {"storm": row_storm, "npm": row_npm}
