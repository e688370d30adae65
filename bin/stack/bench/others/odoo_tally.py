"""An Odoo that hands out one configuration, acknowledges everything and counts it: PAGE PORT DOCUMENT.

It speaks XML-RPC as docs/rpc.md says, and does nothing else: what the connector needs to have somebody to deliver to.
"""

from __future__ import annotations

import json
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tell import tell

counts = {"readings": 0, "calls": 0, "events": 0}
newest: dict[str, float] = {}
"""When each circuit was last read, epoch seconds."""


def answers(document: dict[str, Any]) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
    """Methods of the face by name."""

    def hello(_payload: dict[str, Any]) -> dict[str, Any]:
        connector = {"id": 1, "code": "bench", "name": "Bench"}
        version = document["version"]
        return {"server_time": time.time(), "connector": connector, "config_version": version, "hello_s": 15}

    def config(payload: dict[str, Any]) -> dict[str, Any]:
        is_known = payload["since"] == document["version"]
        return {"version": document["version"], "unchanged": True} if is_known else document

    def ingest(payload: dict[str, Any]) -> dict[str, Any]:
        circuits, moments = _column(payload["circuit_id"]), _column(payload["at"])
        for circuit, at in zip(circuits, moments, strict=True):
            newest[circuit] = max(newest.get(circuit, 0.0), float(at))
        counts["readings"] += len(circuits)
        return {"accepted": len(circuits), "exceptions": []}

    def events(payload: dict[str, Any]) -> dict[str, Any]:
        counts["events"] += len(payload["events"])
        return {"accepted": len(payload["events"]), "exceptions": []}

    def orders(_payload: dict[str, Any]) -> dict[str, Any]:
        return {"orders": [], "server_time": time.time(), "config_version": document["version"]}

    def report(payload: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": len(payload["results"]), "exceptions": []}

    return {
        "api_hello": hello,
        "api_config": config,
        "api_ingest": ingest,
        "api_events": events,
        "api_orders": orders,
        "api_report": report,
    }


def _column(values: list[object] | str) -> list[str]:
    return values.split(",") if isinstance(values, str) else [str(value) for value in values]


def told() -> dict[str, float]:
    """`oldest_s`: age of what is known of the circuit that was read longest ago."""
    oldest_s = time.time() - min(list(newest.values()), default=time.time())
    return {**counts, "circuits": len(newest), "oldest_s": oldest_s}


def main(page: int, port: int, document: Path) -> None:
    """Serve until ended."""
    methods = answers(json.loads(document.read_text()))

    class Odoo(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            counts["calls"] += 1
            params, name = xmlrpc.client.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # execute_kw: database, uid, key, model, method, arguments; else authenticate, which answers a uid
            found = methods[params[4]](params[5][0]) if name == "execute_kw" else 7
            body = xmlrpc.client.dumps((found,), methodresponse=True, allow_none=True).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Odoo)
    tell(page, told)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
