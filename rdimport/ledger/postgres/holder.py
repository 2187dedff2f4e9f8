"""Identifies a process of a machine, and tells whether it still exists."""

from __future__ import annotations

import os
import socket
import sys
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple


class Holder(NamedTuple):
    """The holder of a lease: host name, an identifier of the machine and its boot, a process, and
    the start of the process in clock ticks since boot (`/proc/PID/stat`, see proc(5)).
    """

    host: str
    machine: str
    process: int
    since: str

    @property
    def name(self) -> str:
        """The `application_name` of its connections: at most 63 bytes, without the host's name."""
        machine = blake2b(f"{self.host} {self.machine}".encode(), digest_size=6).hexdigest()
        return f"rdimport {self.process} {self.since} {machine}"


def myself() -> Holder:
    """This process."""
    return _itself(os.getpid())


@lru_cache(maxsize=1)
def _itself(process: int) -> Holder:
    """This process, looked up by its number, as a fork has another one."""
    return Holder(socket.gethostname(), _machine(), process, _begun(process))


def is_gone(holder: Holder, me: Holder) -> bool:
    """Whether it was a process of this machine that no longer exists."""
    if not me.machine or holder.machine != me.machine or sys.platform == "win32":
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _begun(holder.process) != holder.since  # its number was reused


def _machine() -> str:
    """Boot and process namespace of this machine; empty except on Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _begun(process: int) -> str:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
