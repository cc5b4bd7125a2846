# SPDX-License-Identifier: MIT
# scenario/test_shop_comes_up_where_every_port_is_taken.py - S1-S5, S8: a real application on numbers that are not its own
"""examples/shop needs none of its default ports: each part gets another one, and is told where the others are."""

import json
import os
import signal

from berthtest import ALREADY, alive, answer, bindable, ids, kill, port_of, root_and_user, wait_until
from shop import DEFAULTS, START, get, read_ports, redis, shop

KEYS = {f"{service}_{what}" for service in DEFAULTS for what in ("port", "url")}


def check_answers(ports):
    """What every client sees that only knows the ports file."""
    assert redis(ports["redis_port"], "PING") == "+PONG"
    assert ports["redis_url"] == f"redis://localhost:{ports['redis_port']}"
    assert ports["backend_url"] == f"http://localhost:{ports['backend_port']}"
    assert get(f"{ports['backend_url']}/healthz")[0] == 200
    assert get(f"{ports['backend_url']}/docs")[0] == 200
    page = get(f"{ports['frontend_url']}/")[2]
    assert f'content="{ports["backend_url"]}"' in page, page


def check_own_member(own, services):
    """What .ports.json says under "berth", against what `berth ls` says."""
    assert own["version"] == 1 and own["project"] == "shop" and own["copy"] is None, own
    assert {own["pid"]} == {service["supervisor_pid"] for service in services.values()}
    assert set(own["services"]) == set(services)
    for name, entry in own["services"].items():
        assert entry["state"] == "ready", own
        if name in DEFAULTS:
            assert (entry["asked"], entry["port"]) == (DEFAULTS[name], port_of(services[name]))


@ids("S1", "S2", "S4", "S5")
@root_and_user
def test_all_default_ports_are_taken_by_strangers(world):
    stranger = world.stranger(*DEFAULTS.values())
    main = shop(world).up()

    ports = main.ports
    assert set(ports) - {"berth"} == KEYS
    assert {service: ports[f"{service}_port"] for service in DEFAULTS} == {
        "redis": 6380, "backend": 9001, "frontend": 5174}
    check_answers(ports)

    services = main.services()
    assert {name: service["state"] for name, service in services.items()} == dict.fromkeys([*DEFAULTS, "worker"], "ready")
    for name in DEFAULTS:
        assert port_of(services[name]) == ports[f"{name}_port"]
        assert services[name]["ports"][0]["reason"] == "taken"
    assert main.items()["backend"] == services["backend"]["id"]
    check_own_member(ports["berth"], services)

    for port in DEFAULTS.values():
        assert answer(port)["say"] == stranger.victim.name


@ids("S1", "S5")
@root_and_user
def test_an_order_goes_through_all_four_parts(world):
    world.stranger(*DEFAULTS.values())
    main = shop(world).up()
    assert main.left("bread") == 7
    main.buy("bread")
    wait_until(lambda: main.left("bread") == 6, "the worker has sold it")
    assert "sold: bread" in main.berth("logs", "worker").out


@ids("S5")
def test_the_backend_answers_the_page_of_its_frontend_and_no_other(world):
    world.stranger(*DEFAULTS.values())
    main = shop(world).up()
    port = main.ports["frontend_port"]
    for origin in (f"http://localhost:{port}", f"http://127.0.0.1:{port}", f"http://[::1]:{port}"):
        status, headers, _ = main.get("/api/items", headers={"Origin": origin})
        assert status == 200 and headers["Access-Control-Allow-Origin"] == origin
    for origin in ("http://localhost:4444", f"https://localhost:{port}", f"http://localhost:{port}0", "null",
                   f"http://localhost.example:{port}", "http://shop.example"):
        status, headers, _ = main.get("/api/items", headers={"Origin": origin})
        assert status == 403 and headers["Access-Control-Allow-Origin"] is None, origin


@ids("S5")
def test_the_doctor_finds_no_fault_with_it(world):
    """Families, CORS and its preflight for the real origin, who else answers there."""
    world.stranger(*DEFAULTS.values())
    main = shop(world).up()
    for service in ("backend", "frontend"):
        result = main.berth("doctor", service)
        assert "missing" not in result.out and "degraded" not in result.out, result
    assert f"localhost:{main.ports['frontend_port']}" in main.berth("doctor", "backend").out


@ids("S1", "S2")
@root_and_user
def test_up_twice_starts_what_lacks(world):
    main = shop(world).up()
    before = main.services()
    main.up()
    assert {name: service["id"] for name, service in main.services().items()} == {
        name: service["id"] for name, service in before.items()}

    main.berth("stop", "worker")
    assert set(main.services()) == set(DEFAULTS)
    main.up()
    after = main.services()
    assert after["worker"]["state"] == "ready"
    assert all(after[name]["id"] == before[name]["id"] for name in DEFAULTS)


@ids("S1")
def test_one_service_brings_what_it_depends_on_and_no_more(world):
    main = shop(world).up("backend")
    assert set(main.services()) == {"redis", "backend"}
    assert get(f"{main.ports['backend_url']}/healthz")[0] == 200


@ids("S2", "S8", "F5")
@root_and_user
def test_three_copies_in_one_folder(world):
    """The plain one, a second by name, a third with the range of a profile: each page asks its own backend."""
    main = shop(world).up()
    main.up("--as", "demo")
    main.up("--profile", "test")

    files = [os.path.join(main.folder, name) for name in (".ports.json", ".ports.demo.json", ".ports.test.json")]
    copies = [read_ports(path) for path in files]
    assert [copy["backend_port"] for copy in copies[:2]] == [9000, 9001]
    assert all(20000 <= copies[2][f"{name}_port"] <= 20999 for name in DEFAULTS), copies[2]
    backends = set()
    for ports in copies:
        assert set(ports) - {"berth"} == KEYS
        check_answers(ports)
        backends.add(json.loads(get(f"{ports['backend_url']}/api/items")[2])["backend"])
    assert len(backends) == 3

    main.berth("down", "--as", "demo")
    assert not os.path.exists(files[1])
    assert bindable(copies[1]["backend_port"])
    check_answers(main.ports)
    check_answers(read_ports(files[2]))


@ids("S1", "P11")
@root_and_user
def test_the_procfile_beside_it_will_do(world):
    """No order and no checks; the ports are foreman's."""
    world.stranger(5000, 5100, 5300)
    main = shop(world).up("-f", "Procfile")
    ports = main.ports
    assert [ports[f"{service}_port"] for service in ("redis", "backend", "frontend")] == [5001, 5101, 5301]
    wait_until(lambda: get(f"{ports['backend_url']}/healthz")[0] == 200, "the backend finds Redis")
    main.buy("cheese")
    wait_until(lambda: main.left("cheese") == 4, "the worker has sold it")
    status, headers, _ = main.get("/api/items", headers={"Origin": ports["frontend_url"]})
    assert status == 200 and headers["Access-Control-Allow-Origin"] == ports["frontend_url"]


@ids("S1", "N6")
@root_and_user
def test_ctrl_c_in_the_foreground_ends_all_of_it(world):
    main = shop(world)
    run = main.start("up", terminal=True)
    run.wait_for(r"backend(\.1)? +\| .*answering at http://localhost:9000", deadline=START)
    wait_until(lambda: len(main.services()) == 4 and all(s["state"] == "ready" for s in main.services().values()),
               lambda: f"all are ready: {run}", deadline=START)
    ports = main.ports
    main.berth("up", check=ALREADY)
    run.send("\x03")
    run.wait()
    world.nothing_left()
    assert all(bindable(ports[f"{name}_port"]) for name in DEFAULTS)
    assert not os.path.exists(main.ports_file)


@ids("S7", "N5")
def test_a_killed_backend_comes_again_at_its_place(world):
    """Its Redis and its page go on, and the page's next request waits for the new life."""
    main = shop(world).up()
    before = main.services()["backend"]
    kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: main.services()["backend"]["restarts"] == 1, "it is started again")
    wait_until(lambda: main.get("/healthz")[0] == 200, "it answers")
    after = main.services()
    assert port_of(after["backend"]) == port_of(before) == main.ports["backend_port"]
    assert not alive(before["pid"])
    assert after["frontend"]["restarts"] == after["redis"]["restarts"] == 0
