"""GetDiagnostics, UpdateFirmware and their status messages (firmware management, OCPP 1.6 §4.4, §4.5, §5.9, §5.19).

The transfers themselves are done by `maintenance`, an object with

    diagnostics(start, stop)     returns the file name of the diagnostics of that time (Unix seconds or None), or None
    async upload(location, start, stop)    uploads that file
    async download(location)     downloads and checks new firmware; charging goes on meanwhile
    async install()              installs it for the next start
    outcome                      result of an installation before this start: True, False, None without one
    outcome_told()               clears the outcome, which the back-end has received
    request                      text stored by remember(text), also over restarts; "" or None when empty

Its coroutines may be cancelled. They and remember() may raise OSError or ValueError.
"""

import asyncio
import json

from micropython import const

from firmware.kernel.clock import parse_iso8601
from firmware.ocpp.errors import GENERIC_ERROR, NOT_SUPPORTED, PROPERTY_VIOLATION, CallError

# Defaults where the request does not say
_RETRIES = const(2)
_RETRY_INTERVAL_S = const(60)

_WAIT_MS = const(1_000)


class FirmwareManagement:
    """`sender` has post(action, payload) and async call(action, payload). `maintenance`: see above.

    `transfers` keeps the status that was sent last.
    """

    needs = ("station", "maintenance", "sender", "transfers", "clock", "log")

    def __init__(self, station, maintenance, sender, transfers, clock, log):
        if not maintenance:
            raise CallError(NOT_SUPPORTED, "file transfers are not supported")
        self._station = station
        self._maintenance = maintenance
        self._sender = sender
        self._told = transfers.told
        self._clock = clock
        self._log = log
        self._tasks = {}  # status message -> task of the transfer

    def accepted(self):
        """The back-end accepts messages: sends the result of an installation before this start (errata 3.47).

        An update that was requested before a power loss and not installed is continued.
        """
        if self._maintenance.outcome is not None:
            asyncio.create_task(self._tell_outcome())
        if self._maintenance.request and "FirmwareStatusNotification" not in self._tasks:
            payload = json.loads(self._maintenance.request)
            self._begin("FirmwareStatusNotification", self._update(_time(payload, "retrieveDate"), payload))

    async def _tell_outcome(self):
        status = "Installed" if self._maintenance.outcome else "InstallationFailed"
        try:
            await self._sender.call("FirmwareStatusNotification", {"status": status})
            self._maintenance.outcome_told()
        except (CallError, OSError) as exc:
            self._log.info("update", "%s not sent: %s", status, exc)

    # -- diagnostics

    def get_diagnostics(self, payload):
        """§5.9. A new request replaces one in progress."""
        start, stop = _time(payload, "startTime"), _time(payload, "stopTime")
        name = self._maintenance.diagnostics(start, stop)
        if not name:
            return {}

        def upload():
            return self._maintenance.upload(payload["location"], start, stop)

        answer = {"fileName": name[:255]}
        return answer, lambda: self._begin("DiagnosticsStatusNotification", self._upload(upload, payload))

    async def _upload(self, upload, payload):
        message = "DiagnosticsStatusNotification"
        self._tell(message, "Uploading")
        done = await self._repeated(upload, payload)
        self._tell(message, "Uploaded" if done else "UploadFailed")

    # -- firmware

    def update_firmware(self, payload):
        """§5.19. A new request replaces an earlier one that is not being installed yet."""
        t = _time(payload, "retrieveDate")
        if self._told.get("FirmwareStatusNotification") == "Installing":
            raise CallError(GENERIC_ERROR, "firmware is being installed")
        return {}, lambda: self._begin("FirmwareStatusNotification", self._update(t, payload))

    async def _update(self, t, payload):
        message = "FirmwareStatusNotification"
        self._remember(json.dumps(payload))
        self._station.availability.withdraw(False)  # the earlier request may still wait for a transaction
        while self._clock.now() < t:
            await self._clock.sleep_ms(_WAIT_MS)
        self._tell(message, "Downloading")
        if not await self._repeated(lambda: self._maintenance.download(payload["location"]), payload):
            self._remember("")
            self._tell(message, "DownloadFailed")
            return
        self._tell(message, "Downloaded")
        # Running transactions end normally, no new one begins (errata 3.49).
        self._station.availability.withdraw(True)
        while any(connector.transaction for connector in self._station.connectors):
            await self._clock.sleep_ms(_WAIT_MS)
        self._remember("")  # from here on `outcome` is kept instead
        self._tell(message, "Installing")
        try:
            await self._maintenance.install()
        except (OSError, ValueError) as exc:
            self._log.error("update", "not installed: %s", exc)
            self._tell(message, "InstallationFailed")
            self._station.availability.withdraw(False)
        else:
            self._station.operation.request_reset(True, "update")  # the new firmware sends "Installed"

    def _remember(self, text):
        try:
            self._maintenance.remember(text)
        except OSError as exc:
            self._log.error("update", "request not stored: %s", exc)

    # -- both

    def _begin(self, message, transfer):
        if message in self._tasks:
            self._tasks[message].cancel()
        self._tasks[message] = asyncio.create_task(self._run(message, transfer))

    async def _run(self, message, transfer):
        mine = asyncio.current_task()
        try:
            await transfer
        finally:
            if self._tasks.get(message) is mine:
                del self._tasks[message]
                self._told.pop(message, None)

    def _tell(self, message, status):
        self._told[message] = status
        self._sender.post(message, {"status": status})

    async def _repeated(self, transfer, payload):
        """Runs a transfer with up to `retries` more attempts (errata 3.50); returns False when all failed."""
        left = payload.get("retries", _RETRIES)
        while True:
            try:
                await transfer()
                return True
            except (OSError, ValueError) as exc:
                self._log.warning("update", "transfer failed: %s", exc)
            if left <= 0:
                return False
            left -= 1
            await self._clock.sleep_ms(1000 * max(0, payload.get("retryInterval", _RETRY_INTERVAL_S)))


def _time(payload, name):
    """Returns the Unix seconds of an optional field, None without it. Raises CallError."""
    if name not in payload:
        return None
    try:
        return parse_iso8601(payload[name])
    except ValueError:
        raise CallError(PROPERTY_VIOLATION, "%s is not a date and time" % name)
