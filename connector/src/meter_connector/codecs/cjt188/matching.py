"""Is this frame the answer to that request?"""

from ..base import CodecError
from . import frame as f
from .frame import Frame


def matches(request: Frame, answer: Frame) -> bool:
    """Meter (AA = any, type too), function, SER and identifier agree; the identifier may come back in the other order."""
    if not answer.is_answer or request.is_answer or answer.function != request.function:
        return False
    if f.ANY_TYPE not in (request.meter_type, answer.meter_type) and request.meter_type != answer.meter_type:
        return False
    if not _address_matches(request.address, answer.address) or request.ser != answer.ser:
        return False
    return answer.is_abnormal or answer.di == request.di


def _address_matches(requested: str, answered: str) -> bool:
    if len(requested) != len(answered):
        raise CodecError(f"addresses of different length: {requested!r}, {answered!r}")
    return all(requested[at : at + 2] in ("AA", answered[at : at + 2]) for at in range(0, len(requested), 2))
