"""In service or out of service (Inoperative) per connector, and other state kept over a restart (OCPP 1.6 §5.2)."""

from firmware.charging.connector_zero import ConnectorZero
from firmware.store.statefile import StateFile


class Availability:
    """Operative or not, for the station (0, `zero`) and each of its `connectors` (1..count).

    What is kept is what is wanted: a connector with a transaction goes out of service when that ends. The small
    dictionary `kept` is in a state file; its keys share the 100 bytes of that: "off" (numbers out of service) and
    "reset" (why the station restarts).
    """

    def __init__(self, connectors, count, services):
        self._connectors = connectors
        self._count = count
        self._log = services.log
        self._withdrawn = False
        self._file = StateFile(services.folder + "/station", services.log) if services.folder else None
        loaded = self._file.load() if self._file else None
        self.kept = loaded if isinstance(loaded, dict) else {}
        self.zero = ConnectorZero(self.operative(0), services.log)

    def operative(self, n):
        """Tells whether connector n is wanted in service."""
        return n not in self.kept.get("off", ()) and not (self._withdrawn and n)

    def change(self, n, operative):
        """Takes a connector (0: the station and all connectors) into or out of service. Kept over restarts.

        Returns "accepted", "scheduled" (when a transaction has ended) or "rejected" (no such connector).
        """
        if not (isinstance(n, int) and 0 <= n <= self._count):
            return "rejected"
        numbers = set(range(self._count + 1) if n == 0 else (n,))
        off = set(self.kept.get("off", ()))
        concerned = [c for c in self._connectors if c.number in numbers]
        if not operative:
            _end_usage(concerned)
        self.keep("off", sorted(off - numbers if operative else off | numbers) or None)
        self._apply()
        return "accepted" if operative or not any(c.transaction for c in concerned) else "scheduled"

    def withdraw(self, on):
        """Lets no user begin on any connector until it is taken back or the station restarts (OCPP 1.6 errata 3.49).

        Transactions go on; their connectors go out of service when they have ended.
        """
        if on:
            _end_usage(self._connectors)
        self._withdrawn = on
        self._apply()

    def transaction_changed(self, event, transaction):
        """The station goes out of service, if that is wanted, with the last transaction."""
        self.zero.set_operative(self.operative(0), any(c.transaction for c in self._connectors))

    def _apply(self):
        self.transaction_changed(None, None)
        for connector in self._connectors:
            connector.change(operative=self.operative(connector.number))

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


def _end_usage(connectors):
    """Ends what is no transaction yet, so that status goes by Available or Finishing, as OCPP 1.6 §4.9 wants it."""
    for connector in connectors:
        if connector.transaction is None and connector.usage.operative:
            connector.cancel()
