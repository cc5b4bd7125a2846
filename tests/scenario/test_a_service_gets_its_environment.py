# SPDX-License-Identifier: MIT
# scenario/test_a_service_gets_its_environment.py - P5, P9, S5: what a program is told, and what it is not
"""PORT, its named ports, who it is; --env-file, -e, .env; --pass-socket; --loopback."""

import os
import re

from berthtest import OWN_FAILURE, answer, http, ids, listeners, refused, root_and_user

SHOW = ["sh", "-c", "env | sort"]


def environment(world, *options, **more):
    result = world.berth("run", *options, "--", *SHOW, **more)
    return dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)


@ids("P9")
@root_and_user
def test_port_and_who_it_is(world):
    env = environment(world, "--name", "api", "--port", "9001")
    assert env["PORT"] == env["BERTH_PORT_MAIN"] == "9001" if "BERTH_PORT_MAIN" in env else env["PORT"] == "9001"
    assert env["BERTH_PROJECT"] == "shop" and env["BERTH_SERVICE"] == "api" and env["BERTH_INSTANCE"] == "1"
    assert re.fullmatch(r"[0-9a-z]{4,}", env["BERTH_ID"])
    assert env["API_PORT"] == "9001" and env["API_URL"] == "http://localhost:9001" and env["API_HOST"]


@ids("P9")
def test_named_ports(world):
    env = environment(world, "--name", "viewer", "--port", "http=8080", "--port", "ws=8081")
    assert env["BERTH_PORT_HTTP"] == "8080" and env["BERTH_PORT_WS"] == "8081"
    assert env["VIEWER_WS_PORT"] == "8081"
    assert env["PORT"] == "8080"


@ids("P9")
def test_no_wish_no_port(world):
    """The program binds its own default: PORT would be a guess."""
    assert "PORT" not in environment(world)


@ids("P9")
def test_new_always_has_a_port(world):
    assert environment(world, "--new", "--port", "5000")["PORT"] == "5000"


@ids("P5")
@root_and_user
def test_env_file_gives_the_service_its_values_and_flags_win(world):
    world.write("dev.env", "A=from file\nB='quoted #'\n# comment\nexport C=three\nPORT=9005\n")
    env = environment(world, "--env-file", "dev.env", "-e", "A=from flag")
    assert (env["A"], env["B"], env["C"], env["PORT"]) == ("from flag", "quoted #", "three", "9005")


@ids("P5")
def test_a_missing_env_file_is_an_error(world):
    result = world.berth("run", "--env-file", "none.env", "--", "true", check=None)
    assert result.code == OWN_FAILURE and "none.env" in result.err


@ids("P9")
def test_values_of_flags_are_templates(world):
    env = environment(world, "--name", "api", "--port", "9001", "-e", "VITE_API_URL={url}/v1", "-e", "RAW={unknown}")
    assert env["VITE_API_URL"] == "http://localhost:9001/v1" and env["RAW"] == "{unknown}"


@ids("P9")
def test_the_callers_environment_reaches_the_service_unchanged(world):
    env = environment(world, env={"ODD": "a b\t\"'", "EMPTY": "", "LISTEN_PID": "1", "LISTEN_FDS": "3"})
    assert env["ODD"] == "a b\t\"'" and env["EMPTY"] == ""
    assert "SECRET" not in env


@ids("P9")
def test_browser_is_ours_only_where_unset(world):
    assert "berth" in environment(world)["BROWSER"]
    assert environment(world, env={"BROWSER": "firefox"})["BROWSER"] == "firefox"


@ids("N1")
@root_and_user
def test_pass_socket_hands_over_a_listening_socket(world):
    world.write("activated.py", "\n".join([
        "import os, socket",
        "assert int(os.environ['LISTEN_PID']) == os.getpid() and os.environ['LISTEN_FDS'] == '1'",
        "sock = socket.socket(fileno=3)",
        "print(os.environ.get('LISTEN_FDNAMES'), sock.getsockname()[1], flush=True)",
        "peer, _ = sock.accept()",
        "peer.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nactivated')",
        "peer.close()",
    ]))
    world.occupy(5000)
    run = world.start("run", "--name", "web", "--port", "5000", "--pass-socket", "--", "/usr/bin/python3", "activated.py")
    run.wait_for("^main 5001$", "out")
    assert http(5001).endswith("activated")
    assert run.wait() == 0


@ids("N1")
@root_and_user
def test_loopback_keeps_a_program_on_this_machine(world):
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5000", "--loopback", "--", *victim.argv("0.0.0.0:5000"))["service"]
    assert [address for address, port in listeners() if port == 5000] == ["127.0.0.1"]
    assert service["ports"][0]["addresses"] == ["127.0.0.1"]
    assert answer(5000)["say"] == victim.name


@ids("N1")
@root_and_user
def test_loopback_of_a_dual_stack_socket(world):
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--loopback", "--", *victim.argv("[::]:5000"))
    assert {address for address, port in listeners() if port == 5000} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert not refused(5000, "::1") or not refused(5000, "127.0.0.1")


@ids("P9")
def test_no_environment_in_any_output(world):
    victim = world.victim()
    world.run_d("--name", "web", "--port", "5000", "--", *victim.argv(5000), env={"TOKEN": "very-secret"})
    for command in (["ls", "--json"], ["status", "web", "--json"], ["status", "web"], ["ls"]):
        assert "very-secret" not in world.berth(*command).out
    for folder, _, files in os.walk(world.runtime):
        for name in files:
            if os.path.islink(os.path.join(folder, name)):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                assert b"very-secret" not in file.read()


@ids("P9")
def test_berth_0_runs_the_command_bare(world):
    result = world.berth("run", "--name", "web", "--port", "5000", "--", "sh", "-c",
                         'echo "$0 ${BERTH_ID:-bare}"; exit 6', "{port}", env={"BERTH": "0"}, check=6)
    assert result.out == "5000 bare\n" and result.err == ""
    world.occupy(5000)
    victim = world.victim()
    result = world.berth("run", "--", *victim.argv(5000), env={"BERTH": "0"}, check=99)
    assert "Address already in use" in result.err
