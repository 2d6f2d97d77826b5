"""Smart charging as the back-end sees it: OCPP 1.6 §5.5, §5.7, §5.11, §5.16; both sides of each call by the schema."""

import json

from charging_profiles import ocpp_profile
from link_bench import LinkBench

from firmware.kernel.clock import iso8601
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.rules import Rules

SCHEMA = Rules().schema
_8_2 = 8.199999809265137  # as the board's 32-bit floats read 8.2


async def ask(bench, action, **payload):
    """Returns the answer, or the code of the CALLERROR."""
    try:
        SCHEMA.accept(action, payload)
    except CallError as exc:
        return exc.code
    answer = await bench.ask(action, **payload)
    if isinstance(answer, dict):
        SCHEMA.validate(action, answer, True)
    return answer


async def status(bench, action, **payload):
    answer = await ask(bench, action, **payload)
    return answer["status"] if isinstance(answer, dict) else answer


async def install(bench, connector, **fields):
    return await status(bench, "SetChargingProfile", connectorId=connector, csChargingProfiles=ocpp_profile(**fields))


async def composite(bench, connector=1, duration=3_600, **more):
    """Returns [(startPeriod, limit), ...]."""
    answer = await ask(bench, "GetCompositeSchedule", connectorId=connector, duration=duration, **more)
    assert answer["status"] == "Accepted" and answer["connectorId"] == connector
    schedule = answer["chargingSchedule"]
    assert "startSchedule" not in schedule, "errata 3.57"
    assert schedule["chargingRateUnit"] == more.get("chargingRateUnit", "A")
    return [(period["startPeriod"], period["limit"]) for period in schedule["chargingSchedulePeriod"]]


def allowed(bench):
    return bench.charging.evse.limit


async def in_transaction(bench, transaction_id=77):
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    bench.peer.script["StartTransaction"] = [{"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}}]
    await bench.charging.charging()
    await bench.run(500)
    return bench


# -- what home energy managers send


async def test_now_is_now_by_whosever_clock():
    # ours was set from whole seconds and lies behind: no moment at 32 A before the pause that evcc wants and reads back
    bench = await LinkBench().accepted()
    for seconds, first in ((1, 0), (2, 0), (3, 32)):
        start = iso8601(bench.clock.now() + seconds)
        assert await install(bench, 1, kind="Absolute", startSchedule=start, limit=0) == "Accepted"
        assert (await composite(bench, 1, 60))[0] == (0, first), seconds
        assert allowed(bench)[0] == first * 1000
        assert await install(bench, 1, validFrom=start, limit=0) == "Accepted"
        assert allowed(bench)[0] == first * 1000


async def test_home_assistant_limits_the_station():
    # connector 0, ChargePointMaxProfile, Relative, no startSchedule, the highest stack level, 8.0
    bench = await LinkBench().accepted()
    level = bench.settings.get("ChargeProfileMaxStackLevel")
    fields = {"purpose": "ChargePointMaxProfile", "kind": "Relative", "level": level, "limit": 8.0}
    assert await install(bench, 0, number=8, **fields) == "Accepted"
    assert allowed(bench) == (8_000, "station")
    await bench.run(3_600_000)
    assert allowed(bench) == (8_000, "station"), "without a duration it stays"
    assert await composite(bench) == [(0, 8)]
    assert await status(bench, "ClearChargingProfile") == "Accepted"
    assert allowed(bench) == (32_000, "supply")


async def test_evcc_sets_a_current_and_reads_it_back():
    # connector 1, TxDefaultProfile, Absolute, startSchedule now, no duration, then GetCompositeSchedule(60)
    bench = await in_transaction(await LinkBench().accepted())
    for limit in (0, 6, 16, 10.5):
        now = iso8601(bench.clock.now())
        assert await install(bench, 1, kind="Absolute", startSchedule=now, limit=limit) == "Accepted"
        await bench.run(3_000)
        assert allowed(bench)[0] == limit * 1000
        assert await composite(bench, duration=60) == [(0, limit)]
        assert bench.charging.word == ("charging" if limit else "suspended by station")


async def test_absolute_without_a_start_is_relative():
    bench = await LinkBench().accepted()
    assert await install(bench, 1, kind="Absolute", periods=[(0, 6), (600, 16)]) == "Accepted"
    assert await composite(bench) == [(0, 6), (600, 16)]


# -- SetChargingProfile


async def test_wrong_connector_and_wrong_words_are_call_errors():
    # errata 3.24, 3.38, 3.39; trap 4
    bench = await LinkBench().accepted()
    for connector in (-1, 2, 99):
        assert await install(bench, connector) == "PropertyConstraintViolation"
    assert await install(bench, 1, unit="kW") == "PropertyConstraintViolation"
    assert await install(bench, 1, kind="Sometimes") == "PropertyConstraintViolation"
    assert await install(bench, 1, purpose="Max") == "PropertyConstraintViolation"
    code = await ask(bench, "GetCompositeSchedule", connectorId=1, duration=60, chargingRateUnit="kW")
    assert code == "PropertyConstraintViolation"
    assert await install(bench, 1, periods=[]) == "OccurrenceConstraintViolation"


async def test_what_makes_no_sense_is_rejected():
    bench = await LinkBench(ChargeProfileMaxStackLevel=3, ChargingScheduleMaxPeriods=4).accepted()
    now = iso8601(bench.clock.now())
    for fields in (
        {"level": 4},
        {"level": -1},
        {"limit": -1},
        {"duration": 0},
        {"periods": [(5, 10)]},  # errata 3.45
        {"periods": [(0, 10), (10, 6), (10, 8)]},
        {"periods": [(i, 10) for i in range(5)]},
        {"phases": 0},
        {"phases": 4},
        {"kind": "Recurring", "startSchedule": now},
        {"kind": "Recurring", "recurrencyKind": "Daily"},
        {"validFrom": now, "validTo": now},
    ):
        assert await install(bench, 1, **fields) == "Rejected", fields
    assert await install(bench, 1, purpose="ChargePointMaxProfile") == "Rejected"
    assert await install(bench, 0, purpose="TxProfile") == "Rejected"
    assert await install(bench, 1, level=3, periods=[(i, 10) for i in range(4)]) == "Accepted"


async def test_numbers_of_any_size_do_no_harm():
    bench = await LinkBench().accepted()
    huge = 10**30
    fields = {"number": -huge, "periods": [(0, 1e308), (huge, huge)], "duration": 2 * huge, "minChargingRate": 1e300}
    assert await install(bench, 1, **fields) == "Accepted"
    assert await composite(bench, duration=huge) == [(0, 32)]
    assert await status(bench, "ClearChargingProfile", id=-huge) == "Accepted"


async def test_only_units_that_are_allowed():
    # errata 3.88: Current stands for A, Power for W
    bench = await LinkBench(ChargingScheduleAllowedChargingRateUnit=["Current"]).accepted()
    assert await install(bench, 1, unit="W", limit=4_140) == "Rejected"
    assert await install(bench, 1) == "Accepted"
    assert await status(bench, "GetCompositeSchedule", connectorId=1, duration=1, chargingRateUnit="W") == "Rejected"
    bench = await LinkBench(ChargingScheduleAllowedChargingRateUnit=["Power"]).accepted()
    answer = await ask(bench, "GetCompositeSchedule", connectorId=1, duration=1)
    assert answer["chargingSchedule"]["chargingRateUnit"] == "W"


async def test_a_transaction_profile_needs_the_transaction_it_names():
    # §3.13.1, §5.16.4; trap 36
    bench = await LinkBench().accepted()
    assert await install(bench, 1, purpose="TxProfile") == "Rejected"
    await in_transaction(bench, 0)
    assert await install(bench, 1, purpose="TxProfile", transactionId=1) == "Rejected"
    assert await install(bench, 1, purpose="TxProfile", transactionId=0) == "Accepted"  # errata 3.54
    assert await install(bench, 1, number=2, level=1, purpose="TxProfile", limit=6) == "Accepted"
    assert allowed(bench) == (6_000, "schedule")
    bench.connection.set(False)
    await bench.run(60_000)
    assert allowed(bench) == (6_000, "schedule"), "§3.13.6: offline it goes on"
    bench.station.remote_stop(bench.charging.transaction.number)
    await bench.run(10_000)
    assert allowed(bench) == (32_000, "supply")


async def test_recurring_follows_its_start():
    # errata 3.79
    bench = await LinkBench().accepted()
    start = iso8601(bench.clock.now() - 86_400 - 60)
    fields = {"kind": "Recurring", "recurrencyKind": "Daily", "startSchedule": start, "duration": 120, "limit": 6}
    assert await install(bench, 1, **fields) == "Accepted"
    now = bench.clock.now()
    answer = await composite(bench, duration=86_400)
    passed = bench.clock.now() - now
    assert len(answer) == 3 and answer[0] == (0, 6) and answer[1][1] == 32 and passed < 2
    assert answer[2][0] - answer[1][0] == 86_280


async def test_relative_limits_of_the_station_count_from_when_they_came():
    # there is no transaction that they could count from
    bench = await LinkBench().accepted()
    await install(bench, 0, purpose="ChargePointMaxProfile", periods=[(0, 6), (60, 16)])
    await bench.run(59_000)
    assert allowed(bench) == (6_000, "station")
    await bench.run(2_000)
    assert allowed(bench) == (16_000, "station")


async def test_minimum_charging_rate_is_kept():
    bench = await LinkBench().accepted()
    await install(bench, 1, minChargingRate=8.1)
    assert bench.station.schedules.profiles[0].least == 81


# -- ClearChargingProfile


async def test_clear_finds_what_was_set():
    # errata 3.25, 3.26; trap 39
    bench = await LinkBench().accepted()
    assert await status(bench, "ClearChargingProfile") == "Unknown"
    await install(bench, 0, number=1, purpose="ChargePointMaxProfile", limit=20)
    await install(bench, 1, number=2, level=2)
    assert await status(bench, "ClearChargingProfile", id=3) == "Unknown"
    assert await status(bench, "ClearChargingProfile", connectorId=0, stackLevel=2) == "Unknown"
    assert await status(bench, "ClearChargingProfile", id=2, connectorId=0, stackLevel=9) == "Accepted"
    assert await status(bench, "ClearChargingProfile", chargingProfilePurpose="TxDefaultProfile") == "Unknown"
    assert await status(bench, "ClearChargingProfile", chargingProfilePurpose="ChargePointMaxProfile") == "Accepted"


# -- GetCompositeSchedule


async def test_composite_schedule_has_a_period_even_without_a_profile():
    # trap 38: MicroOcpp sends limit -1
    bench = await LinkBench().accepted()
    answer = await ask(bench, "GetCompositeSchedule", connectorId=1, duration=600)
    assert answer["scheduleStart"] == iso8601(bench.clock.now())
    assert answer["chargingSchedule"]["duration"] == 600
    assert answer["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 32}]
    assert await composite(bench, 0, chargingRateUnit="W") == [(0, 22_080)]
    assert await composite(bench, duration=0) == [(0, 32)]


async def test_composite_schedule_of_an_unknown_connector_is_rejected():
    # §5.7; trap 4: and the answer is well-formed
    bench = await LinkBench().accepted()
    for connector in (2, -1):
        assert await ask(bench, "GetCompositeSchedule", connectorId=connector, duration=60) == {"status": "Rejected"}
    assert await status(bench, "GetCompositeSchedule", connectorId=1, duration=-1) == "Rejected"


async def test_composite_schedule_before_a_transaction_is_that_of_one_that_begins_now():
    # trap 38: OCTT TC_056
    bench = await LinkBench().accepted()
    await install(bench, 0, periods=[(0, 6), (60, 10), (120, 8)], duration=300)
    assert await composite(bench, duration=350) == [(0, 6), (60, 10), (120, 8), (300, 32)]
    await bench.run(30_000)
    assert await composite(bench, duration=100) == [(0, 6), (60, 10)]


async def test_composite_schedule_counts_a_transaction_from_its_begin():
    bench = await in_transaction(await LinkBench().accepted())
    await install(bench, 1, purpose="TxProfile", periods=[(0, 6), (60, 10)])
    age = bench.clock.now() - bench.charging.transaction.begin_t
    assert await composite(bench, duration=100) == [(0, 6), (60 - age, 10)]


async def test_limits_have_one_decimal_and_no_noise():
    # §7.14. MicroPython writes 8.2 as 8.199999999999999.
    bench = await LinkBench().accepted()
    for limit, text in ((8.2, "8.2"), (8.25, "8.2"), (16.0, "16"), (6.1, "6.1"), (31.9, "31.9"), (_8_2, "8.2")):
        await install(bench, 1, limit=limit)
        answer = await ask(bench, "GetCompositeSchedule", connectorId=1, duration=60)
        period = json.dumps(answer["chargingSchedule"]["chargingSchedulePeriod"][0])
        assert '"limit": %s' % text in period and len(period) == len('{"startPeriod": 0, "limit": }') + len(text), (
            period
        )
    await install(bench, 1, unit="W", limit=4140.5)
    assert await composite(bench, chargingRateUnit="W") == [(0, 4140.5)]
    assert await composite(bench) == [(0, 6)]


async def test_number_of_phases_is_told_where_it_is_known():
    bench = await LinkBench().accepted()
    await install(bench, 1, phases=1, limit=16)
    answer = await ask(bench, "GetCompositeSchedule", connectorId=1, duration=60, chargingRateUnit="W")
    (period,) = answer["chargingSchedule"]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 3_680, "numberPhases": 1}


async def test_a_very_long_schedule_is_cut_and_says_where():
    bench = await LinkBench().accepted()
    start = iso8601(bench.clock.now())
    periods = [(i * 3_600, 6 + i % 2) for i in range(24)]
    await install(bench, 1, kind="Recurring", recurrencyKind="Daily", startSchedule=start, periods=periods)
    answer = await ask(bench, "GetCompositeSchedule", connectorId=1, duration=365 * 86_400)
    schedule = answer["chargingSchedule"]
    assert len(schedule["chargingSchedulePeriod"]) == 100 and schedule["duration"] <= 100 * 3_600


# -- RemoteStartTransaction


async def test_a_remote_start_brings_its_profile():
    # §5.16.2, errata 3.41, 3.42; trap 31
    bench = await LinkBench(AuthorizeRemoteTxRequests=False).accepted()
    bench.charging.plug()
    profile = ocpp_profile(5, "TxProfile", 6)
    assert await status(bench, "RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Accepted"
    await bench.run(1_500)
    assert allowed(bench) == (6_000, "schedule")
    assert await install(bench, 1, number=6, purpose="TxProfile", transactionId=1001, limit=8) == "Accepted"
    assert [p.number for p in bench.station.schedules.profiles] == [6]


async def test_a_remote_start_brings_a_profile_with_times():
    # §7.8, §7.13: startSchedule, validFrom and validTo are as good here as in SetChargingProfile
    for kind in ("Absolute", "Relative", "Recurring"):
        bench = await LinkBench(AuthorizeRemoteTxRequests=False).accepted()
        bench.charging.plug()
        now = bench.clock.now()
        times = {"validFrom": iso8601(now - 60), "validTo": iso8601(now + 600), "startSchedule": iso8601(now)}
        profile = ocpp_profile(5, "TxProfile", 6, kind=kind, recurrencyKind="Daily", **times)
        assert await status(bench, "RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Accepted"
        await bench.run(1_500)
        assert allowed(bench) == (6_000, "schedule"), kind


async def test_a_remote_start_with_a_profile_that_cannot_be_is_rejected():
    bench = await LinkBench(MaxChargingProfilesInstalled=1).accepted()
    bench.charging.plug()
    for fields in ({"level": 99}, {"limit": -1}, {"periods": [(1, 6)]}):
        profile = ocpp_profile(5, "TxProfile", **fields)
        assert await status(bench, "RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Rejected"
    await install(bench, 0)
    profile = ocpp_profile(5, "TxProfile", 6)
    assert await status(bench, "RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Rejected"


async def test_without_smart_charging_the_profile_is_ignored():
    # §5.11; and the calls are answered with NotSupported (errata 3.39)
    bench = await LinkBench(SupportedFeatureProfiles=["Core"], AuthorizeRemoteTxRequests=False).accepted()
    bench.charging.plug()
    profile = ocpp_profile(5, "TxDefaultProfile", 6)
    assert await status(bench, "RemoteStartTransaction", idTag="CARD", chargingProfile=profile) == "Accepted"
    await bench.run(1_500)
    assert bench.charging.transaction and allowed(bench) == (32_000, "supply")
    assert await install(bench, 1) == "NotSupported"
    assert await ask(bench, "ClearChargingProfile") == "NotSupported"
    assert await ask(bench, "GetCompositeSchedule", connectorId=1, duration=60) == "NotSupported"
