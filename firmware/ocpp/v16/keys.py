"""The configuration keys of OCPP 1.6 §9, its errata and the security white paper (edition 3, §2.2)."""

# Feature profile -> the settings that are its keys, each between blanks
_KEYS = {
    "Core": (
        " AllowOfflineTxForUnknownId AuthorizationCacheEnabled AuthorizeRemoteTxRequests BlinkRepeat "
        "ClockAlignedDataInterval ConnectionTimeOut ConnectorPhaseRotation ConnectorPhaseRotationMaxLength "
        "GetConfigurationMaxKeys HeartbeatInterval LightIntensity LocalAuthorizeOffline LocalPreAuthorize "
        "MaxEnergyOnInvalidId MessageTimeout MeterValuesAlignedData MeterValuesAlignedDataMaxLength "
        "MeterValuesSampledData MeterValuesSampledDataMaxLength MeterValueSampleInterval "
        "MinimumStatusDuration NumberOfConnectors ResetRetries StopTransactionMaxMeterValues "
        "StopTransactionOnEVSideDisconnect StopTransactionOnInvalidId StopTxnAlignedData "
        "StopTxnAlignedDataMaxLength StopTxnSampledData StopTxnSampledDataMaxLength SupportedFeatureProfiles "
        "SupportedFeatureProfilesMaxLength TransactionMessageAttempts TransactionMessageRetryInterval "
        "UnlockConnectorOnEVSideDisconnect WebSocketPingInterval "
    ),
    "FirmwareManagement": " SupportedFileTransferProtocols ",
    "LocalAuthListManagement": " LocalAuthListEnabled LocalAuthListMaxLength SendLocalListMaxLength ",
    "Reservation": " ReserveConnectorZeroSupported ",
    "SmartCharging": (
        " ChargeProfileMaxStackLevel ChargingScheduleAllowedChargingRateUnit ChargingScheduleMaxPeriods "
        "ConnectorSwitch3to1PhaseSupported MaxChargingProfilesInstalled "
    ),
    "Security": (
        " AuthorizationKey SecurityProfile CpoName CertificateSignedMaxChainSize CertificateStoreMaxLength "
        "AdditionalRootCertificateCheck "
    ),
}

OWN = "Vendor"  # the profile of keys that no specification has


def profile_of(row):
    """Returns the feature profile of a declaration.Setting, None where it is no key. One that is in no list is OWN."""
    if row.private:
        return None
    name = " %s " % row.name
    for profile, names in _KEYS.items():
        if name in names:
            return profile
    return OWN
