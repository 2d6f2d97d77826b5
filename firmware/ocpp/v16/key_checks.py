"""Judges new values of configuration keys where their declaration alone cannot (OCPP 1.6 §9.1)."""

from micropython import const

from firmware.ocpp.v16.measurands import is_fitted, resolve
from firmware.store.settings import InvalidValue, parse

# From here on a SecurityProfile demands TLS; 3 also demands a client certificate, of which there is none yet.
_TLS_PROFILE = const(2)
_HIGHEST_PROFILE = const(2)


def check_list(station, name, items):
    """Refuses a list with something that nobody knows or that the station does not have. Raises ValueError."""
    if name == "ConnectorPhaseRotation":
        _check_rotation(len(station.connectors), items)
    else:
        _check_measurands(station, items)


def _check_measurands(station, items):
    # §3.16.4: a list with anything in it that the station cannot measure is refused as a whole.
    readings = [station.readings(n) for n in range(1, len(station.connectors) + 1)]
    readings = [reading for reading in readings if reading]
    for item in items:
        try:
            resolve(item)
        except ValueError as exc:
            raise ValueError("%s: %s" % (item, exc))
        # Before the first reading nobody knows what the meters have.
        if readings and not any(is_fitted(item, reading) for reading in readings):
            raise ValueError("%s: no meter has it" % item)


def _check_rotation(last, items):
    numbers = [int(item.partition(".")[0]) for item in items]
    if len(set(numbers)) < len(numbers) or any(n > last for n in numbers):
        raise ValueError("no such connector, or one twice")


def check_security_profile(settings, row, text):
    """Lets a back-end raise SecurityProfile, only to what the link can do already (white paper A05); InvalidValue."""
    value = parse(row, text)
    if value < settings.get("SecurityProfile"):
        raise InvalidValue("SecurityProfile is never lowered by the back-end")
    missing = value > _HIGHEST_PROFILE or (value > 0 and not settings.get("AuthorizationKey"))
    if value >= _TLS_PROFILE:
        secure = settings.get("CentralSystemUrl").lower().startswith("wss:")
        missing = missing or not secure or not settings.get("CentralSystemCaFile")
    if missing:
        raise InvalidValue("SecurityProfile %d would cut the link" % value)
