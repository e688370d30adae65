"""ThingsBoard IoT Gateway from the package index, configured for a Modbus TCP site, otherwise as it is shipped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from .. import independents
from ..services import Service, own_by_service

NAME = "bench"
REQUIREMENTS = Path(__file__).with_name("requirements-thingsboard.txt")


def python() -> Path:
    """The interpreter of its environment."""
    return independents.ensure("thingsboard", REQUIREMENTS)


def gateway(
    directory: Path, broker_port: int, ports: list[int], meters: int, period_ms: int, storage: str
) -> Service:
    """The gateway, not yet started: units 1..`meters` behind each of `ports`, each polled every `period_ms`."""
    config = directory / "config"
    config.mkdir()
    shipped = next((python().parents[1] / "lib").glob("python*/site-packages/thingsboard_gateway/config"))
    shutil.copy(shipped / "logs.json", config)
    _write(config / "tb_gateway.json", _general(broker_port, storage))
    slaves = [_slave(port, unit, period_ms) for port in ports for unit in range(1, meters + 1)]
    _write(config / "modbus.json", {"master": {"slaves": slaves}})
    for path in (directory, config, *config.iterdir()):
        own_by_service(path)
    start = (
        f"import os; os.chdir({str(directory)!r}); from thingsboard_gateway.tb_gateway import main; main()"
    )
    return Service(
        "ThingsBoard IoT Gateway",
        [python(), "-c", start],
        directory / "thingsboard.log",
        {"TB_GW_CONFIG_DIR": f"{config}/"},
    )


def _general(broker_port: int, storage: str) -> dict[str, Any]:
    """As shipped, but for: a local broker, nothing remote (no platform answers here), no statistics of its own."""
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": broker_port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "syncDevicesSharedAttributesOnConnect": False,
            "statistics": {"enable": False, "enableCustom": False},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 8196,
            "minPackSendDelayMS": 50,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 60,
            "security": {"type": "accessToken", "accessToken": NAME},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
        },
        "storage": _storage(storage),
        "grpc": {"enabled": False},
        "connectors": [{"type": "modbus", "name": "modbus", "configuration": "modbus.json"}],
    }


def _storage(kind: str) -> dict[str, Any]:
    """`memory` is what it is shipped with; `sqlite` survives its end."""
    if kind == "sqlite":
        return {"type": "sqlite", "data_file_path": "./data/data.db", "messages_ttl_in_days": 7}
    return {"type": "memory", "read_records_count": 100, "max_records_count": 100_000}


def _slave(port: int, unit: int, period_ms: int) -> dict[str, Any]:
    """One meter: four 32-bit registers by one request."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "type": "tcp",
        "method": "socket",
        "unitId": unit,
        "deviceName": f"{port}-{unit}",
        "deviceType": "meter",
        "timeout": 35,
        "byteOrder": "BIG",
        "wordOrder": "BIG",
        "retries": 3,
        "pollPeriod": period_ms,
        "timeseries": [
            {
                "tag": "register_${address}",
                "type": "32uint",
                "functionCode": 3,
                "objectsCount": 2,
                "address": "0-7",
                "divider": 100,
            }
        ],
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
