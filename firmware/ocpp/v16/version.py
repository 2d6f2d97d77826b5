"""OCPP 1.6 assembled: Authorize, Heartbeat, BootNotification and the rest that backend.Backend asks of a version."""

from micropython import const

from firmware.ocpp.backend import Backend, outbox_state
from firmware.ocpp.errors import CallError
from firmware.ocpp.heartbeat import Heartbeat
from firmware.ocpp.outbox import Outbox
from firmware.ocpp.registration import Registrar, Registration
from firmware.ocpp.requested import Requested
from firmware.ocpp.sender import Sender
from firmware.ocpp.v16.dispatch import Dispatcher, is_off
from firmware.ocpp.v16.facts import Facts
from firmware.ocpp.v16.identity import boot_notification, is_identity
from firmware.ocpp.v16.meter_values import TriggeredValues
from firmware.ocpp.v16.rules import Rules
from firmware.ocpp.v16.station_keys import fit_keys
from firmware.ocpp.v16.status import StatusReporter, StatusSource
from firmware.ocpp.v16.tokens import MAX_TOKEN, verdict
from firmware.ocpp.waker import Waker
from firmware.store.journal import BEGIN, END
from firmware.store.statefile import StateFile
from firmware.store.tokens import INVALID, TokenInfo

# An unanswered Authorize blocks the Authorize of another user for at most this long.
_PATIENCE_S = const(4)

_IDLE = "Idle"


class Transfers:
    """Status of file transfers. `offered`: False when the profile is switched off."""

    def __init__(self, offered):
        self.offered = offered
        self.told = {}  # status message -> status sent last, of transfers in progress

    def status(self, message):
        """Returns the payload of a requested status message: Idle unless a transfer is in progress (§4.4, §4.5)."""
        return {"status": self.told.get(message, _IDLE)}


class Ocpp16:
    """The version of OCPP for Backend, see there.

    `vendors`: vendorId -> function(messageId or None, data or None) that answers its DataTransfer (§5.6) with (status,
    data or None): Accepted, Rejected or UnknownMessageId.
    """

    def __init__(self, station, settings, log, dispatcher, vendors, maintenance):
        self._station = station
        self._settings = settings
        self._log = log
        self._dispatcher = dispatcher
        self._maintenance = maintenance
        self.vendors = vendors
        self.handle = dispatcher.handle

    is_identity = staticmethod(is_identity)

    def boot(self):
        return "BootNotification", boot_notification(self._settings)

    def verdict(self, response):
        return response.get("status"), response.get("interval") or 0

    def heartbeat(self):
        return "Heartbeat", {}

    def time_in(self, response):
        return response.get("currentTime")

    async def authorize(self, call, token):
        """§4.1"""
        if not 0 < len(token) <= MAX_TOKEN:
            return TokenInfo(INVALID)
        try:
            response = await call("Authorize", {"idTag": token}, None, _PATIENCE_S)
        except CallError as exc:
            raise OSError("Authorize: %s" % exc)
        info = verdict(response)
        return info if info and info.status else None

    def delivered(self, record, response):
        """Applies the idTagInfo in the answer to StartTransaction or StopTransaction (§4.8, §4.10)."""
        info = response and verdict(response)
        if not info:
            return  # the earlier decision stays
        if record.kind == BEGIN:
            if not info.status:
                # Only a readable Accepted allows charging.
                self._log.warning("ocpp", "token %s refused: idTagInfo has no valid status", record.token)
                info.status = INVALID
            self._station.confirmed(record.tx, record.token, info)
        elif record.kind == END and info.status and record.token:
            self._station.authoriser.learn(record.token, info)

    def accepted(self):
        """Reports the result of an installation, or continues an update."""
        if self._maintenance:
            self._dispatcher.profile("FirmwareManagement").accepted()


def build(connection, storage, parts):
    """Builds the Backend of a station for OCPP 1.6.

    `storage` is the directory for durable state. `parts` by name: station, settings, clock, log, journal, tags, and
    maintenance, which transfers files, see firmware_management.py; with None that profile is not offered (§3.3).
    Feature profiles get the parts that they list as `needs`, including those built here.
    """
    station, settings, clock, log = parts["station"], parts["settings"], parts["clock"], parts["log"]
    journal, maintenance, call = parts["journal"], parts["maintenance"], connection.call
    transfers = Transfers(not is_off("FirmwareManagement", settings))
    fit_keys(settings, station, maintenance)
    parts = dict(parts)
    dispatcher = Dispatcher(parts, settings)
    version = Ocpp16(station, settings, log, dispatcher, {}, maintenance)
    facts = Facts(journal, settings)
    outbox = Outbox(journal, outbox_state(storage), facts, call, clock, log)
    verdict_file = StateFile(storage + "/registered", log)
    registration = Registration(verdict_file, lambda: _address(settings), clock, Rules.registration)
    waker = Waker(clock)
    statuses = StatusReporter(station, settings, clock, waker.wake)
    registrar = Registrar(registration, version, call, log)
    heartbeat = Heartbeat(registration, version, call, settings, clock, log)
    requested = Requested(registration, call, log, waker.wake)
    sender = Sender(connection, registrar, heartbeat, requested, StatusSource(statuses, call, log), waker)
    backend = Backend(connection, version, registration, sender, outbox, settings)
    parts.update(
        {
            "meter_values": TriggeredValues(station, facts, outbox),
            "outbox": outbox,
            "registration": registration,
            "sender": sender,
            "statuses": statuses,
            "transfers": transfers,
            "vendors": version.vendors,
        }
    )
    registrar.serve(backend.answered)
    # The back-end contradicts the list that it has sent (§3.5.2).
    station.authoriser.conflict.connect(lambda token: statuses.error(0, "LocalListConflict"))
    station.operation.backend = backend
    return backend


def _address(settings):
    url = settings.get("CentralSystemUrl")
    return url and url + "/" + settings.get("ChargePointId")
