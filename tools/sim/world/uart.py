# The lines between the board's UARTs and what hangs on them. MIT license.
"""UART lines of the board: to an emulated device, or to a tty of the host with a real device or server."""

import select

from micropython import const

_FIFO = const(1024)  # bytes that the board's driver buffers; further bytes are lost
_BITS_PER_BYTE = const(10)  # 8N1


class Line:
    """A line to an emulated device. The device sets `on_write(data)`, the event loop `on_data()`."""

    is_tty = False

    def __init__(self):
        self._received = bytearray()
        self.baud = 9600
        self.on_write = None
        self.on_data = None

    def configure(self, baud):
        self.baud = baud

    def duration_ms(self, length):
        """Returns the duration of `length` bytes on the line."""
        return (length * _BITS_PER_BYTE * 1000 + self.baud - 1) // self.baud

    # The board's end.

    def any(self):
        return len(self._received)

    def read(self, length):
        data = bytes(self._received[:length])
        self._received = self._received[length:]
        return data

    def write(self, data, now_us=0):
        if self.on_write:
            self.on_write(bytes(data))

    def sent(self, now_us):
        """Returns True when all written bytes were sent."""
        return True

    # The device's end.

    def send(self, data):
        self._received.extend(data[: _FIFO - len(self._received)])
        if self.on_data:
            self.on_data()


class HalfDuplexLine(Line):
    """An RS-485 line whose driver the board has to switch: while it drives, nothing can be heard, and else not sent.

    us, instant_ms   the board's clock, and the instant at which the world is, which may be looked at later
    """

    def __init__(self, us, instant_ms):
        super().__init__()
        self._us = us
        self._instant_ms = instant_ms
        self._drives = False
        self._changed_us = 0
        self._sent_us = 0
        self.lost = 0  # bytes in either direction

    def drive(self, on):
        now_us = self._us()
        if not on and now_us < self._sent_us:
            self.lost += 1
            super().write(b"\x00")  # the byte that is cut off is received as another one
        if bool(on) != self._drives:
            self._changed_us = now_us
        self._drives = bool(on)

    def write(self, data, now_us=0):
        if not self._drives:
            self.lost += len(data)
            return
        self._sent_us = now_us + self._wire_us(len(data))
        super().write(data)

    def sent(self, now_us):
        return now_us >= self._sent_us

    def send(self, data):
        """Bytes that end at this instant; they are lost when the board has driven the line since they began."""
        begun_us = (self._instant_ms() + 1) * 1000 - self._wire_us(len(data))
        if self._drives or self._changed_us > begun_us:
            self.lost += len(data)
        else:
            super().send(data)

    def _wire_us(self, length):
        return length * _BITS_PER_BYTE * 1_000_000 // self.baud


class TtyLine:
    """A line to a tty of the host, in raw mode."""

    is_tty = True

    def __init__(self, path):
        import termios

        self._termios = termios
        self._file = open(path, "r+b")
        termios.setraw(self._file.fileno())
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def configure(self, baud):
        speed = getattr(self._termios, "B%d" % baud, None)
        if speed is not None:
            fields = self._termios.tcgetattr(self._file.fileno())
            fields[4] = fields[5] = speed
            self._termios.tcsetattr(self._file.fileno(), self._termios.TCSANOW, fields)

    def fileno(self):
        return self._file.fileno()

    def any(self):
        return 1 if self._poll.poll(0) else 0

    def read(self, length):
        # A tty file read for n bytes blocks until all are there, so it is read byte by byte.
        data = bytearray()
        while len(data) < length and self._poll.poll(0):
            byte = self._file.read(1)
            if not byte:
                break
            data.extend(byte)
        return bytes(data)

    def write(self, data, now_us=0):
        self._file.write(data)

    def sent(self, now_us):
        return True
