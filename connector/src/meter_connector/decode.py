"""The ``decode`` command: bytes of any source -> what they say, as JSON or for people."""

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from .codecs import acrel, cjt188, dlt645_1997, dlt645_2007, modbus
from .codecs.base import DecodeIssue, Located, ScanDecoder

EXIT_BAD_HEX = 2
#: Hexadecimal digits of the shortest frame there is, a Modbus exception.
_SHORTEST_STREAM = 10
_SEPARATORS = re.compile(r"(?:0x|hex:|[\s,;:_-])+", re.IGNORECASE)


class Codec(NamedTuple):
    """What decoding needs of a protocol."""

    decoder: Callable[[], ScanDecoder[Any]]
    describe: Callable[[Any], dict[str, object]]


CODECS = {
    "dlt645-2007": Codec(dlt645_2007.Decoder, dlt645_2007.describe),
    "dlt645-1997": Codec(dlt645_1997.Decoder, dlt645_1997.describe),
    "cjt188": Codec(cjt188.Decoder, cjt188.describe),
    "modbus-rtu": Codec(modbus.Decoder, modbus.describe),
    "modbus-tcp": Codec(modbus.TcpDecoder, modbus.describe_tcp),
    "acrel": Codec(acrel.Decoder, acrel.describe),
}


def decode_stream(protocol: str, data: bytes) -> dict[str, object]:
    """All frames of a byte stream.

    Returns ``{"frames": [...], "errors": [{"offset", "kind", "hex"}], "dropped_bytes": n, "incomplete": bool}``. Frames have the keys of
    ``codecs.*.describe`` and their ``frame_offset`` in the stream. ``incomplete``: the stream ends within a frame; those bytes are no
    dropped ones, and neither are wake-up bytes FE. Raises KeyError for an unknown protocol.
    """
    codec = CODECS[protocol]
    decoder = codec.decoder()
    found = decoder.scan(data)
    tail = _Tail(decoder)
    while decoder.incomplete:
        if later := decoder.expire_once():
            found += later
            tail = _Tail(decoder)
    errors = [_print_issue(issue) for issue in tail.errors]
    if tail.is_incomplete:
        errors.append({"offset": tail.offset, "kind": "truncated", "hex": tail.hex})
    elif not found and not errors:
        errors.append({"offset": 0, "kind": "no_frame", "hex": data.hex().upper()})
    return {
        "frames": [_print_frame(codec, item) for item in found],
        "errors": errors,
        "dropped_bytes": tail.dropped_bytes,
        "incomplete": tail.is_incomplete,
    }


class _Tail:
    """The decoder's findings at the end of the stream, before its last candidate was given up byte by byte."""

    def __init__(self, decoder: ScanDecoder[Any]) -> None:
        self.is_incomplete = decoder.is_tail_plausible
        self.errors: list[DecodeIssue] = decoder.errors
        self.offset = decoder.position
        self.hex = decoder.buffered.hex().upper()
        self.dropped_bytes = decoder.dropped_bytes
        if not self.is_incomplete:
            self.dropped_bytes += len(decoder.buffered)


def _print_frame(codec: Codec, item: Located[Any]) -> dict[str, object]:
    return {**codec.describe(item.frame), "frame_offset": item.offset, "frame_size": item.size}


def _print_issue(issue: DecodeIssue) -> dict[str, object]:
    return {"offset": issue.offset, "kind": issue.kind, "hex": issue.hex}


def parse_hex(text: str) -> bytes:
    """Hexadecimal with or without blanks, commas, colons, dashes, 0x; raises ValueError with the place of the fault."""
    digits = _SEPARATORS.sub("", text)
    if bad := re.search(r"[^0-9A-Fa-f]", digits):
        raise ValueError(f"{bad[0]!r} is not a hexadecimal digit")
    if len(digits) % 2:
        raise ValueError(f"{len(digits)} hexadecimal digits: half a byte is missing")
    return bytes.fromhex(digits)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--protocol, --json and HEX..., for cli.py."""
    parser.add_argument("--protocol", required=True, choices=sorted(CODECS), help="whose frames these are")
    parser.add_argument("--json", action="store_true", help="one JSON object a stream")
    parser.add_argument(
        "hex",
        nargs="*",
        metavar="HEX",
        help="a stream each, or the bytes of one with blanks; none or -: standard input, a stream a line",
    )


def main(options: argparse.Namespace, stdin: TextIO | None = None, stdout: TextIO | None = None) -> int:
    """Run it; returns the exit code: 0, or 2 when an input line was not hexadecimal (the others are still decoded)."""
    out = stdout or sys.stdout
    status = 0
    for number, line in enumerate(_streams(options.hex, stdin or sys.stdin), 1):
        try:
            result = decode_stream(options.protocol, parse_hex(line))
        except ValueError as error:
            status = EXIT_BAD_HEX
            sys.stderr.write(f"decode: line {number}: {error}\n")
            result = _bad_line(line, str(error))
        if options.json:
            out.write(json.dumps(result, ensure_ascii=False) + "\n")
        elif line.strip():
            out.write("\n".join(_table(result)) + "\n")
        out.flush()
    return status


def _streams(arguments: list[str], stdin: TextIO) -> Iterable[str]:
    """Long arguments are a stream each; short ones are the bytes of one frame given with blanks and without quotes."""
    if arguments and arguments != ["-"]:
        is_each_a_stream = all(len(_SEPARATORS.sub("", text)) >= _SHORTEST_STREAM for text in arguments)
        return arguments if is_each_a_stream else [" ".join(arguments)]
    if isinstance(stdin, io.TextIOWrapper):
        stdin.reconfigure(errors="replace")  # a line of binary rubbish is a bad line, not the end
    return stdin


def _bad_line(line: str, message: str) -> dict[str, object]:
    error = {"offset": 0, "kind": "bad_hex", "hex": "", "text": line.strip()[:200], "message": message}
    return {"frames": [], "errors": [error], "dropped_bytes": 0, "incomplete": False}


_HEAD = ("address", "direction", "control", "frame_offset")
_HIDDEN = {
    *_HEAD,
    "values",
    "value",
    "unit",
    "frame_size",
    "abnormal",
    "follow_up",
    "service",
    "name",
    "di",
    "function",
}


def _table(result: dict[str, Any]) -> Iterator[str]:
    """A stream for people."""
    for number, frame in enumerate(result["frames"], 1):
        yield from _frame_lines(number, frame)
    for error in result["errors"]:
        yield f"error   {error['kind']} at byte {error['offset']}: {error.get('message') or error['hex']}"
    yield (
        f"total   {len(result['frames'])} frames, {result['dropped_bytes']} bytes dropped"
        + (", ends within a frame" if result["incomplete"] else "")
    )


def _frame_lines(number: int, frame: dict[str, Any]) -> Iterator[str]:
    marks = [word for key, word in (("abnormal", "REFUSED"), ("follow_up", "more follows")) if frame[key]]
    title = " ".join(str(part) for part in (frame.get("service"), frame["di"], frame.get("name")) if part)
    sender = {"master": "to", "slave": "from", None: "to or from"}[frame["direction"]]
    yield f"frame {number} at byte {frame['frame_offset']}: {sender} {frame['address']}, {frame['control']} {title} {' '.join(marks)}".rstrip()
    for value in frame["values"]:
        shown = "not available" if value["value"] is None else value["value"]
        yield f"    {value['name']:<44} {shown:>14} {value['unit']}".rstrip()
    for key, value in frame.items():
        if key not in _HIDDEN and value not in (None, "", [], {}):
            yield f"    {key}: {_shown(value)}"


def _shown(value: object) -> str:
    """Of many bits only those that are set."""
    if isinstance(value, dict):
        return ", ".join(
            f"{name}={bit}" if bit is not True else name for name, bit in value.items() if bit is not False
        )
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
