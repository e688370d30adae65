"""What the platforms push, without a socket: bytes in, readings out."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbhelp as nb
import pytest
from meter_connector.nbiot import PushRefused, ctwing, onenet, payload
from meter_connector.nbiot.decoding import Decoded, Roster, decode
from meter_connector.nbiot.inbox import Inbox


def roster() -> Roster:
    return Roster([(meter.imei, meter) for _, _, meter in nb.site().meters()])


def told(body: bytes) -> Decoded:
    (push,) = ctwing.parse(body)
    return decode(push, roster(), nb.NOON)


def values_of(found: Decoded, meter_id: int) -> dict[str, Any]:
    return found.meters[meter_id].of(1)


def test_a_transparent_ctwing_report_holds_a_188_frame() -> None:
    found = told(nb.ctwing(nb.water_frame("123.45", valve=1)))
    assert values_of(found, 1)["total"] == Decimal("123.45")
    assert values_of(found, 1)["switch"] == "off"
    assert found.meters[1].at == nb.NOON
    assert not found.unknown


def test_a_645_frame_counts_as_well_and_several_frames_of_one_report_come_together() -> None:
    frames = nb.power_frame("77.01") + b"\x00\x68\x11" + nb.status_frame(is_open=True)
    found = told(nb.ctwing(frames, nb.POWER_IMEI))
    assert values_of(found, 2) == {"total": Decimal("77.01"), "switch": "off"}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda frame: {"APPdata": base64.b64encode(frame).decode()},
        lambda frame: {"APPdata": base64.b64encode(frame.hex().encode()).decode()},
        lambda frame: {"data": frame.hex()},
        lambda frame: {"data": frame.hex(" ").upper()},
        lambda frame: [{"deep": {"er": [frame.hex().upper()]}}],
    ],
    ids=["base64", "base64 of hex", "hex", "HEX with blanks", "somewhere deep"],
)
def test_a_frame_is_found_however_it_is_wrapped(wrap: Any) -> None:
    assert values_of(told(nb.ctwing(payload=wrap(nb.water_frame()))), 1)["total"] == Decimal("123.45")


def test_a_modelled_products_property_is_read_where_the_model_says() -> None:
    body = {"serviceData": {"MeterData": {"amount": "88.5", "readTime": "x"}}}
    found = told(nb.ctwing(payload=body, imei=nb.SHARED_IMEI))
    assert values_of(found, 3) == {"total": Decimal("88.5")}


@pytest.mark.parametrize("value", ["", "NaN", "1e9", "-", "12,5", None, True, [], "9" * 30, "1.1234567"])
def test_a_property_that_is_no_register_is_none(value: Any) -> None:
    body = {"serviceData": {"MeterData": {"amount": value}}}
    assert 3 not in told(nb.ctwing(payload=body, imei=nb.SHARED_IMEI)).meters


def test_another_meters_frame_behind_a_known_device_is_shown_and_not_believed() -> None:
    found = told(nb.ctwing(nb.water_frame(address="00112026000999")))
    assert not found.meters
    assert [reason for _, reason in found.unknown] == ["other_address"]


def test_bytes_without_a_good_frame_are_shown() -> None:
    spoilt = bytearray(nb.water_frame())
    spoilt[20] ^= 1
    found = told(nb.ctwing(bytes(spoilt)))
    assert not found.meters
    assert found.unknown == [(bytes(spoilt).hex().upper(), "no_frame")]


def test_a_request_that_comes_back_is_no_reading() -> None:
    frame = bytearray(nb.water_frame(preamble=0))
    frame[9] = 0x01
    frame[-2] = sum(frame[:-2]) & 0xFF
    assert [reason for _, reason in told(nb.ctwing(bytes(frame))).unknown] == ["not_an_answer"]


def test_without_an_imei_the_address_in_the_frame_says_whose_it_is() -> None:
    found = told(nb.ctwing(nb.water_frame(), IMEI="undefined"))
    assert 1 in found.meters
    assert not told(nb.ctwing(nb.water_frame(address="00112026000999"), IMEI="undefined")).meters


def test_a_taken_valve_command_is_an_acknowledgement() -> None:
    found = told(nb.ctwing(nb.valve_answer()))
    assert found.acknowledged == {1}
    assert not found.unknown


def test_the_key_is_the_same_for_a_repetition_and_for_nothing_else() -> None:
    first = ctwing.parse(nb.ctwing(nb.water_frame()))[0].key
    document = json.loads(nb.ctwing(nb.water_frame(), upPacketSN=7))
    again = ctwing.parse(json.dumps(dict(reversed(document.items()))).encode())[0].key
    others = [
        nb.ctwing(nb.water_frame("123.46")),
        nb.ctwing(nb.water_frame(), at=nb.NOON + 1),
        nb.ctwing(nb.water_frame(), deviceId="other"),
    ]
    assert first == again
    assert len({first, *(ctwing.parse(body)[0].key for body in others)}) == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'{"a":NaN}', 400),
        (b"9" * 10_000, 400),
        (b"[]", 400),
        (b"{}", 422),
        (b'{"messageType":5,"deviceId":"x"}', 422),
        (b'{"messageType":"dataReport"}', 422),
    ],
)
def test_what_is_no_ctwing_report_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(PushRefused) as refused:
        ctwing.parse(body)
    assert refused.value.status == status


# ---- OneNET ------------------------------------------------------------------------------------------------------------------------
def test_the_signature_is_md5_of_token_nonce_and_message_in_base64() -> None:
    assert onenet.signature("t", "n", "m") == "plGmOp64y42bOytDBGrzIQ=="


def test_a_signed_data_point_of_the_old_suite_is_read() -> None:
    for items in (nb.onenet_item(nb.water_frame()), [nb.onenet_item(nb.water_frame())]):
        (push,) = onenet.parse(nb.onenet_old(items), nb.ONENET_TOKEN)
        assert (push.kind, push.imei, push.at) == ("data", nb.WATER_IMEI, nb.NOON)
        assert 1 in decode(push, roster(), nb.NOON).meters


def test_a_signed_text_of_the_new_platform_is_read() -> None:
    content = {"deviceName": "water-1", "imei": nb.WATER_IMEI, "data": nb.water_frame().hex()}
    (push,) = onenet.parse(nb.onenet_new(content), nb.ONENET_TOKEN)
    assert push.at is None, "the outer time is not signed: the report is dated by its arrival"
    assert 1 in decode(push, roster(), nb.NOON).meters


def test_the_old_suites_signature_covers_the_text_as_it_stood_in_the_body() -> None:
    message = '{"type":1, "imei" : "%s","value":"\\u4e2d/\\/"}' % nb.WATER_IMEI  # noqa: UP031
    sign = onenet.signature(nb.ONENET_TOKEN, "n", message)
    body = f'{{ "nonce":"n" ,"msg": {message}, "msg_signature":"{sign}" }}'
    assert onenet.parse(body.encode(), nb.ONENET_TOKEN)[0].imei == nb.WATER_IMEI


@pytest.mark.parametrize("where", ["msg", "nonce", "signature"])
def test_whatever_was_changed_on_the_way_is_refused(where: str) -> None:
    document = json.loads(nb.onenet_new({"imei": nb.WATER_IMEI}))
    document[where] = document[where][:-1] + ("A" if document[where][-1] != "A" else "B")
    with pytest.raises(PushRefused) as refused:
        onenet.parse(json.dumps(document).encode(), nb.ONENET_TOKEN)
    assert (refused.value.status, refused.value.reason) == (401, "bad_signature")


def test_without_a_token_or_with_another_nothing_is_believed() -> None:
    body = nb.onenet_new({"imei": nb.WATER_IMEI})
    for token, status in (("", 403), ("other", 401)):
        with pytest.raises(PushRefused) as refused:
            onenet.parse(body, token)
        assert refused.value.status == status


def test_an_encrypted_message_says_what_to_do() -> None:
    message = "c2VjcmV0"
    document = {
        "msg": message,
        "nonce": "n",
        "signature": onenet.signature(nb.ONENET_TOKEN, "n", message),
    }
    with pytest.raises(PushRefused, match="encryption"):
        onenet.parse(json.dumps(document).encode(), nb.ONENET_TOKEN)


def test_the_test_of_the_address_is_answered_with_its_message_only_when_signed() -> None:
    sign = onenet.signature(nb.ONENET_TOKEN, "n?", "hello")
    query = {"msg": "hello", "nonce": "n?", "signature": sign.replace("+", " ")}
    assert onenet.check_address(query, nb.ONENET_TOKEN) == "hello"
    for change in ({"signature": "x"}, {"msg": ""}, {"nonce": "n"}, {"signature": "\udc80é"}):
        with pytest.raises(PushRefused):
            onenet.check_address({**query, **change}, nb.ONENET_TOKEN)


def test_many_reports_of_one_request_are_bounded() -> None:
    items = [nb.onenet_item(b"", at=nb.NOON + n) for n in range(201)]
    with pytest.raises(PushRefused) as refused:
        onenet.parse(nb.onenet_old(items), nb.ONENET_TOKEN)
    assert refused.value.status == 413


def test_a_huge_document_is_looked_at_for_a_bounded_time() -> None:
    content = [[nb.water_frame(str(number)).hex()] for number in range(10_000)]
    found = payload.byte_strings(content)
    assert len(found) <= payload.MAX_NODES
    assert sum(map(len, found)) <= payload.MAX_BYTES
    began = time.monotonic()
    (push,) = ctwing.parse(nb.ctwing(payload=[base64.b64encode(b"\x68" * 4000).decode()] * 60))
    decode(push, roster(), nb.NOON)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("depth", [33, 500, 700, 980, 5000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_json_nested_deeper_than_any_report_is_refused(depth: int, begin: str, end: str) -> None:
    deep = begin * depth + "1" + end * depth
    body = nb.ctwing(payload="@").replace(b'"@"', deep.encode())
    with pytest.raises(PushRefused) as caught:
        ctwing.parse(body)
    assert caught.value.status == 400


def test_json_as_deep_as_reports_may_be_reaches_the_disk() -> None:
    deep = ("[" * 31 + "1" + "]" * 31).encode()
    (push,) = ctwing.parse(nb.ctwing(payload="@").replace(b'"@"', deep))
    assert json.dumps(asdict(push))


def test_what_onenet_did_not_sign_moves_neither_time_nor_key() -> None:
    content = {"type": 1, "imei": nb.WATER_IMEI, "value": nb.water_frame().hex()}
    document = json.loads(nb.onenet_new(content))
    replayed = json.dumps(document | {"time": document["time"] + 86_400_000, "id": "other"}).encode()
    (first,), (again,) = (
        onenet.parse(body, nb.ONENET_TOKEN) for body in (json.dumps(document).encode(), replayed)
    )
    assert first == again
    assert first.at is None
    (tomorrow,) = onenet.parse(nb.onenet_new(content, nonce="other"), nb.ONENET_TOKEN)
    assert tomorrow.key != first.key


def test_with_a_time_of_its_own_a_onenet_report_is_known_whatever_its_nonce() -> None:
    bodies = [nb.onenet_old(nb.onenet_item(nb.water_frame()), nonce=nonce) for nonce in ("a", "b")]
    first, again = (onenet.parse(body, nb.ONENET_TOKEN)[0] for body in bodies)
    assert (first.key, first.at) == (again.key, nb.NOON)


async def test_a_resting_meter_without_time_stamps_is_heard_again_and_again(tmp_path: Path) -> None:
    """Equal contents: soon after one another a repetition, later a report of its own."""
    body = nb.ctwing(nb.water_frame(), timestamp=None)
    inbox = await Inbox.open(tmp_path / "nbiot.sqlite3")
    new = [await inbox.put(ctwing.parse(body), nb.NOON + after) for after in (0, 60, 3000, 86400, 86460)]
    assert new == [1, 0, 0, 1, 0]
    dated = nb.ctwing(nb.water_frame())
    assert [await inbox.put(ctwing.parse(dated), nb.NOON + after) for after in (0, 86400)] == [1, 0]
    await inbox.close()
