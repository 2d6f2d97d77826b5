"""The back-end as the station sees it (`station.operation.backend`): online, authorize, queue length, tasks."""

from micropython import const

from firmware.kernel.signal import Signal
from firmware.ocpp.errors import LinkDown
from firmware.ocpp.registration import ACCEPTED, REJECTED
from firmware.store.statefile import StateFile

_DRAIN_STEP_MS = const(50)


def outbox_state(storage, log=None):
    """Returns the StateFile of the outbox in the directory `storage`; see cursor.sequence_floor()."""
    return StateFile(storage + "/outbox", log)


class Backend:
    """Ties the station to its back-end over a Connection, in one version of OCPP. `version` has

        handle(action, payload)      answers a call of the back-end, see Answers
        async authorize(call, token) returns the back-end's TokenInfo, None if the answer has none; OSError: no answer
        delivered(record, response)  processes the answer to a record of the journal
        accepted()                   called when the back-end accepts messages: sends what has waited
        is_identity(setting)         True when the setting is part of the registration request
        vendors                      vendorId -> function that answers its DataTransfer, see v16/core.py

    `registered(status, interval_s)` is emitted at each answer to a registration request, `queue_changed(length)` when
    transaction messages are added or delivered.
    """

    def __init__(self, connection, version, registration, sender, outbox, settings):
        self.connection = connection
        self._version = version
        self._registration = registration
        self._sender = sender
        self._outbox = outbox
        self._settings = settings
        self.vendors = version.vendors
        self.handle = version.handle
        self.call = connection.call
        self.post = sender.post
        self.registered = Signal(connection.link_changed.on_error)
        self.queue_changed = outbox.changed
        connection.serve(self.handle, lambda: not registration.answers)
        connection.doubted.connect(self._doubted)
        connection.link_changed.connect(self._link_changed)
        outbox.delivered.connect(version.delivered)
        settings.changed.connect(self._setting_changed)

    # -- requests of the station

    @property
    def online(self):
        """True while the back-end can be called: link up and station accepted."""
        return self.connection.connected and self._registration.accepted

    @property
    def may_start(self):
        """True when the registration allows transactions to begin, with or without a link."""
        return self._registration.may_start

    async def authorize(self, token):
        """Asks the back-end to authorise an id token (§4.1); returns its TokenInfo, None if the answer has none.

        Raises OSError when there is no answer.
        """
        return await self._version.authorize(self._ask, token)

    async def _ask(self, action, payload, transmissions=None, patience_s=None):
        if not self.online:
            raise LinkDown()
        return await self.call(action, payload, transmissions, patience_s)

    # -- state

    @property
    def registration(self):
        """Registration status: "Accepted", "Pending", "Rejected", or "None" before the first answer."""
        return self._registration.status

    @property
    def connected(self):
        return self.connection.connected

    @property
    def queue_length(self):
        """Number of session facts that the back-end has not acknowledged yet."""
        return self._outbox.length

    def transaction_id(self, tx):
        """Returns the back-end's id of a local transaction, or None."""
        return self._outbox.transaction_id(tx)

    def local_transaction(self, transaction_id):
        """Returns the local number of a transaction from the back-end's id, or None."""
        return self._outbox.local_transaction(transaction_id)

    def tasks(self):
        """Returns (name, run, heartbeat ms) of the tasks for the supervisor."""
        return (
            ("connection", self.connection.run, None),
            ("messages", self._sender.run, None),
            ("outbox", self._outbox.run, None),
        )

    async def drain(self, timeout_ms):
        """Waits until all queued messages are acknowledged; returns False if some are not.

        Gives up after `timeout_ms`, or at once when the link is down. Call it before a restart (§5.14).
        """
        clock = self._sender.clock
        if self.online:
            self._outbox.resume()
        deadline_ms = clock.ms() + timeout_ms
        while self.online and self._unsaid():
            if clock.ms() >= deadline_ms:
                return False
            await clock.sleep_ms(_DRAIN_STEP_MS)
        return not self._unsaid()

    def _unsaid(self):
        return self._outbox.length or self._sender.busy

    # -- events

    def answered(self, status, interval_s, response):
        """The back-end has answered the registration request."""
        if status != REJECTED:
            self._sender.take_time(response)
        if status == ACCEPTED:
            self._sender.accepted(interval_s)
            self._outbox.resume()
            self._version.accepted()
        else:
            self._outbox.pause()
            self._sender.pause()
        self.registered.emit(status, interval_s)

    def _link_changed(self, state, url, error):
        if state != "up":
            self._outbox.pause()
            self._sender.link_lost()
        elif self._registration.current:
            self._outbox.resume()  # first: it must not depend on what the others raise
            self._sender.resume()
            self._version.accepted()
        self._sender.wake()

    def _setting_changed(self, name):
        if name in ("CentralSystemUrl", "ChargePointId"):
            self._registration.renew()
            self._outbox.pause()
            self._sender.pause()
        elif self._version.is_identity(name):
            self._registration.outdated = True
        if self._settings.setting(name).needs == "reconnect":
            self.connection.reconnect()
        elif name == "HeartbeatInterval":
            self._sender.interval_changed()

    def _doubted(self):
        if self.online:
            self._sender.heartbeat_now()
