"""A board for the tests of its start: boot.py, main.py and rescue.py run from a flash in RAM whose power can be cut.

What stands for the firmware in a slot is two tiny modules, so that a mixture of two versions would be seen.
"""

import binascii
import gc
import hashlib
import json
import os
import sys
import time

import vfs

_ROOT_FILES = ("boot.py", "main.py", "rescue.py")
_CAUSES = {"power": 1, "hard": 2, "watchdog": 3, "soft": 5}

_APPLICATION = {
    "firmware/version.py": "VERSION = %r\n",
    "firmware/start.py": "from firmware.version import VERSION\nfrom world import run_application\n"
    "\n\ndef run():\n    return run_application(%r, VERSION, __file__)\n",
    "lib/general.py": "# %r\n" + "#" * 300,
}


class Reset(BaseException):
    """machine.reset() and its like: `cause` is one of "hard", "soft", "watchdog"."""

    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause


class Machine:
    """The module machine, as far as the start uses it."""

    PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

    def __init__(self, cause):
        self._cause = _CAUSES[cause]
        self.pins = {}
        self.timeouts = []
        machine = self

        class Pin:
            OUT = 3

            def __init__(self, number, mode, value):
                machine.pins[number] = value

        self.Pin = Pin

    def WDT(self, timeout):
        self.timeouts.append(timeout)

    def reset_cause(self):
        return self._cause

    def reset(self):
        raise Reset("hard")

    def soft_reset(self):
        raise Reset("soft")


class _Clock:
    """The module time, without waiting."""

    def __init__(self):
        self.now = 0
        self.ticks_diff = time.ticks_diff

    def ticks_ms(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds * 1000


class World:
    """What the tiny firmware calls: `behave(slot, version)` decides what happens in run(); it may raise anything."""

    def __init__(self, behave):
        self._behave = behave
        self.ran = None  # (slot, version) of the last start that came so far

    def run_application(self, name, version, path):
        assert name == version, "modules of two versions: %s, %s" % (name, version)
        self.ran = (path.split("/")[1], version)
        return self._behave(*self.ran)


class Board:
    """One power-on after the other, on one flash."""

    def __init__(self, flash):
        self.flash = flash
        self.machine = Machine("power")
        self.clock = _Clock()
        self.printed = []

    def power_on(self, behave, cause="power"):
        """Starts the board; returns (what ran, how it ended).

        The ends: "hard", "soft", "watchdog", "console", "interrupt", "cut".
        """
        self.machine = Machine(cause)
        world = World(behave)
        names = {"__name__": "__main__", "print": self._print}
        with _Interpreter(self.flash, {"machine": self.machine, "world": world, "time": self.clock}):
            try:
                for name in ("boot.py", "main.py"):
                    with open("/" + name) as file:
                        exec(compile(file.read(), name, "exec"), names)
                ended = "console"
            except Reset as reset:
                ended = reset.cause
            except KeyboardInterrupt:
                ended = "interrupt"
            except Exception:
                if not self.flash.off:
                    raise
                ended = "cut"
        return world.ran, ended

    def _print(self, *words):
        self.printed.append(" ".join([str(word) for word in words]))


class _Interpreter:
    """The root of the file system is the flash, and nothing of the host's firmware is loaded."""

    def __init__(self, flash, modules):
        self._flash = flash
        self._modules = modules

    def __enter__(self):
        self._path = list(sys.path)
        self._kept = {}
        for name in list(sys.modules):
            if name.split(".")[0] in ("firmware", "rescue", "machine", "world", "time"):
                self._kept[name] = sys.modules.pop(name)
        sys.modules.update(self._modules)
        self._where = os.getcwd()
        vfs.umount("/")
        vfs.mount(vfs.VfsLfs2(self._flash), "/")
        os.chdir("/")
        sys.path[:] = ["", ".frozen"]

    def __exit__(self, *exc_info):
        gc.collect()  # files that a power cut left open
        try:
            vfs.umount("/")
        except OSError:
            pass  # there is no power
        vfs.mount(vfs.VfsPosix(), "/")
        os.chdir(self._where)
        for name in list(sys.modules):
            if name.split(".")[0] in ("firmware", "rescue") or name in self._modules:
                del sys.modules[name]
        sys.modules.update(self._kept)
        sys.path[:] = self._path


def application(version):
    """Returns {name: bytes} of a version, with its manifest."""
    files = {name: (text % version).encode() for name, text in _APPLICATION.items()}
    rows = []
    for name in sorted(files):
        digest = binascii.hexlify(hashlib.sha256(files[name]).digest()).decode()
        rows.append(json.dumps([name, len(files[name]), digest]))
    head = json.dumps({"version": version})[:-1] + ',\n"files": [\n'
    files["manifest.json"] = (head + ",\n".join(rows) + "\n]}\n").encode()
    return files


def put(path, files):
    """Writes {name: bytes} below the directory `path`."""
    for name in files:
        parts = name.split("/")
        for count in range(len(parts)):
            try:
                os.mkdir("/".join([path] + parts[:count]))
            except OSError:
                pass  # it is there
        with open(path + "/" + name, "wb") as file:
            file.write(files[name])


def first_flash(path, root="."):
    """Puts on a new flash what `make flash` puts there: the starter and version 1 in slot a."""
    for name in _ROOT_FILES:
        with open(root + "/" + name) as file:
            put(path, {name: file.read().encode()})
    put(path + "/a", application("1"))
    put(path, {"pins.json": b'{"1": 1, "4": 0}', "data/settings.a": b"kept" * 100, "data/journal/1": b"record" * 100})
