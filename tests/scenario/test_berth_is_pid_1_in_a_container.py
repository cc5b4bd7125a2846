# SPDX-License-Identifier: MIT
# scenario/test_berth_is_pid_1_in_a_container.py - F6: `berth run` as the entry point of an image
"""In podman, with the seccomp profile and the capabilities that it gives by default, and no network but lo.

The image is made of the binaries under test, their libraries and busybox; nothing is fetched."""

import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile

import pytest

from berthtest import BERTH, DEADLINE, NO_PORT, OWN_FAILURE, SLOW, ids, need, skip, wait_until

APPLETS = ("cat", "kill", "ls", "nc", "ps", "sh", "sleep", "wget")
# No limit above what we may have ourselves, and no daemon or bus that may be missing.
CONFIG = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
{runtime}cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""
PROFILE = "/usr/share/containers/seccomp.json"
# What Docker's own profile refuses without CAP_SYS_ADMIN and CAP_SYS_PTRACE, and podman's does not: the answers.
REFUSED_BY_DOCKER = {"clone3": errno.ENOSYS, "pidfd_getfd": errno.EPERM, "process_madvise": errno.EPERM, "kcmp": errno.EPERM}


def libraries(path):
    """What it is linked with, the loader included; nothing for a static program."""
    told = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+) \(0x", told)


def write_image(path, programs):
    with tarfile.open(path, "w") as tar:
        def add_text(name, text):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))

        for name in ("tmp", "root", "proc", "dev", "run"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(info)
        add_text("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        for program in programs:
            tar.add(os.path.realpath(program), f"bin/{os.path.basename(program)}")
        for library in sorted({library for program in programs for library in libraries(program)}):
            tar.add(os.path.realpath(library), library.lstrip("/"))
        for applet in APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)


class Engine:
    """podman with storage of its own."""

    def __init__(self, folder):
        runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
        config = os.path.join(folder, "containers.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(runtime=runtime))
        self.env = {**os.environ, "CONTAINERS_CONF": config}
        self.argv = ["podman", "--root", f"{folder}/storage", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp",
                     "--storage-driver", "vfs"]

    def __call__(self, *arguments, check=True, deadline=DEADLINE + 30 * SLOW):
        result = subprocess.run([*self.argv, *arguments], env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=deadline, check=False)
        assert not check or result.returncode == 0, f"podman {' '.join(arguments)}: {result}"
        return result


@pytest.fixture(scope="module")
def engine(helper):
    need("podman", "busybox", "ldd")
    if os.geteuid() != 0 or "BERTH_TEST_USERNS" in os.environ:
        skip("podman without root needs more of the machine than a test may ask for")
    folder = tempfile.mkdtemp(prefix="bt-podman-", dir="/tmp")
    podman = Engine(folder)
    try:
        image = os.path.join(folder, "image.tar")
        write_image(image, [BERTH, helper("victim"), shutil.which("busybox")])
        made = podman("import", image, "localhost/berth:test", check=False)
        tried = made.returncode or podman("run", "--rm", "--network=none", "localhost/berth:test", "berth", "--version",
                                          check=False)
        if tried is made.returncode or tried.returncode:
            told = (made if made.returncode else tried).stderr.strip().splitlines()
            skip(f"podman can't run a container here: {told[-1] if told else 'it does not say why'}")
        yield podman
    finally:
        podman("rm", "--all", "--force", "--time=0", check=False)
        shutil.rmtree(folder, ignore_errors=True)


class Container:
    """One whose pid 1 is berth."""

    def __init__(self, podman, command, env, profile=None):
        options = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        options += ["--security-opt", f"seccomp={profile}"] if profile else []
        self.podman = podman
        self.id = podman("run", "--detach", "--network=none", *options, "localhost/berth:test", *command).stdout.strip()

    def exec(self, *command, check=True):
        return self.podman("exec", self.id, *command, check=check)

    def log(self):
        result = self.podman("logs", self.id)
        return result.stdout + result.stderr

    def wait_for(self, pattern):
        wait_until(lambda: re.search(pattern, self.log(), re.M), lambda: f"a line like {pattern!r} in {self.log()}")

    def kill(self, name):
        self.podman("kill", "--signal", name, self.id)

    def ended(self):
        """Its exit code."""
        return int(self.podman("wait", self.id).stdout)

    def processes(self):
        """{pid: (state, parent, name)} of all that are in it, but the one that looks."""
        found = {}
        text = self.exec("sh", "-c", "for f in /proc/[0-9]*/stat; do cat $f 2>/dev/null; done; echo look $$").stdout
        looker = int(re.search(r"^look (\d+)", text, re.M)[1])
        for pid, name, state, parent in re.findall(r"^(\d+) \((.*)\) (\S) (\d+)", text, re.M):
            if looker not in (int(pid), int(parent)):
                found[int(pid)] = (state, int(parent), name)
        return found

    def pid_of(self, name):
        return next(pid for pid, process in self.processes().items() if process[2] == name)

    def answer(self, port):
        return json.loads(self.exec("wget", "-q", "-O", "-", f"http://127.0.0.1:{port}/").stdout)

    def status(self):
        return json.loads(self.exec("berth", "status", "--json").stdout)["services"][0]


@pytest.fixture
def run(engine):
    """run(COMMAND..., VARIABLE=value) starts a container, profile=PATH with another seccomp profile."""
    started = []

    def start(*command, profile=None, **env):
        started.append(Container(engine, command, env, profile))
        return started[-1]

    yield start
    for container in started:
        engine("rm", "--force", "--time=0", container.id, check=False)


@ids("F6")
def test_a_hard_coded_port_is_the_one_that_the_platform_gives(run):
    container = run("berth", "run", "--", "victim", "8080", PORT="8081")
    container.wait_for("READY 8081")
    assert container.answer(8081)["server"] == "victim"
    service = container.status()
    assert service["steering"] == "full" and service["guardian_pid"] == 1 and service["ports"][0]["asked"] == 8081
    assert container.processes()[1][2] == "berth"


@ids("F6")
def test_the_port_of_the_platform_is_exact_where_that_is_asked_for(run):
    taken = ("sh", "-c", "victim --say stranger 8081 & "
                         "until wget -q -O - http://127.0.0.1:8081/ >/dev/null 2>&1; do :; done; "
                         "exec berth run -- victim 8080")
    container = run(*taken, PORT="8081", BERTH_STRICT="1")
    assert container.ended() == NO_PORT
    assert "8081" in container.log() and "READY 8081" in container.log()
    container = run(*taken, PORT="8081")
    container.wait_for("READY 808[2-9]")
    container = run("berth", "run", "--", "victim", "8080", PORT="8081", BERTH_STRICT="1")
    container.wait_for("READY 8081")


@ids("F6", "I4")
def test_a_stop_of_the_container_is_a_graceful_stop_of_the_service(run):
    container = run("berth", "run", "--", "victim", "--graceful", "8080", PORT="8081")
    container.wait_for("READY 8081")
    container.podman("stop", "--time=20", container.id)
    assert container.ended() == 0
    container.wait_for("got SIGTERM")


@ids("F6", "I4")
def test_the_exit_code_is_the_command_s(run):
    container = run("berth", "run", "--", "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 1; done")
    container.wait_for("^up")
    container.podman("stop", "--time=20", container.id)
    assert container.ended() == 7
    assert run("berth", "run", "--", "sh", "-c", "exit 9").ended() == 9
    assert run("berth", "run", "--", "sh", "-c", "kill -KILL $$").ended() == 137


@ids("F6")
def test_signals_are_messages_to_the_command_and_no_hang_up(run):
    container = run("berth", "run", "--", "victim", "--report", "8080", PORT="8081")
    container.wait_for("READY 8081")
    for name in ("HUP", "USR1", "USR2", "WINCH"):
        container.kill(name)
        container.wait_for(f"got SIG{name}")
    assert container.answer(8081)["server"] == "victim"
    container.kill("QUIT")
    assert container.ended() == 128 + signal.SIGQUIT


@ids("F6")
def test_nobody_inside_can_kill_what_holds_it_together(run):
    container = run("berth", "run", "--", "victim", "8080", PORT="8081")
    container.wait_for("READY 8081")
    container.exec("kill", "-KILL", "1")
    assert container.answer(8081)["server"] == "victim"
    container.exec("kill", "-KILL", str(container.status()["supervisor_pid"]))
    assert container.ended() == OWN_FAILURE
    assert "supervisor of victim was killed" in container.log()


@ids("F6")
def test_orphans_of_others_are_reaped_and_the_service_goes_on(run):
    container = run("berth", "run", "--", "victim", "8080", PORT="8081")
    container.wait_for("READY 8081")
    before = set(container.processes())
    # The shell between dies at once: nc, whose end nobody waits for, becomes the child of pid 1.
    container.exec("sh", "-c", "(nc -l -p 9000 </dev/null >/dev/null 2>&1 &)")
    orphan = wait_until(lambda: set(container.processes()) - before, "the orphan is there")
    assert len(orphan) == 1 and container.processes()[min(orphan)][1] == 1
    container.exec("kill", "-KILL", str(min(orphan)))
    wait_until(lambda: set(container.processes()) == before, lambda: f"it is reaped: {container.processes()}")
    assert container.answer(8081)["server"] == "victim"


@ids("F6")
def test_the_doctor_finds_all_that_steering_needs(run):
    container = run("berth", "run", "--", "victim", "8080", PORT="8081")
    container.wait_for("READY 8081")
    assert "Seccomp:\t2" in container.exec("cat", "/proc/self/status").stdout  # the profile is in force
    document = json.loads(container.exec("berth", "doctor", "--json", check=False).stdout)
    results = {check["name"]: check["result"] for check in document["checks"]}
    for name in ("lease", "steering", "view", "containment", "sockets", "names"):
        assert results[name] == "ok", document


def write_docker_profile(path):
    with open(PROFILE, encoding="utf-8") as file:
        profile = json.load(file)
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in REFUSED_BY_DOCKER]
    profile["syscalls"] = [rule for rule in profile["syscalls"] if rule["names"]]
    for name, code in REFUSED_BY_DOCKER.items():
        profile["syscalls"].append({"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": code,
                                    "errno": errno.errorcode[code]})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(profile, file)


@ids("F6")
def test_where_the_profile_refuses_steering_a_program_that_asks_for_its_port_gets_it(run, tmp_path):
    """Docker's profile. Symptom: "cannot start 'victim': Function not implemented", as there is no clone3()."""
    if not os.path.exists(PROFILE):
        skip(f"no {PROFILE} to begin with")
    profile = os.path.join(tmp_path, "docker.json")
    write_docker_profile(profile)
    container = run("berth", "run", "--", "victim", "--graceful", "PORT", PORT="8081", profile=profile)
    container.wait_for("READY 8081")
    assert container.answer(8081)["server"] == "victim"
    document = json.loads(container.exec("berth", "doctor", "--json", check=False).stdout)
    steering = next(check for check in document["checks"] if check["name"] == "steering")
    assert steering["result"] == "missing" and "SYS_PTRACE" in steering["fix"], steering
    container.podman("stop", "--time=20", container.id)
    assert container.ended() == 0
