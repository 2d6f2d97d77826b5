# interpreters: micropython
"""What `make flash` runs on the board: the power goes at every program and erase, and the good slot stays."""

import binascii
import json
import os

from flash import cuts, mounted
from images import digest, lines_of

_OLD = (("firmware/app.mpy", b"old" * 500), ("firmware/same.mpy", b"same" * 300), ("lib/gone/gone.mpy", b"gone"))
_NEW = (("firmware/app.mpy", b"new" * 700), ("firmware/same.mpy", b"same" * 300), ("lib/x/x.mpy", b"x" * 5000))


def board():
    """Returns the functions of on_board.py."""
    names = {}
    with open("tools/flash/on_board.py") as file:
        exec(file.read(), names)
    return names


def manifest(files):
    return b'{"version": "x",\n"files": [\n' + b"".join(lines_of(files)) + b"]}\n"


def put(on_board, path, data):
    on_board["open_file"](path)
    for at in range(0, len(data), 1000):
        piece = data[at : at + 1000]
        stored = (
            b"\x01" + len(piece).to_bytes(2, "little") + (65535 - len(piece)).to_bytes(2, "little")
        )  # RFC 1951, 3.2.4
        on_board["add"](binascii.b2a_base64(stored + piece))
    on_board["close_file"]()


def fill(on_board, slot, files):
    for name, data in files:
        put(on_board, slot + "/" + name, data)
    put(on_board, slot + "/manifest.json", manifest(files))


def version(slot):
    """Returns the files of a slot that is complete, None for one that is not."""
    try:
        with open(slot + "/manifest.json") as file:
            listed = json.loads(file.read())["files"]
    except OSError:
        return None
    found = []
    for name, size, expected in listed:
        with open(slot + "/" + name, "rb") as file:
            data = file.read()
        assert (len(data), digest(data)) == (size, expected), name
        found.append((name, data))
    return tuple(found)


def install(on_board, root):
    """As tools/flash/install.py does it."""
    on_board["write"](root + "/slots.json", '{"active": "a"}')
    on_board["begin"](root + "/b")
    put(on_board, root + "/b/manifest.new", manifest(_NEW))
    on_board["compare"](root + "/b", "manifest.new", root + "/a")
    for name, data in (_NEW[0], _NEW[2]):
        put(on_board, root + "/b/" + name, data)
    on_board["compare"](root + "/b", "manifest.new", None)
    on_board["complete"](root + "/b")
    on_board["write"](root + "/slots.json", '{"active": "a", "trial": "b"}')


def test_a_power_cut_at_any_write_leaves_the_good_slot_and_never_a_mixed_one():
    on_board = board()

    def prepare(root):
        fill(on_board, root + "/a", _OLD)
        fill(on_board, root + "/b", _OLD[:2])
        on_board["write"](root + "/slots.json", '{"active": "a", "trial": "b"}')

    count = 0
    for flash in cuts(prepare, 64):
        with mounted(flash) as root:
            install(on_board, root)
        count += flash.off
        with mounted(flash.restarted()) as root:
            assert version(root + "/a") == _OLD
            with open(root + "/slots.json") as file:
                state = json.load(file)
            there = version(root + "/b")
            assert state["active"] == "a" and there in (None, _OLD[:2], _NEW), there
            if there == _NEW:
                assert "trial" not in state or state["trial"] == "b"
            install(on_board, root)  # flashed once more
            assert version(root + "/b") == _NEW and "gone" not in os.listdir(root + "/b/lib")
    assert count > 20


def test_only_the_board_itself_copies_what_it_has():
    on_board = board()
    for flash in cuts(lambda root: fill(on_board, root + "/a", _OLD), 64, 10_000):
        with mounted(flash) as root:
            on_board["begin"](root + "/b")
            put(on_board, root + "/b/manifest.new", manifest(_NEW))
            on_board["compare"](root + "/b", "manifest.new", root + "/a")
            assert os.listdir(root + "/b/firmware") == ["same.mpy"]
            assert version(root + "/b") is None
        break


def test_code_of_others_is_found_and_removed_with_its_empty_folders():
    on_board = board()
    for flash in cuts(lambda root: None, 64, 10_000):
        with mounted(flash) as root:
            for name in ("main.py", "boot.py", "lib/x/y.mpy", "lib/notes.txt", "data/keep.py", "a/firmware/x.mpy"):
                put(on_board, root + "/" + name, b"# nothing\n\n")
            found = []
            on_board["_find_code"](root + "/", found, [root + "/a", root + "/data"])
            assert found == [root + "/boot.py", root + "/lib/x/y.mpy", root + "/main.py"]
            on_board["remove"](found)
            assert sorted(os.listdir(root)) == ["a", "data", "lib"] and os.listdir(root + "/lib") == ["notes.txt"]
        break
