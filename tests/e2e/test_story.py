"""From meter frame to cut-off and back: one story on real processes, told in order.

PostgreSQL, Odoo in prefork, the connector and byte-true meters run as they would at a site. The steps build on each
other, so a step that fails ends the story.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

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
POWER_BACK_S = 3.0


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
