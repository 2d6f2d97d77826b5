# interpreters: cpython
"""How a run on MicroPython becomes pytest items, above all when it does not end well."""

import importlib.util
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]

spec = importlib.util.spec_from_file_location("wallbox_conftest", TESTS / "conftest.py")
plugin = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plugin)


def run(tmp_path, source):
    path = TESTS / "unit" / f"_items_{tmp_path.name}.py"
    path.write_text(source)
    try:
        names = [line.split()[1].partition("(")[0] for line in source.splitlines() if line.startswith("def test")]
        return plugin.run_file(path, names)
    finally:
        path.unlink()


def test_passed_failed_and_printed(tmp_path):
    results = run(tmp_path, "def test_a():\n    print('hello')\n\ndef test_b():\n    assert 1 == 2\n")
    assert results["test_a"] == (None, "hello\n")
    failure, _ = results["test_b"]
    assert "AssertionError" in failure and "assert 1 == 2" in failure


def test_a_process_that_dies_fails_this_test_and_those_after_it(tmp_path):
    source = "import sys\n\ndef test_a():\n    pass\n\ndef test_b():\n    sys.exit(3)\n\ndef test_c():\n    pass\n"
    results = run(tmp_path, source)
    assert results["test_a"][0] is None
    assert results["test_b"][0] == results["test_c"][0] == "the process ended with code 3 in test_b"


def test_a_process_that_hangs_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(plugin, "TIMEOUT_S", 1)
    results = run(tmp_path, "def test_a():\n    while True:\n        pass\n")
    assert results["test_a"][0] == "the process was killed after 1 s in test_a"


def test_a_file_that_cannot_be_imported_fails_as_a_whole(tmp_path):
    results = run(tmp_path, "import dataclasses\n\ndef test_a():\n    pass\n\ndef test_b():\n    pass\n")
    assert all("ImportError" in failure for failure, _ in results.values()) and len(results) == 2


def test_the_head_of_a_file_restricts_the_interpreters(tmp_path):
    path = tmp_path / "test_x.py"
    for text, expected in (
        ("# interpreters: micropython\n", {"micropython"}),
        ('"""Doc."""\n# interpreters: cpython\n', {"cpython"}),
        ('"""Doc."""\n', {"cpython", "micropython"}),
    ):
        path.write_text(text)
        assert plugin.interpreters(path) == expected
