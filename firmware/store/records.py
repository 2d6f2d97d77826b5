"""Record types of the journal (BEGIN, SAMPLE, END, EVENT, CLOCK, BOOT) and their form on flash.

The payload of a record is a packed list that begins with its time: Unix seconds, or [boot, seconds] when the clock was
not synchronised; `boot` is the sequence number of the BOOT record of that power-on. New fields are only added at the
end of the list, so that older and newer firmware read each other's journal.
"""

from collections import namedtuple

from micropython import const

from firmware.kernel.reading import Reading
from firmware.store.packing import pack, unpack

BEGIN = const(1)  # begin of a transaction
SAMPLE = const(2)  # meter values
END = const(3)  # end of a transaction
EVENT = const(4)  # a security event
CLOCK = const(5)  # the clock was synchronised
BOOT = const(6)  # power-on

CONTEXTS = ("begin", "end", "periodic", "clock", "trigger", "interruption.begin", "interruption.end")

Record = namedtuple(
    "Record",
    (
        "seq",
        "kind",
        "t",  # Unix seconds, corrected when the clock was synchronised later
        "tx",  # local transaction number, 0 outside a transaction
        "connector",
        "token",  # BEGIN, END: id token or None
        "parent",  # BEGIN: group id or None
        "wh",  # BEGIN, END: energy register, Wh
        "reason",  # END: reason, as in OCPP 1.6 §7.36
        "reservation",  # BEGIN: id of the reservation used or None
        "context",  # SAMPLE: one of CONTEXTS; EVENT: its type
        "reading",  # SAMPLE: kernel.reading.Reading
        "offered_ma",  # SAMPLE: current offered to the vehicle, mA, or None
        "info",  # EVENT: free text
    ),
)


def begin_payload(t, tx, connector, token, wh, reservation, parent):
    return pack((t, tx, connector, token, wh, reservation, parent))


def end_payload(t, tx, connector, token, wh, reason):
    return pack((t, tx, connector, token, wh, reason))


def sample_payload(t, tx, connector, context, reading, offered_ma):
    return pack([t, tx, connector, CONTEXTS.index(context), offered_ma] + reading.to_list())


def event_payload(t, event, info):
    return pack((t, event, info))


def clock_payload(t, boot, delta):
    return pack((t, boot, delta))


def boot_payload(t):
    return pack((t,))


def clock_fields(payload):
    """Returns (boot, delta) of a CLOCK record; raises ValueError."""
    return _fields(payload, 3)[1:3]


def transaction_number(kind, payload):
    """Returns the transaction number of a BEGIN, SAMPLE or END record; raises ValueError."""
    return _fields(payload, 2)[1]


def sample_series(payload):
    """Returns (transaction, connector, context) of a SAMPLE record; raises ValueError."""
    tx, connector, context = _fields(payload, 5)[1:4]
    return tx, connector, _context(context)


def time_of(payload):
    """Returns (boot or None, seconds) of any record; raises ValueError."""
    t = _fields(payload, 1)[0]
    if isinstance(t, list):
        if len(t) != 2:
            raise ValueError("bad time")
        return t[0], t[1]
    return None, t


def decode(seq, kind, payload, rebase):
    """Returns the Record of a payload; rebase(boot, seconds) returns the corrected time of an unsynchronised record.

    Raises ValueError for an unknown kind or invalid payload.
    """
    boot, t = time_of(payload)
    if boot is not None:
        t = rebase(boot, t)
    tx = connector = 0
    token = parent = wh = reason = reservation = context = reading = offered_ma = info = None
    if kind == BEGIN:
        _, tx, connector, token, wh, reservation, parent = _fields(payload, 7)[:7]
    elif kind == END:
        _, tx, connector, token, wh, reason = _fields(payload, 6)[:6]
    elif kind == SAMPLE:
        fields = _fields(payload, 5)
        _, tx, connector, context, offered_ma = fields[:5]
        context = _context(context)
        reading = Reading.from_list(fields[5:])
    elif kind == EVENT:
        _, context, info = _fields(payload, 3)[:3]
    elif kind not in (CLOCK, BOOT):
        raise ValueError("unknown kind")
    return Record(
        seq, kind, t, tx, connector, token, parent, wh, reason, reservation, context, reading, offered_ma, info
    )


def _fields(payload, least):
    fields = unpack(payload)
    if len(fields) < least:
        raise ValueError("record too short")
    return fields


def _context(index):
    if not 0 <= index < len(CONTEXTS):
        raise ValueError("unknown context")
    return CONTEXTS[index]
