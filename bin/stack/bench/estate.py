"""Make an estate of STACK_POINTS power meters on one connector, for benches. Fed to `odoo shell`.

Writes the connector's key to STACK_KEY_FILE and the circuits' ids to STACK_CIRCUITS_FILE. With STACK_BILLING=1
each meter gets a unit, a tenancy with a deposit and a flat tariff.
"""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

env = globals()["env"](
    context={"tracking_disable": True, "mail_create_nolog": True, "no_reset_password": True}
)
count = int(os.environ["STACK_POINTS"])
billing = os.environ.get("STACK_BILLING") == "1"
started_at = datetime.utcnow().replace(second=0, microsecond=0) - timedelta(days=2)
METERS_A_BUS = 120

site = env["property.site"].create({"code": "BENCH", "name": "Bench"})
building = env["property.building"].create({"code": "B", "name": "Bench", "site_id": site.id})
floor = env["property.floor"].create({"name": "1", "building_id": building.id})
connector = env["meter.connector"].create({"code": "bench", "name": "Bench", "site_id": site.id})
Path(os.environ["STACK_KEY_FILE"]).write_text(connector._create_key())
power = env.ref("property_utility.utility_kind_power")
model = env["meter.model"].search([("protocol", "=", "dlt645-2007"), ("phases", "=", "1")], limit=1)
buses = env["meter.bus"]
for number in range(-(-count // METERS_A_BUS)):
    gateway = env["meter.gateway"].create(
        {
            "number": f"BENCH{number}",
            "name": f"Bench {number}",
            "connector_id": connector.id,
            "building_id": building.id,
            "link_kind": "tcp_client",
            "host": "127.0.0.1",
            "port": 20000 + number,
        }
    )
    buses |= env["meter.bus"].create({"gateway_id": gateway.id, "number": 1})
units = env["property.unit"].create(
    [{"code": f"U{n:05d}", "name": f"U{n:05d}", "floor_id": floor.id, "kind": "shop"} for n in range(count)]
)
points = env["utility.service.point"].create(
    [
        {
            "code": f"{unit.code}-E",
            "name": unit.code,
            "unit_id": unit.id,
            "kind_id": power.id,
            "building_id": building.id,
        }
        for unit in units
    ]
)
meters = env["meter.meter"].create(
    [
        {
            "serial": f"{n + 1:012d}",
            "address": f"{n + 1:012d}",
            "model_id": model.id,
            "bus_id": buses[n // METERS_A_BUS].id,
            "building_id": building.id,
        }
        for n in range(count)
    ]
)
env["meter.installation"].create(
    [
        {
            "circuit_id": meter.circuit_ids.id,
            "service_point_id": point.id,
            "start_at": started_at,
            "start_total": 1000,
        }
        for meter, point in zip(meters, points, strict=True)
    ]
)
Path(os.environ["STACK_CIRCUITS_FILE"]).write_text(json.dumps(meters.circuit_ids.ids))

if billing:
    tariff = env["utility.tariff"].create({"name": "Bench", "kind_id": power.id})
    env["utility.tariff.version"].create(
        {"tariff_id": tariff.id, "valid_from": started_at, "structure": "flat", "price": 0.85}
    ).action_confirm()
    partners = env["res.partner"].create([{"name": f"Bench {n}"} for n in range(count)])
    contracts = env["contract.contract"].create(
        [
            {"is_tenancy": True, "name": f"B{n}", "account_number": f"B{n:06d}", "partner_id": partner.id}
            for n, partner in enumerate(partners)
        ]
    )
    env["property.occupancy"].create(
        [
            {"unit_id": unit.id, "contract_id": contract.id, "start_at": started_at}
            for unit, contract in zip(units, contracts, strict=True)
        ]
    )
    env["utility.tariff.assignment"].create(
        [{"service_point_id": point.id, "tariff_id": tariff.id, "valid_from": started_at} for point in points]
    )
env.cr.commit()
env.cr.execute("ANALYZE")  # statistics as any site has after its first minutes
env.cr.commit()
print("SCRIPT COMPLETE")
