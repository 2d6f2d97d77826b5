"""A station that has lost the time: what it writes down before somebody tells it the time is re-based when they do."""

import time

from books import audit, moment, transaction_messages
from ordeal import KEYS, TAGS
from waiting import until

_AHEAD_S = 86_400  # what the station missed
_WAIT_S = 20


def session(charger, stop=True):
    """Charges; returns the moment at which it began."""
    charger.plug()
    began = time.time()
    charger.swipe(TAGS[0])
    charger.wait_state(duty=53.33)
    charger.draw(16)
    charger.wait_state(status="Charging")
    time.sleep(1.2)  # for a sample, in real time
    if stop:
        charger.unplug()
        charger.wait_state(tx=None, status="Available")
    return began


def test_transactions_before_the_clock_is_known_get_their_true_times(csms, start_charger):
    """OCPP 1.6 §3.7, §4.7: in real time, after a day without power and battery, with the last known time as floor."""
    charger = start_charger(csms.url, keys={**KEYS, "MeterValueSampleInterval": "1"})
    charger.wait_boot()
    session(charger)
    csms.expect("StopTransaction")
    until(lambda: not charger.state()["queue"], _WAIT_S)  # the answer is journalled
    charger.clock(lost=True)
    charger.kill()
    csms.close_port()
    csms.policy.now = lambda: time.time() + _AHEAD_S
    charger.start()
    floor = charger.state()["time"]
    assert abs(floor - time.time()) < 60, "a floor, and no time"
    began = [session(charger), session(charger, stop=False)]

    csms.open_port()
    charger.expect("clock", source="ocpp", timeout=_WAIT_S)
    charger.unplug()
    until(lambda: len(csms.ledger.transactions) == 3 and not csms.ledger.running(), _WAIT_S, charger.state)
    until(lambda: not charger.state()["queue"], _WAIT_S)
    starts = [message for message in csms.calls if message.action == "StartTransaction"]
    for true, message in zip(began, starts[1:], strict=True):
        assert abs(moment(message) - true - _AHEAD_S) <= 3
    moments = [moment(message) for message in transaction_messages(csms)]
    assert moments == sorted(moments)
    assert audit(csms, []) == []
