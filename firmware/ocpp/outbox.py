"""Delivers the journal's session facts to the back-end: all of them, in order, over power cuts and days without a link.

The journal is the queue. What is kept here is the cursor: the place up to which the back-end has acknowledged it, and
the numbers it gave to the transactions that are not over at that place. It is saved with one small atomic write

* after the acknowledgement of a record that is on flash, and
* before acknowledged records that are not get there. A power cut in between loses records that are not needed any more;
  one before takes them with it, so that they do not come back either.

So only a message whose answer was lost is sent again, and then with the same content (OCPP 1.6 §3.7): lost to the link,
to a power cut while it was on its way, or to one in the write of the cursor that followed it.
"""

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import FORMATION_VIOLATION, CallError, InvalidAnswer, LinkDown
from firmware.ocpp.transmissions import Transmissions
from firmware.ocpp.waker import Waker
from firmware.store.journal import BEGIN, END

# A call that found no link while the link's own signal is still on its way.
_LINK_RETRY_MS = const(1_000)

# The cursor has to fit its file; larger numbers than that are no transaction ids.
_LARGEST_ID = 10**15

# transactionId of messages whose StartTransaction was never acknowledged (OCPP 1.6 errata 3.18)
UNKNOWN_TRANSACTION = const(-1)


def sequence_floor(state):
    """Returns the sequence number below which the journal must never write again, even if its files are lost.

    `state` is the StateFile of the outbox.
    """
    cursor = state.load()
    return cursor[0] if cursor else 0


class Outbox:
    """The transaction message queue (OCPP 1.6 §3.7, §3.7.1).

    `state` is a StateFile, `facts` builds messages (`await message(record, transaction_id)`, None: nothing to send) and
    `call` is `async call(action, payload, transmissions)`, raising CallError or OSError (no answer, no link).
    `delivered(record, response)` is emitted when a message has been acknowledged, and that is as durable as the record;
    `changed(length)` when the queue has grown or shrunk.
    """

    def __init__(self, journal, state, settings, clock, log, facts, call):
        self._journal = journal
        self._state = state
        self._settings = settings
        self._clock = clock
        self._log = log
        self._facts = facts
        self._call = call
        self._running = False
        self._not_before_ms = 0
        self._waker = Waker(clock)
        self._transmissions = Transmissions(self._waker.wake)  # of the message at the head
        self._unwanted = None  # the newest error code that ended attempts at once
        self.delivered = Signal()
        self.changed = Signal()
        self._load()
        self._unsaved = False  # records that are not on flash yet were acknowledged
        journal.appended.connect(self._appended)
        journal.flushing.connect(self.save)

    @property
    def length(self):
        """The number of journal records that wait, most of which become a message."""
        return max(0, self._journal.next_seq - self._next)

    def transaction_id(self, tx):
        """Returns the back-end's number of local transaction `tx`, or None while (or because) there is none."""
        for number, transaction_id in self._open.values():
            if number == tx:
                return transaction_id
        return None

    def local_transaction(self, transaction_id):
        """Returns the local number of the back-end's transaction, or None. Any integer can be one (errata 3.54)."""
        for tx, number in self._open.values():
            if number == transaction_id:
                return tx
        return None

    def resume(self):
        """The back-end can be reached and wants messages."""
        self._running = True
        if not self._failures:
            self._not_before_ms = 0
        self._waker.wake()

    def pause(self):
        """The back-end cannot be reached or has not accepted this station. A call that is out may still end well."""
        self._running = False
        self._waker.wake()

    async def run(self, beat):
        """Delivers while resumed, for ever."""
        while True:
            # The journal may grow, be flushed and drop segments while a message is on its way.
            for record in self._journal.read(self._next):
                if not self._running or not await self._deliver(record):
                    break
                beat()
            await self._waker.wait()

    async def _deliver(self, record):
        """Delivers one record, as often as it takes; returns False when delivery was paused before."""
        response = action = None
        while await self._may_send():
            transaction_id = self.transaction_id(record.tx)
            if transaction_id is None:
                transaction_id = UNKNOWN_TRANSACTION
            message = await self._facts.message(record, transaction_id)
            if message is None:
                break
            if not self._running:
                return False
            action = message[0]
            try:
                calling = self._call(message[0], message[1], self._transmissions)
                message = None  # its objects take three times the heap of its text: a second time it is built again
                response = await calling
                if record.kind == BEGIN:
                    _transaction_id(response)
                break
            except CallError as exc:
                if isinstance(exc, InvalidAnswer) and record.kind != BEGIN:
                    self._log.warning("outbox", "%s", exc)
                    break  # processed, and nothing in the answer matters
                if self._give_up(action, exc):
                    response = None  # also where it was there and of no use
                    break
            except OSError as exc:
                self._postpone(action, exc)
        else:
            return False
        self._pass(record, response, action is not None)
        return True

    async def _may_send(self):
        """Waits for the moment of the next transmission; returns False when delivery is paused."""
        while self._running:
            wait_ms = self._not_before_ms - self._clock.ms()
            if wait_ms <= 0 or self._transmissions.answer:
                return True
            await self._waker.wait(wait_ms)
        return False

    def _postpone(self, action, exc):
        """No answer, or no link: that is no failure to process the message, and costs no attempt (§3.7.1)."""
        self._log.info("outbox", "%s: %s", action, exc)
        wait_ms = _LINK_RETRY_MS
        if not isinstance(exc, LinkDown):
            wait_ms = max(wait_ms, self._settings.get("TransactionMessageRetryInterval") * 1000)
        self._not_before_ms = self._clock.ms() + wait_ms

    def _give_up(self, action, exc):
        """The back-end could not process the message; returns True when it was asked often enough (§3.7.1)."""
        if self._facts.is_unwanted(action, exc.code):
            if exc.code != self._unwanted:
                self._unwanted = exc.code
                self._log.warning("outbox", "%s are not wanted and dropped: %s", action, exc)
            return True
        self._failures += 1
        self._log.warning("outbox", "%s refused (%d): %s", action, self._failures, exc)
        if self._failures >= self._settings.get("TransactionMessageAttempts"):
            self._log.error("outbox", "%s given up after %d attempts", action, self._failures)
            return True
        self._unsaved = True
        self.save()
        interval_s = self._settings.get("TransactionMessageRetryInterval")
        self._not_before_ms = self._clock.ms() + interval_s * self._failures * 1000
        return False

    def _pass(self, record, response, was_message):
        """The record is dealt with: moves on, and makes that as durable as the record before anybody hears of it."""
        if record.kind == BEGIN:
            transaction_id = UNKNOWN_TRANSACTION if response is None else _transaction_id(response)
            self._open[record.connector] = (record.tx, transaction_id)
        elif record.kind == END:
            self._open.pop(record.connector, None)
        self._next = record.seq + 1
        self._failures = 0
        self._not_before_ms = 0
        self._transmissions.end()
        if was_message:
            self._unsaved = True
            if self._journal.is_durable(record.seq):
                self.save()
            self._release()
            self.delivered.emit(record, response)
            self.changed.emit(self.length)

    def _release(self):
        try:
            self._journal.release(self._next)
        except OSError as exc:
            # Nothing is wrong with the delivery: there will be other occasions to make room.
            self._log.error("outbox", "journal not released: %s", exc)

    def _appended(self, seq):
        self.changed.emit(self.length)
        if self._running:
            self._waker.wake()

    def _load(self):
        cursor = self._state.load() or [0, 0]
        self._next, self._failures = cursor[:2]
        self._open = {}  # connector -> (tx, transactionId); a connector has one transaction at a time
        for connector, tx, transaction_id in cursor[2:]:
            self._open[connector] = (tx, transaction_id)

    def save(self):
        """Makes the place that delivery has reached durable, unless it is."""
        if not self._unsaved:
            return
        cursor = [self._next, self._failures]
        for connector, (tx, transaction_id) in self._open.items():
            cursor.append((connector, tx, transaction_id))
        try:
            self._state.save(cursor)
            self._unsaved = False
        except OSError as exc:
            # What is lost with it is that a message was sent: after a power cut it is sent again.
            self._log.error("outbox", "cursor not saved: %s", exc)


def _transaction_id(response):
    """Returns the transactionId of a StartTransaction.conf; one without is a failure to process the message."""
    transaction_id = response.get("transactionId")
    if not isinstance(transaction_id, int) or not -_LARGEST_ID < transaction_id < _LARGEST_ID:
        raise CallError(FORMATION_VIOLATION, "StartTransaction.conf without transactionId")
    return transaction_id
