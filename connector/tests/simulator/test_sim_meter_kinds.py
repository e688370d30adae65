"""Meters beyond reading and switching: events, freezes, load profile, two sets, money, heat and gas, 1997 habits, several circuits."""

from __future__ import annotations

from typing import Any

import pytest
from meter_connector.codecs.cjt188 import data as data_188
from meter_connector.codecs.dlt645_2007 import data
from meter_connector.simulator import bits
from simhelp import Bench, frame188, frame645, open645, single, three, water

ADDRESS = "202601000101"
WATER = "78330010000101"
HOUR = 3600.0
OPERATOR = "78563412"


def texts(bench: Bench, di: str) -> list[str | None]:
    """A 645-2007 item as our codec reads it."""
    payload = bench.read(di)
    assert payload is not None, di
    reading = data.decode_item(di, payload)
    assert reading.problem is None
    return [value.text for value in reading.values]


def write(bench: Bench, di: str, value: str, password: str = "563412") -> tuple[int, bytes]:
    body = bits.reversed_hex(di) + bytes.fromhex("02" + password + OPERATOR + value)
    answer = bench.ask(frame645(ADDRESS, 0x14, body))
    assert answer is not None
    return open645(answer)


def ask188(
    bench: Bench, control: int, di: str, payload: bytes = b"", meter_type: int = 0x10
) -> tuple[int, bytes]:
    """Control and what follows SER."""
    answer = bench.ask(
        frame188(
            bench.meter.spec.address, control, bytes.fromhex(di) + b"\x05" + payload, meter_type=meter_type
        )
    )
    assert answer is not None
    frame = answer[answer.index(b"\x68") :]
    return frame[9], frame[14:-2] if not frame[9] & 0x40 else frame[11:-2]


# ---- 645-2007 ----------------------------------------------------------------------------------------------------------------------
def test_programming_is_counted_by_session_and_names_what_was_written() -> None:
    bench = Bench(single())
    assert write(bench, "04001401", "0500") == (0x94, b"")
    assert write(bench, "04001001", "00100000") == (0x94, b"")
    bench.elapsed += HOUR
    assert write(bench, "04001401", "0600") == (0x94, b"")
    assert texts(bench, "03300000") == ["2"]
    assert texts(bench, "03300001") == ["2026-11-21 13:00:00", "12345678", "04001401"]
    assert texts(bench, "03300002") == ["2026-11-21 12:00:00", "12345678", "04001001 04001401"]
    assert texts(bench, "0330000A")[0] is None


def test_a_refused_write_is_no_programming() -> None:
    bench = Bench(single())
    assert write(bench, "04001401", "0500", password="111111") == (0xD4, b"\x04")
    assert texts(bench, "03300000") == ["0"]


def test_covers_and_power_losses_are_recorded() -> None:
    bench = Bench(single())
    bench.meter.apply({"cover": "open"})
    bench.elapsed += 60
    bench.meter.apply({"cover": "close"})
    bench.meter.apply({"cover": "open terminal"})
    bench.meter.apply({"power_loss_s": 600})
    assert texts(bench, "03300D00") == ["1"]
    assert texts(bench, "03300D01")[:2] == ["2026-11-21 12:00:00", "2026-11-21 12:01:00"]
    assert texts(bench, "03300E00") == ["1"]
    assert texts(bench, "03300E01")[1] is None, "still open"
    assert texts(bench, "03110001") == ["2026-11-21 11:51:00", "2026-11-21 12:01:00"]


def test_ten_trips_are_kept_and_all_are_counted() -> None:
    bench = Bench(single(start="100.00"))
    for _ in range(12):
        bench.relay(0x1A)
        bench.relay(0x1C)
        bench.elapsed += 60
    assert texts(bench, "1D000001") == ["12"]
    assert texts(bench, "1D000101")[0] == "2026-11-21 12:11:00"
    assert texts(bench, "1D00010A")[0] == "2026-11-21 12:02:00"
    assert texts(bench, "1E000101")[2] == "100.00"
    assert bench.read("1D00010B") is None


def test_status_words_come_one_by_one_and_as_a_block() -> None:
    bench = Bench(
        single(simulate={"status": {"4": 3, "7": 0x20}, "external_switch": True, "battery_low": True})
    )
    assert texts(bench, "040005FF") == ["0005", "0000", "0000", "0003", "0000", "0000", "0020"]
    block = data.decode_item("040005FF", bench.read("040005FF") or b"")
    assert block.details["word 4"]["voltage_loss"] is True  # type: ignore[index]
    assert block.details["word 7"]["power_down"] is True  # type: ignore[index]
    assert block.details["switch"] == "on"


def test_days_months_and_freezes_at_once_are_kept() -> None:
    bench = Bench(three("202601000101", load="kilowatt", start="100.00"))
    bench.elapsed += 24 * HOUR
    assert texts(bench, "05060001") == ["2026-11-22 00:00"]
    total = texts(bench, "05060101")[0]
    assert total is not None
    assert 111 < float(total) < 113
    assert len(texts(bench, "05061001")) == 8
    assert texts(bench, "05060002") == [None], "the day before is not there"
    assert bench.ask(frame645("99" * 6, 0x16, b"\x99" * 4)) is None
    assert texts(bench, "05010001") == ["2026-11-22 12:00"]
    bench.ask(frame645("99" * 6, 0x16, bytes.fromhex("00000199")))
    bench.elapsed += 10 * 24 * HOUR
    assert texts(bench, "05000001") == ["2026-12-01 00:00"]
    assert texts(bench, "0001FF01")[0] == texts(bench, "05000101")[0]


def test_a_load_profile_has_what_a_meter_measures_and_nothing_else() -> None:
    bench = Bench(single(load="kilowatt", simulate={"load_profile": 4}))
    bench.elapsed += 3 * HOUR
    values = data.decode_item("06000002", bench.read("06000002") or b"").values
    names = {value.name: value.text for value in values}
    assert names["record time"] == "2026-11-21 15:00"
    assert names["record voltage B"] is None
    assert float(names["record active power total"] or 0) > 0.5
    since = bits.reversed_hex("06010001") + bytes.fromhex("090014211126")
    answer = bench.ask(frame645(ADDRESS, 0x11, since))
    assert answer is not None
    reading = data.decode_item("06010001", open645(answer)[1][4:])
    assert reading.details == {"records": 3}, "14:00, 14:30, 15:00"
    assert not any("energy" in value.name for value in reading.values), "only the class that was asked for"
    assert Bench(single()).read("06000002") is None


def test_the_second_set_counts_from_its_switch_time_on() -> None:
    bench = Bench(three("202601000101", load="kilowatt"))
    write(bench, "04020001", "010000")
    write(bench, "04000107", "0013211126")
    bench.elapsed += HOUR - 1
    assert texts(bench, "04000503") == ["0000"]
    before = texts(bench, "00010100")
    bench.elapsed += HOUR
    assert texts(bench, "04000503") == ["0001"]
    bench.elapsed += HOUR
    assert texts(bench, "00010100") > before, "all day is tariff 1 now"


def test_a_year_zone_chooses_the_day_table() -> None:
    bench = Bench(three("202601000101", load="kilowatt"))
    write(bench, "04010002", "020000")
    write(bench, "04010000", "010101022111")
    assert bench.meter.energy.day_table == ((0, 0, 2),)


PREPAID: dict[str, Any] = {
    "prepaid": {"balance": "1.00", "price": "0.80", "count": 3, "trips": True},
    "purchase": {"layout": "security-30"},
}


def order(amount: int, count: int, customer: str = ADDRESS) -> bytes:
    body = (
        amount.to_bytes(4, "little")
        + count.to_bytes(4, "little")
        + bytes(4)
        + bits.reversed_hex(customer)
        + bytes(4)
    )
    return frame645(ADDRESS, 0x03, bits.reversed_hex("070102FF") + bytes(4) + body)


def test_money_is_used_up_power_goes_and_comes_back_with_a_purchase() -> None:
    bench = Bench(single(load="kilowatt", simulate=PREPAID))
    bench.elapsed += HOUR
    left = float(texts(bench, "00900200")[0] or 0)
    assert 0.05 < left < 0.35, "1 kW for an hour at 0.80"
    bench.elapsed += HOUR
    assert texts(bench, "00900200") == ["0.00"]
    bench.elapsed += 1
    bench.meter.settle()
    assert bench.meter.relay is not None
    assert not bench.meter.relay.is_closed
    answer = bench.ask(order(2000, 4))
    assert answer is not None
    control, payload = open645(answer)
    assert control == 0x83
    assert payload[8:12] == (4).to_bytes(4, "little")
    bench.elapsed += 1
    bench.meter.settle()
    assert bench.meter.relay.is_closed
    assert texts(bench, "03330201") == ["4"]
    assert texts(bench, "03330301") == ["20.00"]
    assert texts(bench, "04000503")[0] == "0200", "money-prepaid, closed"


@pytest.mark.parametrize(("frame", "serr"), [(order(100, 3), 2), (order(100, 5), 0x20), (order(100, 4, "1"  * 12), 0x10), (order(10**8, 4), 0x40)])  # fmt: skip
def test_a_wrong_purchase_is_refused_with_its_reason(frame: bytes, serr: int) -> None:
    bench = Bench(single(simulate=PREPAID))
    answer = bench.ask(frame)
    assert answer is not None
    assert open645(answer) == (0xC3, bytes((serr, 0)))
    assert texts(bench, "00900200") == ["1.00"]


def test_what_was_bought_and_written_outlives_a_restart() -> None:
    bench = Bench(single(simulate=PREPAID))
    bench.ask(order(500, 4))
    write(bench, "04001401", "0500")
    again = Bench(single(simulate=PREPAID))
    again.meter.remember(bench.meter.memory(), 0)
    assert texts(again, "00900200") == ["6.00"]
    assert texts(again, "03330201") == ["4"]
    assert texts(again, "04001401") == ["5"]
    assert texts(again, "03300000") == ["1"]


# ---- 188 ---------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("meter_type", [0x10, 0x11, 0x12, 0x13, 0x30])
def test_water_and_gas_meters_answer_by_their_type(meter_type: int) -> None:
    bench = Bench(water(start="12.34", simulate={"meter_type": f"{meter_type:02X}"}))
    control, payload = ask188(bench, 0x01, "901F", meter_type=meter_type)
    assert control == 0x81
    reading = data_188.decode_item("901F", payload, meter_type=meter_type)
    assert str(reading.get("current")) == "12.34"
    assert bench.ask(frame188(WATER, 0x01, bytes.fromhex("901F05"), meter_type=0x40)) is None


def test_a_heat_meter_tells_heat_power_flow_and_temperatures() -> None:
    bench = Bench(water(load="kilowatt", start="100.00", simulate={"meter_type": "20"}))
    control, payload = ask188(bench, 0x01, "901F", meter_type=0x20)
    assert (control, len(payload)) == (0x81, 43)
    reading = data_188.decode_item("901F", payload, meter_type=0x20)
    units = {value.key: value.unit for value in reading.values}
    assert (units["current"], units["power"], units["flow"], units["volume"]) == ("kWh", "kW", "m3/h", "m3")
    assert str(reading.get("current")) == "100.00"
    assert (str(reading.get("supply_c")), str(reading.get("return_c"))) == ("55.20", "41.30")
    assert float(reading.get("flow") or 0) == pytest.approx(
        float(reading.get("power") or 0) / (1.163 * 13.9), rel=0.02
    )


def test_days_prices_and_clock_are_written_and_shown() -> None:
    bench = Bench(water())
    assert ask188(bench, 0x04, "A011", b"\x05")[0] == 0x84
    assert ask188(bench, 0x01, "8103") == (0x81, b"\x05")
    assert ask188(bench, 0x04, "A011", b"\x32")[0] == 0xC4
    assert (
        ask188(bench, 0x04, "A015", bytes.fromhex("0000001321112620")[:0] + bytes.fromhex("00001321112620"))[
            0
        ]
        == 0x84
    )
    assert (bench.meter.clock().hour, bench.meter.clock().minute) == (13, 0)
    assert ask188(bench, 0x01, "D120")[0] == 0x81
    assert ask188(bench, 0x01, "D12C")[0] == 0xC1
    assert ask188(bench, 0x01, "8105")[0] == 0xC1, "not prepaid"


def test_a_prepaid_water_meter_takes_purchases_in_order() -> None:
    bench = Bench(water(simulate={"prepaid": {"balance": "10.00", "price": "2.50", "count": 99}}))
    assert ask188(bench, 0x04, "A013", bytes.fromhex("0200150000"))[0] == 0xC4
    assert ask188(bench, 0x04, "A013", bytes.fromhex("0000150000"))[0] == 0x84
    reading = data_188.decode_item("8105", ask188(bench, 0x01, "8105")[1])
    assert (str(reading.get("serial")), str(reading.get("remaining"))) == ("0", "25.00")


# ---- 1997 --------------------------------------------------------------------------------------------------------------------------
def old(**more: Any) -> Bench:
    return Bench(
        {
            "serial": ADDRESS,
            "address": ADDRESS,
            "model": "dd862-97",
            "load": "none",
            "start": "100.00",
            **more,
        }
    )


def ask97(bench: Bench, di: str, address: str = ADDRESS) -> tuple[int, bytes] | None:
    answer = bench.ask(frame645(address, 0x01, bits.reversed_hex(di)))
    return None if answer is None else open645(answer)


def test_a_1997_meter_refuses_blocks_when_it_has_none() -> None:
    assert ask97(old(), "901F") is not None
    assert ask97(old(simulate={"no_block": True}), "901F") == (0xC1, b"\x02")
    assert ask97(old(simulate={"no_block": True}), "9010") == (0x81, bytes.fromhex("109000000100"))
    assert ask97(old(), "90FF") == (0xC1, b"\x02")


def test_a_1997_meter_has_last_month_and_knows_no_wildcard_but_99() -> None:
    bench = old(load="kilowatt")
    bench.elapsed += 11 * 24 * HOUR
    month = ask97(bench, "9410")
    assert month is not None
    assert 300 < (bits.unbcd(month[1][2:]) or 0) / 100 < 350
    assert ask97(bench, "9010", "99" * 6) is not None
    assert ask97(bench, "9010", "AA" * 6) is None
    assert bench.ask(frame645("AA" * 6, 0x13)) is None
    assert bench.ask(frame645(ADDRESS, 0x11, bits.reversed_hex("00010000"))) is None
