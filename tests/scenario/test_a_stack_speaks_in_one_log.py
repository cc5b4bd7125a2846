# SPDX-License-Identifier: MIT
# scenario/test_a_stack_speaks_in_one_log.py - I4, S7: whole lines, none lost, each with its name; only who speaks waits
"""Services say what the test wants them to. What app/console.c does with one stream is in its unit test."""

import json
import os
import re
import signal
import threading

from berthtest import ids, wait_until
from speakers import CLOCK, ECHO, STAMP, Pipe
from stacks import Stack, fifo, program, shell

SGR = r"\x1b\[\d*m"

# Says ARGV[1] numbered lines, then makes the file ARGV[2] and waits to be ended.
COUNTER = """
import signal, sys
for i in range(int(sys.argv[1])):
    print(f"{i:06d} {'x' * 60}", flush=i % 100 == 0)
print("last", end="", flush=True)
open(sys.argv[2], "w").close()
signal.pause()
"""


def end(up):
    up.signal(signal.SIGINT)
    up.wait()


def lines_of(process, name):
    """What @name said, in its order."""
    return re.findall(rf"^{CLOCK} {re.escape(name)} *\| (.*)$", process.out, re.M)


@ids("I4")
def test_each_line_has_time_and_name_in_front(world):
    stack = Stack(world, api=shell("echo one; echo two >&2; exec sleep 1000"),
                  backend=shell("echo I am $BERTH_INSTANCE; exec sleep 1000", instances=2))
    up = stack.start("up")
    for line in (r"api\.1     \| one", r"api\.1     \| two", r"backend\.1 \| I am 1", r"backend\.2 \| I am 2"):
        up.wait_for(f"^{CLOCK} {line}$", stream="out")
    end(up)
    assert all(re.fullmatch(rf"{CLOCK} (api\.1    |backend\.[12]|berth    ) \| .*", line)
               for line in up.out.splitlines()), up.out


@ids("I4")
def test_names_times_and_documents_are_as_wanted(world):
    stack = Stack(world, api=shell("echo one; exec sleep 1000"), web=shell("echo two; exec sleep 1000"))
    for options, first, second in ((["--no-prefix"], "^one$", "^two$"),
                                   (["--timestamps"], rf"^{STAMP} api\.1 \| one$", rf"^{STAMP} web\.1 \| two$"),
                                   (["--timestamps", "--no-prefix"], f"^{STAMP} one$", f"^{STAMP} two$")):
        up = stack.start("up", *options)
        up.wait_for(first, stream="out")
        up.wait_for(second, stream="out")
        end(up)
    up = stack.start("up", "--json")
    up.wait_for('"text":"one"', stream="out")
    up.wait_for('"text":"two"', stream="out")
    end(up)
    documents = [json.loads(line) for line in up.out.splitlines()]
    said = {(document["service"], document["instance"], document["stream"], document["text"])
            for document in documents if document.get("stream") == "stdout"}
    assert said == {("api", 1, "stdout", "one"), ("web", 1, "stdout", "two")}


@ids("I4")
def test_on_a_terminal_each_service_has_a_colour(world):
    stack = Stack(world, api=shell(r"printf '\033[31mred\nplain\n10%%\r20%%\n\033[2Jclear\n'; exec sleep 1000"),
                  web=shell("echo two; exec sleep 1000", instances=2))
    up = stack.start("up", terminal=True, env={"TERM": "xterm"})
    up.wait_for("clear")
    up.wait_for(r"web\.1.*two")
    up.wait_for(r"web\.2.*two")
    end(up)
    heads = set(re.findall(rf"\x1b\[(\d+)m{CLOCK} (\S+) *\| \x1b\[0m", up.out))
    assert heads == {("36", "api.1"), ("33", "web.1"), ("33", "web.2")}
    assert "| \x1b[0m\x1b[31mred\x1b[0m" in up.out, "its own colour ends with its line"
    assert "| \x1b[0m20%" in up.out and "10%" not in up.out and "\x1b[2J" not in up.out


@ids("I4")
def test_the_last_line_of_a_terminal_tells_what_waits(world):
    path = fifo(world, "go")
    stack = Stack(world, backend=program(ECHO, path, ready="log up"),
                  frontend=shell("echo hello; exec sleep 1000", depends_on={"backend": {"condition": "ready"}}))
    up = stack.start("up", terminal=True, env={"TERM": "xterm"})
    backend = Pipe(path)
    up.wait_for("waiting: frontend for backend")
    backend.say("one\n")
    up.wait_for(rf"\r\x1b\[K{SGR}.*{SGR}one\r?\n.*waiting: frontend for backend")
    backend.say("up\n")
    up.wait_for("hello")
    backend.say("more\n")
    up.wait_for("more")
    end(up)
    after = up.out[up.out.index("more"):]
    assert "waiting" not in after and "starting" not in after, "all is up"


@ids("I4")
def test_elsewhere_what_waits_is_a_line(world):
    path = fifo(world, "go")
    stack = Stack(world, backend=program(ECHO, path, ready="log up"),
                  frontend=shell("echo hello; exec sleep 1000", depends_on={"backend": {"condition": "ready"}}))
    up = stack.start("up")
    backend = Pipe(path)
    up.wait_for(rf"^{CLOCK} berth +\| frontend waits for backend", stream="out")
    backend.say("up\n")
    up.wait_for(r"frontend\.1 \| hello$", stream="out")
    end(up)
    assert "\r" not in up.out and "\x1b" not in up.out


@ids("I4")
def test_a_slow_reader_gets_every_line_and_keeps_nobody_else_waiting(world):
    """Nobody reads: the services wait, and berth does not."""
    count, names = 8000, ["a", "b", "c", "d"]
    done = {name: os.path.join(world.home, f"done-{name}") for name in names}
    stack = Stack(world, **{name: program(COUNTER, count, done[name]) for name in names})
    read, write = os.pipe()
    up = stack.start("up", stdout=write)
    os.close(write)
    wait_until(lambda: len(world.services()) == len(names), "all run")
    # 2.2 MB are more than our pipe and theirs take.
    assert not any(os.path.exists(path) for path in done.values())
    status = world.berth("status", "--json", check=None).json["services"]
    assert {service["service"] for service in status} == set(names), "it answers"

    chunks = []

    def reader():
        while chunk := os.read(read, 4096):
            chunks.append(chunk)
    thread = threading.Thread(target=reader)
    thread.start()
    wait_until(lambda: all(os.path.exists(path) for path in done.values()), "all have said it", deadline=30)
    end(up)
    thread.join(30)
    os.close(read)
    assert not thread.is_alive()
    text = b"".join(chunks).decode()
    for name in names:
        said = re.findall(rf"^{CLOCK} {name}\.1 +\| (.*)$", text, re.M)
        assert said == [*(f"{i:06d} {'x' * 60}" for i in range(count)), "last"]
    assert all(re.fullmatch(rf"{CLOCK} ([abcd]\.1  |berth) \| .*", line) for line in text.splitlines())


@ids("I4")
def test_a_reader_that_has_gone_leaves_nothing_behind(world):
    path = fifo(world, "go")
    stack = Stack(world, api=program(ECHO, path))
    read, write = os.pipe()
    up = stack.start("up", stdout=write)
    os.close(write)
    api = Pipe(path)
    api.say("one\n")
    assert b"| one\n" in os.read(read, 100)
    os.close(read)
    api.say("two\n")
    up.wait()
    assert world.services() == []


@ids("I4")
def test_a_stack_in_the_foreground_has_logs_too(world):
    path, other = fifo(world, "go"), fifo(world, "other")
    stack = Stack(world, migrate=shell("echo migrating"),
                  api=program(ECHO, path, depends_on={"migrate": {"condition": "completed"}}),
                  web=program(ECHO, other, depends_on={"migrate": {"condition": "completed"}}))
    up = stack.start("up")
    api, web = Pipe(path), Pipe(other)
    api.say("one\n")
    up.wait_for(r"api\.1 +\| one$", stream="out")
    follower = world.start("logs", "-f")
    follower.wait_for(r"api\.1 +\| one$", stream="out")
    assert world.berth("logs", "api").out.splitlines()[-1] == "one"
    web.say("two\n")
    follower.wait_for(r"web\.1 +\| two$", stream="out")
    assert lines_of(follower, "migrate.1")[0] == "migrating", "why it is not there any more is in its log"
    end(up)
    assert follower.wait() == 0 and follower.err == ""


@ids("I4")
def test_who_follows_a_stack_hears_what_is_started_later(world):
    path, other = fifo(world, "go"), fifo(world, "other")
    Stack(world, api=program(ECHO, path), web=program(ECHO, other))
    world.berth("up", "-d", "api")
    api = Pipe(path)
    follower = world.start("logs", "-f")
    api.say("one\n")
    follower.wait_for("one$", stream="out")
    world.berth("up", "-d", "web")
    web = Pipe(other)
    web.say("two\n")
    follower.wait_for(r"web\.1 \| two$", stream="out")
    world.berth("down")
    assert follower.wait() == 0
