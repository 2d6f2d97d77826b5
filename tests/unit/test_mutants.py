# interpreters: cpython
"""The mutants themselves: each differs from the firmware in one place, compiles, and has a name that lasts."""

import ast
from pathlib import Path

from tools.mutants import __main__ as command
from tools.mutants.mutate import mutants
from tools.mutants.plugin import ROOT, module_name

_SOURCE = '''"""Text."""

LIMIT_MS = 5_000


def step(self, ma):
    """Docstring."""
    self._log.info("step %d", ma)
    if not self.on and ma >= 6_000:
        self.drive("ü", ma + 1)
        self.ma = ma
    return ma is None
'''


def changes():
    return {(m.kind, m.old, m.new) for m in mutants("firmware/x.py", _SOURCE)}


def test_every_kind_of_mistake_is_made():
    found = changes()
    for change in (
        ("constant", "5_000", "10000"),
        ("constant", "1", "2"),
        ("comparison", ">=", ">"),
        ("comparison", "is", "is not"),
        ("logic", "and", "or"),
        ("logic", "not ", ""),
        ("arithmetic", "+", "-"),
        ("condition", "not self.on and ma >= 6_000", "True"),
        ("removal", 'self.drive("ü", ma + 1)', "pass"),
        ("removal", "self.ma = ma", "pass"),
    ):
        assert change in found, change


def test_neither_log_lines_nor_docstrings_are_changed():
    assert not [old for _, old, _ in changes() if "info" in old or "Docstring" in old]


def test_each_mutant_of_the_firmware_compiles_and_differs():
    path = "firmware/evse/machine.py"
    source = (ROOT / path).read_text()
    found = mutants(path, source)
    assert len(found) > 200
    for mutant in found:
        changed = mutant.apply(source)
        assert changed != source
        ast.parse(changed)


def test_keys_name_one_mutant_each():
    pairs = command.find(["firmware/evse/machine.py"])
    names = command.keys(pairs)
    assert len(set(names.values())) == len(pairs)


def test_each_known_equivalent_exists_and_has_a_reason():
    known = command.equivalent()
    names = set(command.keys(command.find(sorted({key.partition("|")[0] for key in known}))).values())
    assert not set(known) - names
    assert all(len(reason) > 10 for reason in known.values())


def test_the_supervision_is_mutated_as_a_whole():
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "firmware/evse").glob("*.py")]
    assert "machine.py" in {Path(file).name for file in files if command.whole(file)}
    assert any("supervision" in file for file in files if command.whole(file))


def test_what_is_executed_by_an_import_is_known():
    source = "X = 1\n\n\nclass _A:\n    y = 2\n\n    def f(self):\n        self.z = 3\n\n    class B:\n        v = 4\n"
    found = {mutant.old: mutant.in_class_body for mutant in mutants("x.py", source)}
    assert found == {"1": False, "2": True, "self.z = 3": False, "3": False, "4": True}


def test_modules_are_named_as_they_are_imported():
    assert module_name("firmware/evse/machine.py") == "firmware.evse.machine"
    assert module_name("lib/flashlog/__init__.py") == "flashlog"
