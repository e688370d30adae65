"""One request, one answer: late answers, echoes, strangers' frames, gaps and time-outs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from meter_connector.codecs.dlt645_2007 import answers, data, requests
from meter_connector.codecs.dlt645_2007.frame import Decoder, Frame
from meter_connector.codecs.dlt645_2007.matching import matches
from meter_connector.drivers.exchange import Exchange, Query, Unknown, WireTiming
from meter_connector.errors import GarbledError, LinkError, NoAnswerError
from wirehelp import FakeLink, virtually

ADDRESS = "202601000101"
OTHER = "202601000102"
TOTAL = "00010000"
VOLTAGE = "02010100"
TIMING = WireTiming(baudrate=2400, char_bits=11)
Reply = Callable[[bytes], None]


def query(di: str = TOTAL, *, is_fresh: bool = False, decoder: Decoder | None = None) -> Query[Frame]:
    request = requests.read(ADDRESS, di)
    return Query(
        data=request.encode(4),
        decoder=decoder or Decoder(),
        accept=lambda frame: matches(request, frame),
        answer_bytes=24,
        late_key=(ADDRESS, di),
        what=di,
        is_fresh=is_fresh,
    )


def answer(di: str = TOTAL, value: str = "12.34", address: str = ADDRESS) -> bytes:

    return answers.read(address, di, data.encode_item(di, [Decimal(value)])).encode(4)


class Bench:
    """An exchange whose other end does what the test says."""

    def __init__(self) -> None:
        self.script: list[Callable[[bytes, Reply], None]] = []
        self.link = FakeLink(self._respond)
        self.unknown: list[Unknown] = []
        self.exchange = Exchange(self.link, TIMING, self.unknown.append)
        self.link.plug()

    def says(self, *pieces: tuple[float, bytes]) -> None:
        """To the next request: bytes after so many seconds."""

        def play(data: bytes, reply: Reply) -> None:
            for delay, piece in pieces:
                asyncio.get_running_loop().call_later(delay, reply, piece)

        self.script.append(play)

    def _respond(self, sent: bytes, reply: Reply) -> None:
        if self.script:
            self.script.pop(0)(sent, reply)


def value_of(frame: Frame) -> str:
    found = data.decode_item(frame.di or "", frame.payload).value
    return str(found)


def test_a_late_answer_of_another_item_is_not_this_ones() -> None:
    async def main() -> None:
        bench = Bench()
        bench.says((0.9, answer(TOTAL)))
        with pytest.raises(NoAnswerError):
            await bench.exchange.ask(query(TOTAL))
        bench.says((0.5, answer(VOLTAGE, "220.1")))
        frame = await bench.exchange.ask(query(VOLTAGE))
        assert value_of(frame) == "220.1"
        assert bench.exchange.stats.late == 1
        assert bench.unknown == []

    virtually(main)


def test_what_a_gateway_kept_in_front_of_the_answer_is_not_the_answer() -> None:
    async def main() -> None:
        bench = Bench()
        bench.says((0.2, answer(value="1.00") + answer(value="2.00")))
        assert value_of(await bench.exchange.ask(query())) == "2.00"
        assert [each.kind for each in bench.unknown] == ["unasked"]

    virtually(main)


def test_what_a_gateway_kept_in_front_of_a_damaged_answer_is_not_the_answer() -> None:
    async def main() -> None:
        bench = Bench()
        damaged = bytearray(answer(value="2.00"))
        damaged[-3] ^= 0x10
        bench.says((0.2, answer(value="1.00") + bytes(damaged)))
        with pytest.raises(GarbledError):
            await bench.exchange.ask(query())
        bench.says((0.2, answer(value="3.00") + b"\x00\xff"))
        assert value_of(await bench.exchange.ask(query())) == "3.00", "stray bytes behind it spoil no answer"

    virtually(main)


def test_a_fresh_read_waits_until_the_late_answer_of_the_same_item_has_passed() -> None:
    async def main() -> None:
        bench = Bench()
        bench.says((1.2, answer(value="1.00")))
        with pytest.raises(NoAnswerError):
            await bench.exchange.ask(query())
        bench.says((0.2, answer(value="2.00")))
        frame = await bench.exchange.ask(query(is_fresh=True))
        assert value_of(frame) == "2.00"
        assert bench.exchange.stats.late == 1

    virtually(main)


def test_a_repeated_read_takes_the_late_answer_of_its_first_try() -> None:
    async def main() -> None:
        bench = Bench()
        bench.says((0.8, answer(value="1.00")))
        with pytest.raises(NoAnswerError):
            await bench.exchange.ask(query())
        started = asyncio.get_running_loop().time()
        assert value_of(await bench.exchange.ask(query())) == "1.00"
        assert asyncio.get_running_loop().time() - started < 0.2

    virtually(main)


def test_another_meters_frame_is_kept_for_the_operator() -> None:
    async def main() -> None:
        bench = Bench()
        stray = answer(address=OTHER)
        bench.says((0.2, stray + answer()))
        assert value_of(await bench.exchange.ask(query())) == "12.34"
        assert [(each.kind, each.hex) for each in bench.unknown] == [("unasked", stray[4:].hex().upper())]

    virtually(main)


def test_a_damaged_frame_is_kept_for_the_operator_and_counted_and_the_next_good_one_taken() -> None:
    async def main() -> None:
        bench = Bench()
        damaged = bytearray(answer())
        damaged[-3] ^= 0x10
        bench.says((0.2, bytes(damaged) + answer()))
        assert value_of(await bench.exchange.ask(query())) == "12.34"
        assert [each.kind for each in bench.unknown] == ["bad_checksum"]
        assert bench.exchange.dropped_bytes == len(damaged) - 4

    virtually(main)


def test_half_a_frame_from_before_does_not_swallow_the_answer() -> None:
    async def main() -> None:
        bench = Bench()
        decoder = Decoder()
        bench.says((0.2, answer()))
        await bench.exchange.ask(query(decoder=decoder))
        bench.link.wire_fed(bench.link._wire, answer()[:15])  # type: ignore[arg-type]
        bench.says((0.2, answer(value="5.00")))
        started = asyncio.get_running_loop().time()
        assert value_of(await bench.exchange.ask(query(decoder=decoder))) == "5.00"
        assert asyncio.get_running_loop().time() - started == pytest.approx(0.2)

    virtually(main)


def test_a_false_header_in_noise_gives_the_answer_behind_it_after_the_byte_gap() -> None:
    async def main() -> None:
        bench = Bench()
        bench.says((0.2, bytes.fromhex("68 11 22 FE FE FE FE 68 91 60") + answer()))
        started = asyncio.get_running_loop().time()
        assert value_of(await bench.exchange.ask(query())) == "12.34"
        assert asyncio.get_running_loop().time() - started <= 0.2 + 0.5 + 0.01

    virtually(main)


def test_silence_costs_the_wire_time_and_half_a_second() -> None:
    async def main() -> None:
        bench = Bench()
        started = asyncio.get_running_loop().time()
        asked = query()
        with pytest.raises(NoAnswerError):
            await bench.exchange.ask(asked)
        expected = (len(asked.data) + asked.answer_bytes) * 11 / 2400 + 0.5
        assert asyncio.get_running_loop().time() - started == pytest.approx(expected)

    virtually(main)


def test_what_the_gateway_adds_is_waited_for() -> None:
    async def main() -> None:
        bench = Bench()
        bench.exchange.timing = WireTiming(2400, 11, extra_latency_s=2.0)
        bench.says((2.5, answer()))
        assert value_of(await bench.exchange.ask(query())) == "12.34"

    virtually(main)


def test_a_frame_that_has_begun_may_run_over_the_deadline() -> None:
    async def main() -> None:
        bench = Bench()
        whole = answer()
        bench.says((0.65, whole[:10]), (0.9, whole[10:]))
        assert value_of(await bench.exchange.ask(query())) == "12.34"

    virtually(main)


def test_bytes_without_an_answer_are_not_called_silence() -> None:
    async def main() -> None:
        bench = Bench()
        bench.says((0.2, b"\x00\x01\x02garbage"))
        with pytest.raises(GarbledError, match="00 01 02"):
            await bench.exchange.ask(query())

    virtually(main)


@pytest.mark.parametrize("is_split", [False, True])
def test_an_echo_is_known_after_the_first_one_and_never_taken_for_an_answer(is_split: bool) -> None:
    async def main() -> None:
        bench = Bench()
        for number in range(3):
            asked = query()
            echo = [(0.01 + place * 0.001, asked.data[place : place + 1]) for place in range(len(asked.data))]
            bench.says(*(echo if is_split else [(0.01, asked.data)]), (0.3, answer(value=f"{number}.00")))
            assert value_of(await bench.exchange.ask(asked)) == f"{number}.00"
            assert bench.exchange.is_echoing
        assert bench.unknown == []
        bench.says((0.01, query().data))
        with pytest.raises(NoAnswerError):
            await bench.exchange.ask(query())

    virtually(main)


def test_a_connection_that_goes_ends_the_request_at_once() -> None:
    async def main() -> None:
        bench = Bench()
        asyncio.get_running_loop().call_later(0.1, bench.link.unplug)
        started = asyncio.get_running_loop().time()
        with pytest.raises(LinkError):
            await bench.exchange.ask(query())
        assert asyncio.get_running_loop().time() - started == pytest.approx(0.1)
        with pytest.raises(LinkError):
            await bench.exchange.ask(query())

    virtually(main)


def test_two_buses_on_one_connection_take_turns() -> None:
    async def main() -> None:
        bench = Bench()
        second = Exchange(bench.link, TIMING)
        bench.says((0.3, answer(value="1.00")))
        bench.says((0.3, answer(VOLTAGE, "2.0")))
        first_frame, second_frame = await asyncio.gather(
            bench.exchange.ask(query()), second.ask(query(VOLTAGE))
        )
        assert (value_of(first_frame), value_of(second_frame)) == ("1.00", "2.0")

    virtually(main)


def test_a_broadcast_keeps_the_wire_until_it_is_out() -> None:
    async def main() -> None:
        bench = Bench()
        started = asyncio.get_running_loop().time()
        await bench.exchange.tell(bytes(24))
        assert asyncio.get_running_loop().time() - started == pytest.approx(24 * 11 / 2400)

    virtually(main)


@pytest.mark.parametrize("noise", [b"\x00\x55", b"\x68", bytes.fromhex("68 AA AA AA AA AA AA 68 91 C8")])
def test_a_babbling_line_ends_a_request_in_time(noise: bytes) -> None:
    async def main() -> None:
        bench = Bench()
        bench.says(*((0.02 * n, noise) for n in range(500)))
        asked = query()
        started = asyncio.get_running_loop().time()
        with pytest.raises(GarbledError):
            await bench.exchange.ask(asked)
        longest = (
            TIMING.timeout_s(len(asked.data), asked.answer_bytes) + TIMING.wire_s(asked.answer_bytes) + 0.5
        )
        assert asyncio.get_running_loop().time() - started < longest + 0.05

    virtually(main)
