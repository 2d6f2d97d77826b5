"""Firmware slots: the two installed versions, which one runs or is on trial, and why a trial was rolled back.

boot.py and main.py choose a slot before anything of it runs; docs/image.md says what their files hold. How the free
slot is filled is in installation.py.
"""

import json

from micropython import const

# Kinds of images: files of a slot, or one file with MicroPython and all code for a partition.
FILES = "files"
APPLICATION = "application"

_NAMES = ("a", "b")
_STATE = "/slots.json"
_CRASHES = "/crashes.json"
_MANIFEST = "/manifest.json"
_MOST_WHY = const(40)  # characters, so that slots.json has at most 128 bytes


class SlotError(ValueError):
    """What is installed in a slot cannot be tried; the text is the reason, for a person."""


class NoSlots:
    """Stands where no boot.py chooses between versions: the code is what it is."""

    running = None
    on_trial = False
    confirmed = True
    failures = boots = 0

    def crashes(self):
        return []

    def snapshot(self):
        return None

    def text(self):
        return ""

    def confirm(self):
        return False


class ApplicationSlots:
    """`running` is "a" or "b", None where the code is frozen into the interpreter; `root` the board's file system.

    Every method that writes raises OSError when the flash refuses.
    """

    kind = FILES  # of the images that it takes

    def __init__(self, running, root=""):
        self.running = running
        self._root = root
        self._state = self._load()

    def _load(self):
        try:
            with open(self._root + _STATE) as file:
                state = json.load(file)
        except (OSError, ValueError):
            state = None  # before the first start, or written by hand
        return state if isinstance(state, dict) else {}

    def _keep(self, state):
        with open(self._root + _STATE, "w") as file:
            file.write(json.dumps(state, separators=(",", ":")))
        self._state = state

    # -- looking

    @property
    def on_trial(self):
        """True while the slot that runs has to show that it is good."""
        return self.running is not None and self._state.get("trial") == self.running

    @property
    def confirmed(self):
        """True when the version that runs is known to be good."""
        return "active" in self._state and not self.on_trial and self._state["active"] == self.running

    @property
    def failures(self):
        """How many starts in a row have failed before this one."""
        return self._state.get("crashes", 0)

    @property
    def why(self):
        """Version and reason of the last trial that has failed; "" when there was none since the last good one."""
        return self._state.get("why", "")

    @property
    def boots(self):
        """How often the version that runs has been started."""
        return self._state.get("tries" if self.on_trial else "boots", 0)

    def free_slot(self):
        """Returns the slot that does not run, "a" or "b", or None where there are no slots."""
        if self.running is None:
            return None
        return _NAMES[1 - _NAMES.index(self.running)]

    def version(self, slot):
        """Returns the version that is installed completely in a slot, or None."""
        try:
            with open(self.path(slot) + _MANIFEST, "rb") as file:
                return json.loads(file.readline().rstrip(b",\n") + b"}")["version"]
        except (OSError, ValueError, KeyError):
            return None

    def crashes(self):
        """Returns what main.py has kept of the last starts that failed, oldest first: see docs/image.md."""
        records = []
        try:
            with open(self._root + _CRASHES) as file:
                for line in file:
                    records.append(json.loads(line))
        except (OSError, ValueError):
            pass  # no records yet, or not readable
        return records

    def snapshot(self):
        """Returns {running, confirmed, boots, versions: {slot: version or None}, why}."""
        return {
            "running": self.running,
            "confirmed": self.confirmed,
            "boots": self.boots,
            "versions": {slot: self.version(slot) for slot in _NAMES},
            "why": self.why,
        }

    def text(self):
        """Returns what a person wants to know of all this, in one line."""
        state = "on trial" if self.on_trial else "confirmed" if self.confirmed else "not confirmed"
        text = "%s, %s, boots: %d" % ("slot " + self.running if self.running else "frozen", state, self.boots)
        return text + (", given back: " + self.why if self.why else "")

    def path(self, slot):
        """Returns the directory of a slot."""
        return "%s/%s" % (self._root, slot)

    # -- trying another version

    def forget_trial(self):
        """The free slot is not tried, whatever was said before: its files are about to change."""
        if "trial" in self._state and not self.on_trial:
            self._keep(_without(self._state, "trial"))

    def try_next(self):
        """The next start tries the free slot. Raises SlotError when it holds no complete application."""
        slot = self.free_slot()
        if slot is None or self.version(slot) is None:
            raise SlotError("slot %s holds no complete application" % slot)
        if self.on_trial:
            raise SlotError("the version that runs is on trial itself")
        self._keep({"active": self.running, "trial": slot, "boots": self.boots})

    # -- the trial

    def confirm(self):
        """The version that runs is good: it is what starts from now on. Returns True when that was not known before."""
        new = not self.confirmed
        if not new and not self._state.get("tries", 0):
            return False
        state = {"active": self.running, "boots": self.boots}
        if self.why and not self.on_trial:
            state["why"] = self.why
        if "trial" in self._state and not self.on_trial:
            state["trial"] = self._state["trial"]  # wanted since this start
        self._keep(state)
        return new

    def give_back(self, why):
        """The version that runs is not good: the next start is one of the version before. Only while on_trial."""
        state = _without(self._state, "trial", "tries", "begun")
        state["why"] = ("%s: %s" % (self.version(self.running), why))[:_MOST_WHY]
        self._keep(state)


def _without(state, *keys):
    return {key: state[key] for key in state if key not in keys}
