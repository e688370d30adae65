"""Counts what a gateway publishes, as its platform would receive it: PAGE BROKER_PORT.

A gateway sends nothing before its platform has told the session's limits, so that one question is answered: no limits of rate.
`readings` are (device, time) pairs, `values` the data points in them; both of ThingsBoard's gateway telemetry topic.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import paho.mqtt.client as mqtt
from tell import tell

TELEMETRY = "v1/gateway/telemetry"
QUESTIONS, ANSWERS = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
LIMITS = {"maxPayloadSize": 65536, "maxInflightMessages": 100, "rateLimits": {}}
counts = {"messages": 0, "readings": 0, "values": 0}


def take(client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
    """Telemetry is {"device": [{"ts": milliseconds, "values": {key: value}}]}."""
    if message.topic.startswith(QUESTIONS):
        if json.loads(message.payload).get("method") == "getSessionLimits":
            client.publish(ANSWERS + message.topic.removeprefix(QUESTIONS), json.dumps(LIMITS), qos=1)
        return
    counts["messages"] += 1
    for rows in json.loads(message.payload).values():
        counts["readings"] += len(rows)
        counts["values"] += sum(len(row["values"]) for row in rows)


def main(page: int, broker: int) -> None:
    """Listen until ended."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="tally")
    client.on_message = take
    client.connect("127.0.0.1", broker)
    client.subscribe([(TELEMETRY, 1), (QUESTIONS + "+", 1)])
    tell(page, lambda: counts)
    client.loop_forever()


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
