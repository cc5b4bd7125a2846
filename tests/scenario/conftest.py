# SPDX-License-Identifier: MIT
# scenario/conftest.py - makes each test's world and takes it down again
"""Run with `pytest -n 3 tests/scenario` (tools/run-tests does). As root, tests that say so also run as an ordinary user;
without root the whole run first enters a user namespace, and "user" is then root without any capability."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import berthtest  # noqa: E402

USER_UID = 64001  # nobody's, and + the worker's number: tests share nothing


def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(*ids): the rows of the requirements that a test shows")
    if os.geteuid() != 0 and "BERTH_TEST_USERNS" not in os.environ:
        os.environ["BERTH_TEST_USERNS"] = "1"
        os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp()  # not the real root's, whose name we now have
        os.execvp("unshare", ["unshare", "-Urn", sys.executable, "-m", "pytest", *config.invocation_params.args])


def pytest_sessionstart(session):
    berthtest.become_subreaper()


@pytest.fixture(scope="session")
def helper():
    """Path of a program of tests/helpers, or of a library, "NAME.so": Meson's if it built them, else built here, once."""
    source = os.path.join(berthtest.ROOT, "tests", "helpers")
    built = {}

    def find(name):
        if name in built:
            return built[name]
        path = os.path.join(berthtest.BUILD, "tests", "helpers", name)
        text = os.path.join(source, f"{name.removesuffix('.so')}.c")
        kind = ["-shared", "-fPIC"] if name.endswith(".so") else []
        if not os.access(path, os.X_OK) or os.path.getmtime(path) < os.path.getmtime(text):
            path = build_once(name, [text], ["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-pthread", *kind, text, "-o"])
        built[name] = path
        return path

    return find


def build_once(name, sources, command, **options):
    """@command with a path appended makes CACHE/NAME; done by one of the workers, when it is older than @sources."""
    path = os.path.join(berthtest.CACHE, name)
    if os.path.exists(path) and os.path.getmtime(path) >= max(os.path.getmtime(source) for source in sources):
        return path
    os.makedirs(berthtest.CACHE, exist_ok=True)
    with open(os.path.join(berthtest.CACHE, f".{name}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(os.path.getmtime(source) for source in sources)
        if not os.path.exists(path) or os.path.getmtime(path) < newest:
            temporary = f"{path}.new"
            subprocess.run([*command, temporary], check=True, **options)
            os.rename(temporary, path)
    return path


@pytest.fixture
def who(request):
    """ "root" or "user": who runs berth in this test."""
    return getattr(request, "param", "root")


@pytest.fixture
def containment(request):
    """ "subreaper" keeps berth from making a cgroup."""
    return getattr(request, "param", None)


@pytest.fixture
def world(request, who, containment, helper):
    if not os.access(berthtest.BERTH, os.X_OK):
        pytest.fail(f"no berth at {berthtest.BERTH}: build it, or set BERTH_BIN")
    if who == "user" and "BERTH_TEST_USERNS" in os.environ:
        berthtest.skip("needs a second user: run the tests as root for it")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    uid = USER_UID + int(worker) if who == "user" else None
    folder = tempfile.mkdtemp(prefix="bt-", dir="/tmp")
    os.chmod(folder, 0o755)
    back = berthtest.enter_netns()
    world = None
    try:
        world = berthtest.World(folder, uid, helper)
        if containment == "subreaper":
            world.env["BERTH_CONTAINMENT"] = "subreaper"
        yield world
    finally:
        left = world.end() if world else []
        berthtest.leave_netns(back)
        failed = getattr(request.node, "failed", False)
        if failed:
            show_logs(world)
        reports = world.sanitizer_reports() if world else ""
        shutil.rmtree(folder, ignore_errors=True)
        if reports:
            pytest.fail(f"a sanitizer has found something:\n{reports}")
        if left and not failed:
            pytest.fail(f"left behind when the supervisor was killed at the end of the test: {left}")


def show_logs(world):
    """What the services said, for the reader of a failure."""
    for folder, _, files in os.walk(os.path.join(world.state, "berth")):
        for name in files:
            if name.endswith(".log"):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    print(f"--- {name}\n{file.read()[-2000:]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True
