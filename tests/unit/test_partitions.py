# interpreters: micropython
"""Updates of a MicroPython with the station in it, against a model of esp32.Partition and of the boot loader."""

import json
import os

from folder import fresh_folder
from harness import raises
from images import made

from firmware.maintenance.image import Device, ImageError
from firmware.maintenance.partitions import PartitionSlots
from firmware.maintenance.slots import APPLICATION, SlotError
from firmware.maintenance.unpacking import Unpacking
from tools.sim.device.esp32 import Partition

_DEVICE = Device("esp32s3", (1, 27, 0), (6, 3, 0), APPLICATION)
_SIZE = 40 * 4096
_OLD = b"\xe9old" + bytes(500)
_NEW = b"\xe9new" + bytes(range(256)) * 40


def image(application=_NEW, version="2.0.0", **changes):
    options = {
        "kind": "application",
        "version": version,
        "mpy": [0, 0, 0],
        "flash": len(application) // 4096 * 4096 + 4096,
    }
    options.update(changes)
    return made((("micropython.bin", application),), **options)


class Board:
    """Starts with version 1.0.0 in ota_0; `power_on()` returns the slots of what the boot loader starts."""

    def __init__(self):
        Partition.lay_out(_SIZE, _OLD)
        self.root = fresh_folder()
        self.versions = {_OLD[:4]: "1.0.0"}

    def slots(self):
        running = Partition(Partition.RUNNING).info()[4]
        return PartitionSlots(Partition, self.versions[bytes(Partition.flash[running][:4])], self.root)

    def power_on(self):
        Partition.reset()
        return self.slots()

    def unpack(self, slots, data, piece=1000):
        self.versions[_NEW[:4]] = "2.0.0"
        unpacking = Unpacking(slots, None, _DEVICE)
        for at in range(0, len(data), piece):
            for _ in unpacking.receive(data[at : at + piece]):
                pass
        for _ in unpacking.finish():
            pass


def updated():
    """Returns a board that has started version 2.0.0 for the first time, and its slots."""
    board = Board()
    slots = board.slots()
    slots.confirm()
    board.unpack(slots, image())
    slots.try_next()
    return board, board.power_on()


def test_a_new_version_is_tried_confirmed_and_stays():
    board, slots = updated()
    assert slots.running == "ota_1" and slots.on_trial and not slots.confirmed
    assert slots.text().startswith("partition ota_1, on trial")
    assert bytes(Partition.flash["ota_1"][: len(_NEW)]) == _NEW
    assert slots.confirm() and slots.confirmed and not slots.on_trial
    slots = board.power_on()
    assert slots.running == "ota_1" and slots.confirmed and slots.why == ""
    assert slots.snapshot()["versions"] == {"ota_0": None, "ota_1": "2.0.0"}


def test_a_version_that_is_not_confirmed_is_given_back_by_the_boot_loader():
    board, _ = updated()
    slots = board.power_on()  # whatever has reset it
    assert slots.running == "ota_0" and not slots.on_trial
    assert slots.why == "2.0.0: ended before it was confirmed"
    assert "given back: 2.0.0: ended before" in slots.text()
    assert board.power_on().why == slots.why, "the reason is kept"
    slots.confirm()
    assert board.power_on().running == "ota_0"


def test_a_version_that_is_unwell_is_given_back_with_its_reason():
    board, slots = updated()
    slots.give_back("task wifi is not alive")
    slots = board.power_on()
    assert slots.running == "ota_0" and slots.why == "2.0.0: task wifi is not alive"
    board.unpack(slots, image())
    slots.try_next()
    assert board.power_on().confirm()
    assert board.power_on().text().startswith("partition ota_1, confirmed, boots: 0")


def test_the_version_before_starts_again_without_being_tried_itself():
    board, _ = updated()
    slots = board.power_on()
    assert slots.running == "ota_0"
    for _ in range(3):  # resets before anything was confirmed
        assert board.power_on().running == "ota_0"


def test_versions_take_turns():
    board, slots = updated()
    slots.confirm()
    board.unpack(slots, image(_OLD, "1.0.0"))
    slots.try_next()
    slots = board.power_on()
    assert slots.running == "ota_0" and slots.on_trial
    slots.confirm()
    assert board.power_on().running == "ota_0"


def test_a_bad_image_changes_nothing():
    board = Board()
    slots = board.slots()
    slots.confirm()
    data = image()
    at = data.index(b"\xe9new")
    for bad, reason in (
        (data[:at] + b"X" + data[at + 1 :], "is damaged: wrong hash of micropython.bin"),
        (data[:-20], "is incomplete: it ends after 1 files"),
        (made(), "is of kind files, this station takes application"),
        (image(chips=["esp32"]), "is for esp32, this is esp32s3"),
        (image(flash=_SIZE), "needs 160 KB of flash, there are 96"),
    ):
        with raises(ImageError) as caught:
            board.unpack(slots, bad)
        assert str(caught.value) == reason
        with raises(SlotError):
            slots.try_next()
        assert board.power_on().running == "ota_0" and bytes(Partition.flash["ota_0"][:4]) == _OLD[:4]


def test_what_the_boot_loader_refuses_is_not_tried():
    board = Board()
    slots = board.slots()
    board.unpack(slots, image(b"no application" * 100))
    with raises(SlotError) as caught:
        slots.try_next()
    assert "the boot loader refuses partition ota_1" in str(caught.value)
    slots = board.power_on()
    assert slots.running == "ota_0" and slots.why == ""


def test_a_new_installation_takes_back_what_was_to_be_tried():
    board = Board()
    slots = board.slots()
    board.unpack(slots, image())
    slots.try_next()
    unpacking = Unpacking(slots, None, _DEVICE)
    for _ in unpacking.receive(image()[:2000]):
        pass
    for _ in range(3):
        slots = board.power_on()
        assert slots.running == "ota_0" and not slots.on_trial and slots.why == ""


def test_a_version_on_trial_keeps_the_other_one():
    board, slots = updated()
    with raises(SlotError):
        board.unpack(slots, image())
    with raises(SlotError):
        slots.try_next()
    assert bytes(Partition.flash["ota_0"][:4]) == _OLD[:4]


def test_a_flash_that_keeps_something_else_is_noticed():
    board = Board()
    slots = board.slots()
    unpacking = Unpacking(slots, None, _DEVICE)
    for _ in unpacking.receive(image()):
        pass
    Partition.flash["ota_1"][5000] ^= 1
    with raises(SlotError) as caught:
        for _ in unpacking.finish():
            pass
    assert str(caught.value) == "what lies in the flash is not what was written"
    assert slots.version("ota_1") is None


def test_a_table_with_one_place_takes_no_update():
    board = Board()
    Partition.flash.pop("ota_1")
    slots = board.slots()
    assert slots.free_slot() is None and slots.confirm()
    with raises(ImageError):
        board.unpack(slots, image())


def test_starts_that_fail_are_counted_by_main():
    board = Board()
    with open(board.root + "/slots.json", "w") as file:
        file.write(json.dumps({"crashes": 2, "boots": 7, "tries": 1}))
    slots = board.slots()
    assert slots.failures == 2 and slots.boots == 7
    slots.confirm()
    assert board.power_on().failures == 0 and "partitions.json" in os.listdir(board.root)


class _PowerCut(Exception):
    pass


def test_the_power_may_go_before_anything_that_is_written():
    """Files, partitions and the boot loader's choice: one of the two versions starts, whole, and an update goes on."""
    operations = {"count": 0, "most": 0}
    real = {name: getattr(Partition, name) for name in ("writeblocks", "set_boot")}
    keep, confirm = PartitionSlots._keep, Partition.mark_app_valid_cancel_rollback

    def spend():
        operations["count"] += 1
        if operations["count"] > operations["most"]:
            raise _PowerCut

    def counted(function):
        def call(*args, **kwargs):
            spend()
            return function(*args, **kwargs)

        return call

    for name, function in real.items():
        setattr(Partition, name, counted(function))
    PartitionSlots._keep = counted(keep)
    Partition.mark_app_valid_cancel_rollback = staticmethod(counted(confirm))
    try:
        for operations["most"] in range(100):
            operations["count"] = -1000  # delivery is not cut
            board = Board()
            slots = board.slots()
            slots.confirm()
            operations["count"] = 0
            try:
                board.unpack(slots, image())
                slots.try_next()
                board.power_on().confirm()
                done = True
            except _PowerCut:
                done = False
            operations["count"] = -1000
            slots = board.power_on()
            assert slots.running == "ota_1" or not done
            assert bytes(Partition.flash[slots.running][:4]) in (_OLD[:4], _NEW[:4])
            slots.confirm()
            assert board.power_on().running == slots.running, "what was confirmed stays"
            if slots.running == "ota_0":
                board.unpack(slots, image())
                slots.try_next()
                slots = board.power_on()
                assert slots.running == "ota_1" and slots.confirm()
            if done:
                break
        assert 5 < operations["most"] < 99
    finally:
        for name, function in real.items():
            setattr(Partition, name, function)
        PartitionSlots._keep, Partition.mark_app_valid_cancel_rollback = keep, staticmethod(confirm)
