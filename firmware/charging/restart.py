"""After a restart: ends the transactions that a power loss interrupted, exactly once."""

from micropython import const

from firmware.charging.session import SAVE_WH, Transaction
from firmware.charging.usage import NEXT_USE, Grant
from firmware.kernel.reading import Reading

# Ends that the flash refuses are tried again, then left to the next start.
_TRIES = const(5)
_PAUSE_MS = const(1_000)

_METER_LOOKS = const(100)  # 5 s, and longer when the loop is held: the meter gets its turns by count, not by clock
_WAIT_STEP_MS = const(50)

# The register may be ahead of what is known by what was delivered since the last saving, and not by more: a meter that
# shows something else was exchanged, or has counted while the station was off.
_UNSAVED_MS = const(10_000)  # of what the supply gives, beside Session's SAVE_WH

_PAUSE_AFTER = const(32)  # records


async def close_transactions(connectors, services, reason, closed):
    """Ends the transactions that the last power-on left open for `reason` of session.py.

    The end value is what the meter shows now, if that is plausible, else the last known value; it is never below what
    was sent or journalled (OCPP 1.6 erratum 3.77). The end time is the last one at which the transaction is known to
    have run: the outage is no part of it. Calls closed("stop", transaction). An end record that the flash refuses is
    tried again.
    """
    journal = services.journal
    for _ in range(_TRIES):
        begins = journal.open_transactions()
        concerned = [c for c in connectors if any(begin.connector == c.number for begin in begins)]
        for connector in concerned:
            if connector.usage.grant is None and services.settings.get("UnlockAfterPowerLoss", False):
                connector.change(free_until=NEXT_USE)
        running = journal.running.load()
        known = []
        for begin in begins:
            known.append(await _last_known(journal, begin, running, services.clock))
        await _meters_read(concerned, services.clock)
        for begin, last in zip(begins, known):
            _close(begin, last, [c for c in concerned if c.number == begin.connector], services, reason, closed)
        if not journal.open_transactions():
            break
        await services.clock.sleep_ms(_PAUSE_MS)


def _close(begin, last, connectors, services, reason, closed):
    journal, log = services.journal, services.log
    wh, newest, sampled = last
    for connector in connectors:
        register = connector.metering.register
        if register.wh is None:
            register.assume(wh)
        elif 0 <= register.wh - wh <= SAVE_WH + register.most_wh(_UNSAVED_MS):
            wh = register.wh
    transaction = Transaction(begin.tx, begin.connector, Grant(begin.token, begin.parent), begin.t, 0, begin.wh)
    transaction.wh = wh
    transaction.reason = reason
    journal.resume(begin, newest)
    try:
        if not sampled:
            journal.sample(begin.tx, begin.connector, "end", Reading(energy_wh=transaction.end_wh))
    except OSError as exc:
        log.error("restart", "sample is not kept: %s", exc)  # the end record has the value, too
    try:
        transaction.close(journal)
    except OSError as exc:
        log.error("restart", "end of transaction %d is not kept: %s", begin.tx, exc)
        return
    log.warning("restart", "transaction %d ended at %d Wh: %s", begin.tx, wh, reason)
    closed("stop", transaction)


async def _last_known(journal, begin, running, clock):
    """Returns (the highest register value, the newest time) that anything durable has of a transaction, and whether
    its last sample is there already."""
    wh = begin.wh or 0  # a transaction that began with an unreadable meter counts from 0
    newest = begin.t
    saved = running.get(begin.connector)
    if saved and saved[0] == begin.tx:
        wh = max(wh, saved[1])
    seen = 0
    sampled = False
    for record in journal.newest_of(begin.tx):
        newest = max(newest, record.t)
        if record.reading is not None and record.reading.energy_wh is not None:
            wh = max(wh, record.reading.energy_wh)
            sampled = sampled or record.context == "end"
        seen += 1
        if seen % _PAUSE_AFTER == 0:
            await clock.sleep_ms(0)  # others have something to do at power-on, too
    return wh, newest, sampled


async def _meters_read(connectors, clock):
    """Waits until every meter has answered or is known to be lost: one poll without an answer is no reason to give up
    what was charged since the last saving."""
    looks = _METER_LOOKS
    for connector in connectors:
        while not connector.metering.settled and looks:
            looks -= 1
            connector.metering.request()
            await clock.sleep_ms(_WAIT_STEP_MS)
