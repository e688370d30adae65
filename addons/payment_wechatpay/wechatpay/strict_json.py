"""JSON of money: no duplicate keys, no NaN, objects only, and readers that refuse the wrong type."""

import json

from .errors import MessageError


def _refuse_duplicates(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _refuse_constant(text):
    raise ValueError(text)


def parse_object(data):
    """A dict from bytes. MessageError for anything that is not one plain JSON object."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise MessageError("not a JSON object") from None
    if not isinstance(value, dict):
        raise MessageError("not a JSON object")
    return value


def get_text(data, key, *, longest=128):
    """A text that must be there."""
    value = data.get(key)
    if not isinstance(value, str) or not value or len(value) > longest:
        raise MessageError(f"{key} is missing or no text")
    return value


def get_fen(data, key):
    """An amount in fen: a whole number of at least 1, not text, float or boolean."""
    value = data.get(key)
    if type(value) is not int or not 1 <= value <= 10**12:
        raise MessageError(f"{key} is not a positive whole number of fen")
    return value
