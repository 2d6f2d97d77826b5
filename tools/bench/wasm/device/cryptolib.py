# Stands in for `cryptolib`, which the 32-bit build has not: nothing is encrypted there. MIT license.
class aes:
    pass
