"""The tables of docs/settings.md, from the registry of settings."""

from firmware.ocpp.v16.keys import OWN, profile_of
from firmware.store.registry import SETTINGS

_WHO = {"backend": "back-end", "user": "user", "installer": "installer"}


def value(setting):
    """Returns the default as a person reads it."""
    if setting.kind == "bool":
        return "true" if setting.default else "false"
    if setting.kind == "csl":
        return ", ".join(setting.default) or "(empty)"
    return str(setting.default) or "(empty)"


def allowed(setting):
    """Returns the range of a setting in words."""
    if setting.kind == "bool":
        return "true, false"
    if setting.kind == "int":
        text = f"{setting.low} to {setting.high}"
        if setting.choices:
            text = ", ".join(str(choice) for choice in setting.choices) + " or " + text
        return text + (", clamped" if setting.policy == "clamp" else "")
    if setting.choices:
        return ", ".join(setting.choices)
    return f"up to {setting.high} characters" if setting.high and setting.kind != "csl" else ""


def texts():
    """Returns {name: what the setting is, in words}."""
    return {name: text for name, text, _ in SETTINGS.texts()}


def _own():
    what = texts()
    yield "| setting | what | default | range | unit | changed by | needs |"
    yield "|---|---|---|---|---|---|---|"
    for setting in SETTINGS:
        if profile_of(setting) in (None, OWN):
            who = ", ".join(_WHO[word] for word in setting.who.split()) or "the product"
            yield (
                f"| {setting.name} | {what[setting.name]} | {value(setting)} | {allowed(setting)} | {setting.unit} "
                f"| {who} | {setting.needs} |"
            )


def _aliases():
    yield "| spelling | setting |"
    yield "|---|---|"
    spellings = [(also, name) for name, _, spellings in SETTINGS.texts() for also in spellings]
    for also, name in sorted(spellings):
        yield f"| {also} | {name} |"


PAGE = "settings.md"
TABLES = {"own": _own, "aliases": _aliases}
