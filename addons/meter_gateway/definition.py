"""Checks of a meter model's definition: plain data in, a list of sentences out. No Odoo in here.

A definition is the dict the connector gets under ``models`` (see docs/rpc.md)::

    {"registers": [{"key": "total", "di": "00010000"}, ...],
     "block": ..., "switch": {"kind": "dlt645", ...}, "quirks": {...}, "parameters": ["trip_delay", ...]}
"""

import re
from decimal import Decimal, InvalidOperation

KEYS = frozenset(("registers", "block", "switch", "quirks", "parameters"))
#: The vocabulary of docs/protocols/meter-models.md.
REGISTER_KEYS = frozenset(
    ("key", "circuit", "unit", "name", "di", "index", "bit", "value", "scale")  # all protocols, 645, 188
    + ("address", "count", "type", "function", "word_order", "byte_order")  # Modbus
    + ("offset", "none", "mask", "shift")
    + ("on", "off", "pending")  # Modbus, key "switch"
)
KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,39}")
DI_DIGITS = {"dlt645-2007": 8, "dlt645-1997": 4, "cjt188": 4}
SWITCH_KINDS = {
    "dlt645-2007": "dlt645",
    "cjt188": "cjt188",
    "modbus-rtu": "modbus",
    "modbus-tcp": "modbus",
}
#: type -> words it takes
MODBUS_TYPES = {
    "uint16": 1,
    "int16": 1,
    "bcd16": 1,
    "uint32": 2,
    "int32": 2,
    "float32": 2,
    "bcd32": 2,
    "uint64": 4,
    "int64": 4,
}
#: What the register of the switch shows: the contactor itself, or only the command that was written.
READ_BACKS = ("state", "command")
WORD_ORDERS = ("high", "low", "high_first", "low_first", "big", "little")


def find_problems(definition, protocol, circuit_count=1, has_switch=False):
    """Everything wrong with a definition, each as a sentence that names the key; empty when it is good."""
    if not isinstance(definition, dict):
        return [f"the definition must be an object with registers, not {type(definition).__name__}"]
    problems = [
        f"{key}: unknown key; known are {', '.join(sorted(KEYS))}" for key in sorted(definition.keys() - KEYS)
    ]
    problems += _registers_problems(definition.get("registers"), protocol, circuit_count)
    problems += _switch_problems(definition.get("switch"), protocol, has_switch)
    if not isinstance(definition.get("quirks", {}), dict):
        problems.append("quirks: must be an object")
    names = definition.get("parameters", [])
    if not isinstance(names, list) or not all(
        isinstance(name, str) and KEY_PATTERN.fullmatch(name) for name in names
    ):
        problems.append("parameters: must be a list of names of settings")
    return problems


def _registers_problems(registers, protocol, circuit_count):
    if not isinstance(registers, list) or not registers:
        return ["registers: a list with at least one register is needed"]
    problems = []
    seen = set()
    for index, register in enumerate(registers):
        path = f"registers[{index}]"
        if not isinstance(register, dict):
            problems.append(f"{path}: must be an object")
            continue
        problems += [f"{path}.{key}: unknown key" for key in sorted(register.keys() - REGISTER_KEYS)]
        problems += _key_problems(path, register, circuit_count, seen)
        problems += _place_problems(path, register, protocol)
        if not _is_decimal(register.get("scale", "1")):
            problems.append(
                f'{path}.scale: {register["scale"]!r} is not a decimal written as text, such as "0.01"'
            )
    if not any(isinstance(register, dict) and register.get("key") == "total" for register in registers):
        problems.append("registers: no register has the key 'total'; without it nothing can be metered")
    return problems


def _key_problems(path, register, circuit_count, seen):
    key, circuit = register.get("key"), register.get("circuit", 1)
    if not isinstance(key, str) or not KEY_PATTERN.fullmatch(key):
        return [f"{path}.key: {key!r} must be lower case letters, digits and underscores"]
    if not isinstance(circuit, int) or isinstance(circuit, bool) or not 0 <= circuit <= circuit_count:
        return [f"{path}.circuit: {circuit!r} is not between 0 (all circuits) and {circuit_count}"]
    if (key, circuit) in seen:
        return [f"{path}.key: {key!r} of circuit {circuit} is there twice"]
    seen.add((key, circuit))
    return []


def _place_problems(path, register, protocol):
    """Where the value stands in the meter: a data identifier, or a Modbus register."""
    if protocol in DI_DIGITS:
        digits = DI_DIGITS[protocol]
        di = register.get("di")
        if not isinstance(di, str) or not re.fullmatch(rf"[0-9A-Fa-f]{{{digits}}}", di):
            return [f"{path}.di: {di!r} is not {digits} hexadecimal digits, as {protocol} needs"]
        return []
    return _modbus_problems(path, register)


def _modbus_problems(path, register):
    problems = []
    if not _is_register(register.get("address")):
        problems.append(f"{path}.address: {register.get('address')!r} is not a register number 0..65535")
    kind = register.get("type", "uint16")
    if kind not in MODBUS_TYPES:
        problems.append(f"{path}.type: {kind!r} is not one of {', '.join(MODBUS_TYPES)}")
    elif register.get("count", MODBUS_TYPES[kind]) != MODBUS_TYPES[kind]:
        problems.append(f"{path}.count: {kind} takes {MODBUS_TYPES[kind]} words, not {register['count']!r}")
    if register.get("word_order", "high") not in WORD_ORDERS:
        problems.append(f"{path}.word_order: {register['word_order']!r} is not high or low")
    if register.get("function", 3) not in (1, 2, 3, 4):
        problems.append(f"{path}.function: {register['function']!r} is not a reading function 1..4")
    return problems


def _switch_problems(switch, protocol, has_switch):
    if not switch:
        return ["switch: missing, but the model is marked as having a switch"] if has_switch else []
    if not has_switch:
        return ["switch: given, but the model is marked as having none"]
    if not isinstance(switch, dict):
        return ["switch: must be an object"]
    wanted = SWITCH_KINDS.get(protocol)
    if wanted is None:
        return [f"switch: {protocol} has no standard way to switch"]
    if switch.get("kind") != wanted:
        return [f"switch.kind: {switch.get('kind')!r} does not fit {protocol}; it must be {wanted!r}"]
    if wanted != "modbus":
        return []
    return _modbus_switch_problems(switch)


def _modbus_switch_problems(switch):
    """What to write where; ``write`` may hold it as an object of its own."""
    write = switch.get("write", switch)
    if not isinstance(write, dict):
        return ["switch.write: must be an object"]
    problems = []
    if switch.get("read_back", "state") not in READ_BACKS:
        problems.append(f"switch.read_back: {switch['read_back']!r} is not one of {', '.join(READ_BACKS)}")
    if not _is_register(write.get("address")):
        problems.append(f"switch.address: {write.get('address')!r} is not a register number 0..65535")
    if write.get("function", 16) not in (5, 6, 15, 16):
        problems.append(f"switch.function: {write['function']!r} is not a writing function 5, 6, 15 or 16")
    for key in ("on", "off"):
        words = write.get(key)
        if not _is_word(words) and not (isinstance(words, list) and words and all(map(_is_word, words))):
            problems.append(f"switch.{key}: {words!r} is not a register value 0..65535, nor a list of them")
    return problems


def _is_word(value):
    return isinstance(value, int) and 0 <= value <= 0xFFFF


def _is_register(value):
    """A number, or hexadecimal text such as "0x000B"."""
    if isinstance(value, str):
        return bool(re.fullmatch(r"0x[0-9A-Fa-f]{1,4}", value))
    return _is_word(value) and not isinstance(value, bool)


def _is_decimal(value):
    try:
        return isinstance(value, str) and Decimal(value).is_finite() and Decimal(value) != 0
    except InvalidOperation:
        return False
