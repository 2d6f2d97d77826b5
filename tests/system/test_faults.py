"""Faults, buttons and restarts through the real process: what the back-end hears, and what the contactor does."""

import pytest
from test_session import TAG, clean, start_session


def notified(csms, **fields):
    return csms.expect("StatusNotification", **fields)


def test_stop_button_ends_the_session_locally(charger, csms):
    start = start_session(charger, csms)
    charger.button("stop")
    charger.wait_state(amps=0)
    charger.cp("B")
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
    assert stop.get("reason", "Local") == "Local"
    notified(csms, connectorId=1, status="Finishing")
    assert charger.connector()["relay"] is False and clean(csms) == []


def test_emergency_stop_opens_and_holds_until_the_vehicle_has_gone(charger, csms):
    start = start_session(charger, csms)
    charger.button("emergency", on=True)
    charger.wait_state(relay=False, timeout=1)
    report = notified(csms, connectorId=1, status="Faulted")
    assert (report["errorCode"], report["vendorErrorCode"]) == ("OtherError", "EVSE EMERGENCY_STOP")
    stop = csms.expect("StopTransaction", transactionId=start.transaction_id)
    assert stop["reason"] == "EmergencyStop"
    charger.button("emergency", on=False)
    charger.unplug()
    notified(csms, connectorId=1, status="Available")
    assert clean(csms) == []


@pytest.mark.parametrize(
    "fault, status, error, vendor",
    [
        ("rcd", "Faulted", "GroundFailure", "EVSE F3"),
        ("overtemp", "Faulted", "HighTemperature", "EVSE F10"),
        ("cp_short", "SuspendedEVSE", "EVCommunicationError", "EVSE F8"),
        ("diode", "SuspendedEVSE", "EVCommunicationError", "EVSE F8"),
        ("relay_open", "Faulted", "PowerSwitchFailure", "EVSE F11"),
    ],
)
def test_a_fault_while_charging(charger, csms, fault, status, error, vendor):
    start_session(charger, csms)
    charger.fault(fault)
    charger.wait_state(relay=False, timeout=2)
    report = notified(csms, connectorId=1, status=status, errorCode=error, timeout=5)
    assert report["vendorErrorCode"] == vendor and report["info"]
    assert clean(csms) == []


def test_a_restart_by_the_watchdog_is_reported(charger, csms):
    notified(csms, connectorId=1, status="Available")
    charger.command("reset")
    assert charger.wait_exit() == 66
    charger.restart()
    report = notified(csms, connectorId=0, errorCode="InternalError", timeout=15)
    assert (report["status"], report["vendorErrorCode"]) == ("Available", "EVSE WATCHDOG")


def test_two_vehicles_share_the_supply(csms, start_charger):
    """The installation's limit is that of both connectors, and the second vehicle's current comes after the first
    one has followed its smaller share."""
    config = {"hw": {"connectors": 2, "max_a": 20}}
    charger = start_charger(csms.url, rate=5, config=config)
    charger.wait_boot()
    start_session(charger, csms, amps=10)
    assert charger.connector()["amps"] == 20
    charger.plug(connector=2)
    charger.swipe(TAG[:-1] + "9")
    charger.wait_state(connector=2, amps=10, timeout=10)
    assert charger.connector()["amps"] == 10
