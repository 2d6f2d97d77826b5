"""Core profile, what the back-end wants from the station: OCPP 1.6 §5.2, §5.4, §5.6, §5.11, §5.12, §5.14, §5.18."""

import firmware.ocpp.v16 as v16
from firmware.ocpp.v16.dispatch import is_off

_AVAILABILITY = {"accepted": "Accepted", "scheduled": "Scheduled", "rejected": "Rejected"}
_UNLOCK = {"unlocked": "Unlocked", "failed": "UnlockFailed", "not supported": "NotSupported"}


class Core:
    """`link` is the StationLink: its registration, and its knowledge of transaction numbers."""

    def __init__(self, link):
        self._link = link
        self._station = link.station

    # -- transactions

    def remote_start_transaction(self, payload):
        """§5.11. Connector 0 and a profile for another purpose are refused; while Pending everything is (§4.2)."""
        connector = payload.get("connectorId")
        if self._link.registration != "Accepted" or (connector is not None and not self._is_connector(connector)):
            return _status(False)
        try:
            profile = self._tx_profile(payload.get("chargingProfile"), connector)
        except ValueError as exc:
            self._link.log.info("ocpp", "remote start refused: %s", exc)
            return _status(False)
        return _status(self._station.remote_start(payload["idTag"], connector, profile))

    def _tx_profile(self, data, connector):
        """Returns what the ChargingProfile of a remote start says, None without one. Raises ValueError."""
        if data is None or is_off("SmartCharging", self._link.settings):
            return None  # a station that cannot do it ignores it
        # Errata 3.41: the transaction is not there yet, so its number cannot be.
        if data["chargingProfilePurpose"] != "TxProfile" or "transactionId" in data:
            raise ValueError("no profile for a transaction to come")
        return v16.charging_profile(data, connector, None, self._link.settings, self._link.clock.now())

    def remote_stop_transaction(self, payload):
        """§5.12. Accepted only for a transaction that is going on."""
        if self._link.registration != "Accepted":
            return _status(False)
        tx = self._link.local_transaction(payload["transactionId"])
        return _status(tx is not None and self._station.remote_stop(tx))

    # -- the station

    def change_availability(self, payload):
        """§5.2"""
        n = payload["connectorId"]
        if n != 0 and not self._is_connector(n):
            return _status(False)
        return {"status": _AVAILABILITY[self._station.change_availability(n, payload["type"] == "Operative")]}

    def clear_cache(self, payload):
        """§5.4; Rejected when there is no cache (errata 3.23)."""
        return _status(self._station.clear_cache())

    def data_transfer(self, payload):
        """§5.6. Answered by the handler that `link.vendors` has for the vendorId, a CiString."""
        wanted = payload["vendorId"].lower()
        for vendor, handler in self._link.vendors.items():
            if vendor.lower() == wanted:
                status, data = handler(payload.get("messageId"), payload.get("data"))
                return {"status": status} if data is None else {"status": status, "data": data}
        return {"status": "UnknownVendorId"}

    def reset(self, payload):
        """§5.14. The answer goes first; the station then ends its transactions and the link delivers what it can."""
        hard = payload["type"] == "Hard"
        return _status(True), lambda: self._station.request_reset(hard, "csms")

    async def unlock_connector(self, payload):
        """§5.18; NotSupported for a fixed cable and for an unknown connector (errata 3.87)."""
        n = payload["connectorId"]
        if not self._is_connector(n):
            return {"status": "NotSupported"}
        return {"status": _UNLOCK[await self._station.unlock(n)]}

    def _is_connector(self, n):
        return 1 <= n <= len(self._station.connectors)


def _status(accepted):
    return {"status": "Accepted" if accepted else "Rejected"}
