"""Charging profiles in a running station: installed, applied at the right second, shared, kept over restarts."""

from charging_bench import Bench, full_flash
from charging_profiles import profile

from firmware.charging.composite import DEFAULT, STATION, TRANSACTION
from firmware.store.slots import Slots


def slots(bench, n=1):
    """Returns (mA, slot) that counts at a connector."""
    return bench.evses[n - 1].limit


async def started(**settings):
    bench = Bench(**settings)
    await bench.run(100)
    return bench


def numbers(bench):
    return [p.number for p in bench.station.schedules.profiles]


async def test_a_profile_applies_at_once_and_lifts_when_it_is_cleared():
    bench = await started()
    schedules = bench.station.schedules
    assert schedules.install(profile())
    assert slots(bench) == (10_000, "schedule")
    assert schedules.clear(1) and not schedules.clear(1)
    assert slots(bench) == (32_000, "supply")


async def test_limits_change_at_their_second():
    # no drift: within a second of every boundary
    bench = await started()
    now = bench.clock.now()
    bench.station.schedules.install(profile(start=now + 7, duration=20, periods=(0, 60, 0, 10, 160, 0)))
    seen = []
    for _ in range(300):
        await bench.run(100)
        if not seen or seen[-1][1] != slots(bench)[0]:
            seen.append((bench.clock.now() - now, slots(bench)[0]))
    assert seen == [(0, 32_000), (7, 6_000), (17, 16_000), (27, 32_000)]


async def test_each_connector_has_its_own_boundaries():
    bench = await started(connectors=2)
    now = bench.clock.now()
    for n, seconds in ((1, 10), (2, 30)):
        bench.station.schedules.install(profile(n, n, start=now, duration=seconds))
    await bench.run(11_000)
    assert [slots(bench, n)[0] for n in (1, 2)] == [32_000, 10_000]
    await bench.run(20_000)
    assert [slots(bench, n)[0] for n in (1, 2)] == [32_000, 32_000]


async def test_a_limit_of_zero_pauses_and_more_resumes():
    # what home energy managers do all day
    bench = Bench()
    await bench.charging()
    bench.station.schedules.install(profile(1, 1, periods=(0, 0, 0)))
    await bench.run(3_000)
    assert bench.word == "suspended by station" and not bench.evse.charging and slots(bench) == (0, "schedule")
    bench.station.schedules.install(profile(1, 1, periods=(0, 60, 0)))
    await bench.run(3_000)
    assert bench.word == "charging" and bench.evse.offered_ma == 6_000


async def test_less_than_six_amperes_is_a_pause():
    bench = Bench()
    await bench.charging()
    bench.station.schedules.install(profile(periods=(0, 59, 0)))
    await bench.run(3_000)
    assert bench.word == "suspended by station"


async def test_a_new_default_applies_to_the_running_transaction():
    # errata 3.8
    bench = Bench()
    await bench.charging()
    bench.station.schedules.install(profile(periods=(0, 130, 0)))
    await bench.run(100)
    assert bench.evse.offered_ma == 13_000


async def test_relative_begins_with_each_transaction():
    # trap 37
    bench = await started()
    bench.station.schedules.install(profile(periods=(0, 60, 0, 30, 160, 0)))
    await bench.run(40_000)
    assert slots(bench)[0] == 6_000
    await bench.charging()
    assert bench.evse.offered_ma == 6_000
    await bench.run(31_000)
    assert bench.evse.offered_ma == 16_000
    await bench.station.swipe("CARD")
    await bench.run(10_000)
    assert slots(bench)[0] == 6_000


async def test_relative_does_not_move_when_the_clock_is_set():
    bench = Bench()
    bench.station.schedules.install(profile(periods=(0, 60, 0, 100, 160, 0)))
    await bench.charging()
    bench.clock.set_unix(bench.clock.now() + 1_000_000, "ocpp")
    await bench.run(90_000)
    assert bench.evse.offered_ma == 6_000
    await bench.run(11_000)
    assert bench.evse.offered_ma == 16_000


async def test_absolute_follows_a_clock_that_is_set():
    bench = await started()
    now = bench.clock.now()
    bench.station.schedules.install(profile(start=now + 1_000, duration=100))
    bench.clock.set_unix(now + 1_050, "ocpp")
    assert slots(bench) == (10_000, "schedule")
    bench.clock.set_unix(now + 50, "ocpp")
    assert slots(bench) == (32_000, "supply")


async def test_a_transaction_profile_needs_its_transaction_and_ends_with_it():
    # §3.13.1; trap 36
    bench = await started()
    schedules = bench.station.schedules
    assert not schedules.install(profile(1, 1, TRANSACTION, transaction=1))
    transaction = await bench.charging()
    assert not schedules.install(profile(1, 1, TRANSACTION, transaction=transaction.number + 1))
    assert schedules.install(profile(2))
    assert schedules.install(profile(1, 1, TRANSACTION, transaction=transaction.number, periods=(0, 160, 0)))
    await bench.run(100)
    assert bench.evse.offered_ma == 16_000
    await bench.station.swipe("CARD")
    await bench.run(10_000)
    assert numbers(bench) == [2] and slots(bench) == (10_000, "schedule")


async def test_the_profile_of_a_remote_start_is_that_of_its_transaction():
    # §5.16.2, errata 3.42: a later one of the same level replaces it
    bench = await started()
    bench.plug()
    assert bench.station.remote_start("CARD", 1, profile(5, None, TRANSACTION, periods=(0, 60, 0)))
    await bench.run(1_500)
    bench.evse.set_state("C")
    await bench.run(100)
    assert bench.evse.offered_ma == 6_000
    (kept,) = bench.station.schedules.profiles
    assert kept[:5] == (5, 1, TRANSACTION, 0, bench.transaction.number)
    assert bench.station.schedules.install(profile(6, 1, TRANSACTION, transaction=bench.transaction.number))
    assert numbers(bench) == [6]


async def test_no_energy_flows_above_the_profile_of_a_remote_start():
    bench = await started()
    bench.plug()
    bench.evse.set_state("C")
    offers = []
    bench.evse.pilot_changed.connect(lambda evse: offers.append(evse.offered_ma))
    bench.station.remote_start("CARD", 1, profile(5, None, TRANSACTION, periods=(0, 80, 0)))
    await bench.run(3_000)
    assert offers == [8_000]


async def test_same_number_or_same_purpose_and_level_replaces():
    # §5.16.3, §5.16.4; trap 34
    bench = await started()
    schedules = bench.station.schedules
    schedules.install(profile(1, level=2))
    schedules.install(profile(2, level=2))
    assert numbers(bench) == [2]
    schedules.install(profile(2, level=3))
    assert numbers(bench) == [2]
    schedules.install(profile(3, 1, level=3))
    assert numbers(bench) == [2, 3], "that of one connector leaves that of all"
    schedules.install(profile(4, 0, STATION, level=3, start=0))
    assert numbers(bench) == [2, 3, 4]


async def test_a_replaced_profile_leaves_a_gap_until_the_new_one_is_valid():
    # §3.13.2; trap 34
    bench = await started()
    schedules = bench.station.schedules
    schedules.install(profile(1))
    schedules.install(profile(1, valid_from=bench.clock.now() + 10))
    assert slots(bench)[0] == 32_000
    await bench.run(11_000)
    assert slots(bench)[0] == 10_000


async def test_full_means_full_but_not_for_a_replacement():
    # MicroOcpp counts before it replaces
    bench = await started(MaxChargingProfilesInstalled=3)
    schedules = bench.station.schedules
    for level in range(3):
        assert schedules.install(profile(level, level=level))
    assert not schedules.install(profile(9, level=9)) and numbers(bench) == [0, 1, 2]
    assert schedules.install(profile(8, level=1)) and numbers(bench) == [0, 2, 8]
    assert schedules.install(profile(2, level=7, valid_to=bench.clock.now() + 5))
    await bench.run(6_000)
    assert schedules.install(profile(9, level=9)) and numbers(bench) == [0, 8, 9], "what is over makes room"


async def test_clear_takes_what_matches_all_that_is_given():
    # errata 3.25, 3.26; trap 39
    bench = await started()
    schedules = bench.station.schedules

    def fill():
        for p in (profile(1, 0, STATION, 1, start=0), profile(2, 0, DEFAULT, 1), profile(3, 1, DEFAULT, 2)):
            schedules.install(p)

    fill()
    assert schedules.clear(3, 0, STATION, 9) and numbers(bench) == [1, 2], "a number decides alone"
    assert not schedules.clear(None, 1) and not schedules.clear(None, 0, STATION, 2) and not schedules.clear(77)
    assert schedules.clear(None, 0, DEFAULT, 1) and numbers(bench) == [1]
    fill()
    assert schedules.clear(None, None, DEFAULT) and numbers(bench) == [1]
    fill()
    assert schedules.clear(level=1) and numbers(bench) == [3]
    fill()
    assert schedules.clear() and numbers(bench) == []


async def test_profiles_survive_a_restart_those_of_a_lost_transaction_do_not():
    # errata 3.37; trap 36
    bench = Bench()
    transaction = await bench.charging()
    schedules = bench.station.schedules
    schedules.install(profile(1, 0, STATION, start=5, least=80, watts=True, periods=(0, 110_401, 3, 60, 0, 1)))
    schedules.install(profile(2, level=16, valid_from=7, valid_to=bench.clock.now() + 10_000, duration=99))
    kept = schedules.profiles
    schedules.install(profile(3, 1, TRANSACTION, transaction=transaction.number))
    bench = bench.power_cut()
    await bench.run(5_000)
    assert bench.station.schedules.profiles == kept and type(kept[0].periods) is tuple


async def test_a_profile_counts_before_anything_can_be_charged_after_a_restart():
    bench = await started()
    bench.station.schedules.install(profile())
    bench = bench.power_cut()
    assert slots(bench) == (10_000, "schedule")


async def test_the_code_is_not_loaded_before_it_is_needed():
    # heap: a station without profiles does without
    bench = await started()
    await bench.charging()
    assert "schedules" not in bench.station.features
    bench.station.schedules.install(profile())
    bench.station.schedules.clear()
    assert "schedules" not in bench.power_cut().station.features


async def test_a_flash_that_refuses_changes_nothing():
    bench = await started()
    schedules = bench.station.schedules
    schedules.install(profile(1))
    with full_flash():
        assert not schedules.install(profile(1, periods=(0, 60, 0))) and slots(bench)[0] == 10_000
        try:
            schedules.clear()
            raise AssertionError("cleared")
        except OSError:
            pass
    assert numbers(bench) == [1] and bench.power_cut().station.schedules.profiles == schedules.profiles


async def test_the_same_again_costs_no_flash():
    bench = await started()
    schedules = bench.station.schedules
    schedules.install(profile(1))
    with full_flash():
        assert schedules.install(profile(1))
        assert not schedules.install(profile(1, periods=(0, 60, 0)))


async def test_a_store_from_elsewhere_is_no_reason_to_stand_still():
    bench = await started()
    for text in ("{", "[1]", '[["x"]]', "{}", "[[1,2,3,4,5,6,7,8,9,10,11,12,13,14]]"):
        Slots(bench.folder + "/profiles").save(text)
        bench = bench.power_cut()
        await bench.run(100)
        assert bench.station.schedules.profiles == []


# -- phases


async def test_one_phase_where_the_profile_allows_no_more_and_the_station_can():
    # §3.13.7, ConnectorSwitch3to1PhaseSupported
    bench = await started()
    schedules = bench.station.schedules
    schedules.install(profile(1, periods=(0, 160, 1, 60, 160, 3)))
    assert bench.evse.phases == 1
    schedules.install(profile(1, periods=(0, 160, 0)))
    assert bench.evse.phases == 3
    bench.settings.fit(())
    schedules.install(profile(1, periods=(0, 160, 1)))
    assert bench.evse.phases == 3
