"""The master of `dlt645`, run by the Python of its own environment: `peer_master.py PORT ADDRESS`, one JSON list [word, …] a line on its
input, one JSON answer a line on its output."""

import json
import sys
from datetime import datetime

from dlt645 import MeterClientService
from loguru import logger

logger.remove()
port, address = int(sys.argv[1]), sys.argv[2]
client = MeterClientService.new_tcp_client("127.0.0.1", port, 3)
client.set_address(bytes.fromhex(address)[::-1].hex())  # as printed it would go out high byte first


def shown(item: object) -> object:
    """A value as JSON; events and lists as text."""
    if isinstance(item, list):
        return [shown(each) for each in item]
    value = getattr(item, "value", item)
    value = getattr(value, "event", value)
    if hasattr(value, "time"):
        return [value.value, str(value.time)]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def carry_out(words: list) -> object:
    """read_00 DI, read_02 DI, read_04 DI, write_04 DI VALUE PASSWORD, read_address, time, freeze, write_address."""
    name, *rest = words
    if name.startswith("read_0"):
        return shown(getattr(client, name)(int(rest[0], 16)))
    if name == "write_04":
        return client.write_04(int(rest[0], 16), rest[1], rest[2]) is not None
    if name == "read_address":
        return shown(client.read_address())
    if name == "time":
        return client.broadcast_time_sync(datetime.fromisoformat(rest[0]))
    raise ValueError(name)


for line in sys.stdin:
    try:
        answer = carry_out(json.loads(line))
    except Exception as error:  # noqa: BLE001 - whatever the peer raises is its answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
