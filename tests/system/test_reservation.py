"""Reservations with the real charger: kept for one user, also over a power cut (OCPP 1.6 §5.13, trap 26)."""

import time
from datetime import datetime, timedelta, timezone

TAG = "04A1B2C3"
STRANGER = "DEADBEEF"


def reserve(csms, connector=1, seconds=600, number=5):
    expiry = (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()
    return csms.call("ReserveNow", connectorId=connector, reservationId=number, idTag=TAG, expiryDate=expiry)["status"]


def test_a_reservation_outlives_a_power_cut_and_ends_with_its_transaction(charger, csms):
    assert reserve(csms) == "Accepted"
    csms.expect("StatusNotification", connectorId=1, status="Reserved")
    charger.restart()
    charger.wait_boot()
    csms.expect("StatusNotification", connectorId=1, status="Reserved")
    charger.plug()
    charger.swipe(STRANGER)
    assert csms.call("RemoteStartTransaction", connectorId=1, idTag=STRANGER)["status"] == "Rejected"
    csms.expect_none("StartTransaction", within=1)
    charger.swipe(TAG)
    csms.expect("StatusNotification", connectorId=1, status="Preparing")
    assert csms.expect("StartTransaction")["reservationId"] == 5
    charger.draw(16)
    csms.expect("StatusNotification", connectorId=1, status="Charging")
    assert csms.call("CancelReservation", reservationId=5)["status"] == "Rejected"
    assert csms.violations == [] and csms.ledger.problems == []


def test_an_expired_reservation_is_told(charger, csms):
    began = time.time()
    assert reserve(csms, 0, seconds=3) == "Accepted"
    csms.expect("StatusNotification", connectorId=1, status="Reserved")
    csms.expect("StatusNotification", connectorId=1, status="Available")
    assert time.time() - began > 1
    assert csms.violations == []
