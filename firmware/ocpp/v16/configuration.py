"""Core profile, the configuration: OCPP 1.6 §5.3, §5.8. What the keys mean is declared in the station's settings."""

from firmware.kernel.borrow import borrowed
from firmware.ocpp.errors import OCCURRENCE_VIOLATION, CallError
from firmware.ocpp.rpc import LongAnswer
from firmware.ocpp.v16.dispatch import is_off
from firmware.store.settings import InvalidValue, ReadOnlySetting, SettingError


class FeatureProfile:
    def __init__(self, link):
        self._settings = link.settings
        self._log = link.log

    def get_configuration(self, payload):
        """§5.8. Without keys: all of them. Secrets have no value here (OCPP-J 1.6 §6.2.2)."""
        keys = payload.get("key") or []
        if len(keys) > self._settings.get("GetConfigurationMaxKeys"):
            raise CallError(OCCURRENCE_VIOLATION, "more than GetConfigurationMaxKeys")
        answer = {"configurationKey": []}
        return LongAnswer(answer, "configurationKey", lambda: self._key_values(keys, answer))

    def _key_values(self, keys, answer):
        for key in keys or self._settings.names():
            row = self._key(key)
            if row:
                yield self._key_value(row)
            elif keys:
                answer.setdefault("unknownKey", []).append(key)

    def _key_value(self, row):
        key_value = {"key": row.name, "readonly": row.access == "r"}
        if row.access != "w":
            key_value["value"] = self._settings.text(row.name)
        return key_value

    def change_configuration(self, payload):
        """§5.3. A link that has to be made anew for a new value is closed after the answer."""
        row = self._key(payload["key"])
        if row is None:
            return {"status": "NotSupported"}
        status = "Rejected"
        try:
            if row.name == "SecurityProfile" and row.access == "rw":
                check = borrowed("firmware.ocpp.v16.key_checks", "check_security_profile", self._settings, row)
                check(payload["value"])
            needs = self._settings.set_text(row.name, payload["value"], "backend")
            status = "RebootRequired" if needs == "reboot" else "Accepted"
        except (InvalidValue, ReadOnlySetting) as exc:
            self._log.info("ocpp", "change refused: %s", exc)
        except OSError as exc:
            self._log.error("ocpp", "%s not stored: %s", row.name, exc)
        return {"status": status}

    def _key(self, name):
        """Returns the Setting behind a configuration key, or None: unknown, not OCPP's, or its profile is off."""
        try:
            row = self._settings.setting(name)
        except SettingError:
            return None
        return None if row.profile is None or is_off(row.profile, self._settings) else row
