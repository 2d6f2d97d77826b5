"""Smart charging with the real charger: what home energy managers send ends at the pilot, and survives a power cut."""

from datetime import datetime, timezone

from charging_profiles import ocpp_profile

TAG = "04A1B2C3"


def install(csms, connector, **fields):
    answer = csms.call("SetChargingProfile", connectorId=connector, csChargingProfiles=ocpp_profile(**fields))
    return answer["status"]


def charge(charger, csms, connector=1, tag=TAG, amps=32):
    """A vehicle charges; returns the StartTransaction."""
    charger.plug(connector=connector)
    charger.swipe(tag, [connector])
    started = csms.expect("StartTransaction", idTag=tag)
    charger.draw(amps, connector=connector)
    csms.expect("StatusNotification", connectorId=connector, status="Charging")
    return started


def test_home_assistant_limits_the_whole_station(start_charger, csms):
    # what lbbrhzn/ocpp sends: ChargePointMaxProfile, connector 0, Relative, no startSchedule, the highest level, 8.0
    charger = start_charger(csms.url, rate=5)
    charger.wait_boot()
    charge(charger, csms)
    keys = csms.call("GetConfiguration", key=["ChargeProfileMaxStackLevel", "SupportedFeatureProfiles"])
    values = {item["key"]: item["value"] for item in keys["configurationKey"]}
    assert "SmartCharging" in values["SupportedFeatureProfiles"].split(",")
    level = int(values["ChargeProfileMaxStackLevel"])
    assert install(csms, 0, purpose="ChargePointMaxProfile", level=level, limit=8.0) == "Accepted"
    charger.expect("limit", connector=1, amps=8, source="station")
    charger.expect("pilot", connector=1, amps=8)
    assert csms.call("ClearChargingProfile")["status"] == "Accepted"
    charger.expect("pilot", connector=1, amps=32)
    assert csms.violations == []


def test_evcc_pauses_resumes_and_reads_back(start_charger, csms):
    # TxDefaultProfile, connector 1, Absolute, startSchedule now, no duration; then GetCompositeSchedule(60)
    charger = start_charger(csms.url, rate=5)
    charger.wait_boot()
    charge(charger, csms)
    for limit, word in ((0, "SuspendedEVSE"), (6, "Charging"), (8.2, None), (0, "SuspendedEVSE")):
        now = datetime.now(timezone.utc).isoformat()
        assert install(csms, 1, kind="Absolute", startSchedule=now, limit=limit) == "Accepted"
        answer = csms.call("GetCompositeSchedule", connectorId=1, duration=60)
        assert answer["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": limit}]
        charger.expect("limit", connector=1, amps=limit)
        if word:
            csms.expect("StatusNotification", connectorId=1, status=word)
    # MicroPython would write 8.199999999999999, which is no multiple of 0.1
    assert any('"limit":8.2' in frame.text.replace(" ", "") for frame in csms.frames if frame.direction == "in")
    assert csms.violations == [] and csms.ledger.problems == []


def test_profiles_outlive_a_power_cut_and_those_of_the_transaction_do_not(start_charger, csms):
    # errata 3.37; trap 36
    charger = start_charger(csms.url, rate=5)
    charger.wait_boot()
    started = charge(charger, csms)
    assert install(csms, 1, number=1, limit=10) == "Accepted"
    fields = {"number": 2, "purpose": "TxProfile", "transactionId": started.transaction_id, "limit": 13}
    assert install(csms, 1, **fields) == "Accepted"
    charger.expect("pilot", connector=1, amps=13)
    charger.restart()
    charger.wait_boot()
    csms.expect("StopTransaction", reason="PowerLoss")
    answer = csms.call("GetCompositeSchedule", connectorId=1, duration=60)
    assert answer["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10}]
    assert csms.call("ClearChargingProfile", id=2)["status"] == "Unknown"
    assert csms.violations == []


def test_two_connectors_never_get_more_than_the_station_has(start_charger, csms):
    # §3.13.3; trap 33
    charger = start_charger(csms.url, rate=5, config={"hw": {"connectors": 2}})
    charger.wait_boot()
    assert install(csms, 0, purpose="ChargePointMaxProfile", limit=20) == "Accepted"
    charge(charger, csms, 1, amps=10)
    assert charger.connector(1)["amps"] == 20
    charge(charger, csms, 2, "OTHER", amps=10)
    charger.wait_state(connector=2, amps=10)
    offered = {1: 0, 2: 0}
    for event in charger.events:
        if event["ev"] == "pilot":
            offered[event["connector"]] = event["amps"]
            assert sum(offered.values()) <= 20, event
    assert offered == {1: 10, 2: 10} and csms.violations == []
