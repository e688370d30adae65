"""NB-IoT meters, their reports as the platforms push them, and a recorder in memory."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from meter_connector.codecs import cjt188, dlt645_2007
from meter_connector.codecs.cjt188 import data as cjt188_data
from meter_connector.codecs.dlt645_2007 import data as dlt645_data
from meter_connector.model import SiteConfig
from meter_connector.nbiot import onenet

TOKEN = "an-address-nobody-guesses"
ONENET_TOKEN = "5ec78dbca0db5a7e"
WATER_IMEI, POWER_IMEI, SHARED_IMEI = "861428041234567", "861428047654321", "861428040000001"
WATER_ADDRESS, POWER_ADDRESS = "00112026000001", "202600000001"
NOON = 1795233600.0

WATER_MODEL = {
    "protocol": "cjt188",
    "kind": "water",
    "registers": [{"key": "total", "di": "901F"}, {"key": "switch", "di": "901F"}],
    "switch": {"kind": "cjt188"},
}
POWER_MODEL = {
    "protocol": "dlt645-2007",
    "registers": [
        {"key": "total", "di": "00010000"},
        {"key": "voltage_v", "di": "02010100"},
        {"key": "switch", "di": "04000503"},
    ],
    "switch": {"kind": "dlt645", "on": "1C", "off": "1A"},
}
JSON_MODEL = {
    "protocol": "cjt188",
    "kind": "water",
    "registers": [{"key": "total", "di": "901F"}],
    "quirks": {"nbiot_properties": {"total": "serviceData.MeterData.amount"}},
}


def water_frame(total: str = "123.45", valve: int = 0, address: str = WATER_ADDRESS, **how: Any) -> bytes:
    """The answer 901F of a water meter, as pushed. `valve`: 0 open, 1 closed."""
    status = cjt188_data.StatusLayout.of("a").pack(valve, False)
    payload = cjt188_data.encode_item("901F", {"current": Decimal(total), "st": status.hex()})
    data = bytes.fromhex("901F") + b"\x01" + payload
    return cjt188.Frame(address, 0x81, data, 0x10).encode(how.get("preamble", 2))


def valve_answer(address: str = WATER_ADDRESS) -> bytes:
    """The meter took a valve command."""
    return cjt188.Frame(address, 0x84, bytes.fromhex("A0170100FF"), 0x10).encode()


def power_frame(total: str = "77.01", address: str = POWER_ADDRESS) -> bytes:
    """The answer 00010000 of a power meter."""
    payload = bytes.fromhex("00000100") + dlt645_data.encode_item("00010000", [Decimal(total)])
    return dlt645_2007.Frame(address, 0x91, payload).encode(4)


def status_frame(is_open: bool, address: str = POWER_ADDRESS) -> bytes:
    """Status word 3 of a power meter: relay open (off) or closed."""
    word = b"\x50\x00" if is_open else b"\x00\x00"
    return dlt645_2007.Frame(address, 0x91, bytes.fromhex("03050004") + word).encode(4)


def ctwing(frame: bytes = b"", imei: str = WATER_IMEI, at: float = NOON, **more: Any) -> bytes:
    """A report of a transparent product."""
    document = {
        "upPacketSN": -1,
        "upDataSN": -1,
        "topic": "v1/up/ad",
        "timestamp": int(at * 1000),
        "tenantId": "2000018888",
        "serviceId": "",
        "protocol": "lwm2m",
        "productId": "10087777",
        "payload": {"APPdata": base64.b64encode(frame).decode()},
        "messageType": "dataReport",
        "deviceType": "",
        "deviceId": f"dev{imei}",
        "assocAssetId": "",
        "IMSI": "undefined",
        "IMEI": imei,
        **more,
    }
    return json.dumps(document).encode()


def onenet_old(
    items: list[dict[str, Any]] | dict[str, Any], token: str = ONENET_TOKEN, nonce: str = "u7%k*c1E"
) -> bytes:
    """A push of the NB-IoT suite, signed over the text of msg as it stands in the body."""
    message = json.dumps(items, ensure_ascii=False)
    sign = json.dumps(onenet.signature(token, nonce, message))
    return f'{{"msg":{message},"msg_signature":{sign},"nonce":{json.dumps(nonce)}}}'.encode()


def onenet_item(frame: bytes, imei: str = WATER_IMEI, at: float = NOON) -> dict[str, Any]:
    """A data point of the NB-IoT suite."""
    return {
        "type": 1,
        "dev_id": 2016617,
        "ds_id": "3200_0_5750",
        "at": int(at * 1000),
        "value": frame.hex(),
        "imei": imei,
    }


def onenet_new(content: Mapping[str, Any], token: str = ONENET_TOKEN, nonce: str = "Xh2kP") -> bytes:
    """A push of the new platform: msg is a text."""
    message = json.dumps(content)
    document = {
        "msg": message,
        "nonce": nonce,
        "signature": onenet.signature(token, nonce, message),
        "time": int(NOON * 1000),
        "id": "f4a6",
    }
    return json.dumps(document).encode()


def document(**nbiot: Any) -> dict[str, Any]:
    """Three meters behind NB-IoT: water 1 (circuit 11), power 2 (21), and 3 (31) whose platform sends properties."""

    def meter(key: int, model: str, address: str, imei: str) -> dict[str, Any]:
        return {
            "id": key,
            "serial": f"N{key}",
            "address": address,
            "model": model,
            "imei": imei,
            "password": "123456",
            "circuits": [{"id": 10 * key + 1, "number": 1, "has_switch": True}],
        }

    return {
        "version": 1,
        "connector": {"id": 1, "code": "c1", "timezone": "Asia/Shanghai"},
        "models": {"water": WATER_MODEL, "power": POWER_MODEL, "json": JSON_MODEL},
        "schedules": {},
        "gateways": [
            {
                "id": 7,
                "name": "platform",
                "buses": [
                    {
                        "id": 9,
                        "number": 1,
                        "link": {"kind": "nbiot"},
                        "meters": [
                            meter(1, "water", WATER_ADDRESS, WATER_IMEI),
                            meter(2, "power", POWER_ADDRESS, POWER_IMEI),
                            meter(3, "json", "00112026000003", SHARED_IMEI),
                        ],
                    }
                ],
            }
        ],
        "nbiot": {
            "enabled": True,
            "path_token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
            **nbiot,
        },
    }


def site(**nbiot: Any) -> SiteConfig:
    """The same, read."""
    return SiteConfig.from_document(document(**nbiot), is_strict=True)
