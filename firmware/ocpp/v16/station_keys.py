"""Configuration keys whose default or range follow from what this station is (OCPP 1.6 §9.1)."""

from firmware.kernel.borrow import borrowed

_CHECKS = "firmware.ocpp.v16.key_checks"

# Lists of measurands (§3.16.4), and what speaks of connectors
_JUDGED = "MeterValuesAlignedData MeterValuesSampledData StopTxnAlignedData StopTxnSampledData ConnectorPhaseRotation"


def fit_keys(settings, station, maintenance):
    """Declares the keys as they are for this station, and has new values of lists checked.

    A profile that nothing serves is taken from the ones that the station offers, unless the factory insists (§3.3).
    """
    last = len(station.connectors)
    settings.judge(_JUDGED, borrowed(_CHECKS, "check_list", station))
    settings.declare("ConnectorPhaseRotation", default=tuple(["%d.Unknown" % n for n in range(last + 1)]))
    settings.declare("ConnectorPhaseRotationMaxLength", default=last + 1)
    if not maintenance:
        row = settings.setting("SupportedFeatureProfiles")
        settings.declare(row.name, default=tuple([item for item in row.default if item != "FirmwareManagement"]))
