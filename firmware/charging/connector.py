"""One connector: who uses it, when its transaction begins and ends, what its EVSE may do, and which status that is.

Everything that happens sets a few fields; `update()` then derives the EVSE's permissions and the status from them, at
once. What takes time or writes the journal is left to `step()`, ten times a second: beginning and finishing a
transaction, time-outs, samples.
"""

from micropython import const

from firmware.charging.status import (
    AVAILABLE,
    DONE,
    FAULTED,
    IDLE,
    RUNNING,
    SUSPENDED_EVSE,
    UNAVAILABLE,
    WAITING,
    Status,
    status_word,
)
from firmware.charging.transaction import Grant, Transaction
from firmware.store.settings import UnknownSetting

# A vehicle needs about a second from the pilot's PWM to state C and may take two; then its C is debounced (500 ms) and
# the contactor closes.
_SETTLE_MS = const(3_000)

# How long the begin of a transaction waits for a fresh look at the meter: it stands between a user and the pilot's PWM.
# The end is what the user pays, and waits for as long as the meter may need (Metering.patience_ms).
_READ_MS = const(700)

# IEC 61851-1 table A.6 seq. 10: a vehicle has 3 s to stop drawing, and after 6 s the EVSE opens under load. The end
# value covers what flows until then; for a contactor that is closed for longer than that, waiting is no use.
_CURRENT_GONE_MS = const(7_000)

_POWER_RETURN_MS = const(5_000)  # a plug that is seen so soon after power-on was in before
_PLUGGING_MS = const(3_000)  # a plug that goes in may lose contact again, and finds it within that time
_NEXT_USE = 1 << 60  # ms that never come

# The coil is off, but the main contacts carry current until they have moved.
_CONTACTS_OPEN_MS = const(50)

_EV_SIDE = "EV side disconnected"  # the words of OCPP 1.6 §4.9


class Connector:
    """The session of one connector. Everybody above comes through Station.

    number, evse, metering
    transaction   the running or stopping Transaction, or None
    grant         the Grant of an authorised user whose transaction has not begun, or None
    claimed       True while a token is being checked for this connector
    owner         (token, parent) of the user for whom the plug stays locked after the transaction, or None
    reserved      it is kept for somebody; who that is, Reservations knows
    status        newest Status
    plugged_ms    when the vehicle was plugged in, ms; only has a meaning while the EVSE is connected
    used_up       the plug that is in has had its turn: a transaction, or the time-out
    twin          its reader serves other connectors, too

    `station` is the Station, whose signals tell of it and who knows what concerns all connectors.
    """

    twin = False

    def __init__(self, number, evse, metering, station, clock, log, settings, journal):
        self.number = number
        self.evse = evse
        self.metering = metering
        self.transaction = None
        self.grant = None
        self.owner = None
        self.reserved = False
        self.status = Status(AVAILABLE if station.availability.operative(number) else UNAVAILABLE, None, "")
        self.plugged_ms = 0
        self.used_up = False
        self._station = station
        self._clock = clock
        self._log = log
        self._settings = settings
        self._journal = journal
        self._connected = False
        self._seen = True  # False: the pilot has not been looked at since the connector was out of service
        self._unplugged_ms = None  # when the plug of an authorised user lost contact again, just after it went in
        self._starting = None  # the Transaction whose begin is being written
        self._untold = []  # (event, Transaction) of which nobody has been told yet
        self._told = None  # the Status of which everybody has been told
        self._free_until = 0  # ms; a plug that was let go of is not locked again before
        self._waiting_ms = None  # since when the status is Preparing
        self._requested_ms = 0  # since when a reading for the begin of the transaction is wanted
        self._answer_ms = 0  # when the offer or the request changed last
        self._asked = 0
        self._offered_ma = 0
        self._info = ""
        changed = self._evse_changed  # one object for all of them
        for signal in (evse.state_changed, evse.contactor_changed, evse.limit_changed, evse.pilot_changed):
            signal.connect(changed)
        evse.fault_changed.connect(self._fault_changed)
        evse.stop_pressed.connect(self._stop_pressed)

    # -- what is the case

    @property
    def session(self):
        """IDLE, WAITING, RUNNING or DONE."""
        if self.transaction and not self.transaction.stopping:
            return RUNNING
        if self.used_up and self._cable_in():
            return DONE
        return WAITING if self.grant or self.evse.connected else IDLE

    @property
    def operative(self):
        """False when the connector is out of service; a transaction keeps it in service until it has ended."""
        return self.transaction is not None or self._station.availability.operative(self.number)

    @property
    def faulted(self):
        """A fault forbids energy."""
        return self._blocked(True)

    def _blocked(self, by_vehicle):
        """Tells whether a fault forbids energy, one that lies with the vehicle only if asked for."""
        for fault in self.evse.faults:
            if fault.blocks and (by_vehicle or not fault.vehicle):
                return True
        return False

    @property
    def startable(self):
        """True when a user could begin here: in service, healthy, and nobody authorised before him."""
        return (
            (self.transaction is None or self.vacated)
            and self.grant is None
            and self.owner is None
            and self._station.availability.operative(self.number)
            and not self.faulted
        )

    @property
    def claimed(self):
        return self._station.access.claimed(self)

    @property
    def vacated(self):
        """True when the transaction only waits for its meter, and its plug is gone: the place is the next user's."""
        return self.transaction is not None and self.session in (IDLE, WAITING)

    def _cable_in(self):
        # Without an EV the plug still shows in a socket by its coding resistor; a fixed cable has no plug here.
        return self.evse.connected or (self.evse.locked is not None and self.evse.cable_ma is not None)

    # -- what users and operators want

    def use(self, grant):
        """An authorised user: the transaction begins as soon as the vehicle is there and nothing forbids it."""
        self.grant = grant
        self._unplugged_ms = None
        self.used_up = False
        self._free_until = 0
        self.metering.request()
        self._requested_ms = self._clock.ms()
        self.update()

    def cancel(self):
        """The usage ends before a transaction has begun (OCPP 1.6 §4.9 B1, B6)."""
        self.grant = self._unplugged_ms = None
        self.used_up = self.evse.connected
        self.update()

    def set_reserved(self, on):
        """Whether the connector is kept for somebody."""
        if on != self.reserved:
            self.reserved = on
            self.update()

    def release_owner(self):
        """The owner has shown his token again: the plug is his."""
        self.owner = None
        self.update()

    def unlock(self):
        """Stops the transaction, if any, and lets go of the plug until the next use or for UnlockWindow (§5.18)."""
        self.stop("UnlockCommand")
        if self._connected:
            self.grant = None  # whoever waited for the lock has to identify again
        window_s = self._option("UnlockWindow", 0)
        self._free_until = self._clock.ms() + window_s * 1000 if window_s else _NEXT_USE
        if not window_s:
            self.owner = None
        self.evse.retry_lock()
        self.update()

    def interrupted(self):
        """The power cut has ended a transaction here: with UnlockAfterPowerLoss its plug is let go of."""
        if self.grant is None and self._option("UnlockAfterPowerLoss", False):
            self._free_until = _NEXT_USE
            self.update()

    def stop(self, reason, token=None):
        """Stops the transaction; `reason` as in OCPP 1.6 §7.36, `token` that of the user who asked, if one did.

        Energy is withdrawn at once. The end record follows when the current has gone and the meter has been read, a few
        seconds later at most. Returns False when no transaction runs.
        """
        transaction = self.transaction
        if transaction is None or transaction.stopping:
            return False
        transaction.reason = reason
        transaction.stop_token = token
        transaction.stop_ms = self._clock.ms()
        self.used_up = True
        self.metering.request()
        self._log.info(self.area, "transaction %d stops: %s", transaction.number, reason)
        self.update()
        return True

    def refuse(self, parent):
        """The back-end does not accept the token of the running transaction (OCPP 1.6 §3.5.4, erratum 3.17)."""
        transaction = self.transaction
        allowance = self._settings.get("MaxEnergyOnInvalidId")
        transaction.parent = parent or transaction.parent
        transaction.allowance_wh = transaction.wh + allowance
        self._log.warning(self.area, "transaction %d: token refused, %d Wh left", transaction.number, allowance)
        self._deny_when_used_up(transaction)

    def _deny_when_used_up(self, transaction):
        if transaction.allowance_wh is None or transaction.wh < transaction.allowance_wh:
            return
        if self._settings.get("StopTransactionOnInvalidId"):
            # The cable stays locked until its owner identifies, or unplugs at the vehicle.
            self.owner = (transaction.token, transaction.parent)
            self.stop("DeAuthorized")
        elif not transaction.suspended:
            transaction.suspended = True
            self.update()

    # -- what the EVSE says

    def _evse_changed(self, *_):
        self._look()
        self.update()

    def _look(self):
        was_seen, self._seen = self._seen, self.evse.state != "F"
        if self.evse.connected != self._connected:
            if self.evse.connected:
                self._plugged(was_seen and self._seen)
            else:
                self._unplugged()
            self._connected = self.evse.connected  # the last of it, so that what broke off is done again

    def _plugged(self, newly):
        """A vehicle is there: `newly`, or it stood here already when the connector came back into service."""
        self.plugged_ms = self._clock.ms()
        if self.plugged_ms > _POWER_RETURN_MS:
            self._free_until = 0
        if self.session == RUNNING:
            self.transaction.info = ""
            return
        self._info = ""
        if self.owner is None:
            self.used_up = False  # OCPP 1.6 §4.9 F2: reconnecting begins a new usage
        if self.grant:
            self.use(self.grant)
        elif newly:
            self._station.access.plugged(self)

    def _unplugged(self):
        transaction = self.transaction
        # A fixed cable is never locked, whatever the setting says.
        unlock = self.evse.locked is None or self._settings.get("UnlockConnectorOnEVSideDisconnect")
        if transaction is None or transaction.stopping:
            if unlock:
                self.owner = None
            if self.grant:
                self._unplugged_ms = self._clock.ms()
                if self._unplugged_ms - self.plugged_ms >= _PLUGGING_MS:
                    self.cancel()  # OCPP 1.6 §4.9 B1: who comes next must not charge for who has gone
        elif self._option("StopTransactionOnEVSideDisconnect", True):
            self._info = _EV_SIDE
            if not unlock:
                self.owner = (transaction.token, transaction.parent)
            self.stop("EVDisconnected")
        else:
            transaction.info = _EV_SIDE  # has priority over unlocking, OCPP 1.6 §4.10

    def _cable_out(self):
        """No cable in the socket, or no vehicle at a fixed one.

        A cable that was taken out here ends the transaction whatever StopTransactionOnEVSideDisconnect says: the next
        one is somebody else's. A fixed cable is never taken out; with false it may charge another vehicle, as OCPP 1.6
        §4.10 says itself.
        """
        if self.session == RUNNING and self.evse.locked is not None:
            self.stop("EVDisconnected")
        if self.used_up:
            self._forget_usage()

    def _fault_changed(self, evse, fault, on):
        if on and fault.name == "emergency_stop":
            self.stop("EmergencyStop")
        self._evse_changed()

    def _stop_pressed(self, evse):
        self.stop("Local")
        self.update()

    def out_of_order(self, on):
        """The session cannot be followed any more: no energy, until it can."""
        (self.evse.raise_fault if on else self.evse.clear_fault)("control_failed")

    @property
    def area(self):
        """The name of the connector in the log."""
        return "connector %d" % self.number

    def _option(self, name, default):
        """Returns the value of a setting that only exists with the part it is about."""
        try:
            return self._settings.get(name)
        except UnknownSetting:
            return default

    # -- what follows from all that

    def update(self):
        """Derives permissions, lock and status; to be called after anything has changed."""
        transaction = self.transaction
        if not self.operative:
            self._forget_usage()
        self.evse.set_available(self.operative)
        self.evse.permit(self.session == RUNNING and not transaction.suspended)
        self.evse.hold_plug(self._plug_held())
        self._publish()

    def _forget_usage(self):
        self.used_up = False
        self._free_until = 0
        self.owner = None
        self._info = ""

    def _plug_held(self):
        if self._clock.ms() < self._free_until or not self.operative:
            return False
        if self.owner is not None:
            return True
        session = self.session
        if session == WAITING:
            return self.evse.connected and (self.grant is not None or self._option("LockEarly", False))
        return session == RUNNING

    def _publish(self):
        now = self._clock.ms()
        session = self.session
        evse = self.evse
        # Without a vehicle there is no cable rating, and nothing is kept from anybody.
        paused = session != RUNNING or self.transaction.suspended or (evse.connected and evse.limit[0] == 0)
        asked = (not paused) + 2 * evse.vehicle_ready
        # An offer that comes back has to be answered, too, whatever had withdrawn it (a change of phases, a fault).
        if asked != self._asked or evse.waking or (evse.offered_ma and not self._offered_ma):
            self._asked = asked
            self._answer_ms = now
        self._offered_ma = evse.offered_ma
        settling = now - self._answer_ms < _SETTLE_MS
        word = status_word(
            session,
            self.status.state,
            # What a vehicle in use causes only suspends it: the station itself is not at fault (OCPP 1.6 §7.6).
            faulted=self._blocked(session == IDLE),
            operative=self.operative and self._seen,
            reserved=self.reserved and self.grant is None,
            offering=not paused and not self.faulted and (evse.offered_ma > 0 or settling or not evse.connected),
            requesting=evse.vehicle_ready,
            delivering=evse.charging,
            settling=settling,
        )
        info = self.transaction.info if session == RUNNING else self._info if session == DONE else ""
        # The info beside a fault is the fault's.
        if word == FAULTED:
            info = ""
        elif word == SUSPENDED_EVSE and not info and not self.transaction.suspended and not self.faulted:
            milliamps, slot = evse.limit
            if not milliamps and slot != "none":
                info = "%s limit below 6 A" % slot  # less than a pilot can signal, IEC 61851-1 table A.7
            elif settling and self.status.state == word:
                info = self.status.info  # until the vehicle has answered: one status less to report
        fault = evse.faults[0] if evse.faults else None
        told = self._told
        if told is None or word != told.state or fault is not told.fault or info != told.info:
            self.status = new = Status(word, fault, info)
            self._station.status_changed.emit(self.number, new)
            self._told = new

    # -- what takes time

    def step(self):
        """Does what is due: time-outs, samples, beginning and finishing a transaction."""
        now = self._clock.ms()
        self._look()
        self._tell()
        if not self._cable_in():
            self._cable_out()
        if self._unplugged_ms is not None and now - self._unplugged_ms >= _PLUGGING_MS:
            self.cancel()
        self._watch_time_out(now)
        self.metering.step()
        if self._starting:
            self._begin()
        elif self.transaction is None:
            self._offer_free_session()
            if self.grant and self._ready_to_begin(now):
                self._begin()
        elif not self.transaction.stopping:
            self._deny_when_used_up(self.transaction)
        elif self._ready_to_finish(now):
            self._finish()
        self.update()

    @property
    def _free(self):
        return self.evse.connected and not self.reserved and self._settings.get("FreevendEnabled")

    def _offer_free_session(self):
        if self.session != WAITING or not self._free or self.claimed:
            return
        # Closing that fails again and again makes no row of empty transactions.
        if self.startable and not self.evse.recovering and self._station.may_begin():
            self.use(Grant(self._settings.get("FreevendIdTag") or self._settings.get("ChargePointSerialNumber")))

    def _watch_time_out(self, now):
        """ConnectionTimeOut counts from Preparing (OCPP 1.6 errata 3.77, 3.89); 0: there is none.

        Where a reader serves several connectors, a vehicle without a user is ready for ReadinessTimeOut from its plug.
        """
        kept = self.reserved and self.grant is None  # which is not Preparing
        if self.session != WAITING or kept or self.faulted or not self.operative or self._free:
            self._waiting_ms = None
            return
        if self._waiting_ms is None:
            self._waiting_ms = now
        ready = self.twin and self.grant is None
        limit = self._settings.get("ReadinessTimeOut" if ready else "ConnectionTimeOut") * 1000
        if limit and now - (self.plugged_ms if ready else self._waiting_ms) >= limit:
            self._waiting_ms = None
            self._log.info(self.area, "nothing happened for %d s", limit // 1000)
            self.cancel()

    def _ready_to_begin(self, now):
        if not self.evse.connected or self.faulted or not self.operative or not self._station.may_begin():
            return False
        if not self.evse.plug_locked:
            return False  # a lock that fails must not leave a transaction behind that never gave energy
        if not self.metering.settled:
            return False  # nobody knows where to count from; three polls at most
        waited_ms = now - self._requested_ms
        if self.metering.in_doubt:
            return waited_ms >= self.metering.patience_ms
        return self.metering.polled_at >= self._requested_ms or waited_ms >= _READ_MS

    def _begin(self):
        """Writes the begin; what breaks off here goes on with the next step, with the same transaction."""
        transaction = self._starting
        if transaction is None:
            number = self._journal.next_tx()
            wh = None if self.metering.unreadable else self.metering.register_wh
            transaction = Transaction(number, self.number, self.grant, self._clock.now(), self._clock.ms(), wh)
            self._starting = transaction
        try:
            self._journal.begin(*transaction.beginning())
        except OSError as exc:
            if self._journal.has_begun(transaction.number):
                return  # it is written all the same, and the next step goes on
            # What is not written did not happen: no energy either.
            self._starting = None
            self._log.error(self.area, "transaction is not kept, none begins: %s", exc)
            self.cancel()
            return
        self.metering.begin(transaction)
        self._untold.append(("start", transaction))
        self.transaction, self.grant, self._starting = transaction, None, None
        self._log.info(self.area, "transaction %d begins at %d Wh", transaction.number, transaction.begin_wh)
        if not self._connected:
            self.stop("EVDisconnected")  # gone while the begin was tried again
        self.update()
        self._tell()

    def _tell(self):
        while self._untold:
            self._station.transaction_changed.emit(*self._untold.pop(0))

    def _ready_to_finish(self, now):
        """True when no more energy flows and the meter was read after that, or waiting any longer makes no sense."""
        transaction = self.transaction
        if transaction.quiet_ms is None:
            # A vehicle that draws nothing for a moment may draw again: only the open contactor is an end.
            if self.evse.charging and now - transaction.stop_ms < _CURRENT_GONE_MS:
                return False
            transaction.quiet_ms = now + _CONTACTS_OPEN_MS
        if self.metering.answered_since(transaction.quiet_ms):
            return True
        self.metering.request()  # again, if the poll under way began while current still flowed
        return now - transaction.quiet_ms >= self.metering.patience_ms

    def _finish(self):
        transaction = self.transaction
        transaction.wh = max(transaction.wh, self.metering.register_wh)
        self.metering.end(transaction)
        try:
            transaction.close(self._journal)
        except OSError as exc:
            # The next step tries again. Until then nobody else can begin here.
            self._log.error(self.area, "end of transaction %d is not kept: %s", transaction.number, exc)
            return
        self._untold.append(("stop", transaction))
        self.transaction = None
        self._log.info(self.area, "transaction %d ended at %d Wh", transaction.number, transaction.wh)
        self.update()
        self._tell()
