"""A stand-in operations center: the part of its API that lists controllers, with Jenkins' rule for ``tree``."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL = "com.cloudbees.opscenter.server.model."
USER, TOKEN = "auditor", "11f00-S3CR3T"  # noqa: S105


def controller(name: str, kind: str = "Client", **members: Any) -> dict[str, Any]:
    """A controller of a name, connected unless told otherwise."""
    found = {
        "_class": f"{MODEL}{kind}Master",
        "fullName": name,
        "url": f"https://oc.example/job/{name.replace('/', '/job/')}/",
        "endpoint": f"https://{name.rpartition('/')[2]}.example/",
        "online": True,
        "state": "CONNECTED",
        "approved": True,
    }
    return {**found, **members}


def folder(name: str, *jobs: Mapping[str, Any]) -> dict[str, Any]:
    """A folder with what lies in it."""
    return {"_class": "com.cloudbees.hudson.plugins.folder.Folder", "fullName": name, "jobs": list(jobs)}


def _parse(tree: str) -> dict[str, Any]:
    """What a ``tree`` parameter asks for, as nested names."""
    root: dict[str, Any] = {}
    stack = [root]
    word = ""
    last = root
    for char in tree + ",":
        if char in "[],":
            if word:
                last = stack[-1].setdefault(word, {})
            word = ""
            if char == "[":
                stack.append(last)
            elif char == "]":
                stack.pop()
        else:
            word += char
    return root


def pruned(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for of an item; its class comes always."""
    found = {"_class": node["_class"]}
    for key, inner in wanted.items():
        if key in node:
            value = node[key]
            found[key] = [pruned(one, inner) for one in value] if key == "jobs" else value
    return found


class Center(ThreadingHTTPServer):
    """Lists what is in ``jobs`` to whoever has the token; ``status`` and ``page`` make it say something else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jobs: list[Any] = []
        self.status, self.page = 200, ""
        self.headers = {"X-Jenkins": "2.504.3.1"}
        self.asked: list[str] = []
        self.scheme = "http"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Center

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """The list, or what else it was told to say."""
        center = self.server
        center.asked.append(self.path)
        wanted = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if center.status != 200 or center.page:
            self._say(center.status, center.page)
            return
        if self.headers.get("Authorization") != wanted:
            self._say(401, "")
            return
        parts = urllib.parse.urlsplit(self.path)
        node: Any = {"_class": f"{MODEL}OperationsCenterRoot", "jobs": center.jobs}
        for name in map(urllib.parse.unquote, parts.path.split("/job/")[1:]):
            name = name.partition("/")[0]
            node = next((one for one in node["jobs"] if one["fullName"].rpartition("/")[2] == name), None)
            if node is None:
                self._say(404, "")
                return
        tree = urllib.parse.parse_qs(parts.query).get("tree", [""])[0]
        self._say(200, json.dumps(pruned(node, _parse(tree))))

    def _say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(*jobs: Any, certificate: Path | None = None) -> Iterator[Center]:
    """One that lists these; with a certificate (its key beside it) it speaks TLS."""
    center = Center()
    center.jobs = list(jobs)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        center.socket = context.wrap_socket(center.socket, server_side=True)
        center.scheme = "https"
    thread = threading.Thread(target=center.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield center
    finally:
        center.shutdown()
        thread.join()
        center.server_close()


def certificate_in(folder: Path, name: str = "oc") -> Path:
    """A certificate that signs itself, for 127.0.0.1."""
    path = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-keyout", str(path.with_suffix(".key")), "-out", str(path), "-days", "2", "-subj", f"/CN={name}.example"]
        + ["-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    return path
