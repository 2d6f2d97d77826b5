"""Certificates for the link to the back-end."""

from folder import fresh_folder
from harness import raises

import firmware.ocpp.tls as tls_module
from firmware.ocpp.tls import certificates, client_context

PEM = b"""comment
-----BEGIN CERTIFICATE-----
MAMC
AQE=
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----\r
MAMCAQI=\r
-----END CERTIFICATE-----\r
"""


def test_pem_files_have_several_certificates():
    assert list(certificates(PEM)) == [b"\x30\x03\x02\x01\x01", b"\x30\x03\x02\x01\x02"]


def test_der_files_have_one():
    assert list(certificates(b"\x30\x03\x02\x01\x01")) == [b"\x30\x03\x02\x01\x01"]


def test_files_without_a_whole_certificate_are_refused():
    for data in (b"", b"text", PEM[:40], b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"):
        with raises(ValueError):
            for certificate in certificates(data):
                if not certificate:
                    raise ValueError


def test_wss_needs_a_ca():
    for path in (None, ""):
        with raises(ValueError):
            client_context(path)
    with raises(OSError):
        client_context("/nowhere/ca.pem")


class Context:
    """An SSLContext that keeps what it is told."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.verify_mode = None
        self.trusted = []


class CPythonContext(Context):
    check_hostname = True

    def load_verify_locations(self, *, cadata):
        self.trusted.append(cadata)


class BoardContext(Context):
    def load_verify_locations(self, certificate):
        self.trusted.append(certificate)


def test_every_certificate_of_the_file_is_trusted_and_the_peer_is_checked():
    path = fresh_folder() + "/ca.pem"
    with open(path, "wb") as f:
        f.write(PEM)
    for fake in (CPythonContext, BoardContext):
        real, tls_module.SSLContext = tls_module.SSLContext, fake
        try:
            context = client_context(path)
        finally:
            tls_module.SSLContext = real
        assert context.trusted == [b"\x30\x03\x02\x01\x01", b"\x30\x03\x02\x01\x02"]
        assert context.verify_mode == tls_module.CERT_REQUIRED
        assert context.protocol == tls_module.PROTOCOL_TLS_CLIENT


def test_a_file_of_certificates_has_16_kilobytes_at_most():
    path = fresh_folder() + "/ca.pem"
    for size, words in ((16_384, "no certificate"), (16_385, "larger than 16384 bytes"), (20_000, "larger than")):
        with open(path, "wb") as f:
            f.write(b" " * size)
        with raises(ValueError) as caught:
            client_context(path)
        assert words in str(caught.value)
