"""The real charger and a central system that checks everything: registration, transaction queue, what survives."""

import json
import time

import pytest

from firmware.ocpp.v16.keys import OWN, profile_of
from firmware.store.registry import SETTINGS
from tools.csms import CallFailed
from tools.image import ROOT
from tools.sim import Charger

TAG = "04A1B2C3"


@pytest.fixture
def station(csms):
    """Starts chargers for the central system; `station(rate=..., keys=...)` returns one that has been accepted."""
    chargers = []

    def start(wait=True, **arguments):
        charger = Charger(url=csms.url, **arguments)
        chargers.append(charger)
        charger.start()
        if wait:
            charger.wait_boot()
        return charger

    yield start
    for charger in chargers:
        charger.close()


def session(charger, csms, seconds=0):
    """Plugs in, shows a card and draws current; returns the StartTransaction."""
    charger.plug()
    charger.swipe(TAG)
    started = csms.expect("StartTransaction", idTag=TAG)
    charger.draw(16)
    csms.expect("StatusNotification", status="Charging")
    time.sleep(seconds)
    return started


def finish(charger, csms):
    """Stops with the card and unplugs; returns the StopTransaction."""
    charger.swipe(TAG)
    stopped = csms.expect("StopTransaction")
    charger.unplug()
    csms.expect("StatusNotification", connectorId=1, status="Available")
    return stopped


def sound(csms):
    """Nothing broke the protocol and the books are right."""
    assert csms.violations == []
    assert csms.ledger.problems == []
    return True


def test_a_whole_session_is_valid_in_every_message(station, csms):
    charger = station(rate=10, keys={"MeterValueSampleInterval": "5"})
    csms.expect("StatusNotification", connectorId=1)
    assert [m.action for m in csms.calls][:3] == ["BootNotification", "StatusNotification", "StatusNotification"]
    started = session(charger, csms)
    sample = csms.expect("MeterValues", transactionId=started.transaction_id)
    measurands = [value["measurand"] for value in sample["meterValue"][0]["sampledValue"]]
    # trap 21 and §3.16.3: what is configured, each phase of it
    assert measurands.count("Current.Import") == 3 and "Energy.Active.Import.Register" in measurands
    csms.expect("MeterValues")
    stopped = finish(charger, csms)
    assert stopped["transactionId"] == started.transaction_id
    assert stopped["meterStop"] > started["meterStart"]
    contexts = [value["sampledValue"][0]["context"] for value in stopped["transactionData"]]
    assert contexts[0] == "Transaction.Begin" and contexts[-1] == "Transaction.End"
    assert sound(csms)


def test_statuses_follow_the_table_of_transitions(station, csms):
    # trap 25, OCPP 1.6 §4.9
    from firmware.ocpp.v16.status import may_follow

    charger = station(rate=10)
    session(charger, csms)
    charger.cp("B")
    csms.expect("StatusNotification", status="SuspendedEV")
    charger.cp("C")
    csms.expect("StatusNotification", status="Charging")
    finish(charger, csms)
    words = [m["status"] for m in csms.calls if m.action == "StatusNotification" and m["connectorId"] == 1]
    for old, new in zip(words, words[1:], strict=False):
        assert may_follow(new, old), words
    assert sound(csms)


def test_pending_is_silent_until_it_is_asked(station, csms):
    # trap 9, OCPP 1.6 §4.2
    csms.policy.registration = "Pending"
    csms.policy.interval = 20
    charger = station(wait=False, rate=10)
    csms.expect("BootNotification")
    charger.plug()
    csms.expect_none("StatusNotification", within=0.5)
    assert csms.call("RemoteStartTransaction", idTag=TAG)["status"] == "Rejected"
    assert csms.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=1)["status"] == "Accepted"
    csms.expect("StatusNotification", status="Preparing")
    csms.policy.registration = "Accepted"
    csms.expect("BootNotification")
    csms.expect("StatusNotification", connectorId=0)
    assert sound(csms)


def test_rejected_neither_sends_nor_answers(station, csms):
    # trap 9: a station that answers while rejected is what MicroOcpp does
    csms.policy.registration = "Rejected"
    csms.policy.interval = 200
    charger = station(wait=False, rate=10)
    csms.expect("BootNotification")
    charger.expect("boot", status="Rejected")  # it has read the verdict
    with pytest.raises(TimeoutError):
        csms.call("GetConfiguration", timeout=1)
    assert [m.action for m in csms.calls] == ["BootNotification"]
    csms.policy.registration = "Accepted"
    charger.clock(rate=200)
    csms.expect("BootNotification")
    csms.expect("StatusNotification", connectorId=1)


def test_a_reconnect_is_no_boot(station, csms):
    # trap 8, OCPP-J 1.6 §5.4
    charger = station(rate=10)
    csms.expect("BootNotification")
    csms.expect("StatusNotification", connectorId=1)
    csms.abort()
    charger.plug()
    csms.wait_connected()
    csms.expect("StatusNotification", connectorId=1, status="Preparing")
    csms.expect_none("BootNotification", within=0.5)
    assert sound(csms)


def test_the_answer_to_a_trigger_goes_before_the_message(station, csms):
    # trap 30, OCPP 1.6 §5.17
    station()
    csms.expect("StatusNotification", connectorId=1)

    def trigger(message):
        return csms.call("TriggerMessage", requestedMessage=message, connectorId=1)["status"]

    while trigger("MeterValues") == "Rejected":  # until the meter has been read
        time.sleep(0.05)
    csms.expect("MeterValues")
    for message in ("Heartbeat", "StatusNotification", "MeterValues", "FirmwareStatusNotification"):
        before = len(csms.frames)
        assert trigger(message) == "Accepted", message
        csms.expect(message)
        frames = [json.loads(frame.text) for frame in csms.frames[before:] if frame.direction == "in"]
        assert frames[0][0] == 3 and frames[1][2] == message
    assert sound(csms)


def test_what_happened_without_a_link_comes_in_order(station, csms):
    # traps 12 and 25: nothing is lost, no history of statuses, no boot
    charger = station(rate=10, keys={"MeterValueSampleInterval": "5", "AllowOfflineTxForUnknownId": "true"})
    csms.expect("StatusNotification", connectorId=1)
    csms.close_port()
    for _ in range(3):
        charger.plug()
        charger.swipe(TAG)
        charger.wait_state(status="SuspendedEV")
        charger.draw(16)
        charger.wait_state(status="Charging")
        time.sleep(1)
        charger.swipe(TAG)
        charger.wait_state(status="Finishing")
        charger.unplug()
        charger.wait_state(status="Available")
    assert charger.state()["queue"] > 6
    before = len(csms.calls)
    csms.open_port()
    for _ in range(3):
        csms.expect("StopTransaction", timeout=20)
    story = [m.action for m in csms.calls[before:] if m.action != "Heartbeat"]
    assert "BootNotification" not in story
    assert story.count("StatusNotification") == 0
    assert story.count("StartTransaction") == 3
    for action, following in zip(story, story[1:], strict=False):
        assert following == "StartTransaction" if action == "StopTransaction" else following != "StartTransaction"
    charger.expect("queue", len=0)
    assert len(csms.ledger.transactions) == 3 and sound(csms)


def test_a_power_cut_costs_no_transaction(station, csms):
    # traps 9, 17 and 20
    charger = station(rate=10, keys={"MeterValueSampleInterval": "5"})
    started = session(charger, csms, 1)
    charger.kill()
    charger.restart()
    boot = csms.expect("BootNotification")
    boot = csms.expect("BootNotification")
    stopped = csms.expect("StopTransaction", transactionId=started.transaction_id, reason="PowerLoss")
    assert stopped["meterStop"] >= started["meterStart"]
    assert csms.calls.index(boot) < csms.calls.index(stopped)
    assert csms.ledger.repeated == [] and sound(csms)


def test_a_start_that_is_never_taken_is_given_up_with_minus_one(station, csms):
    # traps 13 and 14, OCPP 1.6 §3.7.1, errata 3.18
    keys = {"TransactionMessageAttempts": "3", "TransactionMessageRetryInterval": "2"}
    charger = station(rate=10, keys=keys)
    csms.policy.errors["StartTransaction"] = "InternalError"
    charger.plug()
    charger.swipe(TAG)
    times = [csms.expect("StartTransaction").t for _ in range(3)]
    assert times[2] - times[1] > 1.5 * (times[1] - times[0]) > 0.2
    charger.swipe(TAG)
    csms.expect("StopTransaction", transactionId=-1)
    csms.expect_none("StartTransaction", within=1)
    assert csms.violations == []


def test_silence_never_consumes_an_attempt(station, csms):
    # trap 13: MicroOcpp gives a transaction up after three time-outs
    keys = {"TransactionMessageAttempts": "1", "TransactionMessageRetryInterval": "1", "MessageTimeout": "5"}
    charger = station(rate=10, keys=keys)
    csms.policy.silent.add("StartTransaction")
    charger.plug()
    charger.swipe(TAG)
    for _ in range(4):
        csms.expect("StartTransaction")
    charger.draw(16)
    csms.expect("StatusNotification", status="Charging")
    csms.policy.silent.clear()
    csms.expect("StartTransaction")
    assert finish(charger, csms)["transactionId"] == 1
    assert len(csms.ledger.transactions) == 1 and sound(csms)


def test_a_reset_answers_stops_delivers_and_restarts(station, csms):
    # OCPP 1.6 §5.14, errata 3.36
    for kind, code, reason in (("Soft", 64, "SoftReset"), ("Hard", 65, "HardReset")):
        charger = station(rate=10, identity="cp-" + kind.lower())
        started = session(charger, csms)
        assert csms.call("Reset", type=kind, station=charger.config["ocpp"]["id"])["status"] == "Accepted"
        csms.expect("StopTransaction", transactionId=started.transaction_id, reason=reason)
        assert charger.wait_exit() == code
        charger.restart()
        charger.wait_boot()
        csms.expect_none("StopTransaction", within=0.5)
        charger.close()
    assert sound(csms)


def test_unavailable_survives_a_restart(station, csms):
    # trap 25, OCPP 1.6 §4.9
    charger = station()
    csms.expect("StatusNotification", connectorId=1, status="Available")
    assert csms.call("ChangeAvailability", connectorId=1, type="Inoperative")["status"] == "Accepted"
    csms.expect("StatusNotification", connectorId=1, status="Unavailable")
    charger.kill()
    charger.restart()
    csms.expect("StatusNotification", connectorId=1, status="Unavailable")
    assert sound(csms)


def test_the_local_list_decides_without_a_link(station, csms):
    # traps 15 and 29, OCPP 1.6 §3.5.4: listed and blocked is refused whatever else is allowed
    charger = station(rate=10, keys={"AllowOfflineTxForUnknownId": "true"})
    entries = [
        {"idTag": "GOOD", "idTagInfo": {"status": "Accepted"}},
        {"idTag": "BAD", "idTagInfo": {"status": "Blocked"}},
    ]
    answer = csms.call("SendLocalList", listVersion=3, updateType="Full", localAuthorizationList=entries)
    assert answer["status"] == "Accepted"
    assert csms.call("GetLocalListVersion")["listVersion"] == 3
    charger.kill()
    csms.close_port()
    charger.restart()
    charger.plug()
    charger.swipe("bad")
    charger.expect("auth", token="bad", result="Blocked", source="list")
    charger.swipe("good")
    charger.expect("auth", token="good", result="Accepted", source="list")
    charger.wait_state(status="SuspendedEV")


def test_a_refused_token_ends_what_it_started(station, csms):
    # trap 15, errata 3.17
    charger = station(rate=10, keys={"LocalPreAuthorize": "true"})
    session(charger, csms)
    finish(charger, csms)
    csms.policy.unknown_tag = {"status": "Blocked"}
    charger.plug()
    charger.swipe(TAG)  # the cache still knows better
    started = csms.expect("StartTransaction")
    csms.expect("StopTransaction", transactionId=started.transaction_id, reason="DeAuthorized")
    assert sound(csms)


def test_configuration_changes_survive_and_say_what_they_need(station, csms):
    # traps 23 and 27
    charger = station()

    def change(key, value):
        return csms.call("ChangeConfiguration", key=key, value=value)["status"]

    assert change("metervaluesampleinterval", "7") == "Accepted"
    assert change("MeterValuesSampledData", "Energy.Active.Import.Register,Nonsense") == "Rejected"
    assert change("MeterValuesSampledData", "Energy.Active.Import.Register,Current.Import.L1") == "Accepted"
    assert change("NumberOfConnectors", "3") == "Rejected"
    assert change("Nonsense", "3") == "NotSupported"
    charger.kill()
    charger.restart()
    charger.wait_boot()
    answer = csms.call("GetConfiguration", key=["MeterValueSampleInterval", "nonsense"])
    assert answer["configurationKey"][0]["value"] == "7" and answer["unknownKey"] == ["nonsense"]
    assert len(csms.call("GetConfiguration")["configurationKey"]) > 40
    assert sound(csms)


@pytest.mark.parametrize("cable, value, status", [("socket", "true", "Accepted"), ("fixed", "false", "Rejected")])
def test_a_fixed_cable_is_never_unlocked_and_says_so(station, csms, cable, value, status):
    # trap 27, errata 3.84, 3.85
    station(config={"hw": {"cable": cable}})
    key = "UnlockConnectorOnEVSideDisconnect"
    (entry,) = csms.call("GetConfiguration", key=[key])["configurationKey"]
    assert entry == {"key": key, "readonly": cable == "fixed", "value": value}
    assert csms.call("ChangeConfiguration", key=key, value="false")["status"] == status
    unlocked = csms.call("UnlockConnector", connectorId=1)["status"]
    assert unlocked == ("NotSupported" if cable == "fixed" else "Unlocked")


def table_of_keys():
    """Returns {key: (access, default, what it needs)} of docs/ocpp.md."""
    lines = (ROOT / "docs" / "ocpp.md").read_text().partition("<!-- keys: generated -->")[2].splitlines()[3:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    return {row[1]: (row[2], row[3], row[6]) for row in rows}


def test_the_table_of_keys_is_what_a_station_answers(station, csms):
    """O14: GetConfiguration, and the feature profiles that the station serves."""
    station()
    answered = {entry["key"]: entry for entry in csms.call("GetConfiguration")["configurationKey"]}
    table = table_of_keys()
    own = {setting.name for setting in SETTINGS if profile_of(setting) == OWN}
    assert set(answered) - own <= set(table)
    assert {key for key, (_, _, needs) in table.items() if not needs} <= set(answered)
    for key in set(answered) & set(table):
        access, default, _ = table[key]
        assert answered[key]["readonly"] == (access == "r"), key
        if access == "r" and key not in ("NumberOfConnectors", "ConnectorPhaseRotationMaxLength"):
            assert answered[key]["value"].replace(",", ", ") == default, key
    profiles = answered["SupportedFeatureProfiles"]["value"].split(",")
    for profile, action in (
        ("FirmwareManagement", "GetDiagnostics"),
        ("LocalAuthListManagement", "GetLocalListVersion"),
    ):
        try:
            csms.call(action, **({"location": "ftp://x"} if action == "GetDiagnostics" else {}))
            served = True
        except CallFailed as refused:
            served = False
            assert refused.code == "NotSupported"
        assert served == (profile in profiles), profile
    for key in ("AdditionalRootCertificateCheck", "CertificateSignedMaxChainSize", "SupportedFileTransferProtocols"):
        assert (csms.call("GetConfiguration", key=[key]).get("unknownKey") == [key]) == (key not in table)


def test_heartbeats_come_while_the_queue_is_stuck(station, csms):
    # trap 12, §3.7: what is not of a transaction may be delivered immediately
    csms.policy.interval = 10
    charger = station(rate=10)
    csms.policy.errors["StartTransaction"] = "InternalError"
    charger.plug()
    charger.swipe(TAG)
    csms.expect("StartTransaction")
    for _ in range(2):
        csms.expect("Heartbeat", timeout=5)
    charger.swipe("OTHER")
    csms.expect("Authorize", idTag="OTHER")
