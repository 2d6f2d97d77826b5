"""Connector: users, operator and EVSE of one outlet, and its permission to charge.

Each event changes the state in `usage` and is followed up at once: the EVSE's permissions, the lock, the status. What
takes time or writes the journal is left to step(), ten times a second.
"""

from micropython import const

from firmware.charging.metering import Metering
from firmware.charging.sampling import Sampler
from firmware.charging.session import DEAUTHORISED, EMERGENCY, LOCAL, UNPLUGGED, Session
from firmware.charging.status import StatusWatch
from firmware.charging.usage import (
    NEXT_USE,
    RUNNING,
    Usage,
    cable_in,
    forget,
    has_left,
    in_service,
    is_plug_held,
    is_ready,
    phase,
)

_POWER_RETURN_MS = const(5_000)  # a plug that is seen so soon after power-on was in before
_EV_SIDE = "EV side disconnected"  # the words of OCPP 1.6 §4.9


class Connector:
    """number, evse, metering, usage (Usage), session (Session), status (the newest one), transaction (None without).

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
        self._access = access
        self._clock = services.clock
        self._settings = services.settings
        self._connected = False
        changed = self._evse_changed  # one object for all of them
        for signal in (evse.state_changed, evse.contactor_changed, evse.limit_changed, evse.pilot_changed):
            signal.connect(changed)
        evse.fault_changed.connect(self._fault_changed)
        evse.stop_pressed.connect(lambda evse: self.stop(LOCAL))

    status = property(lambda self: self._watch.status)
    transaction = property(lambda self: self.usage.transaction)

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

    def release_plug(self):
        """Unlocks the plug until the next use or for UnlockWindow, as soon as no transaction holds it (§5.18)."""
        window_s = self._settings.get("UnlockWindow", 0)
        self.evse.retry_lock()
        self.change(
            grant=None if self._connected else self.usage.grant,  # who waited for the lock has to identify again
            free_until=self._clock.ms() + window_s * 1000 if window_s else NEXT_USE,
            owner=self.usage.owner if window_s else None,
        )

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
        if self.session.is_spent and self._settings.get("StopTransactionOnInvalidId"):
            # The cable stays locked until its owner identifies, or unplugs at the vehicle.
            self.usage.owner = (transaction.token, transaction.parent)
            self.stop(DEAUTHORISED)
        elif self.session.is_spent and not transaction.suspended:
            transaction.suspended = True
            self._follow_up()

    def out_of_order(self, on):
        """The session cannot be followed any more: no energy, until it can."""
        (self.evse.raise_fault if on else self.evse.clear_fault)("control_failed")

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
        usage.info = ""
        if phase(usage) == RUNNING:
            return
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
            return
        usage.info = _EV_SIDE
        if self._settings.get("StopTransactionOnEVSideDisconnect", True):  # has priority over unlocking, §4.10
            if not unlock:
                usage.owner = (transaction.token, transaction.parent)
            self.stop(UNPLUGGED)

    def _cable_out(self):
        """No cable in the socket, or no vehicle at a fixed one.

        A cable that was taken out here ends the transaction whatever StopTransactionOnEVSideDisconnect says: the next
        one is another user's. A fixed cable is never taken out; with false it may charge another vehicle, as OCPP 1.6
        §4.10 says itself.
        """
        if phase(self.usage) == RUNNING and self.evse.locked is not None:
            self.stop(UNPLUGGED)
        if self.usage.used_up:
            forget(self.usage)

    # -- what follows

    def _follow_up(self):
        """Derives permissions, lock and status from the state."""
        usage = self.usage
        operative = in_service(usage)
        if not operative:
            forget(usage)
        wishes = self.evse.wishes
        wishes.available = operative
        wishes.permitted = phase(usage) == RUNNING and not usage.transaction.suspended
        wishes.hold_plug = is_plug_held(usage, self._clock.ms(), self._settings)
        self._watch.step()

    def step(self):
        """Does what is due: plugs that were pulled, and what the session has to do."""
        self._look_at_plug()
        self.session.tell()
        if not cable_in(self.evse):
            self._cable_out()
        if has_left(self.usage, self._clock.ms()):
            self.cancel()
        self._end_refused()
        if not self.session.step(is_ready(self.usage) and self._access.may_begin()):
            self.cancel()
        self._follow_up()
        self.session.tell()
