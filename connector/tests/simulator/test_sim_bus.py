"""Buses: wire time at 2400 bps, half duplex, faults. All on a loop whose time costs nothing."""

from __future__ import annotations

import asyncio

import pytest
from meter_connector.simulator import bits
from meter_connector.simulator.faults import BusFaults, MeterFaults
from simhelp import BusBench, crc16, frame188, frame645, open645, single, virtually, water

READ = frame645("202601000101", 0x11, bits.reversed_hex("00010000"))
READ_2 = frame645("202601000102", 0x11, bits.reversed_hex("00010000"))
CHAR = 11 / 2400
FIXED = {"turnround_ms": [20, 20]}


def run_one(bus: dict, raw: bytes = READ, **more: object) -> tuple[float, float, list[tuple[float, bytes]]]:
    """Send once; start, and what came when."""

    async def main() -> tuple[float, float, list[tuple[float, bytes]]]:

        async with BusBench(single(simulate={"preamble": 4}), bus={**FIXED, **bus}, **more) as bench:  # type: ignore[arg-type]
            start = asyncio.get_running_loop().time()
            await bench.ask(raw)
            return start, bench.sent[-1][0] - start if bench.sent else 0.0, bench.sent

    return virtually(main)


@pytest.mark.parametrize(
    ("bus", "char_s"),
    [
        ({}, 11 / 2400),
        ({"baudrate": 1200}, 11 / 1200),
        ({"baudrate": 9600, "parity": "N"}, 10 / 9600),
        ({"parity": "N", "stopbits": 2}, 11 / 2400),
        ({"wire": False}, 0.0),
    ],
)
def test_a_read_takes_what_the_wire_takes(bus: dict, char_s: float) -> None:
    """Protocols §7: 20 + 24 characters with four FE on both sides, and the turn-round."""
    _, took, sent = run_one(bus)
    assert len(READ) == 20
    assert sum(len(data) for _, data in sent) == 24
    assert took == pytest.approx(44 * char_s + 0.020, rel=0.001)


def test_the_figure_of_the_protocol_page_at_2400() -> None:
    _, took, _ = run_one({})
    assert took - 0.020 == pytest.approx(0.202, abs=0.0005)


def test_a_serial_line_streams_its_characters_in_time() -> None:
    start, took, sent = run_one({}, is_streaming=True)
    assert len(sent) == 3
    begin = start + 20 * CHAR + 0.020
    arrived = 0
    for at, data in sent:
        arrived += len(data)
        assert at == pytest.approx(begin + arrived * CHAR, abs=1e-6)
    assert took == pytest.approx(44 * CHAR + 0.020)


def test_one_meter_after_another_uses_all_the_wire() -> None:
    async def main() -> float:

        async with BusBench(single(simulate={"preamble": 4}), bus={"turnround_ms": [0, 0]}) as bench:
            loop = asyncio.get_running_loop()
            start = loop.time()
            for n in range(50):
                bench.put(READ)
                await bench.count_sent(n + 1)
            return (loop.time() - start) / (50 * 44 * CHAR)

    assert 1.0 <= virtually(main) < 1.001


def test_turn_round_stays_within_its_limits_and_follows_the_seed() -> None:
    async def times(seed: int) -> list[float]:

        async with BusBench(single(), bus={"turnround_ms": [20, 500]}, seed=seed) as bench:
            took = []
            for _ in range(20):
                start = asyncio.get_running_loop().time()
                await bench.ask(READ, 2.0)
                took.append(bench.sent[-1][0] - start - 44 * CHAR)
            return took

    first, again, other = (virtually(lambda s=seed: times(s)) for seed in (7, 7, 8))  # type: ignore[misc]
    assert all(0.0199 <= value <= 0.501 for value in first)
    assert max(first) - min(first) > 0.1
    assert first == again != other


def test_bytes_one_by_one_are_one_request() -> None:
    async def main() -> bytes:

        async with BusBench(single(), bus=FIXED) as bench:
            for i in range(len(READ)):
                bench.put(READ[i : i + 1])
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            return b"".join(data for _, data in bench.sent)

    control, _ = open645(virtually(main))
    assert control == 0x91


def test_half_a_request_is_forgotten_after_silence_and_the_next_is_heard() -> None:
    async def main() -> list[bytes]:
        async with BusBench(single(), bus=FIXED) as bench:
            return [await bench.ask(READ[:14], 1.0), await bench.ask(READ, 1.0)]

    nothing, answer = virtually(main)
    assert nothing == b""
    assert open645(answer)[0] == 0x91


def test_two_families_share_a_bus_without_disturbing_each_other() -> None:
    ask_water = frame188("78330010000101", 0x01, bytes.fromhex("901F01"))

    async def main() -> list[bytes]:
        async with BusBench(single(), water(), bus=FIXED) as bench:
            return [await bench.ask(raw, 0.4) for raw in (READ, ask_water, READ, ask_water)]

    answers = virtually(main)
    assert [answer[-1:] for answer in answers] == [b"\x16"] * 4
    assert answers[0] == answers[2]
    assert b"\x81\x16\x90\x1f\x01" in answers[1]


def test_all_meters_at_once_destroy_each_others_answer() -> None:
    async def main() -> bytes:
        async with BusBench(single(), single("202601000102"), bus=FIXED) as bench:
            return await bench.ask(frame645("AAAAAAAAAAAA", 0x13))

    raw = virtually(main)
    assert raw
    assert is_broken(raw)


def test_talking_into_an_answer_is_counted() -> None:
    async def main() -> int:

        async with BusBench(single(), bus=FIXED) as bench:
            await bench.ask(READ, 1.0)
            assert bench.bus.stats.overlaps == 0
            bench.put(READ)
            await asyncio.sleep(21 * CHAR)
            bench.put(READ)
            await asyncio.sleep(2)
            assert bench.bus.stats.answers == 3
            return bench.bus.stats.overlaps

    assert virtually(main) == 1


def faulty(**faults: object) -> list[bytes]:
    """Two meters asked in turn, eight times, on a bus with a fault; what came back for each."""

    async def main() -> list[bytes]:
        async with BusBench(single(), single("202601000102", start="5"), bus=FIXED) as bench:
            bench.bus.set_faults(BusFaults(**faults))  # type: ignore[arg-type]
            return [await bench.ask(raw, 2.0) for raw in (READ, READ_2) * 4]

    return virtually(main)


def is_broken(raw: bytes) -> bool:
    """No good frame."""
    try:
        open645(raw)
    except (AssertionError, ValueError, IndexError):
        return True
    return False


def address_of(answer: bytes) -> str:
    start = answer.index(b"\x68")
    return bits.printed(answer[start + 1 : start + 7])


def test_a_silent_bus_and_dropped_answers() -> None:
    assert faulty(silent=True) == [b""] * 8
    some = faulty(drop=0.5)
    assert 0 < some.count(b"") < 8


def test_garbled_answers_have_one_wrong_bit() -> None:
    good = faulty()
    for clean, garbled in zip(good, faulty(garble=1.0), strict=True):
        wrong = int.from_bytes(clean, "big") ^ int.from_bytes(garbled, "big")
        assert wrong.bit_count() == 1
        assert is_broken(garbled)


def test_duplicates_echo_noise_and_stale_bursts() -> None:
    good = faulty()
    assert faulty(duplicate=1.0) == [answer * 2 for answer in good]
    echoed = faulty(echo=True)
    assert echoed == [raw + answer for raw, answer in zip((READ, READ_2) * 4, good, strict=True)]
    assert all(
        noisy.endswith(answer) and noisy != answer
        for noisy, answer in zip(faulty(noise=1.0), good, strict=True)
    )
    stale = faulty(stale=1.0, stale_count=2)
    assert stale[0] == good[0]
    assert stale[1] == good[0] + good[1]
    assert stale[2] == good[1] + good[0] + good[2]
    assert address_of(stale[1]) != address_of(good[1])


def test_a_late_answer_comes_into_the_next_question() -> None:
    async def main() -> tuple[bytes, bytes]:
        async with BusBench(single(), single("202601000102"), bus=FIXED) as bench:
            bench.bus.set_faults(BusFaults(late=1.0, late_ms=1500))
            first = await bench.ask(READ, 1.0)
            bench.bus.set_faults(BusFaults())
            return first, await bench.ask(READ_2, 2.0)

    first, second = virtually(main)
    assert first == b""
    assert len(second) == 2 * 24
    assert {address_of(second[:24]), address_of(second[24:])} == {"202601000101", "202601000102"}


def test_split_and_merged_segments_carry_the_same_bytes() -> None:
    async def main() -> tuple[list[bytes], list[bytes]]:
        async with BusBench(single(), bus=FIXED) as bench:
            bench.bus.set_faults(BusFaults(split=4))
            await bench.ask(READ, 1.0)
            parts = [data for _, data in bench.sent]
            bench.sent.clear()
            bench.bus.set_faults(BusFaults(merge=1.0, merge_ms=5000))
            await bench.ask(READ, 1.0)
            bench.bus.set_faults(BusFaults())
            await bench.ask(READ, 10.0)
            return parts, [data for _, data in bench.sent]

    parts, merged = virtually(main)
    assert len(parts) == 4
    assert open645(b"".join(parts))[0] == 0x91
    assert merged == [b"".join(parts) * 2]


def test_a_held_back_answer_comes_alone_when_nothing_follows() -> None:
    async def main() -> list[bytes]:
        async with BusBench(single(), bus=FIXED) as bench:
            bench.bus.set_faults(BusFaults(merge=1.0, merge_ms=400))
            await bench.ask(READ, 5.0)
            return [data for _, data in bench.sent]

    sent = virtually(main)
    assert len(sent) == 1
    assert open645(sent[0])[0] == 0x91


def test_one_bad_meter_leaves_its_neighbour_alone() -> None:
    async def main(faults: MeterFaults) -> tuple[bytes, bytes]:
        async with BusBench(single(), single("202601000102"), bus=FIXED) as bench:
            bench.meters[0].set_faults(faults)
            return await bench.ask(READ, 2.0), await bench.ask(READ_2, 2.0)

    for faults, is_silent in (
        (MeterFaults(silent=True), True),
        (MeterFaults(drop=1.0), True),
        (MeterFaults(garble=1.0), False),
    ):
        bad, good = virtually(lambda f=faults: main(f))  # type: ignore[misc]
        assert (bad == b"") == is_silent
        assert open645(good)[0] == 0x91
        if not is_silent:
            assert is_broken(bad)


def test_a_slow_meter_answers_so_much_later() -> None:
    async def main() -> float:

        async with BusBench(single(simulate={"preamble": 4}), bus=FIXED) as bench:
            bench.meters[0].set_faults(MeterFaults(lag_ms=700))
            start = asyncio.get_running_loop().time()
            await bench.ask(READ)
            return bench.sent[-1][0] - start

    assert virtually(main) == pytest.approx(44 * CHAR + 0.020 + 0.700)


def test_a_sleeping_water_meter_loses_the_first_request_but_not_one_with_a_long_preamble() -> None:
    ask = frame188("78330010000101", 0x01, bytes.fromhex("901F01"))
    wake = frame188("78330010000101", 0x01, bytes.fromhex("901F01"), preamble=20)

    async def main() -> list[bool]:
        async with BusBench(water(simulate={"sleep_s": 30}), bus=FIXED) as bench:
            return [
                bool(await bench.ask(raw, wait))
                for raw, wait in ((ask, 1.0), (ask, 60.0), (wake, 1.0), (ask, 1.0))
            ]

    assert virtually(main) == [False, True, True, True]


def test_a_strict_water_meter_understands_only_its_makers_order() -> None:
    async def main() -> list[bool]:
        async with BusBench(water(model="lxsy315-dn15", simulate={"strict_di": True}), bus=FIXED) as bench:
            return [
                bool(await bench.ask(frame188("78330010000101", 0x01, bytes.fromhex(data)), 1.0))
                for data in ("901F01", "1F9001")
            ]

    assert virtually(main) == [False, True]


def test_the_same_seed_gives_the_same_bytes_at_the_same_times() -> None:
    async def main(seed: int) -> tuple[list[tuple[float, bytes]], list[dict]]:
        rows = (single(load="kilowatt"), single("202601000102", load="kilowatt"), water(load="kilowatt"))
        async with BusBench(*rows, bus={"turnround_ms": [20, 300]}, seed=seed) as bench:
            bench.bus.set_faults(
                BusFaults(drop=0.1, garble=0.2, duplicate=0.2, noise=0.2, stale=0.2, late=0.1)
            )
            trip = b"\x02" + bits.reversed_hex("123456") + bytes(4) + b"\x1a\x00" + bytes(6)
            questions = (READ, READ_2, frame188("78330010000101", 0x01, bytes.fromhex("901F01")))
            for n in range(30):
                await bench.ask(questions[n % 3], 3.0)
            await bench.ask(frame645("202601000101", 0x1C, trip), 3.0)
            for meter in bench.meters:
                meter.settle()
            return bench.sent, list(bench.journal.entries)

    first, again, other = (virtually(lambda s=seed: main(s)) for seed in (7, 7, 8))  # type: ignore[misc]
    assert len(first[0]) > 15
    assert len(first[1]) >= 1
    assert first == again
    assert first[0] != other[0]


def test_modbus_rtu_answers_on_a_shared_bus() -> None:
    body = bytes.fromhex("05 03 00 00 00 02")

    async def main() -> bytes:
        row = {"serial": "M5", "address": "5", "model": "dds238", "start": "123.45", "load": "none"}
        async with BusBench(row, single(), bus=FIXED) as bench:
            await bench.ask(READ, 1.0)
            return await bench.ask(body + crc16(body), 1.0)

    answer = virtually(main)
    assert answer == bytes.fromhex("05 03 04 00 00 30 39") + crc16(bytes.fromhex("05 03 04 00 00 30 39"))
