"""Running state: energy and time of the running transactions, saved at intervals for a power loss."""

from firmware.store.statefile import StateFile


class RunningState:
    """Energy and time of the running transaction of each connector, in one file of <= 128 bytes."""

    def __init__(self, path, log=None, wear=None):
        self._file = StateFile(path, log, wear)
        self._running = {row[0]: tuple(row[1:]) for row in self._file.load() or ()}

    def load(self):
        """Returns {connector: (transaction number, energy register in Wh, seconds on the clock of its begin)}."""
        return dict(self._running)

    def save(self, connector, tx, wh, t):
        """Saves the state of a connector; raises OSError."""
        self._running[connector] = (tx, wh, t)
        self._file.save([(connector,) + state for connector, state in sorted(self._running.items())])

    def clear(self, connector):
        """Removes a connector whose transaction has ended. Not written at once: the journal has the end."""
        self._running.pop(connector, None)
