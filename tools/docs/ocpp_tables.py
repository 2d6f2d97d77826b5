"""The conformance tables of docs/ocpp.md: messages and keys of OCPP 1.6, what is supported and where it is tested."""

import json
from pathlib import Path

import ocpp

from firmware.ocpp import v16
from firmware.ocpp.v16.dispatch import ACTIONS, is_off, method_name
from firmware.ocpp.v16.keys import OWN, profile_of
from firmware.ocpp.v16.station_keys import fit_keys
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings
from tools.docs import ocpp_traps
from tools.docs.pages import ROOT
from tools.docs.settings_tables import allowed, texts, value

# Messages that only the charge point sends, by feature profile.
_SENT = {
    "Authorize": "Core",
    "BootNotification": "Core",
    "Heartbeat": "Core",
    "MeterValues": "Core",
    "StartTransaction": "Core",
    "StatusNotification": "Core",
    "StopTransaction": "Core",
    "DiagnosticsStatusNotification": "FirmwareManagement",
    "FirmwareStatusNotification": "FirmwareManagement",
    "LogStatusNotification": "Security",
    "SecurityEventNotification": "Security",
    "SignCertificate": "Security",
    "SignedFirmwareStatusNotification": "Security",
}
_ORDER = (
    "Core",
    "LocalAuthListManagement",
    "RemoteTrigger",
    "Reservation",
    "SmartCharging",
    "FirmwareManagement",
    "Security",
)


def received():
    """Returns {action that a back-end may call: (feature profile, class that answers it, None for none)}."""
    return {action: (profile, name) for profile, name, actions in ACTIONS for action in actions}


def _answered():
    """Returns the actions that some profile of firmware/ocpp/v16 answers."""
    answered = {action: name for action, (_, name) in received().items() if name}
    for action, name in answered.items():
        if not callable(getattr(getattr(v16, name), method_name(action), None)):
            raise LookupError(f"{name} does not answer {action}")
    return set(answered)


def _sent():
    """Returns the messages that the firmware sends: their names stand as strings in the code that sends them."""
    folder = ROOT / "firmware" / "ocpp"
    # This one speaks of messages without sending any.
    code = "".join(p.read_text() for p in folder.rglob("*.py") if p.name != "remote_trigger.py")
    return {action for action in _SENT if f'"{action}"' in code}


def _tests():
    """Returns {message: names of the test files that speak of it}."""
    texts = {path.name: path.read_text() for path in sorted((ROOT / "tests").rglob("test_ocpp*.py"))}
    messages = [*received(), *_SENT]
    return {message: [name for name, text in texts.items() if f'"{message}"' in text] for message in messages}


class _Station:
    """What fit_keys() asks of a station: the one that the tables describe has one connector."""

    connectors = (None,)


def station_settings():
    """Returns the Settings of a station as it is built, with every part that some board has."""
    settings = Settings(str(ROOT / "build" / "no settings"), SETTINGS)
    boards = "".join(path.read_text() for path in (ROOT / "firmware" / "boards").glob("*.py"))
    parts = {setting.part for setting in SETTINGS if setting.part}
    settings.fit([part for part in parts if f'"{part}"' in boards])
    fit_keys(settings, _Station, None)
    return settings


def keys():
    """Yields the declaration.Setting of each standard key that GetConfiguration of such a station answers."""
    settings = station_settings()
    for name in settings.names():
        setting = settings.setting(name)
        if profile_of(setting) not in (None, OWN) and not is_off(profile_of(setting), settings):
            yield setting


def _messages():
    answered, sent, tests = _answered(), _sent(), _tests()
    settings = station_settings()
    rows = [(profile, action, "received", action in answered) for action, (profile, _) in received().items()]
    rows += [(profile, action, "sent", action in sent) for action, profile in _SENT.items()]
    rows = [(profile, *row, supported and not is_off(profile, settings)) for profile, *row, supported in rows]
    yield "| profile | message | | supported | tests |"
    yield "|---|---|---|---|---|"
    for profile, action, direction, supported in sorted(rows, key=lambda row: (_ORDER.index(row[0]), row[1])):
        names = ", ".join(tests[action]) if supported else ""
        yield f"| {profile} | {action} | {direction} | {'yes' if supported else 'no'} | {names} |"


def _keys():
    what = texts()
    yield "| profile | key | access | default | range | unit | needs | what |"
    yield "|---|---|---|---|---|---|---|---|"
    for setting in keys():
        yield (
            f"| {profile_of(setting)} | {setting.name} | {setting.access} | {value(setting)} | {allowed(setting)} "
            f"| {setting.unit} | {setting.part.replace('_', ' ')} | {what[setting.name]} |"
        )


def known_messages():
    """Returns the names of all 1.6 messages that have a schema, for the check that the tables leave none out."""
    folder = Path(ocpp.__file__).parent / "v16" / "schemas"
    names = {path.stem for path in folder.glob("*.json") if json.loads(path.read_text())}
    return {name for name in names if not name.endswith("Response")}


PAGE = "ocpp.md"
TABLES = {"messages": _messages, "traps": ocpp_traps.table, "keys": _keys}
