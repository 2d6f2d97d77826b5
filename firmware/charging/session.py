"""Session: begin, follow and end of a transaction, with reasons to stop.

step() goes as far as it can, ten times a second. What breaks off is done again with the next step, on the same
transaction. What is not in the journal did not happen, so the record is written first, then the signal is emitted.
"""

from micropython import const

from firmware.kernel.signal import Signal

# Why a transaction stops
LOCAL = "local"  # a card, or the stop button
REMOTE = "remote"
UNPLUGGED = "unplugged"
UNLOCKED = "unlocked"  # the back-end wants the plug released
DEAUTHORISED = "deauthorised"
EMERGENCY = "emergency stop"
POWER_LOST = "power lost"
SOFT_RESET = "soft reset"
HARD_RESET = "hard reset"
REBOOT = "reboot"  # a reset for a reason of the station's own

# How long the begin of a transaction waits for a fresh reading: it stands between a user and the pilot's PWM. The end
# is what the user pays, and waits for as long as the meter may need (Metering.patience_ms).
_READ_MS = const(700)

# IEC 61851-1 table A.6 seq. 10: a vehicle has 3 s to stop drawing, and after 6 s the EVSE opens under load. The end
# value covers what flows until then; for a contactor that is closed for longer than that, waiting is no use.
_CURRENT_GONE_MS = const(7_000)

# The coil is off, but the main contacts carry current until they have moved.
_CONTACTS_OPEN_MS = const(50)

# The energy that a power cut may cost the journal, and the time: at first a few seconds, later an eighth of what the
# transaction has lasted, at most the setting RunningStateInterval.
SAVE_WH = 500
_SAVE_S = const(5)


class Transaction:
    """One transaction, from its begin record in the journal to its end record.

    number        local transaction number, >= 1, never reused; the back-end's own number is the back-end face's affair
    connector_id  1..n
    grant         the Grant of its user: token, group, the reservation that it used up, the profile that came with it
    begin_t, begin_wh   Unix seconds and register (Wh) at the begin; given as None when the meter could not be read, it
                  counts from 0
    wh            newest register value, Wh, never below begin_wh
    suspended     True while energy is withheld because the back-end refused the token
    reason        None while it runs; then why it stops or stopped (LOCAL, REMOTE, ...)
    stop_token    id token that stopped it, None without one
    """

    def __init__(self, number, connector_id, grant, begin_t, begin_ms, begin_wh):
        self.number = number
        self.connector_id = connector_id
        self.grant = grant
        self.begin_t = begin_t
        self.begin_ms = begin_ms
        self.begin_wh = self.wh = begin_wh or 0
        self._begun_blind = begin_wh is None
        self.suspended = False
        self.reason = None
        self.stop_token = None
        self.allowance_wh = None  # register at which MaxEnergyOnInvalidId is used up
        self.end_t = None

    token = property(lambda self: self.grant.token)
    parent = property(lambda self: self.grant.parent)
    stopping = property(lambda self: self.reason is not None)  # True from then until the end record is written

    @property
    def end_wh(self):
        """The register for the end record; None if the meter never answered, so that begin and end say the same."""
        return None if self._begun_blind and not self.wh else self.wh

    def open(self, journal):
        """Writes the begin record. Raises OSError when it could not be written; doing it again changes nothing."""
        wh = None if self._begun_blind else self.begin_wh
        journal.begin(self.number, self.connector_id, self.token, wh, self.grant.reservation, self.parent)

    def close(self, journal):
        """Writes the end record. Raises OSError when it could not be written; doing it again changes nothing."""
        end_t = journal.time_in(self.number)
        if end_t is not None:  # once the end is written, no time runs
            self.end_t = end_t
        journal.end(self.number, self.connector_id, self.stop_token, self.end_wh, self.reason)
        for begin in journal.transaction(self.number):
            self.begin_t = begin.t  # the clock may have been learned meanwhile
            break


class Session:
    """Takes the transactions of connector `number` from begin to end; `usage` has the one that is there.

    `changed` is Signal(event, Transaction): "start" or "stop", after the record is in the journal.
    """

    def __init__(self, number, usage, metering, sampler, services):
        self._number = number
        self._usage = usage
        self._metering = metering
        self._sampler = sampler
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._journal = services.journal
        self._requested_ms = 0  # since when a reading is wanted, for the begin or for the end
        self._quiet_ms = None  # when the current was seen to have stopped after the stop
        self._starting = None  # the Transaction whose begin is being written
        self._untold = []  # (event, Transaction) for `changed`
        self._saved = (0, 0, None)  # of the running state on flash: Wh, ms, time of the transaction
        self.changed = Signal(services.log.observer_failed)

    def step(self, may_begin):
        """Does what is due; `may_begin`: nothing but a fresh reading is missing for the user's transaction.

        Returns False when the flash refuses the begin: nothing begins then.
        """
        transaction = self._usage.transaction
        if self._starting or (transaction is None and may_begin and self._has_fresh_reading()):
            return self._begin()
        if transaction:
            self._follow(transaction)
            if transaction.stopping and self._has_last_reading():
                self._end(transaction)
        self._sampler.step(self._usage.transaction if self._metering.counting else None, self)
        return True

    # -- 1. fresh reading

    def request_reading(self):
        """Asks for a reading that is taken from now on, for the begin or for the end."""
        self._metering.request()
        self._requested_ms = self._clock.ms()

    def _has_fresh_reading(self):
        metering = self._metering
        if not metering.settled:
            return False  # it is not known where to count from; three polls at most
        waited_ms = self._clock.ms() - self._requested_ms
        if metering.in_doubt:
            return waited_ms >= metering.patience_ms
        return metering.polled_at >= self._requested_ms or waited_ms >= _READ_MS

    # -- 2. begin

    def _begin(self):
        metering, usage = self._metering, self._usage
        if self._starting is None:
            number = self._journal.next_tx()
            wh = None if metering.unreadable else metering.register_wh
            now_ms = self._clock.ms()
            self._starting = Transaction(number, self._number, usage.grant, self._clock.now(), now_ms, wh)
        transaction = self._starting
        try:
            transaction.open(self._journal)
        except OSError as exc:
            if self._journal.has_begun(transaction.number):
                return True  # it is written all the same, and the next step goes on
            # What is not written did not happen: no energy either.
            self._starting = None
            self._log.error(self.area, "transaction is not kept, none begins: %s", exc)
            return False
        if not metering.counting:
            metering.count_from(transaction.begin_wh)
            self._saved = (transaction.begin_wh, self._clock.ms(), transaction.begin_t)
            self._sampler.take(transaction, "begin", transaction.end_wh)
        self._untold.append(("start", transaction))
        usage.transaction, usage.grant, self._starting = transaction, None, None
        self._log.info(self.area, "transaction %d begins at %d Wh", transaction.number, transaction.begin_wh)
        if not usage.evse.connected:
            self.stop(UNPLUGGED)  # gone while the begin was tried again
        return True

    # -- 3. follow

    def _follow(self, transaction):
        """Keeps register and time on flash, so that a power cut costs little of them."""
        if not self._metering.counting:
            return
        transaction.wh = max(transaction.wh, self._metering.register_wh)
        saved_wh, saved_ms, _ = self._saved
        now_ms = self._clock.ms()
        # A vehicle that draws nothing has its time kept all the same: it ends there when the power goes.
        wait_s = min(_SAVE_S + (now_ms - transaction.begin_ms) // 8_000, self._settings.get("RunningStateInterval"))
        if transaction.wh - saved_wh >= SAVE_WH or (now_ms - saved_ms) // 1000 >= max(_SAVE_S, wait_s):
            self._save(transaction)

    def secure(self):
        """Keeps register and time on flash before they are sent: the end is never before or below them."""
        transaction = self._usage.transaction
        if transaction and self._metering.counting:
            saved_wh, _, saved_t = self._saved
            if transaction.wh > saved_wh or self._journal.time_in(transaction.number) != saved_t:
                self._save(transaction)

    def _save(self, transaction):
        self._saved = (transaction.wh, self._clock.ms(), self._journal.time_in(transaction.number))
        try:
            self._journal.save_running(transaction.number, self._number, transaction.wh)
        except OSError as exc:
            self._log.error(self.area, "running state is not kept: %s", exc)

    def refuse(self, parent):
        """The back-end does not accept the token (OCPP 1.6 §3.5.4, erratum 3.17): MaxEnergyOnInvalidId is left."""
        transaction = self._usage.transaction
        allowance = self._settings.get("MaxEnergyOnInvalidId")
        transaction.grant.parent = parent or transaction.parent
        transaction.allowance_wh = transaction.wh + allowance
        self._log.warning(self.area, "transaction %d: token refused, %d Wh left", transaction.number, allowance)

    @property
    def is_spent(self):
        """True when a refused token has had its MaxEnergyOnInvalidId and the transaction goes on."""
        transaction = self._usage.transaction
        if transaction is None or transaction.stopping or transaction.allowance_wh is None:
            return False
        return transaction.wh >= transaction.allowance_wh

    # -- 4. stop

    def stop(self, reason, token=None):
        """Energy is withdrawn at once; the end record follows when the current has gone and the meter has been read.

        Returns False when no transaction runs.
        """
        transaction = self._usage.transaction
        if transaction is None or transaction.stopping:
            return False
        # In one go: a stop that breaks off in between would end with a reading of before.
        self._quiet_ms, self._requested_ms, self._usage.used_up = None, self._clock.ms(), True
        transaction.stop_token, transaction.reason = token, reason
        self._metering.request()
        self._log.info(self.area, "transaction %d stops: %s", transaction.number, reason)
        return True

    # -- 5. last reading

    def _has_last_reading(self):
        """True when no more energy flows and the meter was read after that, or there is no hope for it."""
        now = self._clock.ms()
        if self._quiet_ms is None:
            # A vehicle that draws nothing for a moment may draw again: only the open contactor is an end.
            if self._usage.evse.charging and now - self._requested_ms < _CURRENT_GONE_MS:
                return False
            self._quiet_ms = now + _CONTACTS_OPEN_MS
        if self._metering.answered_since(self._quiet_ms):
            return True
        self._metering.request()  # again, if the poll under way began while current still flowed
        return now - self._quiet_ms >= self._metering.patience_ms

    # -- 6. end

    def _end(self, transaction):
        if self._metering.counting:
            wh = transaction.end_wh
            self._metering.stop_counting()
            self._sampler.take(transaction, "end", wh)
        try:
            transaction.close(self._journal)
        except OSError as exc:
            # The next step tries again. Until then no other user can begin here.
            self._log.error(self.area, "end of transaction %d is not kept: %s", transaction.number, exc)
            return
        self._untold.append(("stop", transaction))
        self._usage.transaction = None
        self._log.info(self.area, "transaction %d ended at %d Wh", transaction.number, transaction.wh)

    def tell(self):
        """Emits what has come of it, once the EVSE has its new permissions."""
        while self._untold:
            self.changed.emit(*self._untold.pop(0))

    area = property(lambda self: "connector %d" % self._number)  # its name in the log
