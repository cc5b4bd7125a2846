# SPDX-License-Identifier: MIT
# scenario/test_init_writes_what_up_understands.py - a berth.yaml from what a project has, and scripts for npm
"""Whatever `berth init` writes is read again by `berth config`, which is what `berth up` reads."""

import json
import os
import stat

import pytest

from berthtest import BERTH, USAGE, ids, need, root_and_user
from test_json_matches_its_schemas import validate

COMPOSE = """\
services:
  db:
    image: postgres:16
    ports: ["5433:5432"]
    environment: {POSTGRES_PASSWORD: "no"}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U postgres"], interval: 5s, retries: 5}
  api:
    build: .
    depends_on: [db]
  cache:
    image: redis:7
    depends_on: {db: {condition: service_healthy}}
volumes: {data: }
"""


def package(world, path="package.json", **members):
    return world.write(path, json.dumps(members))


def read(world, name="berth.yaml"):
    with open(os.path.join(world.project, name), encoding="utf-8") as file:
        return file.read()


def config(world):
    return world.berth("config", "--json").json["services"]


@ids("S4")
@root_and_user
def test_a_package_is_a_service(world):
    package(world, scripts={"dev": "vite", "build": "vite build"})
    result = world.berth("init")
    assert result.out == ""
    assert "berth: berth.yaml is written from package.json, with 1 service: dev\n" in result.err
    assert "'berth up' starts it" in result.err and ".gitignore" in result.err
    service = config(world)["dev"]
    assert (service["command"], service["port"]) == ("npm run dev", 5173)
    assert stat.S_IMODE(os.stat(os.path.join(world.project, "berth.yaml")).st_mode) == 0o644


@ids("S4")
def test_gitignore_is_advised_once(world):
    package(world, scripts={"dev": "vite"})
    world.write(".gitignore", "node_modules\n.ports*.json\n")
    assert ".gitignore" not in world.berth("init").err


@ids("S4")
@pytest.mark.parametrize("lock, manager", [
    ("package-lock.json", "npm"), ("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lockb", "bun")])
def test_each_package_of_a_workspace_is_a_service(world, lock, manager):
    package(world, workspaces=["apps/*", "!apps/old"], scripts={"dev": "turbo dev"})
    package(world, "apps/web/package.json", name="@shop/web", scripts={"dev": "vite"})
    package(world, "apps/admin/package.json", scripts={"dev": "vite"})
    package(world, "apps/api/package.json", scripts={"start": "node server.js --port 4000"})
    package(world, "apps/lib/package.json", scripts={"dev": "tsc --watch"})
    package(world, "apps/none/package.json", scripts={"build": "tsc"})
    package(world, "apps/old/package.json", scripts={"dev": "vite"})
    world.write(lock, "")
    assert "'dev' of the root package is left out" in world.berth("init").err
    assert {name: (service["command"], service["working_dir"], service["port"])
            for name, service in config(world).items()} == {
                "admin": (f"{manager} run dev", "apps/admin", 5173),
                "api": (f"{manager} run start", "apps/api", 4000),
                "lib": (f"{manager} run dev", "apps/lib", "none"),
                "web": (f"{manager} run dev", "apps/web", 5174)}


@ids("S4")
def test_pnpm_names_its_packages_in_a_file_of_its_own(world):
    package(world, name="root")
    world.write("pnpm-workspace.yaml", "packages:\n  - packages/**\n")
    package(world, "packages/a/b/package.json", name="deep", scripts={"dev": "next dev"})
    world.berth("init")
    service = config(world)["deep"]
    assert (service["command"], service["working_dir"], service["port"]) == ("pnpm run dev", "packages/a/b", 3000)


@ids("S4", "F6")
@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"])
def test_a_compose_file_is_containers(world, name):
    world.write(name, COMPOSE)
    result = world.berth("init")
    assert [line for line in result.err.splitlines() if "left out" in line or "does not wait" in line] == [
        "berth: api: left out: it is built ('build'); write the command that starts it without a container, or docker "
        "run of the image that you have built",
        "berth: db: 'volumes' is left out: two copies would write to the same data; add -v to the command where they "
        "may",
        "berth: 'volumes' is left out: see the services that have them"]
    services = config(world)
    assert list(services) == ["db", "cache"]
    db = services["db"]
    assert db["command"] == "docker run --rm --name {id} -p {port}:5432 -e POSTGRES_PASSWORD postgres:16"
    assert db["stop_command"] == "docker stop -t 5 {id} || docker rm -f {id}" and db["outside"] and db["port"] == 5433
    assert "POSTGRES_PASSWORD" in db["environment"]
    assert db["ready"].startswith("exec ") and "pg_isready" in db["ready"]
    assert services["cache"]["depends_on"] == {"db": {"condition": "ready"}}


@ids("S4", "F6")
def test_a_value_that_a_manifest_refuses_is_left_out_alone(world):
    """SIGKILL, 50ms or a variable called "a b" made all of `berth init` fail."""
    world.write("compose.yaml", """\
services:
  host: {image: x, stop_signal: SIGKILL, restart: always, environment: {a b: c, D: e}}
  job: {image: x, healthcheck: {test: y, interval: 50ms}, depends_on: {host: {condition: service_completed_successfully}}}
""")
    notes = world.berth("init").err
    for left in ("host: 'stop_signal'", "host: 'restart'", "host: 'a b'", "job: 'interval'"):
        assert f"berth: {left} is left out: " in notes
    services = config(world)
    assert list(services) == ["host-2", "job"] and list(services["host-2"]["environment"]) == ["D"]
    assert services["job"]["depends_on"] == {"host-2": {"condition": "completed"}}


@ids("S4", "F6")
def test_up_without_a_manifest_says_what_init_would_leave_out(world):
    """It showed the file, and none of the notes."""
    world.write("compose.yaml", COMPOSE)
    said = world.berth("up", check=USAGE).err
    assert "berth init would write this berth.yaml" in said
    for line in world.berth("init", "-n").err.splitlines():
        assert line in said.splitlines()


@ids("S4", "F6")
def test_variables_of_a_container_are_not_those_of_its_client(world):
    """With PATH: /app/bin no docker was found, and with DOCKER_HOST another engine was asked."""
    world.write(f"{world.bin}/docker", '#!/bin/sh\necho "$DOCKER_HOST $HTTP_PROXY $A" "$@" > said; exec sleep 100\n', 0o755)
    world.write("compose.yaml", """\
services:
  a: {image: x, environment: {PATH: /app/bin, DOCKER_HOST: "tcp://x:1", HTTP_PROXY: p, A: secret}}
""")
    world.berth("init")
    world.berth("up", "-d")
    said = read(world, "said").split()
    assert said[0] == "secret" and "secret" not in said[1:]
    assert said[-9:] == ["-e", "PATH=/app/bin", "-e", "DOCKER_HOST=tcp://x:1", "-e", "HTTP_PROXY=p", "-e", "A", "x"]
    world.berth("down")
    world.nothing_left()


@ids("S4")
def test_package_and_compose_file_are_read_together(world):
    package(world, scripts={"dev": "next dev"})
    world.write("compose.yaml", COMPOSE)
    assert "from package.json and compose.yaml" in world.berth("init").err
    assert list(config(world)) == ["dev", "db", "cache"]


@ids("S4")
@pytest.mark.parametrize("source, services", [
    ("package", ["dev"]), ("compose", ["db", "cache"]), ("procfile", ["web-1", "worker"]), ("deploy/Procfile.dev", ["x"])])
def test_one_source_may_be_chosen(world, source, services):
    package(world, scripts={"dev": "next dev"})
    world.write("compose.yaml", COMPOSE)
    world.write("Procfile", "web_1: ruby web.rb -p $PORT {port} {name}\nworker: sleep 9\n")
    world.write("deploy/Procfile.dev", "x: y\n")
    world.write(".env", "PORT=7000\n")
    world.berth("init", "--from", source)
    assert list(config(world)) == services
    if source == "procfile":
        web = config(world)["web-1"]
        assert (web["command"], web["port"], web["env_file"]) == (
            "ruby web.rb -p $PORT {port} {{name}}", 7000, [".env"])


@ids("S4")
def test_a_procfile_needs_none(world):
    world.write("Procfile", "web: a\n")
    result = world.berth("init")
    assert "a Procfile needs no berth.yaml: 'berth up' reads it" in result.err
    assert "berth init --from procfile" in result.err
    assert not os.path.exists(os.path.join(world.project, "berth.yaml"))


@ids("S4")
def test_what_is_there_is_replaced_only_by_force(world):
    package(world, scripts={"dev": "vite"})
    world.write("berth.yaml", "services: {mine: {command: a}}\n")
    result = world.berth("init", check=1)
    assert "berth: berth.yaml is there already\nhint: --force replaces it" in result.err
    assert read(world) == "services: {mine: {command: a}}\n"
    printed = world.berth("init", "-n").out
    assert "npm run dev" in printed and read(world) == "services: {mine: {command: a}}\n"
    world.berth("init", "--force")
    assert read(world) == printed


@ids("S4")
def test_a_berth_yml_is_replaced_in_its_place(world):
    package(world, scripts={"dev": "vite"})
    world.write("berth.yml", "services: {mine: {command: a}}\n")
    world.berth("init", check=1)
    assert "berth.yml is written" in world.berth("init", "--force").err
    assert not os.path.exists(os.path.join(world.project, "berth.yaml"))


@ids("S4")
@pytest.mark.parametrize("files, code, message", [
    ({}, 1, "nothing here tells which services there are"),
    ({"package.json": "{}"}, 1, "nothing here tells which services there are"),
    ({"package.json": "{"}, 2, "package.json:1:1: "),
    ({"compose.yaml": "services: {a: [}"}, 2, "compose.yaml:1:"),
    ({"compose.yaml": "services: {a: {build: .}}"}, 1, "nothing of what is here can be translated"),
])
def test_where_nothing_can_be_told_nothing_is_written(world, files, code, message):
    for name, text in files.items():
        world.write(name, text)
    result = world.berth("init", check=code)
    assert f"berth: {message}" in result.err, result
    assert not os.path.exists(os.path.join(world.project, "berth.yaml"))


@ids("S4")
def test_sources_that_are_none_are_usage_errors(world):
    assert "'Makefile' is nothing that can be translated" in world.berth("init", "--from", "Makefile", check=USAGE).err
    assert "there is no package.json here" in world.berth("init", "--from", "package", check=USAGE).err
    assert "--npm goes not with --from" in world.berth("init", "--npm", "--from", "package", check=USAGE).err


@ids("S4", "I7")
def test_the_document_says_what_was_done(world):
    package(world, scripts={"dev": "vite", "stop": "killall node"})
    world.write("compose.yaml", COMPOSE)
    dry = world.berth("init", "-n", "--json").json
    validate(dry, "init")
    assert not dry["written"] and dry["services"] == ["dev", "db", "cache"] and len(dry["notes"]) == 3
    done = world.berth("init", "--json").json
    validate(done, "init")
    assert done == {**dry, "written": True} and read(world) == done["text"]
    scripts = world.berth("init", "--npm", "--json").json
    validate(scripts, "init")
    assert scripts["written"] and read(world, "package.json") == scripts["text"]
    assert {script["name"]: script["done"] for script in scripts["scripts"]} == {
        "dev:safe": "added", "force-start": "added", "stop": "kept", "status": "added"}
    world.write("Procfile", "web: a\n")
    os.unlink(os.path.join(world.project, "berth.yaml"))
    document = world.berth("init", "--json").json
    validate(document, "init")
    assert not document["written"] and document["path"] == "Procfile"


# --- package.json ---

PACKAGE = '{\n\t"name" : "shop",\n\n\t"scripts" : {\n\t\t"dev" : "vite",\n\t\t"stop" : "mine"\n\t},\n\t"x": [1]\n}\n'


@ids("I7")
@root_and_user
def test_scripts_come_into_package_json_and_nothing_else_changes(world):
    path = world.write("package.json", PACKAGE, mode=0o640)
    result = world.berth("init", "--npm")
    assert "package.json: 'dev:safe' is added: berth run npm run dev\n" in result.err
    assert "package.json: 'stop' is there with another command, and stays\n" in result.err
    assert "hint: --force replaces what is there\n" in result.err
    text = read(world, "package.json")
    added = ('"stop" : "mine",\n\t\t"dev:safe" : "berth run npm run dev",\n\t\t"force-start" : "berth run --force '
             '--free=any --port 5173 npm run dev",\n\t\t"status" : "berth status dev"\n')
    assert text == PACKAGE.replace('"stop" : "mine"\n', added)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    world.berth("init", "--npm")
    assert read(world, "package.json") == text
    assert "'stop' is replaced: berth stop dev" in world.berth("init", "--npm", "--force").err
    assert read(world, "package.json") == text.replace('"mine"', '"berth stop dev"')


@ids("I7")
def test_a_dry_run_prints_the_package(world):
    world.write("package.json", PACKAGE)
    assert json.loads(world.berth("init", "--npm", "-n").out)["scripts"]["status"] == "berth status dev"
    assert read(world, "package.json") == PACKAGE


@ids("I7")
def test_a_link_to_package_json_stays_one(world):
    world.write("shared/package.json", PACKAGE)
    os.symlink("shared/package.json", os.path.join(world.project, "package.json"))
    world.berth("init", "--npm")
    assert os.path.islink(os.path.join(world.project, "package.json"))
    assert "dev:safe" in read(world, "shared/package.json")


@ids("I7")
def test_a_package_without_a_start_gets_no_scripts(world):
    world.write("package.json", '{"scripts": {"build": "x"}}')
    assert "package.json has no script that starts it" in world.berth("init", "--npm", check=1).err
    os.unlink(os.path.join(world.project, "package.json"))
    assert "cannot read 'package.json'" in world.berth("init", "--npm", check=USAGE).err


@ids("I7", "I3", "I4", "D3")
def test_the_scripts_do_what_they_are_called(world):
    need("npm")
    victim = world.victim()
    package(world, name="shop", scripts={"dev": " ".join(victim.argv("8123"))})
    os.symlink(BERTH, os.path.join(world.bin, "berth"))
    world.berth("init", "--npm")
    world.run(["npm", "run", "-s", "status"], check=3, deadline=60)
    first = world.spawn(["npm", "run", "-s", "dev:safe"])
    victim.ready()
    assert "dev" in world.run(["npm", "run", "-s", "status"], deadline=60).out
    old = victim.pids()[0]
    victim.forget()
    second = world.spawn(["npm", "run", "-s", "force-start"])
    victim.ready()
    first.wait()
    assert victim.pids()[0] != old and victim.port == 8123
    world.run(["npm", "run", "-s", "stop"], deadline=60)
    second.wait()
    world.nothing_left()

