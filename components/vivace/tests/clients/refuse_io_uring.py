"""Runs a command whose io_uring_setup(2) is refused with EPERM, as Kubernetes' RuntimeDefault profile does.

usage: refuse_io_uring.py COMMAND [ARGUMENT ...]
"""
import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SYS_IO_URING_SETUP = 425  # the same number on every architecture
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000

if platform.system() != "Linux":
    sys.exit("refuse_io_uring.py: Linux only")
filters = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (LOAD_WORD, 0, 0, 0),  # seccomp_data.nr
        (JUMP_EQUAL, 0, 1, SYS_IO_URING_SETUP),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    )
)
code = ctypes.create_string_buffer(filters, len(filters))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


program = Program(len(filters) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
    sys.exit(f"refuse_io_uring.py: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
