"""The slave of `dlt645`, one for a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from peerhelp import ADDRESS, free_port, peer


@pytest.fixture(scope="module")
def slave() -> Iterator[int]:
    """Its port."""
    port = free_port()
    with peer("peer_slave.py", port, ADDRESS) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield port
