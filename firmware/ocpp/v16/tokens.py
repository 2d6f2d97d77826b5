"""Id tokens on the wire: IdTagInfo (OCPP 1.6 §7.27) to and from what the station knows of a token."""

from firmware.charging.authorisation import TokenInfo
from firmware.kernel.clock import parse_iso8601

# CiString20Type (OCPP 1.6 §7.28)
MAX_TOKEN = 20


def expiry_of(id_tag_info):
    """Returns the Unix seconds of IdTagInfo.expiryDate, or None when there is none. Raises ValueError."""
    text = id_tag_info.get("expiryDate")
    return None if text is None else parse_iso8601(text)


def token_info(id_tag_info):
    """Returns the TokenInfo that an IdTagInfo stands for. An expiry date that is none is ignored."""
    try:
        expiry = expiry_of(id_tag_info)
    except ValueError:
        expiry = None
    return TokenInfo(id_tag_info["status"], expiry, id_tag_info.get("parentIdTag"))
