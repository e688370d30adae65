"""The kinds of events that the code makes, those of the table, and those of docs/rpc.md are the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import meter_connector
from meter_connector.events import KINDS

SOURCE = Path(meter_connector.__file__).parent
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "rpc.md"
MAKERS = {"tell", "tell_limited", "tell_drift", "_tell_meter", "_event", "_report_problems", "Event"}


def rows() -> dict[str, frozenset[str]]:
    section = DOCUMENT.read_text().split("### Kinds of events")[1].split("\n| answer key")[0]
    found: dict[str, frozenset[str]] = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            kinds, keys, _effect, teller = (cell.strip() for cell in line.split("|")[1:-1])
            if teller == "connector":
                found |= dict.fromkeys(re.findall(r"`(\w+)`", kinds), frozenset(re.findall(r"`(\w+)`", keys)))
    return found


def made() -> set[str]:
    """Every text in the code that is a kind handed to what makes events, or names the event of an own order."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if "simulator" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "func", None)
            if isinstance(node, ast.Call) and getattr(name, "attr", getattr(name, "id", "")) in MAKERS:
                texts = [one for argument in node.args for one in ast.walk(argument)]
                found |= {
                    str(one.value) for one in texts if isinstance(one, ast.Constant) and _is_kind(one.value)
                }
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "kind":
                found |= {
                    str(one.value)
                    for one in ast.walk(node.value)
                    if isinstance(one, ast.Constant) and _is_kind(one.value)
                }
            elif isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found |= {
                    str(value.value)
                    for key, value in pairs
                    if isinstance(key, ast.Constant)
                    and key.value in ("event", "over")
                    and isinstance(value, ast.Constant)
                }
    return found


def _is_kind(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)+", value) is not None


def test_the_document_and_the_table_name_the_same() -> None:
    assert rows() == dict(KINDS)


def test_the_code_makes_what_the_table_names_and_nothing_else() -> None:
    others = {"switch_on", "switch_off"}  # kinds of orders
    assert made() - others == set(KINDS)
