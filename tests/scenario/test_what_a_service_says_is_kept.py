# SPDX-License-Identifier: MIT
# scenario/test_what_a_service_says_is_kept.py - F1, N5: what a detached service says is kept, whole and within bounds
"""The last words too; whatever reads, rotates, is killed, or is full. The service never waits for any of it."""

import contextlib
import json
import os
import re
import subprocess
import time

import pytest

from berthtest import BERTH, ids, as_user, kill, root_and_user, skip, wait_until

VICTIM_LINE = "line {} of many, long enough to fill a pipe in the end"


def run_sh(world, script, *options, name="job", check=0):
    """A detached service that is a script; on its own when this returns."""
    world.berth("run", "-d", "--name", name, "--port", "none", *options, "--", "sh", "-c", script, check=check)


def ended(world, name="job"):
    world.berth("wait", name, "--for", "stopped")


def lines(world, *options, name="job"):
    return world.berth("logs", *options, name).out.splitlines()


def entries(world, *options, name="job"):
    return [json.loads(line) for line in lines(world, "--json", *options, name=name)]


def start_victim(world, *options, name="job"):
    victim = world.victim()
    service = world.run_d("--name", name, "--port", "none", *options, "--", *victim.argv())["service"]
    return victim, service


def log_files(service):
    folder, name = os.path.split(service["log"])
    return [os.path.join(folder, entry) for entry in os.listdir(folder) if entry.startswith(name)]


def size_of_all(service):
    total = 0
    for file in log_files(service):
        with contextlib.suppress(FileNotFoundError):  # rotated just now
            total += os.stat(file).st_size
    return total


def expect(count):
    return [VICTIM_LINE.format(number) for number in range(count)]


@ids("F1")
@root_and_user
def test_the_last_words_are_kept_without_a_newline_too(world):
    run_sh(world, "printf 'one\\ntwo'; printf 'three' >&2; exit 3", check=None)
    ended(world)
    found = {(entry["stream"], entry["text"]) for entry in entries(world)}
    assert found == {("stdout", "one"), ("stdout", "two"), ("stderr", "three")}
    assert sorted(lines(world)) == ["one", "three", "two"]


@ids("F1")
@root_and_user
@pytest.mark.parametrize("options", [[], ["--tty"]], ids=["pipes", "tty"])
def test_nothing_is_lost_when_the_service_is_killed(world, options):
    run_sh(world, "seq 1 20000; printf last; kill -9 $$", *options, check=None)
    ended(world)
    assert lines(world) == [str(number) for number in range(1, 20001)] + ["last"]


@ids("F1")
@root_and_user
def test_nothing_is_lost_that_an_orphan_says_last(world):
    """The command has ended, and what it left behind speaks until it is asked to end."""
    script = world.write("orphan.sh", "trap 'echo bye; exit' TERM; echo up >up; sleep 1000 & wait\n")
    run_sh(world, f"mkfifo up; sh {script} & read line <up; exit 3", check=None)
    ended(world)
    assert [entry["text"] for entry in entries(world) if entry["stream"] != "berth"] == ["bye"]


@ids("F1", "N4")
@root_and_user
def test_workers_are_interleaved_by_whole_lines(world):
    script = 'i=0; while [ $i -lt 3000 ]; do printf "$BERTH_WORKER-"; printf "$i-"; printf "end\\n"; i=$((i+1)); done; read x'
    fifo = os.path.join(world.project, "hold")
    os.mkfifo(fifo, 0o666)
    world.give(fifo)
    hold = os.open(fifo, os.O_RDWR)
    world.berth("run", "-d", "--name", "job", "--port", "none", "--workers", "2", "--", "sh", "-c", f"{script} <{fifo}")
    wait_until(lambda: sum(entry["text"].endswith("2999-end") for entry in entries(world)) == 2, "all is said")
    found = entries(world)
    for worker in (1, 2):
        own = [entry["text"] for entry in found if entry["worker"] == worker]
        assert own == [f"{worker}-{number}-end" for number in range(3000)]
    assert len(found) == 6000
    os.close(hold)


@ids("F1")
@root_and_user
def test_following_survives_rotation(world):
    victim, service = start_victim(world, "--log-size", "64K", "--log-files", "100")
    follow = world.start("logs", "-f", "job")
    for _ in range(4):
        victim.command("say 4000")
    victim.command("print last")
    victim.command("exit 0")
    assert follow.wait() == 0
    assert follow.out.splitlines() == expect(4000) * 4 + ["last"]
    files = log_files(service)
    assert len(files) > 10 and all(os.stat(file).st_size <= 64 * 1024 for file in files)
    assert lines(world) == expect(4000) * 4 + ["last"]


@ids("F1")
@root_and_user
def test_a_reader_that_does_not_read_blocks_nobody(world):
    victim, _ = start_victim(world, "--log-size", "256K", "--log-files", "100")
    follow = world.start("logs", "-f", "job")  # nobody reads its pipe for now
    victim.command("say 1")
    wait_until(lambda: follow.pump() and follow.out, "it follows")
    began = time.monotonic()
    assert victim.command("say 40000") == "ok"
    assert time.monotonic() - began < 5
    wait_until(lambda: lines(world)[-1] == VICTIM_LINE.format(39999), "all is read")
    assert world.status("job")["state"] == "ready"
    victim.command("exit 0")
    assert follow.wait() == 0
    assert follow.out.splitlines() == expect(1) + expect(40000)


@ids("F1")
@root_and_user
def test_a_reader_that_rotation_has_overtaken_goes_on_with_what_there_is(world):
    victim, _ = start_victim(world, "--log-size", "64K", "--log-files", "1")
    follow = world.start("logs", "-f", "job")
    victim.command("say 1")
    wait_until(lambda: follow.pump() and follow.out, "it follows")
    victim.command("say 20000")
    victim.command("exit 0")
    assert follow.wait() == 0
    found = follow.out.splitlines()
    assert set(found) <= set(expect(20000)), "whole lines only"
    assert found[-1] == VICTIM_LINE.format(19999)


@ids("F1")
@root_and_user
def test_twenty_megabytes_lose_no_line(world):
    run_sh(world, "seq -f 'line %09.0f of a service that has a lot to say, and says it as quickly as it can do so' 1 220000",
           "--log-size", "4M", "--log-files", "10", check=None)
    ended(world)
    out = world.berth("logs", "job", deadline=30).out
    assert len(out) > 18 * 1000 * 1000
    numbers = re.findall(r"^line (\d+) of a service that has a lot to say, and says it as quickly as it can do so$", out, re.M)
    assert len(numbers) == 220000 and list(map(int, numbers)) == list(range(1, 220001))


@ids("F1")
@root_and_user
def test_the_disk_is_never_filled(world):
    victim, service = start_victim(world, "--log-size", "128K", "--log-files", "3")
    for _ in range(5):
        victim.command("say 10000")
        assert size_of_all(service) <= 4 * 128 * 1024
    victim.command("say 1")
    wait_until(lambda: lines(world)[-1] == VICTIM_LINE.format(0), "all is read")
    assert len(log_files(service)) == 4 and size_of_all(service) <= 4 * 128 * 1024


@ids("F1")
@root_and_user
def test_a_restart_goes_on_in_the_same_log(world):
    victim, service = start_victim(world, "--restart", "always", "--backoff", "0")
    follow = world.start("logs", "-f", "job")
    victim.command("say 2")
    victim.forget()
    victim.command("exit 3")
    victim.ready()
    wait_until(lambda: world.status("job")["restarts"] == 1, "the restart")
    victim.command("say 3")
    wait_until(lambda: len(lines(world)) == 6, "all is read")
    assert world.status("job")["log"] == service["log"]
    world.berth("stop", "job")
    assert follow.wait() == 0
    said = expect(2) + ["berth: job ended with exit 3; it is started again"] + expect(3)
    assert follow.out.splitlines() == said == lines(world)
    assert [entry["stream"] for entry in entries(world)] == ["stdout"] * 2 + ["berth"] + ["stdout"] * 3


@ids("F1")
@root_and_user
def test_lines_since_and_stamps(world):
    victim, _ = start_victim(world, "--log-size", "64K")
    victim.command("say 2000")
    wait_until(lambda: lines(world, "-n", "2") == expect(2000)[-2:], "all is read")
    assert lines(world, "-n", "1500") == expect(2000)[-1500:]  # across a rotation
    assert lines(world, "-n", "0") == []
    stamp = entries(world, "-n", "1")[0]["at"]
    assert lines(world, "--timestamps", "-n", "1") == [f"{stamp} {expect(2000)[-1]}"]
    wait_until(lambda: time.time() > _seconds(stamp) + 0.01, "a later millisecond")
    later = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time())) + f".{int(time.time() * 1000) % 1000:03}Z"
    victim.command("say 3")
    wait_until(lambda: lines(world, "--since", later) == expect(3), "later lines alone")
    assert lines(world, "--since", "1h") == expect(2000) + expect(3)
    world.berth("logs", "--since", "tomorrow", "job", check=2)
    world.berth("logs", "-n", "x", "job", check=2)


def _seconds(stamp):
    return time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + int(stamp[20:23]) / 1000


@ids("F1")
@root_and_user
def test_a_long_line_is_one_line_again(world):
    run_sh(world, "head -c 200000 /dev/zero | tr '\\0' x; echo; echo short", check=None)
    ended(world)
    assert lines(world) == ["x" * 200000, "short"]


@ids("F1")
@root_and_user
def test_a_log_that_somebody_removes_is_made_again(world):
    victim, service = start_victim(world)
    victim.command("say 2")
    wait_until(lambda: len(lines(world)) == 2, "they are read")
    os.unlink(service["log"])
    victim.command("say 3")
    wait_until(lambda: lines(world) == expect(3), "it goes on")


@ids("F1")
@root_and_user
def test_a_terminal_of_its_own_is_captured(world):
    run_sh(world, "test -t 0 && test -t 1 && test -t 2 && echo it is one; tty; stty size; printf '\\033[1mbold\\033[0m\\nlast'",
           "--tty", check=None)
    ended(world)
    found = lines(world)
    assert found[0] == "it is one" and found[1].startswith("/dev/pts/") and found[2] == "24 80", found
    assert found[3:] == ["\033[1mbold\033[0m", "last"], found


@ids("F1")
@root_and_user
def test_a_terminal_of_its_own_is_the_controlling_one(world):
    run_sh(world, "echo by its name >/dev/tty; ps -o tpgid= -p $$ | grep -v -- -1 >/dev/null && echo in front", "--tty",
           check=None)
    ended(world)
    assert lines(world) == ["by its name", "in front"]


@ids("F1")
@root_and_user
def test_the_end_of_the_terminal_is_no_hangup_before_its_time(world):
    victim = world.victim()
    service = world.run_d("--name", "job", "--port", "5000", "--tty", "--", *victim.argv("--close-fds", 5000))["service"]
    assert victim.command("ping") == "ok"
    assert world.status("job")["pid"] == service["pid"] and world.status("job")["state"] == "ready"


@ids("F1", "I4")
@root_and_user
def test_the_foreground_has_no_log_and_says_so(world):
    victim = world.victim()
    world.start("run", "--name", "job", "--port", "none", "--", *victim.argv())
    victim.ready()
    result = world.berth("logs", "job", check=None)
    assert result.code == 1 and "foreground" in result.err, result


@ids("F1")
@as_user
def test_a_folder_that_is_read_only_is_said_at_the_start(world):
    """root may write anywhere, so this is the user's alone."""
    folder = os.path.join(world.state, "berth", "logs")
    os.makedirs(folder)
    world.give(os.path.join(world.state, "berth"))
    world.give(folder)
    os.chmod(folder, 0o500)
    result = world.berth("run", "-d", "--name", "job", "--port", "5000", "--", *world.victim().argv(5000), check=None)
    assert result.code not in (0, None) and "log" in result.err and "XDG_STATE_HOME" in result.err, result
    world.nothing_left()


@ids("F1")
@as_user
def test_a_folder_that_becomes_read_only_loses_lines_and_counts_them(world):
    victim, service = start_victim(world, "--log-size", "64K")
    folder = os.path.dirname(service["log"])
    os.chmod(folder, 0o500)
    assert victim.command("say 5000") == "ok"  # cannot rotate, will not grow
    assert victim.command("ping") == "ok" and world.status("job")["state"] == "ready"
    assert os.stat(service["log"]).st_size <= 64 * 1024
    os.chmod(folder, 0o700)
    victim.command("say 1")
    note = wait_until(lambda: next((line for line in lines(world) if line.startswith("berth: ")), None), "it is told")
    lost = int(re.fullmatch(r"berth: (\d+) lines could not be written: Permission denied", note).group(1))
    kept = [line for line in lines(world) if not line.startswith("berth: ")]
    assert kept == expect(5000)[:len(kept) - 1] + expect(1) and len(kept) - 1 + lost == 5000


@ids("F1")
def test_a_full_disk_loses_lines_and_counts_them(world):
    """A megabyte of its own, in a mount namespace; most of it is somebody else's."""
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", world.state], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        skip("no mounts of our own here")
    victim = world.victim()
    script = (f'mount -t tmpfs -o size=1m,mode=700 tmpfs {world.state} && '
              f'head -c 900k /dev/zero >{world.state}/filler && exec "$@"')
    world.run(["unshare", "-m", "sh", "-c", script, "sh", BERTH, "run", "-d", "--name", "job", "--port", "none", "--",
               *victim.argv()])
    inside = ["nsenter", "-m", "-t", str(world.status("job")["supervisor_pid"])]

    def logs():
        return world.run([*inside, BERTH, "logs", "job"]).out.splitlines()

    for number in range(3):
        assert victim.command("say 20000") == "ok", number
    assert world.status("job")["state"] == "ready"
    world.run([*inside, "rm", f"{world.state}/filler"])
    victim.command("say 1")
    note = wait_until(lambda: next((line for line in logs() if line.startswith("berth: ")), None), "it is told")
    lost = int(re.fullmatch(r"berth: (\d+) lines could not be written: No space left on device", note).group(1))
    kept = [line for line in logs() if not line.startswith("berth: ")]
    assert len(kept) + lost == 60001 and set(kept) <= set(expect(20000)), (len(kept), lost)
    kill(world.status("job")["pid"])
    world.nothing_left()
