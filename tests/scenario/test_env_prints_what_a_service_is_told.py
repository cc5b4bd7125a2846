# SPDX-License-Identifier: MIT
# scenario/test_env_prints_what_a_service_is_told.py - S3, P9: berth env
"""The variables of a service, for a shell, a .env file or a program; read back, they are what they were."""

import os
import shutil

import pytest

from berthtest import BERTH, ids, root_and_user, skip
from test_json_matches_its_schemas import validate

ORIGINS = "https://it's.example $HOME \"x\" \\"


def start(world, name="api", port=9000, *options):
    world.run_d("--name", name, "--port", str(port), *options, "--", *world.victim().argv(port))


@ids("S3", "P9")
@root_and_user
def test_it_is_what_the_service_has_been_given(world):
    world.occupy(9000)
    start(world)
    document = world.berth("env", "api", "--json").json
    validate(document, "env")
    env = document["env"]
    assert env["PORT"] == env["API_PORT"] == env["BERTH_PORT_MAIN"] == "9001"
    assert env["API_URL"] == "http://localhost:9001" and env["API_HOST"] == "localhost"
    assert env["BERTH_SERVICE"] == "api" and env["BERTH_PROJECT"] == "shop"
    # These are for its own processes.
    assert "BERTH_SOCKET" not in env and "BROWSER" not in env


@ids("S3")
@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_a_shell_reads_it(world, shell):
    if not shutil.which(shell):
        skip(f"no {shell} here")
    start(world, "api", 9000, "-e", f"BERTH_CORS_ORIGINS={ORIGINS}")
    world.write("read", "berth env api | source; echo $API_PORT; echo $BERTH_CORS_ORIGINS" if shell == "fish" else
                'eval "$(berth env api)"; echo "$API_PORT"; printf "%s\\n" "$BERTH_CORS_ORIGINS"')
    result = world.run([shell, "read"], env={"SHELL": f"/usr/bin/{shell}", "PATH": path_with_berth(world)})
    assert result.out == f"9000\n{ORIGINS}\n"


def path_with_berth(world):
    link = os.path.join(world.bin, "berth")
    if not os.path.exists(link):
        os.symlink(BERTH, link)
    return world.env["PATH"]


@ids("S3")
def test_a_dotenv_file_reads_it(world):
    start(world, "api", 9000, "-e", f"BERTH_CORS_ORIGINS={ORIGINS}")
    world.write("all.env", world.berth("env", "api", "--format", "dotenv").out)
    out = world.berth("run", "--env-file", "all.env", "--", "sh", "-c",
                      'echo "$API_PORT"; printf "%s\\n" "$BERTH_CORS_ORIGINS"').out
    assert out == f"9000\n{ORIGINS}\n"


@ids("S3")
@root_and_user
def test_of_several_it_says_where_each_is(world):
    start(world, "api", 9000)
    start(world, "my-web", 5000)
    assert world.berth("env", "--format", "dotenv").out.splitlines() == [
        "API_PORT=9000", "API_HOST=localhost", "API_URL=http://localhost:9000",
        "MY_WEB_PORT=5000", "MY_WEB_HOST=localhost", "MY_WEB_URL=http://localhost:5000",
    ]
    assert "PORT" not in world.berth("env", "--json").json["env"]


@ids("S3")
def test_of_one_it_says_all(world):
    start(world)
    assert world.berth("env", "--json").json["env"]["PORT"] == "9000"


@ids("S3")
def test_of_what_does_not_run_there_is_nothing_to_say(world):
    world.berth("env", check=3)
    world.berth("env", "api", check=3)
    assert "dotenv" in world.berth("env", "--format", "x", check=2).err


@ids("S3", "F5")
def test_of_a_stack_each_copy_has_its_own(world):
    victim = world.helper("victim")
    world.write("berth.yaml", f"""services:
  api:
    command: {victim} {{port}}
    port: 9000
  web:
    command: {victim} {{port}}
    port: 5000
""")
    world.berth("up", "-d")
    world.berth("up", "-d", "--as", "demo")
    assert world.berth("env", "--json").json["env"] == {
        "API_PORT": "9000", "API_HOST": "localhost", "API_URL": "http://localhost:9000",
        "WEB_PORT": "5000", "WEB_HOST": "localhost", "WEB_URL": "http://localhost:5000",
    }
    env = world.berth("env", "--as", "demo", "--json").json["env"]
    assert (env["API_PORT"], env["WEB_PORT"]) == ("9001", "5001")
    world.berth("env", "--as", "other", check=3)
