"""Purchase orders of prepaid meters as data: layouts of ``prepayment.toml``, or a meter model's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .. import bcd
from ..base import CodecError
from ..items import load_table
from . import requests
from .frame import Frame

#: Where a money meter tells; energy meters have their own.
MONEY = {"count": "03330201", "remaining": "00900200", "overdraft": "00900201"}
ENERGY = {"count": "03320201", "remaining": "00900100", "overdraft": "00900101"}
FUNCTIONS = ("03", "14")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one kind of meter takes a purchase."""

    function: str
    di: str
    fields: tuple[Mapping[str, Any], ...]
    constants: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Layout":
        """From ``quirks.purchase`` of a model: {"layout": "security-30", "constants": {"mac1": "00000000", ...}} or with its own
        "function", "di", "fields"; raises CodecError."""
        known = load_table(__package__, "prepayment.toml")["layout"]
        name = spec.get("layout")
        row = dict(known[name]) if name in known else {}
        if name is not None and not row:
            raise CodecError(f"purchase layout {name!r} is not one of {', '.join(known)}")
        row |= {key: spec[key] for key in ("function", "di", "fields") if key in spec}
        if row.get("function") not in FUNCTIONS or not row.get("di") or not row.get("fields"):
            raise CodecError("a purchase needs a layout, or function (03 or 14), di and fields")
        fields = [dict(each) for each in row["fields"]]
        for each in fields:
            if each.get("value") == "amount" and "amount_format" in spec:
                each["format"] = spec["amount_format"]
        return cls(str(row["function"]), str(row["di"]), tuple(fields), dict(spec.get("constants") or {}))

    def encode(self, values: Mapping[str, Decimal | int | str]) -> bytes:
        """The bytes behind the head; raises CodecError where a value is missing or does not fit."""
        return b"".join(_encode(each, {**values, **self.constants}) for each in self.fields)

    def request(
        self,
        address: str,
        values: Mapping[str, Decimal | int | str],
        password: requests.Password,
        operator: str = "",
    ) -> Frame:
        """03H or 14H."""
        data = self.encode(values)
        if self.function == "03":
            return requests.security(address, self.di, data, operator)
        return requests.write(address, self.di, data, password, operator)


def _encode(spec: Mapping[str, Any], values: Mapping[str, Decimal | int | str]) -> bytes:
    key, kind, size = str(spec.get("value")), spec.get("format"), int(spec.get("size", 0))
    if key not in values:
        raise CodecError(f"the purchase layout wants {key!r}, which the model does not give")
    value = values[key]
    if kind == "digits":
        return bcd.from_digits(str(value).strip() or "0", size)
    if kind == "raw":
        return _raw(key, str(value), size)
    number = Decimal(str(value)).scaleb(int(spec.get("decimals", 0)))
    if number != number.to_integral_value() or number < 0:
        raise CodecError(f"{key} {value} does not fit its field")
    if kind == "bcd":
        return bcd.from_digits(str(int(number)), size)
    if kind == "binary":
        try:
            return int(number).to_bytes(size, "little")
        except OverflowError:
            raise CodecError(f"{key} {value} does not fit {size} bytes") from None
    raise CodecError(f"purchase field {key}: format {kind!r} is not binary, bcd, digits or raw")


def _raw(key: str, text: str, size: int) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != size:
        raise CodecError(f"{key} {text!r} is not {size} bytes of hexadecimal")
    return data
