"""The charging station: the one door through which OCPP, portal, card reader and simulator speak to the connectors."""

import asyncio

from micropython import const

import firmware.charging as charging
from firmware.charging.access import Access
from firmware.charging.authorisation import Authoriser
from firmware.charging.availability import Availability
from firmware.charging.connector import Connector
from firmware.charging.connector_zero import ConnectorZero
from firmware.charging.main_meter import MainMeter
from firmware.charging.metering import Metering
from firmware.charging.restart import close_transactions
from firmware.charging.rows import Rows
from firmware.charging.turns import Turn
from firmware.kernel.signal import Signal
from firmware.store.slots import Slots

_STEP_MS = const(100)
_HEARTBEAT_MS = const(10_000)
_METER_HEARTBEAT_MS = const(60_000)  # meters that do not answer take their time: MeterTimeout

# Ends of the last power-on that the flash refuses are tried again, then left to the next start.
_CLOSING_TRIES = const(5)
_CLOSING_PAUSE_MS = const(1_000)

_STOP_WAIT_MS = const(10_000)  # longer than any transaction takes to stop
_UNLOCK_WAIT_MS = const(6_000)  # the lock's motor, with its retries


class Station:
    """Everything a face may ask of the station. Connectors are numbered 1..n; 0 is the station itself (OCPP 1.6 §3.8).

    `evses` and `meters` are in the order of the connectors; a meter may be None (none fitted). `history` is a
    store.History or None. `storage` is the directory for what must survive a restart; None: nothing does.

    backend    None, or an object with: online (registered and link up), may_start (registration allows charging),
               async authorize(token) -> TokenInfo, raises OSError when out of reach. None: list, cache decide.

    Signals, all synchronous:
    status_changed(n, Status)        at once, also offline; n = 0 included
    transaction_changed(event, tx)   event "start" or "stop", after the record is in the journal; tx is a Transaction
    token_checked(token, status, source)   source "csms", "list", "cache" or "offline"
    list_conflict(token)             the back-end contradicts the local list (OCPP 1.6 §3.5.2: LocalListConflict)
    sampled(n, "clock", t, reading)  clock-aligned sample outside a transaction; those inside are in the journal.
                                     n = 0: all meters together, whether transactions run or not
    reset_requested(hard, by)        transactions are stopped and written; restart when everything else is done
    """

    def __init__(
        self,
        clock,
        log,
        settings,
        journal,
        tags,
        cache,
        evses,
        meters,
        history=None,
        storage=None,
    ):
        self._clock = clock
        self._log = log
        self._settings = settings
        self._journal = journal
        self.history = history
        self._storage = storage
        self.availability = Availability(storage, log, len(evses))
        self._ready = False  # True once the transactions of the last power-on are closed
        self._resetting = None
        # Features that are loaded when they are first asked for, see schedules and reservations.
        self._schedules = None
        self._reservations = None
        self.status_changed = Signal()
        self.transaction_changed = Signal()
        self.sampled = Signal()
        self.reset_requested = Signal()
        self.connectors = []
        self._zero = ConnectorZero(self.availability, self.transactions, self.status_changed)
        self.raise_fault = self._zero.raise_fault
        self.clear_fault = self._zero.clear_fault
        self.transaction_changed.connect(self._transaction_changed)
        self._authoriser = Authoriser(clock, log, settings, tags, cache)
        self.token_checked = self._authoriser.checked
        self.list_conflict = self._authoriser.conflict
        self.access = Access(self.connectors, self._authoriser, clock, log, settings, self._may_start)
        for i, evse in enumerate(evses):
            metering = Metering(i + 1, meters[i], evse, clock, log, settings, journal, self.sampled)
            self.connectors.append(Connector(i + 1, evse, metering, self, clock, log, settings, journal))
        self.main_meter = MainMeter(self.connectors, clock, settings, self.sampled)
        self._turns = []
        if history:
            rows = Rows(history, journal, clock)
            self.transaction_changed.connect(rows.follow)
            self._turns.append(Turn("history", rows.step, clock, log))
        for connector in self.connectors:
            if len(evses) > 1:
                connector.twin = True
            connector.update()
            self._turns.append(Turn(connector.area, connector.step, clock, log, connector.out_of_order))
        for step in (self.main_meter.step, self._step_schedules, self._step_reservations, self._step_journal):
            self._turns.append(Turn("station", step, clock, log))
        if storage:
            if self._stored("/profiles").load():
                self._schedules = self.schedules
            if self._stored("/reserved").load():
                self._reservations = self.reservations

    def _transaction_changed(self, event, transaction):
        self._zero.update()

    # -- looking

    def _stored(self, name):
        return self._storage and Slots(self._storage + name, self._log)

    @property
    def schedules(self):
        """The charging profiles: schedules.Schedules."""
        if self._schedules is None:
            self._schedules = charging.Schedules(
                self.connectors,
                self._clock,
                self._log,
                self._settings,
                self._stored("/profiles"),
                self.transaction_changed,
            )
        return self._schedules

    @property
    def reservations(self):
        """The reservations: reservations.Reservations."""
        if self._reservations is None:
            self._reservations = self.access.reservations = charging.Reservations(
                self.connectors,
                self._clock,
                self._log,
                self._settings,
                self._stored("/reserved"),
                lambda: self._zero.status.state,
                self.transaction_changed,
            )
        return self._reservations

    @property
    def backend(self):
        return self._authoriser.backend

    @backend.setter
    def backend(self, backend):
        self._authoriser.backend = backend

    def connector(self, n):
        """Returns Connector n (1..), or None when there is none."""
        if isinstance(n, int) and 1 <= n <= len(self.connectors):
            return self.connectors[n - 1]
        return None

    def status(self, n):
        """Returns the newest Status of connector n, of the station for n = 0, or None: no such connector."""
        if n == 0:
            return self._zero.status
        connector = self.connector(n)
        return connector and connector.status

    def transaction(self, n):
        """Returns the Transaction of connector n (`stopping` is True while it ends), or None."""
        connector = self.connector(n)
        return connector and connector.transaction

    def transactions(self):
        """Returns the list of the transactions of all connectors."""
        return [c.transaction for c in self.connectors if c.transaction]

    def find(self, number):
        """Returns the Transaction with the local number `number` if it has not ended, or None."""
        for transaction in self.transactions():
            if transaction.number == number:
                return transaction
        return None

    def readings(self, n):
        """Returns the newest Reading of connector n's meter, or None when there is none from the last seconds.

        n = 0: that of all meters together.
        """
        if n == 0:
            return self.main_meter.current()
        connector = self.connector(n)
        return connector and connector.metering.current()

    def sample(self, n):
        """Returns (t, Reading) for somebody who is told now, or None as readings(): no end of a transaction will be
        below or before it."""
        reading = self.readings(n)
        if reading is None:
            return None
        transaction = self.transaction(n)
        if transaction is None:
            return self._clock.now(), reading
        self.connector(n).metering.secure()
        return self._journal.time_in(transaction.number), reading

    # -- users

    async def swipe(self, token, connectors=None):
        """A card at the reader. `connectors` are the numbers that the reader serves, None for all.

        Returns what came of it: "start", "stop", "released" (the plug that was kept locked for this user), "cancelled"
        (second presentation before the plug came), "busy" (already on its way) or "refused". Never raises.
        """
        if self._resetting:
            return "refused"
        return await self.access.swipe(token, connectors)

    def remote_start(self, token, connector=None, profile=None):
        """Starts for `token` on a connector, or on one that the station chooses (OCPP 1.6 §5.11).

        `profile` is a composite.Profile for the transaction that comes of it, whichever that will be.

        Returns False when it is known at once that nothing can come of it. Authorisation (AuthorizeRemoteTxRequests)
        goes on by itself; without a vehicle the station waits for one for ConnectionTimeOut.
        """
        if self._resetting or (profile and not self.schedules.has_room(profile)):
            return False
        return self.access.remote_start(token, connector, profile)

    def remote_stop(self, number):
        """Stops the transaction with the local number; False when it does not run (OCPP 1.6 §5.12)."""
        transaction = self.find(number)
        if transaction is None:
            return False
        self.connector(transaction.connector_id).stop("Remote")
        return True

    def button(self, n, name, pressed=True):
        """A button at the front: "stop" ends the transaction (reason Local), "emergency" opens everything.

        Or the contact of a protective device: then `name` is that of its fault.
        """
        connector = self.connector(n)
        if connector is None:
            return
        if name == "emergency":
            connector.evse.emergency(pressed)
        elif name == "stop":
            if pressed:
                connector.evse.press_stop()
        elif pressed:
            connector.evse.raise_fault(name)
        else:
            connector.evse.clear_fault(name)

    # -- operators

    def change_availability(self, n, operative):
        """Takes a connector (0: the station and all connectors) into or out of service (OCPP 1.6 §5.2).

        Returns "accepted", "scheduled" (when a transaction has ended) or "rejected" (no such connector). Kept over
        restarts.
        """
        if n != 0 and self.connector(n) is None:
            return "rejected"
        concerned = self.connectors if n == 0 else (self.connector(n),)
        if not operative:
            _end_usage(concerned)
        self.availability.change(n, operative)
        self._zero.update()
        for connector in concerned:
            connector.update()
        return "accepted" if operative or not any(c.transaction for c in concerned) else "scheduled"

    def withdraw(self, on):
        """Lets nobody begin on any connector until it is taken back or the station restarts (OCPP 1.6 errata 3.49).

        Transactions go on; their connectors become Unavailable when they have ended.
        """
        if on:
            _end_usage(self.connectors)
        self.availability.withdrawn = on
        for connector in self.connectors:
            connector.update()

    async def unlock(self, n):
        """Stops the transaction of connector n (reason UnlockCommand) and lets go of its plug (OCPP 1.6 §5.18).

        Returns "unlocked", "failed", or "not supported" (no lock, no such connector).
        """
        connector = self.connector(n)
        if connector is None or connector.evse.locked is None:
            return "not supported"
        connector.unlock()
        if not await self._until(lambda: connector.transaction is None, _STOP_WAIT_MS):
            return "failed"
        opened = await self._until(lambda: not connector.evse.locked, _UNLOCK_WAIT_MS)
        return "unlocked" if opened else "failed"

    def request_reset(self, hard, by):
        """Stops all transactions, writes them, then emits reset_requested(hard, by). Returns True: it will happen.

        `by` is "csms", or names a local cause ("portal", "update", ...), whose transactions end with reason Reboot.
        """
        if self._resetting is None:
            self._resetting = "Reboot" if by != "csms" else "HardReset" if hard else "SoftReset"
            self.availability.keep("reset", self._resetting)
            for connector in self.connectors:
                if connector.grant:
                    connector.cancel()
                connector.stop(self._resetting)
            asyncio.create_task(self._reset(hard, by))
        return True

    async def _reset(self, hard, by):
        for _ in range(1 + self._settings.get("ResetRetries")):
            if await self._until(lambda: not self.transactions(), _STOP_WAIT_MS):
                break
            self._log.error("station", "a transaction does not end, it will after the restart")
        try:
            self._journal.flush()
        except OSError as exc:
            self._log.error("station", "journal: %s", exc)
        self.reset_requested.emit(hard, by)

    def clear_cache(self):
        """Empties the authorisation cache; False when it is not in use (OCPP 1.6 §5.4, erratum 3.23)."""
        return self._authoriser.clear_cache()

    # -- the back-end's verdicts

    def start_confirmed(self, number, info, token=None):
        """The back-end's verdict (TokenInfo) on the token of a transaction's begin (OCPP 1.6 §4.8).

        `token` is that of the begin record; it is needed for transactions that are over.
        """
        transaction = self.find(number)
        if transaction:
            token = transaction.token
        if token is not None:
            self._authoriser.learn(token, info)
        if transaction is None or transaction.stopping:
            return
        if info.accepted:
            transaction.parent = info.parent or transaction.parent
        else:
            self.connector(transaction.connector_id).refuse(info.parent)

    def stop_confirmed(self, number, info, token=None):
        """The back-end's verdict on the `token` of an end record: for the cache (OCPP 1.6 §4.10)."""
        if token is not None:
            self._authoriser.learn(token, info)

    # -- running

    def tasks(self):
        """Returns [(name, run(beat), heartbeat_ms), ...] for the supervisor."""
        tasks = [("meter %d" % c.number, c.metering.run, _METER_HEARTBEAT_MS) for c in self.connectors]
        tasks.append(("charging", self._run, _HEARTBEAT_MS))
        return tasks

    async def _run(self, beat):
        if not self._ready:
            await self.restart()
        while True:
            beat()
            self.step()
            await self._clock.sleep_ms(_STEP_MS)

    async def restart(self):
        """Closes the transactions that the last power-on left open; nobody can begin one before that.

        The charging task does it first of all. Reads the meters once: what they show is what was delivered.
        """
        try:
            if self.history:
                self.history.repair(self._journal)  # before more transactions end
        except OSError as exc:
            self._log.error("history", "not repaired: %s", exc)
        reason = self.availability.kept.get("reset") or "PowerLoss"
        for _ in range(_CLOSING_TRIES):
            begins = self._journal.open_transactions()
            if not begins:
                break
            for begin in begins:
                if self.connector(begin.connector):
                    self.connector(begin.connector).interrupted()
            await close_transactions(
                begins, self.connectors, self._clock, self._log, self._journal, reason, self._closed
            )
            if self._journal.open_transactions():
                await self._clock.sleep_ms(_CLOSING_PAUSE_MS)
        self.availability.keep("reset", None)
        if self._schedules:
            self._schedules.forget_ended()
        self._ready = True

    def _closed(self, transaction):
        self.transaction_changed.emit("stop", transaction)

    def step(self):
        """What is due now on all connectors; the charging task calls it ten times a second."""
        for turn in self._turns:
            turn.take()

    def _step_schedules(self):
        if self._schedules:
            self._schedules.step()

    def _step_reservations(self):
        if self._reservations:
            self._reservations.step()

    def _step_journal(self):
        try:
            self._journal.flush_due()
        except OSError as exc:
            self._log.error("station", "journal: %s", exc)

    def _may_start(self):
        return self.backend is None or self.backend.may_start

    def may_begin(self):
        """Tells whether transactions are allowed at all now."""
        return self._ready and self._resetting is None and self._may_start()

    async def _until(self, condition, wait_ms):
        """Waits for a condition, which the EVSEs have had time to learn of; False when it is not true in time."""
        deadline = self._clock.ms() + wait_ms
        while self._clock.ms() < deadline:
            await self._clock.sleep_ms(_STEP_MS // 2)
            if condition():
                return True
        return False


def _end_usage(connectors):
    """Ends what is no transaction yet, so that status goes by Available or Finishing, as OCPP 1.6 §4.9 wants it."""
    for connector in connectors:
        if connector.transaction is None and connector.operative:
            connector.cancel()
