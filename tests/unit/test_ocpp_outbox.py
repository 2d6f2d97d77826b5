"""The transaction queue: order, attempts, waits, restarts (OCPP 1.6 §3.7, §3.7.1, errata 3.18 and 3.54)."""

import asyncio

from ocpp_bench import Bench

from firmware.kernel.log import ERROR, WARNING
from firmware.ocpp.cursor import sequence_floor
from firmware.ocpp.errors import CallError, InvalidAnswer, LinkDown, RpcTimeout


def ids(bench):
    return [payload["transactionId"] for _, payload in bench.peer.calls if "transactionId" in payload]


async def test_messages_go_in_the_order_of_the_facts():
    # trap 12
    bench = Bench()
    first = bench.begin(1)
    bench.sample(first, 1100)
    second = bench.begin(2)
    bench.sample(second, 1200, connector=2)
    bench.end(first)
    bench.end(second, connector=2)
    bench.start()
    await bench.clock.run_for(0)
    assert bench.peer.actions() == [
        "StartTransaction",
        "MeterValues",
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
        "StopTransaction",
    ]
    assert ids(bench) == [1001, 1002, 1001, 1002]
    assert bench.outbox.length == 0


async def test_nothing_goes_before_the_link_is_accepted_or_after_it_is_lost():
    # trap 9
    bench = Bench()
    bench.start()
    bench.outbox.pause()
    tx = bench.begin()
    await bench.clock.run_for(60_000)
    assert bench.peer.calls == []
    bench.outbox.resume()
    await bench.clock.run_for(0)
    bench.outbox.pause()
    bench.end(tx)
    await bench.clock.run_for(60_000)
    assert bench.peer.actions() == ["StartTransaction"]


async def test_a_fact_goes_at_once_while_online():
    bench = Bench()
    bench.start()
    await bench.clock.run_for(0)
    bench.begin()
    await bench.clock.run_for(0)
    assert bench.peer.actions() == ["StartTransaction"]


async def test_only_a_callerror_consumes_an_attempt_and_the_wait_grows():
    # trap 13: waits of interval x preceding transmissions, as the example of §3.7.1
    bench = Bench()
    bench.settings.set("TransactionMessageAttempts", 3)
    bench.settings.set("TransactionMessageRetryInterval", 60)
    bench.peer.script["StartTransaction"] = [CallError("InternalError")] * 3
    bench.begin()
    bench.start()
    await bench.clock.run_for(59_999)
    assert len(bench.peer.calls) == 1
    await bench.clock.run_for(1)
    assert len(bench.peer.calls) == 2
    await bench.clock.run_for(119_999)
    assert len(bench.peer.calls) == 2
    await bench.clock.run_for(1)
    assert len(bench.peer.calls) == 3
    await bench.clock.run_for(600_000)
    assert len(bench.peer.calls) == 3


async def test_a_message_given_up_is_logged_and_the_rest_carries_minus_one():
    # trap 14, errata 3.18
    bench = Bench()
    bench.settings.set("TransactionMessageAttempts", 1)
    bench.peer.script["StartTransaction"] = [CallError("InternalError")]
    tx = bench.begin()
    bench.sample(tx, 1100)
    bench.end(tx)
    bench.start()
    await bench.clock.run_for(0)
    assert bench.peer.actions() == ["StartTransaction", "MeterValues", "StopTransaction"]
    assert ids(bench) == [-1, -1]
    assert any("given up" in line[3] for line in bench.log.lines(ERROR))


async def test_minus_one_is_remembered_over_a_restart():
    bench = Bench()
    bench.settings.set("TransactionMessageAttempts", 1)
    bench.peer.script["StartTransaction"] = [CallError("InternalError")]
    tx = bench.begin()
    bench.start()
    await bench.clock.run_for(0)
    bench.restart()
    bench.end(tx)
    bench.start()
    await bench.clock.run_for(0)
    assert ids(bench) == [-1]


async def test_a_timeout_or_a_lost_link_never_consumes_an_attempt():
    # trap 13
    bench = Bench()
    bench.settings.set("TransactionMessageAttempts", 1)
    bench.peer.script["StartTransaction"] = [RpcTimeout(), LinkDown()] * 5
    bench.begin()
    bench.start()
    await bench.clock.run_for(600_000)
    assert bench.peer.actions() == ["StartTransaction"] * 11
    assert len({str(sorted(payload.items())) for _, payload in bench.peer.calls}) == 1
    assert bench.outbox.length == 0


async def test_meter_values_that_are_not_wanted_hold_nobody_up():
    # O5: the end of the transaction is not hours late, and the log says it once
    for code in ("NotImplemented", "NotSupported"):
        bench = Bench()
        bench.peer.script["MeterValues"] = [CallError(code)] * 15
        tx = bench.begin()
        for i in range(15):
            bench.sample(tx, 1100 + i)
        bench.end(tx)
        start_ms = bench.clock.ms()
        bench.start()
        await bench.clock.run_for(0)
        assert bench.peer.actions() == ["StartTransaction"] + ["MeterValues"] * 15 + ["StopTransaction"]
        assert bench.clock.ms() == start_ms
        assert len([line for line in bench.log.lines(WARNING) if "not supported by the back-end" in line[3]]) == 1


async def test_only_these_codes_and_only_meter_values_lose_their_attempts():
    # O5: what costs money keeps its attempts (§3.7.1), and so does whatever may be over soon
    for action, code in (
        ("StartTransaction", "NotImplemented"),
        ("StartTransaction", "NotSupported"),
        ("StopTransaction", "NotSupported"),
        ("MeterValues", "InternalError"),
        ("MeterValues", "GenericError"),
    ):
        bench = Bench()
        bench.settings.set("TransactionMessageAttempts", 3)
        bench.peer.script[action] = [CallError(code)] * 9
        tx = bench.begin()
        bench.sample(tx, 1100)
        bench.end(tx)
        bench.start()
        await bench.clock.run_for(600_000)
        assert bench.peer.actions().count(action) == 3, (action, code)


async def test_a_reconnect_does_not_shorten_the_wait_after_a_refusal():
    # section 5: the wait of §3.7.1 is lost when resume() forgets that there was a failure
    bench = Bench()
    bench.settings.set("TransactionMessageRetryInterval", 60)
    bench.peer.script["StartTransaction"] = [CallError("InternalError")]
    bench.begin()
    bench.start()
    for _ in range(5):
        await bench.clock.run_for(10_000)
        bench.outbox.pause()
        await bench.clock.run_for(1_000)
        bench.outbox.resume()
    await bench.clock.run_for(4_999)
    assert len(bench.peer.calls) == 1
    await bench.clock.run_for(1)
    assert len(bench.peer.calls) == 2


async def test_a_reconnect_ends_the_wait_after_silence():
    bench = Bench()
    bench.settings.set("TransactionMessageRetryInterval", 60)
    bench.peer.script["StartTransaction"] = [RpcTimeout()]
    bench.begin()
    bench.start()
    await bench.clock.run_for(10_000)
    bench.outbox.pause()
    bench.outbox.resume()
    await bench.clock.run_for(0)
    assert len(bench.peer.calls) == 2


async def test_attempts_survive_a_restart():
    bench = Bench()
    bench.settings.set("TransactionMessageAttempts", 3)
    bench.peer.script["StartTransaction"] = [CallError("InternalError")] * 9
    bench.begin()
    bench.start()
    await bench.clock.run_for(10_000)
    assert len(bench.peer.calls) == 2
    bench.restart()
    bench.start()
    await bench.clock.run_for(600_000)
    assert len(bench.peer.calls) == 3


async def test_a_restart_repeats_nothing_that_was_acknowledged():
    bench = Bench()
    tx = bench.begin()
    bench.sample(tx, 1100)
    bench.journal.flush()
    bench.start()
    await bench.clock.run_for(0)
    bench.restart()
    bench.end(tx)
    bench.start()
    await bench.clock.run_for(0)
    assert bench.peer.actions() == ["StartTransaction", "MeterValues", "StopTransaction"]
    assert ids(bench) == [1001, 1001]


async def test_a_transaction_id_may_be_zero_or_negative():
    # trap 14, errata 3.54
    for number in (0, -5):
        bench = Bench()
        bench.peer.script["StartTransaction"] = [{"transactionId": number, "idTagInfo": {"status": "Accepted"}}]
        tx = bench.begin()
        bench.start()
        await bench.clock.run_for(0)
        assert bench.outbox.transaction_id(tx) == number
        assert bench.outbox.local_transaction(number) == tx
        bench.end(tx)
        await bench.clock.run_for(0)
        assert ids(bench) == [number]
        assert bench.outbox.local_transaction(number) is None


async def test_the_answer_is_told_after_it_is_durable():
    bench = Bench()
    told = []
    bench.outbox.delivered.connect(lambda record, response: told.append((record.tx, response, bench.state.load())))
    tx = bench.begin()
    bench.start()
    await bench.clock.run_for(0)
    ((number, response, cursor),) = told
    assert number == tx and response["transactionId"] == 1001
    assert cursor[2:] == [[1, tx, 1001]]


async def test_a_start_without_a_usable_number_counts_as_refused():
    bench = Bench()
    bench.peer.script["StartTransaction"] = [{"idTagInfo": {"status": "Accepted"}}, {"transactionId": 10**40}]
    bench.begin()
    bench.start()
    await bench.clock.run_for(600_000)
    assert len(bench.peer.calls) == 3
    assert bench.outbox.local_transaction(1001) is not None


async def test_a_long_queue_is_delivered_without_pauses():
    bench = Bench()
    tx = bench.begin()
    for i in range(300):
        bench.sample(tx, 1000 + i)
    bench.end(tx)
    lengths = []
    bench.outbox.changed.connect(lengths.append)
    start_ms = bench.clock.ms()
    bench.start()
    for _ in range(100):
        await bench.clock.run_for(0)
    assert len(bench.peer.calls) == 302
    assert bench.clock.ms() == start_ms
    assert lengths[-1] == 0


async def test_the_journal_may_never_reuse_what_the_backend_has_seen():
    # a sample may be delivered before its batch is on flash
    bench = Bench()
    tx = bench.begin()
    bench.sample(tx, 1100)
    bench.start()
    await bench.clock.run_for(0)
    assert sequence_floor(bench.state) == tx + 1
    floors = []
    bench.journal.flushing.connect(lambda: floors.append(sequence_floor(bench.state)))
    bench.journal.flush()
    assert floors == [bench.journal.next_seq]  # before the batch, lest a power cut in between brings the sample back


async def test_a_sample_that_is_not_on_flash_costs_no_write_when_it_is_delivered():
    # the cursor of an hour's 60 samples follows the three batches
    bench = Bench()
    bench.start()
    tx = bench.begin()
    await bench.clock.run_for(0)
    saved = []
    save = bench.state.save
    bench.state.save = lambda value: (saved.append(value[0]), save(value))
    for i in range(59):
        bench.sample(tx, 1100 + i)
        await bench.clock.run_for(0)
    assert len(bench.peer.calls) == 60
    assert len(saved) == 6  # before each batch, and after the delivery of the sample that completed it


async def test_what_is_delivered_is_released():
    bench = Bench()
    bench.start()
    for _ in range(150):
        tx = bench.begin()
        for i in range(20):
            bench.sample(tx, 1000 + i)
        bench.end(tx)
        for _ in range(3):
            await bench.clock.run_for(0)
    assert bench.outbox.length == 0
    oldest = next(bench.journal.read())
    assert oldest.seq > 1


async def test_the_first_messages_after_power_on_wait_for_nothing():
    bench = Bench()
    for connector in (1, 2):
        tx = bench.journal.next_tx()
        bench.journal.begin(tx, connector, "TAG", 0)
    assert bench.clock.ms() == 0
    task = asyncio.create_task(bench.outbox.run(lambda: None))
    await bench.clock.run_for(0)
    assert bench.peer.calls == []  # nobody has accepted the station
    bench.outbox.resume()
    await bench.clock.run_for(0)
    assert len(bench.peer.calls) == 2 and bench.clock.ms() == 0
    task.cancel()


async def test_a_message_that_is_next_goes_at_once_after_one_that_was_refused():
    bench = Bench()
    bench.settings.set("TransactionMessageAttempts", 2)
    bench.settings.set("TransactionMessageRetryInterval", 60)
    bench.peer.script["StartTransaction"] = [CallError("InternalError")] * 2
    tx = bench.begin()
    bench.end(tx)
    bench.start()
    await bench.clock.run_for(60_000)
    assert bench.peer.actions() == ["StartTransaction", "StartTransaction", "StopTransaction"]


async def test_silence_waits_for_the_interval_and_a_lost_link_for_a_second():
    for error, waits_ms in ((RpcTimeout(), 60_000), (LinkDown(), 1_000)):
        bench = Bench()
        bench.settings.set("TransactionMessageRetryInterval", 60)
        bench.peer.script["StartTransaction"] = [error]
        bench.begin()
        bench.start()
        await bench.clock.run_for(waits_ms - 1)
        assert len(bench.peer.calls) == 1
        await bench.clock.run_for(1)
        assert len(bench.peer.calls) == 2
    bench = Bench()
    bench.settings.set("TransactionMessageRetryInterval", 0)
    bench.peer.script["StartTransaction"] = [RpcTimeout()]
    bench.begin()
    bench.start()
    await bench.clock.run_for(999)
    assert len(bench.peer.calls) == 1  # not a flood


async def test_an_answer_that_cannot_be_read_ends_what_needs_none():
    for action, calls in (("StartTransaction", 2), ("MeterValues", 1), ("StopTransaction", 1)):
        bench = Bench()
        bench.peer.script[action] = [InvalidAnswer("FormationViolation", "no object")]
        tx = bench.begin()
        bench.sample(tx, 1100)
        bench.end(tx)
        bench.start()
        await bench.clock.run_for(600_000)
        assert bench.peer.actions().count(action) == calls, action


async def test_the_length_is_told_when_it_changes():
    bench = Bench()
    lengths, beats = [], []
    bench.outbox.changed.connect(lengths.append)
    tx = bench.begin()
    assert lengths[-1] == bench.outbox.length > 0
    count = len(lengths)
    bench.outbox.resume()
    task = asyncio.create_task(bench.outbox.run(lambda: beats.append(True)))
    await bench.clock.run_for(0)
    assert len(lengths) > count and lengths[-1] == 0 or bench.outbox.length == 0
    assert len(beats) >= 2  # for each record that is dealt with
    bench.end(tx)
    assert lengths[-1] == bench.outbox.length > 0
    task.cancel()


async def test_a_number_that_is_learned_late_is_kept_by_its_connector_until_the_end():
    bench = Bench()
    first, second = bench.begin(1), bench.begin(2)
    bench.start()
    await bench.clock.run_for(0)
    assert (bench.outbox.transaction_id(first), bench.outbox.transaction_id(second)) == (1001, 1002)
    assert bench.outbox.local_transaction(1002) == second
    bench.end(first)
    await bench.clock.run_for(0)
    assert bench.outbox.transaction_id(first) is None and bench.outbox.transaction_id(second) == 1002


async def test_a_pause_while_a_message_is_made_keeps_it_back():
    bench = Bench()
    bench.begin()
    message = bench.facts.message

    async def paused(record, number):
        bench.outbox.pause()
        return await message(record, number)

    bench.facts.message = paused
    bench.start()
    await bench.clock.run_for(60_000)
    assert bench.peer.calls == [] and bench.outbox.length > 0
    bench.facts.message = message
    bench.outbox.resume()
    await bench.clock.run_for(0)
    assert bench.peer.actions() == ["StartTransaction"]
