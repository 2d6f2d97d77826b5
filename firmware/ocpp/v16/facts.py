"""StartTransaction, MeterValues and StopTransaction: built from the session facts in the journal.

A message is built when it is delivered, so that it carries the transactionId that is known by then (OCPP 1.6 §3.7,
errata 3.18) and the measurands that are configured by then.
"""

import asyncio

from micropython import const

from firmware.kernel.clock import iso8601
from firmware.kernel.reading import Reading
from firmware.ocpp.errors import FORMATION_VIOLATION, NOT_IMPLEMENTED, NOT_SUPPORTED, CallError
from firmware.ocpp.v16.measurands import INTERVAL, Look, sampled_values
from firmware.store.journal import BEGIN, END, SAMPLE

# A transactionData of about 25 KB of JSON; the middle of longer ones is thinned (errata 3.14).
_MAX_SAMPLED_VALUES = const(240)

_PAUSE_AFTER = const(16)  # records that are read before others run: about a kilobyte

# meterStart of a meter that could not be read: recognisably no register value.
_UNREADABLE = const(-1)

# transactionId of messages whose StartTransaction was never acknowledged (errata 3.18)
_UNKNOWN = const(-1)

# What is kept of transactions has to fit a small file; larger numbers than that are no transaction ids.
_LARGEST_ID = 10**15


class Facts:
    """Makes the Outbox's messages from the records of `journal`; the number of a transaction is its transactionId."""

    def __init__(self, journal, settings):
        self._journal = journal
        self._settings = settings
        # (connector, context) -> (seq, tx, Wh, Wh before it) of the newest sample, for Energy.Active.Import.Interval
        self._registers = {}

    @property
    def attempts(self):
        return self._settings.get("TransactionMessageAttempts")

    @property
    def pause_s(self):
        return self._settings.get("TransactionMessageRetryInterval")

    async def message(self, record, transaction_id):
        """Returns (action, payload) of a record, or None when nothing is to be said about it.

        That may mean to read a whole transaction, however long it was; others run meanwhile.
        """
        if transaction_id is None:
            transaction_id = _UNKNOWN
        if record.kind == BEGIN:
            return "StartTransaction", _start(record)
        if record.kind == END:
            return "StopTransaction", await self._stop(record, transaction_id)
        if record.kind == SAMPLE and record.context not in ("begin", "end"):
            return await self._sample(record, transaction_id)
        return None

    def accept(self, record, transaction_id, response):
        """Returns the transactionId from then on. Raises CallError for a StartTransaction.conf without one."""
        if record.kind != BEGIN:
            return transaction_id
        if response is None:
            return _UNKNOWN
        transaction_id = response.get("transactionId")
        if not isinstance(transaction_id, int) or not -_LARGEST_ID < transaction_id < _LARGEST_ID:
            raise CallError(FORMATION_VIOLATION, "StartTransaction.conf without transactionId")
        return transaction_id

    def needs_answer(self, record):
        """Only a StartTransaction.conf has something that the next messages need."""
        return record.kind == BEGIN

    def is_unwanted(self, action, code):
        """Tells whether an error code ends the attempts at once: meter values that the back-end has no use for.

        Begin and end of a transaction keep their attempts: with them it would lose what is to be paid (§3.7.1).
        """
        return action == "MeterValues" and code in (NOT_IMPLEMENTED, NOT_SUPPORTED)

    def meter_values(self, connector, context, t, look, transaction_id=None):
        """Returns ("MeterValues", payload) of one look at the meter, or None when no measurand of it is configured."""
        key = "MeterValuesAlignedData" if context == "clock" else "MeterValuesSampledData"
        values = sampled_values(self._settings.get(key), context, look)
        if not values:
            return None
        payload = {"connectorId": connector, "meterValue": [{"timestamp": iso8601(t), "sampledValue": values}]}
        if transaction_id is not None:
            payload["transactionId"] = transaction_id
        return "MeterValues", payload

    async def _sample(self, record, transaction_id):
        look = Look(record.reading, record.offered_ma, await self._register_before(record))
        # Outside a transaction no transactionId is sent at all (errata 3.16).
        return self.meter_values(
            record.connector, record.context, record.t, look, transaction_id if record.tx else None
        )

    async def _register_before(self, record):
        """Returns the register (Wh) at the sample of the same context before this one; at the begin for the first."""
        if INTERVAL not in self._settings.get("MeterValuesAlignedData") + self._settings.get("MeterValuesSampledData"):
            return None
        key = (record.connector, record.context)
        newest = self._registers.get(key)
        if newest and newest[0] == record.seq:
            return newest[3]  # the message is built again: it was not delivered
        before = newest and newest[2]
        if record.tx and (newest is None or newest[1] != record.tx):
            # The first of a transaction, or the first since the restart.
            before = None
            for n, earlier in enumerate(self._journal.transaction(record.tx)):
                if earlier.seq >= record.seq:
                    break
                await _breathe(n)
                before = _register_at(earlier, record.context, before)
        if record.reading.energy_wh is not None:
            self._registers[key] = (record.seq, record.tx, record.reading.energy_wh, before)
        return before

    async def _stop(self, record, transaction_id):
        payload = {
            "transactionId": transaction_id,
            "meterStop": _wh(record),
            "timestamp": iso8601(record.t),
            "reason": record.reason,
        }
        if record.token:
            payload["idTag"] = record.token
        data = await self._transaction_data(record)
        if data:
            payload["transactionData"] = data
        return payload

    async def _transaction_data(self, end):
        """Returns the MeterValue elements of a transaction, [] when both StopTxn lists are empty (§3.16.5).

        The first and the last are never dropped. Where the middle is too long it is thinned evenly (errata 3.14, 3.91).
        """
        sampled = self._settings.get("StopTxnSampledData")
        aligned = self._settings.get("StopTxnAlignedData")
        if not sampled and not aligned:
            return []
        middle = {"periodic": sampled, "clock": aligned}
        edges = sampled + [item for item in aligned if item not in sampled]

        first = last = None
        count = 0
        for n, record in enumerate(self._journal.transaction(end.tx)):
            await _breathe(n)
            if record.kind == BEGIN:
                first = _Edge(record)
            elif record.kind == SAMPLE and record.context == "begin":
                first = record
            elif record.kind == SAMPLE and record.context == "end":
                last = record
            elif record.kind == SAMPLE and middle.get(record.context):
                count += 1

        step = _step(count, self._room(max(len(sampled), len(aligned), 1)))
        data = [_meter_value(first, "begin", edges, None)] if first else []
        previous = {"periodic": first and first.reading.energy_wh, "clock": first and first.reading.energy_wh}
        position = 0
        for n, record in enumerate(self._journal.transaction(end.tx) if count else ()):
            await _breathe(n)
            if record.kind != SAMPLE or not middle.get(record.context):
                continue
            position += 1
            if position % step == 0:
                # Counted from the last one reported, an interval stays true where the middle is thinned.
                data.append(_meter_value(record, record.context, middle[record.context], previous[record.context]))
                previous[record.context] = record.reading.energy_wh
        data.append(_meter_value(last or _Edge(end), "end", edges, first and first.reading.energy_wh))
        return [value for value in data if value["sampledValue"]]

    def _room(self, items):
        """Returns how many MeterValue elements fit between the first and the last one."""
        # Three phases to an item is the worst case.
        by_size = _MAX_SAMPLED_VALUES // (3 * items)
        return max(0, min(by_size, self._settings.get("StopTransactionMaxMeterValues")) - 2)


async def _breathe(n):
    """Lets others run after every few of the records that are counted by `n`."""
    if n % _PAUSE_AFTER == _PAUSE_AFTER - 1:
        await asyncio.sleep(0)


def _step(count, room):
    """Returns k so that at most `room` of `count` elements remain when every k-th is kept."""
    if count <= room:
        return 1
    return count // room + (1 if count % room else 0) if room else count + 1


def _start(record):
    payload = {
        "connectorId": record.connector,
        "idTag": record.token,
        "meterStart": _wh(record),
        "timestamp": iso8601(record.t),
    }
    if record.reservation is not None:
        payload["reservationId"] = record.reservation
    return payload


def _wh(record):
    return _UNREADABLE if record.wh is None else record.wh


def _register_at(record, context, before):
    """Returns the register that a record of a transaction leaves behind for the next sample of `context`."""
    if record.kind == BEGIN:
        return record.wh
    if record.kind == SAMPLE and record.context in ("begin", context) and record.reading.energy_wh is not None:
        return record.reading.energy_wh
    return before


class _Edge:
    """The begin or end of a transaction as a sample: what is known without one, as after a black-out."""

    def __init__(self, record):
        self.t = record.t
        self.reading = Reading(energy_wh=record.wh)
        self.offered_ma = None


def _meter_value(record, context, items, previous_wh):
    values = sampled_values(items, context, Look(record.reading, record.offered_ma, previous_wh))
    return {"timestamp": iso8601(record.t), "sampledValue": values}
