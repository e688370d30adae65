"""Meters are found that nobody told us of."""

from __future__ import annotations

from typing import Any

import pytest
from meter_connector.drivers import make_driver
from meter_connector.drivers.scan import find_meters
from wirehelp import Desk, SimWire, meter_row, virtually


def found_on(rows: list[dict[str, Any]], protocol: str, **bus: Any) -> list[str]:
    async def main() -> list[str]:
        wire = SimWire(rows, bus=bus)
        desk = Desk(wire)
        driver = make_driver(protocol, desk.bus)
        found = [each async for each in find_meters(desk.line, desk.bus, protocol, driver)]
        assert {each.protocol for each in found} <= {protocol}
        assert all(wire.commands(row["serial"]) == [] for row in rows)
        await wire.close()
        return sorted(each.address for each in found)

    return virtually(main)


def test_645_meters_are_found_also_where_their_last_digits_collide() -> None:
    addresses = ["202601000101", "202601000102", "202601990102", "202600990102", "000000000077"]
    rows = [meter_row(n, address=address) for n, address in enumerate(addresses, start=1)]
    assert found_on(rows, "dlt645-2007") == sorted(addresses)


def test_modbus_units_are_found_in_both_framings() -> None:
    rows = [meter_row(n, "dds238", address=str(n)) for n in (1, 17, 247)]
    assert found_on(rows, "modbus-rtu", baudrate=9600) == ["1", "17", "247"]
    rows = [meter_row(n, "ddsy1352", address=str(n)) for n in (3, 9)]
    assert found_on(rows, "modbus-tcp", framing="modbus_tcp") == ["3", "9"]


@pytest.mark.parametrize(("protocol", "model"), [("cjt188", "lxsy315-dn20"), ("dlt645-1997", "dd862-97")])
def test_the_only_meter_of_the_others_is_found(protocol: str, model: str) -> None:
    row = meter_row(1, model)
    assert found_on([row], protocol) == [row["address"]]


def test_nobody_there_is_nobody_found() -> None:
    assert found_on([meter_row(1, "dd862-97")], "dlt645-2007", baudrate=9600) == []
