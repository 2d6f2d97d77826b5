"""Our own settings, in the style of the standard keys. Those with a profile are OCPP keys too."""

from firmware.store.declaration import ANYBODY, INSTALLER, NOBODY, setting

_VENDOR = "Vendor"


def backend_url(text):
    """Checks CentralSystemUrl; the station appends "/" and ChargePointId to it (OCPP-J 1.6 §3.1.1)."""
    if text and not text.lower().startswith(("ws://", "wss://")):
        raise ValueError("not a ws:// or wss:// address")


SETTINGS = (
    # The link to the back-end
    setting(
        "CentralSystemUrl",
        "str",
        "",
        "Address of the back-end, without the identity of the station",
        high=255,
        who=INSTALLER,
        needs="reconnect",
        check=backend_url,
    ),
    setting(
        "ChargePointId", "str", "", "Identity of the station at the back-end", high=48, who=INSTALLER, needs="reconnect"
    ),
    setting(
        "CentralSystemCaFile",
        "str",
        "",
        "File with the CA certificates that the back-end's must come from (PEM, or one in DER), for wss",
        high=255,
        who=INSTALLER,
        needs="reconnect",
    ),
    setting(
        "ReconnectMin", "int", 5, "First wait before the link is tried again", low=0, high=600, unit="s", who=INSTALLER
    ),
    setting(
        "ReconnectMax",
        "int",
        120,
        "Longest wait before the link is tried again",
        low=1,
        high=3600,
        unit="s",
        who=INSTALLER,
    ),
    setting(
        "ReconnectJitter", "int", 10, "Most random time added to the wait", low=0, high=600, unit="s", who=INSTALLER
    ),
    # Who we are (OCPP 1.6 §6.1, BootNotification)
    setting("ChargePointVendor", "str", "micropython-wallbox", "Vendor of the station", high=20, who=NOBODY),
    setting("ChargePointModel", "str", "Reference", "Model of the station", high=20, who=NOBODY),
    setting("ChargePointSerialNumber", "str", "", "Serial number of the station", high=25, who=NOBODY),
    setting("ChargeBoxSerialNumber", "str", "", "Serial number of the box inside the station", high=25, who=NOBODY),
    setting("FirmwareVersion", "str", "", "Version of the firmware", high=50, who=NOBODY),
    setting("MeterType", "str", "", "Type of the main meter", high=25, who=NOBODY),
    setting("MeterSerialNumber", "str", "", "Serial number of the main meter", high=25, who=NOBODY),
    # The installation
    setting("CableFixed", "bool", False, "The cable is fixed to the station", who=INSTALLER, needs="reboot"),
    setting(
        "MaxCurrent",
        "int",
        32_000,
        "Largest current per phase of the supply",
        low=6_000,
        high=80_000,
        unit="mA",
        who=INSTALLER,
    ),
    setting(
        "Phases", "int", 3, "Phases of the supply, 1 or 3", low=3, high=3, choices=(1,), who=INSTALLER, needs="reboot"
    ),
    # Use
    setting(
        "LockEarly",
        "bool",
        True,
        "Lock the plug when it is put in, not when charging is allowed",
        profile=_VENDOR,
        who=ANYBODY,
        part="lock",
    ),
    setting("FreevendEnabled", "bool", False, "Charge without asking for a token", profile=_VENDOR, who=ANYBODY),
    setting(
        "FreevendIdTag",
        "str",
        "",
        "Token of sessions nobody identified for; empty: the serial number",
        profile=_VENDOR,
        high=20,
    ),
    setting(
        "ReswipeGuard",
        "int",
        0,
        "Time after a start in which the same card does not stop it",
        low=0,
        high=600,
        unit="s",
        profile=_VENDOR,
    ),
    setting(
        "LocalAuthListFullMaxLength",
        "int",
        9_000,
        "Most tokens in one SendLocalList of type Full",
        low=1,
        high=100_000,
        profile=_VENDOR,
        who=NOBODY,
    ),
    # Durability
    setting(
        "JournalBatch",
        "int",
        20,
        "Meter values that are written to flash together; a power cut loses at most these",
        low=1,
        high=100,
        profile=_VENDOR,
        who=INSTALLER,
    ),
    setting(
        "JournalBatchSeconds",
        "int",
        1200,
        "Longest time a meter value waits before it is written to flash",
        low=10,
        high=3600,
        unit="s",
        profile=_VENDOR,
        who=INSTALLER,
    ),
    setting(
        "RunningStateInterval",
        "int",
        120,
        "Time between savings of the energy of a running transaction",
        low=5,
        high=3600,
        unit="s",
        profile=_VENDOR,
        who=INSTALLER,
    ),
    setting(
        "LogLevel",
        "str",
        "info",
        "Smallest severity that is logged",
        high=7,
        choices=("debug", "info", "warning", "error"),
        profile=_VENDOR,
    ),
    # Network of the board
    setting("WifiSsid", "str", "", "Name of the wireless network", high=32, who="user installer", needs="reboot"),
    setting(
        "WifiPassword", "secret", "", "Password of the wireless network", high=63, who="user installer", needs="reboot"
    ),
)
