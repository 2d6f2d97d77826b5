"""Session of the demonstration (`make run`), and the check of its result."""

import time

TAG = "04A1B2C3"
AMPS = 16
PHASES = 3
MINUTES = 6  # of virtual time, with current

_PATIENCE_S = 15  # for each step, real time
_LOOK_S = 0.05


class Session:
    """One charging session: plug in, present a card, charge, present it again, unplug. `tell(text)`: each step."""

    def __init__(self, charger, csms, tell):
        self._charger = charger
        self._csms = csms
        self._tell = tell
        self._transaction = None
        self._counted_wh = None  # by the meter, over the whole session

    def play(self):
        """Plays it; raises AssertionError when a step fails, ConnectionError when the charger has ended."""
        charger, csms = self._charger, self._csms
        charger.wait_boot(_PATIENCE_S)
        before = charger.connector()["wh"]
        self._tell("A car is plugged in.")
        charger.plug()
        csms.expect("StatusNotification", _PATIENCE_S, connectorId=1, status="Preparing")
        self._tell(f"The driver presents card {TAG}.")
        charger.swipe(TAG)
        start = csms.expect("StartTransaction", _PATIENCE_S, connectorId=1, idTag=TAG)
        self._until("an offer of current", lambda state: state["amps"] > 0)
        self._tell(f"The car requests {PHASES} x {AMPS} A.")
        charger.draw(AMPS, PHASES)
        self._until("a closed contactor", lambda state: state["relay"])
        self._pass(MINUTES * 60)
        self._tell("The driver presents the card again.")
        charger.swipe(TAG)
        self._until("the end of the offer", lambda state: state["amps"] == 0)
        charger.cp("B")
        csms.expect("StopTransaction", _PATIENCE_S, transactionId=start.transaction_id)
        self._until("an open contactor", lambda state: not state["relay"])
        self._tell("The car is unplugged.")
        charger.unplug()
        csms.expect("StatusNotification", _PATIENCE_S, connectorId=1, status="Available")
        self._transaction = csms.ledger.transactions[start.transaction_id]
        self._counted_wh = charger.connector()["wh"] - before

    def faults(self):
        """Returns what was wrong with the session, one text each; [] if it was correct."""
        csms, transaction = self._csms, self._transaction
        reasons = [f"protocol: {violation}" for violation in csms.violations]
        reasons += [f"ledger: {problem}" for problem in csms.ledger.problems]
        if transaction is None or transaction.stop is None:
            return reasons + ["the transaction is not complete"]
        if len(csms.ledger.transactions) != 1:
            reasons.append(f"{len(csms.ledger.transactions)} transactions instead of one")
        if csms.ledger.repeated:
            reasons.append(f"{len(csms.ledger.repeated)} messages were sent twice")
        if not transaction.meter_values:
            reasons.append("the transaction has no meter values")
        if transaction.energy_wh != self._counted_wh:
            reasons.append(f"{transaction.energy_wh} Wh were billed, {self._counted_wh} Wh counted by the meter")
        if self._counted_wh <= 0:
            reasons.append("no energy was delivered")
        return reasons

    def summary(self):
        """Returns one line about a correct session."""
        transaction = self._transaction
        return (
            f"Transaction {transaction.id} is complete: {transaction.energy_wh} Wh billed, as the meter counted, "
            f"{len(transaction.meter_values)} meter readings, {len(self._csms.calls)} messages, all valid."
        )

    def _until(self, what, condition):
        deadline = time.monotonic() + _PATIENCE_S
        while not condition(self._charger.connector()):
            assert time.monotonic() < deadline, f"{what} did not happen: {self._charger.connector()}"
            time.sleep(_LOOK_S)

    def _pass(self, seconds):
        """Waits for virtual seconds by the charger's clock."""
        end = self._charger.state()["time"] + seconds
        while self._charger.state()["time"] < end:
            time.sleep(_LOOK_S)
