"""Core profile, calls from the back-end: OCPP 1.6 §5.2-5.4, §5.6, §5.8, §5.11, §5.12, §5.14, §5.18."""

from firmware.ocpp.errors import OCCURRENCE_VIOLATION, CallError
from firmware.ocpp.rpc import LongAnswer
from firmware.ocpp.v16.dispatch import is_off
from firmware.ocpp.v16.measurands import is_fitted, resolve
from firmware.ocpp.v16.station_keys import check_security_profile, fit_keys
from firmware.store.settings import InvalidValue, ReadOnlySetting, SettingError, parse

# Lists of measurands that a back-end may set (§3.16.4)
MEASURAND_LISTS = ("MeterValuesAlignedData", "MeterValuesSampledData", "StopTxnAlignedData", "StopTxnSampledData")

_AVAILABILITY = {"accepted": "Accepted", "scheduled": "Scheduled", "rejected": "Rejected"}
_UNLOCK = {"unlocked": "Unlocked", "failed": "UnlockFailed", "not supported": "NotSupported"}


class CoreProfile:
    """`link` is the StationLink: its registration, and its knowledge of transaction numbers."""

    def __init__(self, link, station, settings, log):
        self._link = link
        self._station = station
        self._settings = settings
        self._log = log
        fit_keys(settings, station)
        for name in MEASURAND_LISTS:
            settings.validators[name] = self._check_measurands

    # -- transactions

    def remote_start(self, payload):
        """§5.11. Connector 0 and a profile for another purpose are refused; while Pending everything is (§4.2)."""
        connector = payload.get("connectorId")
        if self._link.registration != "Accepted" or (connector is not None and not self._is_connector(connector)):
            return _status(False)
        try:
            profile = self._tx_profile(payload.get("chargingProfile"), connector)
        except ValueError as exc:
            self._log.info("ocpp", "remote start refused: %s", exc)
            return _status(False)
        return _status(self._station.remote_start(payload["idTag"], connector, profile))

    def _tx_profile(self, data, connector):
        """Returns what the ChargingProfile of a remote start says, None without one. Raises ValueError."""
        if data is None or is_off("SmartCharging", self._settings):
            return None  # a station that cannot do it ignores it
        # Errata 3.41: the transaction is not there yet, so its number cannot be.
        if data["chargingProfilePurpose"] != "TxProfile" or "transactionId" in data:
            raise ValueError("no profile for a transaction to come")
        from firmware.ocpp.v16.smart_charging import charging_profile

        return charging_profile(data, connector, None, self._settings, None)

    def remote_stop(self, payload):
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
        """§5.6. No vendor's messages are known here."""
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

    # -- configuration

    def get_configuration(self, payload):
        """§5.8. Without keys: all of them. Secrets have no value here (OCPP-J 1.6 §6.2.2)."""
        keys = payload.get("key") or []
        if len(keys) > self._settings.get("GetConfigurationMaxKeys"):
            raise CallError(OCCURRENCE_VIOLATION, "more than GetConfigurationMaxKeys")
        answer = {"configurationKey": []}
        return LongAnswer(answer, "configurationKey", self._key_values(keys, answer))

    def _key_values(self, keys, answer):
        for key in keys or self._settings.names():
            row = self._key(key)
            if row:
                yield self._key_value(row)
            elif keys:
                answer.setdefault("unknownKey", []).append(key)

    def change_configuration(self, payload):
        """§5.3. A link that has to be made anew for a new value is closed after the answer."""
        row = self._key(payload["key"])
        if row is None:
            return {"status": "NotSupported"}
        try:
            if row.name == "SecurityProfile" and row.access == "rw":
                check_security_profile(parse(row, payload["value"]), self._settings)
            needs = self._settings.set_text(row.name, payload["value"], "backend")
        except (InvalidValue, ReadOnlySetting) as exc:
            self._log.info("ocpp", "change refused: %s", exc)
            return _status(False)
        except OSError as exc:
            self._log.error("ocpp", "%s not stored: %s", row.name, exc)
            return _status(False)
        return {"status": "RebootRequired"} if needs == "reboot" else _status(True)

    def _key(self, name):
        """Returns the Setting behind a configuration key, or None: unknown, not OCPP's, or its profile is off."""
        try:
            row = self._settings.setting(name)
        except SettingError:
            return None
        return None if row.profile is None or is_off(row.profile, self._settings) else row

    def _key_value(self, row):
        key_value = {"key": row.name, "readonly": row.access == "r"}
        if row.access != "w":
            key_value["value"] = self._settings.text(row.name)
        return key_value

    def _check_measurands(self, items):
        """Refuses lists with a measurand that nobody knows or that no meter of the station has (§3.16.4)."""
        readings = [self._station.readings(n) for n in range(1, len(self._station.connectors) + 1)]
        readings = [reading for reading in readings if reading]
        for item in items:
            try:
                resolve(item)
            except ValueError as exc:
                raise InvalidValue("%s: %s" % (item, exc))
            # Before the first reading nobody knows what the meters have.
            if readings and not any(is_fitted(item, reading) for reading in readings):
                raise InvalidValue("%s: no meter has it" % item)

    def _is_connector(self, n):
        return 1 <= n <= len(self._station.connectors)

    actions = {
        "RemoteStartTransaction": remote_start,
        "RemoteStopTransaction": remote_stop,
        "ChangeAvailability": change_availability,
        "ClearCache": clear_cache,
        "DataTransfer": data_transfer,
        "Reset": reset,
        "UnlockConnector": unlock_connector,
        "GetConfiguration": get_configuration,
        "ChangeConfiguration": change_configuration,
    }


def _status(accepted):
    return {"status": "Accepted" if accepted else "Rejected"}
