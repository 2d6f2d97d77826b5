# Signals for the unix port. MIT license.
"""SIGTERM and SIGINT as a stream to wait for: this build of MicroPython has neither a signal module nor ffi.

An exception in the middle of anything, which is what MicroPython makes of SIGINT, cannot be an orderly stop. A signalfd
can, and takes two system calls. They are put, as machine code, into the memory of a viper function, a page of its own
that may be written and executed. Works on Linux on x86-64 only, as the pinned build does.
"""

import struct
import sys

import micropython
import uctypes

_ARCH_X64 = 2  # of sys.implementation._mpy
_CODE_FIELD = 24  # of a function object: after type, context and children
_PAGE = 4096

# mask = 1 << (SIGINT - 1) | 1 << (SIGTERM - 1)
_OPEN = bytes.fromhex(
    "4883ec1048c7042402400000"  # sub rsp, 16; mov qword [rsp], mask
    "b80e00000031ff4889e631d241ba080000000f05"  # rt_sigprocmask(SIG_BLOCK, rsp, NULL, 8)
    "b821010000bfffffffffba080000004531d20f05"  # signalfd4(-1, rsp, 8, 0)
    "4883c410488d440001c3"  # add rsp, 16; return its result as a small int
)


# exit_group(66): what the process of a board ends with whose watchdog has bitten.
_END = bytes.fromhex("bf42000000b8e70000000f05")  # mov edi, 66; mov eax, 231; syscall


@micropython.viper
def _system_calls() -> int:
    return -1


@micropython.viper
def _exit_group() -> int:
    return -1


def _patched(function, code):
    """Puts machine code into a function, where that works."""
    address = struct.unpack("Q", uctypes.bytes_at(id(function) + _CODE_FIELD, 8))[0]
    if (sys.implementation._mpy >> 10) & 15 == _ARCH_X64 and address % _PAGE == 0:
        uctypes.bytearray_at(address, len(code))[:] = code
    return function


def end_process():
    """Ends the process with code 66 from whatever thread; returns where it cannot."""
    _patched(_exit_group, _END)()


def open_signals():
    """Returns a stream that is readable once SIGTERM or SIGINT has come; None (they do what they did) elsewhere."""
    descriptor = _patched(_system_calls, _OPEN)()
    return open(descriptor, "rb") if descriptor >= 0 else None
