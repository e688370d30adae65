"""Payment notices: how many one worker takes per second, and how long from a notice to the credited wallet.

Yardsticks of the same run: the worker's plainest page, and the five seconds a gateway waits for an answer.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import requests
import yaml

from .. import postgres
from ..odoo_source import OdooSource
from ..payer import Payer
from ..site import SITE_FILE, Site, SiteOptions

NOTICES, SINGLE = 60, 15
GATEWAY_WAITS_S = 5.0
PATIENCE_S = 120


def measure(source: OdooSource, progress: Callable[[str], None]) -> dict[str, Any]:
    """{gateway: {"per_s", "page_per_s", "ratio_to_page", "answer_p95_s", "credited_p50_s", "credited_p95_s", …}}"""
    site = Site(source, SiteOptions(database="bench_callbacks", keep=False, workers=1))
    try:
        progress("a small site, one worker")
        site.start()
        site.connector.stop()  # nothing else to do for the worker
        return {code: _Bench(site, code, progress).measure() for code in site.pay_gateways}
    finally:
        site.stop()


class _Bench:
    def __init__(self, site: Site, code: str, progress: Callable[[str], None]):
        self.site, self.code, self.progress = site, code, progress
        self.gateway = site.pay_gateways[code]
        self.database = psycopg2.connect(**postgres.server().dsn(site.options.database))
        self.database.autocommit = True
        self.session = requests.Session()

    def measure(self) -> dict[str, Any]:
        self.progress(f"{self.code}: {NOTICES + SINGLE} orders")
        notices = self._notices(NOTICES + SINGLE)
        self.progress(f"{self.code}: {NOTICES} notices, one after the other")
        pages = [self._time(self._page) for _turn in range(NOTICES)]
        answers = [self._time(lambda notice=notice: self._send(notice)) for _ref, notice in notices[:NOTICES]]
        self._wait([reference for reference, _notice in notices[:NOTICES]])
        self.progress(f"{self.code}: {SINGLE} notices, each to the credited wallet")
        credited = sorted(self._credit(*notice) for notice in notices[NOTICES:])
        answers.sort()
        p95 = answers[int(len(answers) * 0.95) - 1]
        return {
            "per_s": round(1 / statistics.median(answers), 1),
            "page_per_s": round(1 / statistics.median(pages), 1),
            "ratio_to_page": round(statistics.median(pages) / statistics.median(answers), 2),
            "answer_p95_s": round(p95, 3),
            "answer_ratio_to_limit": round(p95 / GATEWAY_WAITS_S, 3),
            "credited_p50_s": round(statistics.median(credited), 2),
            "credited_p95_s": round(credited[int(len(credited) * 0.95) - 1], 2),
        }

    def _notices(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """(reference, notice) of paid orders whose notices were not sent yet."""
        tenancy = yaml.safe_load(SITE_FILE.read_text())["tenancies"][0]
        contract = self._fetch(
            "SELECT id FROM contract_contract WHERE account_number = %s", tenancy["account"]
        )
        payer = Payer(
            self.site.odoo.url, self.site.options.database, tenancy["email"], self.site.password, contract
        )
        found = []
        for _number in range(count):
            reference = payer.order("10", self.code)
            if self.code == "alipay":
                self.gateway.command("scan", out_trade_no=reference)
            self.gateway.command("pay", out_trade_no=reference, notify=False)
            found.append((reference, self.gateway.command("make_notice", out_trade_no=reference)["notice"]))
        return found

    def _time(self, function: Callable[[], None]) -> float:
        began = time.perf_counter()
        function()
        return time.perf_counter() - began

    def _page(self) -> None:
        self.session.get(f"{self.site.odoo.url}/web/health", timeout=PATIENCE_S).raise_for_status()

    def _send(self, notice: dict[str, Any]) -> None:
        self.session.post(
            notice["url"], notice["body"].encode(), headers=notice["headers"], timeout=PATIENCE_S
        ).raise_for_status()

    def _credit(self, reference: str, notice: dict[str, Any]) -> float:
        def whole() -> None:
            self._send(notice)
            self._wait([reference])

        return self._time(whole)

    def _wait(self, references: list[str]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        sql = """SELECT count(*) FROM prepaid_entry e JOIN payment_transaction t ON t.id = e.transaction_id
                  WHERE t.reference = ANY(%s)"""
        while self._fetch(sql, references) < len(references):
            assert time.monotonic() < deadline, "waited in vain for the credit"
            time.sleep(0.02)

    def _fetch(self, sql: str, *args: Any) -> Any:
        with self.database.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchone()[0]
