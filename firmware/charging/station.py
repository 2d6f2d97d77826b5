"""Station: the interface for OCPP, portal, card reader and simulator."""

from collections import namedtuple

from micropython import const

import firmware.charging as charging
from firmware.charging.access import Access
from firmware.charging.authorisation import Authoriser
from firmware.charging.availability import Availability
from firmware.charging.connector import Connector
from firmware.charging.meters import Meters
from firmware.charging.operation import STOP_WAIT_MS, Operation, until
from firmware.charging.restart import close_transactions
from firmware.charging.rows import Rows
from firmware.charging.session import POWER_LOST, REMOTE
from firmware.charging.task import ChargingTask
from firmware.charging.waiting import Waiting
from firmware.kernel.signal import Signal
from firmware.store.slots import Slots

_HEARTBEAT_MS = const(10_000)
_METER_HEARTBEAT_MS = const(60_000)  # meters that do not answer take their time: MeterTimeout

_UNLOCK_WAIT_MS = const(6_000)  # the lock's motor, with its retries

# Features that are loaded when they are first asked for, and the files that show that they are in use
_FILES = {"schedules": "/profiles", "reservations": "/reserved"}


# What a station keeps on flash; history may be None. folder: for what else must survive a restart; None: nothing does
Stores = namedtuple("Stores", ("journal", "tags", "cache", "history", "folder"))

# What all its parts work with
Services = namedtuple("Services", ("clock", "log", "settings", "journal", "folder"))


class Station:
    """Everything a face may ask of the station. Connectors are numbered 1..n; 0 is the station itself (OCPP 1.6 §3.8).

    `evses` and `meters` are in the order of the connectors; a meter may be None (none fitted).

    availability  Availability: in service or not
    zero          ConnectorZero: the faults of the station as a whole
    access        Access: cards; authoriser  Authoriser: tokens
    meters        Meters: what they say now
    operation     Operation: back-end, reset
    task          ChargingTask
    features      those that are in use by name, see schedules and reservations

    Signals, all synchronous:
    status_changed(n, Status)        at once, also offline; n = 0 included
    transaction_changed(event, tx)   event "start" or "stop", after the record is in the journal; tx is a Transaction
    """

    def __init__(self, clock, log, settings, stores, evses, meters):
        self._services = services = Services(clock, log, settings, stores.journal, stores.folder)
        self._history = stores.history
        self.features = {}
        self.status_changed = Signal(log.observer_failed)
        self.transaction_changed = Signal(log.observer_failed)
        self.connectors = connectors = []
        self.availability = Availability(connectors, len(evses), services)
        self.zero = self.availability.zero
        self.operation = Operation(connectors, services, self.availability)
        self.authoriser = Authoriser(clock, log, settings, stores.tags, stores.cache, self.operation)
        self.access = Access(connectors, self.authoriser, services, self.operation)
        self.meters = Meters(connectors, services, self.operation.may_start)
        self.task = ChargingTask(clock, log, self._restart)
        self._connect(evses, meters)
        for name, file in _FILES.items():
            if services.folder and Slots(services.folder + file, log).load():
                getattr(self, name)

    def _connect(self, evses, meters):
        services = self._services
        add = self.task.add
        self.zero.changed.connect(self.status_changed.emit)
        self.transaction_changed.connect(self.availability.transaction_changed)
        if self._history:
            rows = Rows(self._history, services.journal, services.clock)
            self.transaction_changed.connect(rows.follow)
            add("history", rows.step)
        for i, evse in enumerate(evses):
            connector = Connector(i + 1, evse, meters[i], services, self.availability.operative(i + 1), self.access)
            connector.changed.connect(self.status_changed.emit)
            connector.charged.connect(self.transaction_changed.emit)
            self.connectors.append(connector)
            connector.change()  # it has its first status before anything listens
            add(connector.session.area, Waiting(connector, self.access, services, len(evses) > 1).step)
            add(connector.session.area, connector.step, connector.out_of_order)
        add("station", self.meters.step)
        add("journal", services.journal.flush_due)

    # -- looking

    @property
    def schedules(self):
        """The charging profiles: schedules.Schedules."""
        name = "schedules"
        return self.features.get(name) or self._begin(name, charging.Schedules, self.transaction_changed)

    @property
    def reservations(self):
        """The reservations: reservations.Reservations."""
        name = "reservations"
        if name not in self.features:
            parts = self.zero, self.access.claims, self.transaction_changed
            self.access.reservations = self._begin(name, charging.Reservations, *parts)
        return self.features[name]

    def _begin(self, name, feature, *parts):
        folder = self._services.folder
        store = Slots(folder + _FILES[name], self._services.log) if folder else None
        self.features[name] = made = feature(self.connectors, self._services, store, *parts)
        self.task.add("station", made.step)
        return made

    def connector(self, n):
        """Returns Connector n (1..), or None when there is none."""
        if isinstance(n, int) and 1 <= n <= len(self.connectors):
            return self.connectors[n - 1]
        return None

    def status(self, n):
        """Returns the newest Status of connector n, of the station for n = 0, or None: no such connector."""
        if n == 0:
            return self.zero.status
        connector = self.connector(n)
        return connector and connector.status

    def transaction(self, n):
        """Returns the Transaction of connector n (`stopping` is True while it ends), or None."""
        connector = self.connector(n)
        return connector and connector.transaction

    def find(self, number):
        """Returns the Connector of the transaction with the local number `number` if that has not ended, or None."""
        for connector in self.connectors:
            if connector.transaction and connector.transaction.number == number:
                return connector
        return None

    # -- users

    async def swipe(self, token, connectors=None):
        """A card at the reader. `connectors` are the numbers that the reader serves, None for all.

        Returns what came of it: "start", "stop", "released" (the plug that was kept locked for this user), "cancelled"
        (second presentation before the plug came), "busy" (already on its way) or "refused". Never raises.
        """
        if self.operation.resetting:
            return "refused"
        return await self.access.swipe(token, connectors)

    def remote_start(self, token, connector=None, profile=None):
        """Starts for `token` on a connector, or on one that the station chooses (OCPP 1.6 §5.11).

        `profile` is a composite.Profile for the transaction that comes of it, whichever that will be.

        Returns False when it is known at once that nothing can come of it. Authorisation (AuthorizeRemoteTxRequests)
        goes on by itself; without a vehicle the station waits for one for ConnectionTimeOut.
        """
        if self.operation.resetting or (profile and not self.schedules.has_room(profile)):
            return False
        return self.access.remote_start(token, connector, profile)

    def remote_stop(self, number):
        """Stops the transaction with the local number; False when it does not run (OCPP 1.6 §5.12)."""
        connector = self.find(number)
        if connector:
            connector.stop(REMOTE)
        return connector is not None

    def button(self, n, name, pressed=True):
        """A button at the front: "stop" ends the transaction (reason LOCAL), "emergency" opens everything.

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

    def set_limit(self, n, slot, milliamps):
        """Sets the named slot of connector n's current limit, mA per phase; None clears it. Raises ValueError.

        The lowest slot counts. "supply", what the installation bears, is shared by the connectors.
        """
        limits = self.connector(n).evse.limits
        if milliamps is None:
            limits.clear(slot)
        else:
            limits.set(slot, milliamps)
        if slot == "supply" and len(self.connectors) > 1:
            self.schedules.apply()

    async def unlock(self, n, reason=None):
        """Releases the plug of connector n (OCPP 1.6 §5.18). A running transaction is stopped first for a `reason` of
        session.py; without one it goes on and keeps its plug.

        Returns "unlocked", "failed", "in use", or "not supported" (no lock, no such connector).
        """
        connector = self.connector(n)
        if connector is None or connector.evse.locked is None:
            return "not supported"
        clock = self._services.clock
        if reason:
            connector.stop(reason)
        if connector.transaction and not connector.transaction.stopping:
            return "in use"
        connector.release_plug()
        if not await until(clock, lambda: connector.transaction is None, STOP_WAIT_MS):
            return "failed"
        opened = await until(clock, lambda: not connector.evse.locked, _UNLOCK_WAIT_MS)
        return "unlocked" if opened else "failed"

    # -- the back-end's verdicts

    def confirmed(self, number, token, info):
        """The back-end's verdict (TokenInfo) on the `token` of a transaction's begin (OCPP 1.6 §4.8)."""
        self.authoriser.learn(token, info)
        connector = self.find(number)
        if connector is None or connector.transaction.stopping:
            return
        if info.accepted:
            connector.transaction.grant.parent = info.parent or connector.transaction.parent
        else:
            connector.refuse(info.parent)

    # -- running

    def tasks(self):
        """Returns [(name, run(beat), heartbeat_ms), ...] for the supervisor."""
        tasks = [("meter %d" % c.number, c.metering.run, _METER_HEARTBEAT_MS) for c in self.connectors]
        tasks.append(("charging", self.task.run, _HEARTBEAT_MS))
        return tasks

    async def _restart(self):
        """Closes the transactions that the last power-on left open; none can begin before that."""
        try:
            if self._history:
                self._history.repair(self._services.journal)  # before more transactions end
        except OSError as exc:
            self._services.log.error("history", "not repaired: %s", exc)
        reason = self.availability.kept.get("reset") or POWER_LOST
        await close_transactions(self.connectors, self._services, reason, self.transaction_changed.emit)
        self.availability.keep("reset", None)
        if "schedules" in self.features:
            self.schedules.forget_ended()
        self.operation.ready = True
