"""Draining a controller over HTTP, and the failure budget of a run; the server here answers as Jenkins does."""

from __future__ import annotations

import base64
import contextlib
import json
import multiprocessing
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible import constants

from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _coordination as budgets
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._controller import (
    Controller,
    ControllerError,
    drain,
    ending_in_order,
    start_again_after_others,
)

TOKEN = "11aa-secret-token"  # noqa: S105


class Jenkins(ThreadingHTTPServer):
    """Its state, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ended = threading.Event()
        self.quiet = False
        self.starting = False
        self.reasons: list[str] = []
        self.calls: list[str] = []
        self.builds: list[list[str]] = []  # running at each look, the last stays
        self.pipeline = True
        self.broken = ""
        self.odd: object = None  # what it answers to the question for its builds

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """A few endpoints."""

    server: Jenkins

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def answer(self, status: int, document: object = "") -> None:
        """Send an answer."""
        text = document if isinstance(document, str) else json.dumps(document)
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", "/")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self) -> None:
        """What can be read."""
        path = urlsplit(self.path).path
        self.server.calls.append(path)
        if self.server.starting:
            return self.answer(503, "Please wait while Jenkins is getting ready to work")
        if self.server.broken == path:
            return self.answer(500, "oops")
        if path == "/api/json":
            return self.answer(
                200,
                {
                    "quietingDown": self.server.quiet,
                    "quietDownReason": self.server.reasons[-1] if self.server.quiet and self.server.reasons else None,
                },
            )
        if path == "/whoAmI/api/json":
            return self.answer(200, {"authenticated": True})
        if path == "/computer/api/json" and self.server.odd is not None:
            return self.answer(200, self.server.odd)
        if path == "/slow":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.ended.wait(0.05):
                    self.wfile.write(b"x")
            return None
        if path == "/computer/api/json":
            running = self.server.builds[0] if self.server.builds else []
            if len(self.server.builds) > 1:
                del self.server.builds[0]
            executors = [{"currentExecutable": {"url": f"http://x/{n}", "fullDisplayName": n}} for n in running]
            kind = "oneOffExecutors" if self.server.pipeline else "executors"
            return self.answer(200, {"computer": [{"executors": [{"currentExecutable": None}]}, {kind: executors}]})
        return self.answer(404)

    def do_POST(self) -> None:
        """What changes something needs an API token."""
        parts = urlsplit(self.path)
        self.server.calls.append(parts.path)
        wanted = "Basic " + base64.b64encode(f"jo:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            return self.answer(403, "No valid crumb was included in the request")
        if parts.path == "/quietDown":
            self.server.quiet = True
            self.server.reasons += parse_qs(parts.query)["reason"]
            return self.answer(302)
        if parts.path == "/cancelQuietDown":
            self.server.quiet = False
            return self.answer(302)
        return self.answer(404)


@pytest.fixture
def jenkins() -> Iterator[Jenkins]:
    """A server."""
    server = Jenkins()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def drained(jenkins: Jenkins, seconds: float = 60, token: str = TOKEN) -> list[str]:
    """Drain it without waiting; the builds that still run."""
    clock = Clock()
    return drain(
        Controller(jenkins.url + "/", "jo", token, None, True),
        "for telemetry & more",
        seconds,
        "R1",
        clock,
        clock.sleep,
    ).builds


@pytest.mark.parametrize("pipeline", [True, False])
def test_it_waits_for_builds_and_stays_quiet(jenkins: Jenkins, pipeline: bool) -> None:
    jenkins.pipeline = pipeline
    jenkins.builds = [["app #1", "db #2"], ["db #2"], [], []]
    assert drained(jenkins) == []
    assert jenkins.quiet
    assert jenkins.reasons == ["for telemetry & more [cbops.telemetry R1]"]
    assert jenkins.calls.count("/computer/api/json") == 4


def test_one_idle_look_is_not_enough(jenkins: Jenkins) -> None:
    jenkins.builds = [[], ["app #2"], [], []]
    assert drained(jenkins) == []
    assert jenkins.calls.count("/computer/api/json") == 4


def test_at_the_deadline_builds_are_started_again(jenkins: Jenkins) -> None:
    jenkins.builds = [["app #1"]]
    assert drained(jenkins) == ["app #1"]
    assert not jenkins.quiet


def test_what_somebody_else_quieted_down_stays_so(jenkins: Jenkins) -> None:
    jenkins.quiet = True
    jenkins.builds = [["app #1"]]
    assert drained(jenkins) == ["app #1"]
    assert jenkins.quiet
    assert jenkins.reasons == []


def test_what_a_run_of_ours_that_was_killed_quieted_down_is_taken_over_and_back(jenkins: Jenkins) -> None:
    jenkins.quiet, jenkins.reasons = True, ["for telemetry [cbops.telemetry R0]"]
    jenkins.builds = [["app #1"]]
    assert drained(jenkins) == ["app #1"]
    assert not jenkins.quiet
    assert jenkins.reasons[-1].endswith("[cbops.telemetry R1]")


@pytest.mark.parametrize(("reason", "stays"), [("for telemetry [cbops.telemetry R0]", False), ("upgrade", True)])
def test_a_run_that_restarts_nothing_takes_back_what_one_of_ours_has_left(
    jenkins: Jenkins, reason: str, stays: bool
) -> None:
    jenkins.quiet, jenkins.reasons = True, [reason]
    start_again_after_others(Controller(jenkins.url, "jo", TOKEN, None, True), 5)
    assert jenkins.quiet is stays
    start_again_after_others(Controller("http://127.0.0.1:9", "jo", TOKEN, None, True), 5)  # nobody there is no failure


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_waits_starts_builds_again_and_ends_the_process(
    jenkins: Jenkins, number: signal.Signals
) -> None:
    """Ctrl-C, and how Ansible ends its workers."""
    jenkins.builds = [["app #1"]]

    def work() -> None:
        with ending_in_order():
            drain(Controller(jenkins.url, "jo", TOKEN, None, True), "why", 60)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    deadline = time.monotonic() + 20
    while not jenkins.quiet and time.monotonic() < deadline:
        time.sleep(0.01)
    assert jenkins.quiet
    os.kill(int(process.pid or 0), number)
    process.join(20)
    assert process.exitcode not in (None, 0)
    assert not jenkins.quiet


def test_an_error_in_between_starts_builds_again(jenkins: Jenkins) -> None:
    jenkins.broken = "/computer/api/json"
    with pytest.raises(ControllerError, match="/computer/api/json answers 500"):
        drained(jenkins)
    assert not jenkins.quiet


def test_a_wrong_token_is_said_and_not_shown(jenkins: Jenkins) -> None:
    with pytest.raises(ControllerError, match="API token") as error:
        drained(jenkins, token="wrong-token")  # noqa: S106
    assert "wrong-token" not in str(error.value)


def test_nobody_there() -> None:
    with pytest.raises(ControllerError, match="does not answer"):
        Controller("http://127.0.0.1:9").quiet()
    assert not Controller("http://127.0.0.1:9").is_ready()


def test_the_please_wait_page_is_not_ready(jenkins: Jenkins) -> None:
    controller = Controller(jenkins.url)
    jenkins.starting = True
    assert not controller.is_ready()
    jenkins.starting = False
    assert controller.is_ready()


def test_the_budget_is_counted_over_all_processes(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert budgets.Budget(0, tmp_path).exhausted() is None
    assert [path.name for path in tmp_path.iterdir()] == ["other"], "a run without failures leaves nothing behind"
    budgets.Budget(0, tmp_path).spend("cm1")
    said = budgets.Budget(0, tmp_path).exhausted()
    assert said is not None
    assert "cm1" in said
    assert budgets.Budget(1, tmp_path).exhausted() is None
    assert budgets.Budget(0, tmp_path / "other").exhausted() is None


def test_a_file_that_somebody_laid_there_is_not_followed(tmp_path: Path) -> None:
    budgets.Budget(0, tmp_path).spend("cm1")
    (path,) = tmp_path.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        budgets.Budget(0, tmp_path).spend("cm2")


def test_the_budget_lies_in_the_folder_that_ansible_makes_for_the_run_and_removes() -> None:
    budgets.Budget(0).spend("cm1")
    (path,) = Path(constants.DEFAULT_LOCAL_TMP).glob("*.failures")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.unlink()


def hold(place: Path, ready: Any, log: Path) -> None:
    """Hold a group's lock for a moment, and write down when it was taken and left."""
    ready.wait()
    with budgets.one_at_a_time(["payments"], [place]):
        for word in ("in", "out"):
            with log.open("a") as stream:
                stream.write(f"{word}\n")
            time.sleep(0.02)


def test_a_group_is_restarted_one_by_one_and_its_lock_is_gone_afterwards(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    workers = [context.Process(target=hold, args=(tmp_path / "home", ready, tmp_path / "log")) for _number in range(6)]
    for worker in workers:
        worker.start()
    ready.set()
    for worker in workers:
        worker.join(60)
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 6
    (folder,) = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []


def test_the_lock_of_a_run_that_was_killed_holds_nobody_and_is_removed(tmp_path: Path) -> None:
    def killed() -> None:
        with budgets.one_at_a_time(["payments"], [tmp_path]):
            os.kill(os.getpid(), signal.SIGKILL)

    worker = multiprocessing.get_context("fork").Process(target=killed)
    worker.start()
    worker.join(60)
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.iterdir())) == 1
    with budgets.one_at_a_time(["another"], [tmp_path]):
        assert len(list(folder.iterdir())) == 1, "the stale one is gone, and this one is there"
    assert list(folder.iterdir()) == []


def test_locks_of_several_groups_are_held_together_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    with budgets.one_at_a_time(["payments", "", "home nas:/a", "payments"], [tmp_path]):
        (folder,) = tmp_path.iterdir()
        assert len(list(folder.iterdir())) == 2
        for groups in (["home nas:/a", "b"], ["payments"]):
            with pytest.raises(budgets.Held), budgets.one_at_a_time(groups, [tmp_path], seconds=0):
                pass
        with budgets.one_at_a_time(["b"], [tmp_path], seconds=0):
            assert len(list(folder.iterdir())) == 3, "what was taken on the way is left again"
    assert list(folder.iterdir()) == []
    with budgets.one_at_a_time([""], [tmp_path / "none"]):
        assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("laid", ["link", "file", "open folder"])
def test_a_folder_that_somebody_laid_there_is_not_taken(tmp_path: Path, laid: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    path = first / f"cbops.telemetry-{os.geteuid()}"
    first.mkdir()
    if laid == "link":
        (tmp_path / "elsewhere").mkdir(0o700)
        path.symlink_to("../elsewhere")
    elif laid == "file":
        path.touch()
    else:
        path.mkdir()
        path.chmod(0o777)
    with pytest.raises(OSError, match="no private folder"):
        budgets.private_folder([first])
    with budgets.one_at_a_time(["payments"], [first, second]):
        assert list(second.glob("*/*.lock")), "the next place is taken"
    assert not list(tmp_path.glob("elsewhere/*"))


@pytest.mark.parametrize(
    "odd",
    [
        {"computer": 5},
        {"computer": [5]},
        {"computer": [{"executors": [None]}]},
        [],
        "5",
        "{",
        {},
        "[" * 100_000,
        {"computer": [{"executors": [{"currentExecutable": 5}]}]},
    ],
)
def test_an_answer_of_another_shape_is_no_idle_controller_and_builds_start_again(jenkins: Jenkins, odd: object) -> None:
    jenkins.odd = odd
    with pytest.raises(ControllerError, match="answers"):
        drain(Controller(jenkins.url, "admin", TOKEN, None, True), "why", 5)
    assert not jenkins.quiet


def test_names_of_builds_are_shown_in_one_line(jenkins: Jenkins) -> None:
    jenkins.builds = [["a\n::error::b\x1b[2J"]]
    assert Controller(jenkins.url).builds() == ["a\\u000a::error::b\\u001b[2J"]


def test_a_peer_that_drips_is_left_behind(jenkins: Jenkins) -> None:
    with pytest.raises(ControllerError, match="does not come to the end"):
        Controller(jenkins.url)._ask("/slow", timeout=0.5)
    jenkins.ended.set()


def test_of_a_controller_that_drips_builds_are_started_again(jenkins: Jenkins, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the request to become quiet, and then does not come to the end of what runs on it."""
    controller = Controller(jenkins.url, "jo", TOKEN, None, True)
    ask = controller._ask

    def hasty(path: str, method: str = "GET", timeout: float = 0.5) -> tuple[int, str]:
        return ask("/slow", method, 0.5) if path.startswith("/computer") else ask(path, method, timeout)

    monkeypatch.setattr(controller, "_ask", hasty)
    with pytest.raises(ControllerError, match="does not come to the end"):
        drain(controller, "maintenance", 60)
    jenkins.ended.set()
    assert not jenkins.quiet
    assert jenkins.reasons == ["maintenance [cbops.telemetry ]"], "it was quiet before"
