"""Messages that do not fit into RAM: a local list of 9 000 tags while charging, and what is too large for anything."""

import json
import threading
import time

import pytest
from host import timed
from waiting import until

from tools.csms import CallFailed

TAGS = 9_000
REPLY_S = 0.1  # the control socket's promise: the scheduler is never held for longer


def token(number):
    # Spread, as the ids of cards are.
    return f"{number * 2_654_435_761 % 2**32:08X}"


def entry(number, status="Accepted"):
    info = {"status": status, "expiryDate": "2040-01-01T00:00:00Z", "parentIdTag": f"FLEET{number % 7}"}
    return {"idTag": token(number), "idTagInfo": info}


def full_list(version, count=TAGS):
    entries = [entry(number) for number in range(count)]
    return {"listVersion": version, "updateType": "Full", "localAuthorizationList": entries}


def slowest_state(charger, busy):
    """Asks for the state for as long as `busy` lives; returns the longest time it took, and the relay at each time.

    What the host has kept both processes from running is taken off.
    """
    slowest, relays = 0, set()
    while busy.is_alive():
        connector, took = timed(charger.process.pid, charger.connector)
        relays.add(connector["relay"])
        slowest = max(slowest, took)
        time.sleep(0.01)
    return slowest, relays


def test_nine_thousand_tags_while_charging(start_charger, csms):
    """OCPP 1.6 §5.15: the session is not disturbed, other calls are answered, and the list works offline."""
    charger = start_charger(csms.url, keys={"MeterValueSampleInterval": "1", "LocalPreAuthorize": "true"})
    charger.wait_boot()
    charger.plug()
    charger.swipe("04A1B2C3")
    csms.expect("StartTransaction")
    charger.draw(16)
    charger.wait_state(relay=True, status="Charging")
    answers = []
    sending = threading.Thread(target=lambda: answers.append(csms.call("SendLocalList", timeout=60, **full_list(7))))
    began = time.monotonic()
    sending.start()
    slowest, relays = slowest_state(charger, sending)
    sending.join()
    print(f"{time.monotonic() - began:.1f} s, state within {1000 * slowest:.0f} ms")
    assert answers == [{"status": "Accepted"}]
    assert relays == {True} and slowest < REPLY_S
    assert csms.call("GetLocalListVersion") == {"listVersion": 7}
    # Once more: there is room for the message, what is sorted of it and the new list beside the old one.
    assert csms.call("SendLocalList", timeout=60, **full_list(8)) == {"status": "Accepted"}
    changes = [entry(number, "Blocked") for number in range(0, 1_400, 2)]
    update = {"listVersion": 9, "updateType": "Differential", "localAuthorizationList": changes}
    assert csms.call("SendLocalList", timeout=60, **update) == {"status": "Accepted"}
    charger.swipe("04A1B2C3")
    csms.expect("StopTransaction")
    charger.cp("B")
    charger.unplug()
    charger.wait_state(status="Available")
    assert csms.violations == []
    csms.close_port()
    charger.wait_state(relay=False)
    for number, starts in ((2, False), (8_999, True)):
        charger.plug()
        charger.swipe(token(number))
        if starts:
            charger.expect("pilot", amps=32, timeout=5)
            charger.draw(16)
            charger.wait_state(relay=True)
        else:
            charger.expect("auth", token=token(number), source="list")
            assert charger.connector()["tx"] is None
            charger.unplug()
            charger.wait_state(status="Available")
    charger.cut()
    charger.restart()
    charger.expect("ws", state="down")
    csms.open_port()
    charger.wait_boot()
    assert csms.call("GetLocalListVersion") == {"listVersion": 9}


def test_what_is_too_large_is_refused_and_the_link_goes_on(charger, csms):
    """OCPP 1.6 §9.1.x limits: 9 000 tags in a full list, 700 in a differential; a CALLERROR, nothing stored."""
    with pytest.raises(CallFailed) as refused:
        csms.call("SendLocalList", timeout=60, **full_list(1, TAGS + 1))
    assert refused.value.code == "OccurenceConstraintViolation"
    update = full_list(1, 701)
    update["updateType"] = "Differential"
    with pytest.raises(CallFailed) as refused:
        csms.call("SendLocalList", timeout=60, **update)
    assert refused.value.code == "OccurenceConstraintViolation"
    bad = full_list(1, 2_000)
    bad["localAuthorizationList"][1_500] = {"idTag": "x" * 21}
    csms.send_text(json.dumps([2, "bad-item", "SendLocalList", bad]))
    wait_for_error(csms, "bad-item", "PropertyConstraintViolation")
    csms.send_text('[2,"cut-off","SendLocalList",{"listVersion":1,"localAuthorizationList":[' + "{}," * 9_000)
    wait_for_error(csms, "cut-off", "FormationViolation")
    csms.send_text(json.dumps([2, "long", "DataTransfer", {"vendorId": "x", "data": "y" * 200_000}]))
    wait_for_error(csms, "long", "GenericError")
    assert csms.call("DataTransfer", vendorId="x", data="y" * 30_000)["status"] == "UnknownVendorId"
    assert csms.call("GetLocalListVersion") == {"listVersion": 0}
    assert not list(charger.state_directory.glob("large.*"))


def test_a_message_over_the_maximum_ends_the_link_which_comes_back(start_charger, csms):
    """RFC 6455 §7.4.1: close code 1009, before the message has been received."""
    charger = start_charger(csms.url, keys={"MaxMessageBytes": "100000"})
    charger.wait_boot()
    csms.send_text(json.dumps([2, "1", "DataTransfer", {"vendorId": "x", "data": "y" * 200_000}]))
    charger.expect("ws", state="down")
    charger.expect("ws", state="up")
    csms.wait_connected()
    assert csms.call("GetLocalListVersion") == {"listVersion": 0}


def wait_for_error(csms, message_id, code):
    def find():
        return [f.text for f in csms.frames if f.direction == "in" and f.text.startswith(f'[4,"{message_id}"')]

    assert json.loads(until(find, 20)[0])[2] == code
