"""Joining answers in several frames: 11H -> B1H, then 12H with SEQ 1, 2, ... until D5 is clear."""

from ..base import CodecError
from . import requests
from .frame import Frame
from .matching import matches

#: A meter's load profile fits easily; a meter that never ends does not hold the bus for ever.
MAX_PARTS = 64


class FollowUp:
    """Feed answers, send what it asks for.

    >>> reading = FollowUp(request)
    >>> next_request = reading.add(answer)      # a Frame to send, or None when complete
    >>> reading.payload                         # the joined payload, when complete
    """

    def __init__(self, request: Frame) -> None:
        self.request = request
        self.is_complete = False
        self._parts: list[bytes] = []

    @property
    def payload(self) -> bytes:
        """All parts joined, without identifiers and SEQ."""
        return b"".join(self._parts)

    def add(self, answer: Frame) -> Frame | None:
        """Take the answer to ``self.request``; returns the next request, or None when all is there; raises CodecError."""
        if self.is_complete or answer.is_abnormal or not matches(self.request, answer):
            raise CodecError("this frame is no part of the answer")
        if len(self._parts) >= MAX_PARTS:
            raise CodecError(f"more than {MAX_PARTS} parts of one answer")
        self._parts.append(answer.payload)
        if not answer.has_more:
            self.is_complete = True
            return None
        self.request = requests.read_more(answer.address, answer.di or "", len(self._parts))
        return self.request
