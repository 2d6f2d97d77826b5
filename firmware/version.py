"""Firmware version number, as sent to the back-end and written to the image's manifest."""

VERSION = "0.1.0"

# The oldest MicroPython that runs it: exact 100 % of PWM since 1.25, asyncio and .mpy 6.3 as of 1.27.
MICROPYTHON = (1, 27, 0)
