"""Traps: frequent mistakes of OCPP 1.6 implementations, and the tests that name each of them."""

import re

from tools.docs.pages import ROOT

TRAPS = (
    (1, "Only one CALL of ours is pending; calls of the back-end are answered meanwhile; stray answers are ignored"),
    (2, "Message ids are unique, also after a reboot; a repeated message has a new one"),
    (3, "CALLERROR codes keep the spelling of 1.6"),
    (4, "NotImplemented, NotSupported and the message's own NotSupported status are used correctly"),
    (5, "Only a CALL is answered with CALLERROR; `null` is an empty payload"),
    (6, "Times with fractions and offsets, both spellings of Celsius and unknown fields are accepted, but not sent"),
    (7, "No link without the sub-protocol; retry after HTTP errors; the identity is percent-encoded"),
    (8, "No BootNotification after a reconnect, except by TriggerMessage"),
    (9, "Before Accepted only requested messages are sent; while Rejected none"),
    (10, "interval in BootNotification.conf is the heartbeat interval only if Accepted"),
    (11, "All statuses are sent after Accepted; times from before the clock was set are corrected"),
    (12, "One ordered queue for transaction messages that survives power losses; other messages may overtake it"),
    (13, "Only an error answer counts as an attempt, no answer does not; waits increase"),
    (14, "transactionId -1 if none was received; 0 and negative ids are valid"),
    (15, "A token refused after the start stops or suspends the transaction; ConcurrentTx in the list is valid"),
    (16, "The same token stops without Authorize, another one of the same group with it"),
    (17, "The right reason in StopTransaction, also after a restart"),
    (18, "Unplugging at the vehicle: stopping has priority over unlocking"),
    (19, "ConnectionTimeOut counts from Preparing and ends in Available or Finishing"),
    (20, "Energy registers never decrease, also over power losses"),
    (
        21,
        "Sampled values count from the begin, aligned ones from midnight, also without transaction and for connector 0",
    ),
    (22, "transactionData: none if nothing is configured, else always with begin and end"),
    (23, "Lists with an unknown measurand are refused as a whole; phases may be named"),
    (24, "SuspendedEVSE before SuspendedEV; after a fault the status before it returns; warnings keep the status"),
    (25, "After being offline only the present status is sent; short statuses are omitted; Unavailable is kept"),
    (26, "Reservations: replaced, valid for the group, on connector 0, ended by expiry and fault, in StartTransaction"),
    (27, "Keys and tokens are case-insensitive; secrets cannot be read; keys without their part do not exist"),
    (28, "The cache has no tokens of the list, drops invalid entries first; ClearCache is Rejected if it is off"),
    (29, "Local list versions; a token blocked in the list is refused whatever else is allowed"),
    (30, "TriggerMessage is answered first; Idle is only sent on request; no connectorId means all"),
    (31, "Remote start: connector 0 and profiles with a transactionId are refused"),
    (32, "An update waits for the end of transactions; retries are extra attempts; Installed is sent after the reboot"),
    (33, "The highest valid stack level of each purpose, the lowest limit of all purposes, the sum for connector 0"),
    (34, "A profile with the same id, or the same stack level and purpose, is replaced"),
    (35, "Amperes are per phase, watts for all phases"),
    (36, "A TxProfile needs a transaction and ends with it; all others survive a reboot"),
    (37, "Recurring profiles repeat from their startSchedule; relative ones count from the begin of the transaction"),
    (38, "A composite schedule always has a period"),
    (39, "ClearChargingProfile: an id alone, or all other criteria together"),
    (40, "AuthorizationKey as bytes; SecurityProfile is only raised, and never so that the link is lost"),
)

_NAMED = re.compile(r"\btraps? (\d+(?:(?:, and |, | and )\d+)*)")
_TEST = re.compile(r"(?:async )?def (test_\w+)")


def tests_of_traps():
    """Returns {number: {file name: [test names]}} of all tests that name a trap."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        test = None
        for line in path.read_text().splitlines():
            test = (_TEST.match(line) or (None, test))[1]
            for numbers in _NAMED.findall(line) if test else ():
                for number in re.findall(r"\d+", numbers):
                    names = found.setdefault(int(number), {}).setdefault(path.name, [])
                    if test not in names:
                        names.append(test)
    return found


def table():
    found = tests_of_traps()
    yield "| trap | what has to be right | tests |"
    yield "|---|---|---|"
    for number, rule in TRAPS:
        tests = "; ".join(f"{name}: {', '.join(tests)}" for name, tests in found.get(number, {}).items())
        yield f"| {number} | {rule} | {tests.replace('test_', '').replace('.py', '')} |"
