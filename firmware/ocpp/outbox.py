"""Transaction message queue: delivers the journal's session facts in order, over power losses and days without a link.

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
from firmware.ocpp.cursor import Cursor
from firmware.ocpp.errors import CallError, InvalidAnswer, LinkDown
from firmware.ocpp.transmissions import Transmissions
from firmware.ocpp.waker import Waker
from firmware.store.journal import BEGIN, END

# A call that found no link while the link's own signal is still on its way.
_LINK_RETRY_MS = const(1_000)


class Outbox:
    """The transaction message queue (OCPP 1.6 §3.7, §3.7.1).

    `state` is the StateFile of a Cursor and `call` is `async call(action, payload, transmissions)`, raising CallError
    or OSError (no answer, no link). `messages` makes the messages of a version of OCPP:

        await message(record, number)     (action, payload), or None: nothing to send
        accept(record, number, response)  the number from then on; response None: given up, or none that can be read.
                                          CallError for an answer that is as good as none
        needs_answer(record)              True when an answer that cannot be read is no answer
        is_unwanted(action, code)         True when an error code ends the attempts at once
        attempts                          before a message that cannot be processed is given up
        pause_s                           before a message is sent again, times the attempts that failed

    where `number` is what the version keeps for a transaction, such as a transactionId; None: nothing yet.

    `delivered(record, response)` is emitted when a message has been acknowledged, and that is as durable as the record;
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
        self._transmissions = Transmissions(self._waker.wake)  # of the message at the head
        self._unwanted = None  # the newest error code that ended attempts at once
        self.delivered = Signal()
        self.changed = Signal()
        self.save = self._cursor.save
        journal.appended.connect(self._appended)
        journal.flushing.connect(self.save)

    @property
    def length(self):
        """The number of journal records that wait, most of which become a message."""
        return max(0, self._journal.next_seq - self._cursor.next)

    def transaction_id(self, tx):
        """Returns the back-end's number of local transaction `tx`, or None while (or because) there is none."""
        return self._cursor.number(tx)

    def local_transaction(self, transaction_id):
        """Returns the local number of the back-end's transaction, or None. Any integer can be one (errata 3.54)."""
        return self._cursor.local_transaction(transaction_id)

    def resume(self):
        """The back-end can be reached and wants messages."""
        self._running = True
        if not self._cursor.failures:
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
            for record in self._journal.read(self._cursor.next):
                if not self._running or not await self._deliver(record):
                    break
                beat()
            await self._waker.wait()

    async def _deliver(self, record):
        """Delivers one record, as often as it takes; returns False when delivery was paused before."""
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
                    break  # processed, and nothing in the answer matters
                if self._give_up(action, exc):
                    break
            except OSError as exc:
                self._postpone(action, exc)
        else:
            return False
        self._pass(record, self._messages.accept(record, number, response), response, action is not None)
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
            wait_ms = max(wait_ms, self._messages.pause_s * 1000)
        self._not_before_ms = self._clock.ms() + wait_ms

    def _give_up(self, action, exc):
        """The back-end could not process the message; returns True when it was asked often enough (§3.7.1)."""
        if self._messages.is_unwanted(action, exc.code):
            if exc.code != self._unwanted:
                self._unwanted = exc.code
                self._log.warning("outbox", "%s are not wanted and dropped: %s", action, exc)
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
        """The record is dealt with: moves on, and makes that as durable as the record before anybody hears of it."""
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
            # Nothing is wrong with the delivery: there will be other occasions to make room.
            self._log.error("outbox", "journal not released: %s", exc)

    def _appended(self, seq):
        self.changed.emit(self.length)
        if self._running:
            self._waker.wake()
