# SPDX-License-Identifier: MIT
# scenario/test_values_of_a_manifest_mean_what_they_say.py - S1, F7: {port} and ${NAME}, where they mean something and where not
"""What a service is told, and what is asked of it. Which text becomes what is in the unit tests of src/stack."""

import os

from berthtest import ids, wait_until
from stacks import Stack, teller

# A server that writes each path that is asked for into the file ARGV[2].
ASKED = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[2], "a") as file:
            file.write(self.path + "\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@ids("S1", "F7")
def test_a_password_is_what_it_is(world):
    """Symptom: p{port} in the environment reached the service as p9000, and {et} was refused, with a part of it shown."""
    secret = "p{port}{{id}}${x}s3cr{et}"
    service, told = teller(world, "web", environment={"PASS": "${SECRET}", "TOLD": "at {port} ${SECRET}", "SECRET": None},
                           env_file="more.env", port=9000)
    world.write("more.env", "SECRET=of the file\n")
    stack = Stack(world, web=service)
    assert "et" not in stack.berth("config", env={"SECRET": secret}).err
    stack.start("up", env={"SECRET": secret})
    env = told()["env"]
    assert (env["PASS"], env["TOLD"], env["SECRET"]) == (secret, f"at 9000 {secret}", secret)


@ids("S1")
def test_a_default_may_have_a_variable_in_it(world):
    service, told = teller(world, "web", environment={"A": "${NONE:-${HERE:-x}}", "B": "${NONE:-$$}"})
    Stack(world, web=service).start("up", env={"HERE": "yes"})
    env = told()["env"]
    assert (env["A"], env["B"]) == ("yes", "$")


@ids("S1", "I2")
def test_checks_and_links_know_the_port(world):
    world.occupy(9000)
    path = os.path.join(world.home, "asked")
    stack = Stack(world, web={
        "command": ["python3", "-c", ASKED, "{port}", path],
        "port": 9000, "ready": "http /ready/{port}", "live": "http /live/{port}", "probe": {"period": "100ms"},
        "links": {"docs": "/docs/{port}"}})
    web = stack.up()["web"]
    assert web["ports"][0]["port"] == 9001
    assert web["ports"][0]["links"] == {"docs": "http://localhost:9001/docs/9001"}
    assert "http://localhost:9001/docs/9001" in stack.berth("status", "web").out

    def asked():
        with open(path, encoding="utf-8") as file:
            return set(file.read().split())
    wait_until(lambda: asked() == {"/ready/9001", "/live/9001"}, asked)
