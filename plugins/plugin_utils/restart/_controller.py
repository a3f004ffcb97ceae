# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few HTTP endpoints of a controller or operations center that a careful restart needs.

Private to this collection. Runs on the control node. Sources: jenkinsci/jenkins, ``Jenkins.doQuietDown``,
``ComputerSet`` and ``WhoAmI``; a request with an API token needs no crumb.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import (
    REQUEST_SECONDS,
    Client,
    ClientError,
)

POLL_SECONDS = 2.0
#: Idle is what two looks in a row say: a build that waits for an executor is in between for a moment.
LOOKS = 2
#: In the reason of each quiet-down of ours, so that a later run knows it for its own.
MARK = "[cbops.telemetry "
_EXECUTORS = "executors[currentExecutable[url,fullDisplayName]]"
_BUILDS = f"computer[displayName,{_EXECUTORS},{_EXECUTORS.replace('executors', 'oneOffExecutors', 1)}]"


class ControllerError(Exception):
    """The controller's HTTP interface did not do what was asked; the message says what to do."""


class Quiet(NamedTuple):
    """Whether no new builds are started, and whether that is known to be the work of this collection."""

    is_quiet: bool
    is_ours: bool


class Drained(NamedTuple):
    """What came of waiting for builds: those that still run, and whether the quiet is (or was) ours to take back."""

    builds: list[str]
    is_ours: bool


class Controller:
    """A controller or operations center by its URL, with a user's API token (not a password)."""

    def __init__(
        self, url: str, user: str = "", token: str = "", ca_file: str | None = None, allow_http: bool = False
    ) -> None:
        self._client = Client(url, user, token, ca_file, allow_http)
        self.url = self._client.url

    def _ask(self, path: str, method: str = "GET", timeout: float = REQUEST_SECONDS) -> tuple[int, str]:
        """Status and text of an answer; a redirect is an answer. Raises :class:`ControllerError`."""
        try:
            answer = self._client.ask(path, method, timeout)
        except ClientError as error:
            raise ControllerError(str(error)) from error
        return answer.status, answer.text

    def _post(self, path: str) -> None:
        status, _text = self._ask(path, "POST")
        if status in (401, 403):
            raise ControllerError(
                f"{self.url}{path.partition('?')[0]} answers {status}: the user needs a valid API "
                "token and the permission Overall/Manage (or Administer)"
            )
        if not 200 <= status < 400:
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers {status}")

    def _json(self, path: str, timeout: float = REQUEST_SECONDS) -> Mapping[str, Any]:
        status, text = self._ask(path, timeout=timeout)
        if status != 200:
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers {status}")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers no JSON") from error
        if not isinstance(document, Mapping):
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers with something else than was asked for")
        return document

    def quiet(self, timeout: float = REQUEST_SECONDS) -> Quiet:
        """Whether it is about to shut down already, so that no new builds are started, and by whom."""
        said = self._json("/api/json?tree=quietingDown,quietDownReason", timeout)
        reason = said.get("quietDownReason")  # a Jenkins before 2.267 knows of none
        return Quiet(bool(said.get("quietingDown")), isinstance(reason, str) and MARK in reason)

    def quiet_down(self, reason: str) -> None:
        """Start no new builds from now on; ``reason`` is shown to its users."""
        self._post("/quietDown?" + urllib.parse.urlencode({"reason": reason}))

    def cancel_quiet_down(self) -> None:
        """Start builds again."""
        self._post("/cancelQuietDown")

    def builds(self) -> list[str]:
        """Names of the builds that run, Pipelines too (they run on executors that are not counted as busy)."""
        document, names = self._json("/computer/api/json?tree=" + _BUILDS), {}
        try:
            for computer in document["computer"]:
                for executor in [*(computer.get("executors") or []), *(computer.get("oneOffExecutors") or [])]:
                    build = executor.get("currentExecutable")
                    if build:
                        name = str(build.get("fullDisplayName") or build.get("url") or "a build without a name")
                        names[str(build.get("url") or name)] = visible(name)[:200]
        except (AttributeError, KeyError, TypeError) as error:
            raise ControllerError(f"{self.url}/computer answers with something else than was asked for") from error
        return list(names.values())

    def is_ready(self) -> bool:
        """True where it serves requests: not the "please wait" page, which comes with the status 503."""
        try:
            status, text = self._ask("/whoAmI/api/json?tree=authenticated", timeout=10)
            return status == 200 and "authenticated" in json.loads(text)
        except (ControllerError, ValueError, TypeError, RecursionError):
            return False


def drain(
    controller: Controller,
    reason: str,
    seconds: float,
    run: str = "",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Drained:
    """Quiet the controller down and wait until it is idle, or the time is over.

    Where builds still run then, or anything is raised (a signal too), builds are started again, unless somebody else
    had quieted it down before. A quiet-down of an earlier run, which was killed, is known by its reason, and is ours.
    Raises :class:`ControllerError`.
    """
    before = controller.quiet()
    is_ours = not before.is_quiet or before.is_ours
    deadline = clock() + seconds
    try:
        if is_ours:
            controller.quiet_down(f"{reason} {MARK}{run}]")
        looks = 0
        while True:
            running = controller.builds()
            looks = 0 if running else looks + 1
            if looks >= LOOKS:
                return Drained([], is_ours)
            if running and clock() >= deadline:
                break
            sleep(POLL_SECONDS)
    except BaseException:
        if is_ours:
            start_again(controller)
        raise
    if is_ours:
        try:
            controller.cancel_quiet_down()
        except ControllerError as error:
            raise ControllerError(f"{error}; it is still quieted down, which the next run takes back") from error
    return Drained(running, is_ours)


def start_again(controller: Controller) -> None:
    """Take our quiet-down back, if that can be: the first error is the one that tells."""
    with contextlib.suppress(ControllerError):
        controller.cancel_quiet_down()


def start_again_after_others(controller: Controller, seconds: float) -> None:
    """Take back a quiet-down of ours that a run before this one has left, if that can be; somebody else's stays.

    For a controller that this run does not drain. One that another run drains just now is asked for builds again, which
    it waits for.
    """
    with contextlib.suppress(ControllerError):
        if controller.quiet(seconds) == Quiet(True, True):
            controller.cancel_quiet_down()


class Interrupted(BaseException):
    """A signal that ends the process; what must not stay as it is is put right before that."""


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP unwind what is done here, so that it is taken back, and end the process then.

    Ansible ends its workers by SIGTERM where a run is ended by Ctrl-C. Outside of the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def unwind(number: int, _frame: object) -> None:
        if not caught:  # a second one must not interrupt the taking back
            caught.append(number)
            raise Interrupted

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, unwind) for number in numbers}
    try:
        yield
    except Interrupted:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    if caught:
        os.kill(os.getpid(), caught[0])
        raise Interrupted  # where whoever had that signal before goes on
