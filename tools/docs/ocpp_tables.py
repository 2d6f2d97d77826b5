"""The conformance tables of docs/ocpp.md: messages and keys of OCPP 1.6, what is supported and where it is tested."""

import importlib
import json
from pathlib import Path

import ocpp

from firmware.ocpp.v16.dispatch import PROFILE_OF
from firmware.store.registry import SETTINGS
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


def _answered():
    """Returns the actions that some profile class of firmware/ocpp/v16 answers."""
    actions = set()
    for path in (ROOT / "firmware" / "ocpp" / "v16").glob("*.py"):
        module = importlib.import_module(f"firmware.ocpp.v16.{path.stem}")
        for item in vars(module).values():
            if isinstance(item, type) and isinstance(vars(item).get("actions"), dict):
                actions.update(item.actions)
    return actions


def _sent():
    """Returns the messages that the firmware sends: their names stand as strings in the code that sends them."""
    folder = ROOT / "firmware" / "ocpp"
    # These two speak of messages without sending any.
    code = "".join(p.read_text() for p in folder.rglob("*.py") if p.name not in ("dispatch.py", "remote_trigger.py"))
    return {action for action in _SENT if f'"{action}"' in code}


def _tests():
    """Returns {message: names of the test files that speak of it}."""
    texts = {path.name: path.read_text() for path in sorted((ROOT / "tests").rglob("test_ocpp*.py"))}
    messages = [*PROFILE_OF, *_SENT]
    return {message: [name for name, text in texts.items() if f'"{message}"' in text] for message in messages}


def _messages():
    answered, sent, tests = _answered(), _sent(), _tests()
    rows = [(profile, action, "received", action in answered) for action, profile in PROFILE_OF.items()]
    rows += [(profile, action, "sent", action in sent) for action, profile in _SENT.items()]
    yield "| profile | message | | supported | tests |"
    yield "|---|---|---|---|---|"
    for profile, action, direction, supported in sorted(rows, key=lambda row: (_ORDER.index(row[0]), row[1])):
        names = ", ".join(tests[action]) if supported else ""
        yield f"| {profile} | {action} | {direction} | {'yes' if supported else 'no'} | {names} |"


def _keys():
    what = texts()
    yield "| profile | key | access | default | range | unit | what |"
    yield "|---|---|---|---|---|---|---|"
    for setting in SETTINGS:
        if setting.profile not in (None, "Vendor"):
            yield (
                f"| {setting.profile} | {setting.name} | {setting.access} | {value(setting)} | {allowed(setting)} "
                f"| {setting.unit} | {what[setting.name]} |"
            )


def known_messages():
    """Returns the names of all 1.6 messages that have a schema, for the check that the tables leave none out."""
    folder = Path(ocpp.__file__).parent / "v16" / "schemas"
    names = {path.stem for path in folder.glob("*.json") if json.loads(path.read_text())}
    return {name for name in names if not name.endswith("Response")}


PAGE = "ocpp.md"
TABLES = {"messages": _messages, "traps": ocpp_traps.table, "keys": _keys}
