"""Session facts as messages (OCPP 1.6 §3.16, §4.7, §4.8, §4.10; errata 3.14, 3.16, 3.18, 3.91)."""

import asyncio

from harness import raises, run
from ocpp_bench import TOKEN, Bench, reading

from firmware.kernel.clock import iso8601
from firmware.ocpp.errors import CallError
from firmware.ocpp.v16.facts import Facts, _breathe, _step
from firmware.ocpp.v16.measurands import INTERVAL, Look
from firmware.store.journal import BEGIN, END, SAMPLE

REGISTER = "Energy.Active.Import.Register"


def messages(bench, transaction_id=7):
    return [m for m in (run(bench.facts.message(r, transaction_id)) for r in bench.journal.read()) if m]


def stop_of(bench, reason="local", samples=0, context="periodic", token=TOKEN):
    tx = bench.begin()
    for i in range(samples):
        bench.sample(tx, 1001 + i, context)
    bench.end(tx, 2000, reason, token=token)
    return [payload for action, payload in messages(bench) if action == "StopTransaction"][0]


def contexts(payload):
    return [value["sampledValue"][0]["context"] for value in payload.get("transactionData", ())]


def test_start_transaction_carries_its_reservation():
    # trap 26: MUST
    bench = Bench()
    bench.begin(connector=2, reservation=0)
    action, payload = messages(bench)[0]
    assert action == "StartTransaction"
    timestamp = payload.pop("timestamp")
    assert timestamp.endswith("Z") and len(timestamp) == 20
    assert payload == {"connectorId": 2, "idTag": TOKEN, "meterStart": 1000, "reservationId": 0}


def test_an_unreadable_meter_is_recognisable():
    bench = Bench()
    tx = bench.journal.next_tx()
    bench.journal.begin(tx, 1, TOKEN, None)
    assert messages(bench)[0][1]["meterStart"] == -1


def test_periodic_and_clock_aligned_samples_use_their_own_lists():
    bench = Bench()
    bench.settings.set("MeterValuesSampledData", ["Current.Import", "Voltage"])
    bench.settings.set("MeterValuesAlignedData", [REGISTER])
    tx = bench.begin()
    bench.sample(tx, 1100, "periodic")
    bench.sample(tx, 1200, "clock")
    _, (_, periodic), (_, clock) = messages(bench)
    (value,) = periodic["meterValue"]
    assert [v["measurand"] for v in value["sampledValue"]] == ["Current.Import", "Voltage"]
    assert value["sampledValue"][0]["context"] == "Sample.Periodic"
    assert clock["meterValue"][0]["sampledValue"] == [
        {"value": "1200", "context": "Sample.Clock", "measurand": REGISTER, "unit": "Wh"}
    ]
    assert (periodic["connectorId"], periodic["transactionId"]) == (1, 7)


def test_an_empty_list_sends_no_meter_values():
    bench = Bench()
    bench.settings.set("MeterValuesSampledData", [])
    bench.sample(bench.begin(), 1100)
    assert [action for action, _ in messages(bench)] == ["StartTransaction"]


def test_outside_a_transaction_there_is_no_transaction_id():
    # trap 21, errata 3.16
    bench = Bench()
    _, payload = bench.facts.meter_values(1, "clock", bench.clock.now(), Look(reading(5)))
    assert "transactionId" not in payload
    bench.journal.sample(0, 1, "clock", reading(5))
    assert "transactionId" not in messages(bench)[0][1]


def test_the_reason_is_always_told():
    # trap 17, §4.10: Local might be left out, and then has to be guessed
    assert stop_of(Bench())["reason"] == "Local"
    assert stop_of(Bench(), "unplugged")["reason"] == "EVDisconnected"


def test_the_id_tag_is_sent_when_somebody_presented_one():
    assert stop_of(Bench())["idTag"] == TOKEN
    assert "idTag" not in stop_of(Bench(), token=None)


def test_transaction_data_begins_and_ends_with_the_transaction():
    # errata 3.14
    payload = stop_of(Bench(), samples=2)
    assert contexts(payload) == ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]
    values = [value["sampledValue"][0]["value"] for value in payload["transactionData"]]
    assert values == ["1000", "1001", "1002", "2000"]


def test_two_empty_lists_mean_no_transaction_data():
    # trap 22, §3.16.5
    bench = Bench()
    bench.settings.set("StopTxnSampledData", [])
    bench.settings.set("StopTxnAlignedData", [])
    assert "transactionData" not in stop_of(bench, samples=3)


def test_aligned_values_go_into_the_stop_when_listed():
    bench = Bench()
    bench.settings.set("StopTxnSampledData", [])
    bench.settings.set("StopTxnAlignedData", [REGISTER])
    assert contexts(stop_of(bench, samples=1, context="clock")) == [
        "Transaction.Begin",
        "Sample.Clock",
        "Transaction.End",
    ]


def test_the_middle_is_thinned_and_begin_and_end_are_kept():
    # trap 22, errata 3.14 and 3.91
    bench = Bench()
    bench.settings.set("StopTransactionMaxMeterValues", 5, "system")
    payload = stop_of(bench, samples=10)
    found = contexts(payload)
    assert len(found) <= 5
    assert found[0] == "Transaction.Begin" and found[-1] == "Transaction.End"
    assert found[1:-1] == ["Sample.Periodic"] * (len(found) - 2) and len(found) > 3


def test_two_values_leave_room_for_begin_and_end_only():
    bench = Bench()
    bench.settings.set("StopTransactionMaxMeterValues", 2, "system")
    assert contexts(stop_of(bench, samples=10)) == ["Transaction.Begin", "Transaction.End"]


def test_the_size_of_a_stop_is_bounded_for_long_lists():
    bench = Bench()
    bench.settings.set("StopTransactionMaxMeterValues", 100, "system")
    bench.settings.set("StopTxnSampledData", [REGISTER, "Current.Import", "Voltage", "Frequency", "Current.Offered"])
    data = stop_of(bench, samples=150)["transactionData"]
    assert 10 < len(data) and sum(len(value["sampledValue"]) for value in data) <= 240


def test_after_a_black_out_begin_and_end_come_from_their_records():
    # trap 20: nothing was sampled, the registers are known all the same
    bench = Bench()
    tx = bench.journal.next_tx()
    bench.journal.begin(tx, 1, TOKEN, 1000)
    bench.journal.end(tx, 1, None, 1500, "power lost")
    payload = messages(bench)[-1][1]
    assert payload["reason"] == "PowerLoss" and payload["meterStop"] == 1500
    assert [value["sampledValue"][0]["value"] for value in payload["transactionData"]] == ["1000", "1500"]


def test_an_interval_counts_from_the_sample_before():
    bench = Bench()
    bench.settings.set("MeterValuesAlignedData", ["Energy.Active.Import.Interval"])
    tx = bench.begin(wh=1000)
    for wh in (1100, 1250, 1300):
        bench.sample(tx, wh, "clock")

    def intervals():
        return [m[1]["meterValue"][0]["sampledValue"][0]["value"] for m in messages(bench) if m[0] == "MeterValues"]

    assert intervals() == ["100", "150", "50"]
    # After a restart the one before is found in the journal.
    bench.facts = Facts(bench.journal, bench.settings)
    last = [r for r in bench.journal.read() if r.kind == SAMPLE][-1]
    assert run(bench.facts.message(last, 7))[1]["meterValue"][0]["sampledValue"][0]["value"] == "50"


def test_an_interval_outside_of_a_transaction_is_that_of_the_clock():
    """§7.31: its length is ClockAlignedDataInterval, whether anybody charges or not; so is that of connector 0."""
    bench = Bench()
    bench.settings.set("MeterValuesAlignedData", ["Energy.Active.Import.Interval"])
    for connector in (0, 1):
        for wh in (1000, 1000, 1070):
            bench.sample(0, wh, "clock", connector)
    said = [payload for _, payload in messages(bench)]
    assert [m["connectorId"] for m in said] == [0, 0, 1, 1]  # nobody knows what the first one counts from
    assert [m["meterValue"][0]["sampledValue"][0]["value"] for m in said] == ["0", "70", "0", "70"]


def test_a_message_that_is_built_again_has_the_same_interval():
    """It waited for the link and is the same message (§3.7)."""
    bench = Bench()
    bench.settings.set("MeterValuesAlignedData", ["Energy.Active.Import.Interval"])
    tx = bench.begin(wh=1000)
    for wh in (1100, 1250):
        bench.sample(tx, wh, "clock")
    samples = [r for r in bench.journal.read() if r.kind == SAMPLE and r.context == "clock"]
    first, first_again, second, second_again = [run(bench.facts.message(r, 7)) for r in samples for _ in range(2)]
    assert first == first_again and second == second_again
    assert second[1]["meterValue"][0]["sampledValue"][0]["value"] == "150"


def test_no_transaction_ends_before_it_began():
    """M3: a clock that is set while the transaction runs counts from the next one on."""
    for step in (-3_600, -400 * 86_400, 86_400):
        bench = Bench()
        tx = bench.begin()
        first = bench.clock.now() - 60
        bench.sample(tx, 1_100)
        bench.clock.unix += step
        bench.sample(tx, 1_200)
        bench.end(tx)
        payloads = [payload for _, payload in messages(bench)]
        times = [p["timestamp"] if "timestamp" in p else p["meterValue"][0]["timestamp"] for p in payloads]
        assert times == [iso8601(first + t) for t in (0, 120, 180, 240)], step


def test_begin_and_end_samples_are_no_messages_of_their_own():
    bench = Bench()
    bench.end(bench.begin())
    assert [action for action, _ in messages(bench)] == ["StartTransaction", "StopTransaction"]
    kinds = [r.kind for r in bench.journal.read()]
    assert BEGIN in kinds and END in kinds


def test_security_events_wait_for_nobody():
    bench = Bench()
    bench.journal.event("StartupOfTheDevice")
    assert messages(bench) == []


async def test_others_run_while_a_long_transaction_is_read():
    bench = Bench()
    bench.settings.set("StopTxnSampledData", [REGISTER])
    tx = bench.begin()
    for i in range(400):
        bench.sample(tx, 1001 + i)
    bench.end(tx, 2000)
    end = [r for r in bench.journal.read() if r.kind == END][0]
    turns = [0]

    async def others():
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    _, payload = await bench.facts.message(end, 7)
    task.cancel()
    assert len(payload["transactionData"]) > 10
    assert turns[0] >= 2 * 400 // 16  # it is read twice


def records_of(bench, *kinds):
    return [record for record in bench.journal.read() if record.kind in kinds]


def test_a_transaction_without_an_acknowledged_begin_has_the_number_minus_one():
    # errata 3.18
    bench = Bench()
    bench.sample(bench.begin(), 1100)
    (sample,) = [record for record in records_of(bench, SAMPLE) if record.context == "periodic"]
    assert run(bench.facts.message(sample, None))[1]["transactionId"] == -1
    assert run(bench.facts.message(sample, 0))[1]["transactionId"] == 0


def test_a_transaction_id_is_any_number_that_can_be_kept():
    bench = Bench()
    bench.end(bench.begin())
    (begin,), (end,) = records_of(bench, BEGIN), records_of(bench, END)
    facts = bench.facts
    for number in (0, -1, 10**15 - 1, 1 - 10**15):
        assert facts.accept(begin, None, {"transactionId": number}) == number
    for answer in ({}, {"transactionId": 10**15}, {"transactionId": -(10**15)}, {"transactionId": "7"}):
        with raises(CallError):
            facts.accept(begin, None, answer)
    assert facts.accept(begin, None, None) == -1 and facts.accept(end, 7, {"transactionId": 8}) == 7
    assert facts.needs_answer(begin) and not facts.needs_answer(end)


def test_how_many_of_the_middle_are_kept():
    for count, room, step in ((0, 5, 1), (10, 10, 1), (11, 10, 2), (20, 10, 2), (21, 10, 3), (5, 0, 6), (0, 0, 1)):
        assert _step(count, room) == step, (count, room)
    bench = Bench()
    bench.settings.declare("StopTransactionMaxMeterValues", default=1000)
    assert [bench.facts._room(items) for items in (1, 2, 3, 20, 30, 100)] == [78, 38, 24, 2, 0, 0]
    bench.settings.declare("StopTransactionMaxMeterValues", default=10)
    assert bench.facts._room(1) == 8


async def test_others_run_after_every_16_records():
    paused = []
    for n in range(40):
        task = asyncio.create_task(_breathe(n))
        await asyncio.sleep(0)
        if not task.done():
            paused.append(n)
        await task
    assert paused == [15, 31]


def interval_values(bench):
    """Returns the Energy.Active.Import.Interval of each MeterValues message, by its context."""
    found = []
    for action, payload in messages(bench):
        if action == "MeterValues":
            for value in payload["meterValue"][0]["sampledValue"]:
                found.append((value["context"], int(value["value"])))
    return found


def test_the_interval_counts_from_the_sample_before_of_the_same_kind():
    # OCPP 1.6 §7.31: periodic and clock-aligned values have intervals of their own
    bench = Bench()
    for key in ("MeterValuesSampledData", "MeterValuesAlignedData"):
        bench.settings.set(key, [INTERVAL])
    tx = bench.begin(wh=1000)
    for wh, context in ((1010, "periodic"), (1030, "clock"), (1060, "periodic"), (1100, "clock")):
        bench.sample(tx, wh, context)
    expected = [("Sample.Periodic", 10), ("Sample.Clock", 30), ("Sample.Periodic", 50), ("Sample.Clock", 70)]
    assert interval_values(bench) == expected
    assert interval_values(bench)[-1] == expected[-1]  # the newest is built again as it was
    for record in records_of(bench, SAMPLE)[-2:]:  # the first after a restart
        bench.facts._registers = {}
        value = run(bench.facts.message(record, 7))[1]["meterValue"][0]["sampledValue"][0]["value"]
        assert value == ("50" if record.context == "periodic" else "70")
    bench.end(tx, 1100)
    other = bench.begin(wh=5000)
    bench.sample(other, 5005)
    assert interval_values(bench)[-1] == ("Sample.Periodic", 5)  # not from the transaction before


def test_a_meter_that_could_not_be_read_leaves_the_interval_to_the_next():
    bench = Bench()
    bench.settings.set("MeterValuesSampledData", [INTERVAL])
    tx = bench.begin(wh=1000)
    for wh in (1010, None, 1060):
        bench.sample(tx, wh)
    assert interval_values(bench) == [("Sample.Periodic", 10), ("Sample.Periodic", 50)]
    bench.facts._registers = {}
    (value,) = run(bench.facts.message(records_of(bench, SAMPLE)[-1], 7))[1]["meterValue"][0]["sampledValue"]
    assert value["value"] == "50"


def data_of(bench, *samples, begin=True, end=True):
    """Returns [(context, values)] of the transactionData of a session with these (Wh, context) samples."""
    tx = bench.journal.next_tx()
    bench.journal.begin(tx, 1, TOKEN, 1000)
    if begin:
        bench.sample(tx, 1001, "begin")
    for wh, context in samples:
        bench.sample(tx, wh, context)
    if end:
        bench.sample(tx, 1999, "end")
    bench.journal.end(tx, 1, TOKEN, 2000, "local")
    (payload,) = [payload for action, payload in messages(bench) if action == "StopTransaction"]
    return [
        (value["sampledValue"][0]["context"], [item["value"] for item in value["sampledValue"]])
        for value in payload.get("transactionData", ())
    ]


def test_the_data_of_a_transaction_begin_and_end_with_its_samples_or_its_registers():
    for edges, first, last in ((True, "1001", "1999"), (False, "1000", "2000")):
        bench = Bench()
        bench.settings.set("StopTxnSampledData", [REGISTER])
        found = data_of(bench, (1100, "periodic"), (1200, "clock"), (1300, "trigger"), begin=edges, end=edges)
        assert found == [
            ("Transaction.Begin", [first]),
            ("Sample.Periodic", ["1100"]),  # the clock's are not configured, a trigger's never
            ("Transaction.End", [last]),
        ]


def test_intervals_in_the_data_count_from_the_value_before_in_its_series():
    bench = Bench()
    for key in ("StopTxnSampledData", "StopTxnAlignedData"):
        bench.settings.set(key, [INTERVAL])
    found = data_of(bench, (1011, "periodic"), (1031, "clock"), (1061, "periodic"), (1101, "clock"))
    assert found == [
        ("Sample.Periodic", ["10"]),
        ("Sample.Clock", ["30"]),
        ("Sample.Periodic", ["50"]),
        ("Sample.Clock", ["70"]),
        ("Transaction.End", ["998"]),
    ]


def test_without_data_that_is_wanted_there_is_none():
    bench = Bench()
    for key in ("StopTxnSampledData", "StopTxnAlignedData"):
        bench.settings.set(key, [])
    assert data_of(bench, (1100, "periodic")) == []
    bench = Bench()
    bench.settings.set("StopTxnAlignedData", [REGISTER])
    assert data_of(bench) == [("Transaction.Begin", ["1001"]), ("Transaction.End", ["1999"])]


def test_the_first_interval_counts_from_the_register_at_the_begin():
    bench = Bench()
    bench.settings.set("MeterValuesSampledData", [INTERVAL])
    tx = bench.journal.next_tx()
    bench.journal.begin(tx, 1, TOKEN, 1000)
    bench.sample(tx, 1010)
    assert interval_values(bench) == [("Sample.Periodic", 10)]
