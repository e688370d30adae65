"""Answers of CJ/T 188, from the meter's side: for the simulator and the tests."""

from .frame import Frame, normalise_address

ANSWER = 0x80
ABNORMAL = 0x40


def answer(request: Frame, address: str, payload: bytes = b"", meter_type: int | None = None) -> Frame:
    """Normal answer: identifier and SER as the request had them, then ``payload``."""
    kind = request.meter_type if meter_type is None else meter_type
    return Frame(normalise_address(address), request.control | ANSWER, request.data[:3] + payload, kind)


def refused(
    request: Frame, address: str, status: bytes = b"\x00\x00", meter_type: int | None = None
) -> Frame:
    """Abnormal answer: SER and two status bytes."""
    kind = request.meter_type if meter_type is None else meter_type
    data = bytes((request.ser or 0,)) + status
    return Frame(normalise_address(address), request.control | ANSWER | ABNORMAL, data, kind)
