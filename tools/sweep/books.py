"""Final checks of a sweep run: messages, journal, history and settings against the meters."""

from firmware.kernel.log import Log
from firmware.ocpp.v16.words import STATES
from firmware.store import records
from firmware.store.history import History
from firmware.store.journal import Journal
from firmware.store.records import BEGIN, END
from firmware.store.registry import SETTINGS
from firmware.store.settings import Settings, to_text

_UJ_PER_WH = 3_600_000_000
_ROUNDING_WH = 1  # a register shows whole Wh


def check(site, operator):
    """Appends errors to `site.broken`."""
    site.flash.empty()
    try:
        site.look(_check_messages, site)
        site.look(_check_flash, site, operator)
        site.look(_check_statuses, site)
    except Exception as exc:
        site.fail("the books cannot be read: %r" % exc)


def _check_messages(site):
    sessions = {}  # transactionId -> [connector, meterStart, meterStop]
    seen = set()
    for action, payload, answer in site.central.messages:
        if action not in ("StartTransaction", "MeterValues", "StopTransaction"):
            continue
        content = repr((action, sorted(payload.items())))
        if content in seen:
            site.fail("%s was acknowledged twice" % action)
        seen.add(content)
        if action == "StartTransaction":
            sessions[answer["transactionId"]] = [payload["connectorId"], payload["meterStart"], None]
        elif action == "StopTransaction":
            session = sessions.get(payload["transactionId"])
            if session is None:
                site.fail("StopTransaction of an unknown transaction %s" % payload["transactionId"])
            elif session[2] is not None:
                site.fail("transaction %d was stopped twice" % payload["transactionId"])
            else:
                session[2] = payload["meterStop"]
        elif payload.get("transactionId") is not None and payload["transactionId"] not in sessions:
            site.fail("MeterValues of an unknown transaction")
    billed = {1: 0, 2: 0}
    for number, (connector, start, stop) in sessions.items():
        if stop is None:
            site.fail("transaction %d was never stopped" % number)
        elif stop < start:
            site.fail("transaction %d ends before it begins" % number)
        else:
            billed[connector] += stop - start
    site.sessions = len(sessions)
    if not site.meter:
        return
    for outlet in site.outlets:
        counted = outlet.register.uj / _UJ_PER_WH - outlet.number * 1000
        if abs(counted - billed[outlet.number]) > _ROUNDING_WH:
            site.fail("connector %d: %d Wh billed, %.1f Wh counted" % (outlet.number, billed[outlet.number], counted))


def _check_statuses(site):
    """Checks that the central system has the right status of each connector."""
    known = {}
    for action, payload, _ in site.central.messages:
        if action == "StatusNotification":
            known[payload["connectorId"]] = payload["status"]
    for number in range(3):
        status = STATES[site.app.station.status(number).state]
        if known.get(number) != status:
            site.fail("connector %d is %s, the central system was told %s" % (number, status, known.get(number)))


def _check_flash(site, operator):
    """Checks what the next power-on reads from flash."""
    from flashlog import FlashLog

    begun, ended = {}, {}
    journal = FlashLog("/flash/journal")
    for seq, kind, payload in journal.read():
        if kind in (BEGIN, END):
            number = records.transaction_number(kind, payload)
            found = begun if kind == BEGIN else ended
            if number in found:
                site.fail("the journal has transaction %d twice" % number)
            found[number] = seq
    if set(begun) != set(ended):
        site.fail("the journal has transactions without end: %s" % sorted(set(begun) ^ set(ended)))
    whole = journal.segments()[0] == 1  # delivered segments may have been removed for lack of space
    if len(begun) > site.sessions or (whole and len(begun) < site.sessions):
        site.fail("%d transactions in the journal, %d at the central system" % (len(begun), site.sessions))
    kept = Settings("/flash/settings", SETTINGS, {})
    log = Log(site.app.clock)
    history = History("/flash/history")
    history.repair(Journal("/flash/journal", site.app.clock, log, kept))
    rows = [row.number for row in history.rows()]
    if len(set(rows)) != site.sessions or len(rows) != site.sessions or set(begun) - set(rows):
        site.fail("the history has %s, the journal %s" % (rows, sorted(begun)))
    for name, value in operator.settings.items():
        shown, stored = kept.get(name), site.app.settings.get(name)
        if shown != stored or to_text(shown) != value:
            site.fail("%s was accepted as %s and is %s, on flash %s" % (name, value, stored, shown))
