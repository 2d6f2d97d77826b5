"""ChangeAvailability, ClearCache, DataTransfer, Reset, UnlockConnector (core profile, OCPP 1.6 §5)."""

from firmware.charging.session import UNLOCKED

_AVAILABILITY = {"accepted": "Accepted", "scheduled": "Scheduled", "rejected": "Rejected"}
_UNLOCK = {"unlocked": "Unlocked", "failed": "UnlockFailed", "not supported": "NotSupported"}


class Core:
    needs = ("station", "vendors")

    def __init__(self, station, vendors):
        self._station = station
        self._vendors = vendors

    def change_availability(self, payload):
        """§5.2"""
        n = payload["connectorId"]
        if n != 0 and not self._is_connector(n):
            return _status(False)
        return {"status": _AVAILABILITY[self._station.availability.change(n, payload["type"] == "Operative")]}

    def clear_cache(self, payload):
        """§5.4; Rejected when the cache is off (errata 3.23)."""
        return _status(self._station.authoriser.clear_cache())

    def data_transfer(self, payload):
        """§5.6. Calls the handler in `vendors` for the vendorId (a CiString)."""
        wanted = payload["vendorId"].lower()
        for vendor, handler in self._vendors.items():
            if vendor.lower() == wanted:
                status, data = handler(payload.get("messageId"), payload.get("data"))
                return {"status": status} if data is None else {"status": status, "data": data}
        return {"status": "UnknownVendorId"}

    def reset(self, payload):
        """§5.14. After the answer the station ends its transactions and delivers what it can, then restarts."""
        hard = payload["type"] == "Hard"
        return _status(True), lambda: self._station.operation.request_reset(hard, "csms")

    async def unlock_connector(self, payload):
        """§5.18; NotSupported for a fixed cable and for an unknown connector (errata 3.87)."""
        n = payload["connectorId"]
        if not self._is_connector(n):
            return {"status": "NotSupported"}
        return {"status": _UNLOCK[await self._station.unlock(n, UNLOCKED)]}

    def _is_connector(self, n):
        return 1 <= n <= len(self._station.connectors)


def _status(accepted):
    return {"status": "Accepted" if accepted else "Rejected"}
