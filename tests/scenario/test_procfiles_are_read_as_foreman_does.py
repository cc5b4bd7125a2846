# SPDX-License-Identifier: MIT
# scenario/test_procfiles_are_read_as_foreman_does.py - the same names, numbers and values as foreman's
"""Each file is given to foreman too, where it is installed, so that what we expect is what it does."""

import os
import re
import shlex

import pytest

from berthtest import USAGE, ids, need, root_and_user

# What a Procfile has in it, and the services that foreman reads there: name and command.
PROCFILES = {
    "plain": ("web: python3 -m http.server $PORT\nworker: sleep 100\n",
              [("web", "python3 -m http.server $PORT"), ("worker", "sleep 100")]),
    "no_newline_at_the_end": ("web: a", [("web", "a")]),
    "no_blank": ("web:a\n", [("web", "a")]),
    "many_blanks": ("web: \t  a  b\n", [("web", "a  b")]),
    "crlf": ("web: a\r\nworker: b\r\n", [("web", "a"), ("worker", "b")]),
    "comments_and_empty_lines": ("# web: no\n\nweb: a\n\n#x\nb: c # d\n", [("web", "a"), ("b", "c # d")]),
    "underscores": ("web_1: a\n", [("web_1", "a")]),
    "dashes_and_digits": ("web-1: a\n2: b\n", [("web-1", "a"), ("2", "b")]),
    "capitals": ("Web: a\n", [("Web", "a")]),
    "colons_in_the_command": ("web: a: b:c\n", [("web", "a: b:c")]),
    "what_is_no_line_of_it": ("web\n web: no\nweb : no\nwe.b: no\nx: y\nempty:\n", [("x", "y")]),
    "braces": ("web: awk '{print $1}' {}\n", [("web", "awk '{print $1}' {}")]),
}


def our_name(name):
    return re.sub(r"^[0-9-]+", "", re.sub(r"[^a-z0-9]+", "-", name.lower())) or "service"


def config(world, **options):
    services = world.berth("config", "--json", **options).json["services"]
    return [(name, service["port"], service["command"]) for name, service in services.items()]


@ids("S1")
@pytest.mark.parametrize("case", PROCFILES)
def test_the_lines_are_the_same(world, case):
    text, services = PROCFILES[case]
    world.write("Procfile", text)
    assert config(world) == [
        (our_name(name), 5000 + 100 * index, command) for index, (name, command) in enumerate(services)]
    need("foreman")
    names = world.run(["foreman", "check"]).out
    assert names == f"valid procfile detected ({', '.join(name for name, _ in services)})\n"


@ids("S1", "P5")
@pytest.mark.parametrize("dotenv, environment, base", [
    (None, None, 5000),
    (None, "6000", 6000),
    ("PORT=7000\n", None, 7000),
    ("PORT=7000\n", "6000", 7000),
    ("A=1\nPORT='7000'\n", "6000", 7000),
])
def test_the_first_number_comes_from_the_same_place(world, dotenv, environment, base):
    world.write("Procfile", "web: echo is $PORT\nworker: echo is $PORT\n")
    if dotenv:
        world.write(".env", dotenv)
    env = {"PORT": environment} if environment else {}
    assert [port for _, port, _ in config(world, env=env)] == [base, base + 100]
    need("foreman")
    said = world.run(["foreman", "start"], env=env, check=None).out
    assert sorted(re.findall(r"(\w+)\.1 +\| is (\d+)", said)) == [("web", str(base)), ("worker", str(base + 100))]


@ids("S1", "P5")
def test_the_first_number_is_that_of_p(world):
    world.write("Procfile", "web: echo is $PORT\nworker: echo is $PORT\n")
    world.write(".env", "PORT=7000\n")
    formation = ["-p", "6200", "-m", "web=2,worker=1"]
    for command in (["up", "-n"], ["plan"]):
        services = world.berth(*command, *formation, "--json", env={"PORT": "8000"}).json["services"]
        assert [(service["service"], service["ports"][0]["port"]) for service in services] == [
            ("web", 6200), ("web", 6201), ("worker", 6300)]
    services = world.berth("plan", "-p", "6200", "-p", "worker=6500", "--json").json["services"]
    assert [service["ports"][0]["port"] for service in services] == [6200, 6500]
    assert "6200 or at 7000" in world.berth("up", "-p", "6200", "-p", "7000", check=USAGE).err
    assert "not a port" in world.berth("up", "-p", "65536", check=USAGE).err
    assert "above 65535" in world.berth("up", "-p", "65500", check=USAGE).err
    need("foreman")
    said = world.run(["foreman", "start", *formation], env={"PORT": "8000"}, check=None).out
    assert sorted(re.findall(r"(\w+\.\d) +\| is (\d+)", said)) == [("web.1", "6200"), ("web.2", "6201"), ("worker.1", "6300")]


@ids("S1", "P5")
def test_a_number_alone_is_of_a_procfile_and_holds_as_long_as_the_stack(world):
    told = os.path.join(world.home, "told")
    world.write("Procfile", f"web: exec sleep 1000\nworker: echo $PORT >> {told}; exec sleep 1000\n")
    world.berth("up", "-d", "-p", "6200", "worker")
    world.write("Procfile", f"web: exec sleep 1000\nfirst: exec sleep 1000\nworker: echo $PORT >> {told}; exec sleep 1000\n")
    world.berth("up", "-d", "first")
    assert world.status("first")["ports"][0]["asked"] == 6300
    world.berth("down")
    world.write("berth.yaml", "services: { web: { command: sleep 1000, port: 9000 } }\n")
    refused = world.berth("up", "-d", "-p", "6200", check=USAGE)
    assert "-p: whose port is 6200?" in refused.err and "-p web=6200" in refused.err, refused


# A line of .env, and what foreman gives the processes. The last ones are where we differ, on purpose (stack/dotenv.h).
DOTENVS = [
    ("A=plain", "plain", "plain"),
    ("A=", "", ""),
    ("A=two words", "two words", "two words"),
    ("A='single $HOME \\n'", "single $HOME \\n", "single $HOME \\n"),
    ('A="double $HOME"', "double $HOME", "double $HOME"),
    ('A="one\\ntwo"', "one\ntwo", "one\ntwo"),
    ('A="\\"q\\" \\$ \\d"', '"q" $ d', '"q" $ d'),
    ("A=it's", "it's", "it's"),
    ("A=a=b", "a=b", "a=b"),
    ("A=x#y", "x#y", "x#y"),
    ("A=1\nA=2", "2", "2"),
    ("# A=1\nA=2\r\n", "2", "2"),
    ("A=x # text", "x # text", "x"),
    ("export A=1", None, "1"),
    ("A = 1", None, "1"),
]


@ids("P5")
@pytest.mark.parametrize("line, foremans, ours", DOTENVS)
def test_values_are_quoted_as_foreman_has_them(world, line, foremans, ours):
    world.write("show", "import os, json\nprint(json.dumps(os.environ.get('A')))\n")
    world.write(".env", line + "\n")
    said = world.berth("run", "-q", "--env-file", ".env", "--name", "show", "--", "python3", "show").out
    assert said.splitlines()[-1] == dump(ours)
    need("foreman")
    assert world.run(["foreman", "run", "python3", "show"]).out.splitlines()[-1] == dump(foremans)


def dump(value):
    return "null" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@ids("S1")
@pytest.mark.parametrize("text, place", [
    ("web: a\nweb: b\n", "Procfile:2:1: 'web' is there already, in line 1"),
    ("web_1: a\nweb-1: b\n", "Procfile:2:1: 'web-1' and 'web_1' of line 1 are both called 'web-1'"),
    ("# nothing\n", "Procfile: no line of it is a service"),
])
def test_a_procfile_that_can_not_be_meant_is_a_fault(world, text, place):
    world.write("Procfile", text)
    result = world.berth("config", check=USAGE)
    assert place in result.err, result


def command(world, name):
    """A shell's, of a server on PORT that first writes its variables to NAME.INSTANCE."""
    return f'env > {name}.$BERTH_INSTANCE && exec {shlex.quote(world.helper("victim"))} PORT'


def variables(world, name):
    with open(os.path.join(world.project, name), encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


@ids("S1", "P1", "P5")
@root_and_user
def test_up_starts_what_foreman_would_and_moves_what_is_taken(world):
    world.occupy(7100)
    world.write("Procfile", f"web: {command(world, 'web')}\nother_one: {command(world, 'other')}\nno: false\n")
    world.write(".env", 'PORT=7000\nA="of the\\nfile"\nB=file\n')
    world.berth("up", "-d", "-m", "all=1,web=2,no=0", env={"B": "environment", "C": "environment", "PORT": "1"})
    found = sorted((one["service"], one["instance"], one["ports"][0]["port"]) for one in world.services())
    assert found == [("other-one", 1, 7101), ("web", 1, 7000), ("web", 2, 7001)]
    # foreman's order: the file goes before the environment, and its PORT is the first of all.
    second = variables(world, "web.2")
    assert (second["PORT"], second["B"], second["C"]) == ("7001", "file", "environment")
    assert second["A"] == "of the"
    assert variables(world, "other.1")["PORT"] == "7101"
    world.berth("down")
    world.nothing_left()


@ids("S1", "S4")
@pytest.mark.parametrize("translate", [
    lambda world: world.write("berth.yaml", world.berth("config").out),
    lambda world: world.berth("init", "--from", "procfile")], ids=["config", "init"])
def test_as_a_berth_yaml_it_is_the_same_stack(world, translate):
    """The worker never listens: as a berth.yaml it was never ready, and knew neither {web.port} nor .env."""
    world.write(".env", "WORD=hello\n")
    web = world.victim()
    world.write("Procfile", f"web: {shlex.join(web.argv('5000'))}\nworker: echo $WORD {{web.port}} > said; sleep 100\n")
    before = world.berth("config", "--json").json["services"]
    translate(world)
    after = world.berth("config", "--json")
    assert after.json["kind"] == "berth.yaml" and after.json["services"] == before
    assert before["worker"]["ready"] == "started" and before["worker"]["env_file"] == [".env"]
    world.berth("up", "-d")
    with open(os.path.join(world.project, "said"), encoding="utf-8") as file:
        assert file.read() == "hello 5000\n"
    world.berth("down")
    world.nothing_left()
