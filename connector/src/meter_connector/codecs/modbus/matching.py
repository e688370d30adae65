"""Is this frame the answer to that request?"""

from . import frame as f
from .frame import Frame


def matches(request: Frame, answer: Frame) -> bool:
    """Unit and function agree, and so do byte count (reads) or address and quantity (writes).

    RTU answers to reads carry no address: a late answer of equal length cannot be told apart, so the bus must be quiet before asking.
    """
    if request.unit == 0 or answer.unit != request.unit or answer.is_answer is False:
        return False
    if answer.function != request.function:
        return answer.function == request.function | 0x80
    if request.function in (f.WRITE_COILS, f.WRITE_REGISTERS):
        return answer.body == request.body[:4]
    if request.function in (f.WRITE_COIL, f.WRITE_REGISTER):
        return answer.body == request.body
    qty = request.qty or 0
    return len(answer.data) == (
        2 * qty if request.function in (f.READ_HOLDING, f.READ_INPUT) else (qty + 7) // 8
    )
