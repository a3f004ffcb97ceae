"""Properties beside the flag are put in and taken out as the flag is: byte-safe, in both polarities, with it and alone."""

from __future__ import annotations

from typing import Any

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer as answer
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _declare
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import Store
from ansible_collections.cbops.telemetry.plugins.module_utils.java._jvm import Switch
from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import edits_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._plan import summary

CORE = {"name": "hudson.model.UsageStatistics.disabled", "off_value": "true", "variable": ""}
PHONE = {"name": "hazelcast.phone.home.enabled", "off_value": "false", "variable": "HZ_PHONE_HOME_ENABLED"}
BOTH = [CORE, PHONE]


def flag(host: Host, state: str, check: bool = False, run: str = "", **switches: str) -> dict[str, Any]:
    """What telemetry_flag answers; ``switches`` by what is wanted of core's and Hazelcast's."""
    wanted = [{**one, "state": switches[key]} for key, one in (("core", CORE), ("phone", PHONE)) if key in switches]
    return answered(host, state, wanted, check, run)


def answered(
    host: Host, state: str, switches: list[dict[str, str]], check: bool = False, run: str = ""
) -> dict[str, Any]:
    """The same of these."""
    return answer.telemetry_flag(
        {
            "state": state,
            "root": str(host.root),
            "launch_scripts": [],
            "name": [],
            "backup": True,
            "backup_count": 10,
            "backup_days": 365,
            "run": run,
            "attach": "never",
            "switches": switches,
        },
        check,
    )


def on_disk(host: Host) -> list[str]:
    """The flag, core's and Hazelcast's, by the files."""
    own = [{"name": one["name"], "off_value": one["off_value"]} for one in BOTH]
    (entry,) = answer.state(str(host.root), senders={"switches": own, "threads": False})["installations"]
    return [entry["on_disk"], *(one["on_disk"] for one in entry["switches"][:2])]


def files(host: Host) -> dict[str, bytes]:
    """All that lies on a host, but backups."""
    return {
        str(path): path.read_bytes()
        for path in sorted(host.root.rglob("*"))
        if path.is_file() and not path.is_symlink() and "cbops-telemetry" not in str(path)
    }


LAYOUTS = {
    "deb": lambda host: host.deb('JAVA_ARGS="-Xmx1g -Djava.awt.headless=true"\n'),
    "deb, single quotes": lambda host: host.deb("JAVA_ARGS='-Xmx1g'"),
    "deb, CRLF": lambda host: host.deb('JAVA_ARGS="-Xmx1g"\r\n'),
    "rpm": lambda host: host.rpm('JENKINS_JAVA_OPTIONS="-Xmx1g"\n'),
    "rpm, array": lambda host: host.rpm('JENKINS_JAVA_OPTIONS=( "-Xmx1g" "-Da=b c" )\n'),
    "unit": lambda host: host.oss(),
    "unit, drop-in": lambda host: host.oss('[Service]\nEnvironment="JAVA_OPTS=-Xmx1g -Da=%%p"\n'),
    "script": lambda host: host.script("#!/bin/sh\nexec java -Xmx1g -jar /usr/share/java/jenkins.war\n"),
}


@pytest.fixture(params=LAYOUTS)
def laid_out(request: pytest.FixtureRequest, host: Host) -> Host:
    """A host of each layout."""
    LAYOUTS[request.param](host)
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    host.write("/usr/share/java/jenkins.war", "PK")
    return host


def test_in_and_out_again_byte_for_byte(laid_out: Host) -> None:
    host = laid_out
    before = files(host)
    checked = flag(host, "enabled", check=True, core="disabled", phone="disabled")
    assert files(host) == before and checked["changed"] and not checked["refused"]
    done = flag(host, "enabled", core="disabled", phone="disabled")
    assert not done["refused"] and on_disk(host) == ["enabled", "disabled", "disabled"]
    assert checked["files"] == [{**one, "backup": None} for one in done["files"]], "check mode tells what is written"
    assert all(one["flag"] is False for one in done["files"])
    assert not flag(host, "enabled", core="disabled", phone="disabled")["changed"]
    assert not flag(host, "enabled", core="enabled", phone="enabled")["refused"]
    assert files(host) == before and on_disk(host) == ["enabled"] * 3


def test_together_with_the_flag_and_each_alone(laid_out: Host) -> None:
    host = laid_out
    before = files(host)
    checked = flag(host, "disabled", check=True, core="disabled", phone="disabled")
    done = flag(host, "disabled", core="disabled", phone="disabled")
    assert not done["refused"] and on_disk(host) == ["disabled"] * 3
    assert [(one["path"], one["before"], one["after"]) for one in checked["files"]] == [
        (one["path"], one["before"], one["after"]) for one in done["files"]
    ]
    assert len({one["path"] for one in done["files"]}) == len(done["files"]), "a file is one edit"
    assert not any("flag" in one for one in done["files"])
    shown = "".join(one["after"] for one in done["diff"])
    assert FLAG in shown and "-Dhazelcast.phone.home.enabled=false" in shown and "Xmx1g" not in shown
    assert not flag(host, "enabled", core="disabled", phone="disabled")["refused"]
    assert on_disk(host) == ["enabled", "disabled", "disabled"], "the flag alone went"
    assert not flag(host, "disabled", core="enabled", phone="disabled")["refused"]
    assert on_disk(host) == ["disabled", "enabled", "disabled"]
    assert not flag(host, "enabled", core="enabled", phone="enabled")["refused"]
    assert on_disk(host) == ["enabled"] * 3
    assert {path for path, data in files(host).items() if before.get(path) != data} == set()


@pytest.mark.parametrize("value", ["true", "no", ""])
def test_a_mention_with_another_value_gets_the_right_one(host: Host, value: str) -> None:
    host.deb(f'JAVA_ARGS="-Dhazelcast.phone.home.enabled={value} -Xmx1g"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    assert not flag(host, "enabled", phone="disabled")["refused"]
    text = host.read("/etc/default/cloudbees-core-cm")
    assert 'JAVA_ARGS="-Dhazelcast.phone.home.enabled=false -Xmx1g"\n' in text
    assert on_disk(host) == ["enabled", "enabled", "disabled"]


def test_a_variable_of_the_environment_is_enough_and_is_never_written(host: Host) -> None:
    host.oss('[Service]\nEnvironment="HZ_PHONE_HOME_ENABLED=false"\n')
    before = files(host)
    assert not flag(host, "enabled", phone="disabled")["changed"]
    refused = flag(host, "enabled", phone="enabled")
    assert refused["failed"] and files(host) == before
    assert "by hand: take HZ_PHONE_HOME_ENABLED=false out of the environment" in refused["msg"]


@pytest.mark.parametrize("value", [None, "true", "no"])
def test_where_a_variable_decides_it_is_named_and_no_property(host: Host, value: str | None) -> None:
    words = f"-D{PHONE['name']}={value}" if value else "-Xmx1g"
    host.oss(f'[Service]\nEnvironment="JAVA_OPTS={words}"\nEnvironment="HZ_PHONE_HOME_ENABLED=false"\n')
    own = [{"name": PHONE["name"], "off_value": "false"}]
    (entry,) = answer.state(str(host.root), senders={"switches": own, "threads": False})["installations"]
    (found,) = [one for one in entry["switches"] if one["name"] == PHONE["name"]]
    assert found["on_disk"] == "disabled"
    assert found["on_disk_detail"] == {"reason": "HZ_PHONE_HOME_ENABLED=false in the environment turns it off"}
    wanted = {"name": PHONE["name"], "off_value": "false", "desired": "enabled", "words": "Hazelcast's phone home"}
    sentences = [one.sentence for one in _findings.of_switch(entry, wanted)]
    sentence = next(one for one in sentences if "HZ_PHONE_HOME_ENABLED" in one)
    assert "turns it off; take it out by hand (Hazelcast's phone home)" in sentence
    assert _manual.entry_of(sentence) == "flag-not-as-wanted"
    refused = flag(host, "enabled", phone="enabled")
    assert "by hand: take HZ_PHONE_HOME_ENABLED=false out of the environment" in refused["msg"]


def test_one_run_is_undone_to_what_was_before_it(laid_out: Host) -> None:
    host = laid_out
    before = files(host)
    run = "20261127T120000Z-0123abcd"
    done = flag(host, "disabled", run=run, core="disabled", phone="disabled")
    assert not done["refused"]
    undone = Store(str(host.root)).undo(run)
    assert undone and all(one.reason is None for one in undone), undone
    assert files(host) == before


def test_the_record_says_of_the_flag_only_what_was_done_for_it() -> None:
    one = {"path": "/etc/default/cm", "before": "a", "after": "b", "backup": None}
    assert [edit["state"] for edit in edits_of({"files": [one, {**one, "path": "/x", "flag": False}]}, "disabled")] == [
        "disabled",
        None,
    ]
    diff = {"before": "", "after": "line 3: ... -Da.b=true ...\n", "after_header": "/etc/default/cm"}
    assert summary({**one, "flag": False}, diff) == "property put in (line 3)"
    diff = {**diff, "before": "line 4: ... A_B=0 ...\n", "after": ""}
    assert summary({**one, "flag": False}, diff) == "variable taken out (line 4)"


def test_another_name_of_a_unit_is_a_name_of_it(host: Host) -> None:
    host.write(
        "/usr/lib/systemd/system/cm.service", "[Service]\nExecStart=/usr/bin/java -jar /usr/share/java/jenkins.war\n"
    )
    host.write("/usr/share/java/jenkins.war", "PK")
    link = host.root / "etc/systemd/system/jenkins.service"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("/usr/lib/systemd/system/cm.service")
    switches = [(Switch("A_B", "1", "", True), "disabled"), (Switch("C_D", "0", "", True), "disabled")]
    given = ([], ["jenkins", "cm"], False, "never", "", 5, 30, None)
    done = _declare.declare_all("disabled", switches, str(host.root), False, *given)
    assert done.changed and not done.refused
    (entry,) = answer.state(str(host.root))["installations"]
    assert (entry["name"], entry["on_disk"]) == ("cm", "disabled")
    (own,) = (one for one in done.files)
    assert "A_B=1" in host.read(own["path"]) and "C_D=0" in host.read(own["path"])
    with pytest.raises(_declare.Refused, match=r"not installed here: hudson \(installed: cm\)"):
        _declare.declare("disabled", str(host.root), names=["jenkins", "hudson"])


def test_a_refusal_names_the_switch(host: Host) -> None:
    host.script("#!/bin/sh\nexec env -i java $(cat /etc/x) -jar /usr/share/java/jenkins.war\n")
    host.write("/usr/share/java/jenkins.war", "PK")
    switch = Switch("A_B", "1", "", True)
    done = _declare.declare("disabled", str(host.root), attach="never", switch=switch, backup=False)
    assert any("changes A_B alone, so nothing is edited" in one for one in done.refused), done.refused


def test_a_name_that_is_none_is_refused(host: Host) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    params = {"root": str(host.root), "launch_scripts": [], "switches": [{"name": "a b"}]}
    assert "no name of a property" in answer.telemetry_flag(params, True)["msg"]


@pytest.mark.parametrize(
    ("names", "states", "words"),
    [
        ([_declare.TELEMETRY.name], ["enabled"], "the flag itself"),
        (["a.b", "a.b"], ["enabled", "disabled"], "twice"),
        (["a.b", "a.b"], ["disabled", "disabled"], None),
    ],
)
def test_what_contradicts_itself_is_refused(host: Host, names: list[str], states: list[str], words: str | None) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    before = files(host)
    switches = [{**CORE, "name": name, "state": state} for name, state in zip(names, states, strict=True)]
    found = answered(host, "disabled", switches)
    assert (words in found["msg"]) if words else not found.get("failed")
    assert (files(host) == before) == (words is not None)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error", "/x"), ValueError("odd"), _declare.Refused("no")])
@pytest.mark.parametrize("check", [False, True])
def test_what_was_written_is_said_where_a_later_property_fails(
    host: Host, monkeypatch: pytest.MonkeyPatch, error: Exception, check: bool
) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    real = _declare.declare

    def declare(*given: Any) -> Any:
        if len(given) > 10 and given[10].name == CORE["name"]:
            raise error
        return real(*given)

    monkeypatch.setattr(_declare, "declare", declare)
    found = flag(host, "disabled", check, core="disabled", phone="disabled")
    assert found["failed"] and found["changed"] and len(found["files"]) == 1
    assert len(found["refused"]) == 1 and found["refused"][0].startswith(f"-D{CORE['name']}: ")
    assert bool(found["backup_files"]) != check
    if not check:
        assert on_disk(host) == ["disabled", "enabled", "disabled"]


def test_the_switch_goes_with_its_definition(host: Host) -> None:
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    switch = Switch("com.example.phone.home", "false")
    done = _declare.declare("disabled", str(host.root), attach="never", switch=switch)
    assert done.changed and "-Dcom.example.phone.home=false" in host.read("/etc/default/cloudbees-core-cm")
    assert done.document["installations"][0]["on_disk"] == "enabled", "the document is about the flag"


def test_a_host_is_read_once_for_all_that_is_right_already(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.deb('JAVA_ARGS="-Xmx1g -Da.b0=true"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    count = []
    real = _declare.survey
    monkeypatch.setattr(_declare, "survey", lambda *given: count.append(1) or real(*given))
    switches = [
        {**CORE, "name": f"a.b{number}", "state": "disabled" if not number else "enabled"} for number in range(9)
    ]
    for check in (True, False):
        del count[:]
        found = answered(host, "enabled", switches, check)
        assert (found["changed"], len(count)) == (False, 1)
        (entry,) = found["state"]["installations"]
        states = [(one["name"], one["on_disk"]) for one in entry["switches"]]
        assert states == [(one["name"], one["state"]) for one in switches]
    del count[:]
    mixed = [*switches[:5], {**PHONE, "state": "disabled"}, *switches[5:]]
    found = answered(host, "enabled", mixed)
    assert found["changed"] and len(count) == 3, "one for the flag, and before and after the edit"
    (entry,) = found["state"]["installations"]
    assert [one["name"] for one in entry["switches"]] == [one["name"] for one in mixed]
    assert {one["on_disk"] for one in entry["switches"] if one["name"] in ("a.b0", PHONE["name"])} == {"disabled"}


@pytest.mark.parametrize("check", [False, True])
def test_the_state_has_the_clocks_of_each(host: Host, check: bool) -> None:
    """By them plan and enforce know what owes a restart."""
    host.deb('JAVA_ARGS="-Xmx1g"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    done = flag(host, "disabled", check, core="disabled", phone="enabled")
    (entry,) = done["state"]["installations"]
    assert [(one["name"], one["on_disk"]) for one in entry["switches"]] == [
        (CORE["name"], "enabled" if check else "disabled"),
        (PHONE["name"], "enabled"),
    ]
    assert "switches" not in flag(host, "disabled")["state"]["installations"][0]
