"""Runs mutants against the tests that execute the changed line, in parallel.

Each mutant gets a process of its own, forked from one that has loaded pytest and what the tests need of the host.
"""

import hashlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import coverage  # noqa: F401 (here and below: loaded once, before the forks)
import hypothesis  # noqa: F401
import pytest

from tools.mutants import plugin
from tools.mutants.plugin import ROOT

# Without property tests, fault matrix and soak test, which take minutes.
_TOO_LONG = ("test_fault_matrix.py", "test_soak.py")
_TESTS = [path for path in sorted((ROOT / "tests" / "unit").glob("test_*.py")) if path.name not in _TOO_LONG]
_FILES = [str(path.relative_to(ROOT)) for path in _TESTS]
_OPTIONS = ["-q", "--no-header", "-p", "tools.mutants.plugin", "-p", "no:xdist", "-p", "no:cacheprovider", "--tb=line"]
_MEMORY = 4 << 30  # limit for mutants that allocate without end
_AT_LEAST_S = 60  # a hanging mutant is killed after this time plus a multiple of the duration of its tests
_AT_MOST_S = 40  # limit for the tests of one mutant; the slowest are left out
_POLL_S = 0.05


def _forked(task, arguments, timeout=None):
    """Runs pytest in a fork. Returns (exit code, output); the code is None when it took longer than `timeout` s."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        log = Path(folder) / "log.txt"
        child = os.fork()
        if child == 0:
            _child(task, [*_OPTIONS, f"--basetemp={folder}/base", *arguments], log)
        end = timeout and time.monotonic() + timeout
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")
            if end and time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return None, ""
            time.sleep(_POLL_S)


def _child(task, arguments, log):
    code = 99
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        file = os.open(log, os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.chdir(ROOT)
        sys.dont_write_bytecode = True
        plugin.task = task
        code = int(pytest.main(arguments))
    finally:
        os._exit(code)


class Suite:
    """The tests on CPython, with the lines of the firmware that each executes."""

    def __init__(self, jobs):
        recorded = _recorded(jobs)
        self._lines = {
            test: {file: set(lines) for file, lines in where.items()} for test, where in recorded["lines"].items()
        }
        self._seconds = recorded["seconds"]

    def tests_for(self, mutant):
        """Returns the tests to run for a mutant, the most likely and fastest first."""
        stem = Path(mutant.path).stem
        files = [(test, where[mutant.path]) for test, where in self._lines.items() if mutant.path in where]
        found = [test for test, lines in files if mutant.line in lines]
        if mutant.where == "module" or mutant.in_class_body:
            # No test executes an import, and one that looks at a constant executes no line of the file at all.
            names = {test.partition("::")[0] for test, _ in files}
            found = found or [test for test in self._seconds if test.partition("::")[0] in names]
        chosen, total = [], 0
        for test in sorted(found, key=lambda test: (stem not in test.partition("::")[0], self._seconds.get(test, 0))):
            total += self._seconds.get(test, 0)
            if chosen and total > _AT_MOST_S:
                break
            chosen.append(test)
        return chosen

    def verdict(self, mutant, source):
        """Returns "killed", "timeout", "survived" or "no test"."""
        tests = self.tests_for(mutant)
        if not tests:
            return "no test"
        limit = _AT_LEAST_S + 5 * sum(self._seconds.get(test, 0) for test in tests)
        code, _ = _forked({"path": mutant.path, "source": mutant.apply(source)}, ["-x", *tests], limit)
        if code is None:
            return "timeout"
        return "killed" if code else "survived"


def _recorded(jobs):
    """Returns the result of the plugin's recorder, cached until a file of the firmware or the tests changes."""
    digest = hashlib.sha256()
    for folder in ("firmware", "lib", "tests", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    kept = ROOT / "build" / "mutants" / (digest.hexdigest()[:16] + ".json")
    if not kept.exists():
        print("recording which test executes which lines ...", flush=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(jobs) as pool:
            parts = list(pool.map(_record, (_FILES[part::jobs] for part in range(jobs))))
        everything = {key: {test: what for part in parts for test, what in part[key].items()} for key in parts[0]}
        kept.write_text(json.dumps(everything))
    return json.loads(kept.read_text())


def _record(files):
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        report = Path(folder) / "lines.json"
        code, output = _forked({"report": str(report), "files": ["firmware/*"]}, files)
        if code:
            raise SystemExit(f"the tests fail without a mutant:\n{output[-3000:]}")
        return json.loads(report.read_text())


def run(sample, jobs, tell):
    """Calls tell(mutant, verdict) for every (mutant, source) of `sample`."""
    suite = Suite(jobs)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [(mutant, pool.submit(suite.verdict, mutant, source)) for mutant, source in sample]
        for mutant, verdict in waiting:
            tell(mutant, verdict.result())
