"""Registration, heartbeat and what goes when (OCPP 1.6 §4.2, §4.6, §4.9; OCPP-J 1.6 §5.4)."""

import asyncio

from harness import raises
from link_bench import LinkBench

from firmware.ocpp.errors import CallError, RpcTimeout
from firmware.store.tokens import group_of


def verdict(status, interval=0):
    return {"status": status, "currentTime": "2027-01-15T09:00:00Z", "interval": interval}


async def test_boot_comes_first_and_then_every_status():
    # traps 9 and 11, errata 3.22
    bench = LinkBench(connectors=2)
    await bench.run(60_000)
    assert bench.peer.calls == []
    bench.connection.set(True)
    await bench.run(500)
    assert bench.peer.actions() == ["BootNotification"] + ["StatusNotification"] * 3
    assert [p["connectorId"] for p in bench.peer.payloads("StatusNotification")] == [0, 1, 2]
    assert bench.verdicts == [("Accepted", 300)]


async def test_the_boot_says_who_we_are_and_nothing_empty():
    bench = LinkBench()
    bench.settings.set("ChargePointSerialNumber", "S" * 25, "system")
    bench.connection.set(True)
    await bench.run(100)
    (payload,) = bench.peer.payloads("BootNotification")
    assert payload["chargePointSerialNumber"] == "S" * 25
    assert "" not in payload.values()
    assert {"chargePointVendor", "chargePointModel"} <= set(payload)


async def test_accepted_sets_clock_and_heartbeat():
    # trap 10 and 11
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [verdict("Accepted", 120)]
    bench.connection.set(True)
    await bench.run(100)
    assert bench.settings.get("HeartbeatInterval") == 120
    assert abs(bench.clock.now() - 1_800_003_600) <= 1 and bench.clock.source == "ocpp"
    bench.peer.calls = []
    await bench.run(120_000)
    assert bench.peer.actions() == ["Heartbeat"]
    await bench.run(120_000)
    assert bench.peer.actions() == ["Heartbeat"] * 2


async def test_the_fraction_of_the_current_time_counts():
    """Without it every timestamp would be up to a second earlier than the back-end's own."""
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [dict(verdict("Accepted", 120), currentTime="2027-01-15T09:00:00.900Z")]
    bench.connection.set(True)
    await bench.run(0)
    answered_ms = bench.clock.ms()
    assert bench.clock.source == "ocpp" and bench.clock.now() == 1_800_003_600
    await bench.run(answered_ms + 100 - bench.clock.ms())
    assert bench.clock.now() == 1_800_003_601


async def test_a_heartbeat_sets_the_clock_again():
    bench = await LinkBench().accepted()
    bench.peer.script["Heartbeat"] = [{"currentTime": "2027-06-01T00:00:00+02:00"}]
    await bench.run(300_000)
    assert bench.clock.now() // 60 == 1_811_800_800 // 60


async def test_a_new_heartbeat_interval_counts_at_once():
    bench = await LinkBench().accepted()
    assert await bench.status_of("ChangeConfiguration", key="heartbeatinterval", value="20") == "Accepted"
    await bench.run(60_000)
    assert bench.peer.actions() == ["Heartbeat"] * 3


async def test_the_interval_of_the_back_end_is_kept_to_the_second():
    # trap 10, §4.2: the floor of HeartbeatInterval is for those who change the key
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [verdict("Accepted", 5)]
    bench.connection.set(True)
    await bench.run(1_000)
    bench.peer.calls = []
    await bench.run(30_000)
    assert bench.peer.actions() == ["Heartbeat"] * 6
    assert await bench.status_of("ChangeConfiguration", key="HeartbeatInterval", value="15") == "Accepted"
    bench.peer.calls = []
    await bench.run(30_000)
    assert bench.peer.actions() == ["Heartbeat"] * 2


async def test_pending_sends_nothing_unasked_and_retries_after_the_interval():
    # traps 9 and 10
    bench = LinkBench()
    bench.settings.set("HeartbeatInterval", 300)
    bench.peer.script["BootNotification"] = [verdict("Pending", 30), verdict("Accepted", 600)]
    bench.connection.set(True)
    await bench.run(29_500)
    assert bench.peer.actions() == ["BootNotification"]
    assert bench.settings.get("HeartbeatInterval") == 300
    assert bench.verdicts == [("Pending", 30)]
    assert not bench.link.online and not bench.link.may_start
    await bench.run(1_000)
    assert bench.peer.actions()[:3] == ["BootNotification", "BootNotification", "StatusNotification"]


async def test_pending_answers_and_refuses_remote_starts():
    # §4.2: RemoteStart and RemoteStop are not allowed, everything else is
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [verdict("Pending", 300)]
    bench.connection.set(True)
    await bench.run(100)
    bench.charging.plug()
    assert await bench.status_of("RemoteStartTransaction", idTag="CARD", connectorId=1) == "Rejected"
    assert await bench.status_of("RemoteStopTransaction", transactionId=1) == "Rejected"
    assert (await bench.ask("GetConfiguration", key=["HeartbeatInterval"]))["configurationKey"]
    assert bench.peer.actions() == ["BootNotification"]


async def test_pending_sends_what_is_triggered():
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [verdict("Pending", 300), verdict("Accepted", 300)]
    bench.connection.set(True)
    await bench.run(100)
    assert await bench.status_of("TriggerMessage", requestedMessage="StatusNotification", connectorId=1) == "Accepted"
    assert bench.peer.actions() == ["BootNotification", "StatusNotification"]
    assert await bench.status_of("TriggerMessage", requestedMessage="BootNotification") == "Accepted"
    assert bench.link.registration == "Accepted"


async def test_rejected_is_silent_in_both_directions():
    # trap 9, §4.2: neither sends nor answers until the interval has passed
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [verdict("Rejected", 100)]
    bench.connection.set(True)
    await bench.run(99_000)
    assert bench.peer.actions() == ["BootNotification"]
    assert await bench.ask("GetConfiguration") is None
    bench.connection.set(False)
    bench.connection.set(True)
    await bench.run(500)
    assert bench.peer.actions() == ["BootNotification"]
    await bench.run(2_000)
    assert bench.link.registration == "Accepted"


async def test_interval_zero_means_our_own_choice():
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [verdict("Rejected", 0)]
    bench.connection.set(True)
    await bench.run(59_000)
    assert len(bench.peer.calls) == 1
    await bench.run(2_000)
    assert len(bench.peer.payloads("BootNotification")) == 2


async def test_no_answer_is_retried_with_growing_waits():
    # trap 9
    bench = LinkBench()
    bench.peer.script["BootNotification"] = [RpcTimeout(), CallError("InternalError"), RpcTimeout()]
    bench.connection.set(True)
    await bench.run(9_900)
    assert len(bench.peer.calls) == 1
    await bench.run(200)
    assert len(bench.peer.calls) == 2
    await bench.run(19_800)
    assert len(bench.peer.calls) == 2
    await bench.run(200)
    assert bench.peer.actions() == ["BootNotification"] * 3
    await bench.run(41_000)
    assert bench.link.registration == "Accepted"


async def test_a_mere_reconnect_sends_neither_boot_nor_unchanged_statuses():
    # traps 8 and 25
    bench = await LinkBench().accepted()
    bench.connection.set(False)
    await bench.run(5_000)
    bench.connection.set(True)
    await bench.run(5_000)
    assert bench.peer.calls == []
    bench.connection.set(False)
    bench.charging.plug()
    await bench.run(5_000)
    bench.connection.set(True)
    await bench.run(500)
    assert [(p["connectorId"], p["status"]) for p in bench.peer.payloads("StatusNotification")] == [(1, "Preparing")]


async def test_another_identity_or_backend_boots_anew():
    # OCPP-J 1.6 §5.4
    bench = await LinkBench().accepted()
    bench.connection.set(False)
    bench.settings.set("ChargePointId", "other", "installer")
    assert bench.link.registration == "None"
    bench.connection.set(True)
    await bench.run(500)
    assert bench.peer.actions()[0] == "BootNotification"


async def test_every_power_on_boots():
    bench = await LinkBench().accepted()
    bench.power_cut()
    bench.connection.set(True)
    await bench.run(500)
    assert bench.peer.actions()[0] == "BootNotification"


async def test_a_station_that_was_never_accepted_starts_nothing():
    # §4.2.1; once accepted it charges on without a link
    bench = LinkBench()
    await bench.run(100)
    assert not bench.link.may_start
    await bench.accepted()
    bench.power_cut()
    assert bench.link.registration == "None" and bench.link.may_start


async def test_a_station_without_backend_may_start():
    assert LinkBench(CentralSystemUrl="").link.may_start


async def test_authorize_maps_the_verdict_and_what_is_no_verdict():
    bench = await LinkBench().accepted()
    bench.peer.script["Authorize"] = [
        {"idTagInfo": {"status": "Blocked", "expiryDate": "2027-01-15T08:00:00Z", "parentIdTag": "FLEET"}},
        CallError("InternalError"),
        RpcTimeout(),
    ]
    info = await bench.link.authorize("04A1")
    assert (info.status, info.expiry, info.parent) == ("blocked", 1_800_000_000, group_of("FLEET"))
    for _ in range(2):
        with raises(OSError):
            await bench.link.authorize("04A1")
    bench.connection.set(False)
    with raises(OSError):
        await bench.link.authorize("04A1")


async def test_a_session_from_card_to_stop():
    # traps 12 and 16: the whole story, in order, and no Authorize for the card that stops what it started
    bench = await LinkBench(MeterValueSampleInterval=60).accepted()
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    bench.charging.meter.draws_w = 3_680
    await bench.charging.charging()
    await bench.run(130_000)
    await bench.station.swipe("CARD")
    await bench.run(10_000)
    story = [action for action in bench.peer.actions() if action not in ("StatusNotification", "Heartbeat")]
    assert story == ["Authorize", "StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    words = [p["status"] for p in bench.peer.payloads("StatusNotification")]
    assert words[0] == "Preparing" and "Charging" in words and words[-1] == "Finishing"
    (start,), (stop,) = bench.peer.payloads("StartTransaction"), bench.peer.payloads("StopTransaction")
    assert stop["transactionId"] == 1001 and stop["meterStop"] - start["meterStart"] in range(130, 140)
    assert bench.link.queue_length == 0


async def test_a_refused_start_ends_the_transaction():
    # trap 15, errata 3.17
    bench = await LinkBench().accepted()
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    bench.peer.script["StartTransaction"] = [{"transactionId": 5, "idTagInfo": {"status": "Invalid"}}]
    bench.charging.plug()
    await bench.station.swipe("CARD")
    await bench.run(10_000)
    (stop,) = bench.peer.payloads("StopTransaction")
    assert (stop["transactionId"], stop["reason"]) == (5, "DeAuthorized")


async def test_a_session_without_link_is_delivered_after_a_restart():
    bench = await LinkBench(LocalAuthorizeOffline=True, AllowOfflineTxForUnknownId=True).accepted()
    bench.connection.set(False)
    await bench.charging.charging()
    await bench.run(60_000)
    bench.power_cut()
    bench.connection.set(True)
    await bench.run(5_000)
    story = [action for action in bench.peer.actions() if action != "StatusNotification"]
    assert story[0] == "BootNotification"
    assert story[1] == "StartTransaction" and story[-1] == "StopTransaction"
    assert bench.peer.payloads("StopTransaction")[0]["reason"] == "PowerLoss"


async def test_aligned_values_outside_of_a_transaction():
    # trap 21
    bench = await LinkBench(ClockAlignedDataInterval=900).accepted()
    await bench.run(900_000)
    payloads = bench.peer.payloads("MeterValues")
    assert [payload["connectorId"] for payload in payloads] == [1, 0]
    for payload in payloads:
        assert "transactionId" not in payload
        assert payload["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"


async def test_aligned_values_of_a_time_without_link_are_kept():
    # traps 12 and 21, §3.7: clock-aligned values belong to the queue, over power cuts too
    bench = await LinkBench(ClockAlignedDataInterval=900).accepted()
    bench.connection.set(False)
    await bench.run(1_800_000)
    bench.charging.journal.flush()
    bench.power_cut()
    bench.connection.set(True)
    await bench.run(10_000)
    payloads = bench.peer.payloads("MeterValues")
    assert [payload["connectorId"] for payload in payloads] == [1, 0, 1, 0]
    times = [payload["meterValue"][0]["timestamp"][14:19] for payload in payloads]
    assert times == ["15:00", "15:00", "30:00", "30:00"], times


async def test_aligned_values_that_nobody_wants_are_not_kept():
    bench = await LinkBench(ClockAlignedDataInterval=900, MeterValuesAlignedData=()).accepted()
    bench.connection.set(False)
    await bench.run(900_000)
    assert bench.link.queue_length == 0


async def test_a_link_that_refuses_every_message_does_not_hold_the_station():
    # The link may be gone while its signal is still on its way: then each call fails without waiting for anything.
    bench = await LinkBench().accepted()
    bench.peer.up = False
    bench.charging.plug()
    await bench.run(2_000)
    bench.peer.up = True
    await bench.run(20_000)
    assert [p["status"] for p in bench.peer.payloads("StatusNotification")] == ["Preparing"]


async def test_aligned_values_of_the_station_name_no_transaction():
    # trap 21, errata 3.16: connector 0 has none, while that of connector 1 goes with the queue
    bench = await LinkBench(ClockAlignedDataInterval=900, MeterValueSampleInterval=0).accepted()
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    await bench.charging.charging()
    await bench.run(900_000)
    by_connector = {payload["connectorId"]: payload for payload in bench.peer.payloads("MeterValues")}
    assert "transactionId" not in by_connector[0] and by_connector[1]["transactionId"] == 1001
    assert by_connector[0]["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"


async def test_statuses_and_authorisations_overtake_a_stuck_queue():
    # trap 12, §3.7: other messages may be delivered immediately
    bench = await LinkBench().accepted()
    bench.peer.script["Authorize"] = [{"idTagInfo": {"status": "Accepted"}}]
    bench.peer.script["StartTransaction"] = [CallError("InternalError")]
    await bench.charging.charging()
    await bench.run(2_000)
    assert bench.link.queue_length > 0
    assert "Charging" in [p["status"] for p in bench.peer.payloads("StatusNotification")]


async def test_drain_waits_for_the_acknowledgements_and_not_for_ever():
    bench = await LinkBench().accepted()
    tx = bench.charging.journal.next_tx()
    bench.charging.journal.begin(tx, 1, "CARD", 0)
    drained = asyncio.create_task(bench.link.drain(5_000))
    await bench.run(500)
    assert await drained
    bench.peer.script["StopTransaction"] = [CallError("InternalError")]
    bench.charging.journal.end(tx, 1, None, 0, "soft reset")
    drained = asyncio.create_task(bench.link.drain(5_000))
    await bench.run(6_000)
    assert not await drained


async def test_a_registration_that_broke_off_is_repeated():
    bench = LinkBench()
    bench.connection.set(True)
    store = bench.settings.set

    def interrupted(*_):
        bench.settings.set = store
        raise MemoryError("swept")

    bench.settings.set = interrupted
    with raises(MemoryError):
        await bench.link.tasks()[1][1](lambda: None)
    await bench.run(1_000)  # the supervisor runs the task again
    assert bench.peer.actions().count("BootNotification") == 2 and bench.peer.payloads("StatusNotification")
