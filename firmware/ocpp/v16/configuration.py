"""GetConfiguration and ChangeConfiguration (core profile, OCPP 1.6 §5.3, §5.8). The keys are declared as settings."""

from micropython import const

from firmware.ocpp.errors import OCCURRENCE_VIOLATION, CallError
from firmware.ocpp.protocol import LongAnswer
from firmware.ocpp.v16.dispatch import is_off
from firmware.ocpp.v16.keys import profile_of
from firmware.store.settings import InvalidValue, ReadOnlySetting, SettingError
from firmware.store.values import parse

# Lowest SecurityProfile with TLS; 3 also needs a client certificate, which is not supported yet.
_TLS_PROFILE = const(2)
_HIGHEST_PROFILE = const(2)


class Configuration:
    needs = ("settings", "log")

    def __init__(self, settings, log):
        self._settings = settings
        self._log = log

    def get_configuration(self, payload):
        """§5.8. Returns all keys if none are named. Secrets are listed without value (OCPP-J 1.6 §6.2.2)."""
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
        """§5.3. Reconnects after the answer if the new value needs it."""
        row = self._key(payload["key"])
        if row is None:
            return {"status": "NotSupported"}
        status = "Rejected"
        try:
            if row.name == "SecurityProfile" and row.access == "rw":
                _check_security_profile(self._settings, row, payload["value"])
            needs = self._settings.set_text(row.name, payload["value"], "backend")
            status = "RebootRequired" if needs == "reboot" else "Accepted"
        except (InvalidValue, ReadOnlySetting) as exc:
            self._log.info("ocpp", "change refused: %s", exc)
        except OSError as exc:
            self._log.error("ocpp", "%s not stored: %s", row.name, exc)
        return {"status": status}

    def _key(self, name):
        """Returns the Setting of a configuration key; None: unknown, not an OCPP key, or its profile is off."""
        try:
            row = self._settings.setting(name)
        except SettingError:
            return None
        profile = profile_of(row)
        return None if profile is None or is_off(profile, self._settings) else row


def _check_security_profile(settings, row, text):
    """Raises InvalidValue unless the back-end raises SecurityProfile to what the link supports (white paper A05)."""
    value = parse(row, text)
    if value < settings.get("SecurityProfile"):
        raise InvalidValue("SecurityProfile cannot be lowered by the back-end")
    missing = value > _HIGHEST_PROFILE or (value > 0 and not settings.get("AuthorizationKey"))
    if value >= _TLS_PROFILE:
        secure = settings.get("CentralSystemUrl").lower().startswith("wss:")
        missing = missing or not secure or not settings.get("CentralSystemCaFile")
    if missing:
        raise InvalidValue("SecurityProfile %d is not possible with the present settings" % value)
