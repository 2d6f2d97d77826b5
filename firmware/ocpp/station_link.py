"""Ties the station to its back-end over one link: registration, heartbeat, statuses, transaction messages, calls.

Nothing but BootNotification is sent before the back-end has accepted the station since power-on; while Pending it only
answers, and sends what it is asked for; while Rejected it is silent (OCPP 1.6 §4.2).
"""

from micropython import const

from firmware.charging.authorisation import INVALID, TokenInfo
from firmware.kernel.clock import EARLIEST_PLAUSIBLE, read_time
from firmware.kernel.signal import Signal
from firmware.ocpp.errors import CallError, LinkDown
from firmware.ocpp.outbox import Outbox
from firmware.ocpp.registration import ACCEPTED, PENDING, REJECTED, Registration
from firmware.ocpp.v16.dispatch import Dispatcher, is_off
from firmware.ocpp.v16.facts import Facts
from firmware.ocpp.v16.identity import boot_notification, is_identity
from firmware.ocpp.v16.measurands import Look
from firmware.ocpp.v16.station_keys import fit_keys
from firmware.ocpp.v16.status import StatusReporter
from firmware.ocpp.v16.tokens import MAX_TOKEN, verdict
from firmware.ocpp.waker import Waker
from firmware.store.journal import BEGIN, END
from firmware.store.settings import SettingError
from firmware.store.statefile import StateFile

# Messages that were asked for and wait for their turn; a back-end that asks for more loses the oldest.
_MAX_POSTS = const(16)

_DRAIN_STEP_MS = const(50)

# How long a user whose Authorize gets no answer keeps another user's from being sent.
_PATIENCE_S = const(4)


def outbox_state(storage, log=None):
    """Returns the StateFile of the outbox in the directory `storage`; see cursor.sequence_floor()."""
    return StateFile(storage + "/outbox", log)


class StationLink:
    """The back-end as the station sees it (`station.backend`), and the station as the back-end sees it.

    `maintenance` transfers files, see v16/firmware_management.py; without one that profile is not offered (§3.3).
    `connection` is a Connection; its calls from the back-end are answered by `handle`.
    `registered(status, interval_s)` is emitted at each verdict of the back-end, `queue_changed(length)` when
    transaction messages come or go.
    """

    def __init__(self, station, connection, settings, clock, log, journal, storage, tags, maintenance=None):
        self.station = station
        self._connection = connection
        self.settings = settings
        self.clock = clock
        self.log = log
        self.tags = tags
        self.maintenance = maintenance
        # vendorId -> function(messageId or None, data or None) that answers its DataTransfer (§5.6) with (status, data
        # or None): Accepted, Rejected or UnknownMessageId.
        self.vendors = {}
        self._registration = Registration(lambda: StateFile(storage + "/registered", log), settings, clock)
        self._journal = journal
        self._facts = Facts(journal, settings)
        self._outbox = Outbox(journal, outbox_state(storage), self._facts, self.call, clock, log)
        self._statuses = StatusReporter(station, settings, clock, self._notice)
        self._posts = []  # (action, payload) that were asked for
        self._sending = False
        self._heartbeat_ms = None  # when the next one is due
        self._heartbeat_s = None  # the interval that the back-end named when it accepted the station
        self._boot_asked = False
        self.booted = False  # the back-end has accepted the station on this very connection
        self._waker = Waker(clock)
        self.tells_transfers = not is_off("FirmwareManagement", settings)
        fit_keys(settings, station, maintenance)
        self._dispatcher = Dispatcher(self)
        self.registered = Signal()
        self.queue_changed = self._outbox.changed
        connection.serve(self.handle, self._is_silent)
        connection.doubted.connect(self._doubted)
        connection.link_changed.connect(self._link_changed)
        self._outbox.delivered.connect(self._delivered)
        settings.changed.connect(self._setting_changed)
        station.sampled.connect(self._sampled)
        station.list_conflict.connect(self._list_conflict)
        station.backend = self

    # -- what the station wants from its back-end

    @property
    def online(self):
        """True while the back-end can be asked: link up and accepted."""
        return self._connection.connected and self._registration.status == ACCEPTED

    @property
    def may_start(self):
        """True when transactions may begin, with or without a link."""
        return self._registration.may_start

    async def authorize(self, token):
        """Asks the back-end for its verdict on an id token (§4.1); None: it has answered without one that can be read.

        Raises OSError when there is no answer.
        """
        if not 0 < len(token) <= MAX_TOKEN:
            return TokenInfo(INVALID)
        if not self.online:
            raise LinkDown()
        try:
            response = await self.call("Authorize", {"idTag": token}, patience_s=_PATIENCE_S)
        except CallError as exc:
            raise OSError("Authorize: %s" % exc)
        info = verdict(response)
        return info if info and info.status else None

    # -- what others want to know

    @property
    def registration(self):
        """The back-end's verdict: "Accepted", "Pending", "Rejected", or "None" before its first one."""
        return self._registration.status

    @property
    def connected(self):
        return self._connection.connected

    @property
    def queue_length(self):
        """Facts that the back-end has not acknowledged yet."""
        return self._outbox.length

    def transaction_id(self, tx):
        """Returns the back-end's number of a local transaction, or None."""
        return self._outbox.transaction_id(tx)

    def local_transaction(self, transaction_id):
        """Returns the local number of a transaction of the back-end, or None."""
        return self._outbox.local_transaction(transaction_id)

    def tasks(self):
        """Returns (name, run, heartbeat ms) of the tasks that the supervisor has to run."""
        return (
            ("connection", self._connection.run, None),
            ("messages", self.run, None),
            ("outbox", self._outbox.run, None),
        )

    # -- sending

    async def call(self, action, payload, transmissions=None, patience_s=None):
        """Calls the back-end, whatever the registration; see Calls.call().

        Raises CallError, or OSError for no answer or no link.
        """
        return await self._connection.call(action, payload, transmissions, patience_s)

    def post(self, action, payload):
        """Sends a message that was asked for as soon as it can be, and once: nobody waits for the answer."""
        if len(self._posts) >= _MAX_POSTS:
            self.log.warning("ocpp", "%s dropped", self._posts.pop(0)[0])
        self._posts.append((action, payload))
        self._notice()

    def post_status(self, n):
        """Sends the status that a connector has now."""
        self.post("StatusNotification", self._statuses.payload(n))

    def triggered_meter_values(self, n):
        """Returns ("MeterValues", payload) of what the meter of a connector says now, or None when it says nothing.

        Connector 0 is all meters together. Nothing: no reading of the last seconds, or none of the configured
        measurands in it.
        """
        sample = self.station.sample(n)
        return sample and self._meter_values(n, "trigger", *sample)

    def boot_now(self):
        """Sends BootNotification without waiting for the interval; the back-end asked for it."""
        self._boot_asked = True
        self._waker.wake()

    def heartbeat_now(self):
        self.post("Heartbeat", {})

    def transfer_status(self, message):
        """Returns the payload of a status message of transfers that was asked for (§4.4, §4.5)."""
        if self.maintenance:
            return self._dispatcher.profile("FirmwareManagement").status(message)
        return {"status": "Idle"}

    def _doubted(self):
        if self.online:
            self.heartbeat_now()

    async def drain(self, timeout_ms):
        """Waits until the back-end has acknowledged all that it ought to know; returns False if it has not.

        Gives up after `timeout_ms`, and at once without a link. To be called before a restart (§5.14).
        """
        if self.online:
            self._outbox.resume()
        deadline_ms = self.clock.ms() + timeout_ms
        while self.online and self._unsaid():
            if self.clock.ms() >= deadline_ms:
                return False
            await self.clock.sleep_ms(_DRAIN_STEP_MS)
        return not self._unsaid()

    def _unsaid(self):
        return self._outbox.length or self._posts or self._sending or self._statuses.wait_ms() is not None

    # -- answering

    def handle(self, action, payload):
        """Answers a call from the back-end, see Dispatcher.handle()."""
        return self._dispatcher.handle(action, payload)

    def _is_silent(self):
        # A rejected station does not answer, not even to say that a message makes no sense (§4.2).
        return self._registration.status == REJECTED

    # -- what is sent, one message after the other: only one may be on its way

    async def run(self, beat):
        """Sends what is due, the most urgent first."""
        while True:
            if not (self._connection.connected and await self._speak()):
                await self._waker.wait(self._idle_ms())

    def _idle_ms(self):
        """Returns how long there is nothing to do, None for ever."""
        if not self._connection.connected:
            return None
        if self._registration.status != ACCEPTED:
            return self._registration.wait_ms()
        waits = (self._statuses.wait_ms(), self._heartbeat_ms and max(0, self._heartbeat_ms - self.clock.ms()))
        return min([ms for ms in waits if ms is not None], default=None)

    async def _speak(self):
        """Registers, keeps the heart beating, sends what was asked for and statuses; returns False for nothing."""
        if self._boot_asked or not self._registration.current:
            if self._boot_asked or not self._registration.wait_ms():
                self._boot_asked = False
                await self._register()
                return True
        elif self._heartbeat_ms is not None and self.clock.ms() >= self._heartbeat_ms:
            self._plan_heartbeat()
            await self._heartbeat()
            return True
        if self._posts and self._registration.status in (ACCEPTED, PENDING):
            await self._send_post(*self._posts.pop(0))
            return True
        status = self._statuses.next() if self.online else None
        if status is None:
            return False
        await self._send_status(status)
        return True

    async def _register(self):
        identity = boot_notification(self.settings)
        try:
            response = await self.call("BootNotification", identity)
        except LinkDown:
            return await self._waker.wait()  # the link's next signal
        except (CallError, OSError) as exc:
            self.log.warning("ocpp", "BootNotification: %s", exc)
            self._registration.unanswered()
            return
        status, interval_s = response.get("status"), response.get("interval") or 0
        if status is None:
            self.log.warning("ocpp", "BootNotification: no status that can be read")
            self._registration.unanswered()
            return
        self.log.info("ocpp", "%s, interval %d s", status, interval_s)
        self._registration.outdated = True  # until the rest is done, too: a station that breaks off here says it again
        self._registration.answered(status, interval_s)
        self.booted = status == ACCEPTED
        if status != REJECTED:
            self._set_clock(response)
        if status == ACCEPTED:
            self._accepted(interval_s)
        else:
            self._outbox.pause()
            self._statuses.pause()
        self._registration.outdated = boot_notification(self.settings) != identity  # it may have changed meanwhile
        self.registered.emit(status, interval_s)

    def _accepted(self, interval_s):
        """The interval of an accepting answer is that of the heartbeat, and of no other (§4.2)."""
        if interval_s > 0:
            try:
                self.settings.set("HeartbeatInterval", interval_s, "system")
            except (SettingError, OSError) as exc:
                self.log.warning("ocpp", "interval not kept: %s", exc)
            self._heartbeat_s = interval_s  # as it was named: the limits of the key are not those of the back-end
        self._plan_heartbeat()
        self._statuses.report_all()
        self._outbox.resume()
        self._tell_maintenance()

    async def _heartbeat(self):
        try:
            self._set_clock(await self.call("Heartbeat", {}))
        except (CallError, OSError) as exc:
            self.log.warning("ocpp", "Heartbeat: %s", exc)

    def _plan_heartbeat(self):
        interval_s = self._heartbeat_s or self.settings.get("HeartbeatInterval")
        self._heartbeat_ms = self.clock.ms() + interval_s * 1000

    def _set_clock(self, response):
        """Sets the clock to the back-end's, unless that makes no sense (see Schema.read(), which has logged why)."""
        value = response.get("currentTime")
        if value is None:
            return
        unix, ms = read_time(value)
        if unix >= EARLIEST_PLAUSIBLE:
            self.clock.set_unix(unix, "ocpp", ms)
        else:
            self.log.warning("ocpp", "clock left alone: currentTime is %s", value)

    def _notice(self):
        self._waker.wake()

    async def _send_post(self, action, payload):
        self._sending = True
        try:
            response = await self.call(action, payload)
            if action == "Heartbeat":
                self._set_clock(response)
        except (CallError, OSError) as exc:
            self.log.warning("ocpp", "%s: %s", action, exc)
        finally:
            self._sending = False

    async def _send_status(self, payload):
        try:
            await self.call("StatusNotification", payload)
        except CallError as exc:
            self.log.warning("ocpp", "StatusNotification refused: %s", exc)
        except OSError as exc:
            self.log.info("ocpp", "StatusNotification: %s", exc)
            self._statuses.failed(payload)
            return
        self._statuses.sent(payload)

    def _sampled(self, n, context, t, reading):
        """A look at a meter that the journal does not have: clock-aligned and outside of a transaction."""
        if context == "clock":
            self._keep(n, context, t, reading)
        else:
            message = self._meter_values(n, context, t, reading)
            if message:
                self.post(*message)

    def _meter_values(self, n, context, t, reading):
        """Returns ("MeterValues", payload) of a reading, or None when none of the configured measurands is in it."""
        connector = self.station.connector(n)  # None: the whole station, which has no transaction (errata 3.16)
        transaction = connector and connector.transaction
        transaction_id = self.transaction_id(transaction.number) if transaction else None
        look = Look(reading, connector and connector.evse.offered_ma)
        return self._facts.meter_values(n, context, t, look, transaction_id)

    def _keep(self, n, context, t, reading):
        """Queues clock-aligned values, which count as transaction messages with and without a transaction (§3.7)."""
        if not self.may_start or not self.settings.get("MeterValuesAlignedData"):
            return
        connector = self.station.connector(n)
        offered_ma = connector and connector.evse.offered_ma
        try:
            self._journal.sample(0, n, context, reading, offered_ma, self.clock.now() - t)
        except OSError as exc:
            self.log.error("ocpp", "sample is not kept: %s", exc)

    # -- what happens

    def _link_changed(self, state, url, error):
        if state == "up":
            if self._registration.current:
                # Mere reconnecting is no boot (OCPP-J 1.6 §5.4): whatever has changed meanwhile, and the queue.
                self._plan_heartbeat()
                self._statuses.resume()
                self._outbox.resume()
                self._tell_maintenance()
        else:
            self.booted = False
            self._outbox.pause()
            self._statuses.pause()
            self._posts = []
        self._waker.wake()

    def _setting_changed(self, name):
        if name in ("CentralSystemUrl", "ChargePointId"):
            self._registration.renew()
            self._outbox.pause()
            self._statuses.pause()
        elif is_identity(name):
            self._registration.outdated = True
        if self.settings.setting(name).needs == "reconnect":
            self._connection.reconnect()
        elif name == "HeartbeatInterval":
            self._heartbeat_s = None
            if self._registration.status == ACCEPTED:
                self._plan_heartbeat()
                self._waker.wake()

    def _delivered(self, record, response):
        """The back-end has its say on the token of a transaction (§4.8, §4.10)."""
        info = response and verdict(response)
        if not info:
            return  # what was decided before stands
        if record.kind == BEGIN:
            if not info.status:
                # No word that says that the token may charge: whatever it is, that is not said.
                self.log.warning("ocpp", "verdict on %s cannot be read: refused", record.token)
                info.status = INVALID
            self.station.start_confirmed(record.tx, info, record.token)
        elif record.kind == END and info.status:
            self.station.stop_confirmed(record.tx, info, record.token)

    def _tell_maintenance(self):
        if self.maintenance:
            self._dispatcher.profile("FirmwareManagement").accepted()

    def _list_conflict(self, token):
        """The back-end contradicts the list that it has sent (§3.5.2)."""
        self._statuses.error(0, "LocalListConflict")
