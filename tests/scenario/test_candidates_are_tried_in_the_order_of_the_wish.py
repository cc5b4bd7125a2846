# SPDX-License-Identifier: MIT
# scenario/test_candidates_are_tried_in_the_order_of_the_wish.py - P1-P10, P13, P14: which port a service gets
"""The wish, the list, the range, around, any: always in that order, and a refusal says who holds what."""

import subprocess

import pytest

from berthtest import BERTH, NO_PORT, USAGE, answer, bindable, ids, port_of, root_and_user


def start(world, *arguments, **options):
    """A victim under those options that takes the PORT it is given; its service."""
    victim = world.victim()
    document = world.run_d("--name", victim.name, *arguments, "--", *victim.argv("PORT"), **options)
    return document["service"]


@ids("P1")
@root_and_user
def test_a_free_wish_is_given(world):
    service = start(world, "--port", "5002")
    assert port_of(service) == 5002
    assert service["ports"][0]["reason"] == "wished" and service["ports"][0]["asked"] == 5002
    assert answer(5002)["port"] == 5002


@ids("P1")
def test_a_range_is_searched_upwards_from_its_start(world):
    world.occupy(5002)
    world.occupy(5003)
    assert port_of(start(world, "--range", "5002-5012")) == 5004


@ids("P1")
def test_a_range_is_searched_upwards_from_the_wish_and_around_to_its_start(world):
    for port in range(9005, 9010):
        world.occupy(port)
    assert port_of(start(world, "--port", "9005", "--range", "9000-9009")) == 9000


@ids("P1")
def test_a_lone_wish_tries_a_hundred_numbers(world):
    for port in range(7000, 7099):
        world.occupy(port)
    service = start(world, "--port", "7000")
    assert port_of(service) == 7099
    assert service["ports"][0]["reason"] == "taken"


@ids("P1", "P6")
def test_a_lone_wish_gives_up_after_a_hundred(world):
    for port in range(7000, 7100):
        world.occupy(port)
    document = world.run_d("--port", "7000", "--", *world.victim().argv("PORT"), check=NO_PORT)
    assert document["error"]["code"] == "no-port"


@ids("P2")
def test_an_explicit_list_is_tried_in_its_order(world):
    world.occupy(5001)
    world.occupy(5002)
    service = start(world, "--port", "5001,5002,3000,8000")
    assert port_of(service) == 3000
    assert service["ports"][0]["asked"] == 5001 and service["ports"][0]["holder"]["pid"] > 0


@ids("P2")
def test_paired_lists_of_a_group_move_together(world):
    world.occupy(8091)  # breaks the first pair by its second half
    victim = world.victim()
    service = world.run_d("--name", "viewer", "--port", "http=8090,8100", "--port", "ws=8091,8101", "--",
                          *victim.argv(8090, 8091))["service"]
    assert (port_of(service, "http"), port_of(service, "ws")) == (8100, 8101)
    reasons = {p["name"]: p["reason"] for p in service["ports"]}
    assert reasons == {"http": "group", "ws": "taken"}
    assert victim.ready() == [8100, 8101]


@ids("P2")
def test_paired_lists_of_unequal_length_are_a_usage_error(world):
    result = world.berth("run", "--port", "http=8090,8100", "--port", "ws=8091", "--", "true", check=None)
    assert result.code in (0, USAGE)
    result = world.berth("run", "--port", "http=8090,8100", "--port", "ws=8091,8101,8111", "--", "true", check=USAGE)
    assert "hint:" in result.err


@ids("P3")
def test_any_takes_a_port_from_the_system_only_when_asked(world):
    for port in range(5002, 5006):
        world.occupy(port)
    result = world.berth("run", "--range", "5002-5005", "--", "true", check=NO_PORT)
    assert "--any" in result.err
    service = start(world, "--range", "5002-5005", "--any")
    assert port_of(service) not in range(5002, 5006)
    assert service["ports"][0]["reason"] == "any"
    assert port_of(start(world, "--range", "5002-5005", env={"BERTH_ANY": "1"})) not in range(5002, 5006)


@ids("P4")
def test_around_tries_one_above_one_below_and_so_on(world):
    got = [port_of(start(world, "--port", "8000", "--around", "100")) for _ in range(5)]
    assert got == [8000, 8001, 7999, 8002, 7998]


@ids("P4")
def test_around_moves_a_group_by_one_shift(world):
    world.occupy(8005)
    service = start_group(world, "--port", "http=8000", "--port", "ws=8005", "--around", "100")
    assert port_of(service, "ws") - port_of(service, "http") == 5
    assert port_of(service, "http") != 8000 and abs(port_of(service, "http") - 8000) <= 10


def start_group(world, *arguments):
    victim = world.victim()
    places = [argument.partition("=")[2] for argument in arguments if "=" in argument]
    return world.run_d("--name", victim.name, *arguments, "--", *victim.argv(*places))["service"]


@ids("P5")
def test_port_from_the_environment_moves_the_start(world):
    world.occupy(6100)
    assert port_of(start(world, env={"PORT": "6100"})) == 6101


@ids("P5")
def test_port_from_the_environment_keeps_the_length_of_the_range(world):
    for port in range(6200, 6203):
        world.occupy(port)
    world.berth("run", "--range", "5000-5002", "--", "true", env={"PORT": "6200"}, check=NO_PORT)
    world.sockets.pop().close()  # 6202: the last of the moved range
    assert port_of(start(world, "--range", "5000-5002", env={"PORT": "6200"})) == 6202


@ids("P5")
def test_berth_spellings_win_over_the_plain_ones(world):
    assert port_of(start(world, env={"PORT": "6100", "BERTH_PORT": "6300"})) == 6300


@ids("P5")
def test_a_flag_wins_over_the_environment(world):
    assert port_of(start(world, "--port", "6400", env={"PORT": "6100"})) == 6400


@ids("P5")
def test_fallback_ports_and_attempts_come_from_the_environment(world):
    world.occupy(6100)
    assert port_of(start(world, env={"PORT": "6100", "FALLBACK_PORTS": "6500,6501"})) == 6500
    for port in range(6600, 6603):
        world.occupy(port)
    result = world.berth("run", "--port", "6600", "--", "true", env={"MAX_PORT_ATTEMPTS": "3"}, check=NO_PORT)
    assert "6602" in result.err and "6603" not in result.err


@ids("P5")
def test_settings_come_from_the_dotenv_file_and_are_not_given_to_the_service(world):
    world.write(".env", "PORT=6700\nSECRET=hidden\n")
    result = world.berth("run", "--", "sh", "-c", 'echo "$PORT ${SECRET:-none}"')
    assert result.out == "6700 none\n"


@ids("P6")
@root_and_user
def test_a_full_range_says_which_ports_and_who_holds_each(world):
    stranger = world.stranger(5002, say="squatter")
    world.occupy(5003)
    result = world.berth("run", "--name", "web", "--range", "5002-5003", "--", "true", check=NO_PORT)
    assert "5002-5003" in result.err and "'web'" in result.err
    assert f"5002 victim {stranger.pid}" in result.err
    assert "5003" in result.err and "hint:" in result.err
    assert "EADDRINUSE" not in result.err
    document = world.berth("run", "-d", "--json", "--range", "5002-5003", "--", "true", check=NO_PORT)
    assert document.error["code"] == "no-port" and document.error["hint"]


@ids("P7")
def test_ports_below_1024_are_never_reached_by_counting(world):
    for port in (1022, 1023):
        world.occupy(port)
    world.occupy(80)
    assert port_of(start(world, "--port", "80")) >= 1024


@ids("P7")
def test_ports_that_browsers_refuse_are_skipped(world):
    world.occupy(5999)
    assert port_of(start(world, "--port", "5999")) == 6001  # 6000: X11, which Fetch forbids
    world.occupy(6664)
    assert port_of(start(world, "--port", "6664")) == 6670


@ids("P7")
def test_ports_that_the_kernel_reserves_are_skipped(world):
    with open("/proc/sys/net/ipv4/ip_local_reserved_ports", "w", encoding="ascii") as file:
        file.write("7001-7003")  # of this test's own network namespace
    world.occupy(7000)
    assert port_of(start(world, "--port", "7000")) == 7004


@ids("P7")
def test_a_reserved_wish_that_is_named_is_moved_and_said(world):
    run = world.start("run", "--port", "6000", "--", *world.victim().argv(6000))
    line = run.wait_for(r"^berth: \S+ is http://localhost:(\d+) \(.*\)$")
    assert int(line[1]) == 6001 and "browser" in line[0]


@ids("P8")
@root_and_user
def test_three_viewers_at_once_keep_their_spacing(world):
    got = []
    for _ in range(3):
        service = start_group(world, "--port", "http=8100", "--port", "ws=8101")
        got.append((port_of(service, "http"), port_of(service, "ws")))
    assert got == [(8100, 8101), (8110, 8111), (8120, 8121)]


@ids("P8")
def test_step_says_how_far_a_group_moves(world):
    world.occupy(8100)
    service = start_group(world, "--port", "http=8100", "--port", "ws=8101", "--step", "2")
    assert (port_of(service, "http"), port_of(service, "ws")) == (8102, 8103)


@ids("P9")
@root_and_user
def test_port_and_braces_name_the_same_number(world):
    world.occupy(9000)
    result = world.berth("run", "--port", "9000", "--", "sh", "-c", 'echo "$PORT $0 $1"', "{port}", "{other}")
    assert result.out == "9001 9001 {other}\n"


@ids("P9")
def test_braces_of_named_ports_and_urls_are_filled(world):
    result = world.berth("run", "--port", "http=8080", "--port", "ws=8081", "--", "echo", "{port.http}", "{port.ws}",
                         "{url}", "{host}", "{\"json\":1}", "--to={port.ws}")
    words = result.out.split()
    assert words[:3] == ["8080", "8081", "http://localhost:8080"] and words[4:] == ['{"json":1}', "--to=8081"]


@ids("P10")
@root_and_user
def test_new_starts_another_instance_each_time(world):
    victims = [world.victim() for _ in range(4)]
    services = [world.run_d("--name", "face", "--new", "--range", "5002-5012", "--", *v.argv(5002))["service"]
                for v in victims]
    assert [port_of(service) for service in services] == [5002, 5003, 5004, 5005]
    assert [service["instance"] for service in services] == [1, 2, 3, 4]
    assert len({service["id"] for service in services}) == 4


@ids("P11")
def test_what_was_given_away_is_free_again_after_stop(world):
    service = start(world, "--port", "5002")
    assert not bindable(5002)
    world.berth("stop", service["service"])
    assert bindable(5002)
    assert world.services() == []


@ids("P13")
@root_and_user
def test_the_port_is_closed_to_others_before_the_service_binds(world):
    """From the moment of choosing: the service waits for a line, its port is nobody else's."""
    victim = world.victim()
    run = world.start("run", "--port", "5002", "--", *victim.argv("--wait-line", 5002), stdin=subprocess.PIPE)
    victim.running()
    assert not bindable(5002)
    run.send("\n")
    assert victim.port == 5002


@ids("P14")
@root_and_user
def test_a_bind_that_fails_all_the_same_is_answered_with_the_next_number(world):
    """An extra port has no holder: taken, its bind() succeeds on the next."""
    world.occupy(9464)
    victim = world.victim()
    service = world.run_d("--name", "web", "--port", "5002", "--", *victim.argv(5002, 9464))["service"]
    assert victim.ready() == [5002, 9465]
    extra = [p for p in service["ports"] if p["port"] == 9465]
    if extra:
        assert extra[0]["reason"] == "extra" and extra[0]["asked"] == 9464


@ids("P1")
def test_strict_takes_the_wish_or_nothing(world):
    assert port_of(start(world, "--port", "5002", "--strict")) == 5002
    result = world.berth("run", "--name", "other", "--port", "5002", "--strict", "--", "true", check=NO_PORT)
    assert "5002" in result.err and "5003" not in result.err


@ids("P1")
def test_a_map_puts_one_number_in_the_place_of_another(world):
    victim = world.victim()
    world.run_d("--name", "web", "--map", "5000:7777", "--", *victim.argv(5000))
    assert victim.port == 7777


@ids("P1")
@pytest.mark.parametrize("wrong", ["0", "65536", "-1", "80x", "a=b=c", "http=", "5000,,5001", "", "5002-", "UPPER=80"])
def test_a_wrong_port_is_a_usage_error(world, wrong):
    result = world.berth("run", f"--port={wrong}", "--", "true", check=USAGE)
    assert "--help" in result.err or "hint:" in result.err
    assert len(result.err.splitlines()) <= 2


@ids("P1")
@pytest.mark.parametrize("wrong", ["10-5", "5000-70000", "x-y", "0-10"])
def test_a_wrong_range_is_a_usage_error(world, wrong):
    world.berth("run", "--range", wrong, "--", "true", check=USAGE)


@ids("P5")
@pytest.mark.parametrize("name", ["PORT", "FALLBACK_PORTS", "MAX_PORT_ATTEMPTS", "PORT_CHECK_TIMEOUT"])
def test_a_wrong_setting_names_its_variable(world, name):
    result = world.berth("run", "--", "echo", "ran", env={name: "rubbish"}, check=USAGE)
    assert name in result.err and "ran" not in result.out


@ids("P7", "P5")
def test_the_users_own_list_is_skipped(world):
    world.occupy(7000)
    assert port_of(start(world, "--port", "7000", env={"BERTH_SKIP": "7001-7004"})) == 7005


@ids("P10", "P13", "N2")
@root_and_user
def test_thirty_starts_at_once_get_thirty_ports(world):
    """All want 5000; what picks a port first and binds it later loses most of them."""
    victims = [world.victim() for _ in range(30)]
    for victim in victims:
        world.spawn([BERTH, "run", "-q", "--new", "--name", "web", "--port", "5000", "--", *victim.argv(5000)])
    ports = sorted(victim.port for victim in victims)
    assert ports == list(range(5000, 5030))
    for victim in victims:
        assert answer(victim.port)["say"] == victim.name
    assert sorted(service["instance"] for service in world.services()) == list(range(1, 31))


@ids("P1")
@root_and_user
def test_steer_declared_leaves_other_numbers_to_the_kernel(world):
    world.occupy(9464)
    victim = world.victim()
    result = world.berth("run", "--steer", "declared", "--port", "5000", "--", *victim.argv(5000, 9464), check=99)
    assert "Address already in use" in result.err
