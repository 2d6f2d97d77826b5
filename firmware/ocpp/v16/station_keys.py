"""Configuration keys whose default or range depends on this station's hardware (OCPP 1.6 §9.1)."""

from firmware.ocpp.v16.measurands import is_fitted, resolve

# Keys with a check of their own: lists of measurands (§3.16.4), and the one that names connectors
_CHECKED = "MeterValuesAlignedData MeterValuesSampledData StopTxnAlignedData StopTxnSampledData ConnectorPhaseRotation"


def fit_keys(settings, station, maintenance):
    """Declares the keys for this station, and registers a validator for lists of measurands and phase rotations.

    Without `maintenance`, FirmwareManagement is removed from the default of SupportedFeatureProfiles (§3.3).
    """
    last = len(station.connectors)
    settings.add_validator(_CHECKED, lambda name, items: _check_list(station, name, items))
    settings.declare("ConnectorPhaseRotation", default=tuple(["%d.Unknown" % n for n in range(last + 1)]))
    settings.declare("ConnectorPhaseRotationMaxLength", default=last + 1)
    if not maintenance:
        row = settings.setting("SupportedFeatureProfiles")
        settings.declare(row.name, default=tuple([item for item in row.default if item != "FirmwareManagement"]))


def _check_list(station, name, items):
    """Raises ValueError for a list with an item that is unknown or that the station does not have."""
    if name == "ConnectorPhaseRotation":
        _check_rotation(len(station.connectors), items)
    else:
        _check_measurands(station, items)


def _check_measurands(station, items):
    # §3.16.4: a list with a measurand that the station cannot measure is refused as a whole.
    readings = [station.meters.current(n) for n in range(1, len(station.connectors) + 1)]
    readings = [reading for reading in readings if reading]
    for item in items:
        try:
            resolve(item)
        except ValueError as exc:
            raise ValueError("%s: %s" % (item, exc))
        # Before the first reading it is not known what the meters measure.
        if readings and not any(is_fitted(item, reading) for reading in readings):
            raise ValueError("%s: not measured by any meter" % item)


def _check_rotation(last, items):
    numbers = [int(item.partition(".")[0]) for item in items]
    if len(set(numbers)) < len(numbers) or any(n > last for n in numbers):
        raise ValueError("unknown connector, or the same one twice")
