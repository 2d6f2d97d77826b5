"""Local OCPP-J 1.6 central system: a library for tests that checks every message, and a console for people.

with CentralSystem() as csms:
    ...start a charger on csms.url...
    start = csms.expect("StartTransaction", connectorId=1)
    csms.call("RemoteStopTransaction", transactionId=start.transaction_id)
    assert not csms.violations
"""

from tools.csms.ledger import Ledger
from tools.csms.policy import Policy
from tools.csms.records import CallFailed, Frame, Message
from tools.csms.server import CentralSystem

__all__ = ["CallFailed", "CentralSystem", "Frame", "Ledger", "Message", "Policy"]
