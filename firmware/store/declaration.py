"""What is declared of a setting: type, range, who may change it. The declarations are in `registry`."""

from collections import namedtuple

FIELDS = (
    "name",
    "kind",  # "int", "bool", "str", "csl" (comma separated list) or "secret" (a str that is never shown)
    "default",  # typed: int, bool, str or tuple of str
    "low",  # int: smallest value
    "high",  # int: largest value; str and secret: longest text; csl: most items (None: see NAME + "MaxLength")
    "choices",  # str and csl: the allowed words; int: allowed besides low..high (0 as "off"); None: all
    "unit",
    "access",  # for the back-end: "rw", "r" or "w"
    "who",  # who may change it, of "backend", "user" and "installer", separated by blanks
    "needs",  # what a change needs to take effect: "", "reconnect" or "reboot"
    "profile",  # feature profile of an OCPP key; None: not an OCPP key
    "policy",  # value outside low..high: "reject", or "clamp" (accept, report as written, run with the limit)
    "part",  # hardware or function without which the setting does not exist; "" for none
    "check",  # function (value) -> raises ValueError, or None
    "text",
)

Setting = namedtuple("Setting", FIELDS)

ANYBODY = "backend user installer"
OPERATORS = "backend installer"
INSTALLER = "installer"
NOBODY = ""


def setting(name, kind, default, text, **declared):
    """Builds a Setting; fields that are not named get the value that most settings have."""
    who = declared.get("who", OPERATORS)
    access = "r"
    if "backend" in who:
        access = "w" if kind == "secret" else "rw"
    fields = {"access": access, "who": who, "unit": "", "needs": "", "policy": "reject", "part": ""}
    fields.update(declared)
    fields.update({"name": name, "kind": kind, "default": default, "text": text})
    return Setting(*[fields.get(field) for field in FIELDS])


def redeclared(declaration, **changes):
    """Returns a copy of a Setting with some fields changed (product personalities, fitted parts)."""
    return Setting(*[changes.get(FIELDS[i], declaration[i]) for i in range(len(FIELDS))])
