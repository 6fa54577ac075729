"""Run a program that cannot watch the machine's network addresses: `python quiet_network.py PROGRAM ARGUMENT...`.

Chromium gives up requests with ERR_NETWORK_CHANGED whenever an address of the machine comes or goes, and each container
that starts brings one, 1 to 2 seconds later: in the middle of JupyterLab's loading. It learns of them through a netlink
socket and does without where it gets none (https://issues.chromium.org/issues/41465264); seccomp(2) refuses it one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# prctl(2), seccomp(2), bpf: numbers of the kernel's interface.
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # where `struct seccomp_data` has them
AF_NETLINK = 16
# The kernel's name of the architecture, and its number of socket(2).
SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def refuse_netlink() -> None:
    """Let this process and those that it starts open no netlink socket; where we cannot say so, leave it as it is."""
    if platform.system() != "Linux" or platform.machine() not in SOCKET:
        return
    architecture, socket = SOCKET[platform.machine()]
    program = b"".join(
        struct.pack("HBBI", code, if_true, if_false, value)
        for code, if_true, if_false, value in (
            (LOAD, 0, 0, ARCHITECTURE),
            (JUMP_IF_EQUAL, 0, 5, architecture),
            (LOAD, 0, 0, NUMBER),
            (JUMP_IF_EQUAL, 0, 3, socket),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (JUMP_IF_EQUAL, 0, 1, AF_NETLINK),
            (RETURN, 0, 0, REFUSE),
            (RETURN, 0, 0, ALLOW),
        )
    )
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)


if __name__ == "__main__":
    refuse_netlink()
    os.execvp(sys.argv[1], sys.argv[1:])
