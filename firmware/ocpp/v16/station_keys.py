"""Configuration keys whose default or range depends on this station's hardware (OCPP 1.6 §9.1)."""

from firmware.ocpp.v16.measurands import is_fitted, resolve

# Lists of measurands (§3.16.4), and what speaks of connectors
_JUDGED = "MeterValuesAlignedData MeterValuesSampledData StopTxnAlignedData StopTxnSampledData ConnectorPhaseRotation"


def fit_keys(settings, station, maintenance):
    """Declares the keys as they are for this station, and has new values of lists checked.

    A profile that nothing serves is taken from the ones that the station offers, unless the factory insists (§3.3).
    """
    last = len(station.connectors)
    settings.judge(_JUDGED, lambda name, items: _check_list(station, name, items))
    settings.declare("ConnectorPhaseRotation", default=tuple(["%d.Unknown" % n for n in range(last + 1)]))
    settings.declare("ConnectorPhaseRotationMaxLength", default=last + 1)
    if not maintenance:
        row = settings.setting("SupportedFeatureProfiles")
        settings.declare(row.name, default=tuple([item for item in row.default if item != "FirmwareManagement"]))


def _check_list(station, name, items):
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
