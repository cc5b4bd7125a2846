# SPDX-License-Identifier: MIT
# scenario/test_bad_worlds_work_or_say_what_is_lost.py - each works, or says clearly what it lost, with a hint
"""Failed exec, full ranges, missing folders, refused system calls, processes that nobody can look into."""

import os
import shutil
import signal
import socket
import stat

import pytest

from berthtest import (ALREADY, BERTH, NOT_EXECUTABLE, NOT_FOUND, OWN_FAILURE, USAGE, answer,
                       as_user, bindable, ids, port_of, root_and_user, skip, wait_until)

# --- commands that do not run ---


@ids("N5")
@root_and_user
def test_a_command_that_is_not_there_is_127(world):
    result = world.berth("run", "--", "no-such-program", check=NOT_FOUND)
    assert "no-such-program" in result.err and len(result.err.splitlines()) <= 2
    assert world.berth("run", "-d", "--json", "--", "no-such-program", check=None).error["code"] == "start-failed"
    world.nothing_left()


@ids("N5")
@root_and_user
def test_a_command_that_may_not_be_run_is_126(world):
    world.write("script", "#!/bin/sh\n", mode=0o644)
    world.berth("run", "--", "./script", check=NOT_EXECUTABLE)
    world.berth("run", "--", world.project, check=NOT_EXECUTABLE)
    world.write("bad", "#!/no/such/interpreter\n", mode=0o755)
    world.berth("run", "--", "./bad", check=None)


@ids("N5")
@root_and_user
@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands_own(world, code):
    world.berth("run", "--", "sh", "-c", f"exit {code}", check=code)


@ids("N5")
@root_and_user
@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "SEGV"])
def test_death_by_a_signal_is_128_and_its_number(world, name):
    number = getattr(signal, f"SIG{name}")
    result = world.berth("run", "--", world.helper("victim"), "--die", name, check=None)
    assert result.code in (128 + number, -number), result


@ids("N5")
@root_and_user
def test_a_command_that_dies_after_it_listened_ends_berth_with_its_code(world):
    world.berth("run", "--port", "5000", "--", *world.victim().argv("--exit", 7, 5000), check=7)
    assert bindable(5000)


def test_a_bad_folder_is_said(world):
    result = world.berth("run", "-C", "/no/such/folder", "--", "true", check=None)
    assert result.code in (USAGE, OWN_FAILURE) and "/no/such/folder" in result.err


# --- ports ---


@ids("P7")
@as_user
def test_a_privileged_wish_of_an_ordinary_user_is_moved_and_said(world):
    victim = world.victim()
    run = world.start("run", "--name", "web", "--port", "80", "--", *victim.argv(80))
    run.wait_for(r"^berth: web is http://localhost:8080 \(it asked for 80")
    assert victim.port == 8080


@ids("P7")
def test_a_privileged_wish_of_root_is_given(world):
    victim = world.victim()
    world.run_d("--name", "web", "--port", "80", "--", *victim.argv(80))
    assert victim.port == 80


@ids("P7")
@as_user
def test_the_start_of_unprivileged_ports_is_asked_of_the_kernel(world):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as file:
        file.write("80")
    victim = world.victim()
    world.run_d("--name", "web", "--port", "80", "--", *victim.argv(80))
    assert victim.port == 80


@ids("P6")
def test_a_port_held_by_an_outgoing_connection_is_not_called_free(world):
    """bind() fails there with SO_REUSEADDR too, and nothing listens."""
    sink = world.occupy(6000 + 999)
    client = socket.socket()
    client.bind(("127.0.0.1", 5000))
    client.connect(sink.getsockname())
    world.sockets.append(client)
    run = world.start("run", "--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    run.wait_for(r"^berth: web is http://localhost:5001 \(it asked for 5000, held by ")


# --- names ---


@pytest.mark.parametrize("name", ["", "-", "Web", "1web", "a b", "a/b", "ü", "a" * 64, "web;rm", "$(id)", "9001", "../x"])
def test_odd_names_are_usage_errors(world, name):
    result = world.berth("run", f"--name={name}", "--", "true", check=USAGE)
    assert len(result.err.splitlines()) <= 2


@pytest.mark.parametrize("folder", ["with blank", "ünïcode", "new\nline", "'quote\"", "\x1b[31mred", "a" * 200, "123", "-x"])
def test_odd_folders_work_and_never_reach_the_terminal_raw(world, folder):
    project = world.make_project(folder)
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000), cwd=project)["service"]
    assert service["root"] == project
    text = world.berth("ls").out + world.berth("status", "web", cwd=project).out
    assert "\x1b" not in text
    result = world.berth("run", "--name", "web", "--", "true", cwd=project, check=ALREADY)
    assert "\x1b" not in result.err
    world.berth("stop", "web", cwd=project)


def test_a_folder_that_is_removed_under_a_living_service(world):
    project = world.make_project("gone")
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000), cwd=project)
    shutil.rmtree(project)
    assert port_of(world.services()[0]) == 5000
    world.berth("stop", "5000")
    assert bindable(5000) and not world.living()


def test_arguments_reach_the_command_byte_for_byte(world):
    odd = ["", " ", "a\tb", "\"'`$(x)", "-v", "--json", "ü", "{", "}", "{x}"]
    result = world.berth("run", "--", "/usr/bin/python3", "-c", "import sys; print(sys.argv[1:])", *odd)
    assert result.out.strip() == repr(odd)


# --- folders ---


@ids("N8")
@as_user
def test_without_a_runtime_folder_it_uses_one_in_tmp(world):
    fallback = f"/tmp/berth-{world.uid}"
    shutil.rmtree(fallback, ignore_errors=True)
    world.env.pop("XDG_RUNTIME_DIR")
    try:
        service = world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))["service"]
        status = os.stat(fallback)
        assert stat.S_IMODE(status.st_mode) == 0o700 and status.st_uid == world.uid
        assert world.services()[0]["id"] == service["id"]
        world.berth("stop", "web")
    finally:
        shutil.rmtree(fallback, ignore_errors=True)


@as_user
def test_a_runtime_folder_that_others_prepared_is_refused(world):
    """A symlink or another owner's folder at the well-known name in /tmp."""
    fallback = f"/tmp/berth-{world.uid}"
    shutil.rmtree(fallback, ignore_errors=True)
    world.env.pop("XDG_RUNTIME_DIR")
    os.mkdir(fallback, 0o777)
    try:
        result = world.berth("run", "--name", "web", "--port", "5000", "--", *world.victim().argv("--exit", 0, 5000),
                             check=None)
        assert os.listdir(fallback) == []
        assert result.code == OWN_FAILURE and fallback in result.err or result.code == 0, result
    finally:
        shutil.rmtree(fallback, ignore_errors=True)


@ids("I1")
@root_and_user
def test_a_runtime_folder_removed_under_a_living_service(world):
    """A logout does that: /run/user/UID goes and comes back empty."""
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))["service"]
    shutil.rmtree(os.path.join(world.runtime, "berth"))
    result = world.berth("run", "-d", "--json", "--name", "web", "--port", "5000", "--", *world.victim().argv(5000),
                         check=ALREADY)
    assert result.error["service"]["pid"] == service["pid"]
    wait_until(lambda: [s["id"] for s in world.services()] == [service["id"]], "the record is written again")
    world.berth("stop", "web")
    assert bindable(5000) and not world.living()


@ids("I1")
@root_and_user
def test_the_whole_runtime_folder_removed_and_made_again(world):
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))["service"]
    os.rename(world.runtime, world.runtime + ".gone")
    os.mkdir(world.runtime, 0o700)
    world.give(world.runtime)
    wait_until(lambda: [s["id"] for s in world.services()] == [service["id"]], "the record is written again")
    world.berth("stop", "web")
    assert bindable(5000)


@as_user
def test_a_read_only_state_folder_loses_memory_and_logs_only(world):
    os.chmod(world.state, 0o500)
    os.chown(world.state, 0, 0)
    os.chmod(world.state, 0o555)
    victim = world.victim()
    run = world.start("run", "--name", "web", "--port", "5000", "--", *victim.argv(5000))
    run.wait_for("^berth: web is http://localhost:5000$")
    assert answer(5000)["say"] == victim.name


@as_user
def test_no_home_and_no_folders_at_all(world):
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        world.env.pop(name)
    try:
        result = world.berth("run", "--port", "5000", "--", "echo", "ran")
        assert result.out == "ran\n"
    finally:
        shutil.rmtree(f"/tmp/berth-{world.uid}", ignore_errors=True)


def test_a_record_full_of_rubbish_is_no_obstacle(world):
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    for folder, _, files in os.walk(os.path.join(world.runtime, "berth")):
        for name in [*files, "rubbish.json"]:
            path = os.path.join(folder, name)
            if not os.path.exists(path) or stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "wb") as file:
                    file.write(b'{"version":1,"pid":-1,' + os.urandom(64))
    world.berth("ls")
    world.run_d("--name", "api", "--port", "5001", "--", *world.victim().argv(5001))
    assert "api" in [s["service"] for s in world.services()]


# --- the kernel refuses ---


@ids("N1")
@root_and_user
def test_seccomp_refused_leaves_port_and_says_so(world):
    victim = world.victim()
    run = world.spawn([world.helper("above"), "refuse", BERTH, "run", "--name", "web", "--port", "5000", "--",
                       *victim.argv("PORT")])
    run.wait_for(r"^berth: .*(steer|seccomp)")
    assert victim.port == 5000
    status = world.status("web")
    assert status["steering"] in ("off", "inject", "preload") and port_of(status) == 5000


@ids("N1")
@root_and_user
def test_a_listener_above_us_leaves_port_and_says_so(world):
    """WSL2 with mirrored networking, sandboxes: EBUSY."""
    victim = world.victim()
    run = world.spawn([world.helper("above"), "listener", BERTH, "run", "--name", "web", "--port", "5000", "--",
                       *victim.argv("PORT")])
    run.wait_for(r"^berth: .*(steer|seccomp|listener)")
    assert victim.port == 5000
    assert answer(5000)["say"] == victim.name
    assert world.status("web")["steering"] in ("off", "inject", "preload")


@ids("N1")
@root_and_user
def test_pidfd_getfd_refused_leaves_a_service_that_runs(world):
    victim = world.victim()
    run = world.spawn([world.helper("above"), "getfd", BERTH, "run", "--name", "web", "--port", "5000", "--",
                       *victim.argv("PORT")])
    assert victim.port == 5000
    assert answer(5000)["say"] == victim.name
    run.wait_for(r"^berth: .*(steer|pidfd_getfd|looked into)")


@ids("N1")
@root_and_user
def test_a_process_that_nobody_may_read_still_runs(world, who):
    """PR_SET_DUMPABLE 0: the symptom was EADDRINUSE against berth's own holder."""
    victim = world.victim()
    run = world.start("run", "--name", "web", "--port", "5000", "--", *victim.argv("--no-dumpable", 5000))
    assert victim.port == 5000
    assert answer(5000)["say"] == victim.name
    if who == "user":
        run.wait_for(r"^berth: .*(not steered|not dumpable|looked into)")


@ids("N1")
@root_and_user
def test_a_process_without_its_leader_is_steered(world):
    world.occupy(5000)
    victim = world.victim()
    world.run_d("--name", "web", "--", *victim.argv("--dead-leader", 5000))
    assert victim.port == 5001
    assert answer(5001)["say"] == victim.name
    world.berth("stop", "web")
    assert bindable(5001) and not world.living()


@ids("N1")
@root_and_user
def test_a_process_under_landlock_gets_no_more_than_it_has(world):
    """The symptom: bare EACCES, under berth the bind succeeded: a confused deputy."""
    victim = world.victim()
    result = world.berth("run", "--port", "5000", "--", *victim.argv("--landlock", 5000), check=99)
    assert "Permission denied" in result.err


@ids("N1")
def test_a_service_that_gave_up_root_may_not_have_a_privileged_port(world):
    if "BERTH_TEST_USERNS" in os.environ:
        skip("needs a second user: run the tests as root for it")
    victim = world.victim()
    os.chmod(victim.folder, 0o777)
    result = world.berth("run", "--port", "81", "--", *victim.argv("--uid", 65534, 81), check=99)
    assert "Permission denied" in result.err


@ids("N1")
def test_a_service_that_gave_up_root_is_steered_all_the_same(world):
    if "BERTH_TEST_USERNS" in os.environ:
        skip("needs a second user: run the tests as root for it")
    world.occupy(5000)
    victim = world.victim()
    os.chmod(victim.folder, 0o777)
    world.run_d("--name", "web", "--", *victim.argv("--uid", 65534, 5000))
    assert victim.port == 5001
    world.berth("stop", "web")
    assert bindable(5001)


@ids("N1")
def test_a_container_in_the_tree_keeps_its_own_numbers(world):
    """Another network namespace is another world of ports: a container's 5000 is its own."""
    outer, inner = world.victim("outer"), world.victim("inner")
    world.occupy(5000)
    world.start("run", "--name", "web", "--port", "5000", "--", "sh", "-c",
                'unshare -n -- "$0" --ready-file "$1" 5000 & exec "$0" --ready-file "$2" 5000',
                world.helper("victim"), inner.ready_file, outer.ready_file)
    assert inner.port == 5000
    assert outer.port == 5001


@ids("N1")
@root_and_user
def test_a_nested_pid_namespace_is_steered(world, who):
    world.occupy(5000)
    victim = world.victim()
    options = [] if who == "root" else ["-U"]
    if world.run(["unshare", *options, "-fp", "true"], check=None).code != 0:
        skip("no pid namespace for this user")
    world.start("run", "--name", "web", "--", "unshare", *options, "-fp", world.helper("victim"), "--ready-file",
                victim.ready_file, 5000)
    assert victim.port == 5001


# --- terminals and pipes that nobody reads ---


@ids("N5")
@root_and_user
def test_a_pipe_that_nobody_reads_does_not_stop_the_service(world):
    """The symptom: after about a thousand lines the supervisor blocked, and every bind() of the service with it."""
    victim = world.victim()
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write_end, True)
    world.start("run", "-v", "--name", "web", "--port", "5000", "--", *victim.argv(5000), stderr=write_end)
    assert victim.port == 5000
    for number in range(200):
        victim.command("close 1")
        victim.command(f"connect {6000 + number % 2}")
    assert victim.command("listen 5010").startswith("ok")
    assert world.status("web")["state"] == "ready"
    world.berth("stop", "web")
    os.close(read_end)
    os.close(write_end)


@ids("N5")
@root_and_user
def test_a_stopped_terminal_that_reads_nothing_does_not_stop_the_service(world):
    """Ctrl-S in the foreground."""
    victim = world.victim()
    run = world.start("run", "-v", "--name", "web", "--port", "5000", "--", *victim.argv(5000), terminal=True)
    assert victim.port == 5000
    run.send("\x13")
    for number in range(300):
        victim.command(f"connect {6000 + number % 2}")
    assert victim.command("listen 5010").startswith("ok")
    assert world.status("web")["state"] == "ready"
    world.berth("stop", "web")
    assert bindable(5000)


@ids("N5")
@root_and_user
def test_closed_standard_streams_are_no_obstacle(world):
    victim = world.victim()
    run = world.spawn(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", BERTH, "run", "--name", "web", "--port", "5000",
                       "--", *victim.argv("--close-fds", 5000)])
    assert victim.port == 5000
    assert answer(5000)["say"] == victim.name
    assert run.popen.poll() is None
    world.berth("stop", "web")


def test_few_descriptors_are_enough(world):
    result = world.run(["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", BERTH, "run", "--port", "5000", "--", "sh", "-c",
                        "ulimit -n"])
    assert result.out == "64\n"  # what the service had, it has


def test_output_to_a_full_device_is_said(world):
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    with open("/dev/full", "wb") as full:
        process = world.spawn([BERTH, "ls"], stdout=full)
        assert process.wait() == 1
        assert "berth:" in process.err


@ids("N5")
@root_and_user
def test_a_working_folder_that_was_removed_matters_only_where_it_counts(world):
    """All of these said "cannot tell the working folder"."""
    world.run_d("--name", "web", "--port", "5000", "--", *world.victim().argv(5000))
    script = 'mkdir "$1"; cd "$1"; rmdir "$1"; shift; exec "$@"'
    gone = ["sh", "-c", script, "sh", os.path.join(world.project, "gone"), BERTH]
    assert "shop/web" in world.run([*gone, "ls"]).out
    assert "shop/web" in world.run([*gone, "ls", "-m"]).out
    world.run([*gone, "free", "-y", "5000"])
    assert bindable(5000)
    assert "shop/web" in world.run([*gone, "history", "-a"]).out
    assert "shop/web" in world.run([*gone, "history", "web"]).out
    assert "cannot tell the working folder" in world.run([*gone, "history"], check=None).err
