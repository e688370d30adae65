"""Settings that meters have, as the connector knows them: names, units, limits, the one spelling of a value. No Odoo in here.

A meter model's definition may name the ones it has (``parameters``: list of names) and bring its own
(``quirks.parameters``); without a list it has all that its protocol knows.
"""

from typing import NamedTuple

try:
    from meter_connector.codecs import parameters as table
    from meter_connector.codecs.base import CodecError
except ImportError:  # Odoo without the connector's package: models have the settings they bring along
    table, CodecError = None, ValueError


class Setting(NamedTuple):
    """What a page needs to know of a setting. ``minimum`` and ``maximum``: text, '' = none."""

    name: str
    kind: str
    unit: str
    minimum: str
    maximum: str
    is_readonly: bool
    where: str
    sequence: int


def settings_of(protocol, definition):
    """Everything a model with this definition has, in the table's order."""
    found = []
    for sequence, name in enumerate(_names(protocol, definition)):
        row = _find(protocol, definition, name)
        if row is not None:
            found.append(
                Setting(
                    name,
                    row.kind,
                    row.unit,
                    _text(row.minimum),
                    _text(row.maximum),
                    row.is_readonly,
                    row.where,
                    sequence,
                )
            )
    return found


def find_problem(protocol, definition, name, text):
    """What is wrong with a value, as a sentence; '' when the meter can take it."""
    return _spell(protocol, definition, name, text)[1]


def spell(protocol, definition, name, text):
    """The one spelling of a value, as it is sent and comes back; as it is where nobody knows better."""
    return _spell(protocol, definition, name, text)[0]


def is_equal(protocol, definition, name, wanted, shown):
    """Does the meter show what was sent?"""
    if shown is None:
        return False
    row = _find(protocol, definition, name)
    if row is None:
        return wanted == shown
    try:
        return row.is_equal(wanted, shown)
    except CodecError:
        return wanted == shown


def _spell(protocol, definition, name, text):
    row = _find(protocol, definition, name)
    if row is None:
        return text, "" if table is None else f"{name}: this model has no such setting"
    if row.is_readonly:
        return text, f"{name}: can be read, not set"
    try:
        row.check_size(text, (definition.get("quirks") or {}).get("max_write"))
        return row.normal(text), ""
    except CodecError as error:
        return text, str(error)


def _names(protocol, definition):
    listed = definition.get("parameters")
    if isinstance(listed, list):
        return [name for name in listed if isinstance(name, str)]
    own = list(_own(definition))
    known = table.names(protocol, _map_name(definition)) if table else []
    return [*own, *(name for name in known if name not in own)]


def _find(protocol, definition, name):
    if table is None:
        return None
    try:
        return table.find(protocol, name, map_name=_map_name(definition), own=_own(definition))
    except (CodecError, TypeError, ValueError, KeyError):
        return None


def _own(definition):
    own = (definition.get("quirks") or {}).get("parameters")
    return own if isinstance(own, dict) else {}


def _map_name(definition):
    return str((definition.get("quirks") or {}).get("map") or "")


def _text(number):
    return "" if number is None else str(number)
