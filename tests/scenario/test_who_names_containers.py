# SPDX-License-Identifier: MIT
# scenario/test_who_names_containers.py - D1: a port that a container publishes has the container's name
"""podman as root, in the test's own network namespace: the bridge, the rules of the packet filter and conmon are there.

The image is busybox and nothing else; nothing is fetched. root sees the namespaces of other tests too, so holders are
looked at here only if they are in the test's own, unless said otherwise."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

from berthtest import DEADLINE, SLOW, descendants, ids, kill, listeners, need, skip, wait_until
from test_berth_is_pid_1_in_a_container import Engine, write_image
from test_json_matches_its_schemas import validate
from test_ls_shows_the_machine import engine as fake_engine

IMAGE = "localhost/busybox:test"
# Networks of our own, not those that the machine's administrator has made.
NETWORKS = """
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""


class Podman(Engine):
    def __init__(self, folder):
        super().__init__(folder)
        os.mkdir(f"{folder}/networks")
        with open(self.env["CONTAINERS_CONF"], "a", encoding="ascii") as file:
            file.write(NETWORKS.format(folder=folder))
        self.folder = folder


@pytest.fixture(scope="module")
def podman():
    need("podman", "busybox", "nft", "iptables")
    if os.geteuid() != 0 or "BERTH_TEST_USERNS" in os.environ:
        skip("podman without root needs more of the machine than a test may ask for")
    folder = tempfile.mkdtemp(prefix="bt-podman-", dir="/tmp")
    engine = Podman(folder)
    try:
        image = os.path.join(folder, "image.tar")
        write_image(image, [shutil.which("busybox")])
        made = engine("import", image, IMAGE, check=False)
        if made.returncode:
            skip(f"podman can't make an image here: {made.stderr.strip().splitlines()[-1]}")
        yield engine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def serve(podman, world):
    """serve(NAME, PORT, podman's options...) starts a container with a web server; its id."""
    started = []

    def start(name, port, *options):
        result = podman("run", "--detach", "--name", name, *options, IMAGE, "/bin/busybox", "httpd", "-f", "-p", str(port),
                        check=False)
        if result.returncode:
            podman("rm", "--force", "--time=0", name, check=False)
            skip(f"podman can't run a container here: {result.stderr.strip().splitlines()[-1]}")
        started.append(result.stdout.strip())
        return started[-1]

    yield start
    # Within the namespace where they began: there are their rules.
    for container in started:
        podman("rm", "--force", "--time=0", container, check=False)


@pytest.fixture
def service(podman, world):
    """podman's own service; what to set for berth to find it."""
    path = os.path.join(podman.folder, "podman.sock")
    process = subprocess.Popen([*podman.argv, "system", "service", "--time=0", f"unix://{path}"], env=podman.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(path), "podman's service has its socket")
        yield {"DOCKER_HOST": f"unix://{path}"}
    finally:
        process.terminate()
        process.wait(DEADLINE + 10 * SLOW)
        if os.path.exists(path):
            os.unlink(path)


def all_holders(world, port, protocol="tcp", check=0, options=(), **env):
    document = world.berth("who", "--json", *options, str(port), check=check, env=env).json
    validate(document, "who")
    return next(entry for entry in document["ports"] if (entry["port"], entry["protocol"]) == (port, protocol))["holders"]


def holders(world, port, *arguments, **options):
    return [holder for holder in all_holders(world, port, *arguments, **options) if holder["netns"] == "same"]


def only(found):
    assert len(found) == 1, found
    return found[0]


def named(holder):
    container = holder["container"]
    return container and (container["name"], container["id"], container["engine"])


@ids("D1")
def test_a_published_port_is_held_by_conmon_for_a_container(world, serve):
    container = serve("bt-web", 8080, "--publish", "127.0.0.1:18480:8080")
    holder = only(holders(world, 18480))
    assert holder["kind"] == "listener" and holder["process"] == "conmon" and holder["in_the_way"], holder
    assert named(holder) == ("bt-web", container, "podman"), holder
    lines = [line.split() for line in world.berth("who", "18480").out.splitlines()]
    assert [line for line in lines if line[0] == "18480" and line[-1] == "bt-web"], lines


@ids("D1")
def test_each_port_of_a_range_and_udp_belong_to_the_container(world, serve, service):
    container = serve("bt-range", 8080, "--publish", "18481-18483:8080-8082", "--publish", "18490:53/udp")
    for env in ({}, service):  # podman's service tells of the first port only
        for port in (18481, 18482, 18483):
            assert named(only(holders(world, port, **env))) == ("bt-range", container, "podman")
        assert named(only(holders(world, 18490, "udp", options=("--udp",), **env))) == ("bt-range", container, "podman")


@ids("D1")
def test_with_the_network_of_the_host_the_server_itself_is_the_holder(world, serve):
    container = serve("bt-host", 18500, "--network=host")
    wait_until(lambda: ("::", 18500) in listeners() or ("0.0.0.0", 18500) in listeners(), "it listens")
    holder = only(holders(world, 18500))
    assert holder["process"] == "busybox" and holder["command"][:2] == ["/bin/busybox", "httpd"], holder
    assert named(holder) == ("bt-host", container, "podman")


@ids("D1")
def test_what_listens_inside_is_shown_and_not_in_the_way(world, serve):
    container = serve("bt-inside", 18600)

    def inside():
        return [holder for holder in all_holders(world, 18600, check=None)
                if (holder["container"] or {}).get("id") == container]

    holder = only(wait_until(inside, "it listens"))
    assert holder["netns"] == "bt-inside" and not holder["in_the_way"] and holder["kind"] == "listener", holder


@ids("D1")
def test_the_filter_leads_to_a_container_though_nobody_listens(world, serve, podman):
    """Symptom: a port that answers, and that neither ss nor lsof know."""
    container = serve("bt-nat", 8080, "--publish", "18700:8080")
    known = json.loads(podman("inspect", container).stdout)[0]
    address, server = known["NetworkSettings"]["IPAddress"], known["State"]["Pid"]
    kill(known["State"]["ConmonPid"])
    wait_until(lambda: ("0.0.0.0", 18700) not in listeners(), "conmon's socket is gone")
    holder = only(holders(world, 18700))
    # An orphan is ours to reap, and podman waits for that.
    kill(server)
    wait_until(lambda: descendants() is not None and not os.path.exists(f"/proc/{server}"), "the server is reaped")
    assert holder["kind"] == "container" and holder["pid"] is None and not holder["in_the_way"], holder
    assert holder["peer"] == f"{address}:8080" and holder["container"]["id"] == container, holder


@ids("D1")
def test_a_rule_that_says_no_id_is_named_by_the_address_that_it_leads_to(world, serve, podman, service):
    container = serve("bt-rule", 8080)
    address = json.loads(podman("inspect", container).stdout)[0]["NetworkSettings"]["IPAddress"]
    rules = f"table ip bt {{\nchain p {{\ntype nat hook prerouting priority -100\ntcp dport 18800 dnat to {address}:8080\n}}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=DEADLINE)
    holder = only(holders(world, 18800, **service))
    assert holder["kind"] == "container" and holder["peer"] == f"{address}:8080", holder
    assert named(holder) == ("bt-rule", container, "podman")
    assert holder["container"]["image"] == IMAGE


@ids("D1")
def test_a_range_shows_what_rules_and_engines_lead_away(world):
    """Of a range only what has a socket was told: `who 8100` named the rule, and `who 8100-8110` said that nobody is there."""
    need("nft")
    rules = """table ip bt {
chain p {
type nat hook prerouting priority -100
tcp dport 8100 redirect to :9100
tcp dport 8104-8105 dnat to 10.0.0.8
udp dport 8106 redirect to :9106
tcp dport 20000-30000 redirect to :9999
}
}
"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, timeout=DEADLINE)
    containers = [{"Id": "4f1c" * 16, "Names": ["/cache"], "Image": "redis:7", "State": "running", "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 6379, "PublicPort": 8108, "Type": "tcp"}]}]
    with fake_engine(world, containers) as path:
        env = {"DOCKER_HOST": f"unix://{path}"}
        document = world.berth("who", "--json", "8090-8110", env=env).json
        validate(document, "who")
        both = world.berth("who", "--json", "-u", "8090-8110", env=env).json
        wide = world.berth("who", "--json", "25000-25010", env=env, check=3).json
    assert [(port["port"], port["holders"][0]["kind"], port["holders"][0]["peer"]) for port in document["ports"]] == [
        (8100, "container", ":9100"), (8104, "container", "10.0.0.8"), (8105, "container", "10.0.0.8"),
        (8108, "container", None)]
    assert document["ports"][-1]["holders"][0]["container"]["name"] == "cache"
    assert [(port["port"], port["protocol"]) for port in both["ports"]] == [
        (8100, "tcp"), (8104, "tcp"), (8105, "tcp"), (8106, "udp"), (8108, "tcp")]
    assert wide["ports"] == [] and "a rule leads clients of 20000-30000 to :9999" in wide["unseen"]
