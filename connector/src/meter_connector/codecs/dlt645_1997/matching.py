"""Is this frame the answer to that request?"""

from ..dlt645_frame import address_matches
from . import frame as f
from .frame import Frame


def matches(request: Frame, answer: Frame) -> bool:
    """Meter, function and data identifier agree. Address 99 x6 reads point to point: any meter may answer it."""
    if not answer.is_answer or request.is_answer or request.function == f.BROADCAST_TIME:
        return False
    if answer.function != request.function:
        return False
    if request.address != f.BROADCAST and not address_matches(request.address, answer.address):
        return False
    if answer.is_abnormal or request.function not in (f.READ, f.READ_MORE):
        return True
    return answer.di == request.di
