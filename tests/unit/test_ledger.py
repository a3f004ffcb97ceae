"""Who is there, and who was audited: every ghost, stranger and second name is found; what is not known is no percentage."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from operationscenter import TOKEN, USER, controller, serving
from plantedfleet import (
    GHOSTS,
    RENAMED,
    STRANGERS,
    center_state,
    controller_state,
    evidence,
    fleet,
    jobs,
    name_of,
    with_member,
)
from schemas import validate

from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._age import Aged
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product import _operations_center as product
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._asking import asked
from ansible_collections.cbops.telemetry.plugins.plugin_utils.product._client import Client
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _ledger as ledger
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host, coverage_words

AT = "2026-11-27T12:00:00Z"


def reconciled(*arguments: Any, **options: Any) -> ledger.Ledger:
    """The ledger, as its schema says."""
    result = ledger.reconcile(*arguments, **options)
    validate(json.loads(json.dumps(result.document(AT))))
    return result


def api() -> dict[str, product.Center | str]:
    """What the operations centers of the planted fleet say, over HTTP."""
    found: dict[str, product.Center | str] = {}
    with ExitStack() as stack:
        for number in range(3):
            served = stack.enter_context(serving(*jobs(number)))
            url = f"https://oc{number}.example"
            found[url] = product.read(Client(served.url, USER, TOKEN, None, True), served.url)._replace(url=url)
    return found


def planted(result: ledger.Ledger) -> None:
    """All that was planted is found, and nothing else."""
    assert sorted(one["name"].rpartition("/")[2] for one in result.ghosts) == [name_of(one) for one in GHOSTS]
    assert sorted(one["host"] for one in result.strangers) == STRANGERS
    assert not result.unplaced
    assert (result.coverage["audited"], result.coverage["known"]) == (193, 200)
    assert result.coverage["percent"] == 96.5
    assert result.coverage["operations_centers"] == {"audited": 3, "known": 3}


def renamed(result: ledger.Ledger) -> list[str]:
    """The hosts of controllers with two names."""
    return sorted(one["host"] for one in result.renamed)


def test_all_is_found_by_the_api_alone(tmp_path: Path) -> None:
    result = reconciled(fleet(tmp_path, with_disks=False), api())
    planted(result)
    assert renamed(result) == [f"{name_of(number)}.example" for number in RENAMED]
    assert {source for one in result.controllers for source in one["sources"]} == {"api"}


def test_all_is_found_over_ssh_alone(tmp_path: Path) -> None:
    result = reconciled(fleet(tmp_path, with_disks=True))
    planted(result)
    assert renamed(result) == [f"{name_of(number)}.example" for number in RENAMED]
    assert {source for one in result.controllers for source in one["sources"]} == {"disk"}
    assert result.renamed[0]["names"] == ["team/c010 at https://oc1.example", "old-c010 in its launch files"]


def test_both_say_each_controller_once(tmp_path: Path) -> None:
    result = reconciled(fleet(tmp_path, with_disks=True), api())
    planted(result)
    assert {tuple(sorted(one["sources"])) for one in result.controllers} == {("api", "disk")}


def test_hosts_that_say_nothing_are_found_by_the_hosts_of_endpoints(tmp_path: Path) -> None:
    result = reconciled(fleet(tmp_path, with_disks=False, with_members=False), api())
    planted(result)
    assert "the host of its endpoint" in result.controllers[0]["matches"][0]["by"]


def test_each_ghost_says_why(tmp_path: Path) -> None:
    why = {one["name"]: one["reason"] for one in reconciled(fleet(tmp_path, with_disks=False), api()).ghosts}
    reasons = {name.rpartition("/")[2]: text for name, text in why.items()}
    assert reasons["c003"] == "c003.example is not in the inventory"
    assert reasons["c121"] == "c121.example is in the inventory, and its verdict is unreachable: nobody has looked"
    assert reasons["c199"] == "c199.example was audited, and no installation was found there"


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, Any]:
    """A controller that says nothing of where it belongs."""
    root = tmp_path / "cm"
    root.mkdir()
    return controller_state(root)


def center(*items: dict[str, Any], url: str = "https://oc.example") -> dict[str, product.Center | str]:
    """What an operations center says."""
    with serving(*items) as served:
        return {url: product.read(Client(served.url, USER, TOKEN, None, True), served.url)._replace(url=url)}


def test_without_a_ledger_coverage_is_unknown(plain: dict[str, Any]) -> None:
    """Never 100 %: neither with no ledger, nor with one that was not read."""
    alone = reconciled([evidence("a.example", plain)])
    assert alone.coverage["percent"] is None
    assert [one["host"] for one in alone.unplaced] == ["a.example"]
    member = with_member(plain, operations_center="https://oc.example", name="a", endpoint="https://a.example")
    named = reconciled([evidence("a.example", member)])
    assert named.coverage["percent"] is None
    assert "https://oc.example was not read" in named.coverage["reasons"][0]
    assert "which was not read" in named.unplaced[0]["reason"]
    refused = reconciled([evidence("a.example", plain)], {"https://oc.example": "it answers 403"})
    assert refused.coverage["percent"] is None
    for result in (alone, named, refused, reconciled([])):
        assert "coverage: unknown" in coverage_words(result.coverage)
        assert ledger.shortfall(result.summary(), 0)
        assert not ledger.shortfall(result.summary(), None)


def test_one_of_two_operations_centers_is_no_percentage(plain: dict[str, Any]) -> None:
    answers = {**center(controller("a")), "https://other.example": "it does not answer"}
    result = reconciled([evidence("a.example", plain)], answers)
    assert (result.coverage["audited"], result.coverage["known"], result.coverage["percent"]) == (1, 1, None)
    assert "1 audited of at least 1 known" in coverage_words(result.coverage)


def test_coverage_is_rounded_down(plain: dict[str, Any]) -> None:
    hosts = [evidence("c0.example", plain)]
    result = reconciled(hosts, center(*(controller(f"c{number}") for number in range(3))))
    assert result.coverage["percent"] == 33.33
    assert ledger.shortfall(result.summary(), 33.34)
    full = reconciled(hosts, center(controller("c0")))
    assert full.coverage["percent"] == 100
    assert "1 operations centers were not audited" in ledger.shortfall(full.summary(), 100)


def test_old_and_silent_hosts_are_not_audited(plain: dict[str, Any]) -> None:
    for verdict in ("unreachable", "stale"):
        assert not reconciled([evidence("a.example", plain, verdict)], center(controller("a"))).coverage["audited"]


def test_a_match_that_could_be_another_s_is_none(plain: dict[str, Any]) -> None:
    """Two controllers on one machine, and one installation that says nothing."""
    two = [controller(name, endpoint=f"https://shared.example:{port}/") for name, port in (("a", 1), ("b", 2))]
    result = reconciled([evidence("shared.example", plain)], center(*two))
    assert result.coverage["audited"] == 0
    assert "none of its installations is known to be this one" in result.ghosts[0]["reason"]
    home = {**plain, "installations": [{**plain["installations"][0], "home": "/srv/b/home"}]}
    by_home = reconciled([evidence("shared.example", home)], center(*two))
    assert [one["name"] for one in by_home.ghosts] == ["a"]
    assert by_home.controllers[1]["matches"][0]["by"].endswith("and its home")


def test_a_name_alone_is_no_match_where_an_address_says_otherwise(plain: dict[str, Any]) -> None:
    member = with_member(plain, operations_center="https://oc.example", name="a", endpoint="https://elsewhere.example")
    result = reconciled([evidence("x.example", member)], center(controller("a")))
    assert [one["name"] for one in result.ghosts] == ["a"]
    assert [one["host"] for one in result.strangers] == ["x.example"]


def test_a_controller_without_an_address_is_found_by_its_host_s_name(plain: dict[str, Any]) -> None:
    result = reconciled([evidence("a.example", plain)], center(controller("t/a", endpoint=None), controller("b")))
    assert [one["name"] for one in result.ghosts] == ["b"]
    assert "the name of its host" in next(one for one in result.controllers if one["audited"])["matches"][0]["by"]


def test_two_items_of_one_controller(plain: dict[str, Any]) -> None:
    """It was registered anew under another name, at another operations center."""
    one, two = controller("new"), controller("old", endpoint="https://new.example:443")
    answers = {**center(one), **center(two, url="https://oc2.example")}
    member = with_member(plain, endpoint="https://new.example", name="new", operations_center="https://oc.example")
    result = reconciled([evidence("new.example", member)], answers)
    assert result.renamed[0]["names"] == ["new at https://oc.example", "old at https://oc2.example"]
    nobody = reconciled([], answers)
    assert "they have the endpoint" in nobody.renamed[0]["by"]


def test_a_jenkins_of_nobody_is_no_stranger(plain: dict[str, Any]) -> None:
    jenkins = {**plain, "installations": [{**plain["installations"][0], "product": "jenkins"}]}
    assert not reconciled([evidence("j.example", jenkins)], center(controller("a"))).strangers


def test_two_names_of_a_machine(plain: dict[str, Any]) -> None:
    hosts = [Host(evidence(name, plain).document, None, None, None, "f" * 64) for name in ("a.example", "alias")]
    result = reconciled(hosts, center(controller("a")))
    assert [one["names"] for one in result.renamed] == [["a.example", "alias"]]


def test_what_the_inventory_expects(plain: dict[str, Any]) -> None:
    name = plain["installations"][0]["name"]
    hosts = [evidence("a", plain), evidence("b", None, "unreachable"), evidence("c", plain)]
    expected = {"a": ["other"], "b": ["x"], "c": [name]}
    assert reconciled(hosts, expected=expected).unexpected == [
        {"host": "a", "expected": ["other"], "unexpected": [name], "missing": ["other"]}
    ]


def test_an_operations_center_is_one_by_any_of_its_addresses(tmp_path: Path) -> None:
    """By its API, by its settings and by launch files it may have three."""
    hosts = fleet(tmp_path, with_disks=True)
    answers = api()
    moved = {url.replace("https", "http") + ":8888": value for url, value in answers.items()}
    result = reconciled(hosts, moved)
    assert result.coverage["operations_centers"] == {"audited": 3, "known": 3}
    assert result.coverage["percent"] == 96.5


def test_asking() -> None:
    with serving(controller("a")) as one, serving() as empty:
        entries = [{"url": served.url, "user": USER, "token": TOKEN, "allow_http": True} for served in (one, empty)]
        found = asked(entries)
        assert [item.name for item in found[one.url].items] == ["a"]  # type: ignore[union-attr]
        assert "lists no controllers" in str(found[empty.url])
        assert "no TLS" in str(asked([{"url": "http://oc.example/", "user": "a", "token": TOKEN}]))
        assert "no TLS" in str(asked([{"url": one.url, "user": USER, "token": TOKEN}])), "on this machine, too"
        for wrong in ([{"url": "https://u:p@oc/"}], [{"url": "x"}], [{"url": one.url}, {"url": f"{one.url}/"}]):
            with pytest.raises(ValueError, match=r"user in it|address|named twice"):
                asked(wrong)


CENTER = "https://oc.example"


def matched(plain: dict[str, Any], **more: Any) -> Host:
    """The one controller that the operations center has."""
    return evidence(
        "a.example", with_member(plain, operations_center=CENTER, endpoint="https://a.example", name="a", **more)
    )


def old(host: str, document: dict[str, Any]) -> Host:
    """The evidence of a host that is too old."""
    found = evidence(host, document, "stale")
    return Host(found.document, None, None, aged=Aged("stale", "it is too old"), was="compliant")


def test_what_is_known_by_old_evidence_is_named(plain: dict[str, Any], tmp_path: Path) -> None:
    """An operations center does not go away by its evidence getting old, and neither does what controllers name."""
    root = tmp_path / "oc"
    root.mkdir()
    hosts = [
        matched(plain),
        old("oc2.example", center_state(root, 2, True)),
        old("cm9.example", with_member(plain, operations_center="https://oc3.example", endpoint="https://cm9.example")),
    ]
    result = reconciled(hosts, center(controller("a")))
    assert result.coverage["percent"] is None
    assert result.coverage["operations_centers"] == {"audited": 0, "known": 3}
    assert result.coverage["reasons"] == [
        "https://oc3.example was not read: launch files name it, and it was neither asked nor audited",
        "https://oc2.example was not read: the disk of oc2.example/cloudbees-cm: its evidence does not show it as "
        "it is (stale)",
    ]
    assert (
        "its verdict is stale" in next(one for one in result.operations_centers if "oc2" in one["name"])["not_audited"]
    )
    assert ledger.shortfall(result.summary(), 0)
    asked_too = {**center(controller("a")), **center(controller("b"), url="https://oc2.example")}
    read = reconciled(hosts[:2], asked_too)
    assert (read.coverage["percent"], read.coverage["reasons"]) == (50.0, [])


def test_an_operations_center_of_an_odd_address_is_one(plain: dict[str, Any], tmp_path: Path) -> None:
    odd = "https://oc2.example/ci+cd"
    lost = evidence("x.example", with_member(plain, operations_center=odd, endpoint="https://x.example", name="x"))
    result = reconciled([matched(plain), lost], center(controller("a")))
    assert result.coverage["percent"] is None
    assert "by an odd address" in result.coverage["reasons"][0]
    assert not result.strangers
    assert "the operations center of x.example/" in result.unplaced[0]["reason"]
    root = tmp_path / "oc"
    root.mkdir()
    state = center_state(root, 2, True)
    state["installations"][0]["controllers_detail"]["url"] = f"{odd}/"
    read = reconciled([matched(plain), lost, evidence("oc2.example", state)], center(controller("a")))
    assert read.coverage["percent"] is not None
    assert [one["host"] for one in read.strangers] == ["x.example"]


@pytest.mark.parametrize(
    ("reason", "is_known"),
    [
        ("the value needs $OC", False),
        ("it is not the same in every way to start it", False),
        ("MASTER_OPERATIONSCENTER_ENDPOINT: no value of a form that is shown", False),
        ("MASTER_NAME: no value of a form that is shown; it is not the same in every way to start it", False),
        ("MASTER_NAME, MASTER_INDEX: no value of a form that is shown", True),
    ],
)
def test_where_launch_files_may_name_another_coverage_is_unknown(
    plain: dict[str, Any], reason: str, is_known: bool
) -> None:
    answers = center(controller("a"))
    whole = reconciled([matched(plain, reason=reason)], answers)
    assert (whole.coverage["percent"] is not None) is is_known
    assert (reason in "".join(whole.coverage["reasons"])) is not is_known
    nowhere = with_member(plain, reason=reason)
    for extra in (evidence("x.example", nowhere), old("x.example", nowhere)):
        result = reconciled([matched(plain), extra], answers)
        assert result.coverage["percent"] is None
        assert reason in result.coverage["reasons"][0]
        assert not result.strangers
    named = evidence("x.example", with_member(plain, reason=reason, operations_center=CENTER, name="x"))
    result = reconciled([matched(plain), named], answers)
    assert [len(result.strangers), len(result.unplaced)] == ([1, 0] if is_known else [0, 1])


ENDPOINTS = [
    # What an operations center says, what a launch file says, whether that is one place.
    ("https://cm1.example/", "https://cm1.example", True),
    ("https://CM1.example:443/", "http://cm1.example:80", True),
    ("https://cm1.example:8443/x/", "https://cm1.example:8443/x", True),
    ("https://cm1.example:8443/", "https://cm1.example:8444/", False),
    ("https://[2001:DB8::1]:8443/", "https://[2001:db8:0::1]:8443", True),
    ("https://XN--bcher-kva.example/cm", "https://xn--bcher-kva.example/cm/", True),
    ("https://bücher.example/", "https://xn--bcher-kva.example", False),  # which letters these are, nobody sees
    ("https://cm1.example./", "https://cm1.example", True),
    ("https://cm1.example/a//", "https://cm1.example/a", True),
    ("https://user:pw@cm1.example/?x=1#y", "https://cm1.example/", True),
    # Two controllers behind one proxy may differ by that alone.
    ("https://cm1.example/A", "https://cm1.example/a", False),
    ("https://cm1.example/a%2Fb", "https://cm1.example/a/b", False),
]


@pytest.mark.parametrize(("listed", "said", "same"), ENDPOINTS)
def test_odd_endpoints_are_one_or_not(plain: dict[str, Any], listed: str, said: str, same: bool) -> None:
    member = with_member(plain, operations_center="https://oc.example", endpoint=said, name="another")
    item = {**controller("a"), "endpoint": listed}
    result = reconciled([evidence("h1.elsewhere", member)], center(item))
    assert result.coverage["percent"] == (100 if same else 0)
    assert [one["host"] for one in result.strangers] == ([] if same else ["h1.elsewhere"])
    assert "pw" not in json.dumps(result.document(AT))


@pytest.mark.parametrize("endpoint", ["https://a.example", None])
def test_a_controller_of_two_operations_centers_counts_once(plain: dict[str, Any], endpoint: str | None) -> None:
    """Else one that two of them have would stand in for one that nobody has looked at."""
    mine, ghost = ({**controller(name), "endpoint": f"https://{name}.example/"} for name in ("a", "ghost"))
    member = with_member(plain, operations_center="https://oc.example", endpoint=endpoint, name="a")
    result = reconciled(
        [evidence("h1", member)],
        {**center(mine, ghost), **center({**mine, "fullName": "old-a"}, url="https://oc2.example")},
    )
    assert (result.coverage["audited"], result.coverage["known"], result.coverage["percent"]) == (1, 2, 50)
    assert [one["name"] for one in result.ghosts] == ["ghost"]
    (two,) = result.renamed
    assert two["names"] == ["a at https://oc.example", "old-a at https://oc2.example"]


def test_two_hosts_that_say_they_are_one_controller_are_named(plain: dict[str, Any]) -> None:
    member = with_member(plain, operations_center="https://oc.example", endpoint="https://a.example", name="a")
    hosts = [evidence("h1", member), evidence("h2", member)]
    item = {**controller("a"), "endpoint": "https://a.example/"}
    result = reconciled(hosts, center(item))
    assert result.coverage["percent"] == 100
    (two,) = result.renamed
    assert two["names"] == ["h1/cloudbees-core-cm", "h2/cloudbees-core-cm"] and "a copy perhaps" in two["by"]
    one_machine = [replace(host, machine="0" * 64) for host in hosts]
    (two,) = reconciled(one_machine, center(item)).renamed
    assert two["names"] == ["h1", "h2"], "two names of one machine are no copy"


#: What is the address of several controllers, for it means another machine to each, or each network has one of that name.
UNSHARED = [
    "http://localhost:8080/",
    "http://jenkins:8080",
    "http://127.0.0.1:8080/",
    "http://127.8.8.8/",
    "http://[::1]:8080/",
    "http://0.0.0.0:8080/",
    "http://localhost.localdomain:8080/",
    "http://jenkins.local:8080/",
    "http://169.254.1.1/",
]


def on_disk(url: str, items: Iterable[tuple[str, str | None]]) -> dict[str, product.Center | str]:
    """An operations center with these items; of its disk the address may be one that no server is believed."""
    found = [product.Item(name, "client", ledger.canonical(text), None, None, None) for name, text in items]
    return {url: product.Center(url, None, found)}


@pytest.mark.parametrize("said", [None, "the same"])
@pytest.mark.parametrize("endpoint", [*UNSHARED, "https://proxy.example/"])
def test_controllers_that_say_the_same_address_are_as_many_as_there_are(
    plain: dict[str, Any], endpoint: str, said: str | None
) -> None:
    """The root URL that nobody has set is the same for all; of an operations center's, no two are one for that."""
    items = [(name, endpoint) for name in ("c1", "c2", "c3")]
    member = with_member(plain, operations_center="https://oc.example", endpoint=said and endpoint, name="c1")
    result = reconciled([evidence("h1.elsewhere", member)], on_disk("https://oc.example", items))
    if said and "proxy" in endpoint:
        assert result.coverage["percent"] == 100, "it says that it is what lies there"
        return
    assert (result.coverage["audited"], result.coverage["known"], result.coverage["percent"]) == (1, 3, 33.33)
    assert [one["name"] for one in result.ghosts] == ["c2", "c3"]
    assert "proxy" in endpoint or not result.renamed


@pytest.mark.parametrize("said", [None, "the same"])
@pytest.mark.parametrize("endpoint", UNSHARED)
def test_no_operations_center_s_controller_is_another_s_by_an_address_that_all_have(
    plain: dict[str, Any], endpoint: str, said: str | None
) -> None:
    answers = {
        **on_disk("https://oc.example", [("c1", endpoint)]),
        **on_disk("https://oc2.example", [("payroll", endpoint)]),
    }
    member = with_member(plain, operations_center="https://oc.example", endpoint=said and endpoint, name="c1")
    result = reconciled([evidence("h1.elsewhere", member)], answers)
    assert [one["name"] for one in result.ghosts] == ["payroll"]
    assert result.coverage["percent"] == 50
    assert not result.renamed


def test_which_of_two_at_one_address_another_operations_center_means_nobody_knows(plain: dict[str, Any]) -> None:
    same = {"endpoint": "https://proxy.example/"}
    answers = {
        **center(controller("a", **same), controller("b", **same)),
        **center(controller("c", **same), url="https://oc2.example"),
    }
    member = with_member(plain, operations_center="https://oc.example", name="a")
    result = reconciled([evidence("h1", member)], answers)
    assert [one["name"] for one in result.ghosts] == ["b", "c"]
    assert (result.coverage["audited"], result.coverage["known"]) == (1, 2)


@pytest.mark.parametrize("seed", range(40))
def test_the_figure_and_the_ghosts_agree(plain: dict[str, Any], seed: int) -> None:
    """In any ledger: all are audited where there are no ghosts, and of no operations center some count as one."""
    dice = random.Random(seed)  # noqa: S311
    pool = [None, *dice.sample(UNSHARED, 2), "https://a.example/", "https://b.example/", "https://10.0.0.1:8080/x"]
    for _ in range(25):
        answers: dict[str, product.Center | str] = {}
        for number in range(dice.randint(1, 3)):
            url = f"https://oc{number}.example"
            names = dice.sample(["a", "b", "c", "d", "e"], dice.randint(1, 4))
            answers.update(on_disk(url, [(name, dice.choice(pool)) for name in names]))
        hosts = [
            evidence(
                f"{dice.choice('abcde')}{number}.example",
                with_member(
                    plain,
                    operations_center=f"https://oc{dice.randrange(len(answers))}.example",
                    endpoint=dice.choice(pool),
                    name=dice.choice("abcdef"),
                ),
            )
            for number in range(dice.randint(0, 6))
        ]
        result = ledger.reconcile(hosts, answers)
        audited, known = result.coverage["audited"], result.coverage["known"]
        assert (audited == known) == (not result.ghosts)
        assert (result.coverage["percent"] == 100) == (not result.ghosts)
        assert (audited == 0) == (not any(one["audited"] for one in result.controllers))
        assert known <= len(result.controllers)
        for url in answers:
            of_one = [one for one in result.controllers if one["operations_center"] == url]
            assert known >= len(of_one)
            assert known - audited >= sum(not one["audited"] for one in of_one)


def test_by_localhost_each_host_means_its_own_operations_center(plain: dict[str, Any], tmp_path: Path) -> None:
    """Two whose root URL nobody has set are two, and a third that launch files name so is read by nobody."""
    url = "http://localhost:8888/"
    hosts = []
    for number in range(2):
        root = tmp_path / f"oc{number}"
        root.mkdir()
        state = center_state(root, number, True)
        (found,) = state["installations"]
        found["controllers_detail"]["url"] = url
        found["controllers"] = [{**found["controllers"][0], "name": "c1", "endpoint": "http://localhost:8080/"}]
        hosts.append(evidence(f"oc{number}.example", state))
    here = copy.deepcopy(hosts[0].document)
    one = with_member(plain, operations_center=url, name="c1")["installations"][0]
    here["state"]["installations"].append({**one, "name": "cm", "service": "cm.service"})
    first = replace(hosts[0], document=here)
    result = reconciled([first, hosts[1]])
    assert (result.coverage["audited"], result.coverage["known"], result.coverage["percent"]) == (1, 2, 50)
    assert [one["operations_center"] for one in result.ghosts] == [f"oc1.example/{found['name']}"]
    assert result.coverage["operations_centers"] == {"audited": 2, "known": 2}
    third = evidence("x.example", with_member(plain, operations_center=url, name="c1"))
    result = reconciled([first, hosts[1], third])
    assert result.coverage["percent"] is None
    assert "the operations center of x.example/" in result.coverage["reasons"][0]
    # Who asks by that address has said which one is meant.
    asked_so = reconciled([third], on_disk("http://localhost:8888", [("c1", None)]))
    assert asked_so.coverage["percent"] == 100
