"""A tty whose far end sends nonsense without pause, for the station's serial lines."""

import os
import pty
import random
import select
import threading
import tty

from tools.sim.world.meter_emulator import crc16

_PAUSE_S = 0.005
_LONGEST = 300


class HostileLine:
    """`path` is the station's end. `nonsense(noise, request)` returns what to send, with what has just come from it."""

    def __init__(self, nonsense):
        self._nonsense = nonsense
        self._noise = random.Random(1)
        self.end, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.end, False)
        self.path = os.ttyname(self._slave)
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._stop.set()
        self._thread.join()
        os.close(self.end)
        os.close(self._slave)

    def _send(self):
        while not self._stop.wait(_PAUSE_S):
            request = os.read(self.end, 4096) if select.select([self.end], [], [], 0)[0] else b""
            try:
                self.sent += os.write(self.end, self._nonsense(self._noise, request))
            except BlockingIOError:
                pass  # the station does not read that fast


def meter_nonsense(noise, request):
    """Noise, echoes, and well-formed replies that answer something else (Modbus RTU)."""
    unit = request[0] if request else 1
    return noise.choice(
        (
            noise.randbytes(noise.randrange(1, _LONGEST)),
            request,
            bytes(50),
            _sealed(bytes((unit ^ 1, 4, 4, 0, 0, 0, 0))),  # another unit
            _sealed(bytes((unit, 0x84, 2))),  # an exception
            _sealed(bytes((unit, 4, 2, 0, 0))),  # too few registers
            b"",
        )
    )


def reader_nonsense(noise, request):
    """Noise, echoes, acknowledgements and frames with wrong lengths and checksums (PN532 HSU)."""
    return noise.choice(
        (
            noise.randbytes(noise.randrange(1, _LONGEST)),
            request,
            b"\x00\x00\xff\x00\xff\x00",
            b"\x00\x00\xff\xff\x00",
            b"\x00\x00\xff\xff\xff\xff\xff" + noise.randbytes(30),
            b"\x00\x00\xff\x05\xfb\xd5\x4b\x01\x01\x00\x00\x00",
            b"\x00\x00\xff" + noise.randbytes(30),
            b"",
        )
    )


def _sealed(frame):
    return frame + crc16(frame).to_bytes(2, "little")
