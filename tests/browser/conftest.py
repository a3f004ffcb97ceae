"""A real browser for the report's page: Chromium as the system has it, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fleetmaker
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.cbops.telemetry.plugins.plugin_utils._report import _formats
from ansible_collections.cbops.telemetry.plugins.plugin_utils._report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils._report._gather import gather


class Fleet:
    """A page on disk and the report that it shows."""

    def __init__(self, folder: Path, count: int, hosts: tuple[str, ...] = ()) -> None:
        names = fleetmaker.make(folder, count, runs=5, without=1, hosts=hosts)
        found = gather([folder / "evidence"], names, None, fleetmaker.AT)
        run = model.Run(fleetmaker.AT, model.totals_of(host.verdict for host in found.hosts))
        self.report = model.Report(fleetmaker.AT, found.hosts, [*found.trend, run], found.last_run)
        self.path = folder / "report.html"
        self.path.write_text(_formats.render("html", self.report), encoding="utf-8")
        self.url = self.path.as_uri()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert program, "no Chromium is installed: sh scripts/tools"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="session", params=[1000, 10000])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A fleet of 1,000 and one of 10,000 hosts, hostile names among them."""
    return Fleet(tmp_path_factory.mktemp("fleet"), request.param, fleetmaker.HOSTILE)


@pytest.fixture
def page(browser: Browser, fleet: Fleet) -> Iterator[Page]:
    """The fleet's page, opened; no error on the console, no request but for the file itself, no dialog, to the end."""
    context = browser.new_context(offline=True, color_scheme="light", viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(20000)
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    opened.on("request", lambda request: wrong.append(f"request: {request.url[:200]}")
              if request.url.split("#")[0] not in (fleet.url, "data:,") else None)

    def refuse(dialog: object) -> None:
        wrong.append("a dialog: a script of a name has run")
        dialog.dismiss()  # type: ignore[attr-defined]

    opened.on("dialog", refuse)
    opened.goto(fleet.url)
    yield opened
    context.close()
    assert wrong == []
