"""Wi-Fi: joins a network as a station and reconnects.

A frequent fault of wallboxes is a Wi-Fi link that does not come back after a router's restart. So "connected" without
an address counts as lost, joining is retried for ever, and the interface is restarted when joining keeps failing.
"""

from micropython import const

from firmware.kernel.signal import Signal

_POLL_MS = const(1_000)
_JOIN_MS = const(20_000)  # a join without an address by then is started again
_RESTART_MS = const(300_000)  # without an address for that long, the interface itself is restarted


class Wifi:
    """`wlan` is a network.WLAN(network.IF_STA); `credentials()` returns (ssid, password), ssid "" while not set.

    `changed(address)` is emitted with the new address as text, and with None when the one before is lost.
    """

    def __init__(self, wlan, clock, log, credentials, hostname=None):
        self._wlan = wlan
        self._clock = clock
        self._log = log
        self._credentials = credentials
        self._hostname = hostname
        self._address = None
        self.changed = Signal(log.observer_failed)
        self._joined_with = None
        self._join_at = 0
        self._restart_at = 0

    @property
    def up(self):
        """True while the interface has an address."""
        return self._wlan.isconnected()

    def address(self):
        """Returns the address as text, or None."""
        return self._wlan.ipconfig("addr4")[0] if self.up else None

    async def run(self, beat):
        """Keeps the link up. Does not return."""
        self._wlan.active(True)
        if self._hostname:
            self._wlan.config(dhcp_hostname=self._hostname)
        while True:
            beat()
            self._step(self._clock.ms())
            await self._clock.sleep_ms(_POLL_MS)

    def _step(self, now):
        up = self.up
        address = self.address()
        if address != self._address:
            if self._address:
                self._log.warning("wifi", "address lost")
                self.changed.emit(None)
            if address:
                self._log.info("wifi", "address %s", address)
                self.changed.emit(address)
            self._address = address
            self._restart_at = now + _RESTART_MS
        credentials = self._credentials()
        if not credentials[0] or (up and credentials == self._joined_with):
            return
        try:
            if credentials != self._joined_with or now >= self._join_at:
                if self._joined_with and now >= self._restart_at:
                    self._wlan.active(False)
                    self._wlan.active(True)
                    self._restart_at = now + _RESTART_MS
                self._wlan.disconnect()
                self._wlan.connect(*credentials)
                self._joined_with = credentials
                self._join_at = now + _JOIN_MS
        except OSError as exc:  # raised by the driver while an earlier join is ending
            self._log.warning("wifi", "join failed: %s", exc)
            self._join_at = now + _POLL_MS
