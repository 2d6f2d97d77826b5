"""Times in OCPP messages (OCPP 1.6 §3.15): Unix seconds from and to ISO 8601."""

import re
from datetime import datetime, timezone

# An offset is required: without it the time is ambiguous.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


def iso8601(unix):
    """Returns Unix seconds as UTC text, 2026-11-21T01:02:03Z."""
    return datetime.fromtimestamp(int(unix), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix_seconds(text):
    """Returns the Unix seconds of an ISO 8601 time with offset, fractions cut off; raises ValueError."""
    moment = _MOMENT.fullmatch(text)
    if moment is None:
        raise ValueError(f"{text!r} is not a time with an offset")
    return int(datetime.fromisoformat(moment[1] + moment[2].replace("Z", "+00:00")).timestamp())
