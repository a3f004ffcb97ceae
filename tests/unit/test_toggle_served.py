"""What a product serves of CloudBees' checkbox: the stand-in of the fleet in a JVM of its own, and pages of other markup."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _page as page
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _served as served

STANDIN = Path(__file__).parent.parent / "fleet" / "packages" / "standin"
ADMIN, READER, NOBODY = "admin:11admin-S3CR3T", "reader:11reader-S3CR3T", "nobody:11nobody-S3CR3T"
CLASS = "com.cloudbees.standin.UsageStatisticsCloudBees"
SECRETS = ("S3CR3T", "PLANTED", "PRIVATE KEY")


class Product:
    """The stand-in, and the files by which it is told what to be."""

    def __init__(self, home: Path, url: str, secure: str, ca_file: Path) -> None:
        self.home, self.url, self.secure, self.ca_file = home, url, secure, ca_file

    def is_told(self, **files: str) -> None:
        """Other files than before."""
        for path in self.home.glob("standin-*"):
            path.unlink()
        for name, text in {"token": ADMIN, "reader": READER, "nobody": NOBODY, "startup_ms": "0", **files}.items():
            (self.home / f"standin-{name.replace('_', '-')}").write_text(text)

    def ask(self, who: str = READER, url: str = "", ca_file: str | None = None, with_class: bool = False) -> Any:
        """What it says; never with a secret in it."""
        user, _colon, token = who.partition(":")
        said = served.ask(Access(url or self.url, user, token, ca_file, True), with_class)
        assert not any(secret in json.dumps(said) for secret in SECRETS)
        assert not (self.home / "standin-form-was-posted").exists()
        return said


def free_port() -> int:
    """One that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A JVM with the stand-in, by HTTP and by HTTPS."""
    if shutil.which("javac") is None:
        pytest.skip("no JDK on this machine (scripts/tools installs one)")
    folder = tmp_path_factory.mktemp("standin")
    sources = [str(path) for path in STANDIN.rglob("*.java")]
    subprocess.run(["javac", "--release", "11", "-d", str(folder / "classes"), *sources], check=True, timeout=120)
    store, ca_file, home = folder / "keystore.p12", folder / "ca.pem", folder / "home"
    subprocess.run(
        ["keytool", "-genkeypair", "-keyalg", "RSA", "-alias", "a", "-dname", "CN=cm", "-ext", "SAN=IP:127.0.0.1"]
        + ["-keystore", str(store), "-storepass", "changeit", "-validity", "2"],
        check=True,
        capture_output=True,
    )
    export = ["keytool", "-exportcert", "-rfc", "-alias", "a", "-keystore", str(store), "-storepass", "changeit"]
    ca_file.write_bytes(subprocess.run(export, check=True, capture_output=True).stdout)
    home.mkdir()
    ports = free_port(), free_port()
    made = Product(home, f"http://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}", ca_file)
    made.is_told()
    command = ["java", f"-DJENKINS_HOME={home}", "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true"]
    command += ["-cp", str(folder / "classes"), "executable.Main", f"--httpPort={ports[0]}"]
    command += [f"--httpsPort={ports[1]}", f"--httpsKeyStore={store}"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        for _attempt in range(600):
            try:
                urllib.request.urlopen(f"{made.url}/login", timeout=5).close()
                socket.create_connection(("127.0.0.1", ports[1]), timeout=5).close()  # which opens after the other
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield made
    finally:
        process.terminate()
        process.wait(20)


def test_the_stand_in_answers_as_jenkins_does(product: Product) -> None:
    """Otherwise what is tested with it shows nothing: login, crumbs bound to their session, permissions, exports."""
    product.is_told(toggle="false", password="boss:pass word", core="true")

    def asked(path: str, method: str = "GET", who: str = "", **headers: str) -> tuple[int, str, Any]:
        request = urllib.request.Request(product.url + path, method=method)  # noqa: S310
        if who:
            request.add_header("Authorization", "Basic " + base64.b64encode(who.encode()).decode())
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        opener = urllib.request.build_opener(Stays())
        try:
            with opener.open(request, timeout=20) as answer:
                found = answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                found = error.code, error.read().decode(), error.headers
        assert found[2]["X-Jenkins"]
        return found

    export, boss = "/manage/configuration-as-code/export", "boss:pass word"
    assert asked(export, who=boss)[0] == 405
    assert asked(export, "POST")[0] == 403 and asked(export, "POST", "boss:wrong")[0] == 401
    status, text, _headers = asked(export, "POST", boss)
    assert (status, "No valid crumb" in text) == (403, True)
    crumbs = [asked("/crumbIssuer/api/json", who=boss) for _number in range(2)]
    sessions = [one[2]["Set-Cookie"].partition(";")[0] for one in crumbs]
    words = [json.loads(one[1])["crumb"] for one in crumbs]
    assert json.loads(crumbs[0][1])["crumbRequestField"] == "Jenkins-Crumb" and len({*sessions, *words}) == 4
    assert asked(export, "POST", boss, Cookie=sessions[0], Jenkins_Crumb=words[1])[0] == 403, "of another session"
    assert asked(export, "POST", boss, Jenkins_Crumb=words[0])[0] == 403, "of no session"
    for own in (
        asked(export, "POST", boss, Cookie=sessions[1], Jenkins_Crumb=words[1]),
        asked(export, "POST", READER),
        asked("/core-casc-export", who=ADMIN),
    ):
        assert own[0] == 200 and "PRIVATE KEY" in own[1] and "PLANTEDcredential" in own[1]
    assert asked("/core-casc-export", who=READER)[2]["X-Required-Permission"].endswith("CasC.Administer")
    assert "CloudBees CI (Client Controller) " in asked("/whoAmI")[1]
    assert json.loads(asked("/whoAmI/api/json")[1])["authenticated"] is True
    assert 'disabled="true"' in asked("/manage/configure", who=READER)[1], "a reader's form"
    assert 'disabled="true"' not in asked("/manage/configure", who=ADMIN)[1]
    product.is_told(markup="login")
    assert asked("/manage/configure")[0] == 302 and asked("/manage/configure")[2]["Location"].startswith("/login?from=")
    product.is_told(markup="starting")
    status, text, _headers = asked("/manage/configure", who=ADMIN)
    assert (status, "Starting Jenkins" in text) == (503, True)


class Stays(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Never."""


@pytest.mark.parametrize("toggle", ["true", "false"])
@pytest.mark.parametrize("markup", ["modern", "core-off", "no-span", "tables", "read-only", "german"])
def test_every_markup_by_its_page(product: Product, markup: str, toggle: str) -> None:
    product.is_told(toggle=toggle, core="false" if toggle == "true" else "true", markup=markup)
    text = served.Client(product.url, *READER.split(":"), None, True).get("/manage/configure").text
    assert page.checkbox_of(text) == (toggle == "true", CLASS)


@pytest.mark.parametrize("toggle", [True, False])
def test_who_may_do_least_is_enough(product: Product, toggle: bool) -> None:
    product.is_told(toggle=str(toggle).lower())
    assert product.ask(ADMIN) == ({"collected": toggle, "mark": "export"}, "")
    assert product.ask(READER) == ({"collected": toggle, "mark": "export"}, ""), "by the other export"
    assert product.ask(READER, with_class=True) == ({"collected": toggle, "mark": "export"}, CLASS)


@pytest.mark.parametrize(
    ("who", "files", "words"),
    [
        (NOBODY, {}, "lacks the permission"),
        ("jo:S3CR3T", {}, "valid API token"),
        ("", {}, "a user with an API token"),
        ("", {"markup": "login"}, "leads to a login page"),
        (READER, {"markup": "starting"}, "is starting"),
    ],
)
def test_each_reason_is_told_apart(product: Product, who: str, files: dict[str, str], words: str) -> None:
    product.is_told(**files)
    place, cls = product.ask(who)
    assert (place["collected"], cls) == ("unknown", "")
    assert words in place["reason"]


def test_by_tls_and_not_with_another_authority(product: Product) -> None:
    product.is_told(toggle="false")
    assert product.ask(url=product.secure + "/", ca_file=str(product.ca_file))[0]["collected"] is False
    assert "not trusted" in product.ask(url=product.secure)[0]["reason"]
    assert "does not answer" in product.ask(url="http://127.0.0.1:9")[0]["reason"]
    assert "must begin with" in product.ask(url="nowhere")[0]["reason"]


def entry(**more: Any) -> dict[str, Any]:
    """An installation whose file on disk was seen by an inferred name."""
    disk = {"collected": True, "file": f"/home/{CLASS}.xml", "mark": "inferred name"}
    return {
        "name": "cm",
        "service": "cm.service",
        "toggle": {"declared": {"collected": None, "reason": "x"}, "on_disk": disk},
        **more,
    }


@pytest.mark.parametrize("variables", [{}, {"telemetry_toggle_served": "perhaps"}])
def test_no_host_speaks_for_the_product(variables: dict[str, Any]) -> None:
    honest = {"file": "/home/XUsageStatisticsCloudBees.xml", "collected": False, "mark": "inferred name"}
    planted = {"on_disk": {**honest, "mark": "seen name"}, "served": {"collected": False, "mark": "page"}}
    state = {
        "installations": [
            {"name": "cm", "toggle": planted},
            {"name": "x", "toggle": {"on_disk": honest}},
            {"name": "y"},
        ]
    }
    found = served.with_served(state, variables)["installations"]
    assert [entry.get("toggle") for entry in found] == [{"on_disk": honest}, {"on_disk": honest}, None]


def test_only_who_is_allowed_is_asked_and_each_by_its_own_address(product: Product) -> None:
    product.is_told(toggle="false")
    user, token = READER.split(":")
    state = {"installations": [entry(), entry(name="stray", stray=True)]}
    one = {"telemetry_url": product.url, "telemetry_user": user, "telemetry_token": token, "telemetry_allow_http": True}
    assert served.with_served(state, one) == state
    assert served.with_served(state, {**one, "telemetry_toggle_served": "no"}) == state
    found, stray = served.with_served(state, {**one, "telemetry_toggle_served": "yes"})["installations"]
    assert found["toggle"]["served"] == {"collected": False, "mark": "export"}
    assert found["toggle"]["on_disk"]["mark"] == "seen name"
    assert "served" not in stray["toggle"]
    other = entry(toggle={**entry()["toggle"], "on_disk": {**entry()["toggle"]["on_disk"], "file": "/home/x.Y.xml"}})
    (found,) = served.with_served({"installations": [other]}, {**one, "telemetry_toggle_served": True})["installations"]
    assert found["toggle"]["on_disk"]["collected"] == "unknown"
    both = {"installations": [entry(), entry(name="cm2", service="cm2.service")]}
    named = {"cm2.service": {"url": product.url, "user": user, "token": token, "allow_http": True}}
    for variables, expected in (
        (one, ["unknown", "unknown"]),
        ({"telemetry_controllers": named}, ["unknown", False]),
        ({"telemetry_controllers": {"cm": named["cm2.service"]}, **one}, [False, "unknown"]),
    ):
        asked = served.with_served(both, {**variables, "telemetry_toggle_served": True})
        assert [one["toggle"]["served"]["collected"] for one in asked["installations"]] == expected
        assert not any(secret in json.dumps(asked) for secret in SECRETS)


def test_a_host_that_names_a_service_often_has_the_product_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def ask(access: Access, with_class: bool = False) -> tuple[dict[str, Any], str]:
        asked.append((access.url, with_class))
        return {"collected": False, "mark": "page"}, CLASS if with_class else ""

    monkeypatch.setattr(served, "ask", ask)
    sure = entry(toggle={**entry()["toggle"], "on_disk": {"collected": None, "reason": "x"}})
    names = {f"{name}.service": {"url": f"https://{name}/", "user": "u", "token": "t"} for name in ("cm", "other")}
    entries = [*[entry(), sure] * 40, entry(service="other.service", name="other")]
    variables = {"telemetry_toggle_served": True, "telemetry_controllers": names}
    found = served.with_served({"installations": entries}, variables)["installations"]
    assert asked == [("https://cm/", True), ("https://cm/", False), ("https://other/", True)]
    assert [one["toggle"]["served"]["collected"] for one in found] == [False] * 81
    assert {one["toggle"]["on_disk"].get("mark") for one in found} == {"seen name", None}


def test_the_authority_s_file_may_be_below_the_home_of_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/auditor")
    for variables in (
        {"telemetry_url": "https://cm/", "telemetry_ca_file": "~/ca.pem"},
        {"telemetry_controllers": {"cm.service": {"url": "https://cm/", "ca_file": "~/ca.pem"}}},
    ):
        found = served.ways_of([entry()], variables)(entry())
        assert found is not None and found.ca_file == "/home/auditor/ca.pem"
    found = served.ways_of([entry()], {"telemetry_url": "https://cm/"})(entry())
    assert found is not None and not found.ca_file


# -- pages of other markup ---------------------------------------------------------------------------------------------

BOX = '<input type="checkbox" name="_.usageStatisticsCollected"{0}>'
LABEL = "<label>Help make CloudBees CI better by sending telemetry and metrics</label>"
CORE = "<label>Help make Jenkins better by sending statistics to the Jenkins project</label>"
HELP = '<a helpURL="/oc/descriptor/{0}/help/usageStatisticsCollected"></a>'
START = '<div class="row-set-start row-group-start tr" style="display:none" name="{0}"></div>'


def _around(box: str, label: str) -> str:
    return label.replace("<label>", "<label>" + box)


def _for(element: str, label: str) -> str:
    return label.replace("<label>", f"<label for={element}>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOX.format(" checked") + LABEL, (True, "")),
        (BOX.format("") + LABEL + HELP.format("a.b.C"), (False, "a.b.C")),
        (BOX.format(" checked") + CORE + BOX.format("") + LABEL, (False, "")),
        (BOX.format("") + LABEL + BOX.format(" checked") + CORE, (False, "")),
        (
            BOX.format(" checked") + "<label>x</label>" + HELP.format("x.UsageStatisticsCloudBees"),
            (True, "x.UsageStatisticsCloudBees"),
        ),
        (BOX.format("") + LABEL.replace("CloudBees CI", "Cloud&#66;ees <b>CI</b>"), (False, "")),
        (BOX.format("") + LABEL.replace("CloudBees CI", "<b>CloudBees</b>&nbsp;CI"), (False, "")),
        (BOX.format("").replace("input", "INPUT").replace("checkbox", "CHECKBOX") + LABEL, (False, "")),
        (f"<!-- {BOX.format(' checked')}{LABEL} -->" + BOX.format("") + LABEL, (False, "")),
        (f"<textarea>{BOX.format(' checked')}{LABEL}</textarea>" + BOX.format("") + LABEL, (False, "")),
        (f"<script>'{BOX.format(' checked')}{LABEL}'</script>" + BOX.format("") + LABEL, (False, "")),
        # A label may be around its checkbox, or before it by its id; which one of several it is of is not guessed.
        (_around(BOX.format(" checked"), CORE) + _around(BOX.format(""), LABEL), (False, "")),
        (_around(BOX.format(""), LABEL) + _around(BOX.format(" checked"), CORE), (False, "")),
        (CORE + BOX.format(" checked") + LABEL + BOX.format(""), "no checkbox that is CloudBees'"),
        (_for("a", CORE) + BOX.format(" checked id=a") + _for("b", LABEL) + BOX.format(" id=b"), (False, "")),
        ("<label>x</label><input><p>" + BOX.format("") + LABEL, (False, "")),
        (BOX.format("") + "<label>CloudBees", (False, "")),
        (BOX.format("") + CORE[:-8] + BOX.format(" checked") + LABEL, "no checkbox that is CloudBees'"),
        (f"<!--> {BOX.format('')}{LABEL}", (False, "")),
        (f"<!-- x --!>{BOX.format('')}{LABEL}<!-- {BOX.format(' checked')}{LABEL} -->", (False, "")),
        (BOX.format(" checked").replace("checkbox", 'checkbox" type="hidden') + LABEL, (True, "")),
        (
            START.format("x-UsageStatisticsCloudBees") + BOX.format("") + LABEL + HELP.format("a.b.C"),
            (False, ""),  # two classes
        ),
        ("", "no checkbox of that name"),
        ("<input name=j_password type='password'>", "login page"),
        (BOX.format("") + CORE, "no checkbox that is CloudBees'"),
        (BOX.format("").replace("checkbox", "hidden") + LABEL, "no checkbox that is CloudBees'"),
        (BOX.format("") + LABEL + BOX.format("") + LABEL, "2 checkboxes"),
        (BOX.format("") + LABEL + HELP.format("hudson.model.UsageStatistics"), "and core's"),
        (BOX.format("") + CORE + HELP.format("x.UsageStatisticsCloudBees"), "and core's"),
        (BOX.format("") * 1000 + LABEL, "more than 50"),
        ("<!--" * 200_000 + BOX, "no checkbox"),
        ("usageStatisticsCollected" + "<" * 300_000, "no checkbox"),
        ("usageStatisticsCollected" + "<a href='" * 50_000, "a tag of more than"),
        ("usageStatisticsCollected" + ("<a href='" * 400 + ">") * 500, "no checkbox|too long"),
        ("usageStatisticsCollected" + "<div class=row-set-start name=x>" * 50_000, "no checkbox"),
        ("usageStatisticsCollected<![x", "no "),
    ],
)
def test_pages(text: str, expected: Any) -> None:
    if isinstance(expected, tuple):
        assert page.checkbox_of(text) == expected
        return
    with pytest.raises(page.NotOnPage) as caught:
        page.checkbox_of(text)
    assert re.search(expected, str(caught.value))


BESIDE = HELP.format("x.UsageStatisticsCloudBees")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOX.format(" class='a negative b' checked") + LABEL, "negated"),
        (BOX.format(" class=negative") + LABEL, "negated"),
        (START.format("hudson-model-UsageStatistics") + BOX.format("") + "<label>x</label>" + BESIDE, "and core's"),
        (START.format("hudson-model-UsageStatistics") + BOX.format("") + LABEL, "and core's"),
        (
            BOX.format("") + "<label>x</label>" + START.format("x-Y") + BOX.replace("checkbox", "radio") + BESIDE,
            "no checkbox that is CloudBees'",
        ),
        (BOX.format("") + START.format("x-Y") + LABEL, "no checkbox that is CloudBees'"),
    ],
)
def test_what_hangs_on_a_checkbox_of_another_kind_tells_nothing(text: str, words: str) -> None:
    with pytest.raises(page.NotOnPage) as caught:
        page.checkbox_of(text)
    assert words in str(caught.value)


def test_the_shape_that_was_read_in_core_s_sources() -> None:
    start = '<div class="row-set-start row-group-start tr" style="display:none" name="{}"></div>'
    end = '<div class="row-set-end row-group-end tr"></div>'
    text = start.format("hudson-model-UsageStatistics") + BOX.format("") + "<label>x</label>" + end
    text += start.format("com-cloudbees-X-UsageStatisticsCloudBees") + BOX.format(" checked") + "<label>y</label>" + end
    assert page.checkbox_of(text) == (True, ""), "a class with dashes is no class"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}", False),
        (
            "--- # a.yaml\nx: y\n--- # jenkins.yaml\nunclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: true}}",
            True,
        ),
        ("jenkins: {}\n", None),
        ("x: '" + "y" * (3 << 20) + "'\n", None),
        ("unclassified: {u\u017fageStatisticsCloudBees: {usageStatisticsCollected: true}}", True),
        ("", None),
    ],
)
def test_exports(text: str, expected: bool | None) -> None:
    assert served.exported(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: S3CR3T}}",
        "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\n---\n"
        "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: true}}",
        "usageStatisticsCloudBees: 'S3CR3T",
        'unclassified: {? "\\x75sageStatisticsCloudBees"\n : {usageStatisticsCollected: true}}\n',
        "unclassified: {usageStatisticsCloudBees: {usageStatisticsCollected: false}}\nx: '" + "S3CR3T" * 400_000 + "'",
    ],
)
def test_exports_that_are_not_sure_quote_nothing(text: str) -> None:
    with pytest.raises(served._jenkins_home.Unreadable) as caught:
        served.exported(text)
    assert "S3CR3T" not in str(caught.value)
