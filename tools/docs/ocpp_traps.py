"""What implementations of OCPP 1.6 get wrong most often, and the tests here that name each of these traps."""

import re

from tools.docs.pages import ROOT

TRAPS = (
    (1, "One CALL of ours at a time; theirs are answered meanwhile; stray answers disturb nothing"),
    (2, "Message ids are never used twice, not even after a reboot; a repetition has a new one"),
    (3, "CALLERROR codes keep the spelling of 1.6"),
    (4, "NotImplemented, NotSupported and the word of the message itself are told apart"),
    (5, "Only a CALL is answered with CALLERROR; `null` is an empty payload"),
    (6, "Times with fractions and offsets, both spellings of Celsius, superfluous fields are taken, and not sent"),
    (7, "Without the sub-protocol there is no link; HTTP errors are tried again; the identity is percent-encoded"),
    (8, "A reconnect is no boot; a trigger for one is followed only then"),
    (9, "Before Accepted nothing is sent unasked; Rejected is silent"),
    (10, "The interval is a heartbeat's only where the station is accepted"),
    (11, "All statuses after Accepted; times before the clock was set are put right"),
    (12, "One ordered queue for transactions, kept over power cuts; everything else may overtake it"),
    (13, "Only a refusal costs an attempt, silence never does; waits grow"),
    (14, "Transaction -1 where no number was given; 0 and negative numbers are numbers"),
    (15, "A token that is refused after the start stops or suspends; the list's ConcurrentTx is valid"),
    (16, "The same token stops without Authorize, another one with it and with the same parent"),
    (17, "Each reason to stop has its word, also after a restart"),
    (18, "Unplugging at the vehicle: stopping has priority over unlocking"),
    (19, "ConnectionTimeOut counts from Preparing and ends in Available or Finishing"),
    (20, "Registers never run backwards, over power cuts either"),
    (
        21,
        "Sampled values from the begin, aligned ones from midnight, those also without transaction and for connector 0",
    ),
    (22, "transactionData: none where nothing is configured, else begin and end always"),
    (23, "Lists with an unknown measurand are refused whole; phases may be named"),
    (24, "SuspendedEVSE before SuspendedEV; a fault returns to the status before it; warnings keep it"),
    (25, "Only the current status after a time offline; short ones are omitted; Unavailable stays"),
    (26, "Reservations: replaced, kept for the group, on connector 0, ended by expiry and fault, told at the start"),
    (27, "Keys and tokens in any case; secrets are not read; keys without their part do not exist"),
    (28, "The cache: no entry of the list, invalid ones go first; without one ClearCache is rejected"),
    (29, "Local list versions; who is listed as blocked stays out whatever else is allowed"),
    (30, "A trigger is answered first; Idle is told only then; no connector means all"),
    (31, "Remote start: connector 0 and profiles with a transaction are refused"),
    (32, "An update waits for the transaction; retries are not attempts; Installed comes after the reboot"),
    (33, "The highest valid level of each purpose, the lowest of all purposes, a sum for connector 0"),
    (34, "Same id, or same level and purpose, replaces"),
    (35, "Amperes are of each phase, watts of all"),
    (36, "A transaction's profile needs the transaction and ends with it; all others survive a reboot"),
    (37, "Recurring repeats at the time of its start; relative counts from the begin"),
    (38, "A composite schedule always has a period"),
    (39, "ClearChargingProfile: an id stands alone, other criteria all have to fit"),
    (40, "Passwords as bytes; profiles of security only upwards, and never so that the link is cut"),
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
