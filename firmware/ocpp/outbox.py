"""Transaction message queue: delivers the journal's session facts in order, over power losses and days without a link.

The journal is the queue. The cursor is the position up to which the back-end has acknowledged it, with the back-end's
ids of the transactions that are open at that position. It is saved with one small atomic write

* after the acknowledgement of a record that is on flash, and
* before acknowledged records that are only in RAM are written to flash. A power loss in between loses records that were
  delivered; a power loss before loses the records and the position together, so they are not sent again.

So a message is sent again only if its answer was lost (link lost, or power lost before the cursor was saved), and then
with the same content (OCPP 1.6 §3.7).
"""

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.cursor import Cursor
from firmware.ocpp.errors import CallError, InvalidAnswer, LinkDown
from firmware.ocpp.transmissions import Transmissions
from firmware.ocpp.waker import Waker
from firmware.store.journal import BEGIN, END

# Retry after LinkDown, in case the signal that the link is down comes later.
_LINK_RETRY_MS = const(1_000)


class Outbox:
    """The transaction message queue (OCPP 1.6 §3.7, §3.7.1).

    `state` is the StateFile of a Cursor and `call` is `async call(action, payload, transmissions)`, raising CallError
    or OSError (no answer, no link). `messages` builds the messages of a version of OCPP:

        await message(record, number)     returns (action, payload), or None: nothing to send
        accept(record, number, response)  returns the number to use from now on; response None: given up or unreadable.
                                          Raises CallError for an answer without what is needed
        needs_answer(record)              True when a message is sent again after an unreadable answer
        is_unwanted(action, code)         True when the message is dropped after this error code
        attempts                          number of attempts before a message is given up
        pause_s                           wait before a message is sent again, times the failed attempts

    where `number` is the back-end's id of the transaction, such as a transactionId; None: not known yet.

    `delivered(record, response)` is emitted when a message was acknowledged and the cursor is as durable as the record;
    `changed(length)` when the queue has grown or shrunk.
    """

    def __init__(self, journal, state, messages, call, clock, log):
        self._journal = journal
        self._cursor = Cursor(state, log)
        self._messages = messages
        self._call = call
        self._clock = clock
        self._log = log
        self._running = False
        self._not_before_ms = 0
        self._waker = Waker(clock)
        self._transmissions = Transmissions(self._waker.wake)  # of the first message in the queue
        self._unwanted = None  # error code after which messages were last dropped, for the log
        self.delivered = Signal(log.observer_failed)
        self.changed = Signal(log.observer_failed)
        self.save = self._cursor.save
        journal.appended.connect(self._appended)
        journal.flushing.connect(self.save)

    @property
    def length(self):
        """Number of journal records to deliver. Most, not all, become a message."""
        return max(0, self._journal.next_seq - self._cursor.next)

    def transaction_id(self, tx):
        """Returns the back-end's id of local transaction `tx`; None: not known yet, or the transaction is over."""
        return self._cursor.number(tx)

    def local_transaction(self, transaction_id):
        """Returns the local number for a back-end's transaction id, or None. Any integer is valid (errata 3.54)."""
        return self._cursor.local_transaction(transaction_id)

    def resume(self):
        """Starts delivering: the link is up and the station accepted."""
        self._running = True
        if not self._cursor.failures:
            self._not_before_ms = 0
        self._waker.wake()

    def pause(self):
        """Stops delivering: no link, or not accepted. A call that was sent may still be answered."""
        self._running = False
        self._waker.wake()

    async def run(self, beat):
        """Delivers whenever resumed. Does not return."""
        while True:
            # The journal may grow, be flushed and drop segments while a message is on its way.
            for record in self._journal.read(self._cursor.next):
                if not self._running or not await self._deliver(record):
                    break
                beat()
            await self._waker.wait()

    async def _deliver(self, record):
        """Delivers one record, with retries; returns False when delivery was paused meanwhile."""
        number = self._cursor.number(record.tx)
        response = action = None
        while await self._may_send():
            message = await self._messages.message(record, number)
            if message is None:
                break
            if not self._running:
                return False
            action, payload = message
            try:
                answer = await self._call(action, payload, self._transmissions)
                self._messages.accept(record, number, answer)
                response = answer
                break
            except CallError as exc:
                if isinstance(exc, InvalidAnswer) and not self._messages.needs_answer(record):
                    self._log.warning("outbox", "%s", exc)
                    break  # processed, and nothing in the answer is needed
                if self._give_up(action, exc):
                    break
            except OSError as exc:
                self._postpone(action, exc)
        else:
            return False
        self._pass(record, self._messages.accept(record, number, response), response, action is not None)
        return True

    async def _may_send(self):
        """Waits until the next transmission is due; returns False when delivery is paused."""
        while self._running:
            wait_ms = self._not_before_ms - self._clock.ms()
            if wait_ms <= 0 or self._transmissions.answer:
                return True
            await self._waker.wait(wait_ms)
        return False

    def _postpone(self, action, exc):
        """Schedules a retry without counting an attempt: no answer, or no link, is no processing error (§3.7.1)."""
        self._log.info("outbox", "%s: %s", action, exc)
        wait_ms = _LINK_RETRY_MS
        if not isinstance(exc, LinkDown):
            wait_ms = max(wait_ms, self._messages.pause_s * 1000)
        self._not_before_ms = self._clock.ms() + wait_ms

    def _give_up(self, action, exc):
        """Counts an attempt that was answered with an error; returns True after the last one (§3.7.1)."""
        if self._messages.is_unwanted(action, exc.code):
            if exc.code != self._unwanted:
                self._unwanted = exc.code
                self._log.warning("outbox", "%s not supported by the back-end, dropped: %s", action, exc)
            return True
        failures = self._cursor.fail()
        self._log.warning("outbox", "%s refused (%d): %s", action, failures, exc)
        if failures >= self._messages.attempts:
            self._log.error("outbox", "%s given up after %d attempts", action, failures)
            return True
        self._cursor.touch()
        self.save()
        self._not_before_ms = self._clock.ms() + self._messages.pause_s * failures * 1000
        return False

    def _pass(self, record, number, response, was_message):
        """Moves on to the next record; saves the cursor, if the record is on flash, before the signals."""
        if record.kind == END:
            self._cursor.forget(record.connector)
        elif record.kind == BEGIN or number != self._cursor.number(record.tx):
            self._cursor.keep(record.connector, record.tx, number)
        self._cursor.advance(record.seq + 1)
        self._not_before_ms = 0
        self._transmissions.end()
        if was_message:
            self._cursor.touch()
            if self._journal.is_durable(record.seq):
                self.save()
            self._release()
            self.delivered.emit(record, response)
            self.changed.emit(self.length)

    def _release(self):
        try:
            self._journal.release(self._cursor.next)
        except OSError as exc:
            # Delivery goes on; the space is freed another time.
            self._log.error("outbox", "journal not released: %s", exc)

    def _appended(self, seq):
        self.changed.emit(self.length)
        if self._running:
            self._waker.wake()
