"""Buildings, meter models, the connector, gateways, buses and meters, from the site file."""

import os
from pathlib import Path

from .history import opening_registers

DESCRIPTIVE_MODEL_KEYS = {
    "name",
    "protocol",
    "manufacturer",
    "kind",
    "phases",
    "circuits",
    "has_switch",
    "simulate",
}
# Purchases that a meter has counted and the book has not: the first purchase here shows the way out of a mismatch.
BOUGHT_ELSEWHERE = 2
EXAMPLE_PLAN = "示例 宿舍作息"
EXAMPLE_PROFILE = "示例 商铺报警金额"
EXAMPLE_MODEL = "ddsy315"


def load_buildings(demo):
    """{building code: record}, {unit code: record}"""
    described = demo.site_file["site"]
    site = demo.find_or_create(
        "property.site",
        [("code", "=", described["code"])],
        {"code": described["code"], "name": described["name"], "tz": described["timezone"]},
    )
    buildings, units = {}, {}
    for building in demo.site_file["buildings"]:
        record = demo.find_or_create(
            "property.building",
            [("site_id", "=", site.id), ("code", "=", building["code"])],
            {"site_id": site.id, "code": building["code"], "name": building["name"]},
        )
        buildings[building["code"]] = record
        for sequence, floor in enumerate(building["floors"]):
            storey = demo.find_or_create(
                "property.floor",
                [("building_id", "=", record.id), ("name", "=", floor["name"])],
                {"building_id": record.id, "name": floor["name"], "sequence": sequence},
            )
            for unit in floor["units"]:
                units[unit["code"]] = demo.find_or_create(
                    "property.unit",
                    [("building_id", "=", record.id), ("code", "=", unit["code"])],
                    {
                        "floor_id": storey.id,
                        "code": unit["code"],
                        "name": unit["name"],
                        "kind": unit["kind"],
                        "area_m2": float(unit.get("area_m2", 0)),
                        "head_count": unit.get("head_count", 0),
                    },
                )
    return site, buildings, units


def load_models(demo):
    found = {}
    for code, described in demo.site_file["models"].items():
        definition = {key: value for key, value in described.items() if key not in DESCRIPTIVE_MODEL_KEYS}
        values = {
            "code": code,
            "name": described["name"],
            "manufacturer": described.get("manufacturer"),
            "protocol": described["protocol"],
            "kind_id": demo.env.ref(f"property_utility.utility_kind_{described['kind']}").id,
            "phases": str(described.get("phases", 1)),
            "circuit_count": described.get("circuits", 1),
            "has_switch": described.get("has_switch", False),
            "definition": definition,
        }
        found[code] = demo.find_or_create("meter.model", [("code", "=", code)], values)
    return found


def load_connector(demo, site):
    """The connector with a user and a key of its own; the key goes into a file and nowhere else."""
    connector = demo.find_or_create(
        "meter.connector", [("code", "=", "demo")], {"code": "demo", "name": "演示连接器", "site_id": site.id}
    )
    key_file = Path(os.environ["STACK_KEY_FILE"])
    if not connector.user_id or not key_file.exists() or not key_file.stat().st_size:
        key_file.touch(0o600)
        key_file.write_text(connector._create_key())
    return connector


def bus_link(demo, gateway, bus):
    """Where the simulator really listens, as values for a bus; one that dials in has its packets, where they are its own."""
    link = bus.get("link", gateway["link"])
    kind = link["kind"]
    if kind == "tcp_server":
        own = bus.get("link", {})
        return {key: own[key] for key in ("registration", "heartbeat") if key in own}
    place = demo.ready["gateways"][gateway["code"]]["buses"][str(bus["number"])]
    if kind == "serial":
        return {"link_kind": "serial", "device": place["device"]}
    return {"link_kind": "tcp_client", "host": place["host"], "port": place["port"]}


def load_gateways(demo, connector, buildings, models, units):
    for gateway in demo.site_file["gateways"]:
        link = gateway["link"]
        values = {
            "number": gateway["code"],
            "name": gateway["name"],
            "connector_id": connector.id,
            "building_id": buildings[gateway["building"]].id,
            "link_kind": link["kind"],
            "registration": link.get("registration"),
            "heartbeat": link.get("heartbeat"),
        }
        if link["kind"] != "tcp_server":
            # A gateway needs an address of its own even where each of its buses has a port of its own.
            values |= bus_link(demo, gateway, gateway["buses"][0])
        record = demo.find_or_create("meter.gateway", [("number", "=", gateway["code"])], values)
        record.write({key: values[key] for key in ("host", "port", "device") if key in values})
        for bus in gateway["buses"]:
            load_bus(demo, record, gateway, bus, models, units)


def load_bus(demo, gateway_record, gateway, bus, models, units):
    values = {
        "gateway_id": gateway_record.id,
        "number": bus["number"],
        "baudrate": str(bus["baudrate"]),
        "parity": bus.get("parity", "E"),
        "stopbits": str(bus.get("stopbits", 1)),
        "framing": bus.get("framing", "transparent"),
        **bus_link(demo, gateway, bus),
    }
    record = demo.find_or_create(
        "meter.bus", [("gateway_id", "=", gateway_record.id), ("number", "=", bus["number"])], values
    )
    record.write(bus_link(demo, gateway, bus))
    for meter in bus["meters"]:
        load_meter(demo, record, meter, models[meter["model"]], units[meter["unit"]])


def load_meter(demo, bus, meter, model, unit):
    known = demo.env["meter.meter"].search([("serial", "=", meter["serial"])])
    if known:
        return
    record = demo.env["meter.meter"].create(
        {
            "serial": meter["serial"],
            "address": meter["address"],
            "model_id": model.id,
            "bus_id": bus.id,
            "building_id": unit.building_id.id,
            "password": meter.get("password"),
            "ct_ratio": meter.get("ct_ratio", 1),
        }
    )
    prepaid = demo.site_file["models"][meter["model"]].get("simulate", {}).get("prepaid")
    if prepaid:
        record._set_purchase_count(prepaid["count"] - BOUGHT_ELSEWHERE)
    if meter["model"].startswith("playback"):
        return  # plays back recorded bytes: belongs to no service point, so nobody is charged for it
    suffix = "E" if model.kind_id.code == "power" else "W"
    point = demo.find_or_create(
        "utility.service.point",
        [("code", "=", f"{unit.code}-{suffix}")],
        {
            "code": f"{unit.code}-{suffix}",
            "name": f"{unit.name} {model.kind_id.name}",
            "unit_id": unit.id,
            "kind_id": model.kind_id.id,
        },
    )
    opening = opening_registers(demo, meter)
    demo.env["meter.installation"].create(
        {
            "circuit_id": record.circuit_ids[:1].id,
            "service_point_id": point.id,
            "start_at": demo.opened_at,
            "reason": "演示数据",
            **{f"start_{key}": float(value) for key, value in opening.items()},
        }
    )


def load_examples(demo, models):
    """Hours and settings to look at; no meter has them, so that nothing is switched or sent."""
    hours = (0, 0, {"from_hour": 6, "to_hour": 23.5})
    demo.find_or_create(
        "meter.supply.plan", [("name", "=", EXAMPLE_PLAN)], {"name": EXAMPLE_PLAN, "period_ids": [hours]}
    )
    model = models[EXAMPLE_MODEL]
    kind = demo.env["meter.parameter.type"].search(
        [("model_id", "=", model.id), ("name", "=", "alarm_amount_1")]
    )
    demo.find_or_create(
        "meter.parameter.profile",
        [("name", "=", EXAMPLE_PROFILE)],
        {
            "name": EXAMPLE_PROFILE,
            "model_id": model.id,
            "line_ids": [(0, 0, {"type_id": kind.id, "value": "20.00"})],
        },
    )
