"""China Telecom AEP (CTWing): reports by HTTP push (protocols.md section 6).

`{messageType, deviceId, IMEI, timestamp (ms), payload, …}`. A transparent product's payload is `{"APPdata": base64 of the raw frame}`, a
modelled one's is the vendor's own JSON. The body is not signed: who may push is known by the address, see endpoint.py.
"""

from __future__ import annotations

from . import push as p

PLATFORM = "ctwing"
DATA = "dataReport"


def parse(body: bytes) -> list[p.Push]:
    """The report of a request; PushRefused when it is none.

    Only the name `dataReport` is documented word by word. Other types (command response, event, online and offline) are kept too: a frame in
    them counts, and they show that the device is awake.
    """
    document = p.read_json(body)
    if not isinstance(document, dict):
        raise p.PushRefused(400, "not_a_report", "the body is not a JSON object")
    kind = document.get("messageType")
    if not isinstance(kind, str) or not kind or len(kind) > 64:
        raise p.PushRefused(422, "not_a_report", "messageType is missing")
    device = p.name_of(document.get("deviceId"))
    imei = p.imei_of(document.get("IMEI"))
    if not device and not imei:
        raise p.PushRefused(422, "no_device", "neither deviceId nor IMEI says which device reports")
    stamp = document.get("timestamp")
    at = p.milliseconds(stamp)
    content = document.get("payload", document)
    numbers = [] if at is not None else [document.get("upPacketSN"), document.get("upDataSN")]
    key = p.make_key(PLATFORM, device or imei, stamp, [kind, content, *numbers])
    return [p.Push(key, PLATFORM, device, imei, at, kind, content, is_dated=at is not None)]
