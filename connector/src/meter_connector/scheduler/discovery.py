"""Which meters are on a bus? Only reads are sent, and they let everything else of the bus go first.

Each protocol as far as its facts allow:
dlt645-2007   the last two digits with all others any, and where several meters answer at once, the last four, …: the range is divided by
              what the meters themselves can tell apart
modbus        every unit of the range; an exception is an answer too
baudrates     the order's, where the link can set them (a serial port); between two questions the bus runs at its own speed
dlt645-1997, cjt188   "whoever is there"; several at once garble each other, and then each address of a narrow range is asked

A configured meter that was not found is asked by its address, several times, before anybody calls it missing; one that the polls have
heard meanwhile is there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..codecs.cjt188 import requests as requests_188
from ..codecs.cjt188.frame import ANY_TYPE
from ..codecs.cjt188.frame import Decoder as Decoder188
from ..codecs.cjt188.matching import matches as matches_188
from ..codecs.dlt645_1997 import requests as requests_1997
from ..codecs.dlt645_1997.frame import Decoder as Decoder1997
from ..codecs.dlt645_1997.matching import matches as matches_1997
from ..codecs.dlt645_2007 import requests as requests_2007
from ..codecs.dlt645_2007.frame import Decoder as Decoder2007
from ..codecs.dlt645_2007.matching import matches as matches_2007
from ..drivers import Line
from ..drivers.exchange import Query
from ..drivers.modbus import make_adu
from ..drivers.scan import unit_query
from ..errors import GarbledError, LinkError, NoAnswerError, WireError
from ..model import PROTOCOLS, Meter
from .orders import OpenOrder
from .queue import Job, Priority

if TYPE_CHECKING:
    from .bus import BusRunner

DIGITS = {"dlt645-2007": 12, "dlt645-1997": 12, "cjt188": 14, "modbus-rtu": 3, "modbus-tcp": 3}
TOTAL_2007, TOTAL_1997 = "00010000", "9010"
ANSWER_BYTES = 64
MAX_ONE_BY_ONE = 2000
"""Addresses asked one by one where nothing divides them: 0.7 s each."""
MAX_FOUND = 1000
WILDCARD_ATTEMPTS = 3
CONFIGURED_ATTEMPTS = 3


@dataclass
class Search:
    """One protocol's part. `done` 0..1; `problem`: why it is not complete."""

    line: Line
    bus: BusRunner
    protocol: str
    first: int
    last: int
    baudrate: int
    began_at: float
    done: float = 0.0
    problem: str = ""
    decoders: dict[str, Any] = field(default_factory=dict)
    _ser: int = 0

    async def run(self, tell: Callable[[], None]) -> AsyncIterator[str]:
        """Addresses as they are found; `tell` after each question."""
        if self.protocol == "dlt645-2007":
            addresses = self._wildcard_2007(tell)
        elif self.protocol.startswith("modbus"):
            addresses = self._units(tell)
        else:
            addresses = self._whoever(tell)
        heard = set()
        async for address in addresses:
            heard.add(int(address))
            yield address
        if self.is_at_own_speed:
            for meter in self._configured():
                if int(meter.address) not in heard and await self._is_there(meter, tell):
                    yield meter.address

    @property
    def is_at_own_speed(self) -> bool:
        """Is it the speed that the bus and its configured meters have?"""
        return self.baudrate == self.bus.bus.baudrate

    def _configured(self) -> list[Meter]:
        """Configured meters of this protocol within the range."""
        alike = (meter for meter in self.bus.bus.meters if meter.model.protocol == self.protocol)
        return [meter for meter in alike if self._is_inside(meter.address)]

    async def _is_there(self, meter: Meter, tell: Callable[[], None]) -> bool:
        """Has a poll heard it since the search began, or does it answer to its address?"""
        poll = self.bus.polls[meter.id]
        for _ in range(CONFIGURED_ATTEMPTS):
            if poll.answered_at is not None and poll.answered_at >= self.began_at:
                return True
            tell()
            try:
                await self._ask_address(meter.address)
            except (NoAnswerError, GarbledError):
                continue
            return True
        return False

    async def _ask_address(self, address: str) -> None:
        if self.protocol == "dlt645-2007":
            await self._ask_2007(address)
        elif self.protocol == "dlt645-1997":
            await self._ask_1997(address)
        elif self.protocol == "cjt188":
            await self._ask_188(address)
        else:
            await self._ask(unit_query(make_adu(self.bus.bus, self.protocol), int(address)))

    async def _ask(self, query: Query[Any]) -> Any:
        return await self.line.ask(replace(query, baudrate=self.baudrate))

    async def _call(self, ask: Callable[[str], Awaitable[str]]) -> str | None:
        """Whoever is there: an address; "" when several answer at once; None when nobody does, several times."""
        for _ in range(WILDCARD_ATTEMPTS):
            try:
                return await ask("")
            except NoAnswerError:
                continue
            except GarbledError:
                return ""
        return None

    # -- dlt645-2007 ----------------------------------------------------------------------------------------------------------------
    async def _wildcard_2007(self, tell: Callable[[], None]) -> AsyncIterator[str]:
        address = await self._call(self._ask_2007)
        if address is None:
            self.done = 1.0
            return
        if address and self._is_inside(address):
            yield address  # one that answers loudest may hide others: they are looked for all the same
        async for found in self._below("", 0.0, 1.0, tell):
            if found != address:
                yield found

    async def _below(
        self, ending: str, begin: float, share: float, tell: Callable[[], None]
    ) -> AsyncIterator[str]:
        endings = [f"{n:02}{ending}" for n in range(100) if self._may_end(f"{n:02}{ending}")]
        for place, digits in enumerate(endings):
            at = begin + share * place / len(endings)
            self.done = at
            tell()
            try:
                address = await self._ask_2007(digits)
                if self._is_inside(address):
                    yield address
            except NoAnswerError:
                continue
            except GarbledError:
                if len(digits) < 12:
                    async for address in self._below(digits, at, share / len(endings), tell):
                        yield address

    async def _ask_2007(self, digits: str) -> str:
        request = requests_2007.read(digits.rjust(12, "A"), TOTAL_2007)
        decoder = self.decoders.setdefault("2007", Decoder2007())
        frame = await self._ask(_query(request, decoder, lambda frame: matches_2007(request, frame), digits))
        return str(frame.address)

    def _may_end(self, digits: str) -> bool:
        """Is there an address within the range that ends so?"""
        size = 10 ** len(digits)
        lowest: int = self.first + (int(digits) - self.first) % size
        return lowest <= self.last

    def _is_inside(self, address: str) -> bool:
        return self.first <= int(address) <= self.last

    # -- modbus ---------------------------------------------------------------------------------------------------------------------
    async def _units(self, tell: Callable[[], None]) -> AsyncIterator[str]:
        adu = make_adu(self.bus.bus, self.protocol)
        units = [unit for unit in range(1, 248) if self.first <= unit <= self.last]
        for place, unit in enumerate(units):
            self.done = place / len(units)
            tell()
            try:
                await self._ask(unit_query(adu, unit))
            except (NoAnswerError, GarbledError):
                continue
            yield str(unit)

    # -- whoever is there -----------------------------------------------------------------------------------------------------------
    async def _whoever(self, tell: Callable[[], None]) -> AsyncIterator[str]:
        tell()
        ask = self._ask_188 if self.protocol == "cjt188" else self._ask_1997
        address = await self._call(ask)
        if address is None:
            self.done = 1.0
            return
        count = self.last - self.first + 1
        if address and self._is_inside(address):
            yield address  # answers that lie over each other may look like one: a narrow range is asked all the same
        if address and count > MAX_ONE_BY_ONE:
            return
        if count > MAX_ONE_BY_ONE:
            self.problem = f"{self.protocol}: several meters answer at once and this protocol cannot divide them; give a range of at most {MAX_ONE_BY_ONE} addresses"
            return
        for place, number in enumerate(range(self.first, self.last + 1)):
            self.done = place / count
            tell()
            try:
                yield await ask(str(number).zfill(DIGITS[self.protocol]))
            except (NoAnswerError, GarbledError):
                continue

    async def _ask_188(self, address: str) -> str:
        """Makers disagree about the order of the identifier's bytes, and some meters hear only their own."""
        try:
            return await self._ask_188_in(address, is_swapped=False)
        except NoAnswerError:
            return await self._ask_188_in(address, is_swapped=True)

    async def _ask_188_in(self, address: str, *, is_swapped: bool) -> str:
        self._ser = (self._ser + 1) % 256
        how: dict[str, Any] = {"ser": self._ser, "is_swapped": is_swapped}
        if address:
            request = requests_188.read(address, "901F", meter_type=ANY_TYPE, **how)
        else:
            request = requests_188.read_address(**how)
        decoder = self.decoders.setdefault("188", Decoder188())
        frame = await self._ask(
            _query(request, decoder, lambda frame: matches_188(request, frame), f"{address}{is_swapped}")
        )
        return str(frame.address)

    async def _ask_1997(self, address: str) -> str:
        request = requests_1997.read(address or "9" * 12, TOTAL_1997)
        decoder = self.decoders.setdefault("1997", Decoder1997())
        frame = await self._ask(_query(request, decoder, lambda frame: matches_1997(request, frame), address))
        return str(frame.address)


class Discovery:
    """One order. Begun anew after a restart: it only reads."""

    def __init__(self, bus: BusRunner, opened: OpenOrder) -> None:
        self._bus = bus
        self._open = opened
        self._found: dict[tuple[str, str, int], dict[str, Any]] = {}
        self._complete: list[str] = []
        self._told_at = -1e9
        self._told = ""
        self._base = 0.0
        self._share = 1.0
        self.job = Job(
            f"order {opened.order.id} discover on {opened.place}", Priority.BACKGROUND, self._run, None, 1
        )

    async def _run(self, line: Line) -> None:
        opened = self._open
        if opened.is_done:
            return
        if opened.is_expired:
            opened.finish("expired", "expired before it was complete", self._text(self._base))
            return
        if not await self._bus.recording.recorder.start_order(opened.order):
            opened.desk.drop(opened)
            return
        opened.is_sent = True
        try:
            searches, problems = self._searches(line)
            await self._search(searches, problems)
        except LinkError:
            raise
        except _Over:
            self._end_early()
        except (WireError, ValueError) as error:
            opened.finish("failed", str(error), self._text(self._base))

    async def _search(self, searches: list[Search], problems: list[str]) -> None:
        self._share = 1.0 / max(1, len(searches))
        self._complete = []
        for number, search in enumerate(searches):
            self._base = number * self._share

            def tell(search: Search = search) -> None:
                self._tell(self._base + self._share * search.done)

            async for address in search.run(tell):
                self._keep(search, address)
                tell()
            if search.problem:
                problems.append(search.problem)
            elif search.is_at_own_speed:
                self._complete.append(search.protocol)
        state = "failed" if problems and not searches else "confirmed"
        self._open.finish(state, "; ".join(problems)[:200], self._text(1.0))  # type: ignore[arg-type]

    def _end_early(self) -> None:
        if not self._open.is_done:
            detail = "expired before it was complete; what was found until then stands in the data"
            self._open.finish("expired", detail, self._text(self._base))

    def _keep(self, search: Search, address: str) -> None:
        if len(self._found) < MAX_FOUND:
            row = {"address": address, "protocol": search.protocol, "baudrate": search.baudrate}
            self._found[search.protocol, address, search.baudrate] = row

    def _tell(self, done: float) -> None:
        """Progress, not more often than a person looks; and stop when the order is over."""
        if self._open.is_done or self._open.is_expired:
            raise _Over
        now = asyncio.get_running_loop().time()
        text = self._text(done)
        if text != self._told and now - self._told_at >= self._bus.tuning.progress_s:
            self._told, self._told_at = text, now
            self._bus.recording.progress(self._open.order, text)

    def _text(self, done: float) -> str:
        data = {
            "done": round(done, 3),
            "found": list(self._found.values()),
            "complete": self._complete,
        }
        return json.dumps(data, separators=(",", ":"))

    def _searches(self, line: Line) -> tuple[list[Search], list[str]]:
        """What to look for; ValueError names what is wrong with the order's data."""
        data = json.loads(self._open.order.data or "{}")
        if not isinstance(data, dict):
            raise ValueError("data of the order: no JSON object")
        problems = []
        own = self._bus.bus.baudrate
        baudrates = [int(each) for each in data.get("baudrates") or [own]]
        other = [str(each) for each in baudrates if each != own]
        if other and not self._bus.link.can_set_baudrate:
            problems.append(
                f"the gateway keeps its speed of {own} bps: nothing was asked at {', '.join(other)} bps;"
                " set gateway and bus to another speed and search again"
            )
            baudrates = [each for each in baudrates if each == own]
        if wrong := [each for each in baudrates if not 300 <= each <= 921_600]:
            raise ValueError(f"baudrates: {wrong[0]} is no speed of a meter")
        wanted = data.get("protocols") or sorted({m.model.protocol for m in self._bus.bus.meters})
        wanted = wanted or ["dlt645-2007", "cjt188"]
        if unknown := [each for each in wanted if each not in PROTOCOLS]:
            raise ValueError(f"protocols: {unknown[0]!r} is not one of {', '.join(PROTOCOLS)}")
        rates = sorted(dict.fromkeys(baudrates), key=lambda rate: rate != own)  # its own first
        searches = [self._search_of(line, protocol, data, rate) for rate in rates for protocol in wanted]
        return searches, problems

    def _search_of(self, line: Line, protocol: str, data: dict[str, Any], rate: int) -> Search:
        top = 10 ** DIGITS[protocol] - 1
        first, last = int(str(data.get("from") or 0)), int(str(data.get("to") or top))
        if protocol == "cjt188" and last == 10**12 - 1:
            last = top  # "everything", written with the twelve digits of the others
        now = asyncio.get_running_loop().time()
        return Search(line, self._bus, protocol, max(0, first), min(top, last), rate, now)


class _Over(Exception):  # noqa: N818 - unwinds a search whose order is over
    """Raised between two questions."""


def _query(request: Any, decoder: Any, accept: Callable[[Any], bool], digits: str) -> Query[Any]:
    return Query(
        data=request.encode(4),
        decoder=decoder,
        accept=accept,
        answer_bytes=ANSWER_BYTES,
        late_key=("discover", digits),
        what=f"any meter with …{digits}",
        is_guess=True,
    )
