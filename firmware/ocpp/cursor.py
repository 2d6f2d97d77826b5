"""Delivery position in the journal, and the back-end's ids of transactions whose end is not delivered yet."""


def sequence_floor(state):
    """Returns the lowest sequence number that the journal may use, even if its files were lost.

    `state` is the StateFile of the Cursor.
    """
    cursor = state.load()
    return cursor[0] if cursor else 0


class Cursor:
    """Delivery position, kept in a StateFile with one small atomic write.

    next        sequence number of the record that is delivered next
    failures    attempts that the back-end answered with an error
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
        """Returns the back-end's id of local transaction `tx`; None: not known yet, or the transaction is over."""
        for known, number in self._open.values():
            if known == tx:
                return number
        return None

    def local_transaction(self, number):
        """Returns the local transaction number for the back-end's id, or None."""
        for tx, known in self._open.values():
            if known == number:
                return tx
        return None

    def keep(self, connector, tx, number):
        """Stores the back-end's id of a connector's transaction."""
        self._open[connector] = (tx, number)

    def forget(self, connector):
        """Removes the transaction of a connector, whose end was delivered."""
        self._open.pop(connector, None)

    def advance(self, seq):
        """Moves on to the record `seq`."""
        self.next = seq
        self.failures = 0

    def fail(self):
        """Counts an attempt that the back-end answered with an error; returns their number for this record."""
        self.failures += 1
        return self.failures

    def touch(self):
        """Marks the position as unsaved, after a message was sent."""
        self._unsaved = True

    def save(self):
        """Saves the position if it is unsaved."""
        if not self._unsaved:
            return
        cursor = [self.next, self.failures]
        for connector, (tx, number) in self._open.items():
            cursor.append((connector, tx, number))
        try:
            self._state.save(cursor)
            self._unsaved = False
        except OSError as exc:
            # After a power loss the last message would be sent again.
            self._log.error("outbox", "cursor not saved: %s", exc)
