"""Writes transactions to the charge history, with retries."""

from micropython import const

_AGAIN_MS = const(10_000)
_MOST = const(16)  # events that wait; what is lost beyond them is in the journal, from which the next start repairs it


class Rows:
    """`history` is a store.History, `journal` knows what it has missed. Nothing but the history depends on it."""

    def __init__(self, history, journal, clock):
        self._history = history
        self._journal = journal
        self._clock = clock
        self._waiting = []  # (event, Transaction), oldest first
        self._not_before_ms = 0

    def follow(self, event, transaction):
        """A transaction has begun ("start") or ended ("stop")."""
        del self._waiting[: 1 - _MOST]
        self._waiting.append((event, transaction))
        self.step()

    def step(self):
        """Writes what waits; to be called several times a second. What it raises is tried again in a while."""
        now = self._clock.ms()
        while self._waiting and now >= self._not_before_ms:
            event, transaction = self._waiting[0]
            self._not_before_ms = now + _AGAIN_MS
            if event == "start":
                self._history.settle(transaction.connector_id, transaction.number, self._journal)
                self._history.began(transaction)
            else:
                self._history.ended(transaction)
            self._not_before_ms = 0
            self._waiting.pop(0)
