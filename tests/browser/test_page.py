"""The report's page as a reader with a mouse, a keyboard or a printer meets it, in a real Chromium (by Playwright)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import fleetmaker
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import file_changes, refusal
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import totals_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _model as model
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._manual import PAGE, entry_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._sources import read_evidence


class Fleet:
    """A page on disk and the report that it shows."""

    def __init__(self, folder: Path, count: int, hosts: tuple[str, ...] = ()) -> None:
        names = fleetmaker.make(folder, count, runs=5, without=1, hosts=hosts)
        found = read_evidence([folder / "evidence"], names, None, fleetmaker.AT)
        run = model.Run(fleetmaker.AT, totals_of(host.verdict for host in found.hosts))
        self.report = model.Report(fleetmaker.AT, found.hosts, [*found.trend, run], found.last_run)
        self.path = folder / "report.html"
        self.path.write_text(_formats.render("html", self.report), encoding="utf-8")
        self.url = self.path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert program, "no Chromium is installed: sh scripts/tools"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="module", params=[1000, 10000])
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
    opened.on(
        "request",
        lambda request: (
            wrong.append(f"request: {request.url[:200]}")
            if request.url.split("#")[0] not in (fleet.url, "data:,")
            else None
        ),
    )

    def refuse(dialog: object) -> None:
        wrong.append("a dialog: a script of a name has run")
        dialog.dismiss()  # type: ignore[attr-defined]

    opened.on("dialog", refuse)
    opened.goto(fleet.url)
    yield opened
    context.close()
    assert wrong == []


def names(page: Page) -> list[str]:
    """The hosts of the table, as they show."""
    return page.locator("#hosts tbody th").all_inner_texts()


def order(fleet: Fleet) -> list[str]:
    """All hosts in the order in which the page shows them at first."""
    return [visible(host.host) for host in fleet.report.worst_first()]


def names_of(fleet: Fleet, **wanted: str) -> set[str]:
    """The hosts of a verdict."""
    return {visible(host.host) for host in fleet.report.hosts if host.verdict == wanted["verdict"]}


def test_it_opens_with_the_headline_the_totals_and_the_worst_hosts(page: Page, fleet: Fleet) -> None:
    assert page.inner_text("h1") in model.headline(fleet.report)
    for verdict, count in fleet.report.totals.items():
        assert page.locator(f'.total[data-verdict="{verdict}"] b').inner_text() == str(count)
    assert names(page) == order(fleet)[:100]
    expect(page.locator("#shown")).to_have_text(f"1–100 of {len(fleet.report.hosts)} hosts")


def test_every_host_can_be_paged_to(page: Page, fleet: Fleet) -> None:
    seen = names(page)
    while page.locator("#next").is_enabled():
        page.locator("#next").click()
        seen += names(page)
    assert seen == order(fleet)


def test_the_filter_gives_the_right_rows(page: Page, fleet: Fleet) -> None:
    page.fill("#filter", "cm77.EXAMPLE")
    assert names(page) == ["cm77.example.org"]
    page.fill("#filter", "timed out ssh:")  # words of a reason, in any order
    everything = [host for host in fleet.report.worst_first() if "timed out" in " ".join(host.reasons)]
    assert names(page) == [host.host for host in everything][:100]
    page.fill("#filter", "no such host at all")
    assert names(page) == []
    expect(page.locator("#rest")).to_have_text("No host matches the filter.")
    page.click("#clear")
    assert names(page) == order(fleet)[:100]


def test_verdicts_filter_together(page: Page, fleet: Fleet) -> None:
    page.click('[data-verdict="waived"]')
    page.click('[data-verdict="unknown"]')
    expect(page.locator('[aria-pressed="true"]')).to_have_count(2)
    wanted = names_of(fleet, verdict="waived") | names_of(fleet, verdict="unknown")
    expect(page.locator("#shown")).to_contain_text(f" of {len(wanted)} hosts (filtered from {len(fleet.report.hosts)})")
    assert set(names(page)) <= wanted
    page.click('[data-verdict="unknown"]')
    expect(page.locator("#shown")).to_contain_text(f" of {len(names_of(fleet, verdict='waived'))} hosts")


def test_a_disc_of_the_map_shows_its_hosts(page: Page, fleet: Fleet) -> None:
    members = model.clusters(fleet.report.hosts)[("proxy-b.example.org:3128", "proxy_unreachable")]
    line = page.locator(".map tbody tr", has_text="proxy-b.example.org:3128")
    expect(line).to_contain_text(f"all {len(members)} fail")
    line.locator("a.failed").click()
    expect(page.locator("#shown")).to_contain_text(f" of {len(members)} hosts")
    assert set(names(page)) <= {visible(host.host) for host in members}
    page.locator("#hosts tbody a").first.click()
    page.click(".back")
    expect(page.locator("#shown")).to_contain_text(f" of {len(members)} hosts")
    page.click("#clear")
    expect(page.locator("#shown")).to_have_text(f"1–100 of {len(fleet.report.hosts)} hosts")
    assert names(page) == order(fleet)[:100]


def test_sorting_by_keyboard(page: Page, fleet: Fleet) -> None:
    head = page.locator('th[data-key="host"]')
    page.locator("#next").focus()
    page.keyboard.press("Tab")  # verdict
    page.keyboard.press("Tab")
    expect(head.locator("button")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("[aria-sort]")).to_have_count(1)
    ascending = [name for name in names(page) if re.fullmatch(r"cm\d+.example.org", name)]
    assert ascending == sorted(ascending, key=model.natural)
    assert len(ascending) > 80
    page.keyboard.press("Space")
    expect(head).to_have_attribute("aria-sort", "descending")
    first = names(page)[0]
    assert first == max((host.host for host in fleet.report.hosts if host.host.startswith("oc")), key=model.natural)


@pytest.mark.parametrize(
    ("key", "of"), [("age", lambda host: host.age), ("2", lambda host: model.clock(host, "running").text)]
)
def test_sorting_by_another_column(page: Page, fleet: Fleet, key: str, of: Callable[[model.Host], object]) -> None:
    page.locator(f'th[data-key="{key}"] button').click()
    page.locator(f'th[data-key="{key}"] button').click()
    by_name = {visible(host.host): of(host) for host in fleet.report.hosts}
    shown = [by_name[name] for name in names(page)]
    assert shown == sorted(shown, key=lambda value: (value is None, value or ""), reverse=True)


def test_a_host_opens_by_keyboard_and_the_focus_comes_back(page: Page, fleet: Fleet) -> None:
    page.fill("#filter", "restart is owed")
    wanted = next(host for host in fleet.report.worst_first() if host.verdict == "restart_pending")
    page.locator("#hosts tbody a").first.focus()
    page.keyboard.press("Enter")
    detail = page.locator("#detail")
    expect(detail.locator("h2")).to_have_text(wanted.host)
    expect(detail.locator("h2")).to_be_focused()
    expect(page.locator("#fleet")).to_be_hidden()
    text = detail.inner_text()
    for reason in wanted.reasons:
        assert reason in text
    means = detail.locator("a", has_text="what to do").first
    assert means.get_attribute("href") == f"{PAGE}#{entry_of(wanted.reasons[0])}" == f"{PAGE}#restart-owed"
    assert "/etc/default/cloudbees-core-" in text
    assert f"cbops.telemetry.enforce -i INVENTORY --limit {wanted.host} -e telemetry_restart=now" in text
    assert "3 h old" in text
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".back")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#hosts tbody a").first).to_be_focused()
    assert page.input_value("#filter") == "restart is owed"


def test_a_host_has_an_address_of_its_own(page: Page, fleet: Fleet) -> None:
    host = fleet.report.worst_first()[-1].host
    page.goto(f"{fleet.url}#/host/{quote(host, safe='')}")
    expect(page.locator("#detail h2")).to_have_text(host)
    page.goto(f"{fleet.url}#/host/nobody")
    expect(page.locator("#detail")).to_be_hidden()
    page.goto(f"{fleet.url}#/%E0%A4%A")
    expect(page.locator("#hosts")).to_be_visible()


def test_no_evidence_says_so(page: Page, fleet: Fleet) -> None:
    missing = fleet.report.hosts[0].host
    page.goto(f"{fleet.url}#/host/{missing}")
    expect(page.locator("#detail")).to_contain_text("no evidence was filed for it")
    expect(page.locator("#detail")).to_contain_text("Evidence\nnone", use_inner_text=True)


def test_a_hostile_name_is_text(page: Page, fleet: Fleet) -> None:
    """Nothing of it runs (the page's fixture would see a dialog, an error or a request), and it shows whole."""
    for name in fleetmaker.HOSTILE:
        check_hostile(page, fleet, name)


def check_hostile(page: Page, fleet: Fleet, name: str) -> None:
    """One name, in its own page and in the table."""
    page.goto(f"{fleet.url}#/host/{quote(name, safe='')}")
    expect(page.locator("#detail h2")).to_have_text(visible(name))
    assert page.locator("#detail script, #detail img").count() == 0
    elsewhere = page.locator("#detail a:not(.back)").evaluate_all("all => all.map(one => one.href)")
    assert all(re.fullmatch(f"{re.escape(PAGE)}#[a-z_-]+", address) for address in elsewhere)
    page.click(".back")
    page.fill("#filter", name.split(maxsplit=1)[0])
    assert visible(name) in names(page)
    links = page.locator("#hosts tbody a").evaluate_all("all => all.map(one => one.protocol + one.hash.slice(0, 7))")
    assert set(links) == {"file:#/host/"}
    assert page.locator("#hosts script, #hosts img").count() == 0


def test_a_script_from_elsewhere_is_refused(browser: Browser, tmp_path: Path) -> None:
    """The page's own policy holds even where something had slipped in."""
    fleet = Fleet(tmp_path, 10)
    text = fleet.path.read_text(encoding="utf-8")
    fleet.path.write_text(
        text.replace(
            "</main>",
            "<script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\"></main>",
        ),
        encoding="utf-8",
    )
    opened = browser.new_page()
    refused: list[str] = []
    opened.on("console", lambda message: refused.append(message.text))
    opened.goto(fleet.url)
    expect(opened.locator("#hosts tbody tr")).to_have_count(10)
    assert opened.title() != "broken"
    assert sum("Content Security Policy" in text for text in refused) >= 2
    opened.close()


def test_print_shows_the_worst_hosts_and_says_what_it_leaves_out(page: Page, fleet: Fleet, tmp_path: Path) -> None:
    page.evaluate("""addEventListener("beforeprint", () => {
        const rows = document.querySelectorAll("#hosts tbody tr").length;
        window.printed = [rows, document.getElementById("rest").textContent];
    })""")
    page.pdf(path=tmp_path / "page.pdf", format="A4", landscape=True)
    count = len(fleet.report.hosts)
    rows, rest = page.evaluate("window.printed")
    assert rows == 1000
    assert rest == f"{count - 1000} more hosts are not printed; the CSV report has them all."
    assert (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") > 10
    assert names(page) == order(fleet)[:100]  # afterwards as before
    page.emulate_media(media="print")
    expect(page.locator("#filter")).to_be_hidden()
    expect(page.locator("#next")).to_be_hidden()
    expect(page.locator("#hosts thead")).to_be_visible()


def test_print_of_one_host(page: Page, fleet: Fleet) -> None:
    page.goto(f"{fleet.url}#/host/{fleet.report.worst_first()[20].host}")
    page.emulate_media(media="print")
    expect(page.locator("#detail pre").first).to_be_visible()
    expect(page.locator(".back")).to_be_hidden()


_CONTRAST = """() => {
    const part = (value) => { value /= 255; return value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4; };
    const light = ([red, green, blue]) => .2126 * part(red) + .7152 * part(green) + .0722 * part(blue);
    const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const colour = numbers(getComputedStyle(one).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
    };
    const found = {};
    for (const one of document.querySelectorAll("body *")) {
        const own = [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
        if (!own || !one.checkVisibility() || one.closest(".disc, :disabled")) continue;
        const pair = [light(numbers(getComputedStyle(one).color)), light(behind(one))].sort((a, b) => b - a);
        const ratio = (pair[0] + .05) / (pair[1] + .05);
        if (ratio < 4.5) found[one.className + ": " + one.textContent.slice(0, 30)] = ratio;
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page: Page, scheme: str) -> None:
    """The contrast of WCAG 2 AA, 4.5 to 1, in both colour schemes, of the fleet and of a host."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 200) == (scheme == "dark")
    assert page.evaluate(_CONTRAST) == {}
    page.locator("#hosts tbody a").nth(20).click()
    assert page.evaluate(_CONTRAST) == {}


def test_verdicts_and_cells_say_in_words_and_signs_what_their_colour_says(page: Page) -> None:
    row = page.locator("#hosts tbody tr", has_text="violation").first
    assert row.locator(".badge").inner_text() == "violation"
    assert row.locator(".badge use").get_attribute("href") == "#s-violation"
    assert row.locator(".state.v-violation use").count() > 0
    marks = page.locator(".state.v-violation").evaluate_all("all => all.map(one => one.title)")
    assert set(marks) == {"against the policy"}


def test_a_narrow_screen_scrolls_only_the_tables(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_changed_is_found_by_run_file_and_host(browser: Browser, tmp_path: Path) -> None:
    names = fleetmaker.make(tmp_path, 3)
    first, second = "20260101T000000Z-00000000", "20260102T000000Z-00000000"
    edit = {"kind": "edit", "file": "/etc/default/<b>cm", "before": None, "after": "1" * 64, "backup": None}
    file_changes(tmp_path, names[0], [edit], first)
    file_changes(tmp_path, names[1], [refusal("restart", "the window is closed")], second)
    found = read_evidence([tmp_path / "evidence"], names, None, fleetmaker.AT)
    path = tmp_path / "report.html"
    path.write_text(_formats.render("html", model.Report(fleetmaker.AT, found.hosts, changes=found.changes)))
    context = browser.new_context(offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(path.as_uri())
    lines = page.locator("#changes tbody tr")
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text(second)
    page.fill("#filter", first)
    expect(lines).to_have_count(1)
    expect(lines.first).to_contain_text("/etc/default/<b>cm")
    expect(page.locator("#hosts tbody tr")).to_have_count(1)
    page.fill("#filter", "window closed")
    expect(lines).to_have_count(1)
    expect(lines.first).to_contain_text(names[1])
    lines.first.locator("a").click()
    expect(page.locator("#detail")).to_contain_text("What changed, when, by which run")
    expect(page.locator("#detail")).to_contain_text("restart refused")
    context.close()
    assert wrong == []


# -- a page that is opened later ----------------------------------------------------------------------


def _greens(page: Page) -> int:
    """How many verdicts and cells are shown in the colour of what is right."""
    return page.evaluate(
        """() => {
          const green = getComputedStyle(document.querySelector(".total[data-verdict=compliant]")).getPropertyValue("--compliant");
          const probe = document.createElement("i");
          probe.style.color = green;
          document.body.append(probe);
          const colour = getComputedStyle(probe).color;
          probe.remove();
          return [...document.querySelectorAll("#hosts tbody *, .total *, #detail *")].filter((one) => {
            const style = getComputedStyle(one);
            return one.getClientRects().length && (style.color === colour || style.stroke === colour);
          }).length;
        }"""
    )


@pytest.mark.parametrize(
    ("opened", "made", "grey"),
    [
        ("2026-11-23T12:00:30Z", None, False),
        ("2026-11-26T08:59:00Z", "2 days", False),  # the evidence is of 3 hours before the page
        ("2026-11-26T09:01:00Z", "2 days", True),
        ("2027-02-01T00:00:00Z", "69 days", True),
        ("2020-01-01T00:00:00Z", None, False),  # a clock that is behind makes nothing younger
    ],
)
def test_an_old_page_says_so_and_shows_no_green(
    browser: Browser, tmp_path: Path, opened: str, made: str | None, grey: bool
) -> None:
    names_ = fleetmaker.make(tmp_path, 40)
    found = read_evidence([tmp_path / "evidence"], names_, None, fleetmaker.AT, 3 * 86400)
    path = tmp_path / "report.html"
    path.write_text(_formats.render("html", model.Report(fleetmaker.AT, found.hosts, max_age=3 * 86400)))
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.clock.install(time=opened)
    page.goto(path.as_uri())
    note = page.locator("#old")
    if made is None:
        expect(note).to_be_hidden()
    else:
        expect(note).to_contain_text(f"This page was made {made} ago.")
    assert (_greens(page) == 0) is grey
    host = next(host.host for host in found.hosts if host.verdict == "compliant")
    page.goto(f"{path.as_uri()}#/host/{host}")
    expect(page.locator("#detail .badge").first).to_contain_text("compliant")
    assert (_greens(page) == 0) is grey
    expect(page.locator("#detail .badge.past")).to_have_count(int(grey))
    context.close()
    assert wrong == []


def test_a_page_that_stays_open_gets_old(browser: Browser, tmp_path: Path) -> None:
    names_ = fleetmaker.make(tmp_path, 40)
    found = read_evidence([tmp_path / "evidence"], names_, None, fleetmaker.AT, 3 * 86400)
    path = tmp_path / "report.html"
    path.write_text(_formats.render("html", model.Report(fleetmaker.AT, found.hosts, max_age=3 * 86400)))
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    page.clock.install(time=fleetmaker.AT)
    page.goto(path.as_uri())
    assert _greens(page) > 0
    page.clock.fast_forward(80 * 3600 * 1000)
    assert _greens(page) == 0
    expect(page.locator("#old")).to_contain_text("(telemetry_max_age)")
    context.close()


@pytest.mark.parametrize(("opened", "ended"), [("2026-12-31T23:58:00Z", False), ("2027-01-01T00:01:00Z", True)])
def test_a_waiver_that_has_ended_since_is_grey(browser: Browser, tmp_path: Path, opened: str, ended: bool) -> None:
    names_ = fleetmaker.make(tmp_path, 40)
    found = read_evidence([tmp_path / "evidence"], names_, None, fleetmaker.AT)
    waived = [host.host for host in found.hosts if host.verdict == "waived"]
    assert waived
    path = tmp_path / "report.html"
    path.write_text(_formats.render("html", model.Report(fleetmaker.AT, found.hosts)))
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.clock.install(time=opened)
    page.goto(path.as_uri())
    said = f"The waivers of {len(waived)} hosts have ended since."
    assert (said in (page.locator("#old").text_content() or "")) is ended
    expect(page.locator(".total.past[data-verdict=waived]")).to_have_count(int(ended))
    expect(page.locator(".total.past[data-verdict=compliant]")).to_have_count(0)
    page.goto(f"{path.as_uri()}#/host/{waived[0]}")
    expect(page.locator("#detail .badge.v-waived.past")).to_have_count(int(ended))
    context.close()
    assert wrong == []


def test_without_a_limit_nothing_is_greyed(browser: Browser, tmp_path: Path) -> None:
    names_ = fleetmaker.make(tmp_path, 40)
    found = read_evidence([tmp_path / "evidence"], names_, None, fleetmaker.AT)
    path = tmp_path / "report.html"
    path.write_text(_formats.render("html", model.Report(fleetmaker.AT, found.hosts)))
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    page.clock.install(time="2027-02-01T00:00:00Z")
    page.goto(path.as_uri())
    expect(page.locator("#old")).to_have_text(
        "This page was made 69 days ago. The waivers of 2 hosts have ended since."
    )
    assert _greens(page) > 0
    context.close()


def test_events_of_a_host(browser: Browser, tmp_path: Path) -> None:
    """What plugins name, each with its version, and what is new; names that are markup stay text."""
    event = {"kind": "event", "mark": "seen", "field": "d.X.Y", "file": "/p!x"}
    rows = [{**event, "name": "<img src=x onerror=alert(1)>", "summary": "Sent often."}, {**event, "name": "b"}]
    plugins = [{"plugin": "demo", "version": "1.1", "file": "/p", "mark": "seen", "events": rows}]
    entry = {
        **fleetmaker.installation("cm", "controller", "disabled", "disabled", "disabled"),
        "events": {
            "mark": "seen",
            "archives": 1,
            "classes": 2,
            "plugins": plugins,
            "unread": [{"file": "/q.jpi", "reason": "it is empty"}],
            "served": {"mark": "unknown", "reason": "its markup is another", "events": []},
        },
    }
    host = model.Host(
        {
            "host": "cm1",
            "verdict": "compliant",
            "reasons": [],
            "warnings": [],
            "policy": {"desired": "disabled", "connectivity": "ignored"},
            "state": {"installations": [entry], "connectivity": []},
        },  # type: ignore[typeddict-item]
        events_changed=("cm: an event is new: b (of demo 1.1)",),
    )
    path = tmp_path / "report.html"
    path.write_text(_formats.render("html", model.Report(fleetmaker.AT, [host])), encoding="utf-8")
    opened = browser.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: wrong.append(dialog.message))
    opened.goto(f"{path.as_uri()}#/host/cm1")
    detail = opened.locator("#detail")
    expect(detail).to_contain_text("What its plugins say they send")
    expect(detail.locator("tr", has_text="Sent often.")).to_contain_text("demo 1.1")
    expect(detail.locator("tr", has_text="Sent often.")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(detail.locator("tr", has_text="the product's own list")).to_contain_text("its markup is another")
    expect(detail).to_contain_text("/q.jpi: it is empty")
    expect(detail).to_contain_text("cm: an event is new: b (of demo 1.1)")
    assert wrong == []
    opened.close()


def test_the_auditor_s_page_is_printed(browser: Browser, tmp_path: Path) -> None:
    names_ = fleetmaker.make(tmp_path, 40, hosts=fleetmaker.HOSTILE)
    found = read_evidence([tmp_path / "evidence"], names_, None, fleetmaker.AT, 3 * 86400)
    path = tmp_path / "report.auditor.html"
    path.write_text(_formats.render("auditor", model.Report(fleetmaker.AT, found.hosts, max_age=3 * 86400)))
    context = browser.new_context(offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(path.as_uri())
    parts = ["Scope", "Coverage", "Method, and the proof of each claim", "Exceptions", "What this cannot prove"]
    heads = page.locator("h2").all_inner_texts()
    assert [head.partition(". ")[2] for head in heads] == [*parts, "Signatures"]
    assert page.locator("#hosts tbody th").count() == len(found.hosts)
    assert page.locator("#exceptions tbody tr").count() == sum(host.waiver is not None for host in found.hosts) > 0
    assert page.locator("#hosts").evaluate("one => getComputedStyle(one).borderCollapse") == "collapse"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF-")
    context.close()
    assert wrong == []
