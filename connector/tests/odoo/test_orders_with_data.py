"""Orders with data over both ways of calling: text in, text out, nothing else changed."""

from __future__ import annotations

import json

import pytest
from fake_odoo import DATABASE, KEY, LOGIN, FakeOdoo
from meter_connector.clock import Clock
from meter_connector.model import ORDER_KINDS, OrderResult
from meter_connector.odoo.client import OdooSettings, make_client
from meter_connector.odoo.face import OdooFace

pytestmark = pytest.mark.usefixtures("nothing_left_behind")


@pytest.mark.parametrize("rpc", ["xmlrpc", "json2"])
async def test_every_kind_comes_through_with_its_data(rpc: str) -> None:
    with FakeOdoo() as odoo:
        client = make_client(OdooSettings(odoo.url, DATABASE, LOGIN, KEY, rpc))
        face = OdooFace(client, Clock())
        text = json.dumps({"values": {"名": "12.00"}}, ensure_ascii=False)
        for number, kind in enumerate(ORDER_KINDS, start=1):
            odoo.order(number, kind, data=text)
        odoo.order(99, "discover", meter_id=0, circuit_id=0, bus_id=3, data=text)
        odoo.order(-5, "switch_on")
        odoo.order(100, "no_such_kind")
        orders = (await face.orders([])).orders
        assert [order.kind for order in orders[: len(ORDER_KINDS)]] == list(ORDER_KINDS)
        assert {order.data for order in orders} == {text}
        assert (orders[-1].id, orders[-1].bus_id, orders[-1].meter_id) == (99, 3, 0)
        result = OrderResult(1, 1, "confirmed", "unknown", 1.0, "", text)
        await face.report([result, OrderResult(2, 1, "received", "unknown", 1.0)])
        assert odoo.results[0]["data"] == text
        assert "data" not in odoo.results[1]
        await client.close()
