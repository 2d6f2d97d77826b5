# interpreters: cpython
"""Private names in the image: short where that is safe, and nothing else is touched."""

import ast
from pathlib import Path

import pytest

from tools.shorten import NotShortened, shortened

ROOT = Path(__file__).resolve().parents[2]

PUMP = """\
import _thread
from micropython import const

_LIMIT = const(3)
_TABLE = {"on": 1}


def _helper(value, _scale=1):
    return value * _scale + _TABLE["on"] + _LIMIT


class Pump:
    def __init__(self, core):
        self._flow = 0; self._shared = core._io_queue
        self._by_text = getattr(self, "_asked")
        self._asked = f"{self._in_text}"
        self._in_text = self.__class__

    def _start(self):
        return _helper(self._flow, _scale=2), _thread
"""
VALVE = """\
def turn(pump):
    _here = pump._shared
    return _here
"""


def test_each_module_gets_the_same_short_names_again():
    result = shortened({"pump": PUMP, "valve": VALVE})
    assert "    _a = pump._shared\n    return _a\n" in result["valve"]
    assert "self._flow" not in result["pump"] and "_helper" not in result["pump"] and "_start" not in result["pump"]
    names = {node.attr for node in ast.walk(ast.parse(result["pump"])) if isinstance(node, ast.Attribute)}
    assert "_a" in names | set(result["pump"].replace("(", " ").split())


def test_what_has_a_meaning_elsewhere_keeps_its_name():
    text = shortened({"pump": PUMP, "valve": VALVE})["pump"]
    # another module, the platform, a text, an f-string, Python itself, the compiler
    for name in ("_shared", "_io_queue", "_thread", "_asked", "_in_text", "__class__", "__init__", "_LIMIT = const(3)"):
        assert name in text


def test_a_text_of_another_module_keeps_a_name():
    pump = "class Pump:\n    def __init__(self):\n        self._flow = self._speed = self._hidden = 0\n"
    asks = 'def ask(pump):\n    return getattr(pump, "_flow"), f"{pump._speed}"\n'
    text = shortened({"pump": pump, "asks": asks})["pump"]
    assert "_flow" in text and "_speed" in text and "_hidden" not in text


def test_what_a_module_writes_on_the_object_of_another_keeps_its_name():
    pump = "class Pump:\n    def __init__(self):\n        self._flow = 0\n"
    notes = "def note(pump):\n    pump._noted = 1\n"
    assert "pump._noted" in shortened({"pump": pump, "notes": notes})["notes"]


def test_a_class_that_derives_from_one_of_another_module_is_refused():
    with pytest.raises(NotShortened, match="Sub derives from Base"):
        shortened({"a": "class Base:\n    _x = 1\n", "b": "from a import Base\nclass Sub(Base):\n    _y = 2\n"})
    shortened({"a": "class Base(OSError):\n    _x = 1\nclass Sub(Base):\n    _y = 2\n"})


def test_the_firmware_stays_the_same_program():
    sources = {path: path.read_text() for tree in ("firmware", "lib") for path in (ROOT / tree).rglob("*.py")}
    for path, text in shortened(sources).items():
        given, got = sources[path].splitlines(), text.splitlines()
        assert len(given) == len(got)  # a traceback shows the right line
        there_and_back = {}
        for old, new in zip(_words(sources[path]), _words(text), strict=True):
            # One new name for one old one: within a module nothing becomes the same as something else.
            assert there_and_back.setdefault(old, new) == new
        assert len(set(there_and_back.values())) == len(there_and_back), path


def _words(source):
    """Returns all that is in the syntax tree as a flat list of texts."""
    words = []
    for node in ast.walk(ast.parse(source)):
        words.append(type(node).__name__)
        words += [str(value) for _, value in ast.iter_fields(node) if isinstance(value, (str, int))]
    return words
