"""Stands in for MicroPython's cryptolib on CPython: AES-CBC only."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_CBC = 2


class aes:  # noqa: N801
    def __init__(self, key, mode, iv):
        assert mode == _CBC
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
        self._context = None

    def encrypt(self, data):
        self._context = self._context or self._cipher.encryptor()
        return self._context.update(data)

    def decrypt(self, data):
        self._context = self._context or self._cipher.decryptor()
        return self._context.update(data)
