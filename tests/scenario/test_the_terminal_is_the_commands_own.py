# SPDX-License-Identifier: MIT
# scenario/test_the_terminal_is_the_commands_own.py - I5: the foreground, as if berth were not there
"""Terminal, standard input, job control, window size and exit code are the command's own."""

import signal

from berthtest import BERTH, Process, alive, answer, bindable, ids, kill, root_and_user, wait_until


@ids("I5")
@root_and_user
def test_standard_input_reaches_the_command(world):
    result = world.berth("run", "--", "cat", input="one\ntwo\n")
    assert result.out == "one\ntwo\n"


@ids("I5")
@root_and_user
def test_a_command_on_a_terminal_sees_a_terminal_and_its_size(world):
    run = world.start("run", "--", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size; tty", terminal=True,
                      rows=33, columns=101)
    run.wait_for("33 101")
    run.wait_for("/dev/pts/")
    assert run.wait() == 0


@ids("I5")
@root_and_user
def test_a_change_of_the_window_reaches_the_command(world):
    run = world.start("run", "--", world.helper("victim"), "--report", terminal=True)
    run.wait_for("READY")
    run.resize(50, 120)
    run.wait_for("got SIGWINCH")


@ids("I5")
@root_and_user
def test_ctrl_c_ends_it_gracefully(world):
    run = world.start("run", "--port", "5000", "--", world.helper("victim"), "--graceful", "5000", terminal=True)
    run.wait_for("READY 5000")
    run.send("\x03")
    run.wait_for("got SIGINT")
    assert run.wait() == 0
    world.nothing_left()
    assert bindable(5000)


@ids("I5")
@root_and_user
def test_ctrl_c_twice_is_hard(world):
    run = world.start("run", "--name", "web", "--port", "5000", "--", world.helper("victim"), "--ignore-int",
                      "--ignore-term", "5000", terminal=True)
    run.wait_for("berth: web is")
    run.send("\x03")
    wait_until(lambda: world.status("web")["state"] == "stopping", "the first is seen")  # else the kernel makes one of two
    run.send("\x03")
    run.wait(5)
    world.nothing_left()
    assert bindable(5000)


@ids("I5")
@root_and_user
def test_ctrl_c_reaches_the_command_once(world):
    """The terminal's own signal and no second one from berth: a REPL would end on it."""
    run = world.start("run", "--", "sh", "-c",
                      "trap 'n=$((n+1)); echo int $n' INT; echo up; while :; do read line && echo \"read $line\"; done",
                      terminal=True)
    run.wait_for("up")
    run.send("\x03")
    run.wait_for("int 1")
    run.send("next\n")
    run.wait_for("read next")
    assert "int 2" not in run.out
    run.signal(signal.SIGTERM)
    run.wait()


@ids("I5")
@root_and_user
def test_ctrl_c_three_times_in_two_seconds_is_hard_for_what_has_not_listened(world):
    """Before that it is the command's own affair."""
    run = world.start("run", "--", "sh", "-c", "trap 'n=$((n+1)); echo int $n' INT; echo up; while :; do read line; done",
                      terminal=True)
    run.wait_for("up")
    for number in (1, 2):
        run.send("\x03")
        run.wait_for(f"int {number}")
        assert run.popen.poll() is None and len(world.services()) == 1
    run.send("\x03")
    assert run.wait() == 128 + signal.SIGKILL
    world.nothing_left()


@ids("I5")
@root_and_user
def test_ctrl_backslash_ends_the_command_and_berth_says_so(world):
    run = world.start("run", "--", "sh", "-c", "ulimit -c 0; echo up; exec sleep 1000", terminal=True)
    run.wait_for("up")
    wait_until(lambda: any(process.comm == "sleep" for process in world.living()), "the command itself")
    run.send("\x1c")
    assert run.wait() == 128 + signal.SIGQUIT
    world.nothing_left()


@ids("I5")
@root_and_user
def test_ctrl_z_stops_the_job_and_fg_goes_on(world):
    shell = world.spawn(["bash", "--norc", "--noprofile", "-i"], terminal=True)
    victim = world.victim()
    shell.send(" ".join([BERTH, "run", "--name", "web", "--port", "5000", "--", *victim.argv(5000)]) + "\n")
    assert victim.port == 5000
    shell.send("\x1a")
    shell.wait_for("Stopped")
    pid = world.status("web")["pid"]
    wait_until(lambda: Process(pid).state == "T", "the command is stopped with its job")
    supervisor = world.status("web")["supervisor_pid"]
    assert Process(supervisor).state != "T"  # it still answers
    shell.send("fg\n")
    wait_until(lambda: Process(pid).state != "T", "the command goes on")
    assert answer(5000)["say"] == victim.name
    shell.send("\x03")
    wait_until(lambda: not alive(pid), "Ctrl-C after fg")
    shell.send("echo code=$?\n")
    shell.wait_for(r"code=130")
    shell.send("exit\n")
    shell.wait()


@ids("I5")
@root_and_user
def test_a_job_in_the_background_may_not_read_the_terminal(world):
    """As without berth: SIGTTIN stops it until fg."""
    shell = world.spawn(["bash", "--norc", "--noprofile", "-i"], terminal=True)
    shell.send(f"{BERTH} run --name reader -- sh -c 'echo started; read line; echo \"got $line\"' &\n")
    shell.wait_for(r"started\r?$")
    shell.send("\n")
    wait_until(lambda: shell.send("jobs\n") or shell.pump(0.1) and "Stopped" in shell.out, "SIGTTIN")
    shell.send("fg\n")
    shell.send("hello\n")
    shell.wait_for("got hello")
    shell.send("exit\n")
    shell.wait()


@ids("I5")
@root_and_user
def test_job_control_in_a_shell_inside_works(world):
    run = world.start("run", "--", "bash", "--norc", "--noprofile", "-i", terminal=True)
    run.send("sh -c 'echo in $((1+1)); exec cat'\n")
    run.wait_for("^in 2")
    run.send("\x1a")
    run.wait_for("Stopped")
    run.send("exit\nexit\n")
    run.wait()
    assert "no job control" not in run.out


@ids("I5")
@root_and_user
def test_a_pipeline_and_its_other_members_are_left_alone(world):
    result = world.run(["sh", "-c", f"{BERTH} run -- sh -c 'echo one; echo two' | tee copy | wc -l"])
    assert result.out.strip() == "2"


@ids("N5")
@root_and_user
def test_a_member_of_the_same_pipeline_survives_the_end_of_berth(world):
    """Never by a session or process group that berth did not create."""
    victim = world.victim()
    shell = world.spawn(["sh", "-c", '"$@" | (cat; echo "tee goes on")', "sh", BERTH, "run", "--name", "web", "--",
                         *victim.argv(5000)])
    victim.ready()
    kill(world.status("web")["supervisor_pid"])
    shell.wait_for("tee goes on", "out")
    assert shell.wait() == 0


@ids("I5")
@root_and_user
def test_no_zombies_and_no_descriptors_of_ours_in_the_command(world):
    result = world.berth("run", "--port", "5000", "--", "sh", "-c", "ls -l /proc/self/fd")
    links = [line.split(" -> ")[1] for line in result.out.splitlines() if " -> " in line]
    assert not [link for link in links if link.startswith(("socket:", "anon_inode:"))], links


@ids("I5")
@root_and_user
def test_signal_dispositions_are_as_the_caller_had_them(world):
    """A mask or ignored SIGPIPE that leaks breaks programs in ways that nobody finds."""
    read = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    bare = world.run(read).out
    assert world.berth("run", "--", *read).out == bare


@ids("I5")
def test_exec_replaces_nothing_of_umask_nice_and_folder(world):
    script = 'umask; nice; pwd; ulimit -c'
    bare = world.run(["sh", "-c", script]).out
    assert world.berth("run", "--", "sh", "-c", script).out == bare
