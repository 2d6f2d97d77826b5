# interpreters: micropython
"""An image that comes piece by piece fills the slot that does not run; a bad one changes nothing that counts."""

import gc
import json
import os

from flash import cuts, format_flash, mounted
from harness import raises
from images import FILES, made

from firmware.maintenance.image import Device, ImageError
from firmware.maintenance.slots import ApplicationSlots, SlotError
from firmware.maintenance.unpacking import Unpacking

_DEVICE = Device("esp32s3", (1, 27, 0), (6, 3, 0))


def prepare(root):
    os.mkdir(root + "/a")
    write(root + "/a/manifest.json", '{"version": "1.0.0",\n"files": [\n]}\n')
    write(root + "/slots.json", '{"active": "a"}')


class board:
    """`with board() as (root, slots):` a file system with a version in slot a, which runs."""

    def __init__(self, blocks=64):
        self._mounted = mounted(format_flash(blocks))

    def __enter__(self):
        root = self._mounted.__enter__()
        prepare(root)
        return root, ApplicationSlots("a", root)

    def __exit__(self, *exc_info):
        return self._mounted.__exit__(*exc_info)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def unpack(slots, data, piece=1000, verify=None, device=_DEVICE):
    unpacking = Unpacking(slots, verify, device)
    for at in range(0, len(data), piece):
        for _ in unpacking.receive(data[at : at + piece]):
            pass
    for _ in unpacking.finish():
        pass
    return unpacking


def refused(root, slots, data, **options):
    """Returns the reason; asserts that the running version is untouched and the other slot holds none."""
    before = read(root + "/a/manifest.json"), read(root + "/slots.json")
    with raises(ImageError, SlotError) as caught:
        unpack(slots, data, **options)
    assert (read(root + "/a/manifest.json"), read(root + "/slots.json")) == before
    assert slots.version("a") == "1.0.0" and slots.version("b") is None
    with raises(SlotError):
        slots.try_next()
    return str(caught.value)


def test_an_image_becomes_a_version_that_can_be_tried():
    for piece in (1, 100, 100_000):
        with board() as (root, slots):
            assert unpack(slots, made(), piece).version == "1.2.3"
            for name, data in FILES:
                assert read(root + "/b/" + name) == data
            assert slots.version("b") == "1.2.3"
            assert [row[0] for row in json.loads(read(root + "/b/manifest.json"))["files"]] == [
                name for name, _ in FILES
            ]
            slots.try_next()
            assert json.loads(read(root + "/slots.json"))["trial"] == "b"


def test_what_another_version_left_is_gone_or_replaced():
    with board() as (root, slots):
        unpack(slots, made((("firmware/old/x.mpy", b"old"), ("lib/x/x.mpy", b"older"))))
        unpack(slots, made())
        assert read(root + "/b/firmware/old/x.mpy") is None and "old" not in os.listdir(root + "/b/firmware")
        assert read(root + "/b/lib/x/x.mpy") == dict(FILES)["lib/x/x.mpy"]


def test_each_bad_image_is_refused_with_the_reason():
    with board() as (root, slots):
        data = made()
        at = data.index(b"M\x06\x00")
        for bad, reason in (
            (b"GIF89a" + data, "is none of this firmware"),
            (data[:at] + b"X" + data[at + 1 :], "is damaged: wrong hash of firmware/__init__.mpy"),
            (data[:-700], "is incomplete: it ends after 3 files"),
            (data + b"x", "is damaged: there is more behind its end"),
            (made(chips=["esp32"]), "is for esp32, this is esp32s3"),
            (made(mpy=[5, 0, 0]), "has .mpy files of version 5.0"),
            (made(micropython=[1, 30, 0]), "needs MicroPython 1.30.0"),
            (made((("../a/boot.py", b"x"),)), "has a name that leads out of its slot"),
            (made(kind="application"), "is of kind application, this station takes files"),
            (made(flash=2_000_000_000), "is damaged: the head of the manifest makes no sense"),
        ):
            assert refused(root, slots, bad).startswith(reason), reason


def test_a_version_that_was_there_is_none_any_more_once_another_is_begun():
    """The order that makes a power cut harmless: the manifest goes first and comes last."""
    with board() as (root, slots):
        unpack(slots, made())
        unpacking = Unpacking(slots, None, _DEVICE)
        for _ in unpacking.receive(made()[:700]):
            pass
        assert slots.version("b") is None
        unpacking.abandon()


def test_nothing_is_touched_before_the_head_is_good():
    with board() as (root, slots):
        unpack(slots, made())
        with raises(ImageError):
            unpack(slots, made(chips=["esp32"]))
        assert slots.version("b") == "1.2.3"


def test_an_image_that_does_not_fit_is_refused_before_anything_is_written():
    with board() as (root, slots):
        status = os.statvfs(root)
        room = status[0] * status[3] - 65_536
        reason = refused(root, slots, made(flash=room + 1))
        assert reason == "needs %d KB of flash, there are %d" % ((room + 1) // 1024, room // 1024)
        assert "b" not in os.listdir(root)
        unpack(slots, made(flash=room))
        status = os.statvfs(root)
        assert status[0] * status[3] - 65_536 < room
        unpack(slots, made(flash=room))  # what lies in the slot is given up for it


def test_a_signature_is_looked_at_before_anything_is_written():
    with board() as (root, slots):

        def verify(head):
            if head.signature is None:
                raise ImageError("is not signed")

        assert refused(root, slots, made(), verify=verify) == "is not signed"
        assert "b" not in os.listdir(root)
        assert unpack(slots, made(signature=b"ab" * 64), verify=verify).version == "1.2.3"


def test_a_version_on_trial_keeps_the_other_one():
    with board() as (root, slots):
        unpack(slots, made())
        slots.try_next()
        trial = ApplicationSlots("b", root)
        with raises(SlotError):
            unpack(trial, made())
        assert slots.version("a") == "1.0.0"


def test_a_flash_that_refuses_ends_it():
    with board() as (root, slots):
        os.mkdir(root + "/b")
        write(root + "/b/firmware", "a file where a directory must be")
        with raises(OSError):
            unpack(slots, made())
        assert slots.version("b") is None and slots.version("a") == "1.0.0"


def test_the_power_may_go_at_every_write():
    """Slot a is what starts until the other one is whole; the image, sent once more, is unpacked then."""
    count = 0
    for flash in cuts(prepare, 48, 2):
        done = False
        with mounted(flash) as root:
            slots = ApplicationSlots("a", root)
            unpack(slots, made())
            slots.try_next()
            done = True
        count += flash.off
        with mounted(flash.restarted()) as root:
            slots = ApplicationSlots("a", root)
            assert slots.version("a") == "1.0.0"
            state = json.loads(read(root + "/slots.json"))
            assert state["active"] == "a" and (state.get("trial") == "b" or not done)
            if "trial" in state or slots.version("b"):
                for name, data in FILES:
                    assert read(root + "/b/" + name) == data
            unpack(slots, made())
            slots.try_next()
    assert count > 20


def test_the_heap_that_it_takes_does_not_grow_with_the_image():
    def most(count):
        files = tuple(("firmware/file%03d.mpy" % number, bytes(1500)) for number in range(count))
        data = made(files)
        with board(160) as (_, slots):
            unpacking = Unpacking(slots, None, _DEVICE)
            gc.collect()
            before = most = gc.mem_alloc()
            for at in range(0, len(data), 1000):
                for _ in unpacking.receive(data[at : at + 1000]):
                    pass
                gc.collect()
                most = max(most, gc.mem_alloc())
            unpacking.abandon()
        return most - before

    assert most(60) < most(10) + 1000 < 9000
