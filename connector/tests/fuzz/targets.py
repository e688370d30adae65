"""What is fuzzed, once: each target takes any bytes and raises when a promise is broken. Driven by hypothesis (test_fuzz.py, in every test run,
bounded) and by atheris (atheris_run.py, as long as one likes).

The promises: nothing crashes, nothing grows without bound, and a good frame after garbage is found.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

import nbhelp as nb
from meter_connector.codecs import dlt645_1997, dlt645_2007
from meter_connector.codecs.acrel.frame import COMMANDS as ACREL_COMMANDS
from meter_connector.codecs.base import CodecError
from meter_connector.codecs.dlt645_2007 import data as dlt645_data
from meter_connector.codecs.modbus import registers as modbus_registers
from meter_connector.codecs.modbus.frame import crc16
from meter_connector.decode import CODECS, decode_stream
from meter_connector.model import Meter
from meter_connector.nbiot import PushRefused, ctwing, onenet, payload
from meter_connector.nbiot.decoding import Roster, decode
from meter_connector.transports import DialInLimits, DialInLink, DialInListener, HeartbeatFilter, acrel
from meter_connector.transports.base import MAX_BUFFERED
from wirehelp import VirtualLoop

GOOD_645 = dlt645_2007.Frame(
    "202600000001", 0x91, bytes.fromhex("00000100") + dlt645_data.encode_item("00010000", [Decimal("1.23")])
).encode(2)
GOOD = {
    "dlt645-2007": GOOD_645,
    "dlt645-1997": dlt645_1997.Frame("202600000001", 0x81, bytes.fromhex("109045230100")).encode(2),
    "cjt188": nb.water_frame(),
    "modbus-tcp": bytes.fromhex("00010000000701030400 00007D"),
    "acrel": acrel.AcrelFrame(acrel.UPLOAD, b"[[1((data))]]").encode(),
    "modbus-rtu": bytes.fromhex("0103040000007D") + crc16(bytes.fromhex("0103040000007D")),
}


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut as the data itself says: a byte of length, then so many bytes."""
    at = 0
    while at < len(data):
        size = data[at] % 64 + 1
        yield data[at + 1 : at + 1 + size]
        at += 1 + size


# ---- codecs ------------------------------------------------------------------------------------------------------------------------
def codec(protocol: str, data: bytes) -> None:
    """Any stream in any pieces; then silence; then a good frame."""
    kind = CODECS[protocol]
    decoder = kind.decoder()
    for piece in pieces(data):
        for frame in decoder.feed(piece):
            _check_frame(protocol, frame)
        assert len(decoder.buffered) < decoder.longest
    for frame in decoder.expire():
        _check_frame(protocol, frame)
    assert not decoder.incomplete
    assert len(decoder.errors) <= 100
    good = GOOD[protocol]
    assert decoder.feed(good) + decoder.expire(), f"the good frame after {data.hex()} is lost"
    decode_stream(protocol, data)
    _check_glued(protocol, data, good)


def _check_glued(protocol: str, data: bytes, good: bytes) -> None:
    """Without the silence only a frame that reaches into the good one may hide it."""
    if protocol.startswith("modbus"):
        return  # no start mark: two frames without a pause are one riddle
    decoder = CODECS[protocol].decoder()
    found = decoder.scan(data + good)
    while decoder.incomplete:
        found += decoder.expire_once()
    assert decoder.start is not None
    start = len(data) + good.index(decoder.start)
    is_found = any(item.offset == start for item in found)
    is_hidden = any(item.offset < start < item.offset + item.size for item in found)
    assert is_found or is_hidden, f"the good frame behind {data.hex()} is lost"


def _check_frame(protocol: str, frame: Any) -> None:
    """It can be described, and is found again in its own bytes (Modbus says neither where a frame begins nor how long it is)."""
    kind = CODECS[protocol]
    json.dumps(kind.describe(frame))
    if not protocol.startswith("modbus"):
        assert frame in kind.decoder().feed(frame.encode()), f"{frame} does not survive its own bytes"


# ---- register maps -----------------------------------------------------------------------------------------------------------------
SCALES = ("1", "0.01", "0.001", "10", "-0.1", "1E-9")


def registers(data: bytes) -> None:
    """Any map of registers and any words: values are exact or None, a block says what its registers say, integers survive both ways."""
    half = len(data) // 2
    items = [_register(data[at : at + 8].ljust(8, b"\0")) for at in range(0, min(half, 400), 8)]
    found: list[modbus_registers.Register] = []
    for item in items:
        try:
            found.append(modbus_registers.load_register(item))
        except CodecError:
            continue
    words = data[half:]
    for block in modbus_registers.plan(found):
        need = (words * (2 * block.count // max(len(words), 1) + 1)).ljust(2 * block.count, b"\0")
        answer = [int.from_bytes(need[2 * n : 2 * n + 2], "big") for n in range(block.count)]
        _check_block(block, answer)


def _register(seed: bytes) -> dict[str, Any]:
    kind, address, scale, flags, none, mask, shift, offset = seed
    item: dict[str, Any] = {
        "key": f"r{address}-{kind}-{flags}",
        "address": address,
        "type": [*modbus_registers.KINDS, "uint8"][kind % (len(modbus_registers.KINDS) + 1)],
        "scale": SCALES[scale % len(SCALES)],
        "word_order": "low" if flags & 1 else "high",
        "byte_order": "low" if flags & 2 else "high",
        "offset": str(offset),
    }
    item |= {"none": 2**16 - 1 - none} if flags & 4 else {}
    item |= {"mask": mask << 4} if flags & 8 else {}
    return item | ({"shift": shift} if flags & 16 else {})


def _check_block(block: modbus_registers.Block, words: list[int]) -> None:
    values = modbus_registers.decode_block(block, words)
    for register in block.registers:
        own = words[register.address - block.start :][: register.count]
        value = modbus_registers.decode(register, own)
        assert value is None or value.is_finite()
        if sum(each.key == register.key for each in block.registers) == 1:
            assert values[register.key] == value
        is_whole = register.mask is None and not register.shift and "int" in register.kind
        if value is not None and is_whole:
            assert modbus_registers.encode(register, value) == own, f"{register}: {own} became {value}"
    for wrong in (words[:-1], [*words, 0]):
        try:
            modbus_registers.decode_block(block, wrong)
        except CodecError:
            continue
        raise AssertionError(f"{len(wrong)} words were taken for {block.count}")


# ---- filters -----------------------------------------------------------------------------------------------------------------------
def heartbeat(data: bytes) -> None:
    """Whatever is cut out was heartbeat; nothing else is lost."""
    pattern = b"PING-1"
    filter_ = HeartbeatFilter(pattern, b"\0")
    stream = b"".join(pieces(data))
    out = b""
    whole = 0
    for piece in pieces(data):
        before = filter_.swallowed
        got = filter_.feed(piece)
        if piece and not piece.strip(b"\0") and not got and filter_.swallowed - before == len(piece):
            whole += len(piece)
        out += got
        assert len(filter_._held) < len(pattern)
    out += filter_.flush()
    beats = (len(stream) - len(out) - whole) / len(pattern)
    assert beats == int(beats) >= 0


def acrel_stream(data: bytes) -> None:
    """Any bytes from a registered Acrel meter; then its answer."""
    sent: list[bytes] = []
    other: list[acrel.AcrelFrame] = []
    filter_ = acrel.AcrelFilter(b"2109".ljust(20, b"\0"), sent.append, None, other.append)
    for piece in pieces(data):
        filter_.feed(piece)
        assert len(filter_._held) < acrel.MAX_FRAME
    filter_.flush()
    assert not filter_.is_holding
    answer = GOOD["modbus-rtu"]
    assert filter_.feed(acrel.AcrelFrame(acrel.DOWNLINK, filter_.padded + answer).encode()) == answer


# ---- dial-in -----------------------------------------------------------------------------------------------------------------------
class Transport(asyncio.Transport):
    """A connection without a network."""

    def __init__(self, number: int) -> None:
        super().__init__({"peername": (f"192.0.2.{number % 3}", number)})
        self.is_open = True
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return not self.is_open

    def abort(self) -> None:
        self.is_open = False


LIMITS = DialInLimits(max_pending=4, registration_s=5, max_bytes=64, banner_s=0.5)
NAMES = [b"GW1", b"GW10-LONG", b"imei:861428041234567", b"acrel:2109", b"\xfe\x68\x10"]
PROBE = b"GW10-LONG"


def dial_in(data: bytes) -> None:
    """Callers that come, say, wait and go as the data tells; then a good gateway calls and is heard."""
    run(lambda: _dial_in(data))


async def _dial_in(data: bytes) -> None:
    listener = DialInListener("127.0.0.1", 0, LIMITS)
    links = [
        DialInLink(listener, name, b"PING-1" if place % 2 else b"\0") for place, name in enumerate(NAMES)
    ]
    for link in links:
        await link.open()
    server = listener
    callers: list[tuple[Any, Transport]] = []
    for piece in pieces(data):
        await _act(server, callers, piece)
        assert listener.pending <= LIMITS.max_pending
        for caller, _ in callers:
            assert len(caller.said) <= LIMITS.max_bytes + 4096
        for link in links:
            assert len(link._buffer) <= MAX_BUFFERED
    probe = next(link for link in links if link.registration == PROBE)
    await asyncio.sleep(61)  # whoever took turns under this name has to wait as well
    caller, transport = _call(listener, callers)
    caller.data_received(b"PING-1" + PROBE[:4])
    caller.data_received(PROBE[4:] + b"PI")
    caller.data_received(b"NG-1" + GOOD_645[:9] + b"PING-1")
    caller.data_received(GOOD_645[9:])
    await asyncio.sleep(0.1)
    assert transport.is_open
    assert probe.connected
    assert probe.discard() == GOOD_645
    await _end(listener, links, callers)


def _call(listener: DialInListener, callers: list[tuple[Any, Transport]]) -> tuple[Any, Transport]:
    from meter_connector.transports.dial_in import _Caller

    caller, transport = _Caller(listener), Transport(len(callers))
    caller.connection_made(transport)
    callers.append((caller, transport))
    return caller, transport


async def _act(listener: DialInListener, callers: list[tuple[Any, Transport]], piece: bytes) -> None:
    what = piece[0] if piece else 0
    if what % 8 == 0 or not callers:
        _call(listener, callers)
    caller, transport = callers[what % len(callers)]
    if what % 8 == 1:
        await asyncio.sleep(what / 40)
    elif what % 8 == 2:
        if transport.is_open:
            transport.abort()
            caller.connection_lost(None)
    elif transport.is_open:
        said = piece[1:]
        if what % 8 == 3:
            said = NAMES[what % len(NAMES)][:what] + said
        elif what % 8 == 4:
            said = acrel.AcrelFrame(ACREL_COMMANDS[what % 8], b"2109".ljust(20, b"\0") + said).encode()
        caller.data_received(said)
    for each, each_transport in callers:
        if not each_transport.is_open and each._transport is not None:
            each.connection_lost(None)
    await asyncio.sleep(0)


async def _end(
    listener: DialInListener, links: list[DialInLink], callers: list[tuple[Any, Transport]]
) -> None:
    for caller, _ in callers:
        caller.connection_lost(None)
    for link in links:
        await link.close()
    await listener.close()
    assert listener.pending == 0


# ---- NB-IoT ------------------------------------------------------------------------------------------------------------------------
def make_roster() -> Roster:
    """Water, power and a modelled product."""
    meters: list[tuple[str, Meter]] = [(meter.imei, meter) for _, _, meter in nb.site().meters()]
    return Roster(meters)


ROSTER = make_roster()
IMEIS = [nb.WATER_IMEI, nb.POWER_IMEI, nb.SHARED_IMEI, "undefined", "860000000000000"]


def nbiot_body(data: bytes) -> None:
    """Any body is taken or refused with a 4xx."""
    for parse in (ctwing.parse, lambda body: onenet.parse(body, nb.ONENET_TOKEN)):
        try:
            pushes = parse(data)
        except PushRefused as refused:
            _check_refused(refused)
            continue
        for push in pushes:
            assert push.key.isascii()
            json.dumps(push.content)
            decode(push, ROSTER, nb.NOON)


def nbiot_payload(data: bytes) -> None:
    """Any bytes in the place of a meter's frame, and a good frame behind them."""
    for imei in IMEIS:
        (push,) = ctwing.parse(nb.ctwing(data, imei))
        found = decode(push, ROSTER, nb.NOON)
        assert found.frames + len(found.unknown) <= 8 * (len(data) + 1)
    frame = nb.water_frame("54.32")
    content = {"APPdata": base64.b64encode(data).decode(), "other": frame.hex()}
    (push,) = ctwing.parse(nb.ctwing(payload=content))
    assert 1 in decode(push, ROSTER, nb.NOON).meters


def nbiot_signed(data: bytes) -> None:
    """A signed OneNET message of any text: taken or refused, never worse."""
    text = data.decode("utf-8", "replace")
    for content in (text, {"value": text, "imei": text[:15], "at": text[:13], "type": len(text) % 9}):
        message = content if isinstance(content, str) else json.dumps(content)
        for body in (
            json.dumps({"msg": message, "nonce": text[:8], "signature": _sign(text[:8], message)}),
            f'{{"msg":{message},"nonce":"n","msg_signature":"{_sign("n", message)}"}}',
        ):
            try:
                onenet.parse(body.encode(), nb.ONENET_TOKEN)
            except PushRefused as refused:
                _check_refused(refused)
    payload.byte_strings([text, {"a": [text]}])


def _check_refused(refused: PushRefused) -> None:
    assert 400 <= refused.status < 500
    assert str(refused)


def _sign(nonce: str, message: str) -> str:
    return onenet.signature(nb.ONENET_TOKEN, nonce, message)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """On a loop whose time jumps."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


SEEDS = [
    *GOOD.values(),
    *NAMES,
    b"PING-1",
    b"\x68\x16\xfe\xfe",
    acrel.AcrelFrame(acrel.DOWNLINK, b"2109".ljust(20, b"\0")).encode(),
    nb.ctwing(nb.water_frame()),
    nb.onenet_old(nb.onenet_item(nb.power_frame())),
    nb.onenet_new({"imei": nb.WATER_IMEI, "value": nb.water_frame().hex()}),
    b'[[[[{"a":"\\ud800"',
]
"""Whole and half, these are what fuzzing begins with."""

TARGETS: dict[str, Callable[[bytes], None]] = {
    **{f"codec-{name}": (lambda data, name=name: codec(name, data)) for name in CODECS},  # type: ignore[misc]
    "registers": registers,
    "heartbeat": heartbeat,
    "acrel": acrel_stream,
    "dial-in": dial_in,
    "nbiot-body": nbiot_body,
    "nbiot-payload": nbiot_payload,
    "nbiot-signed": nbiot_signed,
}
