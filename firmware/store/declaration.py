"""Declaration of a setting (type, range, unit, who may change it), parsed from its line in settings.txt."""

from collections import namedtuple

FIELDS = (
    "name",
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
    "private",  # True: no back-end sees it
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
    name, kind, default = words[:3]
    choices, check, low, high, private = None, None, None, None, False
    unit, needs, policy, part, who = "", "", "reject", "", "operators"
    for word in words[3:]:
        key, equals, value = word.partition("=")
        if not equals:
            if word in _WHO:
                who = word
            elif word == "clamp":
                policy = word
            elif word == "private":
                private = True
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
    default = _typed(kind, "" if default == "-" else default)
    fields = [name, kind, default, low, high, choices, unit, access, who, needs, policy, part, private, check]
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
    if kind not in ("str", "secret"):
        raise ValueError("unknown kind of setting: " + kind)
    return text
