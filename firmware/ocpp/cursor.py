"""Delivery position in the journal, and the back-end's ids of transactions whose end is not delivered yet."""


def sequence_floor(state):
    """Returns the sequence number below which the journal must never write again, even if its files are lost.

    `state` is the StateFile of the Cursor.
    """
    cursor = state.load()
    return cursor[0] if cursor else 0


class Cursor:
    """The place of delivery in a StateFile, saved with one small atomic write.

    next        sequence number of the record that is delivered next
    failures    attempts at it that the back-end could not process
    """

    def __init__(self, state, log):
        self._state = state
        self._log = log
        self._unsaved = False
        cursor = state.load() or [0, 0]
        self.next, self.failures = cursor[:2]
        self._open = {}  # connector -> (tx, number); a connector has one transaction at a time
        for connector, tx, number in cursor[2:]:
            self._open[connector] = (tx, number)

    def number(self, tx):
        """Returns the number that belongs to local transaction `tx`, or None while (or because) there is none."""
        for known, number in self._open.values():
            if known == tx:
                return number
        return None

    def local_transaction(self, number):
        """Returns the local transaction that a number belongs to, or None."""
        for tx, known in self._open.values():
            if known == number:
                return tx
        return None

    def keep(self, connector, tx, number):
        """The transaction of a connector has this number."""
        self._open[connector] = (tx, number)

    def forget(self, connector):
        """The transaction of a connector is over."""
        self._open.pop(connector, None)

    def advance(self, seq):
        """The record before `seq` is dealt with."""
        self.next = seq
        self.failures = 0

    def fail(self):
        """The back-end could not process the record; returns how often that was."""
        self.failures += 1
        return self.failures

    def touch(self):
        """What there is has to be saved: a message was sent."""
        self._unsaved = True

    def save(self):
        """Makes the place durable, unless it is."""
        if not self._unsaved:
            return
        cursor = [self.next, self.failures]
        for connector, (tx, number) in self._open.items():
            cursor.append((connector, tx, number))
        try:
            self._state.save(cursor)
            self._unsaved = False
        except OSError as exc:
            # What is lost with it is that a message was sent: after a power cut it is sent again.
            self._log.error("outbox", "cursor not saved: %s", exc)
