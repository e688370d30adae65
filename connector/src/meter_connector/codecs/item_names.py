"""Short names of what can be read: name -> data identifier. The table is ``item_names.toml`` beside this module."""

import re
from collections.abc import Mapping
from functools import cache

from .items import load_table

_IDENTIFIER = {
    "dlt645-2007": re.compile(r"[0-9A-F]{8}\Z"),
    "dlt645-1997": re.compile(r"[0-9A-F]{4}\Z"),
    "cjt188": re.compile(r"[0-9A-F]{4}\Z"),
}


@cache
def names(protocol: str) -> Mapping[str, str]:
    """Name -> identifier as printed; empty for protocols without identifiers."""
    found: dict[str, str] = {}
    for key, row in load_table(__package__, "item_names.toml").get(protocol, {}).items():
        if isinstance(row, str):
            found[key] = row
            continue
        for count, n in enumerate(range(row["first"], row["last"] + 1), 1):
            found[row["name"].format(n=count)] = row["di"].format(n=f"{n:02X}")
    return found


def identifier(protocol: str, name: str) -> str | None:
    """The identifier of a name, or the name itself where it is one; None for an unknown name."""
    found = names(protocol).get(name)
    pattern = _IDENTIFIER.get(protocol)
    if found is None and pattern is not None and pattern.match(name.upper()):
        return name.upper()
    return found
