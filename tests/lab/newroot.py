#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""newroot.py COMMAND...: make a chroot the root of this mount namespace.

The kernel refuses user namespaces to a process whose root is not the root of
its mount namespace (create_user_ns(), current_chrooted()). Run in a mount
namespace of our own, this leaves the chroot the classic way, mounts it upon
itself and pivots into it; outside a chroot it only makes all mounts private.
Either way the command is executed then. Needs CAP_SYS_CHROOT and CAP_SYS_ADMIN.
"""
import ctypes
import os
import platform
import sys

MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 1 << 18, 2
SYS_PIVOT_ROOT = {"x86_64": 155, "i686": 217, "armv7l": 218, "ppc64le": 203,
                  "s390x": 217}.get(platform.machine(), 41)  # asm-generic
MAX_DEPTH = 2048  # PATH_MAX / 2
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        sys.exit(f"newroot: {what}: {os.strerror(ctypes.get_errno())}")


def main():
    here = os.getcwd()
    os.chdir("/")
    old = os.open("/", os.O_PATH | os.O_DIRECTORY)
    # A current directory outside the root: ".." leads up to the real one.
    os.chroot("etc")
    for _ in range(MAX_DEPTH):
        os.chdir("..")
    os.chroot(".")
    # unshare(1) cannot do it in a chroot that is no mount point.
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None),
          "make / private")
    os.fchdir(old)
    path = os.getcwd()
    if path != "/":
        check(libc.mount(path.encode(), path.encode(), None,
                         MS_BIND | MS_REC, None), f"bind {path}")
        os.chdir(path)  # into the new mount
        check(libc.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
        check(libc.umount2(b".", MNT_DETACH), "unmount the old root")
    os.chroot(".")
    os.chdir(here)
    os.execvp(sys.argv[1], sys.argv[1:])


main()
