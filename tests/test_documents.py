"""The documents point at things that exist, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not {".local", "node_modules"} & set(path.relative_to(ROOT).parts)
)


def test_there_are_documents() -> None:
    assert {"README.md", "README.zh_CN.md", "ARCHITECTURE.md"} <= {path.name for path in DOCUMENTS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = [
        target for target in LINK.findall(document.read_text()) if not target.startswith(("http", "mailto:"))
    ]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing, f"{document.relative_to(ROOT)} links to {missing}"


def test_both_readmes_name_the_same_commands_and_pictures() -> None:
    def facts(name: str) -> set[str]:
        text = (ROOT / name).read_text()
        return set(re.findall(r"\bbin/\w+|docs/[\w./-]+\.(?:md|png)|addons/\w+", text))

    assert facts("README.md") == facts("README.zh_CN.md")


def test_every_command_of_the_readme_exists_and_tells_what_it_does() -> None:
    names = set(re.findall(r"`bin/(\w+)", (ROOT / "README.md").read_text()))
    assert names >= {"setup", "demo", "test", "lint", "bench"}
    for name in names:
        command = ROOT / "bin" / name
        assert command.stat().st_mode & 0o111, f"bin/{name} is not executable"
        assert '"""' in command.read_text(), f"bin/{name} has no description"


def test_architecture_stays_readable_in_one_sitting() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 200


def test_every_case_against_payments_is_listed_with_tests_that_exist() -> None:
    page = (ROOT / "docs/payment-security.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", page, re.MULTILINE)
    assert [int(number) for number, _tests in rows] == list(range(1, 46))
    listed = {
        (path, name)
        for _number, tests in rows
        for part in tests.split("<br>")
        for path, names in [part.split(": ", 1)]
        for name in re.findall(r"`(test_\w+)`", names)
    }
    missing = [
        f"{path}: {name}"
        for path, name in sorted(listed)
        if f"def {name}(" not in (ROOT / ("" if path.startswith("tests/") else "addons") / path).read_text()
    ]
    assert not missing
    cases = {
        (str(path.relative_to(ROOT / "addons")), name)
        for path in (ROOT / "addons").glob("payment_*/tests/test_*.py")
        for name in re.findall(r"def (test_case_(?!00|46)\w+)\(", path.read_text())
    }
    assert not cases - listed, "tests of cases that the page does not list"
