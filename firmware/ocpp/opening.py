"""Opens the link: address, credentials, limits, sub-protocol (OCPP-J 1.6 §3.1, §3.2, §6.2 with errata)."""

from binascii import b2a_base64, unhexlify

from micropython import const
from uwebsockets import connect as open_socket
from uwebsockets import quote

_SUBPROTOCOL = "ocpp1.6"
_CONNECT_S = const(15)  # for TCP, TLS and handshake together
_MAX_IN_RAM = const(65536)  # bytes of a message without a spool; a larger one is refused with close code 1009
_SECURE_PROFILE = const(2)  # the lowest SecurityProfile that demands TLS
_PROTOCOL_ERROR = const(1002)


async def open_link(url, settings, resolve, spool, dial, connect):
    """Returns an open WebSocket that speaks OCPP 1.6; the arguments are those of Connection.

    Raises OSError or ValueError.
    """
    secure = url[:4].lower() == "wss:"
    if settings.get("SecurityProfile") >= _SECURE_PROFILE and not secure:
        raise ValueError("SecurityProfile allows wss only")
    arguments = {"max_size": _MAX_IN_RAM}
    if spool:
        arguments = {
            "max_size": settings.get("MaxMessageBytes"),
            "spool": spool.begin,
            "spool_above": settings.get("LargeMessageBytes"),
        }
    if dial:
        arguments["dial"] = dial
    ws = await (connect or open_socket)(
        url,
        subprotocols=(_SUBPROTOCOL,),
        headers=authorization(settings.get("ChargePointId"), settings.get("AuthorizationKey")),
        ssl=_tls(settings) if secure else None,
        timeout_s=_CONNECT_S,
        resolve=resolve,
        **arguments,
    )
    if ws.subprotocol != _SUBPROTOCOL:  # §3.2: the back-end will close; if it forgets to, we do
        await ws.close(_PROTOCOL_ERROR, "no common sub-protocol")
        raise OSError("back-end does not speak " + _SUBPROTOCOL)
    return ws


def _tls(settings):
    from firmware.ocpp.tls import client_context

    return client_context(settings.get("CentralSystemCaFile"))


def connection_url(endpoint, identity):
    """Returns the endpoint URL + "/" + the percent-encoded identity (§3.1.1)."""
    path, question_mark, query = endpoint.partition("?")
    return path.rstrip("/") + "/" + quote(identity) + question_mark + query


def authorization(identity, key):
    """Returns the header for HTTP basic authentication (§6.2.2), none without a key.

    A key of 32 to 40 hex digits stands for 16 to 20 bytes (security white paper A00.FR.205); any other is a password.
    """
    if not key:
        return None
    password = key.encode()
    if 32 <= len(key) <= 40 and len(key) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in key):
        password = unhexlify(key)
    credentials = b2a_base64(identity.encode() + b":" + password).strip().decode()
    return {"Authorization": "Basic " + credentials}
