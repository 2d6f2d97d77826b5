"""Power cuts at any moment: every transaction reaches the central system exactly once, and the books are right.

POWER_CUTS=200 makes the random ordeal longer than what fits into a run of the whole suite, POWER_CUT_SEED repeats one.
"""

import os
import random
import time

import pytest
from books import audit, transaction_messages
from ordeal import KEYS, RATE, TAGS, Ordeal, live_in_fast_time
from waiting import until

CUTS = int(os.environ.get("POWER_CUTS", "30"))
SEED = int(os.environ.get("POWER_CUT_SEED", "0")) or random.randrange(1, 1 << 30)
SETTLE_EVERY = 10


@pytest.fixture
def station(csms, start_charger):
    """A function that starts an accepted station in fast time; `keys` are laid over those of the ordeal."""
    live_in_fast_time(csms)

    def start(connectors=1, **keys):
        charger = start_charger(csms.url, rate=RATE, keys={**KEYS, **keys}, config={"hw": {"connectors": connectors}})
        charger.wait_boot()
        return charger

    return start


def begin(charger, csms, connector=1):
    """Charges; returns the transaction's id."""
    charger.plug(connector=connector)
    charger.swipe(TAGS[connector], [connector])
    message = csms.expect("StartTransaction", connectorId=connector)
    charger.draw(16, connector=connector)
    charger.wait_state(connector=connector, status="Charging")
    return message.transaction_id


def delivered(charger, timeout=20):
    until(lambda: not charger.state()["queue"], timeout, lambda: f"queue stuck: {charger.state()}")


def settled(charger, csms, timeout=10):
    """Waits until the sessions that were cut have ended and everybody knows."""
    until(lambda: not csms.ledger.running() and not charger.state()["queue"], timeout, csms.ledger.running)


def stops(csms, transaction_id):
    return [m for m in csms.calls if m.action == "StopTransaction" and m["transactionId"] == transaction_id]


@pytest.mark.parametrize("connectors", [1, 2])
def test_random_power_cuts(station, csms, connectors):
    """SIGKILL and torn flash writes while people charge and the central system comes, goes and keeps silent."""
    print(f"POWER_CUT_SEED={SEED}")
    ordeal = Ordeal(station(connectors), csms, SEED + connectors, connectors)
    for cut in range(1, CUTS // 2 + 1):
        ordeal.live()
        if cut % SETTLE_EVERY == 0 or cut == CUTS // 2:
            ordeal.settle()
            assert ordeal.judge() == []
    assert ordeal.deaths >= CUTS // 2 and csms.ledger.transactions


def test_a_session_that_is_cut_ends_with_power_loss(station, csms):
    """OCPP 1.6 §7.36, erratum 3.77: once, with energy between what was billed and what the meter shows."""
    charger = station(2)
    cut = [begin(charger, csms, n) for n in (1, 2)]
    time.sleep(0.3)
    charger.kill()
    ends = [time.time()]
    charger.start().wait_boot()
    for number, transaction in enumerate(cut, 1):
        stop = csms.expect("StopTransaction", transactionId=transaction)
        assert stop["reason"] == "PowerLoss" and "idTag" not in stop.payload
        assert stop["meterStop"] == charger.connector(number)["wh"] > 0
    delivered(charger)
    assert all(len(stops(csms, transaction)) == 1 for transaction in cut)
    assert audit(csms, ends) == []


def test_power_that_goes_again_and_again_right_after_it_came(station, csms):
    """The end of a session that was cut survives the cuts that hit while it is being written and delivered."""
    charger = station()
    transaction = begin(charger, csms)
    ends = []
    for i in range(15):
        charger.kill()
        ends.append(time.time())
        charger.start()
        time.sleep(0.015 * i)
    charger.wait_boot()
    delivered(charger)
    assert len(csms.ledger.transactions) == 1
    assert {m["reason"] for m in stops(csms, transaction)} == {"PowerLoss"}
    assert audit(csms, ends) == []


def test_a_start_that_was_never_answered_comes_again_with_the_same_content(station, csms):
    """OCPP 1.6 §3.7: only this one, and what follows waits for it and carries its transactionId."""
    charger = station()
    csms.policy.silent.add("StartTransaction")
    charger.plug()
    charger.swipe(TAGS[0])
    first = csms.expect("StartTransaction")
    charger.draw(16)
    charger.wait_state(status="Charging")
    time.sleep(0.3)  # for some samples
    charger.kill()
    ends = [time.time()]
    csms.policy.silent.clear()
    charger.start()
    again = csms.expect("StartTransaction")
    assert again.payload == first.payload and again.id != first.id
    stop = csms.expect("StopTransaction", reason="PowerLoss")
    assert stop["transactionId"] == again.transaction_id
    delivered(charger)
    assert audit(csms, ends) == [] and len(csms.ledger.transactions) == 1


def test_a_long_queue_is_delivered_over_many_power_cuts(station, csms):
    """Kills during delivery: each costs at most the repetition of the one message that was on its way."""
    charger = station(JournalBatch="1")
    csms.close_port()
    for _ in range(4):
        charger.plug()
        charger.swipe(TAGS[0])
        charger.wait_state(duty=53.33)
        charger.draw(16)
        charger.wait_state(status="Charging")
        time.sleep(0.6)
        charger.unplug()
        charger.wait_state(status="Available", tx=None)
    queued = charger.state()["queue"]
    assert queued > 24
    csms.policy.latency = 0.02
    csms.open_port()
    ends = []
    for _ in range(6):
        before = len(transaction_messages(csms))
        until(lambda: len(transaction_messages(csms)) >= before + 3)  # noqa: B023
        charger.kill()
        ends.append(time.time())
        charger.start()
    charger.wait_boot()
    delivered(charger)
    messages = transaction_messages(csms)
    assert len(messages) - len(csms.ledger.repeated) >= 24 and len(csms.ledger.repeated) <= len(ends)
    assert [t.stop["reason"] for t in csms.ledger.transactions.values()] == ["EVDisconnected"] * 4
    assert audit(csms, ends) == []


@pytest.mark.parametrize("at", ["next_flash_write", 1, 33, 100, 129, 500, 4100, 4200])
def test_writes_that_are_torn_during_a_session(station, csms, at):
    """The power goes in the middle of what is written for a transaction's begin, its samples or its end."""
    charger = station(JournalBatch="1")
    ends = []
    for number in range(3):
        charger.plug()
        if number == 0:
            charger.cut(at)
        charger.swipe(TAGS[0])
        if number == 1:
            charger.wait_state(duty=53.33)
            charger.draw(16)
            charger.cut(at)
        elif number == 2:
            charger.wait_state(duty=53.33)
            charger.draw(16)
            charger.wait_state(status="Charging")
            delivered(charger)
            charger.cut(at)
            charger.unplug()
        charger.wait_exit(10)
        ends.append(time.time())
        charger.start().wait_boot()
        assert not charger.connector()["relay"] and charger.connector()["status"] == "Available"
        settled(charger, csms)  # else the next vehicle is taken for the one whose session was cut
    assert 1 <= len(csms.ledger.transactions) <= 3
    assert audit(csms, ends) == []
