"""Declaration of a setting (type, range, unit, who may change it), parsed from its line in settings.txt."""

from collections import namedtuple

FIELDS = (
    "name",
    "profile",  # feature profile of an OCPP key; None: not an OCPP key
    "kind",  # "int", "bool", "str", "csl" (comma separated list) or "secret" (a str that is never shown)
    "default",  # typed: int, bool, str or tuple of str
    "low",  # int: minimum
    "high",  # int: maximum; str, secret: maximum length; csl: maximum items (None: setting NAME + "MaxLength")
    "choices",  # str and csl: the allowed words; int: allowed besides low..high (0 as "off"); None: all
    "unit",
    "access",  # for the back-end: "rw", "r" or "w"
    "who",  # who may change it, of "backend", "user" and "installer", separated by blanks
    "needs",  # what a change needs to take effect: "", "reconnect" or "reboot"
    "policy",  # value outside low..high: "reject", or "clamp" (accept, report as written, run with the limit)
    "part",  # hardware or function without which the setting does not exist; "" for none
    "check",  # name of the function of values.py that a new value must pass, or None
)

Setting = namedtuple("Setting", FIELDS)

_WHO = {
    "operators": "backend installer",
    "anybody": "backend user installer",
    "installer": "installer",
    "local": "user installer",
    "fixed": "",
}


def setting(line):
    """Returns the Setting declared by a line of settings.txt (without its text). Raises ValueError, KeyError."""
    words = line.split()
    name, profile, kind, default = words[:4]
    choices, check, low, high = None, None, None, None
    unit, needs, policy, part, who = "", "", "reject", "", "operators"
    for word in words[4:]:
        key, equals, value = word.partition("=")
        if not equals:
            if word in _WHO:
                who = word
            elif word == "clamp":
                policy = word
            elif word in ("reconnect", "reboot"):
                needs = word
            else:
                low, _, high = word.partition("..")
                low, high = int(low or 0), int(high)
        elif key == "unit":
            unit = value
        elif key == "part":
            part = value
        elif key == "or":
            choices = _typed("csl", value)
            if kind == "int":
                choices = tuple(int(choice) for choice in choices)
        elif key == "check":
            check = value
        elif key != "also":  # a misspelling, used by the registry
            raise ValueError("unknown word in a declaration: " + key)
    who = _WHO[who]
    access = "r"
    if "backend" in who:
        access = "w" if kind == "secret" else "rw"
    profile = None if profile == "-" else profile
    default = _typed(kind, "" if default == "-" else default)
    fields = [name, profile, kind, default, low, high, choices, unit, access, who, needs, policy, part, check]
    return Setting(*fields)


def redeclared(declaration, changes):
    """Returns a copy of a Setting with the fields {field: value} changed (product personalities, fitted parts)."""
    return Setting(*[changes.get(FIELDS[i], declaration[i]) for i in range(len(FIELDS))])


def _typed(kind, text):
    if kind == "int":
        return int(text)
    if kind == "bool":
        return text == "true"
    if kind == "csl":
        return tuple(text.split(",")) if text else ()
    return text
