"""From paid to power back at 640 shops behind 61 gateways with 2400 bps buses: p50 and p95 over real payments at the counter."""

from __future__ import annotations

import json
import random
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import psycopg2
import yaml
from meter_connector.simulator.big_site import big_site

from .. import layout, postgres
from ..odoo_source import OdooSource
from ..services import own_by_service
from ..site import SITE_FILE, Site, SiteOptions

SHOPS, GATEWAYS = 640, 61
PAYMENTS = 60
TARGET_S = 3.0
PATIENCE_S = 900


def measure(source: OdooSource, progress: Callable[[str], None]) -> dict[str, Any]:
    """{"p50_s", "p95_s", "target_s", "payments"}; the clock runs from the entry in the wallet to the closed contacts."""
    site_file = _write_site()
    site = Site(source, SiteOptions(database="bench_reclose", site_file=site_file, keep=False))
    try:
        progress(f"a site of {SHOPS} shops behind {GATEWAYS} gateways (some minutes)")
        site.start()
        return _Reclose(site, progress).measure()
    finally:
        site.stop()


def _write_site() -> Any:
    """The big site with a cashier, and with deposits of one yuan, so that little use cuts a shop off."""
    document = big_site(GATEWAYS, SHOPS, 0, baudrate=2400)
    document["users"] = yaml.safe_load(SITE_FILE.read_text())["users"]
    for user in document["users"]:
        user["buildings"] = "all"
    for tenancy in document["tenancies"]:
        tenancy |= {"opening": "1.00", "property_fee_per_m2": "0", "portal": False}
    path = layout.SITE_DATA / "bench-640.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    own_by_service(path)
    return path


class _Reclose:
    def __init__(self, site: Site, progress: Callable[[str], None]):
        self.site = site
        self.progress = progress
        self.database = psycopg2.connect(**postgres.server().dsn("bench_reclose"))
        self.database.autocommit = True
        self._uids: dict[str, int] = {}

    def measure(self) -> dict[str, Any]:
        self._call("supervisor", "prepaid.policy", "write", self._policy_ids(), self._policy())
        shops = random.Random(1).sample(self._rows(), PAYMENTS)  # noqa: S311
        self.progress(f"cutting {PAYMENTS} shops off by use")
        self._wait(lambda: self._count("SELECT count(DISTINCT circuit_id) FROM meter_reading") >= SHOPS)
        self._cut_off([serial for serial, _wallet in shops])
        self.progress("paying at the counter, one shop after the other")
        seconds = [self._pay(serial, wallet) for serial, wallet in shops]
        seconds.sort()
        return {
            "payments": len(seconds),
            "p50_s": round(statistics.median(seconds), 2),
            "p95_s": round(seconds[int(len(seconds) * 0.95) - 1], 2),
            "worst_s": round(seconds[-1], 2),
            "target_p95_s": TARGET_S,
            "ratio_to_target": round(seconds[int(len(seconds) * 0.95) - 1] / TARGET_S, 2),
        }

    def _policy(self) -> dict[str, Any]:
        return {"warn_lead_hours": 0.0, "hour_from": 0.0, "hour_to": 24.0, "mass_limit": 10_000}

    def _policy_ids(self) -> list[int]:
        return self._call("supervisor", "prepaid.policy", "search", [("sequence", "=", 4)])

    def _rows(self) -> list[tuple[str, int]]:
        """(meter's number, wallet) of single-ratio power meters."""
        return self._fetch(
            """SELECT m.serial, w.id FROM meter_meter m JOIN meter_circuit c ON c.meter_id = m.id
               JOIN utility_service_point p ON p.id = c.service_point_id
               JOIN property_occupancy o ON o.unit_id = p.unit_id JOIN prepaid_wallet w ON w.contract_id = o.contract_id
               WHERE m.ct_ratio = 1 AND m.has_switch ORDER BY m.serial"""
        )

    def _cut_off(self, serials: list[str]) -> None:
        """Half a kilowatt-hour at a time, and the next when that is read: more at once would be held back as implausible."""
        deadline = time.monotonic() + PATIENCE_S
        lit, used_at = set(serials), dict.fromkeys(serials, 0.0)
        while lit:
            assert time.monotonic() < deadline, (
                f"only {len(serials) - len(lit)} of {len(serials)} were cut off"
            )
            read_at = self._read_at()
            for serial in lit:
                if read_at.get(serial, 0.0) > used_at[serial]:
                    self._use(serial)
                    used_at[serial] = time.time()
            time.sleep(5)
            lit = {serial for serial in lit if self._relay(serial) != "off"}
            self.progress(f"{len(lit)} of {len(serials)} have power")

    def _read_at(self) -> dict[str, float]:
        """When the total of each meter was read last."""
        return dict(
            self._fetch(
                """SELECT m.serial, extract(epoch FROM l.total_at AT TIME ZONE 'utc')::float FROM meter_live l
                   JOIN meter_circuit c ON c.id = l.circuit_id JOIN meter_meter m ON m.id = c.meter_id
                   WHERE l.total_at IS NOT NULL"""
            )
        )

    def _use(self, serial: str) -> None:
        try:
            self._control(f"/meters/{serial}", {"consume": "0.5"})
        except urllib.error.HTTPError:
            if self._relay(serial) != "off":  # cut off a moment ago: it uses nothing any more
                raise

    def _relay(self, serial: str) -> str:
        return str(self._control(f"/meters/{serial}")["relay"])

    def _pay(self, serial: str, wallet: int) -> float:
        contract = self._fetch("SELECT contract_id FROM prepaid_wallet WHERE id = %s", wallet)[0][0]
        wizard = self._call(
            "cashier", "prepaid.counter", "create", {"contract_id": contract, "amount": 100, "method": "cash"}
        )
        self._call("cashier", "prepaid.counter", "action_take", [wizard])
        paid = self._fetch(
            "SELECT extract(epoch FROM max(create_date)) FROM prepaid_topup WHERE wallet_id = %s", wallet
        )
        self._wait(lambda: self._relay(serial) == "on")
        moves = [row for row in self._control(f"/log?meter={serial}") if row["kind"] == "relay"]
        closed = [row["at"] for row in moves if row["state"] == "on"]
        return closed[-1] - float(paid[0][0])

    # -- talking -----------------------------------------------------------------------------------------

    def _call(self, login: str, model: str, method: str, *args: Any) -> Any:
        """Over JSON-RPC: what a button gives back may hold nulls, which XML-RPC refuses."""
        name, password = "bench_reclose", self.site.password
        if login not in self._uids:
            self._uids[login] = self._rpc("common", "login", name, login, password)
        return self._rpc("object", "execute_kw", name, self._uids[login], password, model, method, list(args))

    def _rpc(self, service: str, method: str, *args: Any) -> Any:
        params = {"service": service, "method": method, "args": args}
        content = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "call", "params": params}).encode()
        request = urllib.request.Request(
            f"{self.site.odoo.url}/jsonrpc", content, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        if "error" in found:
            raise RuntimeError(found["error"]["data"]["message"])
        return found["result"]

    def _fetch(self, sql: str, *args: Any) -> list[Any]:
        with self.database.cursor() as cursor:
            cursor.execute(sql, args or None)
            return cursor.fetchall()

    def _count(self, sql: str) -> int:
        return int(self._fetch(sql)[0][0])

    def _control(self, path: str, content: dict[str, Any] | None = None) -> Any:
        data = json.dumps(content).encode() if content is not None else None
        request = urllib.request.Request(
            self.site.control_url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _wait(self, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.2)
