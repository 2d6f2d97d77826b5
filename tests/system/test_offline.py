"""A back-end that is away, silent, unwilling or restarting: nothing is lost, nothing is refused, all of it in order."""

import threading
import time

import pytest
from books import audit, moment, transaction_messages
from ordeal import KEYS, RATE, TAGS, live_in_fast_time
from waiting import until

WAIT_S = 20


@pytest.fixture
def station(csms, start_charger):
    live_in_fast_time(csms)

    def start(wait=True, connectors=1, **keys):
        charger = start_charger(csms.url, rate=RATE, keys={**KEYS, **keys}, config={"hw": {"connectors": connectors}})
        if wait:
            charger.wait_boot()
        return charger

    return start


def session(charger, seconds=0.3, connector=1, stop="swipe"):
    """A whole session, whatever the back-end does."""
    charger.plug(connector=connector)
    charger.swipe(TAGS[connector], [connector])
    charger.wait_state(connector=connector, duty=lambda duty: 0 < duty < 100)
    charger.draw(16, connector=connector)
    charger.wait_state(connector=connector, status="Charging")
    time.sleep(seconds)
    if stop == "swipe":
        charger.swipe(TAGS[connector], [connector])
        charger.wait_state(connector=connector, tx=None)
    charger.unplug(connector)
    charger.wait_state(connector=connector, tx=None, status="Available")


def settled(charger, csms, transactions):
    """Waits until everything is delivered; returns the ledger's transactions."""

    def done():
        ledger = csms.ledger
        return len(ledger.transactions) >= transactions and not ledger.running() and not charger.state()["queue"]

    until(done, WAIT_S, lambda: f"{charger.state()}, {len(csms.ledger.transactions)} transactions")
    assert len(csms.ledger.transactions) == transactions
    return list(csms.ledger.transactions.values())


def sound(charger, csms, ends=(), repeated=0):
    """Every message once and in order, no attempt consumed, and the books end where the meter stands."""
    assert audit(csms, list(ends)) == []
    assert len(csms.ledger.repeated) == repeated
    assert "given up" not in charger.output()
    return True


def test_sessions_while_nobody_listens(station, csms):
    """Two outlets at once, the central system's port closed."""
    charger = station(connectors=2)
    csms.close_port()
    users = [threading.Thread(target=lambda n=n: [session(charger, 0.2, n) for _ in range(3)]) for n in (1, 2)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    csms.open_port()
    for transaction in settled(charger, csms, 6):
        assert transaction.stop.get("reason", "Local") == "Local" and transaction.energy_wh > 0
    assert sound(charger, csms)
    moments = [moment(message) for message in transaction_messages(csms)]
    assert moments == sorted(moments)


def test_sessions_while_the_network_is_down(station, csms):
    charger = station()
    charger.network(False)
    charger.expect("ws", state="down")
    session(charger)
    session(charger, stop="unplug")
    charger.network(True)
    reasons = [t.stop.get("reason", "Local") for t in settled(charger, csms, 2)]
    assert reasons == ["Local", "EVDisconnected"]
    assert sound(charger, csms)


def test_a_server_that_accepts_and_never_answers(station, csms):
    """OCPP 1.6 §3.7.1: a time-out is no failure to process the message, however often; the same content comes again."""
    charger = station(MessageTimeout="4", TransactionMessageAttempts="1")
    csms.policy.silent.update(("Authorize", "StartTransaction", "MeterValues", "StopTransaction", "StatusNotification"))
    session(charger)
    for _ in range(4):
        repeated = csms.expect("StartTransaction")
    csms.policy.silent.clear()
    (transaction,) = settled(charger, csms, 1)
    assert transaction.start == repeated.payload
    starts = [m for m in csms.calls if m.action == "StartTransaction"]
    assert len(starts) >= 5 and len({m.id for m in starts}) == len(starts)
    assert sound(charger, csms)


def test_a_server_that_stops_in_the_middle_and_restarts(station, csms):
    charger = station()
    charger.plug()
    charger.swipe(TAGS[1])
    transaction = csms.ledger.transactions[csms.expect("StartTransaction").transaction_id]
    charger.draw(16)
    ends = []

    def some_samples():
        before = len(transaction.meter_values)
        until(lambda: len(transaction.meter_values) >= before + 3, WAIT_S)

    for _ in range(3):
        some_samples()
        ends.append(time.time())
        csms.close_port()
        ends.append(time.time())
        time.sleep(0.2)  # of restarting
        csms.open_port()
    some_samples()
    charger.unplug()
    settled(charger, csms, 1)
    assert len([m for m in csms.calls if m.action == "BootNotification"]) == 1, "a new link is no boot"
    assert audit(csms, ends) == []


def test_a_token_is_refused_after_it_was_let_in_offline(station, csms):
    """OCPP 1.6 §4.8, errata 3.17: the stop comes with the reason DeAuthorized, after the start."""
    charger = station()
    csms.close_port()
    charger.plug()
    charger.swipe(TAGS[1])
    charger.wait_state(duty=53.33)
    charger.draw(16)
    charger.wait_state(status="Charging")
    csms.policy.tags[TAGS[1]] = {"status": "Blocked"}
    csms.open_port()
    csms.expect("StopTransaction", reason="DeAuthorized", timeout=WAIT_S)
    charger.wait_state(relay=False)
    settled(charger, csms, 1)
    assert sound(charger, csms)


def test_pending_keeps_the_queue_and_lets_nobody_start(station, csms):
    """OCPP 1.6 §4.2: what was journalled before waits for Accepted, new transactions are not begun."""
    charger = station()
    csms.close_port()
    session(charger)
    charger.kill()
    csms.policy.registration, csms.policy.interval = "Pending", 10
    csms.open_port()
    charger.start()
    csms.expect("BootNotification")
    csms.expect("BootNotification")
    charger.plug()
    charger.swipe(TAGS[0])
    time.sleep(0.5)  # five seconds of the charger's, in which nothing happens
    assert charger.connector()["tx"] is None and charger.connector()["duty"] == 100
    assert transaction_messages(csms) == []
    csms.policy.registration, csms.policy.interval = "Accepted", 86400
    charger.unplug()
    settled(charger, csms, 1)
    assert sound(charger, csms)


def test_rejected_is_silent_and_asks_again(station, csms):
    """OCPP 1.6 §4.2: nothing at all is sent before the interval is over."""
    charger = station()
    charger.kill()
    csms.policy.registration, csms.policy.interval = "Rejected", 20
    before = len(csms.calls)
    charger.start()
    csms.expect("BootNotification")
    first = csms.expect("BootNotification")
    csms.policy.registration, csms.policy.interval = "Accepted", 86400
    second = csms.expect("BootNotification")
    assert 0.9 < (second.t - first.t) * RATE / 20 < 1.5
    assert [m.action for m in csms.calls[before:]][:2] == ["BootNotification"] * 2
    charger.wait_boot()
    session(charger)
    settled(charger, csms, 1)
    assert sound(charger, csms)


@pytest.mark.parametrize("action", ["MeterValues", "StopTransaction"])
def test_a_message_that_cannot_be_processed_is_given_up_after_its_attempts(station, csms, action):
    """OCPP 1.6 §3.7.1: attempts and growing waits for a CALLERROR; the queue goes on, and the log says so."""
    charger = station(
        TransactionMessageAttempts="3", TransactionMessageRetryInterval="4", MeterValueSampleInterval="30"
    )
    csms.policy.errors[action] = "InternalError"
    charger.plug()
    charger.swipe(TAGS[1])
    csms.expect("StartTransaction")
    charger.draw(16)
    if action == "StopTransaction":
        charger.wait_state(status="Charging")
        charger.swipe(TAGS[1])
    tries = [csms.expect(action, timeout=WAIT_S) for _ in range(3)]
    assert len({str(m.payload) for m in tries}) == 1
    waits = [(b.t - a.t) * RATE for a, b in zip(tries, tries[1:], strict=False)]
    assert 4 <= waits[0] < 8 <= waits[1] < 14, waits
    until(lambda: f"{action} given up after 3 attempts" in charger.output(), WAIT_S)
    csms.policy.errors.clear()
    if action == "MeterValues":
        charger.swipe(TAGS[1])
    charger.unplug()
    charger.wait_state(tx=None, status="Available")
    session(charger)
    csms.expect("StopTransaction", timeout=WAIT_S)
    assert csms.violations == []


def test_attempts_survive_a_power_cut(station, csms):
    """A message that is refused is not sent more often because the power went meanwhile."""
    charger = station(TransactionMessageAttempts="4", TransactionMessageRetryInterval="2")
    csms.policy.errors["StartTransaction"] = "InternalError"
    charger.plug()
    charger.swipe(TAGS[1])
    for _ in range(2):
        csms.expect("StartTransaction", timeout=WAIT_S)
    time.sleep(0.1)  # for the charger to write down that it was refused
    charger.kill()
    charger.start()
    for _ in range(2):
        csms.expect("StartTransaction", timeout=WAIT_S)
    csms.expect("StopTransaction", transactionId=-1, reason="PowerLoss", timeout=WAIT_S)
    assert len([m for m in csms.calls if m.action == "StartTransaction"]) == 4
    assert csms.violations == []


# -- resets


@pytest.mark.parametrize(
    "kind, code, reason", [("Soft", 64, "SoftReset"), ("Hard", 65, "HardReset")], ids=["soft", "hard"]
)
@pytest.mark.parametrize("back_end", ["there", "silent", "gone"])
def test_a_reset_in_the_middle_of_a_session(station, csms, kind, code, reason, back_end):
    """OCPP 1.6 §5.14, errata 3.36: answered first, the stop is delivered once, before or after the restart."""
    charger = station(MessageTimeout="5")
    charger.plug()
    charger.swipe(TAGS[1])
    started = csms.expect("StartTransaction")
    charger.draw(16)
    charger.wait_state(status="Charging")
    if back_end == "silent":
        csms.policy.silent.add("StopTransaction")
    before = len(csms.frames)
    assert csms.call("Reset", type=kind) == {"status": "Accepted"}
    if back_end == "gone":
        csms.close_port()
    else:
        # A meter value may have been on its way when the request came.
        said = [frame.text for frame in csms.frames[before:] if frame.direction == "in"]
        said = [text for text in said if text[1] == "3" or "StopTransaction" in text]
        assert said[0][1] == "3", "the answer goes first"
    assert charger.wait_exit() == code
    assert charger.wait_event("exit")["code"] == code
    ends = [time.time()]
    csms.policy.silent.clear()
    if back_end == "gone":
        csms.open_port()
    charger.start().wait_boot()
    (transaction,) = settled(charger, csms, 1)
    assert (transaction.id, transaction.stop["reason"]) == (started.transaction_id, reason)
    assert audit(csms, ends) == []
    stops = [m for m in csms.calls if m.action == "StopTransaction"]
    assert len([m for m in stops if m.answered]) == 1
    session(charger)
    assert settled(charger, csms, 2)[1].stop.get("reason", "Local") == "Local"


def test_an_orderly_stop_loses_no_sample(station, csms):
    """The simulator's `exit`: what waited to be written is written, and the session ends like one whose power went."""
    charger = station(MeterValueSampleInterval="4", JournalBatch="50")
    charger.plug()
    charger.swipe(TAGS[1])
    csms.expect("StartTransaction")
    charger.draw(16)
    csms.expect("MeterValues")
    csms.close_port()
    until(lambda: charger.state()["queue"] >= 2, WAIT_S)
    waiting = charger.state()["queue"]
    assert charger.stop() == 0
    csms.open_port()
    charger.start().wait_boot()
    (transaction,) = settled(charger, csms, 1)
    assert transaction.stop["reason"] == "PowerLoss"
    assert len(transaction.meter_values) >= waiting
    assert audit(csms, [time.time()]) == []
