"""The file itself: versions, damage, full disks, second processes. Each error names the file and says what to do."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from meter_connector.clock import Clock
from meter_connector.errors import (
    ConnectorError,
    OutboxClosedError,
    OutboxCorruptError,
    OutboxDiskError,
    OutboxFullError,
    OutboxLockedError,
    OutboxTooNewError,
    Retry,
)
from meter_connector.outbox import Outbox, queues
from meter_connector.outbox.database import (
    SCHEMA_DIR,
    check_integrity,
    is_in_use,
    open_database,
    schema_files,
)
from outboxhelp import content, mode, overwrite, reading

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.sqlite3"


async def opened(path: Path, **options: object) -> Outbox:
    return await Outbox.open(path, Clock(), **options)  # type: ignore[arg-type]


async def test_a_new_file_is_for_its_owner_only_since_it_holds_meter_passwords(path: Path) -> None:
    outbox = await opened(path)
    await outbox.close()
    assert mode(path) == 0o600


async def test_the_file_is_in_wal_mode_with_full_sync(path: Path) -> None:
    outbox = await opened(path)
    pragmas = await outbox._writer.run(
        lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    )
    await outbox.close()
    assert pragmas == ["wal", 2]


async def test_a_too_new_schema_is_refused_and_left_alone(path: Path) -> None:
    await (await opened(path)).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = content(path)
    with pytest.raises(
        OutboxTooNewError, match=re.escape(str(path)) + ".*schema 99.*newer.*Install"
    ) as caught:
        await opened(path)
    assert caught.value.retry is Retry.NEVER
    assert content(path) == before
    assert not is_in_use(path)


async def test_an_old_schema_is_brought_up_to_date_and_keeps_its_rows(path: Path, tmp_path: Path) -> None:
    outbox = await opened(path)
    await outbox.put_reading(reading(1))
    await outbox.close()
    newer = tmp_path / "schema"
    shutil.copytree(SCHEMA_DIR, newer)
    next_number = schema_files()[-1][0] + 1
    (newer / f"{next_number:04}.sql").write_text("ALTER TABLE readings ADD COLUMN remark TEXT;")
    outbox = await opened(path, schema_dir=newer)
    version = await outbox._writer.run(lambda db: db.execute("PRAGMA user_version").fetchone()[0])
    rows = await outbox.readings(10)
    await outbox.close()
    assert version == next_number
    assert [row.reading for row in rows] == [reading(1)]


async def test_a_schema_step_that_fails_changes_nothing(path: Path, tmp_path: Path) -> None:
    await (await opened(path)).close()
    broken = tmp_path / "schema"
    shutil.copytree(SCHEMA_DIR, broken)
    (broken / "0999.sql").write_text("CREATE TABLE extra (id INTEGER); SELECT nonsense FROM nowhere;")
    with pytest.raises(ConnectorError, match="nowhere"):
        await opened(path, schema_dir=broken)
    outbox = await opened(path)
    tables = await outbox._writer.run(lambda db: db.execute("SELECT name FROM sqlite_master").fetchall())
    await outbox.close()
    assert ("extra",) not in tables


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"this is no database at all" * 100, "damaged.*move this file", id="text"),
        pytest.param(b"SQLite format 3\x00" + os.urandom(4080), "damaged.*move this file", id="noise"),
    ],
)
async def test_a_file_that_is_no_database_is_named_with_what_to_do(
    path: Path, data: bytes, words: str
) -> None:
    overwrite(path, data)
    with pytest.raises(OutboxCorruptError, match=words) as caught:
        await opened(path)
    assert str(path) in str(caught.value)
    assert content(path) == data


async def test_somebody_elses_database_is_not_written_to(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE invoices (id INTEGER)")
    db.close()
    with pytest.raises(OutboxCorruptError, match="is not an outbox"):
        await opened(path)


async def test_damage_within_the_file_is_found_by_the_integrity_check(path: Path) -> None:
    outbox = await opened(path)
    await outbox.put_readings([reading(number) for number in range(2000)])
    await outbox.close()
    damaged = bytearray(content(path))
    for offset in range(4096 * 3, len(damaged) - 4096, 4096):
        damaged[offset : offset + 64] = b"\xff" * 64
    overwrite(path, damaged)
    db = open_database(path, is_read_only=True)
    with pytest.raises(OutboxCorruptError, match="damaged"):
        check_integrity(db, path)
    db.close()


async def test_a_full_file_keeps_what_it_has_and_says_so_and_goes_on_when_there_is_room(path: Path) -> None:
    outbox = await opened(path, max_bytes=256 * 1024)
    stored = 0

    async def fill() -> None:
        nonlocal stored
        while True:
            await outbox.put_readings([reading(stored + n) for n in range(100)])
            stored += 100

    with pytest.raises(OutboxFullError, match=re.escape(str(path)) + ".*no space left.*free some") as caught:
        await fill()
    assert caught.value.retry is Retry.LATER
    assert stored > 0
    assert (await outbox.stats()).readings == stored
    rows = await outbox.readings(500)
    await outbox.settle("readings", [row.row for row in rows])  # leaving is possible in a full file
    await outbox.put_reading(reading(1))
    assert (await outbox.stats()).readings == stored - len(rows) + 1
    await outbox.close()


def test_a_disk_that_refuses_to_grow_is_a_clear_error_and_loses_nothing(path: Path) -> None:
    """A real write error of the operating system: the process may write no file beyond 200 kB."""
    script = """
        import asyncio, resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from outboxhelp import content, mode, overwrite, reading
        from meter_connector.clock import Clock
        from meter_connector.errors import OutboxError, Retry
        from meter_connector.outbox import Outbox
        async def main():
            outbox = await Outbox.open(Path(sys.argv[1]), Clock())
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            stored = 0
            try:
                while True:
                    await outbox.put_readings([reading(stored + n) for n in range(50)])
                    stored += 50
            except OutboxError as error:
                print(stored, error.retry.value, error)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await outbox.put_reading(reading(stored))
            assert (await outbox.stats()).readings == stored + 1
            await outbox.close()
        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    stored, retry, text = done.stdout.split(" ", 2)
    assert int(stored) > 0
    assert retry == "later"
    assert str(path) in text
    assert "disk" in text


async def test_opening_on_a_full_disk_is_a_clear_error(path: Path) -> None:
    with pytest.raises(OutboxFullError, match="no space left"):
        await opened(path, max_bytes=4096)
    assert not is_in_use(path)


async def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutboxDiskError, match="check the folder"):
        await opened(tmp_path / "file" / "outbox.sqlite3")


async def test_a_second_connector_on_the_same_file_is_refused_by_name(path: Path) -> None:
    first = await opened(path)
    assert is_in_use(path)
    with pytest.raises(OutboxLockedError, match=f"process {os.getpid()}.*stop that one"):
        await opened(path)
    await first.put_reading(reading(1))
    await first.close()
    assert not is_in_use(path)
    await (await opened(path)).close()


async def test_a_file_locked_by_a_stranger_is_a_clear_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meter_connector.outbox.database.BUSY_TIMEOUT_S", 0.05)
    outbox = await opened(path)
    stranger = sqlite3.connect(path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxLockedError, match="another process is writing"):
        await outbox.put_reading(reading(1))
    stranger.execute("ROLLBACK")
    stranger.close()
    await outbox.put_reading(reading(1))
    await outbox.close()


async def test_the_lock_of_a_killed_process_holds_nobody_up(path: Path) -> None:
    script = (
        "import asyncio, os, signal, sys\nfrom pathlib import Path\nfrom meter_connector.clock import Clock\n"
        + textwrap.dedent("""
        from meter_connector.outbox import Outbox
        async def main():
            await Outbox.open(Path(sys.argv[1]), Clock())
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """)
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
    assert await child.wait() == -9
    await (await opened(path)).close()


async def test_a_closed_outbox_says_so(path: Path) -> None:
    outbox = await opened(path)
    await outbox.close()
    await outbox.close()
    with pytest.raises(OutboxClosedError):
        await outbox.put_reading(reading(1))


async def test_what_waits_at_close_is_written(path: Path) -> None:
    outbox = await opened(path)
    puts = [asyncio.create_task(outbox.put_reading(reading(number))) for number in range(200)]
    await asyncio.sleep(0)
    await outbox.close()
    await asyncio.gather(*puts)
    db = open_database(path, is_read_only=True)
    assert queues.stats(db).readings == 200
    db.close()


async def test_looking_reads_while_the_connector_writes(path: Path) -> None:
    outbox = await opened(path)
    await outbox.put_reading(reading(1))
    db = open_database(path, is_read_only=True)
    assert queues.stats(db).readings == 1
    await outbox.put_reading(reading(2))
    assert queues.stats(db).readings == 2
    with pytest.raises(sqlite3.OperationalError):
        queues.put_readings(db, [reading(3)])
    db.close()
    await outbox.close()
