"""Time and memory of a report on N hosts: ``python -m tests.bench.report [N]``, or ``make bench-report``.

The evidence is written first (not measured). Each figure comes from a process of its own: the formats one by one, all
of them together, and the whole ``ansible-playbook cbops.telemetry.report`` with an inventory of N hosts. Then, where
Chromium is installed, what a reader of the page waits for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
os.chdir(CHECKOUT)
sys.path[:0] = [str(CHECKOUT / ".build/collections"), str(CHECKOUT / "tests/unit")]

ONE = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
import fleetmaker
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import write_text
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _formats, _model, _sources
folder = Path(sys.argv[1])
hosts = (folder / "hosts").read_text().split()
found = _sources.read_evidence([folder / "evidence"], hosts, None, fleetmaker.AT)
report = _model.Report(fleetmaker.AT, found.hosts, found.trend, found.last_run)
for name in sys.argv[2:]:
    write_text(folder / f"report{{_formats.FORMATS[name][0]}}", _formats.pieces(name, report))
"""


def measure(command: list[str]) -> tuple[float, float, int]:
    """Seconds by the clock, seconds of CPU, and MB of the largest process of those that the command ran."""
    began = time.monotonic()
    pid = os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _pid, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 2):  # 2: the policy is not met
        raise SystemExit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def say(what: str, figures: tuple[float, float, int], path: Path | None = None) -> None:
    """One line of the table."""
    size = f"{path.stat().st_size / 1e6:.1f} MB" if path else ""
    print(f"| {what} | {figures[0]:.1f} s | {figures[1]:.1f} s | {figures[2]} MB | {size} |", flush=True)


def browse(path: Path) -> None:
    """What a reader of the page waits for, in milliseconds, by the page's own clock."""
    program = shutil.which("chromium")
    if program is None:
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("#hosts tbody tr")
        opened = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        timed = """(act) => { const began = performance.now(); eval(act); document.body.offsetHeight;
                              return performance.now() - began; }"""
        typed = "const box = document.getElementById('filter'); box.value = '{}'; box.dispatchEvent(new Event('input'))"
        filtered, again = (page.evaluate(timed, typed.format(words)) for words in ("proxy-b", ""))
        ordered = page.evaluate(timed, "document.querySelector('th[data-key=host] button').click()")
        browser.close()
    print(f"page: opened in {opened:.0f} ms, filter {filtered:.0f} ms, next {again:.0f} ms, sort {ordered:.0f} ms")


def main(count: int) -> None:
    """Measure and print a table in Markdown."""
    import fleetmaker

    from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._formats import FORMATS

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hosts = fleetmaker.make(folder, count, runs=30)
        (folder / "hosts").write_text("\n".join(hosts) + "\n")
        program = [sys.executable, "-c", ONE.format(path=sys.path[:2]), str(folder)]
        print(f"| {count} hosts, 30 runs | time | CPU | memory | size |\n|---|---|---|---|---|")
        say("reading alone", measure(program))
        for format_, (ending, _render) in FORMATS.items():
            say(f"reading and {format_}", measure([*program, format_]), folder / f"report{ending}")
        say("reading and all formats", measure([*program, *FORMATS]))
        play = [
            str(CHECKOUT / ".venv/bin/ansible-playbook"),
            "cbops.telemetry.report",
            "-i",
            str(folder / "hosts"),
            "-e",
            f"telemetry_reports_dir={folder}",
            "-e",
            "telemetry_fail_hosts=false",
        ]
        say("the whole playbook, `json` and `html`", measure(play))
        say(
            "the whole playbook, all formats",
            measure([*play, "-e", f'{{"telemetry_report_formats": {list(FORMATS)}}}'.replace("'", '"')]),
        )
        browse(folder / "report.html")
        print(subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip(), "cores")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000)
