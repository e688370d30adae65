"""An Odoo in the same virtual world: it keeps what it gets by the seam's rules, and has weather."""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import OdooBusyError, OdooError, OdooUnreachableError
from ...odoo.client import OdooSettings
from ...odoo.payload import carry
from ..odoo_book import OdooBook, Verdict
from .loop import virtual_loop
from .process import process_of

LATENCY_S = 0.01
"""One way."""
CALL_S = 0.02
"""What a call costs a healthy Odoo."""


@dataclass(frozen=True)
class Weather:
    """How calls go at present. Probabilities are 0..1 per call, `unsure` per item."""

    is_down: bool = False
    delay_s: float = 0.0  # before a call is carried out
    lost: float = 0.0  # carried out, but the connection breaks within the answer
    refused: float = 0.0  # not carried out: asked to come back later
    unsure: float = 0.0  # items answered "retry"


class VirtualOdoo(OdooBook):
    """`wall`: true time. What is on its way when it goes down or restarts is lost; what was carried out stays carried out."""

    def __init__(self, document: dict[str, Any], rng: random.Random, wall: Callable[[], float]) -> None:
        super().__init__(document, orders_poll_s=1.0)
        self.rng = rng
        self.weather = Weather()
        self.counts: Counter[str] = Counter()
        self.is_over = False
        self._wall = wall
        self._starts = 0
        self._context = contextvars.copy_context()
        self.judge = self._hesitate

    def wall(self) -> float:
        return self._wall()

    def take_document(self, document: dict[str, Any]) -> None:
        """The configuration to hand out."""
        self.document = document

    def client(self, settings: OdooSettings) -> VirtualClient:
        """For App's `make_odoo`."""
        return VirtualClient(self, settings)

    def serve(self, method: str, payload: dict[str, Any]) -> Any:
        self.counts[method] += 1
        return getattr(self, f"_{method}")(payload)

    def count(self, method: str) -> int:
        return self.counts[method]

    def set_weather(self, weather: Weather) -> None:
        """From now on."""
        if weather.is_down and not self.weather.is_down:
            self.restart()
        self.weather = weather

    def restart(self) -> None:
        """Every connection breaks: calls under way are not carried out, answers under way are lost."""
        self._starts += 1

    def arrive(self, method: str, text: str, answer: Callable[[Any], None]) -> None:
        """A call is sent; `answer` gets a text or an OdooError, or is never called."""
        loop = virtual_loop()
        loop.call_later(LATENCY_S, self._begin, method, text, answer, context=self._context)

    def _begin(self, method: str, text: str, answer: Callable[[Any], None]) -> None:
        if self.weather.is_down:
            answer(OdooUnreachableError("connection refused"))
            return
        delay_s = CALL_S + self.weather.delay_s * self.rng.uniform(0.5, 1.5)
        virtual_loop().call_later(delay_s, self._carry_out, method, text, answer, self._starts)

    def _carry_out(self, method: str, text: str, answer: Callable[[Any], None], starts: int) -> None:
        if starts != self._starts:
            answer(OdooUnreachableError("connection reset"))
        elif self._happens("refused"):
            answer(OdooBusyError("503"))
        else:
            told = json.dumps(self.serve(method, json.loads(text)))
            is_lost = self._happens("lost")
            answer(OdooUnreachableError("the connection broke within the answer") if is_lost else told)

    def _hesitate(self, _method: str, _item: Any) -> Verdict | None:
        return ("retry", "not now") if self._happens("unsure") else None

    def _happens(self, what: str) -> bool:
        probability: float = getattr(self.weather, what)
        happens = probability > 0 and self.rng.random() < probability
        self.counts[what] += happens
        return happens


class VirtualClient:
    """Implements odoo.client.OdooClient."""

    def __init__(self, odoo: VirtualOdoo, settings: OdooSettings) -> None:
        self.odoo = odoo
        self.settings = settings
        self._is_closed = False

    async def call(
        self, method: str, payload: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """See OdooClient."""
        context = contextvars.copy_context()
        process = process_of(context)
        if self._is_closed or self.odoo.is_over or (process is not None and process.is_dead):
            raise OdooUnreachableError("the client is closed")
        loop = virtual_loop()
        future: asyncio.Future[dict[str, Any]] = loop.create_future()
        timeout_s = timeout_s or self.settings.timeout_s

        def answer(said: Any) -> None:
            loop.call_later(LATENCY_S, _deliver, future, said, context=context)

        self.odoo.arrive(method, json.dumps(carry(payload, is_xml=False)), answer)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise OdooUnreachableError(f"{method}: no answer within {timeout_s:g} s") from None

    async def close(self) -> None:
        """See OdooClient."""
        self._is_closed = True


def _deliver(future: asyncio.Future[dict[str, Any]], said: Any) -> None:
    if future.done():
        return
    if isinstance(said, OdooError):
        future.set_exception(said)
    else:
        future.set_result(json.loads(said))
