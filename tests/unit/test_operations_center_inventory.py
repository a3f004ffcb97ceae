"""The inventory of operations centers: every controller, marked; what cannot be asked is an error; nothing is believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from operationscenter import TOKEN, USER, Center, certificate_in, controller, folder, serving

from ansible_collections.cbops.telemetry.plugins.inventory import operations_center as plugin
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _addresses as addresses
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _operations_center as product
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client, ClientError

CHECKOUT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


def ours(folder: Path) -> dict[str, str]:
    """An environment in which the plugin is the only one, and an inventory that it cannot read is an error."""
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections"),
        "ANSIBLE_INVENTORY_ENABLED": "cbops.telemetry.operations_center",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
    }


def run(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """ansible-inventory, with the worst that a log could show."""
    return subprocess.run(
        [str(BIN / "ansible-inventory"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**ours(tmp_path), "OC_TOKEN": TOKEN, **environment},
    )


def plain(value: Any) -> Any:
    """Without the mark that ansible-inventory puts on what is no template."""
    if isinstance(value, dict):
        return (
            value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else {k: plain(v) for k, v in value.items()}
        )
    return [plain(one) for one in value] if isinstance(value, list) else value


def listed(tmp_path: Path, *centers: Center, **options: Any) -> tuple[dict[str, Any], str]:
    """What the inventory says of these, as JSON, and all that was printed; no token in it."""
    source = tmp_path / "x.operations_center.yml"
    base = {
        "plugin": "cbops.telemetry.operations_center",
        "user": USER,
        "token": "{{ lookup('ansible.builtin.env', 'OC_TOKEN') }}",
        "allow_http": True,  # the stand-ins have no TLS
        "operations_centers": [{"url": center.url} for center in centers],
    }
    source.write_text(yaml.safe_dump({**base, **options}))
    done = run(tmp_path, "-i", str(source), "--list", "-vvvv")
    printed = done.stdout + done.stderr
    assert TOKEN not in printed
    start = done.stdout.find("{\n")
    return (plain(json.loads(done.stdout[start:])) if done.returncode == 0 else {}), printed


FLEET = [
    controller("alpha", "Managed", endpoint="https://alpha.example/"),
    folder(
        "team",
        controller("team/beta", endpoint="https://BETA.example:8080/", online=False, state="OFFLINE"),
        controller("team/gamma", endpoint=None, online=False, state="PENDING", approved=False),
    ),
]


def test_graph_and_variables(tmp_path: Path) -> None:
    with serving(*FLEET, certificate=certificate_in(tmp_path)) as center:
        found, _printed = listed(
            tmp_path,
            center,
            ca_file=str(tmp_path / "oc.pem"),
            strict=True,
            keyed_groups=[{"key": "controller_kind", "prefix": "kind"}, {"key": "controller_state", "prefix": "state"}],
            groups={"to_approve": "not controller_approved | default(true)"},
            compose={"ansible_user": "'audit-' ~ controller_name"},
        )
        graph = run(tmp_path, "-i", str(tmp_path / "x.operations_center.yml"), "--graph").stdout
    hosts = found["_meta"]["hostvars"]
    nowhere = next(name for name in hosts if name.endswith(".invalid"))
    assert set(hosts) == {"alpha.example", "beta.example", nowhere}
    assert nowhere.startswith("gamma.team.127.0.0.1.")
    assert hosts["beta.example"] == {
        "ansible_user": "audit-beta",
        "controller_name": "beta",
        "controller_folder": "team",
        "controller_kind": "client",
        "controller_endpoint": "https://beta.example:8080",
        "controller_endpoint_refused": None,
        "controller_online": False,
        "controller_approved": True,
        "controller_state": "OFFLINE",
        "controller_version": None,
        "controller_operations_center": center.url,
        "controllers_here": hosts["beta.example"]["controllers_here"],
    }
    assert found["controllers_without_address"]["hosts"] == [nowhere] == found["to_approve"]["hosts"]
    assert found["kind_managed"]["hosts"] == ["alpha.example"]
    for line in ("@controllers:", "|--alpha.example", "@state_OFFLINE:", "@operations_centers:"):
        assert line in graph


def test_five_hundred_controllers_in_nested_folders(tmp_path: Path) -> None:
    """Deeper than one question asks for, and wider."""

    def nested(path: str, depth: int) -> dict[str, Any]:
        here = [controller(f"{path}/c{path.count('/')}-{path.split('/', maxsplit=1)[0]}-{n}") for n in range(10)]
        return folder(path, *here, *([nested(f"{path}/f{depth}", depth - 1)] if depth else []))

    with serving(*(nested(f"t{number}", 9) for number in range(5))) as center:
        found, _printed = listed(tmp_path, center)
        assert len(found["controllers"]["hosts"]) == 500
        assert 1 < len(center.asked) < 20
        deep = [one for one in found["_meta"]["hostvars"].values() if one["controller_folder"].count("/") == 9]
        assert len(deep) == 50


def test_several_operations_centers_and_several_controllers_of_a_machine(tmp_path: Path) -> None:
    two = [controller(f"p{n}", endpoint=f"https://shared.example:{n}/") for n in (8080, 8081)]
    with serving(*two) as first, serving(controller("z", endpoint="https://shared.example:9/")) as second:
        found, _printed = listed(tmp_path, first, second)
    shared = found["_meta"]["hostvars"]["shared.example"]
    assert [one["name"] for one in shared["controllers_here"]] == ["p8080", "p8081", "z"]
    assert shared["controller_name"] == "several"
    assert shared["controller_kind"] == "client"
    assert shared["controller_operations_center"] == "several"


@pytest.mark.parametrize(
    ("status", "page", "words"),
    [
        (401, "", "answers 401: the user needs a valid API token"),
        (403, "", "answers 403: the user lacks the permission Overall/Read"),
        (503, "<html>Please wait while Jenkins is getting ready to work</html>", "it is starting"),
        (200, "<!doctype html><title>Sign in</title>", "an HTML page and no JSON"),
        (200, "[1]", "something else than was asked for"),
        (200, "{}", "something else than was asked for"),
        (200, '{"jobs": [1]}', "something else than was asked for"),
        (200, '{"jobs": [{"_class": "x", "url": "y"}]}', "an odd name"),
        (200, '{"jobs": []}', "lists no controllers"),
        (200, '{"jobs": [{"_class": "hudson.model.FreeStyleProject", "fullName": "x"}]}', "lists no controllers"),
        (302, "", "is not followed"),
        (500, "", "answers 500"),
    ],
)
def test_what_is_no_answer_is_an_error(tmp_path: Path, status: int, page: str, words: str) -> None:
    with serving(*FLEET) as center, serving(controller("other")) as whole:
        center.status, center.page = status, page
        found, printed = listed(tmp_path, whole, center)
    assert not found
    assert words in " ".join(printed.split())


def test_wrong_authority_and_nobody_there(tmp_path: Path) -> None:
    with serving(*FLEET, certificate=certificate_in(tmp_path)) as center:
        found, printed = listed(tmp_path, center, ca_file=str(certificate_in(tmp_path, "other")))
        assert not found
        assert "its certificate is not trusted; ca_file names the authority's" in " ".join(printed.split())
        assert not center.asked
        assert not listed(tmp_path, center)[0]
    assert "does not answer" in " ".join(listed(tmp_path, center)[1].split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validate_certs": False}, "always looked at"),
        ({"operations_centers": []}, "no operations center is named"),
        ({"operations_centers": [{"url": "https://u:p@oc.example/"}]}, "has a user in it"),
        ({"operations_centers": [{"url": "ftp://oc.example/"}]}, "is not valid"),
        ({"operations_centers": [{"url": "http://oc.example/"}], "allow_http": False}, "has no TLS"),
        ({"operations_centers": [{"url": "http://127.0.0.1:9/"}], "allow_http": False}, "has no TLS"),
        ({"operations_centers": [{"url": "http://localhost/", "allow_http": "no"}]}, "has no TLS"),
        ({"operations_centers": [{"url": "http://localhost/", "allow_http": "perhaps"}]}, "must be true or false"),
        ({"operations_centers": [{"url": "https://oc.example/", "tokne": "x"}]}, "entry 1: it takes"),
        ({"operations_centers": [{"url": "https://oc.example/"}, {"url": "https://OC.example:443"}]}, "named twice"),
        ({"user": ""}, "a token needs its user"),
    ],
)
def test_options(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with serving(*FLEET) as center:
        found, printed = listed(tmp_path, center, **options)
    assert not found
    assert words in " ".join(printed.split())


def test_cache(tmp_path: Path) -> None:
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    with serving(*FLEET) as center:
        first, _printed = listed(tmp_path, center, **cached)
        asked = len(center.asked)
        assert listed(tmp_path, center, **cached)[0] == first
        assert len(center.asked) == asked
        texts = [path.read_text() for path in (tmp_path / "cache").iterdir()]
        assert texts
        assert all(TOKEN not in text for text in texts)
        for path in (tmp_path / "cache").iterdir():  # what somebody else put there is no list of ours
            path.write_text(texts[0].replace("https://beta.example:8080", "https://127.0.0.1"))
        found, _printed = listed(tmp_path, center, **cached)
        assert "127.0.0.1" not in [name for name in found["_meta"]["hostvars"] if not name.endswith(".invalid")]


def test_versions_are_asked_for_without_a_token(tmp_path: Path) -> None:
    with serving() as one, serving(controller("a", endpoint="https://127.0.0.1/"), controller("b")) as center:
        found, _printed = listed(tmp_path, center, ask_versions=True)
        assert all(value["controller_version"] is None for value in found["_meta"]["hostvars"].values())
        assert product.version_of(Client(one.url)) == "2.504.3.1"
        assert len(one.asked) == 1


def test_versions_that_take_too_long_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as one:
        item = product.Item("a", "client", one.url, True, None, None)
        center = product.Center(one.url, None, (item, item._replace(name="b")))
        found = plugin._with_versions(center, None)
        assert [again.version for again in found.items] == ["2.504.3.1"] * 2
        monkeypatch.setattr(plugin, "_SECONDS_FOR_VERSIONS", 0.0)
        assert plugin._with_versions(center, None) == center and len(one.asked) == 2


HOSTILE = [
    "http://localhost:8080/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://127.0.0.0x1/",
    "http://127.0x1/",
    "http://0177.0.0.0x1/",
    "http://0X7F000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.0x./",
    "http://a.1/",
    "http://localhost/",
    "http://a.localhost/",
    "http://LOCALHOST.localdomain./",
    "http://localhost4/",
    "http://localhost6.localdomain6/",
    "http://ip6-loopback/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://169.254.169.254/latest/",
    "http://-oProxyCommand=x/",
    "http://a b/",
    "http://{{ lookup('pipe', 'id') }}/",
    "http://x,y/",
    "http://a*b/",
    "http://all:80@localhost/",
    "file:///etc/passwd",
    "javascript:1",
    "https://" + "a" * 300 + ".example/",
    "https://a.example:99999/",
    "https://ex\u0430mple.org/",
    {"a": 1},
    7,
]


@pytest.mark.parametrize("endpoint", HOSTILE, ids=str)
def test_addresses_that_no_inventory_may_have(endpoint: Any) -> None:
    with serving(controller("x", endpoint=endpoint)) as center:
        found = product.read(Client(center.url, USER, TOKEN, None, True), center.url)
    assert [(item.endpoint, bool(item.refused)) for item in found.items] == [(None, True)]


@pytest.mark.parametrize(
    "host", ["localhosting.example.com", "localhost.example.com", "ip6-localhost.example", "1a", "0xen.example", "7.a"]
)
def test_names_that_only_look_like_this_machine(host: str) -> None:
    assert addresses.machine(f"https://{host}/") == host


def test_hostile_values_stay_data(tmp_path: Path) -> None:
    planted = "{{ lookup('pipe', 'touch " + str(tmp_path / "ran") + "') }}"
    with serving(
        controller(f"team/{planted.replace('/', '_')}", endpoint="https://x.example/", state=planted),
        controller("all", endpoint="https://all/"),
        controller("n", endpoint="https://n.example/", approved="yes", online=1),
    ) as center:
        found, printed = listed(
            tmp_path,
            center,
            keyed_groups=[{"key": "controller_name", "prefix": "n"}],
            compose={"copy": "controller_name", "again": "controller_folder ~ controller_name"},
        )
    assert not (tmp_path / "ran").exists()
    hosts = found["_meta"]["hostvars"]
    assert "all" not in hosts, printed
    assert hosts["x.example"]["controller_state"] is None
    assert json.dumps(hosts["x.example"]["copy"]).count("lookup") == 1
    assert hosts["n.example"]["controller_approved"] is None
    assert hosts["n.example"]["controller_online"] is None


def test_too_much_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LIMIT_CONTROLLERS", 2), ("LIMIT_ITEMS", 3), ("LIMIT_BYTES", 100)):
        with monkeypatch.context() as patched, serving(*FLEET) as center:
            patched.setattr(product, name, value)
            with pytest.raises(ClientError):
                product.read(Client(center.url, USER, TOKEN, None, True), center.url)


def test_folders_that_never_end() -> None:
    """A server that has a folder in each folder is given up."""
    with serving(controller("x")) as center, pytest.raises(ClientError, match="odd name"):
        deep = {"_class": "x", "fullName": "/".join(["a"] * 40), "jobs": [{"url": "x"}]}
        center.page = json.dumps({"jobs": [deep]})
        product.read(Client(center.url, USER, TOKEN, None, True), center.url)


def test_the_documentation_is_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(BIN / "ansible-doc"), "-t", "inventory", "cbops.telemetry.operations_center"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".build/collections")},
    )
    assert done.returncode == 0, done.stderr
    for word in ("keyed_groups", "operations_centers", "ca_file", "cache_plugin"):
        assert word in done.stdout


NAMED = """
import runpy, socket, sys
known = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: known("127.0.0.1" if host == "oc.example" else host, *more, **named)
sys.argv = ["ansible-inventory", *sys.argv[1:]]
from ansible.cli.inventory import main
main()
"""


def test_the_documented_example_is_an_inventory(tmp_path: Path) -> None:
    """With strict, of controllers in no folder and of an operations center that is a host itself."""
    example = next(one for one in yaml.safe_load_all(plugin.EXAMPLES.replace("!vault |", "|")) if one.get("strict"))
    with serving(*FLEET) as center:
        port = center.server_address[1]
        example.update(
            user=USER, token=TOKEN, allow_http=True, operations_centers=[{"url": f"http://oc.example:{port}/"}]
        )
        source = tmp_path / "x.operations_center.yml"
        source.write_text(yaml.safe_dump(example))
        done = subprocess.run(
            [sys.executable, "-c", NAMED, "-i", str(source), "--list"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=ours(tmp_path),
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["operations_centers"]["hosts"] == ["oc.example"]
    assert found["folder_none"]["hosts"] == ["alpha.example"]
    assert "beta.example" in found["folder_team"]["hosts"]
    assert found["kind_client"]["hosts"]
