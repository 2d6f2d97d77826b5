"""Whether transactions may begin (reset, update, full flash), and the orderly end before a reset."""

import asyncio

from micropython import const

from firmware.charging.session import HARD_RESET, REBOOT, SOFT_RESET
from firmware.kernel.signal import Signal

_LOOK_MS = const(50)
STOP_WAIT_MS = 10_000  # longer than any transaction takes to stop


class Operation:
    """backend   None, or an object with: online (registered and link up), may_start (registration allows charging),
              async authorize(token) -> TokenInfo, raises OSError when out of reach. None: list and cache decide
    ready     the transactions of the last power-on are closed
    resetting None, or the reason (see session.py) for which all transactions stop

    reset_requested(hard, by)  transactions are stopped and written; restart when everything else is done
    """

    def __init__(self, connectors, services, availability):
        self._connectors = connectors
        self._services = services
        self._availability = availability
        self.backend = None
        self.ready = False
        self.resetting = None
        self.reset_requested = Signal(services.log.observer_failed)

    def may_start(self):
        """Tells whether the back-end allows transactions, with or without a link."""
        return self.backend is None or self.backend.may_start

    def may_begin(self):
        """Tells whether transactions are allowed at all now."""
        return self.ready and self.resetting is None and self.may_start()

    def request_reset(self, hard, by):
        """Stops all transactions, writes them, then emits reset_requested(hard, by). Returns True: it will happen.

        `by` is "csms", or names a local cause ("portal", "update", ...), whose transactions end with reason REBOOT.
        """
        if self.resetting is None:
            self.resetting = REBOOT if by != "csms" else HARD_RESET if hard else SOFT_RESET
            self._availability.keep("reset", self.resetting)
            for connector in self._connectors:
                if connector.usage.grant:
                    connector.cancel()
                connector.stop(self.resetting)
            asyncio.create_task(self._reset(hard, by))
        return True

    async def _reset(self, hard, by):
        clock, log, settings, journal = self._services[:4]
        for _ in range(1 + settings.get("ResetRetries")):
            if await until(clock, lambda: not any(c.transaction for c in self._connectors), STOP_WAIT_MS):
                break
            log.error("station", "a transaction does not end, it will after the restart")
        try:
            journal.flush()
        except OSError as exc:
            log.error("station", "journal: %s", exc)
        self.reset_requested.emit(hard, by)


async def until(clock, condition, wait_ms):
    """Waits for a condition, which the EVSEs have had time to learn of; False when it is not true in time."""
    deadline = clock.ms() + wait_ms
    while clock.ms() < deadline:
        await clock.sleep_ms(_LOOK_MS)
        if condition():
            return True
    return False
