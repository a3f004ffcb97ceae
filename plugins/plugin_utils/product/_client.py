# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product's HTTP interface: one question, one answer, and why there is none, in words without a secret.

Private to this collection. Runs on the control node. A user with an API token (not a password) needs no crumb. A
redirect is an answer: credentials go to the address that the inventory names, and nowhere else.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import html
import http.client
import json
import re
import resource
import ssl
import threading
import urllib.error
import urllib.parse
from collections.abc import Mapping
from email.message import Message
from typing import Any, NamedTuple

from ansible.module_utils.urls import open_url

from ansible_collections.cbops.telemetry.plugins.plugin_utils._text import visible

#: Seconds for each byte; the whole answer has twice as long.
REQUEST_SECONDS = 30
#: Bytes of an answer, where a question sets no limit of its own; bytes that are read of one that is no success.
ANSWER_BYTES = 1 << 22
ERROR_BYTES = 1 << 16
#: What is shorter is not looked for in answers: it may be anything there. A token of the product has 34 characters.
SHORTEST = 8
_HEADERS = ("content-type", "location", "x-jenkins", "x-required-permission")
_PERMISSION = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}\Z")
_LOGIN = re.compile(r"/(?:login|securityRealm|oauth2?|saml2?|sso|cas|adfs)(?:[/?;]|\Z)", re.IGNORECASE)
#: In JSON, what may be written by its number and what need not be escaped.
_ESCAPE = re.compile(r"\\(?:u00([2-7][0-9A-Fa-f])|(.))", re.DOTALL)
_STARTING = re.compile(r"getting ready to work|Starting Jenkins|is restarting", re.IGNORECASE)

#: What came in the way: kinds of :class:`ClientError`.
ADDRESS = "address"  # it is no address that can be asked
UNREACHABLE = "unreachable"  # nobody answers
CERTIFICATE = "certificate"  # its certificate is not trusted
LATE = "late"  # it does not come to an end
TOO_LARGE = "too_large"
SIGN_IN = "sign_in"  # a login page, or a token that is not valid
FORBIDDEN = "forbidden"  # signed on, and without the permission
STARTING = "starting"
ABSENT = "absent"
STATUS = "status"  # any other status
CONTENT = "content"  # something else than was asked for


class ClientError(Exception):
    """A question has no answer. The message is for people, and has no secret in it; ``kind`` is for programs."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Answer(NamedTuple):
    """What came back, a redirect too."""

    status: int
    #: Those of ``_HEADERS``, names in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


def _without_secrets(url: str) -> str:
    """A URL as it may be shown: without user, password, query and fragment. What is none is not shown at all."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host = f"[{host}]" if ":" in host else host
    return visible(f"{parts.scheme}://{host}{port}{parts.path}" if parts.scheme else parts.path)[:300]


def _bytes(text: str) -> bytes:
    """A text as bytes, also where YAML's escapes have made half of a character of it, which nobody can send."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _forms(user: str, token: str) -> list[str]:
    """How a peer may say back what it was sent, longest first."""
    if not token:
        return []
    basic = base64.b64encode(_bytes(f"{user}:{token}")).decode()
    found = {token, basic, basic.rstrip("="), html.escape(token)}
    found |= {urllib.parse.quote(_bytes(text), safe="") for text in (token, basic)}
    return sorted(found, key=len, reverse=True)


def _unescaped(found: re.Match[str]) -> str:
    """An escape of JSON, or the plain character where it needs none."""
    char = chr(int(found[1], 16)) if found[1] else found[2]
    return char if char == "/" or (found[1] and char not in '"\\\x7f') else found[0]


_PR_SET_DUMPABLE = 4


def _leave_no_core() -> None:
    """No core of this process from now on, and no look into its memory by others of the same user.

    It has a token, and exports come into it, which Python never wipes.

    A limit of one byte counts also where cores go to a program (core(5): a limit of 0 says nothing there).
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (1 if hard == resource.RLIM_INFINITY else min(1, hard), hard))
    with contextlib.suppress(AttributeError, OSError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class Client:
    """A controller or operations center by its URL. What is asked without a user is asked as anonymous.

    A token is not sent without TLS, to this machine neither, where others may listen as well: but with ``allow_http``.
    """

    def __init__(
        self, url: str, user: str = "", token: str = "", ca_file: str | None = None, allow_http: bool = False
    ) -> None:
        found = re.match(r"(https?://)(?:([^/@\s]*)@)?([^/@\s?#]+(?:/[^\s?#]*)?)\Z", url.rstrip("/"))
        self._url = found[1] + found[3] if found else ""
        #: As it may be shown.
        self.url = _without_secrets(self._url) or "the address of the controller"
        name, _colon, password = ((found and found[2]) or "").partition(":")
        self._user = user or urllib.parse.unquote(name)
        self._token = token if user else token or urllib.parse.unquote(password)
        self._forms = _forms(self._user, self._token)
        self._ca_file = ca_file or None
        self._is_readable = bool(self._token) and self._url.startswith("http://") and not allow_http

    # -- one question -------------------------------------------------------------------------------

    def ask(
        self, path: str, method: str = "GET", timeout: float = REQUEST_SECONDS, limit: int = ANSWER_BYTES
    ) -> Answer:
        """The answer to a question, whatever its status; a redirect is an answer. Raises :class:`ClientError`.

        ``path`` may have a query. ``timeout``, in seconds, is for each byte; a peer that drips is left behind after
        twice as long. ``limit`` is in bytes: an answer that is larger is none.
        """
        if not self._url:
            raise ClientError(ADDRESS, f"{self.url} must begin with http:// or https://, and have no query")
        if self._is_readable:
            raise ClientError(
                ADDRESS,
                f"{self.url} has no TLS, so that whoever listens could read the token: name https://, or allow_http "
                "(telemetry_allow_http) where that is to be",
            )
        _leave_no_core()
        found: list[Answer | ClientError] = []

        def work() -> None:
            try:
                found.append(self._request(path, method, timeout, limit))
            except ClientError as error:
                found.append(error)
            except Exception:  # a peer's doing: what it sent is not even unpacked, for which each decoder has errors
                found.append(ClientError(CONTENT, f"{self.url} answers what cannot be read"))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(2 * timeout)
        if not found:
            raise ClientError(LATE, f"{self.url} does not come to the end of its answer")
        if isinstance(found[0], ClientError):
            raise found[0]
        return found[0]

    def _request(self, path: str, method: str, timeout: float, limit: int) -> Answer:
        try:
            with open_url(
                f"{self._url}{path}",
                method=method,
                timeout=timeout,
                follow_redirects="none",
                url_username=self._user or None,
                url_password=self._token or None,
                force_basic_auth=bool(self._user),
                ca_path=self._ca_file,
                http_agent="cbops.telemetry",
                use_netrc=False,
                headers={"Content-Length": "0"} if method == "POST" else None,
            ) as answer:
                body = answer.read(limit + 1)
                if len(body) > limit:
                    raise ClientError(TOO_LARGE, f"{self._shown(path)} answers with more than {limit} bytes")
                return self._answer(answer.status, answer.headers, body)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    body = error.read(ERROR_BYTES)
                except (OSError, ValueError, http.client.HTTPException):
                    body = b""  # the status says enough
                return self._answer(error.code, error.headers, body)
        except (OSError, ssl.SSLError, ValueError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            reason = visible(self.redacted(str(why), 1))[:500]  # may quote the peer
            if isinstance(why, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in reason:
                raise ClientError(
                    CERTIFICATE,
                    f"{self.url} does not answer: its certificate is not trusted; telemetry_ca_file names the "
                    f"authority's ({reason})",
                ) from None
            raise ClientError(UNREACHABLE, f"{self.url} does not answer: {reason}") from None

    def _answer(self, status: int, headers: Message, body: bytes) -> Answer:
        """An answer without what it says back of the token: results and evidence are made of it."""
        found = {name: self.redacted(str(headers[name]))[:1000] for name in _HEADERS if headers.get(name)}
        for form in self._forms:
            if len(form) >= SHORTEST:
                body = body.replace(_bytes(form), "…".encode())
        return Answer(status, found, body)

    def redacted(self, text: str, shortest: int = SHORTEST) -> str:
        """A text without the token, as it comes of what a peer says: by references or escapes it can be in there."""
        for form in self._forms:
            if len(form) >= shortest:
                text = text.replace(form, "…")
        return text

    def _shown(self, path: str) -> str:
        return self.url + visible(self.shown(path))

    def shown(self, path: str) -> str:
        """A path as it may be shown: without query, and without the token, for a peer's link may lead there."""
        path = path.partition("?")[0]
        plain = urllib.parse.unquote(path)
        return self.redacted(path if self.redacted(plain) == plain else plain)

    # -- what an answer means -----------------------------------------------------------------------

    def get(
        self,
        path: str,
        method: str = "GET",
        timeout: float = REQUEST_SECONDS,
        limit: int = ANSWER_BYTES,
        need: str = "",
    ) -> Answer:
        """The answer where its status is 200. Raises :class:`ClientError`, of a kind for each reason.

        ``need`` names the permission that the question takes, for whoever reads why there is no answer.
        """
        answer = self.ask(path, method, timeout, limit)
        if answer.status == 200:
            return answer
        raise self.failure(path, answer, need)

    def json(
        self, path: str, timeout: float = REQUEST_SECONDS, limit: int = ANSWER_BYTES, need: str = ""
    ) -> Mapping[str, Any]:
        """The JSON object that is the answer. Raises :class:`ClientError`."""
        return self.parsed(path, self.get(path, timeout=timeout, limit=limit, need=need))

    def parsed(self, path: str, answer: Answer) -> Mapping[str, Any]:
        """The JSON object that an answer is. Raises :class:`ClientError`."""
        try:
            text = answer.body.decode(json.detect_encoding(answer.body), "surrogatepass")  # as json.loads does it
            document = json.loads(self.redacted(_ESCAPE.sub(_unescaped, text.removeprefix("\ufeff"))))
        except (ValueError, RecursionError):
            page = re.match(rb"\s*<(?:!doctype|html)", answer.body, re.IGNORECASE)
            what = "an HTML page and no JSON; it may be a login page in front of it" if page else "no JSON"
            raise ClientError(CONTENT, f"{self._shown(path)} answers {what}") from None
        if not isinstance(document, Mapping):
            raise ClientError(CONTENT, f"{self._shown(path)} answers with something else than was asked for")
        return document

    def failure(self, path: str, answer: Answer, need: str = "") -> ClientError:
        """Why an answer is none to the question."""
        shown, status = self._shown(path), answer.status
        needs = f" and the permission {need}" if need else ""
        if 300 <= status < 400:
            target = _without_secrets(answer.headers.get("location", ""))
            if _LOGIN.search(target):
                return ClientError(
                    SIGN_IN, f"{shown} leads to a login page: the user needs a valid API token{needs} ({status})"
                )
            return ClientError(
                STATUS,
                f"{shown} leads to {target or 'somewhere else'} ({status}), which is not followed: name the address "
                "itself, or where that is a sign-on service, a user with an API token",
            )
        if status == 401:
            return ClientError(SIGN_IN, f"{shown} answers 401: the user needs a valid API token{needs}")
        if status == 403:
            said = answer.headers.get("x-required-permission", "")
            wanted = need or (said if _PERMISSION.match(said) else "")
            if not self._user:
                return ClientError(
                    SIGN_IN,
                    f"{shown} answers 403 to anonymous: a user with an API token "
                    f"{f'and the permission {wanted} ' if wanted else ''}is needed (telemetry_user, telemetry_token)",
                )
            lacking = f"the permission {wanted}" if wanted else "a permission"
            return ClientError(FORBIDDEN, f"{shown} answers 403: the user lacks {lacking}")
        if status == 404:
            return ClientError(ABSENT, f"{shown} answers 404: it has no such page")
        if status == 503 and (_STARTING.search(answer.text) or "x-jenkins" in answer.headers):
            return ClientError(STARTING, f"{shown} answers 503: it is starting")
        return ClientError(STATUS, f"{shown} answers {status}")
