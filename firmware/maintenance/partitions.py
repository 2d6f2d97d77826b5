"""Firmware update by A/B partitions, for a MicroPython with the station frozen into it: see docs/production.md.

The same statuses as slots.ApplicationSlots has, and an installation as in installation.py. Which partition starts is in
the boot loader's own data, and it is the boot loader that returns from a version which has not been confirmed.
"""

import hashlib
import json

from micropython import const

from firmware.maintenance.slots import APPLICATION, ApplicationSlots, SlotError

_STATE = "/partitions.json"
_BLOCK = const(4096)
_MOST_WHY = const(48)
_LABEL, _SIZE = const(4), const(3)  # places in Partition.info()
_MOST_MANIFEST = const(2048)


class PartitionSlots:
    """`partition` is the class esp32.Partition, `version` that of the code that runs, `root` the board's file system.

    Every method that writes raises OSError when the flash or the boot loader refuses.
    """

    kind = APPLICATION

    def __init__(self, partition, version, root=""):
        self._partition = partition
        self._version = version
        self._path = root + _STATE
        self._starts = ApplicationSlots(None, root)  # what main.py counts
        running = partition(partition.RUNNING)
        self.running = running.info()[_LABEL]
        try:
            self._free = running.get_next_update().info()[_LABEL]
        except OSError:
            self._free = None  # a table with one place for MicroPython
        self._state = self._load()
        trial = self._state.get("trial")
        if trial and trial != self.running:
            self._end_trial("%s: ended before it was confirmed" % self._state.get(trial))

    def _load(self):
        try:
            with open(self._path) as file:
                state = json.load(file)
        except (OSError, ValueError):
            state = None
        return state if isinstance(state, dict) else {}

    def _keep(self, **changes):
        """Changes the state; None removes a key."""
        state = dict(self._state)
        for key, value in changes.items():
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
        with open(self._path, "w") as file:
            file.write(json.dumps(state))
        self._state = state

    def _end_trial(self, why):
        self._keep(trial=None, why=why[:_MOST_WHY])

    # -- looking

    @property
    def on_trial(self):
        """True while the version that runs has to show that it is good."""
        return self._state.get("trial") == self.running

    @property
    def confirmed(self):
        """True when the version that runs is known to be good."""
        return self._state.get("active") == self.running and not self.on_trial

    @property
    def failures(self):
        """How many starts in a row have failed before this one."""
        return self._starts.failures

    @property
    def why(self):
        """Version and reason of the last trial that has failed; "" when there was none since the last good one."""
        return self._state.get("why", "")

    @property
    def boots(self):
        """How often this board has been started without a failure in between."""
        return self._starts.boots

    def free_slot(self):
        """Returns the label of the partition that does not run, or None where there is only one."""
        return self._free

    def version(self, slot):
        """Returns the version in a partition, None when it holds none that was installed completely."""
        return self._version if slot == self.running else self._state.get(slot)

    def crashes(self):
        """Returns what main.py has kept of the last starts that failed, oldest first: see docs/image.md."""
        return self._starts.crashes()

    def snapshot(self):
        """Returns {running, confirmed, boots, versions: {label: version or None}, why}."""
        return {
            "running": self.running,
            "confirmed": self.confirmed,
            "boots": self.boots,
            "versions": {slot: self.version(slot) for slot in (self.running, self._free) if slot},
            "why": self.why,
        }

    def text(self):
        """Returns what a person wants to know of all this, in one line."""
        state = "on trial" if self.on_trial else "confirmed" if self.confirmed else "not confirmed"
        text = "partition %s, %s, boots: %d" % (self.running, state, self.boots)
        return text + (", given back: " + self.why if self.why else "")

    def free_partition(self):
        return self._partition(self._free)

    # -- trying another version

    def forget_trial(self):
        """The free partition is not started, whatever was said before: its content is about to change."""
        if "trial" in self._state and not self.on_trial:
            self._keep(trial=None)
        if self._partition(self._partition.BOOT).info()[_LABEL] != self.running:
            self._partition(self.running).set_boot()
            self._partition.mark_app_valid_cancel_rollback()  # or the boot loader would wait for that anew
        self.installed(None)

    def installed(self, version):
        """The free partition holds this version completely; None: nothing that could be started."""
        if self._state.get(self._free) != version:
            self._keep(**{self._free: version})

    def try_next(self):
        """The next start tries the free partition. Raises SlotError when it holds no complete application."""
        if self._free is None or self.version(self._free) is None:
            raise SlotError("partition %s holds no complete application" % self._free)
        if self.on_trial:
            raise SlotError("the version that runs is on trial itself")
        self._keep(active=self.running, trial=self._free)
        try:
            self.free_partition().set_boot()
        except OSError as exc:
            self._keep(trial=None)
            raise SlotError("the boot loader refuses partition %s: %s" % (self._free, exc))

    # -- the trial

    def confirm(self):
        """The version that runs is good: it is what starts from now on. Returns True when that was not known before."""
        if self._free:
            self._partition.mark_app_valid_cancel_rollback()
        self._starts.confirm()
        new = not self.confirmed
        if new:
            self._keep(active=self.running, trial=None, why=None if self.on_trial else self._state.get("why"))
        return new

    def give_back(self, why):
        """The version that runs is not good. Only while on_trial: the boot loader returns at the next reset."""
        self._end_trial("%s: %s" % (self._version, why))


class PartitionInstallation:
    """Fills the free partition of `slots`, a PartitionSlots. As installation.Installation, for one file."""

    @staticmethod
    def room(slots):
        """Returns how many bytes an application may have."""
        return slots.free_partition().info()[_SIZE] if slots.free_slot() else 0

    def __init__(self, slots):
        if slots.free_slot() is None:
            raise SlotError("this board has one partition for MicroPython only")
        if slots.on_trial:
            raise SlotError("the version that runs is on trial: the one before may have to return")
        slots.forget_trial()
        self._slots = slots
        self._partition = slots.free_partition()
        self._manifest = _Text()

    def write(self, name):
        """Opens the partition to be written from its beginning."""
        return _Blocks(self._partition)

    def write_manifest(self):
        """Opens the manifest to be written; it counts when complete() is through."""
        return self._manifest

    def complete(self):
        """Compares the partition with the manifest; then it can be tried. A generator that yields now and then."""
        manifest = json.loads(self._manifest.text)
        _, size, expected = manifest["files"][0]
        content = hashlib.sha256()
        buffer = memoryview(bytearray(_BLOCK))
        for block in range((size + _BLOCK - 1) // _BLOCK):
            self._partition.readblocks(block, buffer)
            content.update(buffer[: min(size - block * _BLOCK, _BLOCK)])
            yield
        if "".join(["%02x" % byte for byte in content.digest()]) != expected:
            raise SlotError("what lies in the flash is not what was written")
        self._slots.installed(manifest["version"])


class _Blocks:
    """A file to be written that is a partition: whole blocks, each erased before."""

    def __init__(self, partition):
        self._partition = partition
        self._buffer = bytearray(_BLOCK)
        self._used = 0
        self._block = 0

    def write(self, data):
        at = 0
        while at < len(data):
            count = min(len(data) - at, _BLOCK - self._used)
            self._buffer[self._used : self._used + count] = data[at : at + count]
            self._used += count
            at += count
            if self._used == _BLOCK:
                self._flush()

    def _flush(self):
        self._partition.writeblocks(self._block, self._buffer)
        self._block += 1
        self._used = 0

    def close(self):
        if self._used:
            self._buffer[self._used :] = b"\xff" * (_BLOCK - self._used)
            self._flush()


class _Text:
    """A small file in RAM."""

    def __init__(self):
        self.text = b""

    def write(self, data):
        self.text += data
        if len(self.text) > _MOST_MANIFEST:
            raise SlotError("more than one file")

    def close(self):
        pass
