"""Lines that a person types as commands of the control socket, and events as lines to read."""

import json
import shlex

HELP = """\
plug [CABLE_A]         vehicle and cable in (13, 20, 32, 63 A)     unplug
cp A..F                what the vehicle shows; C: wants current
load AMPS [PHASES] [VOLTS]      what it draws then
swipe TOKEN            a card at the reader; card UID held_ms=N flicker=true
button stop|emergency           fault NAME [off]: rcd, relay_weld, diode, ...
meter wh=N | frozen=true | fail=true | reverse=true | exception=N
temp DC|open|short     pp OHM|open|short       volts [230,230,0]
contact AUX            bolt HOW                rcd selftest=fail
net up|down            ws connect|close        device meter|reader STATE
clock rate=N | unix=N  set_key KEY VALUE       cut [next_flash_write|N]
state, reset, exit     Any command takes NAME=VALUE too: plug connector=2"""

# Events that say little to a person.
QUIET = ("led", "queue", "flash")

# Names of the arguments that may be given without a name, in order.
_POSITIONS = {
    "plug": ("cable_a", "connector"),
    "unplug": ("connector",),
    "cp": ("state", "connector"),
    "load": ("amps", "phases", "volts"),
    "rfid": ("token",),
    "card": ("uid", "held_ms"),
    "temp": ("dc", "connector"),
    "pp": ("ohm", "connector"),
    "volts": ("volts", "connector"),
    "contact": ("aux", "connector"),
    "bolt": ("bolt", "connector"),
    "rcd": ("selftest", "connector"),
    "device": ("name", "state"),
    "power": ("cause",),
    "button": ("name", "connector"),
    "fault": ("name", "on"),
    "net": ("up",),
    "ws": ("action",),
    "set_key": ("key", "value"),
    "auth_cache": ("token", "status"),
    "cut": ("at",),
    "log": ("level",),
}
_SYNONYMS = {"swipe": "rfid"}
_TEXTS = ("token", "uid", "key", "value", "parent", "vendor_code")  # never a number, whatever they look like
_WORDS = {"on": True, "off": False, "up": True, "down": False, "true": True, "false": False}


def parse(words):
    """Returns (command, arguments) of the words of a line, or of the line. Raises ValueError."""
    if isinstance(words, str):
        words = shlex.split(words)
    if not words:
        raise ValueError("which command?")
    command = _SYNONYMS.get(words[0], words[0])
    arguments, unnamed = {}, list(_POSITIONS.get(command, ()))
    for word in words[1:]:
        name, equals, text = word.partition("=")
        if not equals:
            if not unnamed:
                raise ValueError(f"{command}: what is {word}?")
            name, text = unnamed.pop(0), word
        arguments[name] = _value(name, text)
    return command, arguments


def _value(name, text):
    if name in _TEXTS:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text


def line(event):
    """Returns an event as a line for a person."""
    fields = {key: value for key, value in event.items() if key not in ("ev", "t") and value is not None}
    text = " ".join(f"{key}={value}" for key, value in sorted(fields.items()))
    return f"{event['t'] / 1000:9.2f} s  {event['ev']:<7} {text}"
