"""Configuration keys whose default, access or range follow from what this station is (OCPP 1.6 §9.1)."""

from micropython import const

from firmware.store.settings import InvalidValue

# From here on a SecurityProfile demands TLS; 3 also demands a client certificate, of which there is none yet.
_TLS_PROFILE = const(2)
_HIGHEST_PROFILE = const(2)


def fit_keys(settings, station):
    """Declares the keys as they are for the connectors of `station`, and how their new values are checked."""
    last = len(station.connectors)
    unknown = tuple("%d.Unknown" % n for n in range(last + 1))
    settings.declare("ConnectorPhaseRotation", default=unknown)
    settings.declare("ConnectorPhaseRotationMaxLength", default=last + 1)
    settings.validators["ConnectorPhaseRotation"] = lambda items: _check_rotation(items, last)


def check_security_profile(value, settings):
    """Lets a back-end raise SecurityProfile, only to what the link can do already (white paper A05); InvalidValue."""
    if value < settings.get("SecurityProfile"):
        raise InvalidValue("SecurityProfile is never lowered by the back-end")
    missing = value > _HIGHEST_PROFILE or (value > 0 and not settings.get("AuthorizationKey"))
    if value >= _TLS_PROFILE:
        secure = settings.get("CentralSystemUrl").lower().startswith("wss:")
        missing = missing or not secure or not settings.get("CentralSystemCaFile")
    if missing:
        raise InvalidValue("SecurityProfile %d would cut the link" % value)


def _check_rotation(items, last):
    numbers = [int(item.partition(".")[0]) for item in items]
    if len(set(numbers)) < len(numbers) or any(n > last for n in numbers):
        raise InvalidValue("ConnectorPhaseRotation: no such connector, or one twice")
