"""Makes one pytest run execute tests/unit on CPython and on the MicroPython unix port.

A file there becomes two collectors: pytest's own and `FILE::micropython`, with one item for each test function. All
selected items of a file run in one MicroPython process. `# interpreters: micropython` or `# interpreters: cpython` in
the head of a file restricts it.
"""

import ast
import asyncio
import inspect
import linecache
import os
import re
import subprocess
from pathlib import Path

import pytest

from tools.sim.charger import interpreter

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "tests" / "unit"
HEAP = "heapsize=16M"
TIMEOUT_S = 300  # of one file's process: 25 s of computing, on a machine that others use as well

_MARK = "\x1e"
_FRAME = re.compile(r'^  File "([^"]+)", line (\d+), in .*$', re.MULTILINE)


def interpreters(path):
    """Returns the names of the interpreters on which a test file runs."""
    for line in path.read_text().splitlines()[:5]:
        if line.startswith("# interpreters:"):
            return set(line.partition(":")[2].replace(",", " ").split())
    return {"cpython", "micropython"}


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    collectors = yield
    if file_path.parent == UNIT and file_path.match("test_*.py"):
        names = interpreters(file_path)
        if "cpython" not in names:
            collectors = []
        if "micropython" in names:
            collectors.append(MicroPythonFile.from_parent(parent, path=file_path))
    return collectors


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs async test functions; their fixtures, if any, are those of pytest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


class MicroPythonFile(pytest.File):
    def collect(self):
        yield MicroPythonTests.from_parent(self, name="micropython")


class MicroPythonTests(pytest.Collector):
    """The test functions of one file, found without importing it: it may need modules that CPython has not."""

    _outcomes = None

    def collect(self):
        for node in ast.parse(self.path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
                yield MicroPythonItem.from_parent(self, name=node.name, line=node.lineno - 1)

    def outcome(self, name):
        if self._outcomes is None:
            self._outcomes = run_file(self.path, [item.name for item in self.session.items if item.parent is self])
        return self._outcomes[name]


class MicroPythonItem(pytest.Item):
    def __init__(self, line, **kwargs):
        super().__init__(**kwargs)
        self._line = line

    def runtest(self):
        failure, output = self.parent.outcome(self.name)
        if output:
            self.add_report_section("call", "stdout", output)
        if failure:
            raise MicroPythonError(failure)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, MicroPythonError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, self._line, f"micropython::{self.name}"


class MicroPythonError(Exception):
    """A test failed on MicroPython; the text is its traceback."""


def run_file(path, names):
    """Runs tests of a file in one process; returns {name: (failure text or None, what it printed)}."""
    search = [".frozen", str(ROOT), str(ROOT / "lib"), str(UNIT)]
    command = [*interpreter(), "-X", HEAP, ROOT / "tests" / "micropython_runner.py", path.stem, *names]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": os.pathsep.join(search)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
        )
        output, end = done.stdout, f"the process ended with code {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        output, end = expired.stdout or b"", f"the process was killed after {TIMEOUT_S} s"
    return outcomes(output.decode(errors="replace"), end, names)


def outcomes(text, end, names):
    """Reads the runner's report; a test that has begun and not ended failed, and so did those after it."""
    preamble, *parts = text.split(_MARK)
    results, printed, running = {}, {}, None
    for part in parts:
        head, _, rest = part.partition("\n")
        word, *args = head.split()
        if word == "start":
            running = args[0]
            printed[running] = rest
        elif word == "failed" and args[0] == "import":
            return dict.fromkeys(names, ("import failed\n" + with_source(rest), preamble))
        elif word in ("passed", "failed"):
            results[running] = (with_source(rest) if word == "failed" else None, printed[running])
            running = None
    for name in names:
        where = f" in {running}" if running else ""
        results.setdefault(name, (f"{end}{where}", printed.get(name, preamble)))
    return results


def with_source(traceback):
    """Adds the source lines that MicroPython's traceback lacks."""

    def frame(match):
        line = linecache.getline(match[1], int(match[2])).strip()
        return f"{match[0]}\n    {line}" if line else match[0]

    return _FRAME.sub(frame, traceback).rstrip()
