"""A 1997 frame as a plain dictionary."""

from .. import description
from ..description import Description
from . import data
from . import frame as f
from .frame import Frame

_WRITE_HEAD = 4


def describe(frame: Frame) -> Description:
    """See ``codecs.description``; never raises."""
    found = description.of_645(frame, frame.di, data.SERVICES.get(frame.function))
    if frame.is_abnormal:
        is_error = len(frame.data) == 1
        return found | (
            description.of_error(frame.data[0], data.decode_error(frame.data[0])) if is_error else {}
        )
    if frame.function == f.BROADCAST_TIME and not frame.is_answer:
        return found | {"time": description.print_time(frame.data)}
    return found | _with_di(frame) if frame.di is not None else found


def _with_di(frame: Frame) -> Description:
    di = frame.di or ""
    if frame.is_answer and frame.function == f.READ:
        reading = data.decode_item(di, frame.payload)
        if not (frame.has_more and reading.problem):
            return description.of_reading(reading, frame.payload)
    found: Description = {"name": name} if (name := data.ITEMS.name(di)) else {}
    if frame.is_answer:
        found["payload"] = frame.payload.hex().upper()
    elif frame.function == f.WRITE and len(frame.payload) >= _WRITE_HEAD:
        written = frame.payload[_WRITE_HEAD:]
        found["password_wire"] = frame.payload[:_WRITE_HEAD].hex().upper()
        found |= description.of_reading(data.decode_item(di, written), written)
    return found
