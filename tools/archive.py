"""Packs what is installed into the one file that flash, portal and back-end use: see docs/image.md.

An archive is two lines, and then the manifest, in which the content of each file follows its line.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.docs.pages import prepare_imports

MANIFEST = "manifest.json"
FILES = "files"
APPLICATION = "application"

_MAGIC = b"wallbox-image 1\n"
_KEY_ID_BYTES = 8
_SIGNATURE_BYTES = 64
_LIST_BEGIN = b'"files": [\n'
_LIST_END = b"]}\n"

# Header of an application for an ESP32: https://docs.espressif.com/projects/esptool, "Firmware Image Format".
_APPLICATION_MAGIC = 0xE9
_CHIP_ID_AT = 12
_CHIPS = {0: "esp32", 9: "esp32s3"}

# LittleFS: a block for each 4096 bytes, small files within their directory, which has two blocks.
_BLOCK = 4096
_INLINE = 128
_BLOCK_POINTERS = 8


def describe(folder: Path, kind: str, version: str, chips: list[str], micropython: tuple, mpy: tuple) -> bytes:
    """Returns the manifest of all files in `folder`, as it lies in a slot."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    names = [name for name in names if name != MANIFEST]
    contents = {name: (folder / name).read_bytes() for name in names}
    rows = [json.dumps([name, len(data), hashlib.sha256(data).hexdigest()]) for name, data in contents.items()]
    files = _LIST_BEGIN + ",\n".join(rows).encode() + b"\n" + _LIST_END
    head = {
        "kind": kind,
        "version": version,
        "chips": chips,
        "micropython": micropython,
        "mpy": mpy,
        "count": len(names),
        "size": sum(map(len, contents.values())),
        "flash": _on_flash(contents),
        "list": hashlib.sha256(files).hexdigest(),
    }
    return json.dumps(head).encode()[:-1] + b",\n" + files


def pack(folder: Path) -> bytes:
    """Returns the archive of `folder`, which holds a manifest and all files that it lists."""
    head, begin, *lines = (folder / MANIFEST).read_bytes().splitlines(keepends=True)
    # Until there is a key: the place of its id and of the signature over the head's SHA-256.
    parts = [_MAGIC, b"signature %s %s\n" % (b"00" * _KEY_ID_BYTES, b"00" * _SIGNATURE_BYTES), head, begin]
    for line in lines:
        parts.append(line)
        if line != _LIST_END:
            parts.append((folder / json.loads(line.rstrip(b",\n"))[0]).read_bytes())
    return b"".join(parts)


@dataclass
class Image:
    """What an archive holds, each file compared with its hash. `head` is a firmware.maintenance.image.Head."""

    head: Any
    manifest: bytes
    files: dict[str, bytes]

    @classmethod
    def load(cls, path: Path) -> "Image":
        """Reads an archive, or the folder that it is made of. Raises OSError, ImageError (a ValueError)."""
        prepare_imports()
        from firmware.maintenance import image

        reader = image.ImageReader(None)
        manifest, files, name = bytearray(), {}, ""
        for kind, value in reader.receive(pack(path) if path.is_dir() else path.read_bytes()):
            if kind == image.MANIFEST:
                manifest += value
            elif kind == image.FILE:
                name = value[0]
                files[name] = b""
            elif kind == image.DATA:
                files[name] += value
        reader.finish()
        return cls(reader.head, bytes(manifest), files)


def _on_flash(contents: dict[str, bytes]) -> int:
    """Returns how many bytes of a LittleFS the files take, with their directories."""
    blocks = 0
    folders = {""}
    for name, data in contents.items():
        if len(data) > _INLINE:
            blocks += -(-len(data) // (_BLOCK - _BLOCK_POINTERS))
        folders.update(str(parent) for parent in Path(name).parents)
    return (blocks + 2 * len(folders)) * _BLOCK


def chip_of(application: bytes) -> str:
    """Returns the chip that an application for an ESP32 is built for. Raises ValueError."""
    chip = _CHIPS.get(int.from_bytes(application[_CHIP_ID_AT : _CHIP_ID_AT + 2], "little"))
    if len(application) < 1024 or application[0] != _APPLICATION_MAGIC or not chip:
        raise ValueError("no application for an ESP32 or ESP32-S3")
    return chip
