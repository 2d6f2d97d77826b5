"""Lines that a person types as commands of the control socket, and events as lines to read."""

import json
import shlex

HELP = """\
plug [CABLE_A]           vehicle and cable in (13, 20, 32 or 63 A)    unplug
cp A..F                  what the vehicle shows; C: wants current     load AMPS [PHASES] [VOLTS]
swipe TOKEN              a card at the reader                         button stop|emergency
fault NAME [off]         rcd, relay_weld, overtemp, cp_short, ...     meter wh=N | add_wh=N | frozen=true | fail=true
net up|down              the network                                  ws connect|close
clock rate=N | unix=N    time                                         set_key KEY VALUE
cut [next_flash_write|N] the power                                    state, reset, exit
Any command takes NAME=VALUE too, for example: plug connector=2"""

# Names of the arguments that may be given without a name, in order.
_POSITIONS = {
    "plug": ("cable_a", "connector"),
    "unplug": ("connector",),
    "cp": ("state", "connector"),
    "load": ("amps", "phases", "volts"),
    "rfid": ("token",),
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
_TEXTS = ("token", "key", "value", "parent", "vendor_code")  # never a number, whatever they look like
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
