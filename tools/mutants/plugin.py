"""Plugin for pytest: imports a mutant instead of the module, or records which test executes which lines.

Loaded with `-p tools.mutants.plugin`; `task`, which run.py sets in the process of a mutant, says which.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

task = None  # {"report": file, "files": [pattern]} to record lines, {"path": ..., "source": ...} to show a mutant


class _Mutated(importlib.machinery.SourceFileLoader):
    def __init__(self, name, path, source):
        super().__init__(name, path)
        self._text = source

    def get_code(self, fullname):
        return compile(self._text, self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    """Imports one module from another source text."""

    def __init__(self, name, path, source):
        self._name = name
        self._path = path
        self._source = source

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self._name:
            return None
        loader = _Mutated(fullname, self._path, self._source)
        places = [str(Path(self._path).parent)] if self._path.endswith("__init__.py") else None
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=loader, submodule_search_locations=places
        )


def module_name(path):
    """Returns the name under which the tests import the file `path` (relative to the root)."""
    parts = list(Path(path).with_suffix("").parts)
    if parts[0] == "lib":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Recorder:
    """Writes {test: {file: [lines]}} of the lines that every test executes, and its duration."""

    def __init__(self, report, files):
        import coverage

        self._report = report
        self._coverage = coverage.Coverage(data_file=None, include=[str(ROOT / path) for path in files])
        self._coverage.start()
        self._seconds = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._coverage.switch_context("")

    def pytest_runtest_logreport(self, report):
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self):
        self._coverage.stop()
        data = self._coverage.get_data()
        tests = {}
        for file in data.measured_files():
            name = str(Path(file).relative_to(ROOT))
            for line, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    if context:
                        tests.setdefault(context, {}).setdefault(name, []).append(line)
        Path(self._report).write_text(json.dumps({"lines": tests, "seconds": self._seconds}))


def pytest_configure(config):
    if task is None:
        return
    if "report" in task:
        config.pluginmanager.register(_Recorder(task["report"], task["files"]), "lines-of-tests")
    else:
        path = str(ROOT / task["path"])
        sys.meta_path.insert(0, _Finder(module_name(task["path"]), path, task["source"]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Keeps only the tests on CPython, which import the mutant."""
    if task is not None:
        items[:] = [item for item in items if "::micropython::" not in item.nodeid]
