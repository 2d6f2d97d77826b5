"""The standard configuration keys of OCPP 1.6 §9, its errata and the security white paper (edition 3, §2.2)."""

from firmware.store.declaration import NOBODY, setting

_ROTATIONS = ("NotApplicable", "Unknown", "RST", "RTS", "SRT", "STR", "TRS", "TSR")
_HEX = "0123456789abcdefABCDEF"


def phase_rotation(items):
    """Checks the items of ConnectorPhaseRotation, such as `1.RST` (OCPP 1.6 §9.1.8)."""
    for item in items:
        connector, dot, rotation = item.partition(".")
        if not connector.isdigit() or rotation not in _ROTATIONS:
            raise ValueError("not a phase rotation")


def authorization_key(text):
    """Checks an AuthorizationKey: 32 to 40 hex digits, or a password of 16 to 20 printable ASCII characters."""
    if len(text) % 2 == 0 and 32 <= len(text) <= 40 and all(c in _HEX for c in text):
        return
    if not 16 <= len(text) <= 20 or not all(" " < c <= "~" for c in text):
        raise ValueError("neither 32 to 40 hex digits nor 16 to 20 characters")


def _core(name, kind, default, text, **declared):
    return setting(name, kind, default, text, profile="Core", **declared)


def _list(name, kind, default, text, **declared):
    return setting(name, kind, default, text, profile="LocalAuthListManagement", **declared)


def _smart(name, kind, default, text, **declared):
    return setting(name, kind, default, text, profile="SmartCharging", who=NOBODY, **declared)


def _security(name, kind, default, text, **declared):
    return setting(name, kind, default, text, profile="Security", **declared)


_SAMPLED = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Current.Offered",
    "Voltage",
)
_ENERGY = ("Energy.Active.Import.Register",)
_DAY = 86400

SETTINGS = (
    _core("AllowOfflineTxForUnknownId", "bool", False, "Offline, charge for tokens that are in no list or cache"),
    _core("AuthorizationCacheEnabled", "bool", True, "Remember the back-end's verdicts on tokens"),
    _core("AuthorizeRemoteTxRequests", "bool", True, "Authorise the token of a remote start like a card"),
    _core("BlinkRepeat", "int", 3, "How often the light blinks to signal", low=0, high=100, part="adjustable_light"),
    _core(
        "ClockAlignedDataInterval",
        "int",
        0,
        "Time between clock-aligned meter values, 0 = none",
        low=30,
        high=_DAY,
        choices=(0,),
        unit="s",
    ),
    _core(
        "ConnectionTimeOut",
        "int",
        60,
        "Time from authorisation to plugging in until the session is given up",
        low=0,
        high=600,
        unit="s",
    ),
    _core(
        "ConnectorPhaseRotation",
        "csl",
        ("0.Unknown", "1.Unknown"),
        "Wiring of the phases per connector, as 1.RST",
        check=phase_rotation,
    ),
    _core(
        "ConnectorPhaseRotationMaxLength", "int", 3, "Most items in ConnectorPhaseRotation", low=1, high=9, who=NOBODY
    ),
    _core("GetConfigurationMaxKeys", "int", 50, "Most keys in one GetConfiguration", low=1, high=500, who=NOBODY),
    _core(
        "HeartbeatInterval",
        "int",
        300,
        "Time of silence after which a Heartbeat is sent",
        low=10,
        high=_DAY,
        unit="s",
        policy="clamp",
    ),
    _core("LightIntensity", "int", 100, "Brightness of the light", low=0, high=100, unit="%", part="adjustable_light"),
    _core("LocalAuthorizeOffline", "bool", True, "Offline, charge for tokens in the local list or cache"),
    _core("LocalPreAuthorize", "bool", False, "Online, start at once for tokens in the local list or cache"),
    _core(
        "MaxEnergyOnInvalidId",
        "int",
        0,
        "Energy still given when the back-end refuses a started transaction",
        low=0,
        high=100_000,
        unit="Wh",
    ),
    _core("MessageTimeout", "int", 30, "Time to wait for the back-end's answer", low=1, high=600, unit="s"),
    _core("MeterValuesAlignedData", "csl", _ENERGY, "Measurands of clock-aligned meter values"),
    _core(
        "MeterValuesAlignedDataMaxLength",
        "int",
        22,
        "Most items in MeterValuesAlignedData",
        low=1,
        high=100,
        who=NOBODY,
    ),
    _core("MeterValuesSampledData", "csl", _SAMPLED, "Measurands of periodic meter values"),
    _core(
        "MeterValuesSampledDataMaxLength",
        "int",
        22,
        "Most items in MeterValuesSampledData",
        low=1,
        high=100,
        who=NOBODY,
    ),
    _core(
        "MeterValueSampleInterval",
        "int",
        60,
        "Time between periodic meter values of a transaction, 0 = none",
        low=5,
        high=65534,
        choices=(0,),
        unit="s",
    ),
    _core(
        "MinimumStatusDuration",
        "int",
        0,
        "How long a status must last before it is reported",
        low=0,
        high=3600,
        unit="s",
    ),
    _core("NumberOfConnectors", "int", 1, "Physical connectors of the station", low=1, high=8, who=NOBODY),
    _core("ResetRetries", "int", 0, "How often a failed reset is tried again", low=0, high=10),
    _core(
        "StopTransactionMaxMeterValues",
        "int",
        20,
        "Most meter values in a StopTransaction",
        low=2,
        high=100,
        who=NOBODY,
    ),
    _core("StopTransactionOnEVSideDisconnect", "bool", True, "Unplugging at the vehicle ends the transaction"),
    _core("StopTransactionOnInvalidId", "bool", True, "A token refused after the start ends the transaction"),
    _core("StopTxnAlignedData", "csl", (), "Measurands of clock-aligned values in StopTransaction"),
    _core("StopTxnAlignedDataMaxLength", "int", 22, "Most items in StopTxnAlignedData", low=1, high=100, who=NOBODY),
    _core("StopTxnSampledData", "csl", _ENERGY, "Measurands of periodic values in StopTransaction"),
    _core("StopTxnSampledDataMaxLength", "int", 22, "Most items in StopTxnSampledData", low=1, high=100, who=NOBODY),
    _core(
        "SupportedFeatureProfiles",
        "csl",
        ("Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging", "RemoteTrigger"),
        "Feature profiles of OCPP 1.6 that this station offers",
        who=NOBODY,
    ),
    _core(
        "SupportedFeatureProfilesMaxLength",
        "int",
        6,
        "Most items in SupportedFeatureProfiles",
        low=1,
        high=20,
        who=NOBODY,
    ),
    _core(
        "TransactionMessageAttempts",
        "int",
        10,
        "How often a transaction message is sent that the back-end cannot process",
        low=1,
        high=1000,
    ),
    _core(
        "TransactionMessageRetryInterval",
        "int",
        10,
        "Wait per preceding attempt before it is sent again",
        low=0,
        high=_DAY,
        unit="s",
    ),
    _core(
        "UnlockConnectorOnEVSideDisconnect",
        "bool",
        True,
        "Unplugging at the vehicle unlocks the cable here",
    ),
    _core(
        "WebSocketPingInterval",
        "int",
        60,
        "Time between WebSocket pings, 0 = none",
        low=10,
        high=65535,
        choices=(0,),
        unit="s",
    ),
    setting(
        "SupportedFileTransferProtocols",
        "csl",
        ("FTP", "HTTP", "HTTPS"),
        "How files can be fetched and sent",
        profile="FirmwareManagement",
        who=NOBODY,
    ),
    _list("LocalAuthListEnabled", "bool", True, "Use the list of tokens that the back-end has sent"),
    _list("LocalAuthListMaxLength", "int", 10_000, "Most tokens in the local list", low=1, high=100_000, who=NOBODY),
    _list("SendLocalListMaxLength", "int", 700, "Most tokens in one SendLocalList", low=1, high=100_000, who=NOBODY),
    setting(
        "ReserveConnectorZeroSupported",
        "bool",
        True,
        "A reservation may leave the connector open",
        profile="Reservation",
        who=NOBODY,
    ),
    _smart("ChargeProfileMaxStackLevel", "int", 16, "Highest stack level of a charging profile", low=0, high=100),
    _smart(
        "ChargingScheduleAllowedChargingRateUnit",
        "csl",
        ("Current", "Power"),
        "Units that a schedule may use",
        choices=("Current", "Power"),
    ),
    _smart("ChargingScheduleMaxPeriods", "int", 25, "Most periods in a charging schedule", low=1, high=100),
    _smart(
        "ConnectorSwitch3to1PhaseSupported",
        "bool",
        True,
        "The station can charge a three-phase vehicle on one phase",
        part="phase_switch",
    ),
    _smart("MaxChargingProfilesInstalled", "int", 16, "Most charging profiles at a time", low=1, high=100),
    _security(
        "AuthorizationKey",
        "secret",
        "",
        "Password of the station at the back-end",
        high=40,
        needs="reconnect",
        check=authorization_key,
    ),
    _security(
        "SecurityProfile",
        "int",
        0,
        "0 plain, 1 password, 2 TLS and password, 3 TLS and client certificate",
        low=0,
        high=3,
        needs="reconnect",
    ),
    _security("CpoName", "str", "", "Organisation in certificate signing requests", high=50),
    _security(
        "CertificateSignedMaxChainSize",
        "int",
        10_000,
        "Longest certificate chain in CertificateSigned",
        low=1,
        high=10_000,
        unit="characters",
        who=NOBODY,
        part="certificates",
    ),
    _security(
        "CertificateStoreMaxLength",
        "int",
        10,
        "Most root certificates in the store",
        low=1,
        high=100,
        who=NOBODY,
        part="certificates",
    ),
    _security(
        "AdditionalRootCertificateCheck",
        "bool",
        False,
        "A new back-end root must be signed by the old one",
        who=NOBODY,
        part="certificates",
    ),
)
