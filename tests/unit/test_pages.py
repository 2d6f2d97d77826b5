# interpreters: cpython
"""What docs/libraries.md and docs/extending.md show is run as it stands there (S10)."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.sim.charger import interpreter

ROOT = Path(__file__).resolve().parents[2]
_STEP = re.compile(r"<!-- (file|append|insert|run): (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
_SECTION = re.compile(r"^## (\w+)(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)

# Stands for the UART: has what came at first, and answers each request with the next of its replies.
_STREAM = """
import asyncio
class Stream:
    def __init__(self, first=b"", *replies):
        self._data, self._replies = first, list(replies)
    def write(self, data):
        if self._replies:
            self._data += self._replies.pop(0)
    async def drain(self):
        pass
    async def read(self, n):
        while not self._data:
            await asyncio.sleep(0.01)
        data, self._data = self._data[:n], self._data[n:]
        return data
    def readinto(self, buffer):
        count = min(len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count or None
"""
_STREAMS = {
    "modbus_rtu": "from modbus_rtu import seal\nstream = Stream(b'', seal(bytes((1, 4, 4, 9, 36, 0, 0))))\n",
    "pn532": "uart = Stream()\n",
    "em4100": "uart = Stream(b'\\x02010203040501\\x03')\n",
}
_PRINTED = {
    "flashlog": "1 1 b'21.5 C'\n2 1 b'21.6 C'\n",
    "sortedfile": "b'04A1B2C3ok'",
    "jsonstream": "a\nb\nrefused: ",
    "uwebsockets": "no connection: ",
    "asyncdns": "",
    "modbus_rtu": "2340\n",
    "pn532": "reader: command 14: no answer",
    "em4100": "0102030405\n",
    "pbkdf2": "",
}


def packages():
    return sorted(path.parent.name for path in (ROOT / "lib").glob("*/__init__.py"))


def micropython(code, folder, *search):
    environment = {**os.environ, "MICROPYPATH": ":".join((".frozen", *map(str, search)))}
    return run([*interpreter(), "-X", "heapsize=16M", "-c", code], folder, environment)


def cpython(code, folder, *search):
    return run([sys.executable, "-c", code], folder, {**os.environ, "PYTHONPATH": ":".join(map(str, search))})


def run(command, folder, environment):
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_package_has_its_page_and_its_example_runs():
    page = (ROOT / "docs" / "libraries.md").read_text()
    sections = dict(_SECTION.findall(page))
    assert sorted(sections) == packages()
    for name, text in sections.items():
        assert f"    mpremote connect PORT mip install lib/{name}/package.json\n" in text
        (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if name in _STREAMS:
            code = _STREAM + _STREAMS[name] + code
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            # Only the package itself: what else it needed would have to be on the page.
            for folder in (first, second):
                shutil.copytree(ROOT / "lib" / name, Path(folder) / "lib" / name)
            assert _PRINTED[name] in micropython(code, first, "lib"), name
            assert _PRINTED[name] in cpython(code, second, "lib", ROOT / "tests" / "cpython"), name


def test_package_json_lists_every_file_of_a_package():
    for name in packages():
        folder = ROOT / "lib" / name
        document = json.loads((folder / "package.json").read_text())
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
        assert sorted(document["urls"]) == [[f"{name}/{file}", file] for file in files]
        assert document["deps"] == [] and re.fullmatch(r"\d+\.\d+\.\d+", document["version"])


def test_every_step_of_extending_works_in_a_copy_of_the_checkout():
    steps = _STEP.findall((ROOT / "docs" / "extending.md").read_text())
    assert [kind for kind, _, _ in steps].count("run") == 5
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        for tree in ("firmware", "lib", "tests/unit", "tools/sim"):
            shutil.copytree(ROOT / tree, copy / tree, ignore=ignored)
        for kind, name, text in steps:
            if kind == "run":
                micropython(text, copy, copy, copy / "lib", copy / "tests" / "unit")
                continue
            path = copy / name
            assert path.exists() == (kind != "file"), f"{name}: is it there already?"
            before = path.read_text() if kind != "file" else ""
            if kind == "insert":  # behind the first line, which is there
                first = text.partition("\n")[0] + "\n"
                assert before.count(first) == 1, f"{name}: {first}"
                path.write_text(before.replace(first, text))
            else:
                path.write_text(before + text)


def test_nothing_is_shown_that_is_not_run():
    page = (ROOT / "docs" / "extending.md").read_text()
    assert page.count("```") == 2 * len(_STEP.findall(page))
