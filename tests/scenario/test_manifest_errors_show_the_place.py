# SPDX-License-Identifier: MIT
# scenario/test_manifest_errors_show_the_place.py - every kind of fault of a berth.yaml, as its user sees it
"""All that is wrong is said at once, to standard error, each with its line, a caret and what to do; the exit code is 2."""

import pytest

from berthtest import UNKNOWN, USAGE, ids
from test_json_matches_its_schemas import validate

# Name, berth.yaml, what is said of it.
FAULTS = [
    ("no_yaml_at_all", """services:
  web:
    command: a: b
""", """berth.yaml:3:15: invalid nested block mapping on the same line
     3 |     command: a: b
       |               ^
"""),
    ("a_tab", """services:
\tweb:
\t\tcommand: x
""", r"""berth.yaml:2:1: tab character may not be used as indentation; line 2 is indented by a tab, YAML takes blanks
     2 | \tweb:
       | ^~
"""),
    ("a_bracket_that_stays_open", """services:
  web: {command: x
  api: {command: y}
""", """berth.yaml:3:6: missing comma in flow mapping; a bracket is open since line 2
     3 |   api: {command: y}
       |      ^
"""),
    ("a_key_twice", """services:
  web:
    command: x
    port: 1
    command: y
""", """berth.yaml:5:5: the key 'command' comes twice, first in line 3
     5 |     command: y
       |     ^~~~~~~
"""),
    ("two_documents", """services: {web: {command: x}}
---
services: {}
""", """berth.yaml:2:1: a second document; one file is one document: take '---' out
     2 | ---
       | ^~~
"""),
    ("a_tag", """services:
  web:
    command: x
    port: !!int 9000
""", """berth.yaml:4:11: a tag: values are read as they stand here; leave it out
     4 |     port: !!int 9000
       |           ^~~~~
"""),
    ("an_alias_of_nothing", """services:
  web:
    <<: *base
    command: x
""", """berth.yaml:3:9: nothing above has the anchor '&base'
     3 |     <<: *base
       |         ^~~~~
"""),
    ("an_unquoted_brace", """services:
  web:
    command: {port} --serve
""", """berth.yaml:3:21: invalid value after mapping; quote it: "{port} --serve"
     3 |     command: {port} --serve
       |                     ^
"""),
    ("an_unquoted_placeholder", """services:
  web:
    command: x
    environment: { API: {web.url} }
""", """berth.yaml:4:25: 'environment' takes texts, not a map; quote it: "{web.url}"
     4 |     environment: { API: {web.url} }
       |                         ^~~~~~~~~
"""),
    ("nothing_in_it", "", """berth.yaml:1:1: the file is empty; services: {web: {command: ...}}
"""),
    ("no_services", """project: shop
""", """berth.yaml:1:1: there are no 'services'; services: {web: {command: ...}}
     1 | project: shop
       | ^
"""),
    ("an_unknown_key", """services:
  web:
    command: x
    prot: 9000
""", """berth.yaml:4:5: 'prot' is no key of a service; did you mean 'port'?
     4 |     prot: 9000
       |     ^~~~
"""),
    ("an_unknown_key_within", """services:
  web:
    command: x
    log: { sise: 1M }
""", """berth.yaml:4:12: 'sise' is no key of 'log'; did you mean 'size'?
     4 |     log: { sise: 1M }
       |            ^~~~
"""),
    ("a_key_of_compose", """services:
  cache:
    image: redis
    port: 6379
""", """berth.yaml:3:5: 'image' is no key of a service; command: docker run --rm --name {id} -p {port}:80 IMAGE, with outside: true
     3 |     image: redis
       |     ^~~~~
"""),
    ("a_key_of_compose_at_the_top", """version: '3'
services:
  web: { command: x }
""", """berth.yaml:1:1: 'version' is no key of the file; leave it out
     1 | version: '3'
       | ^~~~~~~
"""),
    ("a_name_that_is_none", """services:
  Web_1: { command: x }
""", """berth.yaml:2:3: 'Web_1' is no name for a service; did you mean 'web-1'?
     2 |   Web_1: { command: x }
       |   ^~~~~
"""),
    ("a_missing_command", """services:
  web:
    port: 9000
""", """berth.yaml:2:3: the service 'web' has no command
     2 |   web:
       |   ^~~
"""),
    ("a_number_that_is_none", """services:
  web: { command: x, workers: many }
""", """berth.yaml:2:31: 'workers' takes a number from 1 to 64, not 'many'
     2 |   web: { command: x, workers: many }
       |                               ^~~~
"""),
    ("a_number_beyond_its_bounds", """services:
  web: { command: x, instances: 1000 }
""", """berth.yaml:2:33: 'instances' takes a number from 1 to 100, not '1000'
     2 |   web: { command: x, instances: 1000 }
       |                                 ^~~~
"""),
    ("a_time_that_is_none", """services:
  web: { command: x, hold: soon }
""", """berth.yaml:2:28: 'hold' takes a time such as 500ms, 30s or 2h, not 'soon'
     2 |   web: { command: x, hold: soon }
       |                            ^~~~
"""),
    ("a_word_that_is_none", """services:
  web: { command: x, restart: on-failur }
""", """berth.yaml:2:31: 'restart' takes one of no, on-failure[:N], always and unless-stopped, not 'on-failur'; did you mean 'on-failure'?
     2 |   web: { command: x, restart: on-failur }
       |                               ^~~~~~~~~
"""),
    ("a_list_in_the_place_of_a_text", """services:
  web: { command: x, working_dir: [a, b] }
""", """berth.yaml:2:35: 'working_dir' takes a text, not a list
     2 |   web: { command: x, working_dir: [a, b] }
       |                                   ^~~~~~
"""),
    ("a_port_that_is_none", """services:
  web: { command: x, port: 9000x }
""", """berth.yaml:2:28: '9000x' is no port number
     2 |   web: { command: x, port: 9000x }
       |                            ^~~~~
"""),
    ("ports_as_compose_has_them", """services:
  web:
    command: x
    ports: ['8080:80']
""", """berth.yaml:4:12: 'ports' takes a map from names to ports, not a list; the number that berth leases is enough: port: 8080, and {port} in the command
     4 |     ports: ['8080:80']
       |            ^~~~~~~~~~~
"""),
    ("two_services_that_wish_one_port", """services:
  api: { command: x, port: 9000 }
  web: { command: y, port: 9000 }
""", """berth.yaml:3:28: 'api' and 'web' both wish 9000; the first is in line 2
     3 |   web: { command: y, port: 9000 }
       |                            ^~~~
"""),
    ("a_range_too_small_for_the_instances", """services:
  web: { command: x, range: 9000-9001, instances: 3 }
""", """berth.yaml:2:29: the range has 2 numbers, and 3 instances need 3; at least 9000-9002
     2 |   web: { command: x, range: 9000-9001, instances: 3 }
       |                             ^~~~~~~~~
"""),
    ("a_wish_outside_of_its_range", """services:
  web: { command: x, port: 8000, range: 9000-9099 }
""", """berth.yaml:2:28: port 'main' wishes 8000, which is not in the range 9000-9099; the search begins at the wish and stays in the range
     2 |   web: { command: x, port: 8000, range: 9000-9099 }
       |                            ^~~~
"""),
    ("a_group_wider_than_its_range", """services:
  web: { command: x, range: 9000-9005, ports: { a: 9000, b: 9005, c: 9002 }, step: 20 }
  api: { command: y, range: 80-81, ports: { a: 80, b: 90 } }
""", """berth.yaml:3:29: the ports of 'api' span 11 numbers, and the range has 2; at least 80-90
     3 |   api: { command: y, range: 80-81, ports: { a: 80, b: 90 } }
       |                             ^~~~~
"""),
    ("profiles_that_overlap", """services: { web: { command: x } }
profiles:
  dev: { range: 20000-20999 }
  test: { range: 20500-21499 }
""", """berth.yaml:4:3: the ranges of the profiles 'dev' and 'test' overlap (20000-20999, 20500-21499)
     4 |   test: { range: 20500-21499 }
       |   ^~~~
"""),
    ("a_profile_too_small_for_its_services", """services: { web: { command: x, instances: 9 } }
profiles:
  test: { range: 20000-20004 }
""", """berth.yaml:3:3: the range of the profile 'test' has 5 numbers, and its services need 9
     3 |   test: { range: 20000-20004 }
       |   ^~~~
"""),
    ("a_wish_that_a_profile_keeps", """services: { web: { command: x, port: 20001 } }
profiles:
  test: { range: 20000-20999 }
""", """berth.yaml:1:38: 'web' wishes 20001, which the profile 'test' keeps for itself (20000-20999)
     1 | services: { web: { command: x, port: 20001 } }
       |                                      ^~~~~
"""),
    ("a_cycle", """services:
  a: { command: x, depends_on: [b] }
  b: { command: y, depends_on: [c] }
  c: { command: z, depends_on: [a] }
""", """berth.yaml:4:33: these wait for each other: a -> b -> c -> a
     4 |   c: { command: z, depends_on: [a] }
       |                                 ^
"""),
    ("itself", """services:
  web: { command: x, depends_on: [web] }
""", """berth.yaml:2:35: 'web' depends on itself
     2 |   web: { command: x, depends_on: [web] }
       |                                   ^~~
"""),
    ("an_unknown_dependency", """services:
  web: { command: x, depends_on: [bakend] }
  backend: { command: y }
""", """berth.yaml:2:35: there is no service 'bakend'; did you mean 'backend'?
     2 |   web: { command: x, depends_on: [bakend] }
       |                                   ^~~~~~
"""),
    ("an_unknown_origin", """services:
  web: { command: x, cors: [fronted, '*'] }
  frontend: { command: y }
""", """berth.yaml:2:29: there is no service 'fronted'; did you mean 'frontend'?
     2 |   web: { command: x, cors: [fronted, '*'] }
       |                             ^~~~~~~
berth.yaml:2:38: '*' would let any page in; name the services whose pages they are
     2 |   web: { command: x, cors: [fronted, '*'] }
       |                                      ^~~
"""),
    ("a_placeholder_that_nobody_has", """services:
  web: { command: "run --port {prot} --api {api.url}" }
""", """berth.yaml:2:31: nothing is called '{prot}' here; did you mean '{port}'?
     2 |   web: { command: "run --port {prot} --api {api.url}" }
       |                               ^~~~~~
berth.yaml:2:44: nothing is called '{api.url}' here; for the braces themselves write '{{api.url}}'
     2 |   web: { command: "run --port {prot} --api {api.url}" }
       |                                            ^~~~~~~~~
"""),
    ("a_placeholder_of_what_has_no_port", """services:
  job: { command: x, port: none }
  web: { command: 'run {job.port}' }
""", """berth.yaml:3:24: 'job' has no port (port: none)
     3 |   web: { command: 'run {job.port}' }
       |                        ^~~~~~~~~~
"""),
    ("a_placeholder_in_a_block", """services:
  web:
    command: |
      one
      two {three}
""", """berth.yaml:5:11: nothing is called '{three}' here; for the braces themselves write '{{three}}'
     5 |       two {three}
       |           ^~~~~~~
"""),
    ("a_variable_that_is_none", """services:
  web:
    command: x
    working_dir: ${HOME
""", """berth.yaml:4:18: '${HOME' has no closing brace; ${NAME}, ${NAME:-text} or ${NAME:?text}; '$$' is a dollar
     4 |     working_dir: ${HOME
       |                  ^~~~~~
"""),
    ("a_variable_that_must_be_there", """services:
  web:
    command: x
    port: ${WEB_PORT:?which port}
""", """berth.yaml:4:11: WEB_PORT is not set: which port
     4 |     port: ${WEB_PORT:?which port}
       |           ^~~~~~~~~~~~~~~~~~~~~~~
"""),
    ("a_check_that_is_none", """services:
  web: { command: x, ready: htpp / }
""", """berth.yaml:2:29: 'htpp' does not tell whether a service is ready; did you mean 'http'?
     2 |   web: { command: x, ready: htpp / }
       |                             ^~~~~~
"""),
    ("a_check_without_a_port", """services:
  web: { command: x, port: none, ready: tcp }
""", """berth.yaml:2:41: such a check needs a port; 'web' has port: none
     2 |   web: { command: x, port: none, ready: tcp }
       |                                         ^~~
"""),
    ("workers_with_instances", """services:
  web: { command: x, workers: 2, instances: 2 }
""", """berth.yaml:2:31: 'workers' goes not with 'instances'; workers share one port, instances have a port each
     2 |   web: { command: x, workers: 2, instances: 2 }
       |                               ^
"""),
    ("a_signal_that_ends_nothing", """services:
  web: { command: x, stop_signal: CONT }
""", """berth.yaml:2:35: SIGCONT ends nothing
     2 |   web: { command: x, stop_signal: CONT }
       |                                   ^~~~
"""),
    ("keys_that_go_not_together", """services:
  web: { command: x, port: 1, ports: { a: 2 } }
""", """berth.yaml:2:38: 'ports' goes not with 'port'; one port is 'port', several are 'ports'
     2 |   web: { command: x, port: 1, ports: { a: 2 } }
       |                                      ^~~~~~~~
"""),
    ("all_of_them_at_once", """projct: shop
services:
  web:
    comand: x
    port: 70000
    depends_on: [db]
""", """berth.yaml:1:1: 'projct' is no key of the file; did you mean 'project'?
     1 | projct: shop
       | ^~~~~~
berth.yaml:4:5: 'comand' is no key of a service; did you mean 'command'?
     4 |     comand: x
       |     ^~~~~~
berth.yaml:5:11: port '70000' is not in 1-65535
     5 |     port: 70000
       |           ^~~~~
berth.yaml:6:18: there is no service 'db'
     6 |     depends_on: [db]
       |                  ^~
"""),
]


@pytest.mark.parametrize("text, said", [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
@ids("S1", "S4")
def test_a_fault_is_shown_with_its_line_a_caret_and_what_to_do(world, text, said):
    world.write("berth.yaml", text)
    result = world.berth("config", check=USAGE)
    count = sum(line.startswith("berth.yaml:") for line in said.splitlines())
    assert result.out == ""
    assert result.err == f"{said}berth: berth.yaml has {count} fault{'s' if count > 1 else ''}\n"


@ids("S1")
def test_with_json_they_are_in_the_error_document(world):
    world.write("berth.yaml", "services:\n  web:\n    prot: 9000\n    command: x\n    hold: soon\n")
    result = world.berth("config", "--json", check=USAGE)
    validate(result.json, "error")
    assert result.err == ""
    assert result.error["code"] == "config" and result.error["message"] == "berth.yaml has 2 faults"
    assert result.json["error"]["faults"] == [
        {"file": "berth.yaml", "line": 3, "column": 5, "message": "'prot' is no key of a service",
         "hint": "did you mean 'port'?"},
        {"file": "berth.yaml", "line": 5, "column": 11,
         "message": "'hold' takes a time such as 500ms, 30s or 2h, not 'soon'", "hint": None},
    ]


def test_a_file_that_multiplies_itself_is_refused_at_once(world):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi"):
        lines.append(f"{name}: &{name} [{', '.join(9 * ['*' + before])}]")
    world.write("berth.yaml", "\n".join(lines))
    result = world.berth("config", check=USAGE, deadline=5)
    assert "berth.yaml:5:7: more than 100000 values\n" in result.err


def test_a_file_with_a_thousand_faults_says_a_hundred(world):
    world.write("berth.yaml", "services:\n  web:\n    command: x\n" + "".join(f"    zz{n}: x\n" for n in range(1000)))
    result = world.berth("config", check=USAGE)
    assert sum(line.startswith("berth.yaml:") for line in result.err.splitlines()) == 101
    assert result.err.endswith("berth.yaml: and 900 more\nberth: berth.yaml has 1000 faults\n")


def test_nothing_of_the_file_is_printed_raw(world):
    world.write("berth.yaml", 'services:\n  web:\n    command: x\n    "\\e[31m\\u202e": x\n    hold: "\\a"\n')
    result = world.berth("config", check=USAGE)
    assert "\x1b" not in result.err and "\u202e" not in result.err and "\a" not in result.err
    assert "'\\e[31m" in result.err


@ids("S1")
def test_what_was_understood_is_a_berth_yaml_that_says_the_same(world):
    world.write("berth.yaml", """\
x-log: &log { size: 1M, files: 2 }
project: shop
services:
  api: &api
    command: serve --port {port} --db {db.url}
    port: [9000, 9001]
    range: 9000-9099
    environment: { TOKEN: "${TOKEN:-none}", HOST: }
    depends_on: { db: { condition: service_healthy }, prepare: { condition: completed } }
    healthcheck: { test: [CMD, curl, -f, "http://localhost:{port}/it's"], interval: 3s }
    cors: [web, 3000, https://app.example]
    restart: on-failure:3
    log: *log
  copy: { <<: *api, port: 9500, range: 9500-9599, instances: 2 }
  web: { command: [npm, run, dev], ports: { http: 5173, hmr: 24678 }, links: { docs: /docs } }
  db: { command: db, port: 5432, outside: true, stop_command: "docker rm -f {id}", scheme: postgresql }
  prepare: { command: "a && b\\n  'c'", port: none }
profiles: { test: { range: 20000-20999 }, dev: }
""")
    first = world.berth("config", env={"TOKEN": "s3cret"})
    assert first.err == "" and "s3cret" not in first.out and "${TOKEN:-none}" in first.out
    whole = world.berth("config", "--json", env={"TOKEN": "s3cret"})
    validate(whole.json, "config")
    assert "s3cret" not in whole.out
    world.write("berth.yaml", first.out)
    assert world.berth("config").out == first.out
    again = world.berth("config", "--json")
    assert again.json == whole.json
    assert list(again.json["services"]) == ["api", "copy", "web", "db", "prepare"]
    assert again.json["services"]["copy"]["cors"]["origins"] == ["web", 3000, "https://app.example"]


def test_a_schema_for_editors_agrees_with_berth(world):
    """What berth takes, the schema takes; and where the form alone tells, it refuses the same."""
    yaml = pytest.importorskip("yaml")
    formal = {"an_unknown_key", "an_unknown_key_within", "a_key_of_compose", "a_key_of_compose_at_the_top", "no_services",
              "a_name_that_is_none", "a_missing_command", "a_number_that_is_none", "a_number_beyond_its_bounds",
              "a_time_that_is_none", "a_word_that_is_none", "a_list_in_the_place_of_a_text", "ports_as_compose_has_them",
              "a_check_that_is_none"}
    texts = {row[0]: row[1] for row in FAULTS}
    for name in formal:
        with pytest.raises(AssertionError):
            validate(yaml.safe_load(texts[name]), "berth-yaml")
    good = world.write("berth.yaml", """\
services:
  api: { command: serve, port: 9000, restart: unless-stopped, hold: 0, stop_grace_period: 1m30s, environment: [A=1] }
  web: { command: [a, b], ports: { http: [1, 2], ws: 53/udp }, depends_on: [api], cors: { origins: [api, 3000] } }
x-mine: { a: 1 }
""")
    world.berth("config")
    with open(good, encoding="utf-8") as file:
        validate(yaml.safe_load(file), "berth-yaml")


@ids("S1")
def test_the_nearest_manifest_counts(world):
    below = world.write("a/b/c.txt", "").rpartition("/")[0]
    world.write("berth.yaml", "services: { top: { command: x } }\n")
    assert "top:" in world.berth("config", cwd=below).out
    world.write("a/Procfile", "proc: x {port} {print}\n")
    shown = world.berth("config", cwd=below).out
    assert "proc:" in shown and "{{print}}" in shown and "{port}" in shown
    world.write("a/berth.yml", "services: { yml: { command: x } }\n")
    assert "yml:" in world.berth("config", cwd=below).out
    assert "proc:" in world.berth("config", "-f", "a/Procfile").out
    assert "yml:" in world.berth("config", "-f", "a").out
    result = world.berth("config", "-f", "a/b", check=USAGE)
    assert result.err == "berth: no berth.yaml, berth.yml or Procfile in 'a/b'\nhint: 'berth init' writes a berth.yaml\n"


def test_above_the_repository_nothing_is_looked_for(world):
    world.write("../berth.yaml", "services: { outer: { command: x } }\n")
    result = world.berth("config", check=USAGE)
    assert result.err.startswith("berth: no berth.yaml, berth.yml or Procfile in '")


def test_a_service_is_picked_by_name(world):
    world.write("berth.yaml", "services: { backend: { command: x }, web: { command: run } }\n")
    assert world.berth("config", "web").out == "services:\n  web:\n    command: run\n"
    result = world.berth("config", "bakend", check=UNKNOWN)
    assert "did you mean 'backend'?" in result.err
