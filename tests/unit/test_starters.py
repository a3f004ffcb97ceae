"""Who starts it: one interface on hosts and one on the control node, a class for each starter, and tables that name all."""

from __future__ import annotations

import importlib
import inspect
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.edit import _candidates
from ansible_collections.cbops.telemetry.plugins.module_utils.edit._writing import Refused
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _discovery, _starters
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import starters as on_hosts
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._definition import Definition, Start
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._live import live_of
from ansible_collections.cbops.telemetry.plugins.module_utils.launch._outcome import outcome
from ansible_collections.cbops.telemetry.plugins.module_utils.launch.starters._starter import Manager, Scene, Starter
from ansible_collections.cbops.telemetry.plugins.module_utils.text._characters import Value
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _supervision
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import starters as on_control_node
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart.starters._starter import PROPERTIES, Debt, Service

JAVA = "/usr/bin/java -Xmx1g -jar /opt/jenkins.war"
SCRIPT = f"#!/bin/sh\nexec {JAVA}\n"
#: By the class of a starter: a file of its in which the JVM's command stands, and what this collection restarts it by.
SAMPLES: dict[str, tuple[str, str, str]] = {
    "Systemd": ("/etc/systemd/system/ci.service", f"[Service]\nExecStart={JAVA}\n", "Unit"),
    "SysV": ("/etc/init.d/ci", SCRIPT, "InitScript"),
    "Supervisord": ("/etc/supervisor/conf.d/ci.conf", f"[program:ci]\ncommand={JAVA}\n", "Program"),
    "Runit": ("/etc/sv/ci/run", SCRIPT, "Runit"),
    "OpenRC": (
        "/etc/init.d/ci",
        '#!/sbin/openrc-run\ncommand=/usr/bin/java\ncommand_args="-Xmx1g -jar /opt/jenkins.war"\n',
        "OpenRC",
    ),
    "Cron": ("/etc/cron.d/ci", f"@reboot root {JAVA}\n", ""),
    "Boot": ("/etc/inittab", f"ci:2345:respawn:{JAVA}\n", ""),
    "Monit": ("/etc/monit.d/ci", f'check process ci with pidfile /run/ci.pid\n  start program = "{JAVA}"\n', ""),
    "UserUnits": ("/srv/ci/.config/systemd/user/ci.service", f"[Service]\nExecStart={JAVA}\n", ""),
    "Containers": (
        "/etc/containers/systemd/ci.container",
        "[Container]\nImage=docker.io/cloudbees/cloudbees-core-mm:2\n",
        "",
    ),
}


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Host:
    host = Host(tmp_path / "host")
    host.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nci:x:900:900::/srv/ci:/bin/sh\n")
    host.write("/var/lib/systemd/linger/ci", "")
    return host


def classes(package: Any, base: type) -> Iterator[type]:
    """The starters of a package, whatever names them: each is in a file of its own."""
    for path in sorted(Path(package.__path__[0]).glob("_[!_]*.py")):
        module = importlib.import_module(f"{package.__name__}.{path.stem}")
        mine = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == module.__name__]
        found = [one for one in mine if issubclass(one, base) and one is not base]
        assert len(found) == (path.stem != "_starter"), path
        yield from found


def scene(host: Host, manager: Manager | None = None) -> Scene:
    """What starters are told of a host on which everything may have to do with the product."""
    return Scene(host.files, manager or Manager(), lambda _definition: True, lambda _name, _text: True, [])


def found(starter: Starter, host: Host) -> list[Definition]:
    """What it would start."""
    return [one.definition for one in starter.find(scene(host)) if one.definition is not None]


def holds_to(one: type, base: type) -> None:
    """Whether a class has the methods of the interface with their arguments, and no other public ones."""
    for name, method in vars(one).items():
        if not inspect.isfunction(method) or name.startswith("_"):
            continue
        given = getattr(base, name, None)
        assert given is not None or name == "manager", f"{one.__name__}.{name} is not of the interface"
        if given is not None:
            assert list(inspect.signature(method).parameters) == list(inspect.signature(given).parameters), name


# -- on hosts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        (
            "/var/spool/cron/crontabs/ci",
            f"# mine\n@reboot {JAVA}\n",
            "by hand: in line 2 of /var/spool/cron/crontabs/ci put the flag before -jar (-D",
        ),
        (
            "/var/spool/cron/crontabs/ci",
            "@reboot cd /opt && exec java -Xmx1g -Da=$(date) -jar /opt/jenkins.war\n",
            "by hand, in /var/spool/cron/crontabs/ci, among the words of java",
        ),
        # What it starts may be edited, and is named.
        ("/var/spool/cron/crontabs/ci", "@reboot /opt/start\n", "by hand, in /opt/start, among the words of java"),
    ],
)
def test_what_is_not_edited_is_named_where_a_person_writes_it(host: Host, path: str, text: str, words: str) -> None:
    host.write("/opt/start", "#!/bin/sh\nexec $(cat /opt/java) -jar /opt/jenkins.war\n")
    host.write(path, text)
    ((definition, outcome),) = _discovery.discover(host.files)[0]
    with pytest.raises(Refused) as refused:
        _candidates.plan(definition, host.files, outcome, live_of(definition, host.files, outcome), "disabled")
    assert words in str(refused.value)


def test_the_table_names_each_starter_once() -> None:
    named = [type(starter) for starter in _starters.STARTERS]
    assert sorted(one.__name__ for one in named) == sorted(one.__name__ for one in classes(on_hosts, Starter))
    assert sorted(SAMPLES) == sorted(one.__name__ for one in named)
    kinds = [kind for starter in _starters.STARTERS for kind in starter.kinds]
    assert len(kinds) == len(set(kinds)) and all(starter.kinds for starter in _starters.STARTERS)
    for column in ("units", "processes", "told"):
        words = [word for starter in _starters.STARTERS for word in getattr(starter, column)]
        assert len(words) == len(set(words)), f"two starters have the same {column}"


@pytest.mark.parametrize("starter", _starters.STARTERS, ids=lambda one: type(one).__name__)
def test_each_starter_holds_to_the_interface(starter: Starter, host: Host) -> None:
    holds_to(type(starter), Starter)
    assert type(starter).find is not Starter.find or type(starter).starts is not Starter.starts
    assert found(starter, host) == [], "on a host with nothing"
    assert set(starter.naming) <= set(starter.processes.values())
    for _variable, words in starter.told:
        assert words.startswith(starter.kinds[0] + " ") and words.count("%s") == 1
    path, content, _by = SAMPLES[type(starter).__name__]
    host.write(path, content, 0o755)
    (definition,) = found(starter, host)
    assert _starters.starter_of(definition) is starter
    (one,) = _discovery.discover(host.files)[0]
    assert _starters.starter_of(one[0]) is starter
    now = starter.again(definition, host.files)
    assert now is not None and outcome(now, host.files).vectors == outcome(definition, host.files).vectors
    if definition.program:
        assert outcome(definition, host.files).verdict == "enabled"
        host.write(path, content.replace("-Xmx1g", f"-Xmx1g {FLAG}"))
        again = starter.again(definition, host.files)
        assert again is not None and again.name == definition.name
        assert outcome(again, host.files).verdict == "disabled", "what it would start is read again"
    loaded, next_start = starter.loaded(definition, one[1], host.files, Manager())
    assert loaded is None
    assert next_start is one[1] or (
        starter is _starters.SYSTEMD and "no systemd runs here" in (next_start.reason or "")
    )
    assert starter.unread(definition, lambda _name: []) is None or starter.kinds == ("supervisord",)


def test_a_unit_that_is_gone_is_none(host: Host) -> None:
    path, content, _by = SAMPLES["Systemd"]
    real = host.write(path, content)
    (definition,) = found(_starters.SYSTEMD, host)
    real.unlink()
    assert _starters.SYSTEMD.again(definition, host.files) is None


def test_a_new_starter_is_a_class_and_a_line_of_the_table(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dinit(Starter):
        kinds = ("dinit",)

        def starts(self, files: Any) -> Iterator[Start]:
            for path in files.glob("/etc/dinit.d/*"):
                command = tuple(Value.of(word) for word in files.read(path).partition("command = ")[2].split())
                yield Start("dinit", "service ci", path, 1, command, {}, "root", "/", f"in {path} put the flag")

    host.write("/etc/dinit.d/ci", f"command = {JAVA}\n")
    assert _discovery.discover(host.files)[0] == []
    monkeypatch.setattr(_starters, "OTHERS", (*_starters.OTHERS, Dinit()))
    looked: list[str] = []
    ((definition, result),) = _discovery.discover(host.files, looked=looked)[0]
    assert (definition.name, result.verdict, "dinit (1)" in looked) == ("/etc/dinit.d/ci", "enabled", True)


# -- on the control node ------------------------------------------------------------------------------


def test_the_table_of_the_control_node_names_each_starter_once() -> None:
    assert sorted(one.__name__ for one in _supervision.STARTERS) == sorted(
        one.__name__ for one in classes(on_control_node, Service)
    )
    kinds = [one.kind for one in _supervision.STARTERS if one.kind]
    assert len(kinds) == len(set(kinds))
    assert {one.__name__ for one in _supervision.STARTERS} == {by for _path, _content, by in SAMPLES.values()} - {""}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_host_says_of_who_starts_it_is_understood(name: str, host: Host) -> None:
    """By the one that it means, and by no other; without one it is a debt."""
    path, content, by = SAMPLES[name]
    host.write(path, content, 0o755)
    ((definition, _outcome),) = _discovery.discover(host.files)[0]
    entry = {
        "name": definition.name,
        "service": definition.service,
        "started_by": definition.start.words if definition.start is not None else None,
        "processes": [],
    }
    asked = [one for one in _supervision.STARTERS if one.of(entry) is not None]
    assert [one.__name__ for one in asked] == ([by] if by else [])
    service = _supervision.service_of(entry)
    assert type(service).__name__ == (by or "Debt")
    if isinstance(service, Debt):
        assert service.reason.endswith("restart it yourself")
        return
    holds_to(type(service), Service)
    assert service.label and service.name
    if service.module() is None:
        assert service.restart(shlex.quote, 30) and service.status(shlex.quote)
    assert set(service.properties("")) <= set(PROPERTIES) and service.properties("no such thing\n") == {}
    assert service.status(shlex.quote) is not None or not service.is_checked
    assert service.is_remembered == (service.forgiven(shlex.quote) is not None)
    for call in (service.module(), service.reread()):
        assert call is None or call[0].startswith("ansible.builtin.")
