"""A process of a machine, and whether it is still there."""

from __future__ import annotations

import os
import socket
import sys
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple


class Holder(NamedTuple):
    """Who has a turn: the name of a machine, what tells it from others, and a process of it."""

    host: str
    machine: str
    process: int
    since: str

    @property
    def name(self) -> str:
        """By which the database knows its connections."""
        machine = blake2b(f"{self.host} {self.machine}".encode(), digest_size=6).hexdigest()
        return f"rdimport {self.process} {self.since} {machine}"


def myself() -> Holder:
    """This process, as others are told of it."""
    return Holder(socket.gethostname(), _machine(), os.getpid(), _begun(os.getpid()))


def is_gone(holder: Holder, me: Holder) -> bool:
    """Has a process of this very machine ended without letting go?"""
    if not me.machine or holder.machine != me.machine or sys.platform == "win32":
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _begun(holder.process) != holder.since  # its number went to another one


def _machine() -> str:
    """This start of this machine, and which of its processes can be seen from here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _begun(process: int) -> str:
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]
