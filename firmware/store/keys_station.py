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
        "File with the CA certificates to trust with wss: PEM, or one in DER",
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
    setting(
        "LargeMessageBytes",
        "int",
        8192,
        "Size above which a message of the back-end is kept in flash and read piece by piece",
        low=1024,
        high=65536,
        unit="B",
        who=INSTALLER,
        needs="reconnect",
    ),
    setting(
        "MaxMessageBytes",
        "int",
        2_097_152,
        "Size above which a message of the back-end ends the link (WebSocket close code 1009)",
        low=65536,
        high=8_388_608,
        unit="B",
        who=INSTALLER,
        needs="reconnect",
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
    setting(
        "MeterModel",
        "str",
        "",
        "Kind of the energy meters, by name, or custom; empty: that of the board",
        high=32,
        who=INSTALLER,
        needs="reboot",
    ),
    setting(
        "MeterRegisters",
        "str",
        "",
        "Register map of the meter custom (see `drivers.meter_custom`)",
        high=255,
        who=INSTALLER,
        needs="reboot",
    ),
    setting(
        "MeterUnit",
        "int",
        0,
        "Modbus unit of the first connector's meter, 0: that of the board",
        low=0,
        high=247,
        who=INSTALLER,
        needs="reboot",
    ),
    setting(
        "MeterBaudrate",
        "int",
        0,
        "Speed of the meters' line, 0: that of the board",
        low=1_200,
        high=115_200,
        choices=(0,),
        unit="Bd",
        who=INSTALLER,
        needs="reboot",
    ),
    setting(
        "PilotCalibration",
        "str",
        "",
        "Two points uV:mV uV:mV of each pilot, divided by semicolons; empty: nominal",
        high=80,
        who=INSTALLER,
    ),
    setting("VentilationFitted", "bool", False, "Vehicles that need ventilation may charge", who=INSTALLER),
    setting("WakeUp", "bool", True, "Wake up a vehicle that does not take what it is offered", profile=_VENDOR),
    setting(
        "DeratingStart",
        "int",
        60,
        "Temperature of the outlet above which the current falls",
        low=30,
        high=80,
        unit="C",
        who=INSTALLER,
    ),
    setting(
        "DeratingEnd",
        "int",
        60,
        "Temperature of the outlet at which it has fallen to 6 A",
        low=30,
        high=80,
        unit="C",
        who=INSTALLER,
    ),
    setting(
        "MaxImbalance",
        "int",
        0,
        "Difference of the phases' currents from which 20 A are the limit, 0: any is right",
        low=0,
        high=80_000,
        unit="mA",
        who=INSTALLER,
    ),
    setting("ShortenUIDs", "bool", False, "Use the first four bytes of a card only", profile=_VENDOR, who=INSTALLER),
    setting("ReverseUIDs", "bool", False, "Use the bytes of a card in reverse order", profile=_VENDOR, who=INSTALLER),
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
