"""What the station must not forget over a restart: which connectors the operator has taken out of service (OCPP 1.6
§4.9, §5.2), and why it is about to restart."""

from firmware.store.statefile import StateFile


class Availability:
    """Operative or not, for the station (0) and each connector (1..count).

    What is kept is what is wanted: a connector with a transaction becomes inoperative when that ends. The small
    dictionary `kept` is in a state file in the directory `storage` (None: kept in RAM only); its keys share the 100
    bytes of that: "off" (numbers out of service) and "reset" (why the station restarts).
    """

    withdrawn = False  # for the moment and until a restart, no connector is offered

    def __init__(self, storage, log, count):
        self._log = log
        self._count = count
        self._file = StateFile(storage + "/station", log) if storage else None
        loaded = self._file.load() if storage else None
        self.kept = loaded if isinstance(loaded, dict) else {}

    def operative(self, n):
        return n not in self.kept.get("off", ()) and not (self.withdrawn and n)

    def change(self, n, operative):
        """Sets one connector, or for n = 0 the station and all its connectors."""
        numbers = set(range(self._count + 1) if n == 0 else (n,))
        off = set(self.kept.get("off", ()))
        self.keep("off", sorted(off - numbers if operative else off | numbers) or None)

    def keep(self, key, value):
        """Keeps `value` under `key`; None forgets it. When the flash refuses, it lasts until the restart."""
        if self.kept.get(key) == value:
            return
        if value is None:
            self.kept.pop(key)
        else:
            self.kept[key] = value
        if self._file:
            try:
                self._file.save(self.kept)
            except OSError as exc:
                self._log.error("station", "%s is not kept: %s", key, exc)
