# SPDX-License-Identifier: MIT
# scenario/test_free_ends_only_the_verified_holder.py - D3: who holds the port is ended, and nobody else
"""Each case looks at both: the port is free, and whoever had to stay lives."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from berthtest import (BERTH, SLOW, TIMED_OUT, USAGE, Process, alive, answer, bindable, ids, kill, root_and_user, skip,
                       wait_gone, wait_until)

# Reads its place from the arguments, binds, says READY; then does what the test sends it a line for.
CLIENT = """
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("READY", flush=True)
try:
    print("end of file" if client.recv(1) == b"" else "data", flush=True)
except ConnectionResetError:
    print("end of file", flush=True)
sys.stdin.readline()
"""

# Accepts so many clients and says nothing to them.
SERVER = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
print("READY", flush=True)
clients = [listener.accept() for _ in range(int(sys.argv[2]))]
print("ACCEPTED", flush=True)
sys.stdin.readline()
"""

OUTGOING = """
import socket, sys
sock = socket.socket()
sock.bind(("127.0.0.1", int(sys.argv[1])))
sock.connect(("127.0.0.1", int(sys.argv[2])))
print("READY", flush=True)
sys.stdin.readline()
"""


def python(world, code, *arguments, **options):
    process = world.spawn([sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, **options)
    process.wait_for("^READY", stream="out")
    return process


def named(world, name):
    """The victim under another name: what the kernel shows of it is that."""
    path = os.path.join(world.bin, name)
    shutil.copy(world.helper("victim"), path)
    return path


def free(world, *arguments, **options):
    return world.berth("free", *arguments, **options)


# --- who is ended, and how ---


@ids("D3")
@root_and_user
def test_nobody_there_is_a_success(world):
    result = free(world, "5000", "5002-5012,:6000")
    assert (result.out, result.err) == ("", "berth: nobody holds 5000 5002-5012,:6000\n")


@ids("D3")
@root_and_user
def test_a_process_gets_sigterm_and_the_port_is_free_when_it_returns(world):
    stranger = world.stranger("--graceful", 5000)
    result = free(world, "5000")
    assert bindable(5000)
    assert stranger.wait() == 0  # its own end, as SIGTERM asks for it
    assert f"berth: ended victim {stranger.pid} (SIGTERM, " in result.err


@ids("D3")
@root_and_user
def test_one_that_ignores_sigterm_is_killed_when_the_grace_is_over(world):
    stranger = world.stranger("--ignore-term", 5000)
    result = free(world, "--grace=100ms", "5000")
    assert bindable(5000)
    assert stranger.wait() == -signal.SIGKILL
    assert f"ended victim {stranger.pid} (SIGKILL, " in result.err


@ids("D3")
@root_and_user
def test_a_stopped_one_hears_sigterm(world):
    stranger = world.stranger("--graceful", 5000)
    stranger.signal(signal.SIGSTOP)
    wait_until(lambda: Process(stranger.pid).state == "T", "stopped")
    free(world, "5000")
    assert stranger.wait() == 0


@ids("D3")
@root_and_user
def test_a_service_of_berth_is_ended_with_its_whole_tree(world):
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000))["service"]
    stray = int(victim.command("daemon").split()[1])
    elsewhere = world.make_project("other")
    result = free(world, "5000", cwd=elsewhere)
    assert "ended shop/web (pid " in result.err and "5000 is free" in result.err
    assert bindable(5000) and not alive(stray) and not alive(service["supervisor_pid"])
    world.nothing_left()
    assert world.berth("history", "--json").json["ends"][0]["exit"]["by"] == "user"


@ids("D3")
@root_and_user
def test_all_that_inherited_the_listener_are_ended(world):
    stranger = world.stranger(5000)
    child = int(stranger.victim.command("fork").split()[1])
    assert alive(child)
    result = free(world, "5000", "--json").json
    assert {holder["pid"] for holder in result["holders"]} == {stranger.pid, child}
    assert {holder["result"] for holder in result["holders"]} == {"ended"}
    assert bindable(5000) and not alive(stranger.pid) and not alive(child)


@ids("D3")
@root_and_user
def test_a_process_that_has_nothing_of_the_port_is_left_though_it_is_a_child(world):
    """A shell's children are not ours to judge: of a stranger, only who holds the port is ended."""
    code = """
import socket, subprocess, sys
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
listener = socket.create_server(("", 5000))
print("READY", child.pid, flush=True)
sys.stdin.readline()
"""
    stranger = python(world, code)
    child = int(stranger.wait_for(r"READY (\d+)", stream="out")[1])
    watch = os.pidfd_open(child)
    result = free(world, "5000", "--json").json
    assert [holder["pid"] for holder in result["holders"]] == [stranger.pid]
    wait_gone(child)  # by itself, as its standard input ends: no signal of ours did it
    os.close(watch)


@ids("D3")
@root_and_user
def test_a_range_ends_each_holder_in_it_and_nobody_beside_it(world):
    inside = [world.stranger(5002), world.stranger(5003, 5012), world.stranger("127.0.0.1:5007")]
    outside = [world.stranger(5001), world.stranger(5013)]
    result = free(world, "--json", "5002-5012").json
    assert sorted(tuple(holder["ports"]) for holder in result["holders"]) == [(5002,), (5003, 5012), (5007,)]
    for stranger in inside:
        assert stranger.wait() == -signal.SIGTERM
    assert all(bindable(port) for port in range(5002, 5013))
    for stranger in outside:
        assert alive(stranger.pid)
    assert answer(5001)["say"] == outside[0].victim.name


@ids("D3", "N9")
@root_and_user
def test_bound_and_not_listening_is_held(world):
    stranger = world.stranger("bind:5000")
    result = free(world, "5000", check=None)
    if "nobody holds" in result.err:
        skip("this kernel does not tell of bound sockets (before 6.8)")
    assert result.code == 0 and bindable(5000)
    assert stranger.wait() == -signal.SIGTERM


@ids("D3", "N9")
@root_and_user
def test_an_outgoing_connection_that_took_the_port_is_ended(world):
    world.occupy(6999)
    stranger = python(world, OUTGOING, 5000, 6999)
    result = free(world, "5000", "--json").json
    assert [holder["pid"] for holder in result["holders"]] == [stranger.pid]
    assert stranger.wait() == -signal.SIGTERM


@ids("D3")
@root_and_user
def test_udp_only_where_it_is_asked_for(world):
    stranger = world.stranger("udp:5353")
    assert "nobody holds 5353" in free(world, "5353").err
    assert alive(stranger.pid)
    free(world, "--udp", "5353")
    assert stranger.wait() == -signal.SIGTERM


# --- who is not ---


@ids("D3")
@root_and_user
def test_clients_of_the_port_are_not_touched(world):
    """`lsof -ti :5000 | xargs kill` would have ended them. They see the server's end, and that is all."""
    stranger = python(world, SERVER, 5000, 3)
    clients = [python(world, CLIENT, 5000) for _ in range(3)]
    stranger.wait_for("^ACCEPTED", stream="out")
    result = free(world, "5000", "--json").json
    assert [holder["pid"] for holder in result["holders"]] == [stranger.pid]
    for client in clients:
        client.wait_for("^end of file", stream="out")
        assert alive(client.pid)
        client.send("\n")
        assert client.wait() == 0
    assert bindable(5000)


@ids("D3")
@pytest.mark.parametrize("who", ["root"], indirect=True)
def test_another_users_holder_needs_force(world):
    if "BERTH_TEST_USERNS" in os.environ:
        skip("needs a second user: run the tests as root for it")
    victim = world.victim()
    os.chown(victim.folder, 64500, 64500)
    stranger = world.spawn(victim.argv(5000), user=64500, group=64500, extra_groups=[])
    victim.ready()
    for options in ([], ["--yes"]):
        result = free(world, *options, "5000", check=1)
        assert "it belongs to uid 64500" in result.err
        assert "hint: berth free --force --yes 5000" in result.err
        assert alive(stranger.pid)
    free(world, "--force", "--yes", "5000")
    assert stranger.wait() == -signal.SIGTERM


@ids("D3")
@pytest.mark.parametrize("who", ["user"], indirect=True)
def test_a_holder_that_a_user_may_not_see_stays_whatever_is_said(world):
    victim = world.victim()
    stranger = world.spawn(victim.argv(5000), as_root=True)
    victim.ready()
    for options in ([], ["--yes"], ["--yes", "--force"]):
        result = free(world, *options, "5000", check=1)
        assert "5000 is held by a process of root: we may not see which one it is" in result.err
        assert "hint: sudo berth free " in result.err
    assert alive(stranger.pid) and answer(5000)


@ids("D3")
@pytest.mark.parametrize("who", ["user"], indirect=True)
@pytest.mark.parametrize("options", [["-y"], ["--force", "-y"]])
def test_the_command_that_a_refused_user_is_told_of_is_not_refused_as_root(world, options):
    """It said "sudo berth free --yes 5000", and that said "berth free --force --yes 5000"."""
    code = "import socket, sys; s = socket.create_server(('', 5000)); print('READY', flush=True); s.accept()"
    stranger = python(world, code, as_root=True, user=64500, group=64500, extra_groups=[], cwd="/")
    hint = free(world, *options, "5000", check=1).err.partition("hint: sudo ")[2].split()
    assert hint == ["berth", "free", "--force", "--yes", "5000"]
    world.run([BERTH, *hint[1:]], as_root=True)
    assert stranger.wait() == -signal.SIGTERM


@ids("D3")
@pytest.mark.parametrize("who", ["user"], indirect=True)
def test_a_refused_user_is_not_told_to_insist_where_root_need_not(world):
    victim = world.victim()
    world.spawn(victim.argv(5000), as_root=True)
    victim.ready()
    assert "hint: sudo berth free --yes 5000\n" in free(world, "-y", "5000", check=1).err
    assert "hint: sudo berth free --force --yes 5000\n" in free(world, "-y", "--force", "5000", check=1).err


@ids("D3")
@root_and_user
def test_our_own_ancestor_needs_force(world):
    """A script that holds the port and calls berth free: it would end itself, and berth with it."""
    code = f"""
import socket, subprocess, sys
listener = socket.create_server(("", 5000))
listener.set_inheritable(sys.argv[1] == "inherit")
done = subprocess.run([{BERTH!r}, "free", "--yes", "5000"], capture_output=True, text=True,
                      close_fds=sys.argv[1] != "inherit")
print(done.returncode, done.stderr)
"""
    for how in ("keep", "inherit"):
        result = world.run([sys.executable, "-c", code, how])
        assert result.out.startswith("1 ") and "this berth was started below it" in result.out, result
        assert "hint: berth free --force --yes 5000" in result.out


@ids("D3")
@root_and_user
def test_the_service_that_we_run_in_needs_force(world):
    inner = world.victim()
    said = os.path.join(inner.folder, "said")
    script = f'{BERTH} free --yes 5000 2>{said}; echo "exit $?" >>{said}; exec "$@"'
    run = world.start("run", "--name", "web", "--port", "5000", "--", "sh", "-c", script, "sh", *inner.argv(5000))
    inner.ready()
    with open(said, encoding="utf-8") as file:
        text = file.read()
    assert "5000 is held by shop/web: this berth was started in it" in text
    assert text.endswith("exit 1\n")
    assert alive(run.pid) and answer(5000)["say"] == inner.name


@ids("D3")
@root_and_user
@pytest.mark.parametrize("name, why", [("sshd", "it is the way in by ssh"), ("docker-proxy", "it is the proxy of a container")])
def test_sshd_and_proxies_need_force(world, name, why):
    victim = world.victim()
    argv = victim.argv(5000)
    stranger = world.spawn([named(world, name), *argv[1:]])
    victim.ready()
    result = free(world, "--yes", "5000", check=1)
    assert why in result.err and "--force" in result.err and alive(stranger.pid)
    free(world, "--yes", "--force", "5000")
    assert stranger.wait() == -signal.SIGTERM


@ids("D3")
@root_and_user
def test_nobody_is_ended_for_a_port_that_stays_held(world):
    """One of the two that listen at this number is to stay: ending the other would free nothing."""
    ours = world.stranger("127.0.0.1:5000")
    victim = world.victim()
    sshd = world.spawn([named(world, "sshd"), *victim.argv("--v6only", "[::1]:5000")[1:]])
    victim.ready()
    result = free(world, "--yes", "--json", "5000", check=1)
    verdicts = {holder["pid"]: holder["verdict"] for holder in result.json["error"]["holders"]}
    assert verdicts == {ours.pid: "in-vain", sshd.pid: "needs-force"}
    assert alive(ours.pid) and alive(sshd.pid)


@ids("D3")
@root_and_user
def test_without_a_terminal_another_projects_holder_needs_yes_and_the_rest_is_done(world):
    elsewhere = world.make_project("other")
    victim = world.victim()
    other = world.spawn(victim.argv(5001), cwd=elsewhere)
    victim.ready()
    ours = world.stranger(5000)
    result = free(world, "5000-5001", check=1)
    assert f"5001 is held by victim {other.pid}: it is neither berth's own nor of this project" in result.err
    assert "hint: berth free --yes 5000-5001" in result.err
    assert ours.wait() == -signal.SIGTERM and alive(other.pid)
    free(world, "--yes", "5000-5001")
    assert other.wait() == -signal.SIGTERM


@ids("D3")
@root_and_user
def test_a_folder_that_is_no_project_is_nobodys(world):
    """Two programs that happen to run in /tmp have nothing to do with each other."""
    folder = os.path.join(world.folder, "nowhere")
    os.mkdir(folder)
    world.give(folder)
    victim = world.victim()
    stranger = world.spawn(victim.argv(5000), cwd=folder)
    victim.ready()
    free(world, "5000", cwd=folder, check=1)
    assert alive(stranger.pid)


# --- between the look and the signal ---


def asked(world, *arguments, **options):
    """berth free at its question."""
    run = world.start("free", *arguments, terminal=True, **options)
    run.wait_for(r"\[y/N\]")
    return run


@ids("D3")
@root_and_user
def test_one_that_ends_between_look_and_signal_is_a_success(world):
    stranger = world.stranger(5000)
    run = asked(world, "5000")
    stranger.signal(signal.SIGKILL)
    stranger.wait()
    run.send("y\n")
    assert run.wait() == 0, run
    assert f"victim {stranger.pid} has ended already" in run.out


@ids("D3")
@root_and_user
def test_one_that_has_let_go_of_the_port_meanwhile_is_left_alone(world):
    stranger = world.stranger("--report", 5000)
    run = asked(world, "5000")
    stranger.victim.command("close 0")
    run.send("y\n")
    assert run.wait() == 0, run
    assert f"victim {stranger.pid} has let go of 5000, and goes on" in run.out
    stranger.pump()
    assert alive(stranger.pid) and "got SIGTERM" not in stranger.out + stranger.err


@ids("D3")
@root_and_user
def test_one_that_lets_go_at_sigterm_is_not_killed_for_its_last_clients(world):
    """A server that drains: the port is free at once, what it still has to do is not ours to cut off."""
    code = """
import signal, socket, sys
listener = socket.create_server(("", 5000))
def drain(*_):
    listener.close()
    print("draining", flush=True)
signal.signal(signal.SIGTERM, drain)
print("READY", flush=True)
client = listener.accept()[0]
sys.stdin.readline()
client.sendall(b"the rest")
"""
    server = python(world, code)
    with socket.create_connection(("127.0.0.1", 5000)) as client:
        client.settimeout(10 * SLOW)
        result = free(world, "--grace=300ms", "5000")
        assert "has let go of 5000, and goes on" in result.err
        server.send("\n")
        assert client.recv(100) == b"the rest"
    assert server.wait() == 0


NAMESPACE = """
# Process 1 of a pid namespace: gives a pid again while berth free asks, and looks whom the answer ends.
import os, pty, select, signal, socket, sys, time

berth, fresh = sys.argv[1], sys.argv[2]

def child(work):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
        os._exit(0)
    return pid

def hold():
    listener = socket.create_server(("", 5000))
    signal.pause()

def bystander():
    signal.pause()

def start_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[19]

def is_held():
    with open("/proc/net/tcp") as file:
        return any(line.split()[1].endswith(":1388") and line.split()[3] == "0A" for line in file)

first = child(hold)
while not is_held():
    time.sleep(0.001)
old = start_of(first)
master, slave = pty.openpty()
run = os.fork()
if run == 0:
    os.setsid()
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.close(master)
    os.execv(berth, ["berth", "free", "--yes" if fresh == "yes" else "--grace=1s", "5000"])
os.close(slave)
text = b""
while b"[y/N]" not in text:
    text += os.read(master, 4096)
os.kill(first, signal.SIGKILL)
os.waitpid(first, 0)
while True:
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(first - 1))
    except OSError as error:
        print("cannot:", error)
        sys.exit(0)
    second = child(hold if fresh == "holder" else bystander)
    if second == first and start_of(second) != old:
        break
    os.kill(second, signal.SIGKILL)
    os.waitpid(second, 0)
while fresh == "holder" and not is_held():
    time.sleep(0.001)
os.write(master, b"y\\n")
while True:
    try:
        data = os.read(master, 4096)
    except OSError:
        break
    if not data:
        break
    text += data
code = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
print("lives" if os.waitpid(second, os.WNOHANG) == (0, 0) else "ended", code, text.decode().replace("\\r", ""))
os.kill(second, signal.SIGKILL)
"""


@ids("D3")
@pytest.mark.parametrize("fresh, code", [("bystander", "0"), ("holder", "1")])
def test_a_pid_that_was_given_again_is_not_signalled(world, fresh, code):
    """The new one may even hold the same port: it is not the one that the user has agreed to."""
    if os.geteuid() != 0:
        skip("a pid can be given on purpose by root only")
    script = world.write("namespace.py", NAMESPACE)
    result = world.run(["unshare", "--pid", "--fork", "--mount-proc", sys.executable, script, BERTH, fresh], check=None)
    if "cannot:" in result.out or "unshare:" in result.err:
        skip(f"no pid can be given on purpose here: {result.out} {result.err}")
    assert result.out.startswith(f"lives {code} "), result
    assert "has ended already" in result.out
    if fresh == "holder":
        assert "5000 again" in result.out or "holds 5000" in result.out


# --- who comes back ---


@ids("D3")
@root_and_user
def test_one_that_is_started_again_is_named_with_what_starts_it(world):
    victim = world.victim()
    shell = world.spawn(["sh", "-c", 'while :; do "$@"; done', "supervise", *victim.argv(5000)])
    victim.ready()
    before = answer(5000)["pid"]
    result = free(world, "5000", check=1)
    assert f"berth: ended victim {before} (SIGTERM" in result.err
    assert f"berth: sh {shell.pid} restarted it in " in result.err, result
    assert f"hint: end sh {shell.pid} first" in result.err
    assert result.err.count("berth: ") == 2
    kill(shell.pid)
    shell.wait()
    free(world, "5000")
    assert bindable(5000)


@ids("D3")
@root_and_user
def test_one_that_binds_again_itself_is_told_and_nobody_above_us_blamed(world):
    """It was said of the shell that berth was called from to have restarted it, and to end that shell."""
    code = """
import signal, socket, time
def again(*_):
    global listener
    listener.close()
    time.sleep(0.05)
    listener = socket.create_server(("", 5000))
signal.signal(signal.SIGTERM, again)
listener = socket.create_server(("", 5000))
print("READY", flush=True)
while True:
    signal.pause()
"""
    server = python(world, code)
    said = free(world, "-y", "5000", check=1).err
    assert f" {server.pid} did not end, and holds 5000 again, after " in said, said
    assert said.endswith(f"hint: kill -KILL {server.pid}\n")
    world.run(["sh", "-c", said.rpartition("hint: ")[2]])
    assert server.wait() == -signal.SIGKILL


@ids("D3")
@root_and_user
def test_a_successor_that_was_started_by_what_is_above_us_is_told_without_blame(world):
    """It forks, and the child has the port when the parent ends: an orphan, whom the tests adopt as berth's parent."""
    code = """
import os, signal, socket, time
def pass_on(*_):
    listener.close()
    if os.fork():
        os._exit(0)
    socket.create_server(("", 5000)).accept()
signal.signal(signal.SIGTERM, pass_on)
listener = socket.create_server(("", 5000))
print("READY", flush=True)
signal.pause()
"""
    server = python(world, code)
    said = free(world, "-y", "5000", check=1).err
    assert server.wait() == 0
    again = re.search(r"(\d+) holds 5000 again, after ", said)
    kill(int(again[1]))
    assert "restarted" not in said and "hint:" not in said, said


# --- what no process has ---


@ids("D3")
@root_and_user
def test_what_is_left_of_an_outgoing_connection_is_no_free_port(world):
    """bind() fails by it, with SO_REUSEADDR too, and free said at once that the port was free."""
    listener = world.occupy(6999)
    with socket.create_connection(("127.0.0.1", 6999), source_address=("127.0.0.1", 40001)):
        accepted = listener.accept()[0]
    accepted.close()
    assert not bindable(40001)
    result = free(world, "-y", "--wait=200ms", "40001", check=TIMED_OUT)
    assert result.err == ("berth: 40001 is not free: a closed connection to 127.0.0.1:6999 is in TIME_WAIT, and bind() "
                          "fails\nhint: nobody can end that; it is over within a minute\n")
    assert free(world, "-y", "--wait=0s", "--json", "40001", check=TIMED_OUT).error["code"] == "timeout"
    planned = free(world, "-n", "--json", "40001", check=1).json
    assert not planned["free"] and not planned["holders"]
    assert free(world, "-n", "40001", check=1).out == "40001  a closed connection  over by itself within a minute\n"


@ids("D3")
@root_and_user
@pytest.mark.parametrize("port", [5000, 40002])
def test_what_is_left_of_a_server_is_not_waited_for(world, port):
    """Its connections have SO_REUSEADDR from it: the next server passes over them."""
    code = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
print("READY", flush=True)
client = listener.accept()[0]
client.close()
print("CLOSED", flush=True)
sys.stdin.readline()
"""
    server = python(world, code, port)
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert client.recv(1) == b""
    server.wait_for("^CLOSED", stream="out")
    assert free(world, "--wait=0s", "--json", str(port)).json["free"]
    assert bindable(port)


# --- what remains to be said ---


@ids("D3")
@root_and_user
def test_the_history_tells_what_was_ended(world):
    stranger = world.stranger("--ignore-term", 5000, 5001)
    free(world, "--grace=50ms", "5000-5001")
    line = world.berth("history").out.splitlines()[1]
    assert line.startswith("ports 5000, 5001  freed"), line
    assert f"victim {stranger.pid}, SIGKILL by berth free, " in line
    end = world.berth("history", "--json").json["ends"][0]
    assert (end["state"], end["pid"], end["ports"], end["by"]) == ("freed", stranger.pid, [5000, 5001], "free")
    assert end["command"] == stranger.argv and end["result"] == "killed"


@ids("D3")
def test_the_history_has_also_what_had_a_command_of_control_characters(world):
    code = "import socket, sys; s = socket.create_server(('', 5000)); print('READY', flush=True); s.accept()"
    stranger = python(world, code, "\x1b" * 90000)
    free(world, "5000")
    stranger.wait()
    command = world.berth("history", "--json").json["ends"][0]["command"]
    assert command[:3] == stranger.argv[:3] and command[3].endswith("\x1b...")


@ids("D3")
@pytest.mark.parametrize("words", [["web"], ["0"], ["70000"], ["5010-5002"], ["5000,"], [""], ["5000", "x"], []])
def test_what_is_no_port_is_a_usage_error_and_ends_nobody(world, words):
    stranger = world.stranger(5000)
    free(world, "--yes", *words, check=USAGE)
    assert alive(stranger.pid)
