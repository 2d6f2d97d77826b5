"""Factory file: reads and checks factory.json (board, hardware, default settings), on the board and for `make flash`.

    {"board": "esp32s3_reference", "hw": {"cable": "fixed", "max_a": 16}, "settings": {"WifiSsid": "garage"}}

Mistakes never stop the board: a wrong entry is reported and its default applies. Exception: for an unreadable current
limit 6 A applies, because the default is the maximum of the board. Used only while the station is built.
"""

import json
import os

from firmware.drivers import meter_models
from firmware.evse.limits import MIN_PILOT_MA
from firmware.ocpp.v16.measurands import MEASURANDS, resolve
from firmware.store.registry import SETTINGS
from firmware.store.settings import SettingError, Settings, to_text

DEFAULT_BOARD = "esp32s3_reference"

_LONGEST = 16_384  # maximum characters of the file
_KEYS = ("board", "hw", "settings")
_HW = ("connectors", "cable", "max_a", "phases")
_NO_BOARDS = ("__init__", "board", "contacts", "safe_pins")  # other modules of firmware/boards
_MEASURAND_LISTS = "MeterValuesAlignedData MeterValuesSampledData StopTxnAlignedData StopTxnSampledData"
_SHOWN = 24  # maximum characters of a wrong value in a message
_NOWHERE = "/nowhere/settings"  # path of the Settings that are used for checking only
_TRUE = ("1", "yes", "on", "y", "ja")
_FALSE = ("0", "no", "off", "n", "nein")


class Factory:
    """A checked factory file.

    board, layout   name of the file in firmware/boards, and its LAYOUT
    hw              {key: value} for boards.board.Board, only valid ones
    settings        {name: text}, only valid ones, with the declared spelling of the names
    mistakes        list of messages, one line each, that say what is wrong and what would be right; without secrets
    """

    def __init__(self, document=None):
        self.mistakes = []
        self.board = DEFAULT_BOARD
        self.hw = {}
        self.settings = {}
        if document is None:
            document = {}
        if not isinstance(document, dict):
            self._wrong('the file is %s, not an object: {"board": ..., "settings": {...}}', _kind(document))
            document = {}
        self._check_keys(document)
        if "board" in document:
            self._check_board(document["board"])
        self.layout = _layout(self.board)
        self._check_hw(self._object(document, "hw"))
        self._check_settings(self._object(document, "settings"))

    def _wrong(self, text, *args):
        self.mistakes.append(text % args)

    def _object(self, document, key):
        value = document.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            self._wrong("%s is %s, not an object {...}", key, _kind(value))
            return {}
        return value

    def _check_keys(self, document):
        for key in _sorted(document):
            if key in _KEYS:
                continue
            if key == "max_a" or SETTINGS.spelled(key) == "MaxCurrent":
                self._keep_current_small()
            if key in _HW:
                self._wrong('%s must be inside "hw"', key)
            elif SETTINGS.spelled(key):
                self._wrong('%s must be inside "settings"', key)
            else:
                self._wrong("unknown key %s: %s", key, _hint(key, _KEYS) or "known keys are " + ", ".join(_KEYS))

    def _check_board(self, name):
        if not isinstance(name, str):
            self._wrong("board is %s, not the name of a file in firmware/boards", _kind(name))
        elif _layout(name):
            self.board = name
        else:
            known = boards()
            self._wrong("unknown board %s: %s", _shown(name), _hint(name, known) or "known are " + ", ".join(known))
            meant = name.lower().replace("-", "_").replace(" ", "_")
            if _layout(meant):
                self.board = meant  # the meaning is clear, and the pins of the default board could be wrong

    def _check_hw(self, hw):
        layout = self.layout
        most = len(layout["connectors"])
        for key in _sorted(hw):
            value = hw[key]
            if key == "connectors":
                self._check_number(key, value, 1, most)
            elif key == "max_a":
                self._check_number(key, value, MIN_PILOT_MA // 1000, layout["max_ma"] // 1000)
            elif key == "phases":
                if self._check_number(key, value, 1, layout["phases"]) and self.hw[key] == 2:
                    del self.hw[key]
                    self._wrong("hw.phases must be 1 or 3, not 2")
            elif key == "cable":
                if value in ("socket", "fixed"):
                    self.hw[key] = value
                else:
                    self._wrong("hw.cable must be socket or fixed, not %s", _shown(value))
            else:
                self._wrong("unknown key hw.%s: %s", key, _hint(key, _HW) or "known keys are " + ", ".join(_HW))
        count = self.hw.get("connectors", layout.get("fitted", most))
        fitted = layout["connectors"][:count]
        if self.hw.get("cable") == "socket" and not all(parts.get("proximity") for parts in fitted):
            del self.hw["cable"]
            self._wrong("hw.cable must be fixed: board %s has no proximity contact for a socket", self.board)

    def _check_number(self, key, value, low, high):
        """Checks a number in hw; a number in quotation marks is reported and used."""
        whole = value
        if isinstance(value, str) and value.strip().isdigit():
            whole = int(value)
            self._wrong('hw.%s must be a number: %d, not "%d"', key, whole, whole)
        elif isinstance(value, float) and value == value and abs(value) < 1e6 and value == int(value):
            whole = int(value)
        if isinstance(whole, bool) or not isinstance(whole, int):
            self._wrong("hw.%s must be a whole number from %d to %d, not %s", key, low, high, _shown(value))
            if key == "max_a":
                self._keep_current_small()
            return False
        if not low <= whole <= high:
            text = "hw.%s of board %s must be from %d to %d, not %d" % (key, self.board, low, high, whole)
            if whole >= 1000 and low <= whole // 1000 <= high:
                text += ": did you mean %d?" % (whole // 1000)
            self._wrong("%s", text)
            if key == "max_a" and whole < low:
                self._keep_current_small()
            return False
        self.hw[key] = whole
        return True

    def _keep_current_small(self):
        """Sets MaxCurrent to 6 A: the intended limit is unknown, the cable may be too thin for the board's maximum."""
        self.settings["MaxCurrent"] = str(MIN_PILOT_MA)

    def _check_settings(self, settings):
        scratch = self._scratch()
        seen = set()
        for key in _sorted(settings):
            name = SETTINGS.spelled(key)
            if name is None:
                meant = nearest(key, [row.name for row in SETTINGS])
                hint = "did you mean %s?" % meant if meant else "see docs/settings.md"
                self._wrong("unknown setting %s: %s", key, hint)
                if meant == "MaxCurrent" and meant not in self.settings:
                    self._keep_current_small()
            elif name in seen:
                self._wrong("%s is given twice, also as %s", name, key)
            else:
                seen.add(name)
                self._check_setting(scratch, name, settings[key])
        if self.settings.get("MeterModel") == "custom" and not self.settings.get("MeterRegisters"):
            del self.settings["MeterModel"]
            self._wrong("MeterModel: custom needs MeterRegisters")

    def _check_setting(self, scratch, name, value):
        row = scratch.setting(name)
        if isinstance(value, float) and value == value and abs(value) < 1e9 and value == int(value):
            value = int(value)  # 16000.0
        listed = row.kind == "csl" and isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not listed and not isinstance(value, (str, bool, int, float)):
            self._wrong("%s: is %s, not a text: %s", name, _kind(value), _allowed(row))
            if name == "MaxCurrent":
                self._keep_current_small()
            return
        text = to_text(value)
        try:
            scratch.check(name, text)
        except SettingError as exc:
            self._wrong("%s", _told(row, text, str(exc)))
            if name == "MaxCurrent" and not _above(text, row.high):
                self._keep_current_small()
        else:
            self.settings[name] = text

    def _scratch(self):
        """Returns Settings for checking: no stored values, with the limits of this board."""
        scratch = Settings(_NOWHERE, SETTINGS)
        layout = self.layout
        scratch.declare("MaxCurrent", high=self.hw.get("max_a", 0) * 1000 or layout["max_ma"])
        if layout["phases"] == 1:
            scratch.declare("Phases", low=1, high=1)
        count = self.hw.get("connectors", layout.get("fitted", len(layout["connectors"])))
        scratch.declare("NumberOfConnectors", low=count, high=count)
        scratch.add_validator("MeterModel MeterRegisters", _check_meter)
        scratch.add_validator(_MEASURAND_LISTS, _check_measurands)
        if not all(parts.get("proximity") for parts in layout["connectors"][:count]):
            scratch.add_validator("CableFixed", _check_fixed)
        return scratch


def read(text):
    """Returns the Factory that the text of a factory file describes."""
    mistake = None
    document = None
    if text.startswith("\ufeff"):
        text = text[1:]  # byte order mark of some editors
    if len(text) > _LONGEST:
        mistake = "the file has more than %d characters" % _LONGEST
    else:
        try:
            document = json.loads(text)
            if document is None:
                mistake = "the file is null, not an object"
        except (ValueError, MemoryError, RuntimeError) as exc:
            mistake = "the file is not JSON: %s" % (exc or "too deep")
    factory = Factory(document)
    if mistake:
        factory.mistakes.append(mistake)
    return factory


def load(path):
    """Returns the Factory of the file at `path`; without a file that of an unprovisioned default board."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
    except OSError:
        return Factory()
    except ValueError:
        text = ""
    if not text.strip():
        factory = Factory()
        factory.mistakes.append("the file is empty or not UTF-8")
        return factory
    return read(text)


def boards():
    """Returns the names of all boards; [] where they are frozen into the interpreter."""
    try:
        files = os.listdir(__file__.rpartition("/")[0] + "/boards")
    except OSError:
        return []
    names = [file.partition(".")[0] for file in files if file.endswith((".py", ".mpy"))]
    return sorted(name for name in names if name not in _NO_BOARDS)


def nearest(word, known):
    """Returns the item of `known` with the spelling closest to `word`, or None."""
    word = _folded(word)
    best, least = None, max(2, len(word) // 3) + 1
    for name in known:
        folded = _folded(name)
        if abs(len(folded) - len(word)) < least:
            distance = _distance(word, folded)
            if distance < least:
                best, least = name, distance
    return best


def _sorted(document):
    return sorted([key for key in document if isinstance(key, str)])  # MicroPython's json accepts other keys, too


def _layout(name):
    """Returns the layout of a board, None for an unknown board."""
    if name in _NO_BOARDS or not name or not all(c in "abcdefghijklmnopqrstuvwxyz0123456789_" for c in name):
        return None
    module = "firmware.boards." + name
    try:
        return getattr(__import__(module, None, None, ("LAYOUT",)), "LAYOUT", None)
    except ImportError:
        return None


def _check_meter(name, text):
    if name == "MeterRegisters":
        try:
            meter_models.check(name, text)
        except ValueError as exc:
            raise ValueError("not a register map, see docs/hardware.md: %s" % exc)
    elif text not in ("", "custom"):
        known = [name for names, _ in meter_models.models() for name in names]
        if text not in known:
            hint = _hint(text, known) or "known meters are custom, " + ", ".join(known)
            raise ValueError("unknown meter %s: %s" % (_shown(text), hint))


def _check_measurands(name, items):
    """Raises ValueError for unknown measurands. What the fitted meter measures is not known here."""
    for item in items:
        try:
            resolve(item)
        except ValueError:
            raise ValueError("unknown measurand %s: %s" % (_shown(item), _hint(item, MEASURANDS) or "see docs/ocpp.md"))


def _check_fixed(name, fixed):
    if not fixed:
        raise ValueError("true: this board has no proximity contact for a socket")


def _above(text, high):
    """Returns True for a number above `high`: `high` is then used, the lower of the intended and the possible."""
    return text.isdigit() and int(text) > high


def _told(row, text, reason):
    """Returns a message in one line, without the value of a secret; `reason` begins with the setting's name."""
    if row.kind == "secret":
        return reason
    if row.kind == "bool":
        word = text.strip().lower()
        meant = "true" if word in _TRUE else "false" if word in _FALSE else None
        return reason + (", did you mean %s?" % meant if meant else "")
    if row.choices and row.kind != "int":
        hint = _hint(text, row.choices)
        return "%s, is %s%s" % (reason, _shown(text), hint and ": " + hint)
    return reason


def _allowed(row):
    if row.kind == "int":
        return "a number from %d to %d %s" % (row.low, row.high, row.unit)
    return "true or false" if row.kind == "bool" else "in quotation marks"


def _hint(word, known):
    meant = nearest(word, known)
    return "did you mean %s?" % meant if meant else ""


def _shown(value):
    if value is None:
        return "null"
    text = value if isinstance(value, str) else to_text(value) if isinstance(value, bool) else str(value)
    return '"%s"' % text[:_SHOWN] if isinstance(value, str) else text[:_SHOWN]


def _kind(value):
    """Returns the type of a JSON value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return {list: "a list", dict: "an object"}.get(type(value), "a text")


def _folded(word):
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")


def _distance(a, b):
    """Returns the edit distance between `a` and `b`."""
    before = list(range(len(b) + 1))
    for i in range(len(a)):
        row = [i + 1]
        for j in range(len(b)):
            row.append(min(before[j] + (a[i] != b[j]), before[j + 1] + 1, row[j] + 1))
        before = row
    return before[-1]
