"""Images made of nothing but what docs/image.md says, for tests on both interpreters."""

import binascii
import hashlib
import json

FILES = (("firmware/__init__.mpy", b"M\x06\x00"), ("firmware/empty.txt", b""), ("lib/x/x.mpy", b"\n" * 3000))


def digest(data):
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


def lines_of(files):
    rows = [json.dumps([name, len(data), digest(data)]).encode() for name, data in files]
    return [row + b",\n" for row in rows[:-1]] + [rows[-1] + b"\n"]


def made(files=FILES, lines=None, signature=b"00" * 64, **changes):
    """Returns the bytes of an image; `changes` replace fields of its head."""
    lines = lines or lines_of(files)
    head = {"kind": "files", "version": "1.2.3", "chips": ["esp32", "esp32s3"], "micropython": [1, 27, 0]}
    head.update(mpy=[6, 3, 0], count=len(files), size=sum([len(data) for _, data in files]), flash=40960)
    head["list"] = digest(b'"files": [\n' + b"".join(lines) + b"]}\n")
    head.update(changes)
    parts = [b"wallbox-image 1\nsignature ", b"00" * 8, b" ", signature, b"\n"]
    parts += [json.dumps(head).encode()[:-1], b',\n"files": [\n']
    for line, (_, data) in zip(lines, files):
        parts += [line, data]
    return b"".join(parts) + b"]}\n"
