# The lines between the board's UARTs and what hangs on them. MIT license.
"""A UART line ends in an emulated device, or in a tty of the host where a real device or server answers."""

import select

from micropython import const

_FIFO = const(1024)  # bytes the board's driver keeps; what comes on top is lost, as on the board
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
        """Returns how long `length` bytes take on the line."""
        return (length * _BITS_PER_BYTE * 1000 + self.baud - 1) // self.baud

    # The board's end.

    def any(self):
        return len(self._received)

    def read(self, length):
        data = bytes(self._received[:length])
        self._received = self._received[length:]
        return data

    def write(self, data):
        if self.on_write:
            self.on_write(bytes(data))

    # The device's end.

    def send(self, data):
        self._received.extend(data[: _FIFO - len(self._received)])
        if self.on_data:
            self.on_data()


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

    def write(self, data):
        self._file.write(data)
