"""The events that a product lists: the help of its checkbox, the link in it, the page behind, whatever its markup is."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events import path_of, served, with_events
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._events_page import (
    LIMIT_EVENTS,
    NotOnPage,
    events_of,
    first_link,
    help_of,
)

CHECKOUT = Path(__file__).parent.parent.parent
CLASS = "com.cloudbees.example.UsageStatisticsCloudBees"
HELP = f"/descriptor/{CLASS}/help/usageStatisticsCollected"
TABLE = "<table><thead><tr><th>Event</th><th>Description</th></tr></thead><tbody>%s</tbody></table>"
TOKEN = "11planted4711token"  # noqa: S105


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TABLE % "<tr><td>a b</td><td>It\n began.</td></tr><tr><td>c</td></tr>", [("a b", "It began."), ("c", "")]),
        # columns by their headings; rows without cells, nested elements, entities, comments, no closing tags
        ("<table><tr><th>When it is sent<th>Plugin<th>Event name<tr><td>Late<td>p<td><code>x&amp;y</code></table>",
         [("x&y", "Late")]),
        ("<!-- <table><tr><td>no</td></tr></table> --><table><tr><td><b>a</b></td><td>one<br>two</td></tr></table>",
         [("a", "one two")]),
        ("<table><tr><td>a</td></tr></table><table><tr><td>b</td></tr></table>", [("a", ""), ("b", "")]),
        ("<dl><dt>a</dt><dd>It began.</dd><dd>Twice.</dd><dt>b</dt></dl>", [("a", "It began. Twice."), ("b", "")]),
        ("<ul><li><code>a</code>: it began</li><li><strong>b</strong> – it ended</li></ul>",
         [("a", "it began"), ("b", "it ended")]),
        ("<h1>Events</h1><h3>a</h3><p>It began.</p><h3>b</h3><p>It <i>ended</i>.</p>",
         [("a", "It began."), ("b", "It ended.")]),
        # what a skin brings is no list of events
        ("<ul><li><p><strong>a</strong></p><p>it <i>began</i></p><p>then</p></li><li><p><b>b</b></p></li></ul><p>end</p>",
         [("a", "it began then"), ("b", "")]),
        ("<header><ul><li><b>Home</b> sweet</li></ul></header>" + TABLE % "<tr><td>a</td></tr>", [("a", "")]),
        ("<script>document.write('<table><tr><td>no</td></tr></table>')</script><dl><dt>a</dt></dl>", [("a", "")]),
        # each once, in an order of its own
        (TABLE % "<tr><td>b</td></tr><tr><td>a</td></tr><tr><td>b</td></tr>", [("a", ""), ("b", "")]),
        (TABLE % "<tr><td>##[add] \u202e <script>x()</script></td></tr>", [("##[add] \u202e", "")]),
    ],
)  # fmt: skip
def test_the_list(text: str, found: list[tuple[str, str]]) -> None:
    assert [tuple(one) for one in events_of(text)] == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no table, definitions or list"),
        ("<html><body><div id='root'></div><script src='app.js'></script></body></html>", "its markup is another"),
        ("<ul><li>one</li><li>two</li></ul>", "its markup is another"),
        ("<form><input type='password' name='j_password'></form>", "looks like a login page"),
        ("<a " + "x" * 9000, "a tag of more than 8,000 characters"),
        (TABLE % "".join(f"<tr><td>{n}</td></tr>" for n in range(LIMIT_EVENTS + 1)), "lists more than 1500 events"),
    ],
)
def test_what_is_no_list_is_unknown(text: str, said: str) -> None:
    with pytest.raises(NotOnPage, match=said):
        events_of(text)


@pytest.mark.parametrize("piece", ["<tr><td>a", "<table>", "</table>", "<dl><dt>", "<li><b>", "<noscript>", "&#", "<!", "<a", "<p>"])  # fmt: skip
def test_pages_that_cost_much(piece: str) -> None:
    began = time.process_time()
    with contextlib.suppress(NotOnPage):
        events_of(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 60


def test_the_class_and_the_link() -> None:
    core = "helpURL='/descriptor/hudson.model.UsageStatistics/help/usageStatisticsCollected'"
    assert (
        help_of(
            f'<a {core}></a><a helpURL="/jenkins{HELP}">?</a><!-- /descriptor/x.Y/help/usageStatisticsCollected" -->'
        )
        == CLASS
    )
    for text, said in (
        (f"<a {core}>", "no help button"),
        (f'"{HELP}" "/descriptor/x.Y/help/usageStatisticsCollected"', "2 help buttons"),
    ):
        with pytest.raises(NotOnPage, match=said):
            help_of(text)
    box = '<input type="checkbox" name="_.usageStatisticsCollected">'
    core_s = f"{box}<label>Help the Jenkins project</label><a {core}></a>"
    mine = f'{box}<label>Help make CloudBees CI better</label><a helpURL="/jenkins/descriptor/x.Odd/help/usageStatisticsCollected"></a>'
    other = '<p>See "/descriptor/planted.Thing/help/usageStatisticsCollected".</p>'
    assert help_of(core_s + mine + other) == "x.Odd", "the checkbox's own, whatever else a page says"
    for text in (other, core_s + other, other.replace("Thing", "UsageStatisticsCloudBeesX")):
        with pytest.raises(NotOnPage, match="no help button of it"):
            help_of(text)
    assert first_link("<p>It <a name='x'>sends</a> <a href=' details '>see details</a> <a href=/b>b</a>") == "details"
    with pytest.raises(NotOnPage, match="has no link"):
        first_link("<p>It sends.</p>")


@pytest.mark.parametrize(
    ("url", "link", "path"),
    [
        ("https://cm/", "/descriptor/X/details", "/descriptor/X/details"),
        ("https://cm", "../details", f"/descriptor/{CLASS}/details"),
        ("https://cm", "https://CM:443/d?a=b c#e", "/d?a=b%20c"),
        ("https://cm/jenkins", "/jenkins/d", "/d"),
        ("https://user:secret@cm/jenkins", "d", HELP.rpartition("/")[0] + "/d"),
        ("http://cm:8080", "http://cm:8080/d\nX: y", "/dX:%20y"),
        ("https://cm/jenkins", "/other", None),
        ("https://cm/jenkins", "/jenkins/%2e%2e/other", None),
        ("https://cm", "http://cm/d", "another address"),
        ("https://cm", "https://cm:8443/d", "another address"),
        ("https://cm", "//evil.example/d", "another address"),
        ("https://cm", "https://cm@evil.example/d", "another address"),
        ("https://cm", "https://cm.evil.example/d", "another address"),
        ("https://cm", "javascript:alert(1)", "another address"),
        ("https://cm", "mailto:x@y", "another address"),
        ("https://cm", "https://[::1/d", "no address"),
        ("https://cm", "https://cm:x/d", "no address"),
    ],
)
def test_a_link_is_followed_on_the_address_of_the_inventory_alone(url: str, link: str, path: str | None) -> None:
    if path is not None and path.startswith("/"):
        assert path_of(url, HELP, link) == path
        return
    with pytest.raises(NotOnPage, match=path or "leads out of the product") as caught:
        path_of(url, HELP, link)
    assert "secret" not in str(caught.value)


# -- a server ---------------------------------------------------------------------------------------


class Server:
    """Answers by path, and remembers who asked."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, dict[str, str]]] = {}
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Authorization", "")))
                status, text, headers = outer.pages.get(self.path, (404, "", {}))
                data = text.encode()
                self.send_response(status)
                for name, value in {"X-Jenkins": "2.504", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_words: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/jenkins"


@pytest.fixture
def server() -> Iterator[Server]:
    """One that answers as a product does."""
    made = Server()
    made.pages = {
        "/jenkins/manage/configure": (200, f'<a helpURL="/jenkins{HELP}">?</a>', {}),
        f"/jenkins{HELP}": (
            200,
            "<p><a href='/jenkins/details?all=1'>see details</a> <a href='//other'>policy</a></p>",
            {},
        ),
        "/jenkins/details?all=1": (200, TABLE % "<tr><td>b</td><td>It began.</td></tr><tr><td>a</td></tr>", {}),
    }
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()


def test_what_a_product_lists(server: Server) -> None:
    assert served(Access(server.url, "auditor", TOKEN, None, True)) == {
        "mark": "seen",
        "page": "/details",
        "events": [{"name": "a"}, {"name": "b", "summary": "It began."}],
    }
    wanted = "Basic " + base64.b64encode(f"auditor:{TOKEN}".encode()).decode()
    assert [given for _path, given in server.asked] == [wanted] * 3
    assert all(TOKEN not in path for path, _given in server.asked)


@pytest.mark.parametrize(
    ("location", "mark"),
    [
        ("/jenkins/details/?all=1", "seen"),
        ("details/?all=1", "seen"),
        ("{url}/details/?all=1", "seen"),
        ("/jenkins/details/", "unknown"),
        ("/jenkins/more/?all=1", "unknown"),
        ("http://evil.example/jenkins/details/?all=1", "unknown"),
        ("//evil.example/jenkins/details/?all=1", "unknown"),
        ("/jenkins/details/../x/?all=1", "unknown"),
        ("http://[", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_page_is_followed_to_itself_with_a_slash_and_nowhere_else(server: Server, location: str, mark: str) -> None:
    listed = server.pages["/jenkins/details?all=1"]
    server.pages.update(dict.fromkeys(("/jenkins/details/?all=1", "/jenkins/more/?all=1", "/jenkins/x/?all=1"), listed))
    server.pages["/jenkins/details?all=1"] = (302, "", {"Location": location.format(url=server.url)})
    found = served(Access(server.url, "auditor", TOKEN, None, True))
    assert found["mark"] == mark and len(server.asked) == (4 if mark == "seen" else 3)
    server.pages["/jenkins/details/?all=1"] = (302, "", {"Location": "/jenkins/details/?all=1"})
    assert served(Access(server.url, "auditor", TOKEN, None, True))["mark"] == "unknown", "a circle"


def test_an_older_core_has_its_page_elsewhere(server: Server) -> None:
    server.pages["/jenkins/configure"] = server.pages.pop("/jenkins/manage/configure")
    assert served(Access(server.url, "auditor", TOKEN, None, True))["mark"] == "seen"
    server.pages["/jenkins/configure"] = (403, "", {})
    assert "lacks the permission Overall/SystemRead" in served(Access(server.url, "a", TOKEN, None, True))["reason"]
    server.pages["/jenkins/configure"] = (404, "", {})
    assert "/manage/configure answers 404" in served(Access(server.url, "a", TOKEN, None, True))["reason"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pages: pages.clear(), "answers 404"),
        (lambda pages: pages.update({"/jenkins/manage/configure": (403, "", {})}), "the user lacks the permission Overall/SystemRead"),
        (lambda pages: pages.update({"/jenkins/manage/configure": (302, "", {"Location": "/jenkins/login?from=x"})}), "leads to a login page"),
        (lambda pages: pages.update({"/jenkins/manage/configure": (200, "<form>", {})}), "no help button of it"),
        (lambda pages: pages.update({f"/jenkins{HELP}": (200, "<p>no link", {})}), "has no link"),
        (lambda pages: pages.update({f"/jenkins{HELP}": (200, "<a href='https://evil.example/x'>", {})}), "leads to another address"),
        (lambda pages: pages.update({"/jenkins/details?all=1": (302, "", {"Location": "https://evil.example/"})}), "which is not followed"),
        (lambda pages: pages.update({"/jenkins/details?all=1": (200, "<p>text", {})}), "its markup is another"),
        (lambda pages: pages.update({"/jenkins/details?all=1": (200, "x" * (5 << 20), {})}), "answers with more than"),
    ],
)  # fmt: skip
def test_why_it_is_unknown(server: Server, change: Callable[[Any], None], said: str) -> None:
    change(server.pages)
    found = served(Access(server.url, "auditor", TOKEN, None, True))
    assert (found["mark"], found["events"]) == ("unknown", []) and said in found["reason"]
    assert TOKEN not in found["reason"]


# -- in the state of a host -------------------------------------------------------------------------

READ = {"mark": "seen", "archives": 1, "classes": 1, "plugins": [], "unread": []}
PLANTED = {**READ, "served": {"mark": "seen", "page": "/x", "events": [{"name": "planted by the host"}]}}


def state(*events: Any) -> dict[str, Any]:
    """A state with these installations."""
    return {
        "installations": [
            {"name": f"cm{n}", "service": f"cm{n}.service", "events": one} for n, one in enumerate(events)
        ]
    }


def test_an_audit_keeps_what_the_product_lists(server: Server) -> None:
    variables = {
        "telemetry_events": "served",
        "telemetry_url": server.url,
        "telemetry_user": "a",
        "telemetry_token": TOKEN,
        "telemetry_allow_http": True,
    }
    [entry] = with_events(state(PLANTED), variables)["installations"]
    assert [one["name"] for one in entry["events"]["served"]["events"]] == ["a", "b"]
    found = with_events(state(READ, READ), variables)["installations"]
    assert {one["events"]["served"]["reason"].partition(":")[0] for one in found} == {"its URL is not known"}
    named = {
        "telemetry_events": "served",
        "telemetry_controllers": {"cm1.service": {"url": server.url, "user": "a", "token": TOKEN, "allow_http": True}},
    }
    found = with_events(state(READ, READ), named)["installations"]
    assert [one["events"]["served"]["mark"] for one in found] == ["unknown", "seen"]


@pytest.mark.parametrize("value", ["never", "disk", None])
def test_without_it_nobody_is_asked_and_a_host_does_not_speak_for_the_product(
    server: Server, value: str | None
) -> None:
    variables = {"telemetry_events": value, "telemetry_url": server.url}
    assert with_events(state(PLANTED), variables) == state(READ) and server.asked == []
    assert with_events({"installations": [{"name": "x"}]}, variables) == {"installations": [{"name": "x"}]}


def test_a_host_that_names_a_service_often_has_the_product_asked_once(server: Server) -> None:
    named = {"cm-b.service": {"url": server.url, "user": "a", "token": TOKEN, "allow_http": True}}
    entries = [{"name": "cm", "service": "cm-b.service", "events": READ}] * 40
    found = with_events({"installations": entries}, {"telemetry_events": "served", "telemetry_controllers": named})
    assert {one["events"]["served"]["mark"] for one in found["installations"]} == {"seen"}
    assert len(found["installations"]) == 40 and len(server.asked) == 3


def test_a_host_that_names_a_service_very_often_does_not_fill_the_evidence(server: Server) -> None:
    """How many installations there are is the host's word; how long the list is the product's."""
    long = "".join(f"<tr><td>event {number}</td><td>{'x' * 400}</td></tr>" for number in range(1000))
    page = next(path for path, (_code, text, _headers) in server.pages.items() if "<table" in text or "<li" in text)
    server.pages[page] = (200, f"<table><tr><th>Event</th><th>Description</th></tr>{long}</table>", {})
    named = {"cm-b.service": {"url": server.url, "user": "a", "token": TOKEN, "allow_http": True}}
    named["other"] = {**named["cm-b.service"], "user": "b"}
    entries = [{"name": "cm", "service": "cm-b.service", "events": READ}] * 400
    entries.append({"name": "other", "service": "other", "events": READ})
    found = with_events({"installations": entries}, {"telemetry_events": "served", "telemetry_controllers": named})
    served = [one["events"]["served"] for one in found["installations"]]
    assert served.pop()["mark"] == "seen", "another one has its own list, once"
    assert len(server.asked) == 6 and len(json.dumps(served)) < 3 << 20
    assert [one["mark"] for one in served[:3]] == ["seen"] * 3 and len(served[0]["events"]) == 1000
    assert served[-1] == {"mark": "unknown", "reason": "the same controller lists them for cm", "events": []}


def test_the_module_sends_no_token_where_it_could_be_read_on_the_way(server: Server, tmp_path: Path) -> None:
    def ask(url: str, **more: Any) -> dict[str, Any]:
        options = {"root": str(tmp_path), "served": {"url": url, "user": "a", "token": TOKEN, **more}}
        return {"cbops.telemetry.analytics_events_info": options, "register": "said"}

    refused = ["said.served.mark == 'unknown'", "'has no TLS' in said.served.reason", "said.served.events == []"]
    tasks = [
        ask("http://cm.example.invalid/"),
        {"ansible.builtin.assert": {"that": refused}},
        ask(server.url),
        {"ansible.builtin.assert": {"that": refused}},
        ask(server.url, allow_http=True),
        {"ansible.builtin.assert": {"that": ["said.served.mark == 'seen'"]}},
    ]
    (tmp_path / "play.json").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", tmp_path / "play.json"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.asked) == 3 and TOKEN not in done.stdout + done.stderr
