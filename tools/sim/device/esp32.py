# `esp32` for the unix port. MIT license.
"""Module `esp32` of the simulated board: only the parts that an S3 board without special hardware has."""

HEAP_DATA = 4
HEAP_EXEC = 1


def mcu_temperature():
    return 45


_internal = (327_680, 120_000, 110_000, 90_000)
_psram = (8_388_608, 6_000_000, 4_194_304, 5_000_000)
_regions = [_internal, _psram]


def remove_psram():
    """The board has none from now on."""
    _regions.remove(_psram)


def idf_heap_info(capabilities):
    """Returns each region as (total, free, largest free block, least free ever) in bytes."""
    return list(_regions)


class Partition:
    """The partitions for applications, and what the boot loader does at a reset: CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE.

    As on a stock image there is one, until a test calls lay_out(). Which one starts is in two entries [number, state]:
    the highest number counts whose version was not given up.
    """

    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1

    flash = {"factory": bytearray()}  # label -> content
    _entries = [[0, None], [0, None]]
    _running = "factory"

    @classmethod
    def lay_out(cls, size, application):
        """Makes ota_0, with an application in it, and ota_1; starts the first."""
        cls.flash = {"ota_0": bytearray(b"\xff" * size), "ota_1": bytearray(b"\xff" * size)}
        cls.flash["ota_0"][: len(application)] = application
        cls._entries = [[0, None], [0, None]]
        cls.reset()

    @classmethod
    def reset(cls):
        """The board starts again; returns the label of the partition that runs then."""
        for entry in cls._entries:
            if entry[1] == "pending":
                entry[1] = "given up"  # it was started and has not confirmed itself
        entry = cls._chosen_entry()
        if entry and entry[1] == "new":
            entry[1] = "pending"
        cls._running = cls._label(entry)
        return cls._running

    @classmethod
    def _chosen_entry(cls):
        good = [entry for entry in cls._entries if entry[1] not in (None, "given up")]
        return max(good, key=lambda entry: entry[0]) if good else None

    @staticmethod
    def _label(entry):
        return "ota_%d" % ((entry[0] - 1) % 2) if entry else "ota_0"

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        entry = cls._chosen_entry()
        if entry:
            entry[1] = "valid"

    def __init__(self, which):
        if which == self.RUNNING:
            which = self._running
        elif which == self.BOOT:
            which = self._label(self._chosen_entry()) if len(self.flash) > 1 else "factory"
        if which not in self.flash:
            raise OSError(2)
        self._name = which

    def info(self):
        return (0, 0x10, 0x10000, len(self.flash[self._name]), self._name, False)

    def get_next_update(self):
        others = [label for label in self.flash if label != self._running]
        if not others:
            raise OSError(2)
        return Partition(others[0])

    def set_boot(self):
        if self.flash[self._name][:1] != b"\xe9":
            raise OSError(-0x1503)  # ESP_ERR_OTA_VALIDATE_FAILED
        number = max(entry[0] for entry in self._entries) + 1
        while self._label((number, None)) != self._name:
            number += 1
        self._entries[0 if self._entries[0][0] < self._entries[1][0] else 1][:] = [number, "new"]

    def readblocks(self, number, buffer):
        buffer[:] = self.flash[self._name][number * 4096 : number * 4096 + len(buffer)]

    def writeblocks(self, number, buffer):
        if (number + 1) * 4096 > len(self.flash[self._name]):
            raise OSError(-0x102)  # ESP_ERR_INVALID_ARG
        self.flash[self._name][number * 4096 : number * 4096 + len(buffer)] = buffer
