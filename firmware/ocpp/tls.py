"""TLS context of the link to the back-end: CA certificates; certificate and host name are always checked."""

from binascii import a2b_base64

from micropython import const

_MAX_FILE = const(16384)  # maximum bytes of the CA file

try:
    from tls import CERT_REQUIRED, PROTOCOL_TLS_CLIENT, SSLContext
except ImportError:  # CPython
    from ssl import CERT_REQUIRED, PROTOCOL_TLS_CLIENT, SSLContext


def client_context(ca_path):
    """Returns an SSLContext that trusts only the certificates in the file `ca_path` (PEM, or one in DER).

    Raises OSError when the file does not exist, ValueError when it contains no certificate.
    """
    if not ca_path:
        raise ValueError("a wss URL needs CentralSystemCaFile")
    with open(ca_path, "rb") as file:
        data = file.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise ValueError("CA file is larger than %d bytes" % _MAX_FILE)
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.verify_mode = CERT_REQUIRED  # type: ignore[attr-defined]  # missing from the stubs
    for certificate in certificates(data):
        # Each call adds a certificate; CPython takes bytes only by keyword, MicroPython only by position.
        if hasattr(context, "check_hostname"):
            context.load_verify_locations(cadata=certificate)
        else:
            context.load_verify_locations(certificate)
    return context


def certificates(data):
    """Yields the certificates of a PEM or DER file as DER, since not every build reads PEM. Raises ValueError."""
    if data[:1] == b"\x30":
        yield data
        return
    found = False
    for part in data.split(b"-----BEGIN CERTIFICATE-----")[1:]:
        body, end, _ = part.partition(b"-----END CERTIFICATE-----")
        if not end:
            raise ValueError("CA file: certificate without END line")
        found = True
        yield a2b_base64(body)
    if not found:
        raise ValueError("no certificate in the CA file")
