"""A flash so small that the journal fills it: samples are thinned, what runs ends, and delivery makes room again."""

import subprocess
import sys

from books import registers
from ordeal import KEYS, RATE, TAGS, live_in_fast_time
from waiting import until

from tools.image import ROOT

_WAIT_S = 60


def attempt(charger):
    charger.plug()
    charger.swipe(TAGS[0])


def test_a_full_flash_loses_middle_samples_only_and_recovers_with_delivery(csms, start_charger):
    """Errata 3.14, 3.91: middle samples go first, begin and end never; the back-end is told with StatusNotification."""
    live_in_fast_time(csms)
    keys = {**KEYS, "MeterValueSampleInterval": "1", "JournalBatch": "20", "StopTxnSampledData": ""}
    charger = start_charger(csms.url, rate=RATE, keys=keys, config={"sim": {"flash_kib": 108}})
    charger.wait_boot()
    csms.close_port()
    attempt(charger)
    charger.wait_state(duty=53.33)
    charger.draw(16)
    full = charger.wait_event("status", connector=0, error="InternalError", timeout=_WAIT_S)
    assert full["info"] == "Flash full: no new transaction"
    charger.unplug()
    charger.wait_state(tx=None, status="Available")
    csms.open_port()
    told = csms.expect("StatusNotification", connectorId=0, errorCode="InternalError", timeout=_WAIT_S)
    assert told["vendorErrorCode"] == "STORE MEMORY_EXHAUSTION"
    csms.expect("StatusNotification", connectorId=0, errorCode="NoError", timeout=_WAIT_S)
    until(lambda: charger.state()["queue"] == 0, _WAIT_S)
    attempt(charger)
    charger.wait_state(duty=53.33)
    charger.draw(16)
    charger.wait_state(status="Charging")
    charger.unplug()
    until(lambda: len(csms.ledger.transactions) == 2 and not csms.ledger.running(), _WAIT_S)
    until(lambda: charger.state()["queue"] == 0, _WAIT_S)

    first, second = csms.ledger.transactions.values()
    assert len(first.meter_values) > 100 and first.stop["reason"] == second.stop["reason"] == "EVDisconnected"
    assert registers(csms) == {1: charger.connector()["wh"]}
    assert csms.violations == [] and csms.ledger.problems == []
    figures = charger.command("health")
    assert figures["flash_free"] > 0 and figures["worn_ppm"] > 0
    for name, real in figures["chip"].items():
        assert 0.7 < figures[name] / real < 1.3, (figures, "wear is an estimate, and no bad one")
    charger.stop()
    shown = subprocess.run(
        [sys.executable, "-m", "tools.flashlog", str(next(charger.directory.rglob("flash.img")))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stdout[-2000:] + shown.stderr
