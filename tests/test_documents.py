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
