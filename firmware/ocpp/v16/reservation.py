"""ReserveNow and CancelReservation (reservation profile, OCPP 1.6 §3.11, §5.1, §5.13)."""

from firmware.kernel.clock import parse_iso8601
from firmware.ocpp.v16.dispatch import is_off
from firmware.ocpp.v16.tokens import parent_of

_STATUS = {
    "accepted": "Accepted",
    "faulted": "Faulted",
    "occupied": "Occupied",
    "rejected": "Rejected",
    "unavailable": "Unavailable",
}


class Reservation:
    needs = ("station", "settings")

    def __init__(self, station, settings):
        self._station = station
        self._settings = settings

    def reserve_now(self, payload):
        """§5.13; Rejected for an unknown connector, an expiryDate in the past, and when the profile is switched off."""
        if is_off("Reservation", self._settings):
            return {"status": "Rejected"}
        outcome = self._station.reservations.reserve(
            payload["reservationId"],
            payload["connectorId"],
            payload["idTag"],
            parent_of(payload),
            parse_iso8601(payload["expiryDate"]),
        )
        return {"status": _STATUS[outcome]}

    def cancel_reservation(self, payload):
        """§5.1"""
        return {"status": "Accepted" if self._station.reservations.cancel(payload["reservationId"]) else "Rejected"}
