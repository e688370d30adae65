"""The running product, brought up once for the whole story."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stack import odoo_source
from stack.site import Site, SiteOptions

from .timeline import Timeline
from .world import World

DEFAULT_SEED = 20261121


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    seed = request.config.getoption("--seed")
    seed = DEFAULT_SEED if seed is None else seed
    timeline = Timeline()
    timeline.tell(f"seed {seed} (run again with: bin/demo --check --seed {seed})")
    site = Site(odoo_source.ensure(), SiteOptions(database="story", seed=seed, keep=False))
    try:
        with timeline.measured("database, simulated estate, Odoo in prefork and connector are up"):
            site.start()
        yield World(site, timeline, seed)
    finally:
        site.stop()
        print(timeline.table())


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember that a step of a story failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.parent.story_failed_at = item.name


@pytest.fixture
def stop_at_first_failure(request: pytest.FixtureRequest) -> None:
    failed = getattr(request.node.parent, "story_failed_at", None)
    if failed:
        pytest.fail(f"the story ended at {failed}", pytrace=False)
