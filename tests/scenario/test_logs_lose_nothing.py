# SPDX-License-Identifier: MIT
# scenario/test_logs_lose_nothing.py - I4: berth logs shows what services said, whole and in order
"""Programs write numbered lines; what `berth logs` shows of them is counted. That the lines are kept at all, whatever
happens to the service, is in test_what_a_service_says_is_kept.py."""

import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import pytest

from berthtest import BERTH, UNKNOWN, ids, root_and_user, wait_until
from speakers import CLOCK, ECHO, STAMP, Pipe
from stacks import fifo

# Says ARGV[1] numbered lines, the last without a newline, then makes the file ARGV[2] and waits to be ended.
COUNTER = """
import os, signal, sys
text = "".join(f"{i:08d} {'x' * 80}\\n" for i in range(int(sys.argv[1])))
sys.stdout.write(text[:-1])
sys.stdout.flush()
open(sys.argv[2], "w").close()
signal.pause()
"""


def python(program, *arguments):
    return [sys.executable, "-u", "-c", program, *map(str, arguments)]


def background(world, name, *argv, options=()):
    return world.run_d("--name", name, "--port", "none", *options, "--", *argv)["service"]


class Echo(Pipe):
    """A service that says what the test wants it to."""

    def __init__(self, world, name, options=()):
        path = fifo(world, f"fifo-{name}")
        self.service = background(world, name, *python(ECHO, path), options=options)
        super().__init__(path)


def logs(world, *arguments, **options):
    return world.berth("logs", *arguments, **options).out


def until_logged(world, name, text):
    wait_until(lambda: text in logs(world, name), lambda: f"{text!r} in the log: {logs(world, name)[-500:]}")


def files_of(world, service):
    return glob.glob(os.path.join(glob.escape(world.state), "berth", "logs", f"{service['id']}.log*"))


def end_of(world, name):
    wait_until(lambda: world.berth("ls", "--json").json["services"] == [], f"{name} has ended")


def end_of_one(world, name):
    wait_until(lambda: all(service["service"] != name for service in world.berth("ls", "--json").json["services"]),
               f"{name} has ended")


@ids("I4")
@root_and_user
def test_every_line_of_a_chatty_service_is_kept(world):
    count = 200000
    done = os.path.join(world.home, "done")
    service = background(world, "api", *python(COUNTER, count, done), options=["--log-size", "4M", "--log-files", "9"])
    wait_until(lambda: os.path.exists(done), "it has written all", deadline=30)
    world.berth("stop", "api")
    lines = logs(world, "api", deadline=30).split("\n")
    assert lines.pop() == ""
    assert len(lines) == count
    for number, line in enumerate(lines):
        assert line == f"{number:08d} {'x' * 80}"
    assert len(files_of(world, service)) > 1
    for path in files_of(world, service):
        assert os.stat(path).st_mode & 0o777 == 0o600


@ids("I4")
@pytest.mark.parametrize("how", ["itself", "stop", "kill"])
def test_the_last_line_needs_no_newline(world, how):
    go, done = os.path.join(world.home, "go"), os.path.join(world.home, "done")
    os.mkfifo(go)
    end = {"itself": "", "stop": "exec sleep 1000", "kill": "kill -9 $$"}[how]
    background(world, "api", "sh", "-c",
               f"printf 'first\\nlast'; printf 'wrong' >&2; : >{done}; read -r line <{go}; {end}")
    wait_until(lambda: os.path.exists(done), "it has spoken")
    with open(go, "w", encoding="ascii") as file:
        file.write("go\n")
    if how == "stop":
        world.berth("stop", "api")
    end_of(world, "api")
    assert sorted(logs(world, "api").splitlines()) == ["first", "last", "wrong"]


def is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] in "ZX"


@ids("I4")
def test_what_a_dead_worker_left_in_its_pipe_is_kept(world):
    """The supervisor is stopped while the service writes and dies: all is in the pipe when it goes on."""
    echo = Echo(world, "api")
    os.kill(echo.service["supervisor_pid"], signal.SIGSTOP)
    echo.say("".join(f"{i:06d}\n" for i in range(8000)))
    echo.end()
    wait_until(lambda: is_zombie(echo.service["pid"]), "it has ended")
    os.kill(echo.service["supervisor_pid"], signal.SIGCONT)
    end_of(world, "api")
    assert logs(world, "api").split() == [f"{i:06d}" for i in range(8000)]


@ids("I4")
def test_a_chatty_service_never_fills_the_disk(world):
    done = os.path.join(world.home, "done")
    service = background(world, "api", *python(COUNTER, 50000, done),
                         options=["--log-size", "64k", "--log-files", "3"])
    wait_until(lambda: os.path.exists(done), "it has written all", deadline=30)
    until_logged(world, "api", "00049998 ")
    paths = files_of(world, service)
    assert len(paths) == 4
    assert all(os.path.getsize(path) <= 64 * 1024 for path in paths)
    numbers = [int(line[:8]) for line in logs(world, "api").splitlines()]
    assert numbers == list(range(numbers[0], 49999)), "the youngest lines, without a gap"


@ids("I4")
def test_a_follower_sees_every_line_across_rotation(world):
    echo = Echo(world, "api", options=["--log-size", "64k", "--log-files", "20"])
    follower = world.start("logs", "-f", "api")
    lines = [f"{i:06d} {'x' * 90}" for i in range(4000)]
    for turn in range(0, len(lines), 200):
        echo.say("".join(f"{line}\n" for line in lines[turn:turn + 200]))
        follower.wait_for(f"^{turn + 199:06d} ", stream="out")
    echo.say("the last")
    echo.end()
    assert follower.wait() == 0
    assert follower.out.splitlines() == [*lines, "the last"]
    assert len(files_of(world, echo.service)) > 4


@ids("I4")
def test_a_follower_ends_with_its_service(world):
    echo = Echo(world, "api")
    other = Echo(world, "web")
    follower = world.start("logs", "-f", "api", "web")
    echo.say("one\n")
    follower.wait_for(r"api\.1 \| one$", stream="out")
    echo.end()
    other.say("two\n")
    follower.wait_for(r"web\.1 \| two$", stream="out")
    assert follower.popen.poll() is None
    world.berth("stop", "web")
    assert follower.wait() == 0 and follower.err == ""


@ids("I4")
def test_a_follower_without_inotify_follows_as_well(world):
    """In a user namespace of its own the user's inotify instances can be used up for the follower alone."""
    echo = Echo(world, "api")
    poor = world.spawn(["unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_inotify_instances || exit; '
                        f"exec {BERTH} logs -f api"])
    echo.say("one\n")
    poor.wait_for("^one$", stream="out")
    assert not any("inotify" in os.readlink(f"/proc/{poor.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{poor.pid}/fd"))
    echo.say("two\n")
    poor.wait_for("^two$", stream="out")
    echo.end()
    assert poor.wait() == 0


@ids("I4")
def test_a_reader_that_has_gone_ends_the_follower(world):
    echo = Echo(world, "api")
    read, write = os.pipe()
    follower = world.start("logs", "-f", "api", stdout=write)
    os.close(write)
    echo.say("one\n")
    assert os.read(read, 100) == b"one\n"
    os.close(read)
    follower.wait()  # without another line
    assert follower.texts["err"] == ""


@ids("I4")
def test_a_slow_reader_does_not_block_the_service(world):
    echo = Echo(world, "api")
    follower = world.start("logs", "-f", "api")
    echo.say("x\n")
    follower.wait_for("^x$", stream="out")
    follower.signal(signal.SIGSTOP)
    echo.say("y" * 4000000 + "\n")  # more than any pipe takes
    echo.say("still here\n")
    until_logged(world, "api", "still here\n")
    follower.signal(signal.SIGCONT)
    follower.wait_for("^still here$", stream="out")


@ids("I4")
def test_lines_since_timestamps_and_json_choose_and_dress_the_lines(world):
    echo = Echo(world, "api")
    echo.say("one\ntwo\n")
    until_logged(world, "api", "two\n")
    stamped = logs(world, "api", "--timestamps").splitlines()
    assert [re.fullmatch(f"{STAMP} (.*)", line).group(1) for line in stamped] == ["one", "two"]
    time = stamped[-1].split(" ")[0]
    wait_until(lambda: logs(world, "api", "--since", "0s") == "", "a moment has passed")
    echo.say("three\n")
    until_logged(world, "api", "three\n")
    assert logs(world, "api", "-n", "2") == "two\nthree\n"
    assert logs(world, "api", "--lines", "0") == ""
    assert logs(world, "api", "--lines", "9", "--since", "10m") == "one\ntwo\nthree\n"
    assert logs(world, "api", "--since", time).endswith("two\nthree\n")
    assert logs(world, "api", "--since", "2100-01-01T00:00:00Z") == ""
    documents = [json.loads(line) for line in logs(world, "api", "--json").splitlines()]
    assert [document["text"] for document in documents] == ["one", "two", "three"]
    for document in documents:
        assert (document["version"], document["service"], document["instance"], document["worker"],
                document["stream"]) == (1, "api", 1, 1, "stdout")
        assert re.fullmatch(STAMP, document["at"])
    for wrong in (["--since", "yesterday"], ["--lines", "some"]):
        assert wrong[1] in world.berth("logs", *wrong, "api", check=2).err


@ids("I4")
def test_bytes_are_as_they_were_written(world):
    echo = Echo(world, "api")
    echo.say(b"\x00nul \xff\xfe \x1b[2J\r\n")
    until_logged(world, "api", "nul")
    run = subprocess.run([BERTH, "logs", "api"], env=world.env, cwd=world.project, capture_output=True, check=True)
    assert run.stdout == b"\x00nul \xff\xfe \x1b[2J\r\n"
    assert json.loads(logs(world, "api", "--json"))["text"] == "\0nul \ufffd\ufffd \x1b[2J\r"


@ids("I4")
def test_a_terminal_is_not_at_the_mercy_of_a_service(world):
    echo = Echo(world, "api")
    echo.say(b"\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07\x1b]unended\x08\n10%\r20%\r\n")
    until_logged(world, "api", "20%")
    shown = world.start("logs", "api", terminal=True)
    shown.wait()
    assert "\x1b[2J" not in shown.out and "\x1b]" not in shown.out and "\x08" not in shown.out
    assert re.search(r"red.* \\e]unended\\x08", shown.out) and "title" not in shown.out
    assert "10%" not in shown.out and "20%" in shown.out


@ids("I4")
def test_a_long_line_is_one_line(world):
    echo = Echo(world, "api")
    line = "".join(chr(ord("a") + i % 26) for i in range(300000))
    echo.say(f"before\n{line}\nafter\n")
    until_logged(world, "api", "after\n")
    assert logs(world, "api") == f"before\n{line}\nafter\n"
    assert logs(world, "api", "-n", "2") == f"{line}\nafter\n"


@ids("I4")
def test_several_services_are_merged_by_time(world):
    first, second = Echo(world, "api"), Echo(world, "worker")
    for i, echo in enumerate([first, second, first, second]):
        echo.say(f"line {i}\n")
        until_logged(world, ["api", "worker"][i % 2], f"line {i}\n")
    lines = logs(world).splitlines()
    assert [re.fullmatch(rf"{CLOCK} (.*)", line).group(1) for line in lines] == [
        "api.1    | line 0", "worker.1 | line 1", "api.1    | line 2", "worker.1 | line 3"]
    assert logs(world, "--no-prefix") == "".join(f"line {i}\n" for i in range(4))
    stamped = logs(world, "--timestamps").splitlines()
    assert [re.fullmatch(rf"{STAMP} (.*)", line).group(1) for line in stamped] == [
        "api.1    | line 0", "worker.1 | line 1", "api.1    | line 2", "worker.1 | line 3"]
    stamped = logs(world, "--timestamps", "--no-prefix").splitlines()
    assert [re.fullmatch(rf"{STAMP} (.*)", line).group(1) for line in stamped] == [f"line {i}" for i in range(4)]


@ids("I4")
def test_each_service_has_a_colour_of_its_own(world):
    """foreman's: cyan and yellow. The instances of one service share it."""
    api = background(world, "api", "sh", "-c", "echo a word; exec sleep 1000", options=["--instances", "2"])
    background(world, "web", "sh", "-c", "echo another; exec sleep 1000")
    until_logged(world, f"{api['service']}.2", "a word\n")
    until_logged(world, "web", "another\n")
    shown = world.start("logs", terminal=True, env={"TERM": "xterm"})
    shown.wait()
    heads = {tuple(head) for head in re.findall(r"\x1b\[(\d+)m[\d:]{8} (\S+) \| \x1b\[0m", shown.out)}
    assert heads == {("36", "api.1"), ("36", "api.2"), ("33", "web.1")}


@ids("I4")
def test_a_follower_of_the_project_hears_those_who_come_later(world):
    first = Echo(world, "api")
    first.say("one\n")
    follower = world.start("logs", "-f")
    follower.wait_for("^one$", stream="out")
    second = Echo(world, "worker")
    second.say("two\n")
    follower.wait_for(r"worker\.1 \| two$", stream="out")
    first.end()
    end_of_one(world, "api")
    second.say("three\n")
    follower.wait_for(r"worker\.1 \| three$", stream="out")
    assert follower.popen.poll() is None
    second.end()
    assert follower.wait() == 0 and follower.err == ""


@ids("I4")
def test_who_follows_one_service_does_not_hear_another(world):
    first = Echo(world, "api")
    follower = world.start("logs", "-f", "api")
    first.say("one\n")
    follower.wait_for("^one$", stream="out")
    second = Echo(world, "worker")
    second.say("two\n")
    until_logged(world, "worker", "two\n")
    first.say("three\n")
    first.end()
    assert follower.wait() == 0
    assert follower.out == "one\nthree\n"


@ids("I4")
def test_a_service_that_has_ended_has_its_last_log(world):
    for word in ("one", "two"):
        background(world, "api", "sh", "-c", f"echo {word}; exec sleep 1000")
        until_logged(world, "api", f"{word}\n")
        world.berth("stop", "api")
    assert logs(world, "api") == "two\n"
    ids_of = [end["id"] for end in world.berth("history", "api", "--json").json["ends"]]
    assert logs(world, ids_of[1]) == "one\n"
    assert logs(world, "-f", "api") == "two\n"
    assert "nope" in world.berth("logs", "nope", check=UNKNOWN).err
    assert "nothing" in world.berth("logs", check=UNKNOWN).err


@ids("I4")
def test_a_foreground_service_has_its_output_in_its_terminal(world):
    victim = world.victim()
    world.start("run", "--name", "api", "--port", "9001", "--", *victim.argv(9001))
    victim.ready()
    result = world.berth("logs", "api", check=1)
    assert "foreground" in result.err and result.out == ""
    assert world.berth("logs", "api", "--json", check=1).error["code"] == "unsupported"


@ids("I4")
def test_restarts_go_on_in_the_same_log(world):
    background(world, "api", "sh", "-c", "echo a life; exec sleep 1000")
    until_logged(world, "api", "a life\n")
    world.berth("restart", "api")
    wait_until(lambda: logs(world, "api") == "a life\na life\n", "both lives in the log")


@ids("I4")
def test_a_service_goes_on_without_its_log_folder(world):
    echo = Echo(world, "api")
    echo.say("one\n")
    until_logged(world, "api", "one\n")
    shutil.rmtree(os.path.join(world.state, "berth", "logs"))
    echo.say("two\n")
    until_logged(world, "api", "two\n")


@ids("I4")
def test_what_could_not_be_written_is_told_when_it_can_be_again(world):
    """The supervisor may write no more to a file than this: for a log that is a full disk."""
    echo = Echo(world, "api")
    echo.say("one\n")
    until_logged(world, "api", "one\n")
    before = resource.prlimit(echo.service["supervisor_pid"], resource.RLIMIT_FSIZE)
    resource.prlimit(echo.service["supervisor_pid"], resource.RLIMIT_FSIZE, (4096, before[1]))
    for i in range(1000):
        echo.say(f"lost or not {i:04d}\n")
    echo.say("x" * 1000000 + "\n")  # more than any pipe takes: it is still being read
    echo.say("all said\n")
    wait_until(lambda: os.path.getsize(echo.service["log"]) > 3000, "the log is full")
    resource.prlimit(echo.service["supervisor_pid"], resource.RLIMIT_FSIZE, before)

    def told():
        echo.say("again\n")
        return re.search(r"^berth: (\d+) lines? could not be written: ", logs(world, "api"), re.M)
    wait_until(told, "what was lost")
    text = logs(world, "api")
    kept = len(re.findall(r"^lost or not \d{4}$", text, re.M))
    assert 0 < kept < 1000
    assert text.startswith("one\nlost or not 0000\n") and text.endswith("again\n")


@ids("I4")
def test_both_outputs_are_told_apart(world):
    background(world, "api", "sh", "-c", "echo right; echo wrong >&2; exec sleep 1000")
    wait_until(lambda: len(logs(world, "api").splitlines()) == 2, "both lines")
    documents = [json.loads(line) for line in logs(world, "api", "--json").splitlines()]
    assert {document["stream"]: document["text"] for document in documents} == {"stdout": "right", "stderr": "wrong"}
