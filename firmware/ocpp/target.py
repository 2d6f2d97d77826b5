"""Opens the WebSocket to the back-end: URL, credentials, sub-protocol (OCPP-J 1.6 §3.1, §3.2, §6.2)."""

from binascii import b2a_base64, unhexlify

from asyncdns import Resolver
from micropython import const
from uwebsockets import connect as open_socket
from uwebsockets import quote

from firmware.ocpp.tls import client_context
from firmware.store.values import is_hex_key

_CONNECT_S = const(15)  # limit for TCP, TLS and handshake together
_SECURE_PROFILE = const(2)  # lowest SecurityProfile with TLS
_PROTOCOL_ERROR = const(1002)


class Target:
    """A back-end and the station's identity there; `password` is the AuthorizationKey, "" for none."""

    def __init__(self, endpoint, identity, password, security_profile, ca_file):
        self.identity = identity
        self.password = password
        self.security_profile = security_profile
        self.ca_file = ca_file
        self.url = connection_url(endpoint, identity)


def target_of(settings, failures):
    """Returns the Target from the settings, None when not configured. `failures`: failed attempts in a row."""
    endpoint, identity = settings.get("CentralSystemUrl"), settings.get("ChargePointId")
    if not endpoint or not identity:
        return None
    password, profile = settings.get("AuthorizationKey"), settings.get("SecurityProfile")
    return Target(endpoint, identity, password, profile, settings.get("CentralSystemCaFile"))


class Opener:
    """Opens WebSockets. `spool` is a Spool or NoSpool for large messages.

    `resolve` and `dial` see uwebsockets.connect(); `connect` replaces that function.
    """

    dial = None

    def __init__(self, settings, spool, resolve=None, connect=open_socket):
        self._settings = settings
        self._spool = spool
        self._resolve = resolve or Resolver()
        self._connect = connect

    async def open(self, target, subprotocols):
        """Returns an open WebSocket with one of the sub-protocols. Raises OSError or ValueError."""
        secure = target.url[:4].lower() == "wss:"
        if target.security_profile >= _SECURE_PROFILE and not secure:
            raise ValueError("SecurityProfile requires a wss URL")
        arguments = self._spool.limits(self._settings)
        if self.dial:
            arguments["dial"] = self.dial
        ws = await self._connect(
            target.url,
            subprotocols=subprotocols,
            headers=authorization(target.identity, target.password),
            ssl=client_context(target.ca_file) if secure else None,
            timeout_s=_CONNECT_S,
            resolve=self._resolve,
            **arguments,
        )
        if ws.subprotocol not in subprotocols:  # §3.2: the back-end should close; we do it in any case
            await ws.close(_PROTOCOL_ERROR, "no common sub-protocol")
            raise OSError("back-end does not support sub-protocol " + ", ".join(subprotocols))
        return ws

    def link_ended(self):
        """Discards a large message that was still arriving."""
        self._spool.abandon()


def connection_url(endpoint, identity):
    """Returns the endpoint URL + "/" + the percent-encoded identity (§3.1.1)."""
    path, question_mark, query = endpoint.partition("?")
    return path.rstrip("/") + "/" + quote(identity) + question_mark + query


def authorization(identity, key):
    """Returns the header for HTTP basic authentication (§6.2.2), none without a key.

    A key of 32 to 40 hex digits is sent as 16 to 20 bytes (security white paper A00.FR.205), any other as text.
    """
    if not key:
        return None
    password = key.encode()
    if is_hex_key(key):
        password = unhexlify(key)
    credentials = b2a_base64(identity.encode() + b":" + password).strip().decode()
    return {"Authorization": "Basic " + credentials}
