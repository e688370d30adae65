"""Purchase orders: the layouts byte by byte, and `decode` of what goes over the wire."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.dlt645_2007 import Decoder, describe, prepayment, requests
from meter_connector.decode import decode_stream

ADDRESS = "202601000101"
CONSTANTS = {"mac1": "01020304", "mac2": "A1A2A3A4"}
VALUES: dict[str, Decimal | int | str] = {
    "amount": Decimal("12.34"),
    "count": 7,
    "number": "20261121001",
    "customer": ADDRESS,
}
PASSWORD = requests.Password.parse("123456")


def test_the_thirty_bytes_of_security_30() -> None:
    layout = prepayment.Layout.of({"layout": "security-30", "constants": CONSTANTS})
    frame = layout.request(ADDRESS, VALUES, PASSWORD, "12345678")
    assert frame.control == 0x03
    assert frame.data.hex() == "ff02010778563412d20400000700000001020304010100012620a1a2a3a4"


def test_the_thirty_four_bytes_of_security_34() -> None:
    layout = prepayment.Layout.of({"layout": "security-34", "constants": CONSTANTS, "amount_format": "bcd"})
    frame = layout.request(ADDRESS, VALUES, PASSWORD)
    assert frame.data.hex() == "ff0201070000000034120000011012610202000001020304010100012620a1a2a3a4"


def test_a_models_own_fields_go_by_14h() -> None:
    fields = [{"value": "amount", "format": "bcd", "size": 4, "decimals": 2}]
    frame = prepayment.Layout.of({"function": "14", "di": "04A0B001", "fields": fields}).request(
        ADDRESS, VALUES, PASSWORD
    )
    assert (frame.control, frame.data.hex()) == (0x14, "01b0a004025634120000000034120000")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"layout": "security-99"},
        {"function": "1C", "di": "070102FF", "fields": [{"value": "amount"}]},
        {"function": "03", "di": "070102FF", "fields": []},
    ],
)
def test_a_layout_that_is_none_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        prepayment.Layout.of(spec)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": Decimal("12.345")},
        {"amount": Decimal("-1")},
        {"amount": Decimal(10**9)},
        {"customer": "1234567890123"},
    ],
)
def test_what_does_not_fit_is_never_sent(change: dict[str, Decimal | int | str]) -> None:
    layout = prepayment.Layout.of({"layout": "security-30", "constants": CONSTANTS})
    with pytest.raises(CodecError):
        layout.request(ADDRESS, {**VALUES, **change}, PASSWORD)


def test_the_macs_are_never_made_up() -> None:
    with pytest.raises(CodecError, match="mac1"):
        prepayment.Layout.of({"layout": "security-30"}).request(ADDRESS, VALUES, PASSWORD)


@given(st.decimals(0, Decimal("9999999.99"), places=2), st.integers(0, 9999))
def test_decode_tells_what_a_purchase_order_says(amount: Decimal, count: int) -> None:
    layout = prepayment.Layout.of({"layout": "security-30", "constants": CONSTANTS})
    raw = layout.request(ADDRESS, {**VALUES, "amount": amount, "count": count}, PASSWORD).encode(4)
    (frame,) = Decoder().feed(raw)
    found = describe(frame)
    values = {each["name"]: each["value"] for each in found["values"]}  # type: ignore[attr-defined]
    assert (found["name"], found["layout"]) == ("purchase", "security-30")
    assert Decimal(values["amount"]) == amount
    assert (values["purchase count"], values["customer number"]) == (str(count), ADDRESS)


def test_decode_reads_modbus_tcp() -> None:
    result = decode_stream("modbus-tcp", bytes.fromhex("0001000000060103000000020001000000070103040000007F"))
    request, answer = result["frames"]  # type: ignore[misc]
    assert (request["direction"], request["start"], request["qty"]) == ("master", "0000", 2)
    assert (answer["direction"], answer["registers"], answer["transaction"]) == ("slave", [0, 0x7F], 1)
