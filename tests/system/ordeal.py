"""A station that charges, loses its power at any moment, and is switched on again, over and over."""

import random
import signal
import subprocess
import threading
import time

from books import audit, registers
from waiting import until

from tools.sim import CommandFailed

TAGS = ("04A1B2C3", "04D5E6F7", "lower-case tag")
RATE = 20
KEYS = {
    "MeterValueSampleInterval": "2",
    "AllowOfflineTxForUnknownId": "true",
    "JournalBatch": "5",
    "MessageTimeout": "20",
    "TransactionMessageRetryInterval": "1",
    "StopTxnSampledData": "Energy.Active.Import.Register",
}


def live_in_fast_time(csms, rate=RATE):
    """Lets the central system's clock run as fast as the station's."""
    began = time.time()
    csms.policy.now = lambda: began + (time.time() - began) * rate


class Ordeal:
    """`charger` runs and is accepted by `csms`; `seed` makes an ordeal repeatable as far as real time lets it."""

    def __init__(self, charger, csms, seed, connectors=1):
        self.charger = charger
        self.csms = csms
        self.random = random.Random(seed)
        self.connectors = range(1, connectors + 1)
        self.ends = []  # when power or link was taken away
        self.exits = []
        self.deaths = 0
        self.port_open = True

    # -- one life

    def live(self):
        """Uses the station until its power goes, then switches it on again. Returns how it died."""
        how = self.random.choice(("kill", "kill", "kill", "write", "bytes", "bytes"))
        deadline = time.monotonic() + self.random.uniform(0.02, 1.5)
        if how == "kill":
            timer = threading.Timer(deadline - time.monotonic(), self.charger.process.kill)
            timer.start()
        else:
            timer = None
        armed = False
        try:
            self._disturb_back_end()
            while self.charger.running:
                if timer is None and not armed and time.monotonic() > deadline:
                    armed = True
                    self.charger.cut("next_flash_write" if how == "write" else self.random.randrange(1, 12_000))
                self._act()
                time.sleep(self.random.choice((0, 0, 0.02, 0.1)))
        except (ConnectionError, TimeoutError):
            pass  # no power any more
        if timer:
            timer.join()
        self._bury(how)
        self._restart()
        return how

    def _bury(self, how):
        try:
            code = self.charger.wait_exit(10)
        except subprocess.TimeoutExpired:
            raise AssertionError("the control socket is dead, the process is not") from None
        self.ends.append(time.time())
        self.deaths += 1
        if code != -signal.SIGKILL:
            self.exits.append(code)

    def _restart(self):
        """Switches the power on again; sometimes it goes again at once."""
        self.charger.start()
        if self.random.random() < 0.2:
            time.sleep(self.random.uniform(0, 0.3))
            self.charger.kill()
            self._bury("kill")
            self.charger.start()

    # -- what people, vehicles and the back-end do

    def _act(self):
        actions = (self._arrive, self._arrive, self._draw, self._stop, self._leave, self._look, self._back_end)
        try:
            self.random.choice(actions)(self.random.choice(self.connectors))
        except CommandFailed as exc:
            if "firmware is not running" not in str(exc):
                raise

    def _arrive(self, n):
        if self.charger.connector(n)["cp"] == "A":
            self.charger.plug(connector=n)
        if not self.charger.connector(n)["tx"]:
            self.charger.swipe(self.random.choice(TAGS), [n])

    def _draw(self, n):
        snapshot = self.charger.connector(n)
        if snapshot["cp"] != "A" and 0 < snapshot["duty"] < 100:
            self.charger.draw(self.random.choice((6, 16, 32)), connector=n)

    def _stop(self, n):
        transaction = self.charger.connector(n)["tx"]
        if transaction:
            self.charger.swipe(transaction["tag"], [n])

    def _leave(self, n):
        if self.random.random() < 0.3:
            self.charger.unplug(n)

    def _look(self, n):
        self.charger.state()

    def _back_end(self, n):
        """The link breaks, the central system goes away or comes back."""
        choice = self.random.random()
        if not self.port_open:
            if choice < 0.4:
                self.port_open = True
                self.csms.open_port()
        elif choice < 0.15:
            self.ends.append(time.time())
            self.port_open = False
            self.csms.close_port()
            self.ends.append(time.time())
        elif choice < 0.3 and self.csms.connected:
            self.ends.append(time.time())
            try:
                self.csms.abort()
            except ConnectionError:
                pass  # it has just gone by itself
            self.ends.append(time.time())

    def _disturb_back_end(self):
        self.csms.policy.silent.clear()
        if self.random.random() < 0.2:
            self.csms.policy.silent.add(self.random.choice(("StartTransaction", "StopTransaction", "MeterValues")))

    # -- the end

    def settle(self, timeout=30):
        """Lets everybody go home and the queue run empty."""
        self.csms.policy.silent.clear()
        if not self.port_open:
            self.csms.open_port()
            self.port_open = True
        for n in self.connectors:
            self.charger.unplug(n)
        for n in self.connectors:
            self.charger.wait_state(timeout, n, tx=None, status="Available")
        until(
            lambda: not self.charger.state()["queue"] and not self.csms.ledger.running(),
            timeout,
            lambda: f"queue stuck: {self.charger.state()}, {self.csms.ledger.running()}",
        )

    def judge(self):
        """Returns everything that is wrong with what the central system was told."""
        wrong = audit(self.csms, self.ends)
        starts = {
            (e["number"], e["connector"]) for e in self.charger.events if e["ev"] == "tx" and e["event"] == "start"
        }
        booked = len(self.csms.ledger.transactions)
        if not len(starts) <= booked <= len(starts) + self.deaths * len(self.connectors):
            wrong.append(f"{len(starts)} transactions began, {booked} were told")
        for n, wh in registers(self.csms).items():
            shown = self.charger.connector(n)["wh"]
            if shown != wh:
                wrong.append(f"the meter of connector {n} shows {shown} Wh, the books end at {wh} Wh")
        if self.exits:
            wrong.append(f"ended by itself: {self.exits}")
        return wrong
