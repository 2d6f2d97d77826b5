"""Certificates for the link to the back-end."""

from harness import raises

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
