"""One connector: what users, operators and its EVSE say, and what it may do in consequence.

Each event changes the state in `usage` and is followed up at once: the EVSE's permissions, the lock, the status. What
takes time or writes the journal is left to step(), ten times a second: the session and the time-outs.
"""

from micropython import const

from firmware.charging.metering import Metering
from firmware.charging.sampling import Sampler
from firmware.charging.session import DEAUTHORISED, EMERGENCY, LOCAL, UNLOCKED, UNPLUGGED, Session
from firmware.charging.status import StatusWatch
from firmware.charging.usage import (
    NEXT_USE,
    RUNNING,
    Usage,
    cable_in,
    has_left,
    in_service,
    is_faulted,
    is_plug_held,
    is_waiting,
    phase,
)
from firmware.store.settings import UnknownSetting

_POWER_RETURN_MS = const(5_000)  # a plug that is seen so soon after power-on was in before
_EV_SIDE = "EV side disconnected"  # the words of OCPP 1.6 §4.9


class Connector:
    """number, evse, metering, usage (Usage), session (Session); the faces come through Station.

    shared    its reader serves other connectors, too
    changed   Signal(n, Status), at once, also offline
    charged   Signal(event, Transaction), see Session.changed

    `access` has plugged(connector): a vehicle has come; may_begin(): transactions are allowed now; may_start(): the
    back-end allows them.
    """

    def __init__(self, number, evse, meter, services, operative, access):
        self.number = number
        self.evse = evse
        self.usage = Usage(evse, operative)
        self.metering = Metering(number, meter, evse, services)
        sampler = Sampler(number, self.metering.current, evse, services, access.may_start)
        self.session = Session(number, self.usage, self.metering, sampler, services)
        self.charged = self.session.changed
        self._watch = StatusWatch(number, self.usage, services.clock, services.log)
        self.changed = self._watch.changed
        self.shared = False
        self._access = access
        self._clock = services.clock
        self._log = services.log
        self._settings = services.settings
        self._connected = False
        self._waiting_ms = None  # since when ConnectionTimeOut runs
        changed = self._evse_changed  # one object for all of them
        for signal in (evse.state_changed, evse.contactor_changed, evse.limit_changed, evse.pilot_changed):
            signal.connect(changed)
        evse.fault_changed.connect(self._fault_changed)
        evse.stop_pressed.connect(lambda evse: self.stop(LOCAL))

    @property
    def status(self):
        """The newest Status."""
        return self._watch.status

    @property
    def transaction(self):
        """The running or stopping Transaction, or None."""
        return self.usage.transaction

    # -- what users and operators want

    def change(self, **facts):
        """Changes fields of `usage`; what follows from them is done at once."""
        for name, value in facts.items():
            setattr(self.usage, name, value)
        self._follow_up()

    def use(self, grant):
        """An authorised user: the transaction begins as soon as the vehicle is there and nothing forbids it."""
        self.session.request_reading()
        self.change(grant=grant, unplugged_ms=None, used_up=False, free_until=0)

    def cancel(self):
        """The usage ends before a transaction has begun (OCPP 1.6 §4.9 B1, B6)."""
        self.change(grant=None, unplugged_ms=None, used_up=self.evse.connected)

    def unlock(self):
        """Stops the transaction, if any, and releases the plug until the next use or for UnlockWindow (§5.18)."""
        self.stop(UNLOCKED)
        window_s = self._option("UnlockWindow", 0)
        self.evse.retry_lock()
        self.change(
            grant=None if self._connected else self.usage.grant,  # who waited for the lock has to identify again
            free_until=self._clock.ms() + window_s * 1000 if window_s else NEXT_USE,
            owner=self.usage.owner if window_s else None,
        )

    def interrupted(self):
        """The power cut has ended a transaction here: with UnlockAfterPowerLoss its plug is released."""
        if self.usage.grant is None and self._option("UnlockAfterPowerLoss", False):
            self.change(free_until=NEXT_USE)

    def stop(self, reason, token=None):
        """Stops the transaction for a reason of session.py; `token` is that of the user who asked, if one did.

        Returns False when no transaction runs.
        """
        stopped = self.session.stop(reason, token)
        self._follow_up()
        return stopped

    def refuse(self, parent):
        """The back-end does not accept the token of the running transaction; `parent` is its group or None."""
        self.session.refuse(parent)
        self._end_refused()

    def _end_refused(self):
        transaction = self.transaction
        if not self.session.is_spent:
            return
        if self._settings.get("StopTransactionOnInvalidId"):
            # The cable stays locked until its owner identifies, or unplugs at the vehicle.
            self.usage.owner = (transaction.token, transaction.parent)
            self.stop(DEAUTHORISED)
        elif not transaction.suspended:
            transaction.suspended = True
            self._follow_up()

    def out_of_order(self, on):
        """The session cannot be followed any more: no energy, until it can."""
        (self.evse.raise_fault if on else self.evse.clear_fault)("control_failed")

    def _option(self, name, default):
        """Returns the value of a setting that only exists with the part it is about."""
        try:
            return self._settings.get(name)
        except UnknownSetting:
            return default

    # -- what the EVSE says

    def _evse_changed(self, *_):
        self._look_at_plug()
        self._follow_up()

    def _fault_changed(self, evse, fault, on):
        if on and fault.name == "emergency_stop":
            self.stop(EMERGENCY)
        self._evse_changed()

    def _look_at_plug(self):
        was_seen, self.usage.seen = self.usage.seen, self.evse.state != "F"
        if self.evse.connected != self._connected:
            if self.evse.connected:
                self._plugged(was_seen and self.usage.seen)
            else:
                self._unplugged()
            self._connected = self.evse.connected  # the last of it, so that what broke off is done again

    def _plugged(self, newly):
        """A vehicle is there: `newly`, or it stood here already when the connector came back into service."""
        usage = self.usage
        usage.plugged_ms = self._clock.ms()
        if usage.plugged_ms > _POWER_RETURN_MS:
            usage.free_until = 0
        if phase(usage) == RUNNING:
            usage.transaction.info = ""
            return
        usage.info = ""
        if usage.owner is None:
            usage.used_up = False  # OCPP 1.6 §4.9 F2: reconnecting begins a new usage
        if usage.grant:
            self.use(usage.grant)
        elif newly:
            self._access.plugged(self)

    def _unplugged(self):
        usage, transaction = self.usage, self.transaction
        # A fixed cable is never locked, whatever the setting says.
        unlock = self.evse.locked is None or self._settings.get("UnlockConnectorOnEVSideDisconnect")
        if transaction is None or transaction.stopping:
            if unlock:
                usage.owner = None
            if usage.grant:
                usage.unplugged_ms = self._clock.ms()
                if has_left(usage, usage.unplugged_ms):
                    self.cancel()  # OCPP 1.6 §4.9 B1
        elif self._option("StopTransactionOnEVSideDisconnect", True):
            usage.info = _EV_SIDE
            if not unlock:
                usage.owner = (transaction.token, transaction.parent)
            self.stop(UNPLUGGED)
        else:
            transaction.info = _EV_SIDE  # has priority over unlocking, OCPP 1.6 §4.10

    def _cable_out(self):
        """No cable in the socket, or no vehicle at a fixed one.

        A cable that was taken out here ends the transaction whatever StopTransactionOnEVSideDisconnect says: the next
        one is another user's. A fixed cable is never taken out; with false it may charge another vehicle, as OCPP 1.6
        §4.10 says itself.
        """
        if phase(self.usage) == RUNNING and self.evse.locked is not None:
            self.stop(UNPLUGGED)
        if self.usage.used_up:
            self._forget_usage()

    def _forget_usage(self):
        usage = self.usage
        usage.used_up, usage.free_until, usage.owner, usage.info = False, 0, None, ""

    # -- what follows

    def _follow_up(self):
        """Derives permissions, lock and status from the state."""
        usage = self.usage
        operative = in_service(usage)
        if not operative:
            self._forget_usage()
        self.evse.set_available(operative)
        self.evse.permit(phase(usage) == RUNNING and not usage.transaction.suspended)
        self.evse.hold_plug(is_plug_held(usage, self._clock.ms(), self._option("LockEarly", False)))
        self._watch.step()

    def step(self):
        """Does what is due: time-outs, and what the session has to do."""
        self._look_at_plug()
        self.session.tell()
        if not cable_in(self.evse):
            self._cable_out()
        if has_left(self.usage, self._clock.ms()):
            self.cancel()
        self._watch_time_out()
        self._end_refused()
        if not self.session.step(self._may_begin()):
            self.cancel()
        self._follow_up()
        self.session.tell()

    def _may_begin(self):
        """Tells whether nothing but a fresh reading is missing for a transaction."""
        evse = self.evse
        # A lock that fails must not leave a transaction behind that never gave energy.
        ready = evse.connected and not is_faulted(evse) and in_service(self.usage) and evse.plug_locked
        return self.usage.grant is not None and ready and self._access.may_begin()

    @property
    def is_free_of_charge(self):
        """True when a vehicle charges here without a user (setting FreevendEnabled)."""
        return self.evse.connected and not self.usage.reserved and self._settings.get("FreevendEnabled")

    def _watch_time_out(self):
        """Ends a usage for which nothing happens for ConnectionTimeOut; 0: there is none.

        Where a reader serves several connectors, a vehicle without a user is ready for ReadinessTimeOut from its plug.
        """
        now = self._clock.ms()
        if not is_waiting(self.usage) or self.is_free_of_charge:
            self._waiting_ms = None
            return
        if self._waiting_ms is None:
            self._waiting_ms = now
        ready = self.shared and self.usage.grant is None
        limit = self._settings.get("ReadinessTimeOut" if ready else "ConnectionTimeOut") * 1000
        if limit and now - (self.usage.plugged_ms if ready else self._waiting_ms) >= limit:
            self._waiting_ms = None
            self._log.info(self.session.area, "nothing happened for %d s", limit // 1000)
            self.cancel()
