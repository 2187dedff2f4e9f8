"""PgBouncer in transaction mode in front of a server, if it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from support.postgres import Server, free_port, new_folder
from support.processes import dying_with_parent
from support.waiting import TIMEOUT, until

PGBOUNCER: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pooled(server: Server) -> Iterator[int]:
    """The port where each transaction gets another server process."""
    assert PGBOUNCER is not None
    folder, port = new_folder(), free_port()
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n"
        f"auth_file = {folder}/users\npool_mode = transaction\nunix_socket_dir =\n"
        "default_pool_size = 4\nserver_round_robin = 1\n"
        "server_login_retry = 1\n"  # else it refuses all clients for 15 s after a server came back
    )
    other: dict[str, Any] = {}
    if not os.geteuid():
        other = {"user": "nobody", "group": "nogroup", "extra_groups": ()}
    process = subprocess.Popen(
        [PGBOUNCER, "-q", folder / "pgbouncer.ini"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        preexec_fn=dying_with_parent(),
        **other,
    )

    def answers() -> bool:
        assert process.poll() is None, "PgBouncer did not start"
        try:
            psycopg.connect(server.url("postgres", port), connect_timeout=60).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        until(answers)
        yield port
    finally:
        process.kill()
        process.wait(TIMEOUT)
