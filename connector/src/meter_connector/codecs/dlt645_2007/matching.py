"""Is this frame the answer to that request? (protocols.md section 8 rules 4 and 5)"""

from ..dlt645_frame import address_matches
from . import frame as f
from .frame import Frame


def matches(request: Frame, answer: Frame) -> bool:
    """True when ``answer`` can only be the answer to ``request``.

    Refused: the echo of a request, another meter, another function, another data identifier or SEQ (a late answer). Abnormal answers
    carry no identifier; they match by meter and function. A broadcast has no answer.
    """
    if not answer.is_answer or request.is_answer or request.address == f.BROADCAST:
        return False
    if answer.function != request.function or not address_matches(request.address, answer.address):
        return False
    if answer.is_abnormal:
        return True
    if request.function == f.CHANGE_BAUD:
        return answer.data in (b"", request.data)
    if request.function in (f.READ, f.READ_MORE):
        return answer.di == request.di and answer.seq == request.seq
    return True
