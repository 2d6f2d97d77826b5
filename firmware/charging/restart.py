"""After a restart: transactions that were running when the power went get their end record, exactly one each."""

from micropython import const

from firmware.charging.transaction import Grant, Transaction
from firmware.kernel.reading import Reading

_METER_LOOKS = const(100)  # 5 s, and longer when the loop is held: the meter gets its turns by count, not by clock
_WAIT_STEP_MS = const(50)

# The register may be ahead of what the journal knows by what was delivered since the last saving, and not by more: a
# meter that shows something else was exchanged.
_MAX_GAP_WH = const(2_000)

_PAUSE_AFTER = const(32)  # records


async def close_transactions(begins, connectors, clock, log, journal, reason, history, closed):
    """Ends the transactions of the begin records for `reason` ("PowerLoss", or that of the reset that was pending).

    meterStop is what the meter shows now, if that is plausible, else the last known value; it is never below meterStart
    (OCPP 1.6 erratum 3.77). Calls closed(transaction). An end record that cannot be written is left to the next
    restart.
    """
    running = journal.running.load()
    known = {}
    for begin in begins:
        known[begin.tx] = await _last_known_wh(journal, begin, running, clock)
    concerned = [c for c in connectors if any(begin.connector == c.number for begin in begins)]
    await _meters_read(concerned, clock)
    for begin in begins:
        transaction = Transaction(begin.tx, begin.connector, Grant(begin.token, begin.parent), begin.t, 0, begin.wh)
        wh = known[begin.tx]
        for connector in concerned:
            if connector.number == begin.connector:
                connector.metering.at_least(wh)
                shown = connector.metering.register_wh
                if shown - wh <= _MAX_GAP_WH:
                    wh = shown
        transaction.wh = wh
        transaction.reason = reason
        try:
            journal.sample(begin.tx, begin.connector, "end", Reading(energy_wh=transaction.end_wh))
        except OSError as exc:
            log.error("restart", "sample is not kept: %s", exc)  # the end record has the value, too
        try:
            transaction.close(journal, clock.now(), history)
        except OSError as exc:
            log.error("restart", "end of transaction %d is not kept: %s", begin.tx, exc)
            continue
        log.warning("restart", "transaction %d ended at %d Wh: %s", begin.tx, wh, reason)
        closed(transaction)


async def _last_known_wh(journal, begin, running, clock):
    """Returns the highest register value that anything durable has of a transaction."""
    wh = begin.wh or 0  # a transaction that began with an unreadable meter counts from 0
    saved = running.get(begin.connector)
    if saved and saved[0] == begin.tx:
        wh = max(wh, saved[1])
    seen = 0
    for record in journal.newest_of(begin.tx):
        if record.reading is not None and record.reading.energy_wh is not None:
            wh = max(wh, record.reading.energy_wh)
        seen += 1
        if seen % _PAUSE_AFTER == 0:
            await clock.sleep_ms(0)  # others have something to do at power-on, too
    return wh


async def _meters_read(connectors, clock):
    """Waits until every meter has answered or is known to be lost: one poll without an answer is no reason to give up
    what was charged since the last saving."""
    looks = _METER_LOOKS
    for connector in connectors:
        while not connector.metering.settled and looks:
            looks -= 1
            connector.metering.request()
            await clock.sleep_ms(_WAIT_STEP_MS)
