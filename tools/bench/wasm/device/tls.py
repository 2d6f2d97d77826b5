# Stands in for `tls`, which the 32-bit build has not: names only, wss is not measured. MIT license.
CERT_REQUIRED = 2
PROTOCOL_TLS_CLIENT = 0


class SSLContext:
    pass
