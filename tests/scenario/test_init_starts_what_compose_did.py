# SPDX-License-Identifier: MIT
# scenario/test_init_starts_what_compose_did.py - F6: what `berth init` makes of a Compose file runs
"""podman as root, as in test_who_names_containers.py. It is the `docker` in the PATH."""

import pytest

from berthtest import bindable, body, ids, wait_until
from test_a_container_is_a_service import READY, containers
from test_free_stops_the_container import put_in_path
from test_who_names_containers import IMAGE, podman  # noqa: F401 - a fixture

COMPOSE = f"""\
services:
  web:
    image: {IMAGE}
    command: ["/bin/busybox", "sh", "-c", "mkdir -p /www; echo \\"$$GREETING {{port}}\\" > /www/index.html; exec /bin/busybox httpd -f -p 8080 -h /www"]
    ports: ["18480:8080"]
    environment: {{GREETING: "hello $${{you}} {{id}}"}}
    healthcheck: {{test: ["CMD", "/bin/busybox", "test", "-e", "/www/index.html"], interval: 1s}}
  after:
    image: {IMAGE}
    entrypoint: ["/bin/busybox"]
    command: sleep 1000
    depends_on: {{web: {{condition: service_healthy}}}}
"""


@pytest.fixture
def engine(world, podman):  # noqa: F811
    put_in_path(world, podman)
    # Docker's rm -f kills at once, podman's waits for 10 s first.
    world.write(f"{world.bin}/docker", '#!/bin/sh\n[ "$1" = rm ] && set -- rm --time=0 "$2" "$3"\nexec podman "$@"\n', 0o755)
    yield podman
    podman("rm", "--all", "--force", "--time=0", check=False)


@ids("F6", "S4", "P1")
def test_a_compose_file_runs_on_other_ports_than_its_own(world, engine):
    world.occupy(18480)
    world.write("compose.yaml", COMPOSE)
    assert world.berth("init").out == ""
    world.berth("up", "-d", deadline=2 * READY)
    port = int(world.berth("port", "web").out)
    assert port == 18481
    assert body(port) == "hello ${you} {id} {port}\n"
    services = world.services()
    assert sorted(service["service"] for service in services) == ["after", "web"]
    names = sorted(service["id"] for service in services)
    wait_until(lambda: sorted(containers(engine)) == names, "each service has its container", READY)
    world.berth("down", deadline=2 * READY)
    assert containers(engine) == []
    wait_until(lambda: bindable(port), "the port is free")
    world.nothing_left(READY)
