"""DL/T 645-1997: reads by 01H, time by broadcast 08H. The edition has no relay; such meters are read only."""

from __future__ import annotations

from datetime import datetime

from ..codecs.dlt645_1997 import data, requests
from ..codecs.dlt645_1997.frame import BROADCAST, Decoder, Frame
from ..codecs.dlt645_1997.matching import matches
from ..codecs.values import Reading
from ..model import Meter
from .dlt645 import Dlt645Driver

TOTAL = "9010"


class Dlt645v1997Driver(Dlt645Driver[Frame]):
    """One for a bus."""

    date_di = "C010"
    time_di = "C011"

    def _make_decoder(self) -> Decoder:
        return Decoder()

    def _read_request(self, meter: Meter, di: str) -> Frame:
        return requests.read(meter.address, di)

    def _more_request(self, answer: Frame, di: str, part: int) -> Frame:
        return requests.read_more(answer.address, di)

    def _matches(self, request: Frame, answer: Frame) -> bool:
        return matches(request, answer)

    def _payload(self, answer: Frame) -> bytes:
        return answer.payload

    def _decode(self, di: str, payload: bytes) -> Reading:
        return data.decode_item(di, payload)

    def _decode_error(self, error: int) -> list[str]:
        return data.decode_error(error)

    def _time_request(self, when: datetime) -> Frame:
        return requests.broadcast_time(when)

    def _write_request(self, meter: Meter, di: str, value: bytes) -> Frame:
        """Only the clock: nothing else is in the parameter table for writing."""
        return requests.write(meter.address, di, value, meter.password)

    def _encode(self, di: str, value: datetime) -> bytes:
        return data.encode_item(di, [value])

    def _address_request(self) -> Frame:
        """There is no "read address"; addressed with 99 x6 the only meter on the line answers a read with its own address."""
        return requests.read(BROADCAST, TOTAL)
