"""What a central system may see of a station that loses power, link and answers at any moment, and nothing else."""

import json

from tools.csms.moments import unix_seconds

TRANSACTION_MESSAGES = ("StartTransaction", "MeterValues", "StopTransaction")

# An answer that left so shortly before the power or the link went may have been lost on its way, seconds.
IN_FLIGHT_S = 0.5


def transaction_messages(csms):
    """Returns the transaction messages in the order in which they came."""
    return [
        m for m in csms.calls if m.action in TRANSACTION_MESSAGES and ("transactionId" in m.payload or _is_start(m))
    ]


def audit(csms, ends, clock_slack_s=0):
    """Returns what is wrong with what the central system has seen, an empty list when nothing is.

    `ends` are the moments (Unix seconds) at which power or link were taken away. A message may come again only when its
    first copy got no answer or one that was lost on its way, and before anything that follows it (OCPP 1.6 §3.7).
    """
    wrong = list(csms.violations) + list(csms.ledger.problems)
    answered_at = _answer_times(csms)
    once = []
    for message in transaction_messages(csms):
        if once and _same(once[-1], message):
            at = answered_at.get(once[-1].id)
            if at is not None and not any(-0.05 <= end - at <= IN_FLIGHT_S for end in ends):
                wrong.append(f"{message.action} came again though it was answered: {message.payload}")
            once[-1] = message
        elif any(_same(earlier, message) for earlier in once):
            wrong.append(f"{message.action} came again out of order: {message.payload}")
        else:
            once.append(message)
    return wrong + _out_of_order(once, clock_slack_s) + _energies(csms)


def _out_of_order(messages, clock_slack_s):
    """Facts are delivered in the order in which they happened, each transaction's from its start to its stop."""
    wrong = []
    running = {}  # connector -> transaction id
    newest = {}  # connector -> the latest moment
    for message in messages:
        t = moment(message)
        connector = message.payload.get("connectorId")
        if connector is None:
            connector = next((n for n, number in running.items() if number == message["transactionId"]), None)
        # An end after a power cut is when it was last known to run; the other connector may have gone on for longer.
        concerned = [connector] if message.payload.get("reason") == "PowerLoss" else newest
        latest = max([newest.get(n, 0) for n in concerned], default=0)
        if t < latest - clock_slack_s:
            wrong.append(f"{message.action} is {latest - t} s older than one before it: {message.payload}")
        newest[connector] = max(t, newest.get(connector, 0))
        if _is_start(message):
            running[message["connectorId"]] = message.transaction_id
        elif message["transactionId"] not in running.values():
            wrong.append(f"{message.action} of a transaction that is not going on: {message.payload}")
        elif message.action == "StopTransaction":
            running = {n: number for n, number in running.items() if number != message["transactionId"]}
    return wrong


def _energies(csms):
    """All energy flows in transactions, so each one begins where the one before it on that connector has ended."""
    wrong = []
    register = {}  # connector -> Wh
    for transaction in csms.ledger.transactions.values():
        start, stop = transaction.start, transaction.stop
        before = register.get(start["connectorId"], start["meterStart"])
        if start["meterStart"] != before:
            wrong.append(f"transaction {transaction.id} begins at {start['meterStart']} Wh, not at {before}")
        if stop:
            register[start["connectorId"]] = stop["meterStop"]
    return wrong


def registers(csms):
    """Returns {connector: Wh} at the end of the last transaction of each connector."""
    return {t.start["connectorId"]: t.stop["meterStop"] for t in csms.ledger.transactions.values() if t.stop}


def moment(message):
    """Returns the Unix seconds that a transaction message is about."""
    if message.action == "MeterValues":
        return unix_seconds(message["meterValue"][0]["timestamp"])
    return unix_seconds(message["timestamp"])


def _is_start(message):
    return message.action == "StartTransaction"


def _same(one, other):
    return one.action == other.action and one.payload == other.payload


def _answer_times(csms):
    """Returns {message id: when its answer was sent}."""
    times = {}
    for frame in csms.frames:
        if frame.direction == "out":
            answer = json.loads(frame.text)
            if answer[0] in (3, 4):
                times[answer[1]] = frame.t
    return times
