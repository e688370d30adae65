"""A message of an Acrel 4G meter as a plain dictionary.

Of the upload (91) two sources agree on where the energies and the time are; they disagree on the remaining amount and the purchase count,
and neither was checked with a meter. It is shown to people and stored as no reading.
"""

from __future__ import annotations

from ..description import Description
from ..modbus import Decoder as ModbusDecoder
from ..modbus import describe as describe_modbus
from ..modbus.frame import READ_HOLDING, Frame
from . import frame as f
from .frame import AcrelFrame

SERVICES = {
    f.REGISTER: "registration",
    f.TIME: "time",
    f.HEARTBEAT: "heartbeat",
    f.UPLOAD: "upload",
    f.DOWNLINK: "Modbus envelope",
    f.CONFIGURATION: "configuration",
    f.CONFIGURATION_2: "configuration",
    f.ALARM: "alarm",
}
_ICCID_SIZE = 30
_FIRMWARE_SIZE = 2
_FIRMWARE_PARTS = 3
_TIME_SIZE = 7
#: Bytes of an upload's data block: with four and with eight tariffs.
_BLOCKS = (0x60, 0x90)
#: Offset in the block -> what is there, four bytes, high byte first. Their scale is in no source: raw numbers.
_ENERGIES = {42: "total", 46: "sharp", 50: "peak", 54: "flat", 58: "valley"}
_UPLOAD_TIME = slice(80, 86)
_UNVERIFIED = "two sources agree on these places; scale not documented; not verified with a meter"


def describe(frame: AcrelFrame) -> Description:
    """Values of an upload have no unit: ``reliability`` says how sure they are. ``direction`` None: both sides send it."""
    found: Description = {
        "address": serial_text(frame),
        "control": f"{frame.command:02X}",
        "service": SERVICES[frame.command],
        "direction": _direction(frame),
        "abnormal": False,
        "follow_up": False,
        "di": None,
        "values": [],
    }
    if frame.command == f.REGISTER and frame.payload:
        return found | _registration(frame.payload)
    if frame.command == f.TIME and len(frame.payload) == _TIME_SIZE:
        return found | {"time": " ".join(f"{byte:02d}" for byte in frame.payload)}
    if frame.command == f.DOWNLINK:
        return found | _modbus(frame.payload)
    if frame.command == f.UPLOAD:
        return found | _upload(frame.payload)
    return found | ({"data": frame.payload.hex().upper()} if frame.payload else {})


def serial_text(frame: AcrelFrame) -> str:
    """The serial number in front of a registration or an envelope; empty where there is none."""
    if frame.command not in (f.REGISTER, f.DOWNLINK):
        return ""
    return _text(frame.payload[: f.SERIAL_SIZE])


def _direction(frame: AcrelFrame) -> str | None:
    if frame.command == f.REGISTER:
        return "slave" if frame.payload else "master"
    if frame.command == f.TIME:
        return "master" if frame.payload else "slave"
    return "slave" if frame.command in (f.HEARTBEAT, f.UPLOAD, f.ALARM) else None


def _registration(payload: bytes) -> Description:
    """Serial 20, ICCID 30, RSSI 1, firmware 3 x 2 BCD, report period 1."""
    rest = payload[f.SERIAL_SIZE + _ICCID_SIZE :]
    found: Description = {
        "serial": _text(payload[: f.SERIAL_SIZE]),
        "iccid": _text(payload[f.SERIAL_SIZE : f.SERIAL_SIZE + _ICCID_SIZE]),
    }
    if len(rest) >= 2 + _FIRMWARE_SIZE * _FIRMWARE_PARTS:
        parts = [rest[1 + 2 * n : 3 + 2 * n].hex() for n in range(_FIRMWARE_PARTS)]
        minutes = rest[1 + _FIRMWARE_SIZE * _FIRMWARE_PARTS]
        found |= {"rssi": rest[0], "firmware": parts, "report_minutes": minutes}
    return found


def _modbus(payload: bytes) -> Description:
    """Serial and Modbus RTU; some meters answer without the serial."""
    for start in (f.SERIAL_SIZE, 0):
        inner = _whole_modbus(payload[start:])
        if inner is not None:
            address: Description = {} if start else {"address": ""}
            return {**address, "modbus": describe_modbus(inner)}
    return {"data": payload[f.SERIAL_SIZE :].hex().upper()}


def _upload(payload: bytes) -> Description:
    """``[[address((Modbus answer))]]``."""
    opening, between, closing = payload.find(b"[["), payload.find(b"(("), payload.rfind(b"))]]")
    if not 0 <= opening < between < closing:
        return {"data": payload.hex().upper(), "problem": "not of the form [[address((answer))]]"}
    inner = payload[between + 2 : closing]
    address = payload[opening + 2 : between]
    found: Description = {"address": _text(address) or address.hex().upper(), "data": inner.hex().upper()}
    answer = _whole_modbus(inner)
    if answer is None or answer.function != READ_HOLDING or not answer.data:
        return found | {"problem": "no Modbus answer with a right checksum"}
    block = answer.data
    found["modbus_unit"] = answer.unit
    if len(block) not in _BLOCKS:
        return found | {"problem": f"a block of {len(block)} bytes is not documented"}
    values = [
        {"name": f"energy {name}, raw", "value": str(int.from_bytes(block[at : at + 4], "big")), "unit": ""}
        for at, name in _ENERGIES.items()
    ]
    return found | {
        "values": values,
        "time_bytes": block[_UPLOAD_TIME].hex().upper(),
        "reliability": _UNVERIFIED,
    }


def _whole_modbus(data: bytes) -> Frame | None:
    """The one Modbus frame that these bytes are, None when they are not."""
    decoder = ModbusDecoder()
    found = decoder.scan(data)
    is_whole = len(found) == 1 and found[0].offset == 0 and found[0].size == len(data)
    return found[0].frame if is_whole else None


def _text(data: bytes) -> str:
    """ASCII without its padding; hexadecimal where it is none."""
    stripped = data.strip(b"\0 ")
    if all(0x20 <= byte < 0x7F for byte in stripped):
        return stripped.decode("ascii")
    return stripped.hex().upper()
