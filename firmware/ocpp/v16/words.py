"""Maps the station's names for reasons, statuses, contexts and results to OCPP 1.6's words, and back."""

from firmware.charging.session import (
    DEAUTHORISED,
    EMERGENCY,
    HARD_RESET,
    LOCAL,
    POWER_LOST,
    REBOOT,
    REMOTE,
    SOFT_RESET,
    UNLOCKED,
    UNPLUGGED,
)
from firmware.charging.status import (
    CHARGING,
    FAULTED,
    FREE,
    OUT_OF_SERVICE,
    RESERVED,
    SUSPENDED_BY_STATION,
    SUSPENDED_BY_VEHICLE,
)
from firmware.charging.usage import DONE, WAITING
from firmware.store.tokens import ACCEPTED, BLOCKED, CONCURRENT, EXPIRED, INVALID

# ChargePointStatus (§7.7)
STATES = {
    FREE: "Available",
    WAITING: "Preparing",
    CHARGING: "Charging",
    SUSPENDED_BY_VEHICLE: "SuspendedEV",
    SUSPENDED_BY_STATION: "SuspendedEVSE",
    DONE: "Finishing",
    RESERVED: "Reserved",
    OUT_OF_SERVICE: "Unavailable",
    FAULTED: "Faulted",
}

# Reason (§7.36)
REASONS = {
    LOCAL: "Local",
    REMOTE: "Remote",
    UNPLUGGED: "EVDisconnected",
    UNLOCKED: "UnlockCommand",
    DEAUTHORISED: "DeAuthorized",
    EMERGENCY: "EmergencyStop",
    POWER_LOST: "PowerLoss",
    SOFT_RESET: "SoftReset",
    HARD_RESET: "HardReset",
    REBOOT: "Reboot",
}

# AuthorizationStatus (§7.2)
VERDICTS = {
    ACCEPTED: "Accepted",
    BLOCKED: "Blocked",
    EXPIRED: "Expired",
    INVALID: "Invalid",
    CONCURRENT: "ConcurrentTx",
}

# ReadingContext (§7.33) of a sample
CONTEXTS = {
    "begin": "Transaction.Begin",
    "end": "Transaction.End",
    "periodic": "Sample.Periodic",
    "clock": "Sample.Clock",
    "trigger": "Trigger",
    "interruption.begin": "Interruption.Begin",
    "interruption.end": "Interruption.End",
}


def verdict_of(word):
    """Returns the station's name for an AuthorizationStatus, or None for a word that is none."""
    for name, known in VERDICTS.items():
        if known == word:
            return name
    return None
