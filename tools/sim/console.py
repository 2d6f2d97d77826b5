"""Console of the simulated charger: typed lines to commands of the control socket, events to lines."""

import json
import shlex

HELP = """\
plug [CABLE_A]         vehicle and cable in (13, 20, 32, 63 A)     unplug
cp A..F                state of the vehicle; C: requests current
load AMPS [PHASES] [VOLTS]      current that it draws
swipe TOKEN            present a card; card UID held_ms=N flicker=true
button stop|emergency           fault NAME [off]: rcd, relay_weld, diode, ...
meter wh=N | frozen=true | fail=true | reverse=true | exception=N
temp DC|open|short     pp OHM|open|short       volts [230,230,0]
contact AUX            bolt HOW                rcd selftest=fail
net up|down            ws connect|close        device meter|reader STATE
clock rate=N | unix=N  set_key KEY VALUE       cut [next_flash_write|N]
state, reset, exit     Commands also take NAME=VALUE: plug connector=2"""

# Events that are not shown by default.
QUIET = ("led", "queue", "flash")

# Arguments that may be given without a name, in order.
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
_TEXTS = ("token", "uid", "key", "value", "parent", "vendor_code")  # always text, also if they look like numbers
_WORDS = {"on": True, "off": False, "up": True, "down": False, "true": True, "false": False}


def parse(words):
    """Returns (command, arguments) from a line or its words. Raises ValueError."""
    if isinstance(words, str):
        words = shlex.split(words)
    if not words:
        raise ValueError("no command given")
    command = _SYNONYMS.get(words[0], words[0])
    arguments, unnamed = {}, list(_POSITIONS.get(command, ()))
    for word in words[1:]:
        name, equals, text = word.partition("=")
        if not equals:
            if not unnamed:
                raise ValueError(f"{command}: unexpected argument {word}")
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
