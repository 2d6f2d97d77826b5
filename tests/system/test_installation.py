"""What an installer sets about cable, phases, meter and lock, from the setting to the hardware of the real charger."""

import time

import pytest

TAG = "04A1B2C3"
KEPT = {"sim": {"keep_vehicle": True}}


def charging(charger):
    charger.wait_boot()
    charger.plug()
    charger.swipe(TAG)
    charger.draw(16)
    charger.wait_state(relay=True, status="Charging", lock=True)


def test_a_fixed_cable_is_set_and_has_no_lock(start_charger, csms):
    charger = start_charger(csms.url)
    charger.wait_boot()
    assert charger.set_key("CableFixed", "true") == "reboot"
    assert charger.set_key("Phases", "1") == "reboot"
    charger.restart().wait_boot()
    assert csms.call("UnlockConnector", connectorId=1) == {"status": "NotSupported"}
    assert "LockEarly" in csms.call("GetConfiguration", key=["LockEarly"])["unknownKey"]
    charger.plug()
    charger.swipe(TAG)
    charger.draw(16)
    connector = charger.wait_state(relay=True, status="Charging")
    assert connector["phases"] == 1 and connector["lock"] is False


def test_what_the_board_cannot_be_is_refused(start_charger):
    charger = start_charger(config={"hw": {"max_a": 16}})
    for key, value, why in (
        ("MaxCurrent", "32000", "not within 6000..16000"),
        ("MeterModel", "abacus", "unknown meter"),
        ("MeterRegisters", "input float32 3", "register map"),
        ("ReaderModel", "abacus", "not one of"),
    ):
        with pytest.raises(Exception, match=why):
            charger.set_key(key, value)


@pytest.mark.parametrize("policy", ["true", "false"])
def test_the_plug_of_a_power_cut_is_free_when_so_configured(start_charger, csms, policy):
    charger = start_charger(csms.url, keys={"UnlockAfterPowerLoss": policy}, config=KEPT)
    charging(charger)
    charger.wait_state(wh=lambda wh: wh > 5)  # a cut right after closing looks as if closing had caused it
    charger.cut()
    charger.start().wait_boot()
    csms.expect("StopTransaction", reason="PowerLoss")
    charger.wait_state(status="Preparing", lock=policy == "false", tx=None)
    if policy == "true":
        charger.swipe(TAG)
        charger.wait_state(status="Charging", lock=True, relay=True)


def test_a_plug_that_stays_is_locked_again_after_the_window(start_charger, csms):
    charger = start_charger(csms.url, keys={"UnlockWindow": "2"})
    charger.wait_boot()
    charger.plug()
    charger.wait_state(lock=True)
    began = time.monotonic()
    assert csms.call("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
    assert charger.connector()["lock"] is False
    charger.wait_state(lock=True)
    assert time.monotonic() - began > 1.5


def test_the_form_of_the_tokens_changes_at_once(charger, csms):
    charger.set_key("ReverseUIDs", "true")
    charger.swipe("04A1B2C3")
    csms.expect("Authorize", idTag="C3B2A104")
    assert charger.set_key("MeterModel", "sdm72") == "reboot"
