"""Find the meters on a line, as far as each protocol lets itself be asked. Only reads are sent.

dlt645-2007   abbreviated addresses: the last two digits, and where several meters answer at once, the last four, …
modbus        every unit 1..247; an exception is an answer too
dlt645-1997, cjt188   only "whoever is there", so only the one meter on the line
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from pymodbus.pdu.register_message import ReadHoldingRegistersRequest

from ..codecs.dlt645_2007 import requests
from ..codecs.dlt645_2007.frame import Decoder
from ..codecs.dlt645_2007.matching import matches
from ..errors import GarbledError, NoAnswerError
from ..model import Bus
from .base import Driver
from .exchange import Query
from .line import Line
from .modbus import make_adu
from .modbus_adu import Adu, Answer

TOTAL = "00010000"
ADDRESS_DIGITS = 12
UNITS = range(1, 248)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A meter that answered."""

    protocol: str
    address: str


def _no_progress(text: str) -> None:
    return


async def find_meters(
    line: Line, bus: Bus, protocol: str, driver: Driver, progress: Progress = _no_progress
) -> AsyncIterator[Found]:
    """The meters of one protocol, as they are found. LinkError when the connection goes. `progress` hears what is asked."""
    line = replace(line, attempts=1)
    if protocol == "dlt645-2007":
        addresses = _find_645(line, Decoder(), "", progress)
    elif protocol.startswith("modbus"):
        addresses = _find_modbus(line, bus, protocol, progress)
    else:
        addresses = _find_single(line, driver, progress)
    async for address in addresses:
        yield Found(protocol, address)


async def _find_645(line: Line, decoder: Decoder, ending: str, progress: Progress) -> AsyncIterator[str]:
    """Ask all meters that end in each two further digits; bytes that are no frame are several meters at once."""
    for number in range(100):
        digits = f"{number:02}{ending}"
        progress(f"…{digits}")
        try:
            yield await _ask_645(line, decoder, digits)
        except NoAnswerError:
            continue
        except GarbledError:
            if len(digits) < ADDRESS_DIGITS:
                async for address in _find_645(line, decoder, digits, progress):
                    yield address


async def _ask_645(line: Line, decoder: Decoder, digits: str) -> str:
    request = requests.read(digits.rjust(ADDRESS_DIGITS, "A"), TOTAL)
    query = Query(
        data=request.encode(4),
        decoder=decoder,
        accept=lambda frame: matches(request, frame),
        answer_bytes=24,
        late_key=digits,
        what=f"any meter with …{digits}",
        is_guess=True,
    )
    return (await line.ask(query)).address


async def _find_modbus(line: Line, bus: Bus, protocol: str, progress: Progress) -> AsyncIterator[str]:
    adu = make_adu(bus, protocol)
    for unit in UNITS:
        progress(str(unit))
        try:
            await line.ask(unit_query(adu, unit))
        except (NoAnswerError, GarbledError):
            continue
        yield str(unit)


def unit_query(adu: Adu, unit: int) -> Query[Answer]:
    """Is a Modbus unit there? Any answer of its own says so."""
    return Query(
        data=adu.build(ReadHoldingRegistersRequest(address=0, count=1), unit, unit),
        decoder=adu.decoder,
        accept=lambda answer: _is_from(answer, unit),
        answer_bytes=adu.overhead + 4,
        late_key=("unit", unit),
        what=f"unit {unit}",
        is_guess=True,
        gap_s=adu.gap_s,
        byte_gap_s=adu.byte_gap_s,
    )


def _is_from(answer: Answer, unit: int) -> bool:
    """Any answer to a read; a gateway that cannot reach the unit answers in its place with 0A or 0B."""
    is_read = answer.is_answer and answer.unit == unit and answer.pdu[0] & 0x7F == 3
    return is_read and not (answer.is_exception and answer.pdu[1] in (0x0A, 0x0B))


async def _find_single(line: Line, driver: Driver, progress: Progress) -> AsyncIterator[str]:
    progress("whoever is there")
    try:
        address = await driver.read_address(line)
    except (NoAnswerError, GarbledError):
        return
    if address is not None:
        yield address
