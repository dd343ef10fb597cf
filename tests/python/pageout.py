"""Has the kernel write to swap whatever of other processes may go there.

    pageout.py PID ...   every page of these processes (process_madvise(2) with MADV_PAGEOUT), and prints their bytes in swap
    pageout.py hold      keeps the bytes that standard input's last line has in hex, often, until that ends

Locked pages and secret memory (memfd_secret) do not go: the kernel refuses them, and this goes on. Needs root.
"""

import ctypes
import os
import re
import sys

PROCESS_MADVISE = 440
MADV_PAGEOUT = 21


class Region(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def page_out(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.pidfd_open(pid)
    with open(f"/proc/{pid}/maps") as maps:
        regions = [line.split()[0].split("-") for line in maps if "[v" not in line]
    for start, end in regions:
        start, end = int(start, 16), int(end, 16)
        region = Region(start, end - start)
        libc.syscall(PROCESS_MADVISE, descriptor, ctypes.byref(region), ctypes.c_size_t(1), MADV_PAGEOUT, 0)
    os.close(descriptor)


def swapped(pid):
    with open(f"/proc/{pid}/status") as status:
        found = re.search(r"VmSwap:\s+(\d+) kB", status.read())
    return int(found[1]) * 1024 if found else 0


def main(words):
    if words == ["hold"]:
        # Another line takes the place of the one before.
        for line in sys.stdin:
            held = bytearray(bytes.fromhex(line)) * 1024
            print("held" if held else "nothing", flush=True)
        return 0
    # Twice: what was being written at first is given up the second time.
    for pid in words * 2:
        page_out(int(pid))
    for pid in words:
        print(swapped(int(pid)))
    return 0


sys.exit(main(sys.argv[1:]))
