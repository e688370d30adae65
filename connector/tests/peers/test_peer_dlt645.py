"""`dlt645` 3.2.0, which is not ours, at the other end: as slave of our codec, and as master of our simulated meters.

Where it departs from the standard the test says what it does, so that a new version shows itself. Its own environment is made by the two
commands in requirements.txt.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from meter_connector.codecs.dlt645_2007 import Frame, data, requests
from peerhelp import ADDRESS, NEEDS_PEER, MeterSocket, Wire, order, peer

PASSWORD = requests.Password.parse("123456")
pytestmark = NEEDS_PEER


@pytest.fixture
def wire(slave: int) -> Iterator[Wire]:
    found = Wire(slave)
    yield found
    found.close()


@pytest.fixture
def meter() -> Iterator[MeterSocket]:
    found = MeterSocket(
        serial="P1",
        address=ADDRESS,
        model="dtzy315",
        password="123456",
        load="shop_small",
        start="100.00",
    )
    yield found
    found.close()


@pytest.fixture
def master(meter: MeterSocket) -> Iterator[subprocess.Popen[str]]:
    with peer("peer_master.py", meter.port, ADDRESS) as process:
        yield process


READS = [
    ("00010000", ["1234.56"]),
    ("00000000", ["-12.34"]),
    ("01010000", ["7.8000", "2026-11-21 12:30"]),
    ("02010100", ["223.1"]),
    ("02020100", ["-1.234"]),
    ("02030000", ["5.4321"]),
    ("02060000", ["0.998"]),
    ("02800002", ["50.01"]),
    ("04000101", ["2026-11-21"]),
    ("04000102", ["12:34:56"]),
    ("04000204", ["4"]),
    ("04000401", [ADDRESS]),
    ("03300D00", ["0"]),
    ("03110000", ["0"]),
]


@pytest.mark.parametrize(("di", "values"), READS)
def test_we_read_its_slave(wire: Wire, di: str, values: list[str]) -> None:
    answer = wire.ask(requests.read(ADDRESS, di))
    assert answer is not None
    assert (answer.address, answer.control, answer.di) == (ADDRESS, 0x91, di)
    assert [value.text for value in data.decode_item(di, answer.payload).values] == values


def test_we_find_its_slave_by_asking_for_the_address(wire: Wire) -> None:
    answer = wire.ask(requests.read_address())
    assert answer is not None
    assert (answer.address, answer.control, answer.data[::-1].hex()) == (ADDRESS, 0x93, ADDRESS)


def test_we_write_its_slave_and_read_back(wire: Wire) -> None:
    written = wire.ask(requests.write(ADDRESS, "04000204", b"\x03", PASSWORD))
    assert written is not None
    assert (written.control, written.data) == (0x94, b"")
    shown = wire.ask(requests.read(ADDRESS, "04000204"))
    assert shown is not None
    assert shown.payload == b"\x03"
    wire.ask(requests.write(ADDRESS, "04000204", b"\x04", PASSWORD))


def test_its_slave_refuses_a_wrong_password_as_meters_do(wire: Wire) -> None:
    answer = wire.ask(requests.write(ADDRESS, "04000204", b"\x03", requests.Password.parse("000001")))
    assert answer is not None
    assert (answer.control, data.decode_error(answer.data[0])) == (0xD4, ["password_refused"])


def test_its_slave_has_neither_blocks_nor_relay(wire: Wire) -> None:
    block = wire.ask(requests.read(ADDRESS, "0001FF00"))
    relay = wire.ask(requests.relay(ADDRESS, "trip", PASSWORD))
    assert block is not None
    assert relay is not None
    assert (block.control, data.decode_error(block.data[0])) == (0xD1, ["no_such_data"])
    assert relay.control == 0xDC


def test_known_fault_its_slave_answers_a_wildcard_with_the_wildcard(wire: Wire) -> None:
    """The standard wants the true address in the answer; so our matching would not know whose it is."""
    answer = wire.ask(requests.read("AAAAAAAAAAAA", "00010000"))
    assert answer is not None
    assert answer.address == "AAAAAAAAAAAA"


def test_known_fault_its_slave_refuses_a_change_to_9600(wire: Wire) -> None:
    """Bit 5 is 9600 bps; it takes another code."""
    answer = wire.ask(Frame(ADDRESS, 0x17, b"\x20"))
    assert answer is not None
    assert (answer.control, data.decode_error(answer.data[0])) == (0xD7, ["baudrate_not_changeable"])


def test_known_fault_a_false_header_holds_its_slave_up(slave: int) -> None:
    """Noise that looks like a header with a long length: no time-out gives it up. Ours must answer the next good frame."""
    noise = bytes.fromhex("68AABBFEFEFEFE68AAFF")
    wire = Wire(slave)
    assert wire.ask(noise + requests.read(ADDRESS, "00010000").encode(), wait_s=1.5) is None
    wire.close()


MASTER_READS = [
    ("read_00", "00010000", Decimal(100), Decimal(101)),
    ("read_02", "02010100", Decimal(200), Decimal(250)),
    ("read_02", "02030000", Decimal(0), Decimal(10)),
    ("read_02", "02060000", Decimal("0.8"), Decimal(1)),
    ("read_02", "02800002", Decimal("49.9"), Decimal("50.1")),
]


def test_its_master_reads_our_meter(master: subprocess.Popen[str], meter: MeterSocket) -> None:
    for name, di, low, high in MASTER_READS:
        value = order(master, name, di)
        assert low <= Decimal(str(value)) <= high, (di, value)
    assert order(master, "read_04", "04000101") == "26112106"
    assert order(master, "read_04", "04010001")[:3] == ["000004", "070003", "080002"]
    assert order(master, "read_03", "03300D00") == ["000000"]
    assert order(master, "read_00", "000B0000") is None, "what our meter refuses is no value there"


def test_its_master_finds_and_writes_our_meter(master: subprocess.Popen[str], meter: MeterSocket) -> None:
    assert order(master, "read_address") == "070100012620", "it shows the wire's order"
    order(master, "write_04", "04000204", "03", "02563412")  # tells nothing, done or refused: a known fault
    assert order(master, "read_04", "04000204") == "03"
    order(master, "write_04", "04000204", "02", "02111111")
    assert order(master, "read_04", "04000204") == "03"


def test_known_fault_its_broadcast_time_is_in_the_order_of_reading(
    master: subprocess.Popen[str], meter: MeterSocket
) -> None:
    """YY MM DD hh mm ss instead of ss mm hh DD MM YY: a real meter takes 26 seconds, month 34, and leaves its clock alone."""
    assert order(master, "time", "2026-11-21T12:34:56") is True
    time.sleep(0.2)
    assert meter.meter.clock_error_ms(0) == 0
    assert all(
        each["command"] != "broadcast_time" for each in meter.meter.world.journal.since(kind="command")
    )
