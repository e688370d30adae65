"""The SQLite file: opening, schema versions, and what its errors mean to a person."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ..errors import (
    OutboxCorruptError,
    OutboxDiskError,
    OutboxError,
    OutboxFullError,
    OutboxLockedError,
    OutboxTooNewError,
)

SCHEMA_DIR = Path(__file__).parent / "schema"
APPLICATION_ID = 0x4D434F42  # "MCOB"
BUSY_TIMEOUT_S = 5.0
WAL_KEPT_BYTES = 16 * 1024 * 1024
"""The write-ahead log is cut back to this after a backlog."""


def schema_files(folder: Path = SCHEMA_DIR) -> list[tuple[int, Path]]:
    """Versions and their files, oldest first."""
    return sorted((int(path.stem), path) for path in folder.glob("[0-9]*.sql"))


def open_database(
    path: Path, *, is_read_only: bool = False, max_bytes: int = 0, schema_dir: Path = SCHEMA_DIR
) -> sqlite3.Connection:
    """Open (and create or bring up to date) the outbox file.

    `max_bytes` > 0 limits the file; beyond it writes fail with OutboxFullError.
    Raises OutboxTooNewError, OutboxCorruptError, OutboxLockedError, OutboxFullError, OutboxDiskError.
    """
    with explained(path):
        connection = _connect(path, is_read_only)
    try:
        with explained(path):
            _check_is_ours(path, connection, schema_dir)
            if not is_read_only:
                _set_up(connection, max_bytes)
                _migrate(connection, schema_dir)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(path, error) from error


def explain(path: Path, error: sqlite3.Error | OSError) -> OutboxError:
    """What happened to the file and what a person does about it."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _full(path)
        return OutboxDiskError(path, f"{error.strerror}; check the folder and its owner")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OutboxLockedError(
            path, "another process is writing to it; stop that one (is a second connector running?)"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return OutboxCorruptError(
            path,
            f"is damaged ({error}); stop the connector, move this file and its -wal and -shm away and keep them, start again, "
            "and bring unsent readings back with `sqlite3 FILE .recover`",
        )
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return OutboxDiskError(path, f"{error}; check the disk, the folder, its owner and limits")
    return OutboxError(path, str(error))


def _full(path: Path) -> OutboxFullError:
    return OutboxFullError(
        path,
        "no space left on the disk (or beyond outbox_max_mb); free some. Nothing that was read is lost, but nothing new is kept "
        "until there is space",
    )


class ProcessLock:
    """One connector a file: held by the operating system as long as the process lives, so kill -9 leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._database = path
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Raises OutboxLockedError naming the other process."""
        with explained(self._database):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = open(self.path, "a+", encoding="ascii")  # noqa: SIM115 - held until release
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise OutboxLockedError(
                self._database, f"is used by a running connector (process {holder}); stop that one first"
            ) from None
        with explained(self._database):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        self._file = file

    def release(self) -> None:
        """Let the next one in."""
        if self._file is not None:
            self._file.close()
            self._file = None


def is_in_use(path: Path) -> bool:
    """Does a running connector hold this outbox?"""
    lock = ProcessLock(path)
    if not lock.path.exists():
        return False
    try:
        lock.acquire()
    except OutboxLockedError:
        return True
    lock.release()
    return False


def check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file. Raises OutboxCorruptError."""
    with explained(path):
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise OutboxCorruptError(path, f"is damaged ({found}); move it away and keep it")


def _connect(path: Path, is_read_only: bool) -> sqlite3.Connection:
    if is_read_only:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The configuration in it holds meters' passwords: nobody else reads it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _check_is_ours(path: Path, connection: sqlite3.Connection, schema_dir: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if is_empty:
        return
    if application != APPLICATION_ID:
        raise OutboxCorruptError(
            path, "is not an outbox of meter-connector; name another file or move this one away"
        )
    newest = schema_files(schema_dir)[-1][0]
    if version > newest:
        raise OutboxTooNewError(
            path,
            f"has schema {version}, this connector knows {newest}: it was written by a newer one. Install that version again, or "
            "move the file away (unsent readings stay in it)",
        )


def _set_up(connection: sqlite3.Connection, max_bytes: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    if max_bytes:
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_size)}")


def _migrate(connection: sqlite3.Connection, schema_dir: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, file in schema_files(schema_dir):
        if number > version:
            steps = file.read_text(encoding="utf-8")
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
            try:
                connection.executescript(f"BEGIN IMMEDIATE; {steps} {marks} COMMIT;")
            except sqlite3.Error:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
