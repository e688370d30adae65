"""From meter frame to cut-off and back: one story on real processes, told in order.

PostgreSQL, Odoo in prefork, the connector and byte-true meters run as they would at a site. The steps build on each
other, so a step that fails ends the story.
"""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from . import browser
from .timeline import wait_for
from .world import World

pytestmark = pytest.mark.usefixtures("stop_at_first_failure")

COMFORTABLE = "100001"
TWO_SHOPS = "100004"
NEARLY_EMPTY = "100003"
WHILE_ODOO_IS_DOWN = "100009"
WHILE_CONNECTOR_DIES = "100012"
WHILE_METER_IS_OFFLINE = "100005"
TIME_OF_USE = "100006"


def test_1_readings_of_every_meter_arrive(world: World) -> None:
    wanted = len(world.meter_rows())
    read = "SELECT count(DISTINCT circuit_id) FROM meter_reading"
    with world.timeline.measured(f"readings of all {wanted} meters have arrived, each read byte by byte"):
        wait_for(lambda: world.database.value(read) >= wanted, "a reading of every meter", 120)
    for row in world.database.rows(
        """SELECT m.serial, l.total FROM meter_live l JOIN meter_circuit c ON c.id = l.circuit_id
           JOIN meter_meter m ON m.id = c.meter_id JOIN meter_installation i ON i.circuit_id = c.id"""
    ):
        shown = Decimal(world.meters.state(row["serial"])["registers"]["total"])
        assert 0 <= shown - row["total"] < 2, f"meter {row['serial']} shows {shown}, Odoo has {row['total']}"


def test_2_balances_fall_by_the_exact_fen(world: World) -> None:
    for account in (COMFORTABLE, TWO_SHOPS, TIME_OF_USE):
        world.use_until(account, world.balance(account) - Decimal("0.50"))
    accounts = [row["account"] for row in world.document["tenancies"]]
    wait_for(
        lambda: not world.database.value("SELECT count(*) FROM prepaid_settlement_due"), "all to be settled"
    )
    for account in accounts:
        charged = world.database.money(
            "SELECT sum(h.amount) FROM prepaid_charge h JOIN contract_contract c ON c.id = h.contract_id"
            " WHERE c.account_number = %s",
            account,
        )
        assert charged == world.expected_cost(account), f"account {account}"
    cost = sum((world.expected_cost(account) for account in accounts), Decimal(0))
    assert cost > 0
    world.timeline.tell(
        f"balances of {len(accounts)} tenancies fell by the exact fen", f"¥{cost} in all, difference 0.00"
    )


def set_policy(world: World, **values: object) -> None:
    """Change the company's rule as a supervisor would."""
    user = world.user("supervisor")
    (policy,) = user.call("prepaid.policy", "search", [("sequence", "=", 4)])
    user.call("prepaid.policy", "write", [policy], values)


def local_hour() -> float:
    """Hour of the site's day now (China has no summer time)."""
    return (time.time() / 3600 + 8) % 24


def last_decision(world: World, account: str) -> dict:
    rows = world.database.rows(
        "SELECT state, reasons FROM prepaid_decision WHERE contract_id = %s ORDER BY id DESC LIMIT 1",
        world.contract_id(account),
    )
    return {"state": rows[0]["state"], "reasons": [row["code"] for row in rows[0]["reasons"]]} if rows else {}


def trip(world: World, account: str) -> str:
    """Use up the money of a tenancy in an allowed hour; returns the meter's number once its contacts are open."""
    serial = world.power_serial(account)
    world.use_until(account, Decimal(0))
    wait_for(lambda: world.relay(serial) == "off", f"account {account} to be cut off", 150)
    wait_for(lambda: world.switch(account)["reported"] == "off", "the meter's own word that it is off", 60)
    return serial


def pay_by_phone(world: World, account: str, amount: str = "50") -> None:
    """The tenant of an account tops up in a real browser."""
    tenancy = next(row for row in world.document["tenancies"] if row["account"] == account)
    with browser.phone(world.site.url) as page:
        browser.sign_in(page, tenancy["email"], world.site.password)
        browser.top_up(page, amount)


def paid_at(world: World, account: str) -> float:
    """Epoch seconds at which the newest top-up of an account became an entry."""
    return float(
        world.database.value(
            "SELECT extract(epoch FROM max(t.create_date)) FROM prepaid_topup t WHERE t.contract_id = %s",
            world.contract_id(account),
        )
    )


def closed_at(world: World, serial: str) -> float:
    """Epoch seconds at which the meter's contacts closed last."""
    return max(row["at"] for row in world.commands(serial) if row["state"] == "on")


def test_3_a_warning_is_delivered_before_anything_else(world: World) -> None:
    contract = world.contract_id(NEARLY_EMPTY)
    # Allowed hours that are not now: whatever happens to the balance, nobody is cut off yet.
    begin = (local_hour() + 2) % 24
    set_policy(world, warn_lead_hours=0.0, hour_from=begin % 24, hour_to=(begin + 0.5) % 24 or 24.0)
    world.use_until(NEARLY_EMPTY, Decimal("3.50"))
    delivered = "SELECT count(*) FROM prepaid_notice WHERE contract_id = %s AND state = 'delivered'"
    with world.timeline.measured("the warning was delivered to the tenant's mailbox"):
        wait_for(lambda: world.database.value(delivered, contract), "a delivered warning", 120)
    mails = [file.read_bytes() for file in world.site.mail_directory.glob("*.eml")]
    assert any(b"tenant03@example.com" in mail for mail in mails)


def test_4_power_is_cut_in_an_allowed_hour_and_the_meter_says_so(world: World) -> None:
    serial = world.power_serial(NEARLY_EMPTY)
    world.use_until(NEARLY_EMPTY, Decimal(0))
    wait_for(
        lambda: last_decision(world, NEARLY_EMPTY) == {"state": "due", "reasons": ["money", "outside_hours"]},
        "the decision to hold the trip back until an allowed hour",
        90,
    )
    assert world.relay(serial) == "on", "cut off outside the allowed hours"
    world.timeline.tell(
        "money is gone, but it is not an allowed hour: power stays on", "decision: due, outside hours"
    )
    set_policy(world, hour_from=0.0, hour_to=24.0)
    with world.timeline.measured("in an allowed hour power is cut, and the meter reports it"):
        wait_for(lambda: world.relay(serial) == "off", "the contacts to open", 150)
        wait_for(lambda: world.switch(NEARLY_EMPTY)["reported"] == "off", "the meter's own word", 60)
    states = "SELECT state FROM meter_order WHERE kind = 'switch_off' AND switch_id = %s"
    wait_for(
        lambda: world.database.value(states, world.switch(NEARLY_EMPTY)["id"]) == "confirmed",
        "the read-back",
        60,
    )
    assert len(world.commands(serial)) == 1, "one trip, carried out once"
    water = [row for row in world.meter_rows() if row["unit"] == "A-103" and row["serial"] != serial]
    assert all(world.meters.state(row["serial"])["is_closed"] for row in water), "water is never cut"


def test_5_the_tenant_pays_in_a_browser_and_power_is_back(world: World) -> None:
    serial = world.power_serial(NEARLY_EMPTY)
    tenancy = next(row for row in world.document["tenancies"] if row["account"] == NEARLY_EMPTY)
    before = world.balance(NEARLY_EMPTY)
    with browser.phone(world.site.url) as page:
        browser.sign_in(page, tenancy["email"], world.site.password)
        browser.top_up(page, "50")
        wait_for(lambda: world.relay(serial) == "on", "power back", 30)
        expect(page.locator("[data-testid=supply-on]")).to_be_visible()
    seconds = closed_at(world, serial) - paid_at(world, NEARLY_EMPTY)
    world.timeline.tell(
        "paid in the portal in a real browser; power is back", f"{seconds:.2f} s after the payment"
    )
    assert world.balance(NEARLY_EMPTY) - before > Decimal(49)


def test_6a_odoo_is_stopped_for_a_while_and_no_reading_is_lost(world: World) -> None:
    serial = trip(world, WHILE_ODOO_IS_DOWN)
    world.site.odoo.stop()
    read_meanwhile = world.meters.state(serial)["requests"]
    wait_for(lambda: world.meters.state(serial)["requests"] > read_meanwhile + 6, "reads without Odoo", 180)
    waiting = world.outbox_readings()
    assert waiting > 0, "the connector kept nothing while Odoo was away"
    world.timeline.tell(
        "Odoo was stopped: the connector kept reading", f"{waiting} readings wait on its disk"
    )
    world.site.odoo.start()
    with world.timeline.measured("Odoo is back: all kept readings arrived, each once"):
        wait_for(lambda: world.outbox_readings() == 0, "the outbox to empty", 120)
    pay_by_phone(world, WHILE_ODOO_IS_DOWN)
    wait_for(lambda: world.relay(serial) == "on", "power back after Odoo's absence", 30)
    world.timeline.tell("paid after Odoo's absence; power is back")


def test_6b_the_connector_is_killed_between_order_and_read_back(world: World) -> None:
    serial = trip(world, WHILE_CONNECTOR_DIES)
    before = len(world.commands(serial))
    # The relay takes its time, so that the kill falls between the meter's yes and the read-back.
    world.meters.post(f"/meters/{serial}", faults={"relay_lag_ms": 4000})
    seen = len(world.told(serial))
    pay_by_phone(world, WHILE_CONNECTOR_DIES)
    wait_for(lambda: len(world.told(serial)) > seen, "the meter to hear the command", 30, every_s=0.02)
    world.site.connector.kill()
    order = world.database.rows(
        "SELECT state FROM meter_order WHERE switch_id = %s ORDER BY id DESC LIMIT 1",
        world.switch(WHILE_CONNECTOR_DIES)["id"],
    )[0]
    assert order["state"] in ("received", "accepted"), f"killed too late: the order is {order['state']}"
    world.timeline.tell("connector killed (-9) between order and read-back", f"order is {order['state']}")
    world.site.connector.start()
    with world.timeline.measured("connector back: order confirmed, power is on"):
        wait_for(lambda: world.switch(WHILE_CONNECTOR_DIES)["reported"] == "on", "the read-back", 60)
    assert world.relay(serial) == "on"
    assert len(world.commands(serial)) == before + 1, "the order was carried out twice"
    world.meters.post(f"/meters/{serial}", faults=None)


def test_6c_the_meter_is_offline_at_payment(world: World) -> None:
    serial = trip(world, WHILE_METER_IS_OFFLINE)
    world.meters.post(f"/meters/{serial}", faults={"silent": True})
    pay_by_phone(world, WHILE_METER_IS_OFFLINE)
    assert world.relay(serial) == "off"
    assert world.switch(WHILE_METER_IS_OFFLINE)["desired"] == "on"
    world.timeline.tell("paid while the meter was offline: wanted on, still dark")
    world.meters.post(f"/meters/{serial}", faults=None)
    with world.timeline.measured("the meter answers again: who has paid does not stay dark"):
        wait_for(lambda: world.relay(serial) == "on", "power back at the next contact", 180)
        wait_for(lambda: world.switch(WHILE_METER_IS_OFFLINE)["reported"] == "on", "its read-back", 60)


def test_7_the_month_is_invoiced_and_reconciled(world: World) -> None:
    world.invoice_month()
    rows = world.database.rows(
        """SELECT m.id, m.amount_total, m.payment_state,
                  (SELECT sum(l.price_total) FROM account_move_line l WHERE l.move_id = m.id AND l.display_type = 'product') AS lines
             FROM account_move m WHERE m.move_type = 'out_invoice' AND m.state = 'posted' AND m.contract_id IS NOT NULL"""
    )
    assert rows, "no invoice was made"
    assert all(row["amount_total"] == row["lines"] for row in rows)
    invoiced = world.database.money(
        "SELECT sum(amount) FROM prepaid_charge WHERE invoice_line_id IS NOT NULL"
    )
    assert invoiced == sum(row["amount_total"] for row in rows) - world.fees_invoiced()
    paid = [row for row in rows if row["payment_state"] in ("paid", "in_payment")]
    assert len(paid) == len(rows), [row for row in rows if row not in paid]
    world.timeline.tell(
        f"the month is invoiced: {len(rows)} invoices, all reconciled with the advance", f"¥{invoiced}"
    )


def test_8_every_invariant_holds_at_the_end(world: World) -> None:
    database = world.database
    wait_for(lambda: not database.value("SELECT count(*) FROM prepaid_settlement_due"), "all to be settled")
    # 1 money is conserved
    unequal = database.rows(
        """SELECT w.id, w.balance, sum(e.amount) FROM prepaid_wallet w LEFT JOIN prepaid_entry e ON e.wallet_id = w.id
           GROUP BY w.id HAVING w.balance <> coalesce(sum(e.amount), 0)"""
    )
    assert not unequal, unequal
    for tenancy in world.document["tenancies"]:
        charged = database.money(
            "SELECT sum(amount) FROM prepaid_charge WHERE contract_id = %s",
            world.contract_id(tenancy["account"]),
        )
        assert charged == world.expected_cost(tenancy["account"]), tenancy["account"]
    assert world.books_difference() == 0, "wallets and books differ"
    # 2 nothing that was written can be changed
    for table, change in (
        ("prepaid_entry", "amount = amount + 1"),
        ("prepaid_charge", "amount = amount + 1"),
        ("meter_reading_data", "total = total + 1"),
        ("audit_entry", "action = 'other'"),
        ("prepaid_decision", "state = 'normal'"),
    ):
        assert world.is_protected(table, change), f"{table} can be changed"
    # 3 every fact counts once
    assert not database.rows("SELECT circuit_id, at FROM meter_reading GROUP BY 1, 2 HAVING count(*) > 1")
    assert not database.rows("SELECT source FROM prepaid_entry GROUP BY 1 HAVING count(*) > 1")
    # 4 desired and reported agree with the contacts, and nobody who has money is dark
    for row in database.rows(
        """SELECT m.serial, s.desired, s.reported FROM meter_switch s JOIN meter_circuit c ON c.id = s.circuit_id
           JOIN meter_meter m ON m.id = c.meter_id WHERE s.desired IS NOT NULL"""
    ):
        assert row["desired"] == row["reported"] == world.relay(row["serial"]), row
    # 5 nobody was tripped without a delivered warning, and every decision has its reasons
    trips = database.rows("SELECT * FROM prepaid_decision WHERE state = 'trip'")
    assert len(trips) == 4
    for row in trips:
        assert row["reasons"]
        warned = database.value(
            "SELECT min(delivered_at) FROM prepaid_notice WHERE case_id = %s AND state = 'delivered' AND kind LIKE 'warning%%'",
            row["case_id"],
        )
        assert warned, row
        assert warned <= row["at"], row
    # 9 the ledger's chain is sound, and the audit's
    assert world.chain_is_sound()
    world.timeline.tell("every invariant holds", "money, ledger, readings, switches, decisions, audit")
