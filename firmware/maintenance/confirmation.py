"""Firmware update: confirms a new version once the station has proved to work, else rolls it back."""

from micropython import const

from firmware.kernel.signal import Signal

# Tasks that have to be alive: control, store, network.
_NEEDED = ("control", "charging", "wifi", "connection", "messages", "outbox")

_LOOK_MS = const(1_000)
_AGAIN_MS = const(60_000)


class Confirmation:
    """`slots` is a slots.ApplicationSlots, `supervisor` a kernel.tasks.Supervisor, `store_works()` writes something and
    raises OSError; `seconds` is how long the station has to work before it is good.

    confirmed()   Signal: the start is good
    given_back()  Signal: a version on trial is not; the station has to restart
    """

    def __init__(self, slots, supervisor, clock, log, seconds, store_works):
        self._slots = slots
        self._supervisor = supervisor
        self._clock = clock
        self._log = log
        self._seconds = seconds
        self._store_works = store_works
        self.confirmed = Signal()
        self.given_back = Signal()

    async def run(self, beat):
        """Ends when the start is confirmed, or given back."""
        await self._clock.sleep_ms(self._seconds * 1000)
        while True:
            trouble = self._trouble()
            if not trouble:
                self._confirm()
                return
            self._log.error("start", "not confirmed: %s", trouble)
            if self._slots.on_trial:
                self._slots.give_back(trouble)
                self.given_back.emit()
                return
            await self._clock.sleep_ms(_AGAIN_MS)

    def _confirm(self):
        if self._slots.confirm():
            self._log.warning("start", "confirmed: %s", self._slots.text())
        else:
            self._log.info("start", "works: %s", self._slots.text())
        self.confirmed.emit()

    def _trouble(self):
        """Returns what does not work, in words, or ""."""
        for name, alive, restarts, _ in self._supervisor.tasks():
            if name not in _NEEDED:
                continue
            if not alive:
                return "task %s is not alive" % name
            if restarts:
                return "task %s was restarted" % name
        try:
            self._store_works()
        except OSError as exc:
            return "the flash refuses: %s" % exc
        return ""
