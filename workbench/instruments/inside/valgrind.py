"""Valgrind's tools, switched from inside the program that they watch, and the launcher that starts them.

A client request is a sequence of instructions that does nothing on a processor and that valgrind takes for a call (Valgrind
User Manual, "The Client Request mechanism"; the codes are those of valgrind.h and callgrind.h). C programs have it from a
macro; here it is the machine code itself, in a page of its own: no compiler, and nothing private of anybody's.

python -I -S valgrind.py PIDFILE COMMAND... writes its process id into PIDFILE, has the kernel place everything at the same
addresses in every run, and becomes COMMAND.
"""

import ctypes
import mmap
import os
import platform
import sys

_NO_RANDOMIZATION = 0x0040000  # ADDR_NO_RANDOMIZE of <sys/personality.h>
_ASK = 0xFFFFFFFF
_RUNNING_ON_VALGRIND = 0x1001
_CALLGRIND = ord("C") << 24 | ord("T") << 16
_ZERO, _START, _STOP = _CALLGRIND + 1, _CALLGRIND + 4, _CALLGRIND + 5
_X86_64 = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the request, six words
    "4889f2"  # mov rdx, rsi: the answer where nobody listens
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi, 3, 13, 61, 51: it is what it was
    "4887db"  # xchg rbx, rbx
    "4889d0"  # mov rax, rdx
    "c3"  # ret
)


class ValgrindError(Exception):
    """Requests cannot be made on this machine."""


class Requests:
    """Client requests of this process. Raises ValgrindError where they cannot be made: not on x86-64, or where the kernel
    lets no process make code."""

    def __init__(self) -> None:
        if platform.machine() not in ("x86_64", "AMD64"):
            raise ValgrindError(f"valgrind is switched from inside on x86-64 only, this is {platform.machine()}")
        try:
            self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        except OSError as error:
            raise ValgrindError(f"no page for machine code: {error.strerror or error}") from error
        self._page.write(_X86_64)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        # With the interpreter lock held: a request takes no time.
        self._call = ctypes.PYFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(address)

    def is_running_on_valgrind(self) -> bool:
        """Whether somebody listens."""
        return self._request(_RUNNING_ON_VALGRIND) > 0

    def forget(self) -> None:
        """What callgrind has counted so far counts no more."""
        self._request(_ZERO)

    def start(self) -> None:
        """Callgrind counts from here on."""
        self._request(_START)

    def stop(self) -> None:
        """Callgrind counts no more."""
        self._request(_STOP)

    def _request(self, code: int) -> int:
        return int(self._call(ctypes.byref((ctypes.c_uint64 * 6)(code)), 0))


def keep_addresses() -> bool:
    """Have programs that this process becomes or starts placed at the same addresses in every run, as setarch -R does;
    False where the kernel does not let us."""
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    before = personality(_ASK)
    return before != -1 and personality(before | _NO_RANDOMIZATION) != -1


def main() -> None:
    """Become the command of the command line."""
    pid_file, *command = sys.argv[1:]
    with open(pid_file, "w") as file:
        file.write(str(os.getpid()))
    keep_addresses()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
