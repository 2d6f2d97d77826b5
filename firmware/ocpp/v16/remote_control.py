"""RemoteStartTransaction and RemoteStopTransaction (core profile, OCPP 1.6 §5.11, §5.12)."""

import firmware.ocpp.v16 as v16
from firmware.ocpp.v16.dispatch import is_off


class RemoteControl:
    needs = ("station", "registration", "outbox", "settings", "clock", "log")

    def __init__(self, station, registration, outbox, settings, clock, log):
        self._station = station
        self._registration = registration
        self._outbox = outbox
        self._settings = settings
        self._clock = clock
        self._log = log

    def remote_start_transaction(self, payload):
        """§5.11. Rejected for connector 0, for a profile that is not a TxProfile, and while Pending (§4.2)."""
        connector = payload.get("connectorId")
        exists = connector is None or 1 <= connector <= len(self._station.connectors)
        if not self._registration.accepted or not exists:
            return _status(False)
        try:
            profile = self._tx_profile(payload.get("chargingProfile"), connector)
        except ValueError as exc:
            self._log.info("ocpp", "remote start refused: %s", exc)
            return _status(False)
        return _status(self._station.remote_start(payload["idTag"], connector, profile))

    def _tx_profile(self, data, connector):
        """Returns the composite.Profile of a remote start's ChargingProfile, None without one. Raises ValueError."""
        if data is None or is_off("SmartCharging", self._settings):
            return None  # a station without smart charging ignores it
        # Errata 3.41: the transaction has not begun, so it cannot have a transactionId.
        if data["chargingProfilePurpose"] != "TxProfile" or "transactionId" in data:
            raise ValueError("chargingProfile must be a TxProfile without transactionId")
        return v16.charging_profile(data, connector, None, self._settings, self._clock.now())

    def remote_stop_transaction(self, payload):
        """§5.12. Accepted only for a running transaction."""
        if not self._registration.accepted:
            return _status(False)
        tx = self._outbox.local_transaction(payload["transactionId"])
        return _status(tx is not None and self._station.remote_stop(tx))


def _status(accepted):
    return {"status": "Accepted" if accepted else "Rejected"}
