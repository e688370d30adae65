"""Faults on demand: a list that requests and notices take from.

A fault: {"kind": "delay", "where": "api"|"notice", "times": 1, "match": "", ...}. `match` is a part of the path (api)
or of "<event> <number>" (notice); `times` 0 means until it is cleared.
"""

import threading

API_KINDS = (
    "delay",  # seconds: answer late, after the work is done
    "status",  # status: an unsigned 5xx; accepted: true = after the work is done
    "error",  # status, code, message: a signed refusal, nothing is done
    "drop",  # the connection ends without an answer, after the work is done; before: true = instead of it
    "redirect",  # to: address
    "oversize",  # bytes: the (valid, signed) answer is padded with blanks
    "gzip_bomb",  # bytes: the same, packed, with Content-Encoding: gzip
    "wrong_amount",  # the signed answer says another amount
    "set",  # values: {"amount.total": 1}; null deletes: the signed answer says something else
    "wrong_signature",  # a signature by another key
    "bad_base64",  # no signature at all, but text in its place
    "unsigned",
    "changed_body",  # one byte differs from what was signed
    "unknown_serial",  # correctly signed by a key that nobody knows
    "timestamp",  # seconds: the signature's time is off (WeChat Pay)
    "pay_before_close",  # the payer is faster than a close
    "pay_after_close",  # the close is answered, and then the payment goes through all the same
    "wrong_sha1",  # bill checksum (WeChat Pay)
)
NOTICE_KINDS = (
    "delay",
    "drop",  # not sent; tried again on schedule
    "duplicate",  # copies: how many are sent at once
    "reorder",  # sent only after the next other notice
    "twice",  # name, value: a field of the form occurs a second time (Alipay)
    "signtest",  # WeChat Pay's probe: the signature begins with WECHATPAY/SIGNTEST/
    "wrong_key",  # encrypted with another APIv3 key, correctly signed (WeChat Pay)
    "wrong_amount",
    "set",
    "wrong_signature",
    "bad_base64",
    "unsigned",
    "changed_body",
    "unknown_serial",
    "timestamp",
)


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._faults: list[dict] = []

    def add(self, fault: dict) -> dict:
        where = fault.get("where", "api")
        kinds = {"api": API_KINDS, "notice": NOTICE_KINDS}.get(where)
        if kinds is None or fault.get("kind") not in kinds:
            raise ValueError(f"no fault {fault.get('kind')!r} at {where!r}")
        fault = {"times": 1, "match": ""} | fault | {"where": where}
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[dict]:
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def take(self, where: str, subject: str) -> dict[str, dict]:
        """The faults that apply now, by kind, each used up once."""
        taken = {}
        with self._lock:
            for fault in list(self._faults):
                kind = fault["kind"]
                if fault["where"] != where or kind in taken or fault["match"] not in subject:
                    continue
                taken[kind] = fault
                if fault["times"] == 1:
                    self._faults.remove(fault)
                elif fault["times"] > 1:
                    fault["times"] -= 1
        return taken


def apply_values(data: dict, values: dict) -> dict:
    """Set {"amount.total": 1} in nested dicts; None deletes."""
    for path, value in values.items():
        *parents, last = path.split(".")
        place = data
        for name in parents:
            place = place.setdefault(name, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return data
