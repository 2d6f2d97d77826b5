"""After a restart: transactions that were running when the power went get their end record, exactly one each."""

from micropython import const

from firmware.charging.metering import SAVE_WH
from firmware.charging.transaction import Grant, Transaction
from firmware.kernel.reading import Reading

_METER_LOOKS = const(100)  # 5 s, and longer when the loop is held: the meter gets its turns by count, not by clock
_WAIT_STEP_MS = const(50)

# The register may be ahead of what is known by what was delivered since the last saving, and not by more: a meter that
# shows something else was exchanged, or has counted while the station was off.
_UNSAVED_MS = const(10_000)  # of what the supply gives, beside Metering's SAVE_WH

_PAUSE_AFTER = const(32)  # records


async def close_transactions(begins, connectors, clock, log, journal, reason, closed):
    """Ends the transactions of the begin records for `reason` ("PowerLoss", or that of the reset that was pending).

    The end value is what the meter shows now, if that is plausible, else the last known value; it is never below what
    was sent or journalled (OCPP 1.6 erratum 3.77). The end time is the last one at which the transaction is known to
    have run: the outage is no part of it. Calls closed(transaction). An end record that cannot be written is left open;
    calling this again tries it again.
    """
    running = journal.running.load()
    known = {}
    for begin in begins:
        known[begin.tx] = await _last_known(journal, begin, running, clock)
    concerned = [c for c in connectors if any(begin.connector == c.number for begin in begins)]
    await _meters_read(concerned, clock)
    for begin in begins:
        transaction = Transaction(begin.tx, begin.connector, Grant(begin.token, begin.parent), begin.t, 0, begin.wh)
        wh, newest, sampled = known[begin.tx]
        for connector in concerned:
            if connector.number == begin.connector:
                metering = connector.metering
                if not metering.register_known:
                    metering.assume(wh)
                elif 0 <= metering.register_wh - wh <= SAVE_WH + metering.most_wh(_UNSAVED_MS):
                    wh = metering.register_wh
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
            continue
        log.warning("restart", "transaction %d ended at %d Wh: %s", begin.tx, wh, reason)
        closed(transaction)


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
