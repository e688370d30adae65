"""The running product as the story sees it: who is who, what the meters really show, what it should cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

import psycopg2
import requests
import yaml
from stack import postgres
from stack.site import Site

from .clients import Database, Meters, OdooUser
from .timeline import Timeline, wait_for

FEN = Decimal("0.01")
RATES = ("t1", "t2", "t3", "t4")


@dataclass
class World:
    """One running site with everything needed to look at it."""

    site: Site
    timeline: Timeline
    seed: int
    users: dict[str, OdooUser] = field(default_factory=dict)

    @cached_property
    def document(self) -> dict[str, Any]:
        return yaml.safe_load(self.site.options.site_file.read_text())

    @cached_property
    def meters(self) -> Meters:
        return Meters(lambda: self.site.control_url)

    @cached_property
    def database(self) -> Database:
        return Database(self.site.options.database)

    def user(self, login: str) -> OdooUser:
        """A signed-in demo user (accountant, cashier, manager, power, supervisor, admin, …)."""
        if login not in self.users:
            self.users[login] = OdooUser(
                lambda: self.site.odoo.url, self.site.options.database, login, self.site.password
            )
        return self.users[login]

    # -- the estate ----------------------------------------------------------------------------------

    def meter_rows(self) -> list[dict[str, Any]]:
        return [
            meter
            for gateway in self.document["gateways"]
            for bus in gateway["buses"]
            for meter in bus["meters"]
        ]

    def power_serial(self, account: str) -> str:
        """Number of the first power meter of a tenancy."""
        tenancy = next(row for row in self.document["tenancies"] if row["account"] == account)
        kinds = self.document["models"]
        return next(
            meter["serial"]
            for meter in self.meter_rows()
            if meter["unit"] in tenancy["units"] and kinds[meter["model"]]["kind"] == "power"
        )

    def contract_id(self, account: str) -> int:
        return self.database.value("SELECT id FROM contract_contract WHERE account_number = %s", account)

    def balance(self, account: str) -> Decimal:
        """What the wallet row says; that it equals the sum of its entries is checked at the end."""
        return self.database.money(
            "SELECT balance FROM prepaid_wallet w JOIN contract_contract c ON c.id = w.contract_id"
            " WHERE c.account_number = %s",
            account,
        )

    def switch(self, account: str) -> dict[str, Any]:
        """Desired and reported state of the tenancy's power switch."""
        rows = self.database.rows(
            """SELECT s.* FROM meter_switch s JOIN meter_circuit c ON c.id = s.circuit_id
               JOIN meter_meter m ON m.id = c.meter_id WHERE m.serial = %s""",
            self.power_serial(account),
        )
        return rows[0]

    # -- the truth in the meters ---------------------------------------------------------------------

    def relay(self, serial: str) -> str:
        """on or off, as the contacts of the simulated meter really are."""
        return "on" if self.meters.state(serial)["is_closed"] else "off"

    def commands(self, serial: str) -> list[dict[str, Any]]:
        """Relay commands the meter has carried out, oldest first."""
        return [row for row in self.meters.get(f"/log?meter={serial}") if row["kind"] == "relay"]

    def told(self, serial: str) -> list[dict[str, Any]]:
        """Commands the meter has heard, carried out or not."""
        return [row for row in self.meters.get(f"/log?meter={serial}") if row["kind"] == "command"]

    def outbox_readings(self) -> int:
        """Readings that wait on the connector's disk."""
        page = requests.get(f"http://127.0.0.1:{self.site.health_port}/health.json", timeout=10)
        return int(page.json()["outbox"]["readings"])

    # -- what happens --------------------------------------------------------------------------------

    def read_now(self, serial: str) -> None:
        """An on-demand read ordered in Odoo, waited for until its reading is stored."""
        before = self._last_reading(serial)
        meter_id = self.database.value("SELECT id FROM meter_meter WHERE serial = %s", serial)
        self.user("admin").call("meter.meter", "action_read_now", [meter_id])
        wait_for(lambda: self._last_reading(serial) != before, f"a new reading of meter {serial}", 60)

    def _last_reading(self, serial: str) -> Any:
        return self.database.value(
            """SELECT max(r.at) FROM meter_reading r JOIN meter_circuit c ON c.id = r.circuit_id
               JOIN meter_meter m ON m.id = c.meter_id WHERE m.serial = %s""",
            serial,
        )

    def use_until(self, account: str, limit: Decimal) -> None:
        """Let a shop use power, a little at a time (more would be held back as implausible), until its balance is at or below `limit`."""
        serial = self.power_serial(account)
        for _step in range(60):
            before = self.balance(account)
            if before <= limit:
                return
            self.meters.post(f"/meters/{serial}", consume="0.9")
            self.read_now(serial)
            wait_for(
                lambda known=before: self.balance(account) < known, f"the charge of account {account}", 60
            )
        raise AssertionError(f"account {account} still has {self.balance(account)}")

    def invoice_month(self) -> None:
        """The accountant invoices the running month, knowing that it is not over."""
        user = self.user("accountant")
        wizard = user.call(
            "prepaid.invoice.month",
            "create",
            {"month": datetime.now(UTC).date().isoformat(), "is_open_accepted": True},
        )
        user.call("prepaid.invoice.month", "action_invoice", [wizard])
        running = "SELECT count(*) FROM prepaid_invoice_batch WHERE state = 'running'"
        wait_for(lambda: self.database.value(running) == 0, "the month's invoices", 180)

    def fees_invoiced(self) -> Decimal:
        return self.database.money("SELECT sum(amount) FROM prepaid_fee WHERE state = 'withheld'")

    def books_difference(self) -> Decimal:
        """What the accountant's books check says now."""
        self.user("accountant").call("prepaid.books.check", "action_run")
        return self.database.money("SELECT difference FROM prepaid_books_check ORDER BY id DESC LIMIT 1")

    def is_protected(self, table: str, change: str) -> bool:
        """Whether the database itself refuses a change to a row of a table, asked by trying."""
        connection = psycopg2.connect(**postgres.server().dsn(self.site.options.database))
        try:
            cursor = connection.cursor()
            cursor.execute(f"UPDATE {table} SET {change} WHERE id = (SELECT min(id) FROM {table})")
            return False
        except psycopg2.Error:
            return True
        finally:
            connection.rollback()
            connection.close()

    def chain_is_sound(self) -> bool:
        """Ledger and audit, recomputed by the product's own verification."""
        auditor = self.user("auditor")
        wallets = auditor.call("prepaid.wallet", "search", [])
        answer = auditor.call("prepaid.wallet", "action_verify", wallets)
        return bool(answer["params"]["type"] == "success")

    # -- an independent calculation ------------------------------------------------------------------

    def expected_cost(self, account: str) -> Decimal:
        """What all use that was charged so far should cost, from the readings and the site file alone."""
        return sum((self._point_cost(row) for row in self._charged_spans(account)), Decimal(0))

    def _charged_spans(self, account: str) -> list[dict[str, Any]]:
        """First opening and last charged reading of each installation of the tenancy."""
        columns = ", ".join(
            f"(array_agg(h.from_{key} ORDER BY h.to_reading_at))[1] AS from_{key},"
            f" (array_agg(h.to_{key} ORDER BY h.to_reading_at DESC))[1] AS to_{key}"
            for key in ("total", *RATES)
        )
        return self.database.rows(
            f"""SELECT p.code, i.multiplier, {columns}
                FROM prepaid_charge h
                JOIN meter_installation i ON i.id = h.installation_id
                JOIN utility_service_point p ON p.id = h.service_point_id
                JOIN contract_contract c ON c.id = h.contract_id
                WHERE c.account_number = %s GROUP BY p.code, i.id, i.multiplier""",
            account,
        )

    def _point_cost(self, row: dict[str, Any]) -> Decimal:
        tariff = self._tariff(row["code"])
        ratio = Decimal(row["multiplier"])
        total = (row["to_total"] - row["from_total"]) * ratio
        if tariff["structure"] == "flat":
            cost = total * Decimal(tariff["price"])
        elif tariff["structure"] == "tou":
            cost = sum(
                (row[f"to_{rate}"] - row[f"from_{rate}"]) * ratio * Decimal(tariff["prices"][rate])
                for rate in RATES
            )
        else:
            cost = _tiered(total, tariff["tiers"])
        return cost.quantize(FEN, ROUND_HALF_UP)

    def _tariff(self, point_code: str) -> dict[str, Any]:
        unit, kind = point_code.rsplit("-", 1)
        tenancy = next(row for row in self.document["tenancies"] if unit in row["units"])
        code = tenancy["tariff_power" if kind == "E" else "tariff_water"]
        return next(row for row in self.document["tariffs"] if row["code"] == code)


def _tiered(total: Decimal, tiers: list[dict[str, str]]) -> Decimal:
    cost, below = Decimal(0), Decimal(0)
    for tier in tiers:
        top = Decimal(tier["up_to"]) if "up_to" in tier else total
        cost += max(min(total, top) - below, Decimal(0)) * Decimal(tier["price"])
        below = top
    return cost
