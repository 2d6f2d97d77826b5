"""The few small facts that the station itself must not forget over a restart, in one state file."""


class Memory:
    """A small dictionary in a store.StateFile (`file` None: kept in RAM only). All keys share its 100 bytes.

    Keys: "off" (numbers taken out of service), "reset" (why the station is about to restart).
    """

    def __init__(self, file, log):
        self._file = file
        self._log = log
        loaded = file.load() if file else None
        self._values = loaded if isinstance(loaded, dict) else {}

    def get(self, key, default=None):
        return self._values.get(key, default)

    def set(self, key, value):
        """Keeps `value` under `key`; None forgets it. When the flash refuses, it lasts until the restart."""
        if self._values.get(key) == value:
            return
        if value is None:
            self._values.pop(key)
        else:
            self._values[key] = value
        if self._file:
            try:
                self._file.save(self._values)
            except OSError as exc:
                self._log.error("station", "%s is not kept: %s", key, exc)
