"""Storing readings over XML-RPC with everything that ingest does, against COPY into the same table and against create()."""

from __future__ import annotations

import io
import json
import statistics
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from .. import layout, postgres
from ..odoo_server import OdooServer
from ..services import own_by_service

ROWS, CALLS = 1000, 25
COLUMNS = ("total", "voltage_v", "current_a", "power_kw", "power_factor", "switch", "source")


def measure(server: OdooServer, progress: Callable[[str], None]) -> dict[str, Any]:
    """Rates in readings per second, medians of CALLS calls; `ratio_to_copy` is the figure with a target (0.3)."""
    directory = layout.SITE_DATA / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    own_by_service(directory)
    key_file, circuits_file = directory / "key", directory / "circuits.json"
    progress(f"an estate of {ROWS} meters, each of a tenancy")
    server.script(
        Path(__file__).with_name("estate.py"),
        points=str(ROWS),
        billing="1",  # what upper addons do after an ingest is part of it
        key_file=str(key_file),
        circuits_file=str(circuits_file),
    )
    circuits = json.loads(circuits_file.read_text())
    progress("create() of a list, in the server's own process")
    created = _measure_create(server, circuits_file)
    server.start()
    try:
        progress(f"{CALLS} calls of {ROWS} readings over XML-RPC, alternating with COPY")
        rpc, copy = _alternate(server, key_file.read_text(), circuits)
    finally:
        server.stop()
    return {
        "xmlrpc_per_s": round(ROWS / rpc),
        "copy_per_s": round(ROWS / copy),
        "create_per_s": round(created),
        "ratio_to_copy": round(copy / rpc, 3),
        "target": 0.3,
        "ratio_to_create": round(ROWS / rpc / created, 1),
    }


def _alternate(server: OdooServer, key: str, circuits: list[int]) -> tuple[float, float]:
    """Median seconds of one call and of one COPY of the same rows at other times."""
    common = xmlrpc.client.ServerProxy(f"{server.url}/xmlrpc/2/common", allow_none=True)
    uid = common.authenticate(server.database, "connector-bench", key, {})
    proxy = xmlrpc.client.ServerProxy(f"{server.url}/xmlrpc/2/object", allow_none=True)
    now = int(time.time()) // 60 * 60 - 120 * (CALLS + 2)
    rpc, copy = [], []
    with psycopg2.connect(**postgres.server().dsn(server.database)) as connection:
        for call in range(CALLS + 2):  # the first two warm caches and are not counted
            at = now + 120 * call
            columns = {"circuit_id": circuits, "at": [float(at)] * ROWS} | _values(call)
            # As the connector sends them: each column one text.
            payload = {name: ",".join(map(str, column)) for name, column in columns.items()}
            payload["batch"] = f"bench-{call}"
            began = time.perf_counter()
            answer = proxy.execute_kw(server.database, uid, key, "meter.connector", "api_ingest", [payload])
            rpc.append(time.perf_counter() - began)
            assert answer["accepted"] == ROWS, answer
            began = time.perf_counter()
            _copy(connection, circuits, at + 60, _values(call))
            copy.append(time.perf_counter() - began)
    return statistics.median(rpc[2:]), statistics.median(copy[2:])


def _values(call: int) -> dict[str, list[str]]:
    total = [f"{1000 + call / 10:.2f}"] * ROWS
    live = {"voltage_v": ["221.4"] * ROWS, "current_a": ["3.125"] * ROWS, "power_kw": ["0.6921"] * ROWS}
    return {
        "total": total,
        **live,
        "power_factor": ["0.998"] * ROWS,
        "switch": ["on"] * ROWS,
        "source": ["scheduled"] * ROWS,
    }


def _copy(connection: Any, circuits: list[int], at: int, values: dict[str, list[str]]) -> None:
    """The same columns straight into the partitioned table, committed."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    rows = zip(circuits, *(values[name] for name in COLUMNS), strict=True)
    text = "".join(f"{circuit}\t{stamp}\t" + "\t".join(row) + "\n" for circuit, *row in rows)
    cursor = connection.cursor()
    cursor.copy_expert(
        f"COPY meter_reading_data (circuit_id, at, {', '.join(COLUMNS)}) FROM STDIN", io.StringIO(text)
    )
    connection.commit()


def _measure_create(server: OdooServer, circuits_file: Path) -> float:
    """Readings per second through the ORM's create of a list of 1,000, the refusal of single readings left aside."""
    output = server.script(Path(__file__).with_name("orm_create.py"), circuits_file=str(circuits_file))
    line = next(line for line in output.splitlines() if line.startswith("PER SECOND "))
    return float(line.split()[-1])
