"""Modbus RTU answers, from the slave's side: for the simulator and the tests."""

from collections.abc import Sequence

from .frame import WRITE_COIL, WRITE_REGISTER, Frame


def read(request: Frame, words: Sequence[int]) -> Frame:
    """Registers for 03H and 04H."""
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return Frame(request.unit, request.function, bytes((len(data),)) + data, True)


def written(request: Frame) -> Frame:
    """Acknowledgement: address and quantity, or the echo of a single write."""
    is_answer = None if request.function in (WRITE_COIL, WRITE_REGISTER) else True
    return Frame(request.unit, request.function, request.body[:4], is_answer)


def refused(request: Frame, exception: int) -> Frame:
    """Exception answer."""
    return Frame(request.unit, request.function | 0x80, bytes((exception,)), True)
