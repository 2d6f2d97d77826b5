"""IdTagInfo and idTag (OCPP 1.6 §7.27, §7.28) to and from the station's id tokens."""

from firmware.kernel.clock import parse_iso8601, read_time
from firmware.ocpp.v16.words import verdict_of
from firmware.store.tokens import TokenInfo, group_of

# CiString20Type (OCPP 1.6 §7.28)
MAX_TOKEN = 20


def expiry_of(id_tag_info):
    """Returns the Unix seconds of IdTagInfo.expiryDate, or None without it. Raises ValueError."""
    text = id_tag_info.get("expiryDate")
    return None if text is None else parse_iso8601(text)


def parent_of(id_tag_info):
    """Returns the group of IdTagInfo.parentIdTag; None if missing or empty: tokens with an empty one are no group.

    Raises ValueError for a text that is no token.
    """
    parent = id_tag_info.get("parentIdTag")
    return group_of(parent) if parent else None


def verdict(response):
    """Returns the TokenInfo in an answer of the back-end (see Schema.read()), None without idTagInfo.

    If idTagInfo cannot be read, such as an unknown status, the TokenInfo has the status None: not accepted.
    """
    if "idTagInfo" not in response:
        return None
    info = response["idTagInfo"]
    if info is None:
        info = {"status": None}
    if "status" not in info:
        return None
    expiry = info.get("expiryDate")
    try:
        group = parent_of(info)
    except ValueError:
        group = None
    return TokenInfo(verdict_of(info["status"]), None if expiry is None else read_time(expiry)[0], group)
