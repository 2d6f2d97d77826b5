"""Shows the log of a station at its serial port and leaves the station alone: `python -m tools.logs PORT [--file LOG]`.

Ctrl-C ends it. The port is opened again after a reset that makes it vanish, as the USB of an ESP32-S3 does.
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from tools.serial_port import PortError, SerialPort


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.logs", description="Shows the log of a station.")
    parser.add_argument("port", help="serial port of the board, as mpremote takes it")
    parser.add_argument("--file", type=Path, help="file to which the log is appended, too")
    options = parser.parse_args()
    try:
        with SerialPort(options.port) as port, options.file.open("a") if options.file else nullcontext() as file:
            for line in port.lines():
                if not line:
                    continue
                if file:
                    file.write(line + "\n")
                    file.flush()
                print(line, flush=True)
    except (PortError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
