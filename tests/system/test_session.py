"""From power-on to a billed session: the firmware above the simulated board, a central system that checks all of it."""

import time

TAG = "04A1B2C3"


def clean(csms):
    """Returns what went wrong between charger and central system: nothing should have."""
    return csms.violations + csms.ledger.problems + csms.ledger.repeated


def start_session(charger, csms, amps=16):
    """Plugs in, shows a card and draws current; returns the StartTransaction."""
    charger.plug()
    charger.swipe(TAG)
    start = csms.expect("StartTransaction", idTag=TAG)
    charger.draw(amps)
    charger.wait_state(relay=True, status="Charging")
    return start


def obey_pilot(charger):
    """The vehicle stops drawing when the offer is withdrawn, as good ones do."""
    charger.wait_state(amps=0)
    charger.cp("B")


def test_plug_is_reported_within_a_second(charger, csms):
    """OCPP 1.6 §4.9: Available to Preparing when a vehicle is connected."""
    csms.expect("StatusNotification", connectorId=1, status="Available")
    began = time.monotonic()
    charger.plug()
    csms.expect("StatusNotification", connectorId=1, status="Preparing", timeout=1)
    assert time.monotonic() - began < 1
    assert charger.connector()["relay"] is False
    assert clean(csms) == []


def test_pilot_offers_current_within_a_second_of_the_authorisation(charger, csms):
    """IEC 61851-1 A.6 sequence 1.1 and 3.1: PWM only for who may charge; the cable limits it (13 A)."""
    charger.plug(cable_a=13)
    csms.expect("StatusNotification", connectorId=1, status="Preparing")
    assert charger.connector()["duty"] == 100
    charger.swipe(TAG)
    authorised = csms.expect("Authorize", idTag=TAG)
    charger.expect("pilot", timeout=1, amps=13)
    assert time.time() - authorised.t < 1
    assert charger.connector()["relay"] is False


def test_session_from_plug_to_bill(start_charger, csms):
    """A whole session in fast time: every message valid, in its order, and billed is what the meter counted."""
    charger = start_charger(
        csms.url, rate=10, keys={"MeterValueSampleInterval": "30"}, config={"sim": {"meter_wh": 1234}}
    )
    charger.wait_boot()
    start = start_session(charger, csms)
    assert start["meterStart"] == 1234
    for _ in range(2):
        values = csms.expect("MeterValues", transactionId=start.transaction_id)
        assert values["meterValue"][0]["sampledValue"][0].get("context", "Sample.Periodic") == "Sample.Periodic"
    charger.swipe(TAG)
    obey_pilot(charger)
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
    assert stop.get("reason", "Local") == "Local"
    charger.wait_state(relay=False)
    assert stop["meterStop"] == charger.connector()["wh"] > start["meterStart"]
    csms.expect("StatusNotification", connectorId=1, status="Finishing")
    charger.unplug()
    csms.expect("StatusNotification", connectorId=1, status="Available")
    assert clean(csms) == []
    actions = [m.action for m in csms.calls if m.action.endswith(("Transaction", "MeterValues"))]
    assert actions[0] == "StartTransaction" and actions[-1] == "StopTransaction"
    words = [m["status"] for m in csms.calls if m.action == "StatusNotification" and m["connectorId"] == 1]
    assert words == ["Available", "Preparing", "Charging", "Finishing", "Available"]


def test_unplug_under_load_opens_the_contactor(charger, csms):
    """IEC 61851-1 A.6 sequence 2.1: the contactor opens within 100 ms of the pilot's loss; then the session ends."""
    start = start_session(charger, csms)
    charger.unplug()
    gone = charger.expect("pilot", volts=12)
    opened = charger.expect("relay", on=False)
    assert opened["t"] - gone["t"] <= 100
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
    assert stop["reason"] == "EVDisconnected"
    csms.expect("StatusNotification", connectorId=1, status="Available")
    assert clean(csms) == []


def registers(csms):
    """Returns (timestamp, Wh) of every energy register in the messages of transactions, in order."""
    seen = []
    for message in csms.calls:
        if message.action in ("StartTransaction", "StopTransaction"):
            seen.append((message["timestamp"], message.get("meterStart", message.get("meterStop"))))
        elif message.action == "MeterValues":
            for value in message["meterValue"]:
                items = [v for v in value["sampledValue"] if v["measurand"] == "Energy.Active.Import.Register"]
                seen.extend([(value["timestamp"], int(item["value"])) for item in items])
    return seen


def test_neither_a_hiccup_of_the_meter_nor_one_of_the_clock_is_billed(start_charger, csms):
    """M1, M3: on the second of two connectors, in messages as the central system gets them."""
    config = {"hw": {"connectors": 2}, "sim": {"meter_wh": 1_000}}
    charger = start_charger(csms.url, rate=5, keys={"MeterValueSampleInterval": "5"}, config=config)
    charger.wait_boot()
    charger.plug(connector=2)
    charger.swipe(TAG)
    start = csms.expect("StartTransaction", connectorId=2)
    charger.draw(16, connector=2)
    charger.wait_state(relay=True, connector=2)
    for jump, seconds in ((60_000, 0.3), (-900, 1)):
        charger.meter(2, add_wh=jump)
        time.sleep(seconds)
        charger.meter(2, add_wh=-jump)
        charger.clock(unix=charger.state()["time"] + jump * 60)
        time.sleep(0.5)
    charger.swipe(TAG)
    charger.wait_state(amps=0, connector=2)
    charger.cp("B", connector=2)
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
    assert stop["meterStop"] == charger.connector(2)["wh"] > 1_005
    seen = registers(csms)
    assert len(seen) > 3 and seen == sorted(seen) and [wh for _, wh in seen] == sorted(wh for _, wh in seen)
    assert clean(csms) == []


def test_remote_start_and_stop(charger, csms):
    """OCPP 1.6 §5.11, §5.12."""
    charger.plug()
    csms.expect("StatusNotification", connectorId=1, status="Preparing")
    assert csms.call("RemoteStartTransaction", idTag="REMOTE1", connectorId=1) == {"status": "Accepted"}
    start = csms.expect("StartTransaction", idTag="REMOTE1")
    charger.draw(16)
    charger.wait_state(relay=True)
    assert csms.call("RemoteStopTransaction", transactionId=99999) == {"status": "Rejected"}
    assert csms.call("RemoteStopTransaction", transactionId=start.transaction_id) == {"status": "Accepted"}
    obey_pilot(charger)
    assert csms.expect("StopTransaction", transactionId=start.transaction_id)["reason"] == "Remote"
    assert clean(csms) == []


def test_refused_card_gets_no_current(charger, csms):
    """OCPP 1.6 §4.1: without an accepted authorisation nothing is offered and no transaction begins."""
    csms.policy.tags[TAG] = {"status": "Blocked"}
    charger.plug()
    charger.swipe(TAG)
    charger.expect("auth", token=TAG, result="Blocked", source="csms")
    csms.expect_none("StartTransaction", within=0.5)
    assert charger.connector()["duty"] == 100


def test_session_survives_the_loss_of_the_central_system(charger, csms):
    """OCPP 1.6 §4.1, §3.7.1: what happens offline is delivered afterwards, complete and in order."""
    start = start_session(charger, csms)
    csms.close_port()
    charger.swipe(TAG)
    obey_pilot(charger)
    charger.expect("tx", event="stop")
    csms.open_port()
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
    assert stop.get("reason", "Local") == "Local"
    assert clean(csms) == []


def test_power_cut_ends_the_transaction_with_power_loss(charger, csms):
    """OCPP 1.6 §7.36 PowerLoss: exactly one StopTransaction after the restart, with energy that was counted."""
    start = start_session(charger, csms)
    cut = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    charger.cut()
    time.sleep(1.5)
    charger.start()
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id, reason="PowerLoss")
    assert stop["meterStop"] >= start["meterStart"]
    assert start["timestamp"] <= stop["timestamp"] <= cut, "M4: the outage is no part of the session"
    csms.expect_none("StopTransaction", within=0.5)
    assert csms.violations + csms.ledger.problems == []


def test_reset_from_the_central_system_restarts_the_charger(charger, csms):
    """OCPP 1.6 §5.14: a soft reset stops the transaction first, tells the central system and restarts."""
    start = start_session(charger, csms)
    assert csms.call("Reset", type="Soft") == {"status": "Accepted"}
    obey_pilot(charger)
    assert csms.expect("StopTransaction", transactionId=start.transaction_id)["reason"] == "SoftReset"
    assert charger.wait_exit() == 64
    charger.start()
    charger.wait_boot()
    assert clean(csms) == []
