"""CloudBees' checkbox set on a host: one word of the file that decides, and whatever is not sure is left with the reason."""

from __future__ import annotations

import datetime
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hostroot import FLAG, Host
from schemas import validate
from test_clocks import entry as clocks_entry
from test_foresight import Tally

from ansible_collections.cbops.telemetry.plugins.module_utils import _answer as answer
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _backups as backups
from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _checkbox, _writing
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._backups import Store
from ansible_collections.cbops.telemetry.plugins.module_utils.host import _records as records
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _toggle as toggle
from ansible_collections.cbops.telemetry.plugins.module_utils.rules import _findings as rules
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._carrier import Known
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._filing import Circumstances
from ansible_collections.cbops.telemetry.plugins.plugin_utils.connect._gate import admitted
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _drift as drift
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._chain import digest
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._changes import (
    act_of,
    acts_since,
    attempt,
    edits_of,
    file_changes,
    roll_backs_of,
)
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import policy_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report import _manual
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _foresight as foresight
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _plan

HOME = "/var/lib/cloudbees-core-cm"
XML = HOME + "/com.example.UsageStatisticsCloudBees.xml"
SECRET = "S3CR3T"  # noqa: S105
RUN = "20261127T120000Z-0123abcd"
USER = 4711
TODAY = datetime.date(2026, 11, 27)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def xml(value: str, head: str = "<?xml version='1.1' encoding='UTF-8'?>\n") -> str:
    return (
        f'{head}<com.example.UsageStatisticsCloudBees plugin="x@1">\n  <!-- usageStatisticsCollected -->\n'
        f"  <key>{SECRET}</key>\n  <usageStatisticsCollected>{value}</usageStatisticsCollected>\n"
        "  <nested><usageStatisticsCollected>true</usageStatisticsCollected></nested>\n"
        "</com.example.UsageStatisticsCloudBees>"
    )


def casc(value: str) -> str:
    return (
        f"# kept\njenkins:\n  key: '{SECRET}'   # too\nunclassified:\n  usageStatisticsCloudBees:\n"
        f"    usageStatisticsCollected: {value}\n    disabledJenkinsUsageStatistics: true\n"
    )


@pytest.fixture(name="cm")
def _cm(host: Host) -> Host:
    """A controller whose flag is right."""
    host.deb(f'JAVA_ARGS="-Xmx1g {FLAG}"\n')
    host.write("/usr/share/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
    host.write(HOME + "/config.xml", "<hudson/>")
    return host


def told(host: Host, wanted: str = "disabled", check: bool = False, root: str = "", **more: Any) -> dict[str, Any]:
    """What telemetry_flag answers; it never shows a secret, and keeps to its schema."""
    params = {
        "state": "disabled",
        "toggle": wanted,
        "root": root or str(host.root),
        "launch_scripts": [],
        "name": [],
        "backup": False,
        "backup_count": 10,
        "backup_days": 365,
        "run": RUN,
        "attach": "never",
        "switches": [],
        **more,
    }
    found = answer.telemetry_flag(params, check)
    assert SECRET not in json.dumps(found)
    admitted("telemetry_flag", json.loads(json.dumps(found)))
    return found


def starts(host: Host, words: str) -> None:
    """The options of its next start."""
    host.deb(f'JAVA_ARGS="{words} {FLAG}"\n')


def of(host: Host) -> dict[str, Any]:
    (entry,) = answer.state(str(host.root))["installations"]
    return entry["toggle"]  # type: ignore[no-any-return]


def files(host: Host) -> dict[str, tuple[bytes, int, int, int]]:
    """All that lies on a host, but backups: bytes, owner, group, mode."""
    found = {}
    for path in sorted(host.root.rglob("*")):
        if path.is_file() and not path.is_symlink() and "cbops-telemetry" not in str(path):
            status = path.stat()
            found[str(path)] = (path.read_bytes(), status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    return found


@pytest.mark.parametrize(
    "head", ["", "<?xml version='1.1' encoding='UTF-8'?>\n", '<?xml version="1.0"?>\r\n', "\xef\xbb\xbf"]
)
@pytest.mark.parametrize(("was", "wanted"), [("true", "disabled"), ("false", "enabled")])
def test_the_file_of_the_home_where_nothing_is_declared(cm: Host, head: str, was: str, wanted: str) -> None:
    path = cm.write(XML, "")
    path.write_bytes(xml(was, head).encode("latin-1"))
    path.chmod(0o640)
    before = files(cm)
    checked = told(cm, wanted, check=True)
    assert files(cm) == before and checked["changed"] and "toggle_refused" not in checked
    assert not (cm.root / "var/lib/cbops-telemetry").exists(), "check mode writes nothing at all"
    done = told(cm, wanted)
    now = "true" if was == "false" else "false"
    assert path.read_bytes() == xml(now, head).encode("latin-1")
    assert {name for name, what in files(cm).items() if before[name] != what} == {str(path)}
    assert files(cm)[str(path)][1:] == before[str(path)][1:]
    assert [{**one, "backup": None} for one in done["files"]] == checked["files"]
    assert done["diff"] == checked["diff"]
    line = 4 + head.count("\n")
    assert done["diff"] == [
        {
            "before_header": XML,
            "after_header": XML,
            "before": f"line {line}: usageStatisticsCollected: {was}\n",
            "after": f"line {line}: usageStatisticsCollected: {now}\n",
        }
    ]
    assert done["backup_files"] and done["files"][0]["backup"] == done["backup_files"][0], "also without backups"
    assert done["state"]["installations"][0]["toggle"]["on_disk"]["collected"] is (now == "true")
    again = told(cm, wanted)
    assert not again["changed"] and not again["files"] and "toggle_refused" not in again
    (undone,) = Store(str(cm.root)).undo(RUN)
    assert undone.reason is None and files(cm) == before


@pytest.mark.parametrize("value", ["true", "'yes'", '"True"', "on   # why", "1"])
def test_the_declaration_on_the_host_where_there_is_one(cm: Host, value: str) -> None:
    cm.write("/etc/casc/bundle.yaml", "jcasc: [jenkins.yaml]\n")
    cm.write("/etc/casc/jenkins.yaml", casc(value).replace("\n", "\r\n"))
    starts(cm, "-Dcore.casc.config.bundle=/etc/casc")
    cm.write(XML, xml("true"))
    before = files(cm)
    assert told(cm, check=True)["changed"] and files(cm) == before
    done = told(cm)
    assert [one["path"] for one in done["files"]] == ["/etc/casc/jenkins.yaml"], "it sets the other at the next start"
    word = value.partition(" ")[0]
    assert cm.read("/etc/casc/jenkins.yaml") == casc(value.replace(word, "false")).replace("\n", "\r\n")
    assert of(cm)["declared"]["collected"] is False
    reading = HostFiles(str(cm.root))
    at = records.edited_at(reading, "/etc/casc/jenkins.yaml") or 0
    found = [toggle.declared(reading, HOME, toggle.Casc("/etc/casc"), (), since) for since in (at - 60, at + 60)]
    assert [(one.get("pending"), one.get("ours")) for one in found] == [(True, True), (None, None)]
    assert not told(cm)["changed"]
    assert Store(str(cm.root)).undo(RUN)[0].reason is None and files(cm) == before


def test_several_files_that_declare_it_are_one_edit(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        cm.write(f"/etc/casc/{name}.yaml", casc("true"))
    starts(cm, "-Dcasc.jenkins.config=/etc/casc")
    before = files(cm)
    real = _checkbox.replace
    done: list[str] = []

    def replace(path: str, *more: Any) -> Any:
        done.append(path)
        if len(done) == 2:
            raise _writing.Refused(f"{path}: no (nothing was changed)")
        return real(path, *more)

    monkeypatch.setattr(_checkbox, "replace", replace)
    found = told(cm)
    assert len(found["toggle_refused"]) == 1 and not found["changed"] and files(cm) == before
    monkeypatch.undo()
    found = told(cm)
    assert len(found["files"]) == 2 and of(cm)["declared"]["collected"] is False


def test_what_could_not_be_put_back_is_said_and_is_on_record(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        cm.write(f"/etc/casc/{name}.yaml", casc("true"))
        os.utime(cm.root / f"etc/casc/{name}.yaml", (1000, 1000))
    starts(cm, "-Dcasc.jenkins.config=/etc/casc")
    real = _checkbox.replace

    def replace(path: str, *more: Any) -> Any:
        if path.endswith("c.yaml"):  # meanwhile somebody has changed one that was written
            (cm.root / "etc/casc/b.yaml").write_text(cm.read("/etc/casc/b.yaml") + "# mine\n")
            raise _writing.Refused(f"{path}: no (nothing was changed)")
        return real(path, *more)

    monkeypatch.setattr(_checkbox, "replace", replace)
    found = told(cm)
    (said,) = found["toggle_refused"]
    assert "the old bytes could not be put back: " in said and "b.yaml: somebody else changed it" in said
    assert "nothing was changed" not in said and _manual.entry_of(said) == "toggle-not-set"
    assert found["changed"] and [one["path"] for one in found["files"]] == ["/etc/casc/b.yaml"]
    assert found["files"][0]["backup"] and found["backup_files"] == [found["files"][0]["backup"]]
    assert [one["before_header"] for one in found["diff"]] == ["/etc/casc/b.yaml"]
    assert [Path(path).name for path in Store(str(cm.root)).edited_by(RUN)] == ["b.yaml"], "the others are as before"
    assert cm.read("/etc/casc/a.yaml") == casc("true")
    assert (cm.root / "etc/casc/a.yaml").stat().st_mtime == 1000, "its time as well"


def test_what_was_written_is_said_where_it_may_not_last(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    cm.write(XML, xml("true"))
    real = _writing.sync_folder

    def sync(place: Any) -> None:
        if place.path.endswith(XML):
            raise OSError(5, "bad disk")
        real(place)

    monkeypatch.setattr(_writing, "sync_folder", sync)
    found = told(cm)
    assert found["changed"] and [one["path"] for one in found["files"]] == [XML] and len(found["backup_files"]) == 1
    (said,) = found["toggle_refused"]
    assert "it was written (backup: " in said and said.endswith("is not certain: bad disk")
    assert of(cm)["on_disk"]["collected"] is False


def test_where_it_is_not_so_afterwards_and_stays(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cm.write(XML, xml("true"))

    def looked(*_given: Any) -> dict[str, Any]:
        path.write_text(xml("false") + "\n")
        return {"declared": {"collected": None, "reason": "x"}, "on_disk": {"collected": True, "file": XML}}

    monkeypatch.setattr(_checkbox, "_looked", looked)
    found = told(cm)
    (said,) = found["toggle_refused"]
    assert "after the edit it was not so" in said and "the old bytes could not be put back: " in said
    assert "nothing was changed" not in said and found["changed"] and [one["path"] for one in found["files"]] == [XML]


def test_a_name_is_of_the_toggle_too(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    cm.write(XML, xml("true"))
    before = files(cm)
    for state in ("disabled", "unmanaged"):
        found = told(cm, state=state, name=["typo"])
        assert found["failed"] and found["msg"].startswith("not installed here: typo") and files(cm) == before
    cm.write(
        "/opt/b/start.sh", "#!/bin/sh\nexport JENKINS_HOME=/opt/b/home\nexec java -jar /opt/b/jenkins.war\n", 0o755
    )
    cm.write("/opt/b/jenkins.war", "PK")
    monkeypatch.setattr(
        _checkbox, "of_toggle", lambda *_given: [rules.Finding("toggle", "x", "unknown", "", ("restart",))]
    )
    named = [one["name"] for one in told(cm, check=True, launch_scripts=["/opt/b/start.sh"])["state"]["installations"]]
    other = next(name for name in named if name != "cloudbees-core-cm")
    assert told(cm, check=True)["restart_required"] == ["cloudbees-core-cm"]
    assert told(cm, check=True, launch_scripts=["/opt/b/start.sh"], name=[other])["restart_required"] == []


@pytest.mark.parametrize("declares", [True, False])
def test_two_installations_with_one_file_are_one_edit(cm: Host, declares: bool) -> None:
    cm.write(
        "/opt/b/start.sh", f"#!/bin/sh\nexport JENKINS_HOME={HOME}\nexec java {FLAG} -jar /opt/b/jenkins.war\n", 0o755
    )
    cm.write("/opt/b/jenkins.war", "PK")
    path = HOME + "/jenkins.yaml" if declares else XML
    cm.write(path, casc("true") if declares else xml("true"))
    for check in (True, False):
        found = told(cm, check=check, launch_scripts=["/opt/b/start.sh"])
        assert "toggle_refused" not in found and len(found["diff"]) == len(found["files"]) == 1
        assert found["files"][0]["path"] == path
    assert len(found["backup_files"]) == 1
    places = [one["toggle"]["declared" if declares else "on_disk"] for one in found["state"]["installations"]]
    assert [one["collected"] for one in places] == [False, False]
    assert cm.read(path) == (casc("false") if declares else xml("false"))


def git(cm: Host) -> None:
    cm.write("/etc/casc/jenkins.yaml", casc("true"))
    cm.write("/etc/.git/HEAD", "ref: x")
    starts(cm, "-Dcasc.jenkins.config=/etc/casc/jenkins.yaml")


def promoted(cm: Host) -> None:
    cm.write(HOME + "/core-casc-bundle/bundle.yaml", "jcasc: [jenkins.yaml]\n")
    cm.write(HOME + "/core-casc-bundle/jenkins.yaml", casc("true"))


def variable(cm: Host) -> None:
    cm.write(HOME + "/jenkins.yaml", casc("${X}"))
    cm.write(XML, xml("true"))


def two(cm: Host) -> None:
    cm.write(XML, xml("true"))
    cm.write(HOME + "/b.UsageStatisticsCloudBees.xml", xml("true"))


def hard_link(cm: Host) -> None:
    cm.write(XML, xml("true"))
    os.link(str(cm.root) + XML, str(cm.root) + HOME + "/other")


def link(cm: Host) -> None:
    cm.write("/etc/elsewhere.xml", xml("true"))
    os.symlink("/etc/elsewhere.xml", str(cm.root) + XML)


def fifo(cm: Host) -> None:
    os.mkfifo(str(cm.root) + XML)


def package(cm: Host) -> None:
    cm.write("/usr/share/casc/jenkins.yaml", casc("true"))
    starts(cm, "-Dcasc.jenkins.config=/usr/share/casc/jenkins.yaml")


@pytest.mark.parametrize(
    ("lay", "words"),
    [
        (git, ["is a checkout", "with_toggle"]),
        (promoted, ["operations center", "with_toggle"]),
        (variable, ["what is declared is not known", "with_toggle"]),
        (two, ["2 files match", "Manage Jenkins"]),
        (hard_link, ["cloudbees-core-cm"]),
        (link, ["cloudbees-core-cm"]),
        (fifo, ["cloudbees-core-cm"]),
        (package, ["an upgrade replaces", "with_toggle"]),
        (lambda cm: None, ["no *UsageStatisticsCloudBees.xml", "Manage Jenkins"]),
        (lambda cm: cm.write(XML, "<!DOCTYPE x [<!ENTITY a 'true'>]>\n" + xml("&a;", "")), ["document type"]),
        (lambda cm: cm.write(XML, xml("<!-- x -->true")), ["not written as the product"]),
        (lambda cm: cm.write(XML, xml("<![CDATA[true]]>")), ["not written as the product"]),
        (lambda cm: cm.write(XML, xml("tr&#117;e")), ["not written as the product"]),
        (
            lambda cm: cm.write(XML, xml("true</usageStatisticsCollected><usageStatisticsCollected>true")),
            ["or several"],
        ),
        (lambda cm: cm.write(XML, xml("maybe")), ["neither true nor false"]),
        (lambda cm: cm.write(XML, xml("true") + "\n" * (4 << 20)), ["cloudbees-core-cm"]),
    ],
)
def test_what_is_not_sure_is_left_with_the_reason(cm: Host, lay: Any, words: list[str]) -> None:
    lay(cm)
    before = files(cm)
    for check in (True, False):
        found = told(cm, check=check)
        (said,) = found["toggle_refused"]
        assert said.startswith("cloudbees-core-cm: CloudBees' toggle is not set here: ")
        assert not [word for word in words if word not in said], said
        assert _manual.entry_of(said) == "toggle-not-set"
        assert not found["changed"] and not found.get("failed") and files(cm) == before


def test_on_this_machine_a_checkout_is_looked_for_up_to_its_root() -> None:
    place = Path("/var/lib" if os.access("/var/lib", os.W_OK) else Path.home())
    with tempfile.TemporaryDirectory(prefix="cbops-toggle-", dir=place) as folder:
        path = Path(folder, "jenkins.yaml")
        path.write_text(casc("true"))
        step = _checkbox._of_code(HostFiles("/"), "/nonexistent", str(path), False)
        assert (step.path, step.real, step.old, step.new) == (str(path), str(path), casc("true"), casc("false"))
        Path(folder, ".git").touch()  # as a worktree has it
        with pytest.raises(_checkbox.NotSet, match="is a checkout"):
            _checkbox._of_code(HostFiles("/"), "/nonexistent", str(path), False)


@pytest.mark.parametrize("value", ['"tr\\\n      ue"', "|-\n      true", '"${X}"', "{a: b}", "[true]"])
def test_what_became_no_plain_word_meanwhile_is_left(cm: Host, value: str) -> None:
    cm.write(HOME + "/jenkins.yaml", casc(value))
    with pytest.raises(_checkbox.NotSet, match="its value is no plain word; "):
        _checkbox._of_code(cm.files, HOME, HOME + "/jenkins.yaml", False)


def test_it_is_nobodys_business_by_default(cm: Host) -> None:
    cm.write(XML, xml("true"))
    before = files(cm)
    found = told(cm, "unmanaged")
    assert not found["changed"] and "toggle_refused" not in found and files(cm) == before


def test_the_toggle_alone_is_policy(cm: Host) -> None:
    cm.deb('JAVA_ARGS="-Xmx1g"\n')
    cm.write(XML, xml("true"))
    found = told(cm, state="unmanaged")
    assert [one["path"] for one in found["files"]] == [XML] and not found["restart_required"]
    assert of(cm)["on_disk"]["collected"] is False and FLAG not in cm.read("/etc/default/cloudbees-core-cm")
    (line,) = edits_of(found, "unmanaged", "disabled")
    assert (line["state"], line["toggle"]) == (None, "disabled")
    wanted = policy_of({"telemetry_desired": "unmanaged", "telemetry_toggle": "disabled"})
    assert wanted.enforced(TODAY) and wanted.edits() == {"state": "unmanaged", "toggle": "disabled"}
    assert not policy_of({"telemetry_desired": "unmanaged"}).enforced(TODAY)


def test_what_is_refused_does_not_stop_the_flag(cm: Host) -> None:
    cm.deb('JAVA_ARGS="-Xmx1g"\n')
    found = told(cm)
    assert found["toggle_refused"] and found["changed"] and not found.get("failed")
    assert FLAG in cm.read("/etc/default/cloudbees-core-cm")


def test_where_it_is_not_so_afterwards_the_old_bytes_are_back(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    cm.write(XML, xml("true"))
    before = files(cm)
    told_so = {"declared": {"collected": None}, "on_disk": {"collected": True}}
    monkeypatch.setattr(_checkbox, "_looked", lambda *_given: told_so)
    found = told(cm)
    assert "the old bytes are back" in found["toggle_refused"][0] and files(cm) == before and not found["changed"]
    assert not Store(str(cm.root)).edited_by(RUN), "nothing is recorded of what did not happen"


# -- a folder of a service ---------------------------------------------------------------------------


@needs_root
def test_a_service_s_file_is_written_with_its_rights(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cm.write(XML, xml("true"), 0o640)
    os.chown(path, USER, USER)
    os.chown(path.parent, USER, USER)
    seen: list[tuple[int, int, list[int]]] = []
    real = _writing._put

    def put(place: Any, *more: Any) -> None:
        if place.path.endswith(".xml"):
            seen.append((os.geteuid(), os.getegid(), os.getgroups()))
        real(place, *more)

    monkeypatch.setattr(_writing, "_put", put)
    before = files(cm)
    assert "toggle_refused" not in told(cm)
    assert seen == [(USER, USER, [USER])] and (os.geteuid(), os.getegid()) == (0, 0)
    assert files(cm)[str(path)][1:] == before[str(path)][1:] == (USER, USER, 0o640)
    (undone,) = Store(str(cm.root)).undo(RUN)
    assert undone.reason is None and files(cm) == before and len(seen) == 2, "put back with the same rights"


@needs_root
@pytest.mark.parametrize("owner", [0, USER + 1])
def test_what_is_not_the_service_s_in_its_folder_is_left(cm: Host, owner: int) -> None:
    """Root would write where others can put another thing; a third user could not write there at all."""
    path = cm.write(XML, xml("true"))
    os.chown(path, owner, owner)
    os.chown(path.parent, USER, USER)
    before = files(cm)
    (said,) = told(cm)["toggle_refused"]
    assert ("belongs to root" if owner == 0 else "permission denied") in said and files(cm) == before
    assert owner or told(cm, check=True)["toggle_refused"] == [said], "a plan says it beforehand"


@needs_root
@pytest.mark.parametrize("ending", ["yaml", "YAML", "Yml"])
def test_any_case_of_an_ending_is_the_product_s(cm: Host, ending: str) -> None:
    path = cm.write(f"/srv/casc/a.{ending}", "x")
    for one in (path, path.parent):
        os.chown(one, USER, USER)
    with _writing.walked_to(str(path)) as place:
        assert _writing.owner_for(place, path.stat()) == (USER, USER)


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o1755, 0o1777])
def test_a_sticky_folder_makes_no_other_root_s(cm: Host, mode: int) -> None:
    """What lies above it may still be taken away by whoever that belongs to."""
    path = cm.write("/srv/theirs/sticky/inside/a.xml", "x")
    theirs = path.parent.parent.parent
    os.chown(theirs, USER, USER)
    path.parent.parent.chmod(mode)
    with _writing.walked_to(str(path)) as place:
        assert str(theirs) in [folder for folder, _status in place.walk.open_to_others]
        with pytest.raises(_writing.Refused):
            _writing.owner_for(place, path.stat())


@needs_root
def test_rights_that_cannot_be_taken_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_groups: list[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setgroups", denied)
    with pytest.raises(_writing.Refused, match="rights of its owner cannot be taken"), _writing.Rights((USER, USER)):
        pass
    assert (os.geteuid(), os.getegid()) == (0, 0)


@needs_root
def test_a_folder_that_the_service_may_not_write_is_root_s_to_write(cm: Host) -> None:
    cm.write("/etc/casc/jenkins.yaml", casc("true"))
    os.chown(cm.root / "etc/casc/jenkins.yaml", USER, USER)
    starts(cm, "-Dcasc.jenkins.config=/etc/casc/jenkins.yaml")
    assert "toggle_refused" not in told(cm)
    status = (cm.root / "etc/casc/jenkins.yaml").stat()
    assert (status.st_uid, status.st_gid) == (USER, USER) and "Collected: false" in cm.read("/etc/casc/jenkins.yaml")


#: What a service's user does with his own folder while we write: swaps the file for a link, a FIFO, a folder, another file,
#: follows what we put beside it, and swaps the folder itself.
RACER = """
import os, sys
os.setgroups([]); os.setgid({user}); os.setuid({user})
home, name, victim = sys.argv[1:]
path, text = os.path.join(home, name), open(os.path.join(home, name)).read()
def put():
    with open(path + '.mine', 'w') as stream:
        stream.write(text)
    os.rename(path + '.mine', path)
def link():
    os.symlink(victim, path + '.mine')
    os.rename(path + '.mine', path)
def pipe():
    os.mkfifo(path + '.mine')
    os.rename(path + '.mine', path)
def beside():
    for other in os.listdir(home):
        if other.endswith('.cbops-new~'):
            os.symlink(victim, path + '.mine')
            os.rename(path + '.mine', os.path.join(home, other))
def twice():
    os.link(path, path + '.other')
def folder():
    os.rename(os.path.join(home, 'sub'), os.path.join(home, 'sub2'))
    os.symlink(os.path.dirname(victim), os.path.join(home, 'sub'))
    os.unlink(os.path.join(home, 'sub'))
    os.rename(os.path.join(home, 'sub2'), os.path.join(home, 'sub'))
number = 0
while True:
    number += 1
    for act in (put, beside, link, beside, put, beside, pipe, put, beside, twice, put, folder):
        for left in ('.mine', '.other'):
            try:
                os.unlink(path + left)
            except OSError:
                pass
        try:
            act()
        except OSError:
            pass
"""


@needs_root
def test_a_service_s_user_who_races_leads_us_nowhere(cm: Host) -> None:
    path = cm.write(XML, xml("true"))
    victim = cm.write("/etc/victim/a.UsageStatisticsCloudBees.xml", xml("true"), 0o600)
    (path.parent / "sub").mkdir()
    for one in (path.parent, path, path.parent / "sub"):
        os.chown(one, USER, USER)
    for one in (cm.root, *cm.root.parents):
        if one.stat().st_uid == 0 and not one.stat().st_mode & 0o001:
            one.chmod(one.stat().st_mode | 0o011)
    before = {name: what for name, what in files(cm).items() if HOME not in name}
    racer = subprocess.Popen(
        [sys.executable, "-c", RACER.format(user=USER), str(path.parent), path.name, str(victim)],
        stdout=subprocess.DEVNULL,
    )
    try:
        for number in range(12):
            found = told(cm, "disabled" if number % 2 else "enabled")
            assert isinstance(found["changed"], bool)
            assert os.geteuid() == 0 and racer.poll() is None
    finally:
        racer.kill()
        racer.wait()
    assert {name: what for name, what in files(cm).items() if HOME not in name} == before
    assert not victim.with_name(victim.name + ".mine").exists()
    assert {(one.lstat().st_uid) for one in path.parent.iterdir() if one.name != "config.xml"} == {USER}


@needs_root
def test_rights_come_back_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(OSError), _writing.Rights((USER, USER)):
        (tmp_path / "x").chmod(0)
    assert (os.geteuid(), os.getegid()) == (0, 0)
    (tmp_path / "mine").write_text("")


# -- what the running JVM has -------------------------------------------------------------------------


def test_what_was_edited_after_the_start_is_pending(cm: Host) -> None:
    cm.write(XML, xml("true"))
    told(cm)
    at = records.edited_at(HostFiles(str(cm.root)), XML)
    assert at is not None

    def pending(since: float | None, shared: bool = False, key: str = "pending") -> bool:
        return bool(toggle.on_disk(HostFiles(str(cm.root)), HOME, since, shared).get(key))

    assert pending(at - 60) and not pending(at + 60) and not pending(None)
    assert not pending(at - toggle.CLOCK_SECONDS)
    assert pending(at - 60, shared=True) and not pending(at + 60, shared=True)
    os.utime(cm.root / XML[1:], (at - 1000, at - 1000))
    assert pending(at - 60), "the record counts, not a time that the service's user can set"
    cm.write(XML, xml("false") + "\n")  # the product has saved it, or another host has edited it
    assert not pending(at - 60) and not pending(at - 60, shared=True)
    assert not pending(at - 60, key="elsewhere") and pending(at - 60, shared=True, key="elsewhere")
    assert not pending(at + 60, shared=True, key="elsewhere")
    os.utime(cm.root / XML[1:], (at + 9000, at + 9000))
    assert not pending(at - 60, shared=True, key="elsewhere"), "a time to come is of another clock"


def test_what_each_start_turns_back_is_not_set_for_ever(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script in init.groovy.d, or the service's user, has the controller restarted by each run; twice is enough."""
    path = cm.write(XML, xml("true"))
    now = [time.time() - 40 * 86400]
    jvms: list[float] = []
    real = _checkbox._steps

    def steps(entry: Any, *more: Any) -> Any:
        return real(entry._replace(processes=tuple(SimpleNamespace(start=at) for at in jvms)), *more)

    monkeypatch.setattr(_checkbox, "_steps", steps)
    clock = {**vars(time), "time": lambda: now[0], "gmtime": lambda at=None: time.gmtime(now[0] if at is None else at)}
    monkeypatch.setattr(_checkbox, "time", SimpleNamespace(**clock))
    monkeypatch.setattr(backups, "time", SimpleNamespace(**clock))
    for days, sets in (
        (0, True),
        (25, True),
        (1, False),
        (6, True),
        (1, False),
        (40, True),
    ):  # what is old is forgotten
        now[0] += days * 86400
        for check in (True, False):
            found = told(cm, check=check)
            assert found["changed"] is sets and bool(found.get("toggle_refused")) is not sets, (days, found)
        if not sets:
            (said,) = found["toggle_refused"]
            assert "it was set 2 times in 30 days" in said and _manual.entry_of(said) == "toggle-not-set"
            assert cm.read(XML) == xml("true")
            continue
        jvms[:] = [now[0] + 60]
        path.write_text(xml("true"))  # it was started, and turned back


def test_what_is_undone_may_be_set_as_often_as_one_likes(cm: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    cm.write(XML, xml("true"))
    real = _checkbox._steps
    started = (SimpleNamespace(start=time.time() + 60),)
    monkeypatch.setattr(_checkbox, "_steps", lambda entry, *more: real(entry._replace(processes=started), *more))
    for number in range(4):
        run = RUN[:-1] + str(number)
        assert told(cm, run=run)["changed"] and cm.read(XML) == xml("false")
        assert Store(str(cm.root), "20261128T120000Z-0123abc" + str(number)).undo(run)[0].changed


def test_a_declaration_that_is_newer_is_pending_whoever_wrote_it(cm: Host) -> None:
    cm.write(HOME + "/jenkins.yaml", casc("false"))
    at = (cm.root / HOME[1:] / "jenkins.yaml").stat().st_mtime
    found = [
        toggle.declared(HostFiles(str(cm.root)), HOME, toggle.Casc(), (), since) for since in (at - 60, at + 60, None)
    ]
    assert [one.get("pending") for one in found] == [True, None, None] and "ours" not in found[0]


@pytest.mark.parametrize("moment", [-1000, 1000])
def test_our_edit_of_a_declaration_is_ours_whatever_time_its_file_has(cm: Host, moment: float) -> None:
    path = cm.write(HOME + "/jenkins.yaml", casc("true"))
    told(cm)
    reading = HostFiles(str(cm.root))
    at = records.edited_at(reading, HOME + "/jenkins.yaml") or 0
    os.utime(path, (at + moment, at + moment))
    found = [toggle.declared(reading, HOME, toggle.Casc(), (), since) for since in (at - 60, at + 60, None)]
    assert [(one.get("pending"), one.get("ours")) for one in found] == [(True, True), (None, None), (None, None)]


@pytest.mark.parametrize("declares", [True, False])
def test_an_edit_of_ours_in_a_time_to_come_is_not_known(
    cm: Host, declares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was put back: the JVM may well be older than the edit, and no restart would ever come after that."""
    cm.write(*((HOME + "/jenkins.yaml", casc("true")) if declares else (XML, xml("true"))))
    told(cm)
    since = time.time() - 86400
    monkeypatch.setattr(records, "edited_at", lambda *_given: time.time() + 600)
    reading = HostFiles(str(cm.root))
    place = (
        toggle.declared(reading, HOME, toggle.Casc(), (), since) if declares else toggle.on_disk(reading, HOME, since)
    )
    assert place["elsewhere"] is True and "ours" not in place and declares or "pending" not in place
    entry = entry_of(False if declares else None, False)
    entry["toggle"]["declared" if declares else "on_disk"] = place
    (found,) = rules.of_toggle(entry, "disabled")
    assert (found.verdict, found.debts) == ("unknown", ())


def entry_of(
    declared: Any, on_disk: Any, running: str = "disabled", served: Any = "", pending: str = "", ours: bool = False
) -> dict[str, Any]:
    """An installation whose flag is right."""
    places = {"declared": declared, "on_disk": on_disk, **({} if served == "" else {"served": served})}
    return {
        **clocks_entry("disabled", "disabled", running),
        "toggle": {
            name: {
                "collected": value,
                **({"file": f"/h/{name}"} if isinstance(value, bool) else {"reason": "because"}),
                **({"pending": True} if pending == name else {}),
                **({"ours": True} if ours and pending == name else {}),
                **({"elsewhere": True} if pending == name + " elsewhere" else {}),
            }
            for name, value in places.items()
        },
    }


def pending_too(entry: dict[str, Any]) -> dict[str, Any]:
    """One whose declaration is newer than its JVM as well."""
    entry["toggle"]["declared"]["pending"] = True
    return entry


def unseen(entry: dict[str, Any]) -> dict[str, Any]:
    """One whose JVM nobody sees."""
    return {**entry, "running": "unknown", "processes": []}


@pytest.mark.parametrize(
    ("entry", "verdict", "owes"),
    [
        # An edit that the JVM is older than.
        (entry_of(None, False), "compliant", False),
        (entry_of(None, False, pending="on_disk"), "restart_pending", True),
        (entry_of(None, False, served=False, pending="on_disk"), "compliant", False),
        (entry_of(None, False, served="unknown", pending="on_disk"), "restart_pending", True),
        (entry_of(None, False, served=True, pending="on_disk"), "violation", False),
        (entry_of(False, False, pending="on_disk"), "compliant", False),  # it is off by a start before, and declared
        (entry_of(None, False, pending="on_disk elsewhere"), "unknown", False),
        (entry_of(None, False, served=False, pending="on_disk elsewhere"), "compliant", False),
        (entry_of(None, True, pending="on_disk elsewhere"), "violation", False),
        # The same, and what was declared too, after that start: the JVM is older than both.
        (pending_too(entry_of(False, False, pending="on_disk")), "restart_pending", True),
        (pending_too(entry_of(False, False, pending="on_disk elsewhere")), "unknown", False),
        (pending_too(entry_of(False, False, served=False, pending="on_disk")), "compliant", False),
        # A declaration that the JVM is older than; and one that it has read, which no other start mends.
        (entry_of(False, True, pending="declared"), "restart_pending", True),
        (entry_of(False, True), "restart_pending", False),
        (entry_of(False, "unknown", pending="declared"), "unknown", False),  # a bundle is given anew for many reasons
        (entry_of(False, "unknown", pending="declared", ours=True), "unknown", True),
        (entry_of(False, "unknown"), "unknown", False),
        # Our edit of a declaration: its JVM may have been started with one that said otherwise, whatever is on disk.
        (entry_of(False, False, pending="declared", ours=True), "unknown", True),
        (entry_of(False, False, served=False, pending="declared", ours=True), "compliant", False),
        (entry_of(False, False, pending="declared"), "compliant", False),
        (entry_of(False, False, pending="declared elsewhere"), "unknown", False),
        (entry_of(False, False, served=False, pending="declared elsewhere"), "compliant", False),
        # A JVM that is not seen may be older than any file.
        (unseen(entry_of(None, False)), "unknown", False),
        (unseen(entry_of(False, False)), "unknown", False),
        (unseen(entry_of(None, False, served=False)), "compliant", False),
        (unseen(entry_of(None, True)), "violation", False),
        (entry_of(False, False, served=True, pending="declared"), "restart_pending", True),
        (entry_of(True, False, pending="declared"), "violation", False),
        (entry_of("unknown", False, pending="on_disk"), "unknown", False),
    ],
)
def test_when_a_restart_is_owed_for_it(entry: dict[str, Any], verdict: str, owes: bool) -> None:
    (found,) = rules.of_toggle(entry, "disabled")
    assert (found.verdict, rules.RESTART in found.debts) == (verdict, owes)
    assert rules.restart_helps(entry, "disabled", (), "disabled") is owes
    assert not rules.restart_helps(entry, "disabled"), "it is no policy"
    assert rules.of_toggle(entry, "unmanaged") == []
    if found.sentence:
        assert _manual.entry_of(found.sentence) in ("toggle-not-as-wanted", "toggle-not-known", "restart-owed")


def test_no_restart_for_it_where_the_flag_would_be_worse() -> None:
    entry = {**entry_of(None, False, pending="on_disk"), "on_disk": "enabled", "next_start": "enabled"}
    assert not rules.restart_helps(entry, "disabled", (), "disabled")


def flag_answer(entry: dict[str, Any], edited: str = "", **more: Any) -> dict[str, Any]:
    one = {"path": edited, "before": "a", "after": "b", "backup": None, "flag": False, "toggle": True}
    diff = {"before_header": edited, "before": "line 4: x: true\n", "after": "line 4: x: false\n"}
    return {
        "changed": bool(edited),
        "files": [one] if edited else [],
        "diff": [diff] if edited else [],
        "notes": [],
        "refused": [],
        "reload_required": False,
        "state": {"installations": [entry]},
        **more,
    }


@pytest.mark.parametrize("desired", ["disabled", "unmanaged"])
def test_plan_and_enforce(desired: str) -> None:
    settings = {"telemetry_desired": desired, "telemetry_toggle": "disabled", "telemetry_restart": "now"}
    wanted = policy_of(settings)

    def planned(*given: Any, policy: Any = wanted, **more: Any) -> dict[str, Any]:
        return _plan.entry_of("cm1", policy, TODAY, flag_answer(*given, **more), (), True)

    found = planned(entry_of(None, True), "/h/on_disk")
    assert [one["summary"] for one in found["edits"]] == ["toggle set (line 4)"]
    assert found["restarts"] == ["cm.service"]
    assert planned(entry_of(True, True), "/h/declared")["restarts"] == ["cm.service"]
    assert planned(entry_of(True, False), "/h/declared")["restarts"] == ["cm.service"], "it was started with on"
    assert planned(entry_of(True, False, served=False), "/h/declared")["restarts"] == [], "it is off, and stays so"
    assert planned(entry_of(None, True, running="not_running"), "/h/on_disk")["restarts"] == []
    found = planned(unseen(entry_of(None, True)), "/h/on_disk")
    assert found["restarts"] == found["restarts_owed"] == [], "no start is known that the edit was after"
    assert planned(entry_of(None, False, pending="on_disk"))["restarts"] == ["cm.service"]
    assert planned(entry_of(None, False))["restarts"] == []
    never = policy_of({**settings, "telemetry_restart": "never"})
    found = planned(entry_of(None, True), "/h/on_disk", policy=never)
    assert (found["restarts"], found["restarts_owed"]) == ([], ["cm.service"])
    assert "why and what" in planned(entry_of(True, True), toggle_refused=["why and what"])["reasons"]

    def enforced(given: dict[str, Any], **more: Any) -> Tally:
        names = {**settings, "telemetry_connectivity": "ignored", **more}
        tally = Tally()
        enforcing = foresight.Enforcing(tally, False)
        errand = enforcing.errand("cm1", names, Circumstances())
        assert errand is not None and errand.params["toggle"] == "disabled"
        enforcing.answered(Known("cm1", names, Circumstances(), errand), given)
        return tally

    assert enforced(flag_answer(entry_of(None, True), "/h/on_disk")).left == {"cm1": "it owes an edit"}
    assert enforced(flag_answer(entry_of(None, False, pending="on_disk"))).left == {"cm1": "it owes a restart"}
    assert enforced(flag_answer(entry_of(True, True), toggle_refused=["x"])).left == {"cm1": "its toggle is not set"}
    assert "cm1" in enforced(flag_answer(entry_of(None, False))).filed
    told = enforced(flag_answer(entry_of(True, True), "/h/x", toggle_refused=["x"]), telemetry_restart="never")
    assert told.left == {"cm1": "its toggle is not set"} and told.edits == [("cm1", ["edit"], ["/h/x"])]


@pytest.mark.parametrize(
    ("lines", "corrective"),
    [
        ([], True),
        # We have set it off and somebody on again: that is no doing of ours.
        (edits_of(flag_answer(entry_of(None, False), "/h/on_disk"), "disabled", "disabled"), True),
        (edits_of(flag_answer(entry_of(None, True), "/h/on_disk"), "disabled", "enabled"), False),
        (edits_of(flag_answer(entry_of(None, True), "/h/other"), "disabled", "enabled"), True),
        ([attempt("it did not answer", "disabled", toggle="disabled")], True),
        ([attempt("it did not answer", "disabled", toggle="unmanaged")], True),
        ([attempt("it did not answer", "disabled", toggle="enabled")], False),
        # What was put back may say either.
        (roll_backs_of([("/h/on_disk", "/copy")]), False),
        ([attempt("it did not answer", what="undo")], False),
        # Of a run of an earlier version.
        ([{"kind": "edit", "file": "/h/on_disk", "before": "a", "after": "b", "backup": None, "state": None}], False),
    ],
)
def test_an_edit_accounts_for_what_it_was_to_set_alone(
    tmp_path: Path, lines: list[dict[str, Any]], corrective: bool
) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/h.json").write_text("{}")
    hashed = [{**one, "before": "0" * 64, "after": "1" * 64} if "after" in one else one for one in lines]
    file_changes(tmp_path, "h", hashed, "R")
    found = acts_since(tmp_path, "h", digest(b"{}"))
    assert len(found) == len(lines)
    for line in found:
        validate(line)
    acts = [act for act in map(act_of, found) if act is not None]
    change = drift.Change(entry_of(None, False), entry_of(None, True))
    assert drift._toggled(change, acts) is corrective


@pytest.mark.parametrize(
    ("before", "acts", "expected"),
    [
        (entry_of(None, False), [drift.Act(frozenset(["/h/on_disk"]), None, False, "disabled")], "corrective"),
        (entry_of(False, True), [drift.Act(frozenset(["/h/declared"]), None, False, "disabled")], "corrective"),
        (entry_of(None, False), [drift.Act(None, None, False, "disabled")], "corrective"),
        # It was not right before: then it is what we are for.
        (entry_of(None, True), [drift.Act(frozenset(["/h/on_disk"]), None, False, "disabled")], None),
        (entry_of(True, False), [drift.Act(frozenset(["/h/declared", "/h/on_disk"]), None, False, "disabled")], None),
        (entry_of("unknown", False), [drift.Act(frozenset(["/h/on_disk"]), None, False, "disabled")], None),
        # Nobody knows whether we had to; it was another file; the flag alone; nobody.
        (entry_of(None, False), [drift.Act(frozenset(["/h/on_disk"]), None, True, "disabled")], None),
        (entry_of(None, False), [drift.Act(frozenset(["/h/other"]), None, False, "disabled")], None),
        (entry_of(None, False), [drift.Act(frozenset(["/h/on_disk"]), "disabled")], None),
        (entry_of(None, False), [], None),
    ],
)
@pytest.mark.parametrize("toggle", ["disabled", "unmanaged", None])
def test_what_we_had_to_put_right_again_somebody_has_changed(
    before: dict[str, Any], acts: list[drift.Act], expected: str | None, toggle: str | None
) -> None:
    """As of the flag, although the evidence is as before."""
    policy = {"desired": "disabled", "connectivity": "ignored", "waiver": None, "toggle": toggle}

    def evidence(one: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"policy": {**policy, **more}, "state": {"host": {}, "installations": [one]}}

    after = entry_of(before["toggle"]["declared"]["collected"] and False, False)
    found = drift.drift_of(evidence(before), evidence(after), acts)
    assert found == (expected if toggle == "disabled" else None)
    # Whoever brings what a new policy wants.
    assert drift.drift_of(evidence(before, toggle="enabled"), evidence(after), acts) == "intended"
    by_hand = drift.drift_of(evidence(entry_of(None, True), toggle="enabled"), evidence(entry_of(None, False)))
    assert by_hand == ("intended" if toggle == "disabled" else "corrective")


class Record(Tally):
    """Keeps the lines as well."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def edit(self, known: Known, changes: list[dict[str, Any]], files: list[str]) -> None:
        super().edit(known, changes, files)
        self.lines += changes


@pytest.mark.parametrize("wanted", ["disabled", "unmanaged"])
@pytest.mark.parametrize(
    "given",
    [
        flag_answer(entry_of(None, False), "/h/on_disk"),
        flag_answer(entry_of(None, False), "/h/on_disk", failed=True, msg="a file was refused"),
        {"failed": True, "late": True, "msg": "it did not answer within 150 seconds"},
        {"failed": True, "msg": "it says something else"},
    ],
)
def test_what_it_was_to_be_stands_in_the_record(given: dict[str, Any], wanted: str) -> None:
    settings = {"telemetry_desired": "disabled", "telemetry_toggle": wanted, "telemetry_connectivity": "ignored"}
    record = Record()
    enforcing = foresight.Enforcing(record, False)
    asked = enforcing.errand("cm1", settings, Circumstances())
    assert asked is not None
    enforcing._told(Known("cm1", settings, Circumstances(), asked), given)
    assert [one["toggle"] for one in record.lines] == [wanted]


def test_what_we_set_is_no_drift_and_what_a_start_takes_over_neither() -> None:
    def between(was: dict[str, Any], now: dict[str, Any], *paths: str) -> bool:
        acts = [drift.Act(frozenset(paths), None)] if paths else []
        return drift._toggled((was, now), acts)  # type: ignore[arg-type]

    assert between(entry_of(None, True), entry_of(None, False))
    assert not between(entry_of(None, True), entry_of(None, False), "/h/on_disk")
    assert between(entry_of(None, True), entry_of(None, False), "/h/other")
    assert between(entry_of(None, False), entry_of(None, True), "/h/other")
    assert not between(entry_of(False, True), entry_of(False, False)), "a start took it over"
    assert between(entry_of(True, True), entry_of(True, False))
    assert not between(entry_of(None, True, served=True), entry_of(None, False, served=False), "/h/on_disk")
