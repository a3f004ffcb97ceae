# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few HTTP endpoints of a controller or operations center that a careful restart needs.

Private to this collection. Runs on the control node. Sources: jenkinsci/jenkins, ``Jenkins.doQuietDown``,
``ComputerSet`` and ``WhoAmI``; a request with an API token needs no crumb.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.urls import open_url

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

REQUEST_SECONDS = 30
POLL_SECONDS = 2.0
#: Idle is what two looks in a row say: a build that waits for an executor is in between for a moment.
LOOKS = 2
_EXECUTORS = "executors[currentExecutable[url,fullDisplayName]]"
_BUILDS = f"computer[displayName,{_EXECUTORS},{_EXECUTORS.replace('executors', 'oneOffExecutors', 1)}]"


class ControllerError(Exception):
    """The controller's HTTP interface did not do what was asked; the message says what to do."""


class Controller:
    """A controller or operations center by its URL, with a user's API token (not a password)."""

    def __init__(self, url: str, user: str = "", token: str = "", ca_file: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._user = user
        self._token = token
        self._ca_file = ca_file or None

    def _ask(self, path: str, method: str = "GET", timeout: float = REQUEST_SECONDS) -> tuple[int, str]:
        """Status and text of an answer; a redirect is an answer. Raises :class:`ControllerError`.

        ``timeout``, in seconds, is for each byte; a peer that drips is left behind after twice as long.
        """
        found: list[tuple[int, str] | ControllerError] = []

        def work() -> None:
            try:
                found.append(self._request(path, method, timeout))
            except ControllerError as error:
                found.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(2 * timeout)
        if not found:
            raise ControllerError(f"{self.url} does not come to the end of its answer")
        if isinstance(found[0], ControllerError):
            raise found[0]
        return found[0]

    def _request(self, path: str, method: str, timeout: float) -> tuple[int, str]:
        try:
            with open_url(f"{self.url}{path}", method=method, timeout=timeout, follow_redirects="none",
                          url_username=self._user or None, url_password=self._token or None,
                          force_basic_auth=bool(self._user), ca_path=self._ca_file,
                          http_agent="cbops.telemetry") as answer:
                return answer.status, answer.read(1 << 22).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(1 << 16).decode("utf-8", "replace")
        except (OSError, ssl.SSLError, ValueError, http.client.HTTPException) as error:
            reason = visible(str(getattr(error, "reason", None) or error))[:500]  # may quote the peer
            raise ControllerError(f"{self.url} does not answer: {reason}") from error

    def _post(self, path: str) -> None:
        status, _text = self._ask(path, "POST")
        if status in (401, 403):
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers {status}: the user needs a valid API "
                                  "token and the permission Overall/Manage (or Administer)")
        if not 200 <= status < 400:
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers {status}")

    def _json(self, path: str) -> Mapping[str, Any]:
        status, text = self._ask(path)
        if status != 200:
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers {status}")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers no JSON") from error
        if not isinstance(document, Mapping):
            raise ControllerError(f"{self.url}{path.partition('?')[0]} answers with something else than was asked for")
        return document

    def is_quiet(self) -> bool:
        """True where it is about to shut down already: no new builds are started."""
        return bool(self._json("/api/json?tree=quietingDown").get("quietingDown"))

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


def drain(controller: Controller, reason: str, seconds: float,
          clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Quiet the controller down and wait until it is idle. Returns the builds that still ran at the deadline.

    Where that list is not empty, or an error is raised, builds are started again, unless somebody else had quieted
    it down before. Raises :class:`ControllerError`.
    """
    was_quiet = controller.is_quiet()
    deadline = clock() + seconds
    try:
        if not was_quiet:
            controller.quiet_down(reason)
        looks = 0
        while True:
            running = controller.builds()
            looks = 0 if running else looks + 1
            if looks >= LOOKS:
                return []
            if running and clock() >= deadline:
                break
            sleep(POLL_SECONDS)
    except ControllerError:
        if not was_quiet:
            _start_again(controller)
        raise
    if not was_quiet:
        controller.cancel_quiet_down()
    return running


def _start_again(controller: Controller) -> None:
    try:
        controller.cancel_quiet_down()
    except ControllerError:
        pass  # the first error is the one that tells
