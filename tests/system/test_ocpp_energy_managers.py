"""Home energy managers: what Home Assistant and evcc really send is taken, and does what the person meant."""

import pytest
from waiting import until

from tools.csms.moments import iso8601
from tools.sim import Charger

TAG = "04A1B2C3"


@pytest.fixture
def charger(csms):
    with Charger(csms.url, rate=10) as charger:
        charger.wait_boot()
        csms.expect("StatusNotification", connectorId=1)
        yield charger


def offered(charger, amps, timeout=5):
    """Waits until the pilot offers so much."""
    until(lambda: abs(charger.connector()["amps"] - amps) <= 0.3, timeout, charger.connector)


def value_of(csms, key):
    (entry,) = csms.call("GetConfiguration", key=[key])["configurationKey"]
    return entry["value"]


def charging(csms, charger):
    charger.plug()
    charger.swipe(TAG)
    started = csms.expect("StartTransaction")
    charger.draw(16)
    csms.expect("StatusNotification", status="Charging")
    return started.transaction_id


def test_home_assistant(csms, charger):
    # ocpp_peers: ChargePointMaxProfile for connector 0, Relative, no startSchedule, at the highest stack level
    profiles = value_of(csms, "SupportedFeatureProfiles")
    assert "SmartCharging" in profiles and "RemoteTrigger" in profiles
    assert "Current" in value_of(csms, "ChargingScheduleAllowedChargingRateUnit")
    assert value_of(csms, "NumberOfConnectors") == "1"
    assert csms.call("ChangeConfiguration", key="WebSocketPingInterval", value="60")["status"] == "Accepted"
    for message in ("StatusNotification", "MeterValues"):
        assert csms.call("TriggerMessage", requestedMessage=message, connectorId=1)["status"] == "Accepted"
        csms.expect(message)
    assert csms.call("TriggerMessage", requestedMessage="BootNotification")["status"] == "Rejected"
    level = int(value_of(csms, "ChargeProfileMaxStackLevel"))
    charging(csms, charger)
    offered(charger, 32)

    def limit(amps, purpose="ChargePointMaxProfile", stack_level=level, connector=0):
        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}]}
        profile = {
            "chargingProfileId": 8 + connector,
            "stackLevel": stack_level,
            "chargingProfileKind": "Relative",
            "chargingProfilePurpose": purpose,
            "chargingSchedule": schedule,
        }
        return csms.call("SetChargingProfile", connectorId=connector, csChargingProfiles=profile)["status"]

    assert limit(8.0) == "Accepted"
    offered(charger, 8)
    assert limit(0) == "Accepted"
    csms.expect("StatusNotification", status="SuspendedEVSE")
    assert limit(16.0) == "Accepted"
    offered(charger, 16)
    csms.expect("StatusNotification", status="Charging")
    assert limit(10.0, "TxDefaultProfile", level - 1, 1) == "Accepted"  # what it tries after a Rejected
    assert csms.call("ClearChargingProfile", chargingProfilePurpose="ChargePointMaxProfile")["status"] == "Accepted"
    assert csms.call("RemoteStopTransaction", transactionId=1)["status"] == "Accepted"
    csms.expect("StopTransaction", reason="Remote")
    assert csms.violations == []


def test_evcc(csms, charger):
    # ocpp_peers: TxDefaultProfile, Absolute from now without duration; 0 pauses; the composite schedule is compared
    for key, value in (
        ("MeterValuesSampledData", "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"),
        ("MeterValueSampleInterval", "10"),
        ("WebSocketPingInterval", "30"),
    ):
        assert csms.call("ChangeConfiguration", key=key, value=value)["status"] == "Accepted"

    def enable(amps):
        schedule = {
            "startSchedule": iso8601(charger.state()["time"]),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}],
        }
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": schedule,
        }
        answer = csms.call("SetChargingProfile", connectorId=1, csChargingProfiles=profile)
        assert answer["status"] == "Accepted"
        composite = csms.call("GetCompositeSchedule", connectorId=1, duration=60, chargingRateUnit="A")
        assert composite["status"] == "Accepted"
        periods = composite["chargingSchedule"]["chargingSchedulePeriod"]
        assert (periods[0]["startPeriod"], periods[0]["limit"]) == (0, amps)

    enable(0)  # before anybody charges: the vehicle comes and has to wait for the sun
    charger.plug()
    charger.swipe(TAG)
    csms.expect("StartTransaction")
    csms.expect("StatusNotification", status="SuspendedEVSE")
    charger.draw(16)
    assert not charger.connector()["relay"]
    enable(6)
    csms.expect("StatusNotification", status="Charging")
    offered(charger, 6)
    enable(16)
    offered(charger, 16)
    sample = csms.expect("MeterValues")
    assert {v["measurand"] for v in sample["meterValue"][0]["sampledValue"]} >= {"Power.Active.Import", "Voltage"}
    enable(0)
    csms.expect("StatusNotification", status="SuspendedEVSE")
    enable(10)
    csms.expect("StatusNotification", status="Charging")  # no dead end after a pause
    for message in ("MeterValues", "StatusNotification"):
        assert csms.call("TriggerMessage", requestedMessage=message, connectorId=1)["status"] == "Accepted"
        csms.expect(message)
    charger.swipe(TAG)
    csms.expect("StopTransaction")
    csms.expect("StatusNotification", status="Finishing")
    # The plug stays in and the next session begins from there.
    assert csms.call("RemoteStartTransaction", idTag=TAG, connectorId=1)["status"] == "Accepted"
    csms.expect("StartTransaction")
    csms.expect("StatusNotification", status="Charging")
    assert csms.violations == [] and csms.ledger.problems == []


def test_meter_values_come_on_trigger_without_a_transaction(csms, charger):
    # go-e, lbbrhzn: managers that poll want the register of an idle station, too
    assert csms.call("TriggerMessage", requestedMessage="MeterValues", connectorId=1)["status"] == "Accepted"
    values = csms.expect("MeterValues", connectorId=1)
    assert "transactionId" not in values.payload
    assert csms.violations == []


def test_a_manager_that_was_restarted_gets_the_boot_that_it_asks_for(csms, charger):
    # trap 8, evcc PR #25069: reconnecting is no boot, but who asks afterwards gets one, and then all statuses
    csms.expect("BootNotification")
    csms.abort()
    csms.wait_connected()
    csms.expect_none("BootNotification", within=0.3)
    assert csms.call("TriggerMessage", requestedMessage="BootNotification")["status"] == "Accepted"
    csms.expect("BootNotification")
    csms.expect("StatusNotification", connectorId=1)
    assert csms.violations == []
