# SPDX-License-Identifier: MIT
# scenario/test_doctor_tells_why_the_browser_does_not_reach_it.py - "the frontend can't connect", answered
"""berth doctor SERVICE against real servers (servers/web.py), each of which does one thing wrong, or none."""

import os
import signal
import socket

import pytest

from berthtest import SERVERS, UNKNOWN, alive, ids, kill, need, root_and_user, wait_until
from test_json_matches_its_schemas import validate

WEB = ["/usr/bin/python3", f"{SERVERS}/web.py"]
PAGES = "http://localhost:5173, http://127.0.0.1:3000"


def serve(world, *arguments, options=(), origins=None):
    """A background service "api" that runs web.py; its document."""
    if origins:
        options = [*options, "-e", f"BERTH_CORS_ORIGINS={origins}"]
    document = world.run_d("--name", "api", "--port", "5000", *options, "--", *WEB, *map(str, arguments))
    return document["service"]


def doctor(world, code, **options):
    """The checks of "api" by name, of those with an origin by "cors ORIGIN"; all that is printed is checked on the way."""
    result = world.berth("doctor", "api", "--json", check=code, **options)
    validate(result.json, "doctor-service")
    checks = result.json["services"][0]["checks"]
    assert result.json["ok"] == (code == 0) == all(check["result"] != "missing" for check in checks), result
    for check in checks:
        assert bool(check["cost"]) == (check["result"] != "ok"), check
        assert check["result"] != "ok" or not check["fix"], check
        assert all(char.isprintable() for char in check["found"] + (check["cost"] or "")), check
    return {f"{check['name']} {check['origin']}" if check["origin"] else check["name"]: check for check in checks}


def results(checks):
    return {name: check["result"] for name, check in checks.items()}


@ids("D6")
@root_and_user
def test_a_service_that_is_right_is_all_ok(world):
    service = serve(world, "127.0.0.1:5000", "[::1]:5000", "right", origins=PAGES)
    checks = doctor(world, 0)
    assert results(checks) == dict.fromkeys([
        "running", "listening", "localhost", "http", "browser",
        "cors http://localhost:5173", "cors http://127.0.0.1:3000"], "ok"), checks
    assert f"ready, pid {service['pid']}, started " in checks["running"]["found"]
    assert "127.0.0.1:5000" in checks["listening"]["found"] and "[::1]:5000" in checks["listening"]["found"]
    assert "(IPv4 and IPv6)" in checks["listening"]["found"]
    assert "to nobody else" in checks["localhost"]["found"]
    assert "200 by 'BaseHTTP" in checks["http"]["found"]
    assert "with credentials" in checks["cors http://127.0.0.1:3000"]["found"]


@ids("D6")
@root_and_user
def test_the_rows_are_those_of_doctor(world):
    serve(world, "127.0.0.1:5000", "none", origins=PAGES)
    result = world.berth("doctor", "api", check=1)
    lines = result.out.splitlines()
    assert lines[0].startswith("ok        running         ready, pid ")
    assert any(line.startswith("missing   cors            http://localhost:5173 is not allowed") for line in lines), result
    assert any(line.startswith(26 * " " + "cost: a page of http://localhost:5173 ") for line in lines), result
    assert result.err == "berth: 2 things are wrong with 'shop/api'\n"
    assert "running" not in world.berth("doctor", "api", "-q", check=1).out
    assert world.berth("doctor", "5000", check=1).out.splitlines()[1:] == lines[1:]


@ids("D6")
@pytest.mark.parametrize("how, code, found", [
    ("none", 1, "(200) has no Access-Control-Allow-Origin"),
    ("credentials", 1, "'*' together with credentials"),
    ("twice", 1, "has Access-Control-Allow-Origin twice"),
    ("no-preflight", 1, "OPTIONS / is answered with 404"),
    ("star", 0, "every origin is (*)"),
    ("anybody", 0, "as whoever asks is, with credentials"),
])
def test_a_cors_header_that_is_wrong(world, how, code, found):
    serve(world, "127.0.0.1:5000", how, origins=PAGES)
    checks = doctor(world, code)
    wrong = "missing" if code else "degraded"
    for origin in ("http://localhost:5173", "http://127.0.0.1:3000"):
        check = checks.pop(f"cors {origin}")
        assert check["result"] == wrong and found in check["found"] and origin in check["found"], check
    assert "missing" not in results(checks).values()


def test_an_origin_that_is_none_is_said(world):
    serve(world, "127.0.0.1:5000", "right", origins="http://localhost:5173/ *")
    checks = doctor(world, 1)
    assert "is no origin" in checks["cors http://localhost:5173/"]["found"]
    assert "is no origin" in checks["cors *"]["found"]


def test_without_origins_nothing_is_said_of_them(world):
    serve(world, "127.0.0.1:5000", "none")
    assert set(doctor(world, 0)) == {"running", "listening", "localhost", "http", "browser"}


def test_origins_from_the_environment_and_from_a_file_count_too(world):
    path = world.write(".env", "BERTH_CORS_ORIGINS=http://localhost:1\n")
    serve(world, "127.0.0.1:5000", "none", options=["--env-file", path])
    assert "cors http://localhost:1" in doctor(world, 1)
    world.berth("stop", "api")
    world.run_d("--name", "api", "--port", "5000", "--", *WEB, "127.0.0.1:5000", "none",
                env={"BERTH_CORS_ORIGINS": "http://localhost:2"})
    assert "cors http://localhost:2" in doctor(world, 1)


@ids("D6")
@pytest.mark.parametrize("place, hosts, result, found", [
    ("127.0.0.1:5000", "::1 localhost\n127.0.0.1 localhost\n", "degraded", "by fallback: localhost is [::1] first"),
    ("127.0.0.1:5000", "127.0.0.1 localhost\n", "ok", "which is 127.0.0.1"),
    ("[::1]:5000", "127.0.0.1 localhost\n", "degraded", "127.0.0.1 alone to all but browsers"),
    ("[::1]:5000", "::1 localhost\n", "ok", "which is [::1]"),
    ("127.0.0.1:5000", "127.0.0.1 elsewhere\n", "degraded", "no resolver here does"),
])
def test_one_family_is_reached_by_fallback(world, place, hosts, result, found):
    """Browsers go on to the second address of localhost, other programs may not."""
    serve(world, place, "right")
    path = world.write("hosts", hosts)
    nss = world.write("nsswitch.conf", "hosts: files\n")
    script = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", path, nss]
    if world.run([*argv, "true"], check=None).code:
        pytest.skip("no mount namespace can be had")
    berth = world.berth("version").argv[0]
    checks = {check["name"]: check for check in
              world.run([*argv, berth, "doctor", "api", "--json"]).json["services"][0]["checks"]}
    assert checks["browser"]["result"] == result and found in checks["browser"]["found"], checks["browser"]
    assert ("IPv4 only" if "127" in place else "IPv6 only") in checks["listening"]["found"]
    assert "nobody is on" in checks["localhost"]["found"]


@ids("D6")
@root_and_user
def test_a_stranger_on_the_other_family_is_named(world):
    # Unsteered, its holders let in whoever sets SO_REUSEADDR.
    serve(world, "127.0.0.1:5000", "right", options=["--steer=off"])
    stranger = world.stranger("[::1]:5000")
    checks = doctor(world, 1)
    assert checks["localhost"]["result"] == "missing"
    assert f"on [::1], port 5000, victim {stranger.pid} answers" in checks["localhost"]["found"]
    assert checks["localhost"]["fix"] == f"kill {stranger.pid}"
    assert "GET / is answered" in checks["http"]["found"], "the service was asked, not the stranger"
    assert f"victim {stranger.pid} comes before it" in checks["browser"]["found"]
    world.run(["sh", "-c", checks["localhost"]["fix"]])
    wait_until(lambda: not alive(stranger.pid), "the stranger has ended")
    assert doctor(world, 0)["localhost"]["result"] == "ok"


def test_a_stranger_of_another_user_is_not_left_out(world):
    serve(world, "127.0.0.1:5000", "right", options=["--steer=off"])
    world.occupy(5000, "::1")
    checks = doctor(world, 1)
    assert str(os.getpid()) in checks["localhost"]["found"]


@ids("D6")
@pytest.mark.parametrize("how, code, result, found", [
    ("banner", 0, "degraded", r"it answers, but not HTTP: '220 \e[31mready"),
    ("close", 1, "missing", "closes the connection"),
    ("silent", 1, "missing", "no answer to GET / within 2 seconds"),
])
def test_what_does_not_answer_http(world, how, code, result, found):
    serve(world, "127.0.0.1:5000", how, origins=PAGES)
    checks = doctor(world, code)
    assert checks["http"]["result"] == result and found in checks["http"]["found"], checks["http"]
    assert set(checks) == {"running", "listening", "localhost", "http"}


def test_tls_behind_a_plain_url_is_noticed(world):
    need("openssl")
    pem = os.path.join(world.folder, "both.pem")
    world.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem, "-out", f"{pem}.crt",
               "-days", "1", "-subj", "/CN=localhost"])
    with open(f"{pem}.crt", encoding="ascii") as crt, open(pem, "a", encoding="ascii") as both:
        both.write(crt.read())
    serve(world, "127.0.0.1:5000", "tls", pem, origins=PAGES)
    checks = doctor(world, 1)
    assert "speaks TLS" in checks["http"]["found"]
    assert "it speaks TLS, and its URL is http://localhost:5000" in checks["browser"]["found"]
    assert "https://localhost:5000" in checks["browser"]["cost"]
    assert checks["cors"]["result"] == "degraded"


def test_a_server_that_asks_for_tls_in_plain_http_is_noticed(world):
    """As nginx does: its 400 is an answer in HTTP, but not the one that a page is."""
    serve(world, "127.0.0.1:5000", "polite")
    assert "speaks TLS" in doctor(world, 1)["http"]["found"]


def test_a_number_that_browsers_refuse(world):
    # A wish for it is moved; what the program has in its code is its own affair.
    world.run_d("--name", "api", "--", *WEB, "127.0.0.1:6000", "right")
    checks = doctor(world, 1)
    assert "browsers refuse to connect to port 6000" in checks["browser"]["found"]


def test_one_interface_address_is_not_localhost(world):
    need("ip")
    world.run(["ip", "addr", "add", "10.9.8.7/32", "dev", "lo"])
    serve(world, "10.9.8.7:5000", "right")
    checks = doctor(world, 1)
    assert "10.9.8.7:5000 (IPv4 only)" in checks["listening"]["found"]
    assert "GET / is answered with 200" in checks["http"]["found"]
    assert "it is not on localhost" in checks["browser"]["found"]


@ids("D6")
@root_and_user
def test_what_does_not_run_is_exit_3(world):
    assert world.berth("doctor", "api", "--json", check=UNKNOWN).error["code"] == "not-found"
    serve(world, "127.0.0.1:5000", "right")
    world.berth("stop", "api")
    result = world.berth("doctor", "api", check=UNKNOWN)
    assert "'api' does not run" in result.err and "berth run --name api" in result.err


def test_a_service_that_listens_elsewhere(world):
    """Unsteered, with a number of its own: what it was given is not where it is."""
    world.start("run", "--name", "api", "--port", "5000", "--steer=off", "--", *world.victim("v").argv("127.0.0.1:7000"))
    wait_until(lambda: os.path.exists(os.path.join(world.folder, "v-v", "ready")), "it listens")
    checks = doctor(world, 1)
    assert "not on port 5000, which it was given, but on 127.0.0.1:7000" in checks["listening"]["found"]


def test_between_two_lives_it_waits(world):
    world.run_d("--name", "api", "--port", "5000", "--restart", "always", "--backoff", "60s", "--backoff-max", "60s",
                "--restart-limit", "none", "--", *WEB, "127.0.0.1:5000", "right")
    for _ in range(3):
        service = world.status("api")
        if service["state"] == "waiting":
            break
        kill(service["pid"], signal.SIGKILL)
        wait_until(lambda pid=service["pid"]: world.status("api")["pid"] != pid, "its next life, or none")
    assert service["state"] == "waiting" or world.status("api")["state"] == "waiting"
    checks = doctor(world, 1)
    assert "starts again in" in checks["running"]["found"]
    assert checks["listening"]["result"] in ("missing", "degraded")


def test_each_instance_has_its_own_answer(world):
    world.run_d("--name", "api", "--port", "5000", "--instances", "2", "--", *WEB, "127.0.0.1:5000", "right")
    result = world.berth("doctor", "api")
    assert [line for line in result.out.splitlines() if line.startswith("shop/")] == ["shop/api", "shop/api.2"]
    documents = world.berth("doctor", "api", "--json").json
    validate(documents, "doctor-service")
    assert [document["service"]["instance"] for document in documents["services"]] == [1, 2]


def test_each_of_several_ports_has_its_rows(world):
    """Those of a debugger are not for clients, and origins are asked for at the first one only."""
    world.run_d("--name", "api", "--port", "main=5000", "--port", "admin=5001",
                "-e", "BERTH_CORS_ORIGINS=http://localhost:1", "--", *WEB,
                "127.0.0.1:5000", "127.0.0.1:5001", "127.0.0.1:9229", "right")
    lines = [line.split()[1] for line in world.berth("doctor", "api").out.splitlines() if line[0] != " "]
    assert lines == ["running", "listening", "localhost", "http", "browser", "cors",
                     "listening:admin", "localhost:admin", "http:admin", "browser:admin"]


def test_nothing_is_left_and_nothing_disturbed(world):
    """Asking is no bind: the port has its listener and nobody else, before and after."""
    serve(world, "127.0.0.1:5000", "right", origins=PAGES)
    doctor(world, 0)
    with open("/proc/thread-self/net/tcp", encoding="ascii") as file:
        states = {line.split()[3] for line in list(file)[1:] if line.split()[1].endswith(":1388")}
    assert states <= {"0A", "06", "07"}, "listener, its holder and TIME_WAIT of its answers"
    assert world.status("api")["restarts"] == 0
    with socket.create_connection(("127.0.0.1", 5000)) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"hello" in sock.makefile("rb").read()
