# Damages files inside a flash image; runs in the MicroPython unix port.
"""micropython damage.py IMAGE list | micropython damage.py IMAGE FILE KIND SEED

`list` prints "path size" lines. KIND is gone, empty, truncate, garbage, flip (some bits) or tail (garbage at the end).
"""

import os
import sys

import vfs

sys.path.insert(0, sys.argv[0].rpartition("tests/system/")[0] or "./")
from tools.sim.world.flash import Flash  # noqa: E402


def files(path):
    for name, kind, *_ in os.ilistdir(path):
        full = path + "/" + name
        if kind == 0x4000:
            yield from files(full)
        else:
            yield full, os.stat(full)[6]


def noise(seed, length):
    data = bytearray(length)
    for i in range(length):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        data[i] = seed >> 16 & 0xFF
    return data


def damaged(data, kind, seed):
    if kind == "empty":
        return b""
    if kind == "garbage":
        return noise(seed, max(len(data), 16))
    if kind == "truncate":
        return data[: len(data) * (seed % 97) // 97]
    if kind == "tail":
        return data + noise(seed, 40)
    flipped = bytearray(data)
    for i in range(1 + len(data) // 200):
        at = (seed * (i + 1) * 7919) % len(data) if data else 0
        if data:
            flipped[at] ^= 1 << (seed + i) % 8
    return flipped


def main(image, path, kind="", seed="1"):
    vfs.mount(vfs.VfsLfs2(Flash(image)), "/flash")
    if path == "list":
        for name, size in files("/flash"):
            print(name, size)
    elif kind == "gone":
        os.remove(path)
    else:
        with open(path, "rb") as file:
            data = file.read()
        with open(path, "wb") as file:
            file.write(damaged(data, kind, int(seed)))
    vfs.umount("/flash")


main(*sys.argv[1:])
