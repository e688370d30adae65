"""What a disk holds when the power goes: SQLite's own file layer is listened to, and any moment of it can be brought back.

    with listened_to() as disk:
        ...                                  # the real outbox writes real files; `disk.mark(fact)` after each promise
    disk.leave(moment, folder, rng)          # what a power cut at `moment` may leave

SQLite reaches its files through a table of functions (sqlite3_vfs, sqlite3_io_methods). Writing, cutting, syncing and deleting are taken
down on their way; everything else is untouched. A file holds for certain what it held at its last sync; of what was written
since, each sector of 512 bytes may have arrived or not, in any order. That a file exists, or no more, holds from the first sync of
a log or journal on, since SQLite then syncs the folder as well.
"""

from __future__ import annotations

import _sqlite3
import ctypes as c
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR = 512
OK = 0
OPEN_WAL = 0x80000
OPEN_MAIN_JOURNAL = 0x800
OPEN_DELETE_ON_CLOSE = 0x8

OPEN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
"""The name goes on as the address it came as: SQLite keeps it, and reads what stands behind it."""
DELETE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.c_int)
CLOSE = c.CFUNCTYPE(c.c_int, c.c_void_p)
WRITE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_int64)
TRUNCATE = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int64)
SYNC = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int)


class Vfs(c.Structure):
    """The beginning of sqlite3_vfs."""

    _fields_ = [
        ("version", c.c_int),
        ("file_size", c.c_int),
        ("longest_path", c.c_int),
        ("next", c.c_void_p),
        ("name", c.c_char_p),
        ("app_data", c.c_void_p),
        ("open", OPEN),
        ("delete", DELETE),
    ]


class Methods(c.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = [
        ("version", c.c_int),
        ("close", CLOSE),
        ("read", c.c_void_p),
        ("write", WRITE),
        ("truncate", TRUNCATE),
        ("sync", SYNC),
        *[(f"other{n}", c.c_void_p) for n in range(13)],
    ]


@dataclass(frozen=True)
class Op:
    """write (offset, data), truncate (offset = size), sync, delete; `folder` = sync of the folder; or a mark with its fact."""

    kind: str
    name: str = ""
    offset: int = 0
    data: bytes = b""
    fact: Any = None


@dataclass
class Disk:
    """Everything that happened, in its order."""

    ops: list[Op] = field(default_factory=list)

    def mark(self, *fact: Any) -> None:
        """A promise was made: it must hold from here on."""
        self.ops.append(Op("mark", fact=fact))

    def facts(self, moment: int) -> list[Any]:
        """What was promised before the moment."""
        return [op.fact for op in self.ops[:moment] if op.kind == "mark"]

    def leave(self, moment: int, folder: Path, rng: random.Random) -> None:
        """Write the files as a power cut before `ops[moment]` may leave them."""
        ops = self.ops[:moment]
        named = last(ops, "folder")
        for name in sorted({op.name for op in ops if op.name}):
            if any(op.name == name for op in ops[:named]) or rng.random() < 0.5:
                left = left_of(name, ops, named, rng)
                if left is not None:
                    (folder / name).write_bytes(left)


def last(ops: list[Op], kind: str, name: str = "") -> int:
    """How many of the operations lie before the end of the last of a kind; 0 = there was none."""
    return max((n + 1 for n, op in enumerate(ops) if op.kind == kind and name in ("", op.name)), default=0)


def left_of(name: str, ops: list[Op], named: int, rng: random.Random) -> bytes | None:
    """What is left of one file; None = nothing, not even its name."""
    synced = last(ops, "sync", name)
    content: bytearray | None = None
    for n, op in enumerate(ops):
        if op.name != name:
            continue
        if op.kind == "write":
            content = content if content is not None else bytearray()
            _write(content, op, None if n < synced else rng)
        elif op.kind == "truncate" and content is not None and (n < synced or rng.random() < 0.5):
            del content[op.offset :]
        elif op.kind == "delete" and (n < named or rng.random() < 0.5):
            content = None
    return None if content is None else bytes(content)


def _write(content: bytearray, op: Op, rng: random.Random | None) -> None:
    """All of it, or (rng) the sectors that chance let through: all, none, or some."""
    share = 1.0 if rng is None else rng.choice((0.0, 0.5, 1.0))
    for start in range(0, len(op.data), SECTOR):
        if rng is None or rng.random() < share:
            at = op.offset + start
            if len(content) < at:
                content.extend(bytes(at - len(content)))
            piece = op.data[start : start + SECTOR]
            content[at : at + len(piece)] = piece


@contextmanager
def listened_to() -> Iterator[Disk]:
    """The files that this process opens through SQLite until the end of the block."""
    library = c.CDLL(_sqlite3.__file__)  # resolves in the very library that Python's module uses
    library.sqlite3_vfs_find.restype = c.POINTER(Vfs)
    library.sqlite3_vfs_find.argtypes = [c.c_char_p]
    vfs = library.sqlite3_vfs_find(None).contents
    listener = Listener(Disk(), c.cast(vfs.open, c.c_void_p).value, c.cast(vfs.delete, c.c_void_p).value)
    opens, deletes = OPEN(listener.open), DELETE(listener.delete)
    vfs.open, vfs.delete = opens, deletes
    try:
        yield listener.disk
    finally:
        vfs.open, vfs.delete = OPEN(listener.real_open), DELETE(listener.real_delete)
        listeners.append((listener, opens, deletes))


listeners: list[Any] = []
"""Kept for ever: a file that is still open calls back."""


class Listener:
    """Passes every call on and notes those that change a file, once they have succeeded."""

    def __init__(self, disk: Disk, real_open: int, real_delete: int) -> None:
        self.disk = disk
        self.real_open, self.real_delete = real_open, real_delete
        self._files: dict[int, tuple[str, int, Methods]] = {}
        self._tables: dict[int, Methods] = {}
        """By address of the original table; ours must live as long as files do."""

    def open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        code = int(OPEN(self.real_open)(vfs, name, file, flags, out))
        table = c.c_void_p.from_address(file)
        if code == OK and table.value and name and not flags & OPEN_DELETE_ON_CLOSE:
            real = Methods.from_address(table.value)
            self._files[file] = (Path(c.string_at(name).decode()).name, flags, real)
            table.value = c.addressof(self._ours(table.value, real))
        return code

    def _ours(self, address: int, real: Methods) -> Methods:
        if address not in self._tables:
            ours = Methods()
            c.memmove(c.addressof(ours), address, c.sizeof(Methods))
            ours.close, ours.write = CLOSE(self.close), WRITE(self.write)
            ours.truncate, ours.sync = TRUNCATE(self.truncate), SYNC(self.sync)
            self._tables[address] = ours
        return self._tables[address]

    def close(self, file: int) -> int:
        return int(self._files.pop(file)[2].close(file))

    def write(self, file: int, data: int, size: int, offset: int) -> int:
        name, _flags, real = self._files[file]
        code = int(real.write(file, data, size, offset))
        if code == OK:
            self.disk.ops.append(Op("write", name, offset, c.string_at(data, size)))
        return code

    def truncate(self, file: int, size: int) -> int:
        name, _flags, real = self._files[file]
        code = int(real.truncate(file, size))
        if code == OK:
            self.disk.ops.append(Op("truncate", name, size))
        return code

    def sync(self, file: int, how: int) -> int:
        name, flags, real = self._files[file]
        code = int(real.sync(file, how))
        if code == OK:
            self.disk.ops.append(Op("sync", name))
            if flags & (OPEN_WAL | OPEN_MAIN_JOURNAL):
                self.disk.ops.append(Op("folder"))
                self._files[file] = (name, 0, real)  # only at its first sync
        return code

    def delete(self, vfs: int, name: bytes, sync_folder: int) -> int:
        code = int(DELETE(self.real_delete)(vfs, name, sync_folder))
        if code == OK:
            self.disk.ops.append(Op("delete", Path(name.decode()).name))
        return code
