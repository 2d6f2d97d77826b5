"""StartTransaction, MeterValues and StopTransaction: built from the session facts in the journal.

A message is built when it is delivered, with the transactionId known (OCPP 1.6 §3.7, errata 3.18) and the measurands
configured at that time.
"""

import asyncio

from micropython import const

from firmware.kernel.clock import iso8601
from firmware.kernel.reading import Reading
from firmware.ocpp.errors import FORMATION_VIOLATION, NOT_IMPLEMENTED, NOT_SUPPORTED, CallError
from firmware.ocpp.v16.measurands import INTERVAL, Look, sampled_values
from firmware.ocpp.v16.words import REASONS
from firmware.store.journal import BEGIN, END, SAMPLE

# About 25 KB of JSON in transactionData; beyond that, samples in the middle are dropped (errata 3.14).
_MAX_SAMPLED_VALUES = const(240)

_PAUSE_AFTER = const(16)  # records read before other tasks run: about a kilobyte

# meterStart when the meter could not be read: a value that no register has.
_UNREADABLE = const(-1)

# transactionId when StartTransaction was never acknowledged (errata 3.18)
_UNKNOWN = const(-1)

# Larger numbers are not accepted as transactionId: the cursor file is small.
_LARGEST_ID = 10**15


class Facts:
    """Builds the Outbox's messages from the records of `journal`; the number of a transaction is its transactionId."""

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
        """Returns (action, payload) for a record, or None when it needs no message.

        May read a whole transaction, however long; other tasks run meanwhile.
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
        """Returns the transactionId to use from now on. Raises CallError for a StartTransaction.conf without one."""
        if record.kind != BEGIN:
            return transaction_id
        if response is None:
            return _UNKNOWN
        transaction_id = response.get("transactionId")
        if not isinstance(transaction_id, int) or not -_LARGEST_ID < transaction_id < _LARGEST_ID:
            raise CallError(FORMATION_VIOLATION, "StartTransaction.conf without transactionId")
        return transaction_id

    def needs_answer(self, record):
        """True for a BEGIN: the next messages need the transactionId from StartTransaction.conf."""
        return record.kind == BEGIN

    def is_unwanted(self, action, code):
        """True when a message is dropped after this error code: MeterValues that the back-end does not support.

        StartTransaction and StopTransaction are tried again: without them the bill would be lost (§3.7.1).
        """
        return action == "MeterValues" and code in (NOT_IMPLEMENTED, NOT_SUPPORTED)

    def meter_values(self, connector, context, t, look, transaction_id=None):
        """Returns ("MeterValues", payload) of a Look, or None when it has none of the configured measurands."""
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
        # Outside a transaction the transactionId is left out (errata 3.16).
        return self.meter_values(
            record.connector, record.context, record.t, look, transaction_id if record.tx else None
        )

    async def _register_before(self, record):
        """Returns the register (Wh) at the previous sample of the same context, for the first one that at the begin."""
        if INTERVAL not in self._settings.get("MeterValuesAlignedData") + self._settings.get("MeterValuesSampledData"):
            return None
        key = (record.connector, record.context)
        newest = self._registers.get(key)
        if newest and newest[0] == record.seq:
            return newest[3]  # the message was not delivered and is built again
        before = newest and newest[2]
        if record.tx and (newest is None or newest[1] != record.tx):
            # The first sample of a transaction, or the first one since the restart.
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
            "reason": REASONS.get(record.reason, "Other"),
        }
        if record.token:
            payload["idTag"] = record.token
        data = await self._transaction_data(record)
        if data:
            payload["transactionData"] = data
        return payload

    async def _transaction_data(self, end):
        """Returns the MeterValue elements for transactionData, [] when both StopTxn lists are empty (§3.16.5).

        The first and the last are always kept. If there are too many, those in the middle are thinned evenly (errata
        3.14, 3.91).
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
                # The interval is counted from the last value kept, so it is right after thinning too.
                data.append(_meter_value(record, record.context, middle[record.context], previous[record.context]))
                previous[record.context] = record.reading.energy_wh
        data.append(_meter_value(last or _Edge(end), "end", edges, first and first.reading.energy_wh))
        return [value for value in data if value["sampledValue"]]

    def _room(self, items):
        """Returns how many MeterValue elements fit between the first and the last one."""
        # Worst case: three phases per item.
        by_size = _MAX_SAMPLED_VALUES // (3 * items)
        return max(0, min(by_size, self._settings.get("StopTransactionMaxMeterValues")) - 2)


async def _breathe(n):
    """Lets other tasks run after every _PAUSE_AFTER records; `n` counts them."""
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
    """Returns the register (Wh) to which the next sample of `context` refers after this record."""
    if record.kind == BEGIN:
        return record.wh
    if record.kind == SAMPLE and record.context in ("begin", context) and record.reading.energy_wh is not None:
        return record.reading.energy_wh
    return before


class _Edge:
    """The begin or end of a transaction as a sample, for a transaction without such a sample (power loss)."""

    def __init__(self, record):
        self.t = record.t
        self.reading = Reading(energy_wh=record.wh)
        self.offered_ma = None


def _meter_value(record, context, items, previous_wh):
    values = sampled_values(items, context, Look(record.reading, record.offered_ma, previous_wh))
    return {"timestamp": iso8601(record.t), "sampledValue": values}
