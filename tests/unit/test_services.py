"""Several services on a host: who restarts each, whose URL is whose, one after the other, and what no one restarts."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from actions import given
from ansible.errors import AnsibleActionFail

from ansible_collections.cbops.telemetry.plugins.action.telemetry_restart import ActionModule
from ansible_collections.cbops.telemetry.plugins.module_utils.host._shares import share_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._access import Access, access_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart import _restarting
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._controller import ControllerError, Drained
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._coordination import Held
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._restarting import access_for, dues, owing
from ansible_collections.cbops.telemetry.plugins.plugin_utils.restart._supervision import (
    Debt,
    InitScript,
    OpenRC,
    Program,
    Runit,
    Service,
    Unit,
    names_of,
    service_of,
)

PROGRAM = "supervisord program nine in /etc/supervisor/conf.d/ci.conf"
RUNIT = "runit service ten in /etc/sv/ten/run"


def entry(
    name: str,
    service: str | None = "",
    started_by: str | None = None,
    running: str = "enabled",
    by: str | None = None,
    pid: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """An installation that owes a restart for telemetry disabled."""
    process: dict[str, Any] = {"pid": pid, "started": "2026-01-01T00:00:00Z"}
    if by:
        process["started_by"] = by
    return {
        "name": name,
        "service": f"{name}.service" if service == "" else service,
        "started_by": started_by,
        "on_disk": "disabled",
        "next_start": "disabled",
        "running": running,
        "launch": None,
        "declarations": [],
        "processes": [] if running == "not_running" else [process],
        **more,
    }


def state(*entries: dict[str, Any]) -> dict[str, Any]:
    """A host with these."""
    return {"installations": list(entries)}


# -- who restarts it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "service"),
    [
        (entry("cm"), Unit("cm.service", "cm.service")),
        (entry("cm", "cm"), InitScript("cm", "cm")),
        (entry("/a.conf", None, PROGRAM, by="supervisord program nine"), Program("supervisord program nine", "nine")),
        (entry("/a.conf", None, PROGRAM, "not_running"), Program("supervisord program nine", "nine")),
        (entry("/etc/sv/ten/run", None, RUNIT, by="runit service ten"), Runit("runit service ten", "/etc/sv/ten")),
        (
            entry("/etc/sv/ten/run", None, RUNIT, by="runit service /etc/sv/ten"),
            Runit("runit service ten", "/etc/sv/ten"),
        ),
        (entry("/etc/init.d/cm", None, "OpenRC service cm in /etc/init.d/cm"), OpenRC("OpenRC service cm", "cm")),
    ],
)
def test_each_supervisor_has_its_command(found: dict[str, Any], service: Service) -> None:
    assert service_of(found) == service
    assert dues([found])[0].entries == (found,)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            entry("/c", None, "cron @reboot in /etc/crontab"),
            "is started by cron @reboot in /etc/crontab; this collection",
        ),
        (entry("/c", None, "monit service cm in /etc/monitrc"), "is started by monit service cm in /etc/monitrc"),
        (
            entry("/c", None, "user unit cm.service of jo in /home/jo/.config/systemd/user/cm.service"),
            "is started by user",
        ),
        (entry("/c", None, "screen session 1.cm"), "is started by screen"),
        (entry("/opt/cm/start.sh", None), "no service manager is known to start /opt/cm/start.sh"),
        (entry("/c", None, PROGRAM), "what runs was started by nobody who is known"),
        (entry("/c", None, PROGRAM, by="supervisord program ten"), "what runs was started by supervisord program ten"),
        (entry("/c", None, RUNIT, by="s6 service ten"), "what runs was started by s6 service ten"),
        (entry("/c", None, "supervisord program -x in /a"), "a name that is not put into a command"),
        (entry("/c", None, "supervisord program $(id) in /a"), "a name that is not put into a command"),
        (entry("/c", None, "supervisord program a\n in /a"), "is started by"),
        (entry("/c", None, "runit service x in /etc/sv/../../x/run"), "a name that is not put into a command"),
        (entry("/c", None, "runit service x in /etc/sv/x y/run"), "a name that is not put into a command"),
        (entry("/c", None, "OpenRC service all in /etc/init.d/a\nb"), None),
    ],
)
def test_what_nothing_of_ours_restarts_is_a_debt_with_its_reason(found: dict[str, Any], said: str | None) -> None:
    service = service_of(found)
    if said is None:
        assert isinstance(service, OpenRC)
        return
    assert isinstance(service, Debt) and said in service.reason and service.reason.endswith("restart it yourself")
    assert owing(state(found), "disabled") == [found], "it owes one all the same"
    assert dues([found]) == []


@pytest.mark.parametrize(
    "service", [Unit("x", "x y.service"), Program("x", "nine"), Runit("x", "/etc/sv/ten"), OpenRC("x", "cm")]
)
def test_commands_are_shell(service: Service) -> None:
    for line in (service.restart(shlex.quote, 30), service.status(shlex.quote), service.journal(shlex.quote)):
        if line is not None:
            subprocess.run(["sh", "-n", "-c", line], check=True)


@pytest.mark.parametrize(
    ("service", "said", "active", "main"),
    [
        (Program("x", "nine"), "nine      RUNNING   pid 812, uptime 0:00:05\n", "active", "812"),
        (Program("x", "nine"), "nine      BACKOFF   Exited too quickly\n", "activating", "0"),
        (
            Program("x", "nine"),
            "nine      FATAL     Exited too quickly (process log may have details)\n",
            "failed",
            "0",
        ),
        (Program("x", "nine"), "nine: ERROR (no such process)\n", None, None),
        (Program("x", "nine"), "ten       RUNNING   pid 812, uptime 0:00:05\n", None, None),
        (Program("x", "nine"), "unix:///run/supervisor.sock no such file\n", None, None),
        (Runit("x", "/etc/sv/ten"), "run: /etc/sv/ten: (pid 31) 5s\n", "active", "31"),
        (Runit("x", "/etc/sv/ten"), "run: /etc/sv/ten: (pid 31) 5s; run: log: (pid 3) 9s\n", "active", "31"),
        (Runit("x", "/etc/sv/ten"), "down: /etc/sv/ten: 1s, normally up, want up\n", "activating", "0"),
        (Runit("x", "/etc/sv/ten"), "down: /etc/sv/ten: 1s, normally up\n", "activating", "0"),
        (Runit("x", "/etc/sv/ten"), "down: /etc/sv/ten: 99s\n", "inactive", "0"),
        (Runit("x", "/etc/sv/ten"), "finish: /etc/sv/ten: (pid 32) 0s\n", "activating", "0"),
        (Runit("x", "/etc/sv/ten"), "fail: /etc/sv/ten: unable to change to service directory\n", None, None),
        (OpenRC("x", "cm"), "\x1b[32m*\x1b[0m status: started\n", "active", "0"),
        (OpenRC("x", "cm"), " * status: crashed\n", "failed", "0"),
        (OpenRC("x", "cm"), " * rc-service: service `cm' does not exist\n", None, None),
        (Unit("x", "x"), "ActiveState=active\nMainPID=3\n\nActiveState=failed\n", "failed", "3"),
    ],
)
def test_what_a_supervisor_says(service: Service, said: str, active: str | None, main: str | None) -> None:
    properties = service.properties(said)
    assert (properties.get("ActiveState"), properties.get("MainPID")) == (active, main)


def test_a_program_whose_file_was_edited_is_read_anew(tmp_path: Path) -> None:
    """By a supervisorctl that notes what it was asked."""
    control = tmp_path / "supervisorctl"
    control.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/log\n[ "$1" != reread ] || cat {tmp_path}/changed\n')
    control.chmod(0o755)
    line = Program("x", "nine").restart(shlex.quote, 30)
    for changed, asked in (
        ("nine: changed\n", ["reread", "update nine", "start nine"]),
        ("anine: changed\nnine: available\n", ["reread", "restart nine"]),
        ("No config updates to processes\n", ["reread", "restart nine"]),
    ):
        (tmp_path / "log").unlink(missing_ok=True)
        (tmp_path / "changed").write_text(changed)
        subprocess.run(["sh", "-c", line], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
        assert (tmp_path / "log").read_text().splitlines() == asked


# -- whose URL it is ----------------------------------------------------------------------------------

A, B = Access("https://a/", "jo", "token-a"), Access("https://b/", "jo", "token-b")


def access(found: dict[str, Any], whole: dict[str, Any], named: dict[str, Access], alone: Access | None) -> Any:
    """What is known for the service of an installation."""
    return access_for(dues([found])[0], whole, named, alone)


def test_one_url_is_for_a_host_with_one_installation() -> None:
    one, two = entry("cm-a"), entry("cm-b")
    assert access(one, state(one), {}, A) == A
    said = access(one, state(one, two), {}, A)
    assert "telemetry_url is for a host with one installation, and this one has 2 (cm-a, cm-b)" in said
    assert "give telemetry_controllers the url, user and token of cm-a.service" in said
    assert access(two, state(one, two), {"cm-a.service": A, "cm-b.service": B}, A) == B
    said = access(two, state(one, two), {"cm-a.service": A}, None)
    assert said.startswith("its URL is not known") and "telemetry_controllers names cm-a.service" in said


@pytest.mark.parametrize(
    "other",
    [
        entry("/tmp/jenkins.war", None, None, "unknown", packaging="script"),
        entry("/tmp/jenkins.war", None, "podman container 0123456789ab", "unknown", packaging="container"),
        entry("/var/spool/cron/crontabs/eve", None, "cron @reboot in /var/spool/cron/crontabs/eve", packaging="script"),
    ],
)
def test_what_somebody_who_logs_in_starts_is_no_second_installation(other: dict[str, Any]) -> None:
    one = entry("cm-a")
    assert access(one, state(one, {**other, "stray": True}), {}, A) == A
    assert isinstance(access(one, state(one, other), {}, A), str), "where nobody says that it is a stray, it counts"


@pytest.mark.parametrize(
    "other",
    [
        entry("process 12", None, "docker container 0123456789ab", packaging="container", stray=True),
        entry("/opt/cm/start.sh", None),
        entry("/d", None, "compose file in /srv/docker-compose.yml"),
        entry("old", running="not_running"),
    ],
)
def test_what_root_has_put_there_is(other: dict[str, Any]) -> None:
    one = entry("cm-a")
    assert isinstance(access(one, state(one, other), {}, A), str)


def test_debts_of_many_are_a_few_words() -> None:
    lines = [entry(f"/c/{number}", None, f"cron line ({number}) in /c/{number}") for number in range(500)]
    deferred = Host([*lines, entry("cm-a")]).restarted()["deferred"]
    assert deferred.endswith("; and 495 more that nothing of ours restarts") and len(deferred) < 1000


def test_a_name_that_two_services_have_is_nobodys() -> None:
    nine = entry("/a.conf", None, PROGRAM, by="supervisord program nine")
    unit = entry("nine")
    assert names_of(service_of(nine), [nine]) == ["supervisord program nine", "nine", "/a.conf"]
    assert access(nine, state(nine), {"nine": B}, None) == B
    assert isinstance(access(nine, state(nine, unit), {"nine": B}, None), str)
    assert access(nine, state(nine, unit), {"nine": A, "supervisord program nine": B}, None) == B
    assert access(unit, state(nine, unit), {"nine.service": A}, None) == A


@pytest.mark.parametrize(
    ("controllers", "said"),
    [
        ("S3CR3T", "it must be a mapping"),
        ({"cm": "S3CR3T"}, "cm must be a mapping"),
        ({"cm": {"url": "https://cm/", "tokn": "S3CR3T"}}, "and not tokn"),
        ({"cm": {"token": "S3CR3T"}}, "cm must have a url"),
        ({"cm": {"url": "S3CR3T"}}, "begins with https://"),
        ({"cm": {"url": "https://cm/", "token": ["S3CR3T"]}}, "must be texts"),
    ],
)
def test_a_wrong_entry_is_named_without_its_values(controllers: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        access_of(controllers)
    assert "S3CR3T" not in str(caught.value)


# -- one after the other ------------------------------------------------------------------------------


class Host(ActionModule):
    """A host of which services owe a restart; restarting one gives it a new JVM with the wanted value."""

    def __init__(self, entries: list[dict[str, Any]], **options: Any) -> None:
        super().__init__(**given())
        self.entries, self.done, self.broken = entries, [], set()  # type: ignore[var-annotated]
        self._variables: dict[str, Any] = {"inventory_hostname": "cm1"}
        self._arguments = {
            "timeout": 5,
            "settle": 2,
            "url": None,
            "user": None,
            "token": None,
            "allow_http": False,
            "ca_file": None,
            "controllers": {},
            "when_idle": False,
            "idle_timeout": 4,
            "reason": "why",
            "window": None,
            "max_failures": 0,
            "group": "",
            "allow": [],
            **options,
        }

    def restarted(self) -> dict[str, Any]:
        """What comes of a task."""
        before = self._state()
        return self.restart_services(owing(before, "disabled"), before, "disabled")

    def _state(self) -> dict[str, Any]:
        return state(*[dict(one) for one in self.entries])

    def _command(self, line: str, seconds: float = 0) -> dict[str, Any]:
        """What a restart that is over leaves nothing of."""
        assert line.startswith("rm -f -- /run/cbops-telemetry.restarts/"), line
        return {"rc": 0, "stdout": ""}

    def _seen(self, service: Service) -> dict[str, str] | None:
        return {"ActiveState": "failed" if service.label in self.broken else "active"}

    def _restart(self, service: Service) -> str | None:
        self.done.append(f"restart {service.label}")
        for one in self.entries:
            if service_of(one) == service:
                one.update(running="disabled", processes=[{**one["processes"][0], "pid": 7}])
        return None

    def _roll_back(self, due: Any, controller: Any, failure: str, state: Any) -> dict[str, Any]:
        self.done.append(f"roll back {due.label}")
        return {"msg": f"{failure}. token-a", "rolled_back": ["/etc/x"], "state": state}

    def _record(self, changes: Any) -> None:
        self.done += [f"record {change['service']}" for change in changes if change["kind"] == "restart"]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time passes where somebody sleeps; the failures of a run are counted here."""
    now = [0.0]
    spent: list[str] = []
    monkeypatch.setattr(_restarting.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_restarting.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(_restarting.Budget, "spend", lambda _self, host: spent.append(host))
    monkeypatch.setattr(_restarting.Budget, "failed", lambda _self: spent)
    yield


@pytest.fixture(name="asked")
def _asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What controllers were asked: URL -> what comes of waiting for its builds."""
    answers: dict[str, Any] = {"log": []}

    def drain(controller: Any, *_more: Any) -> Drained:
        answers["log"].append(f"quiet {controller.url}")
        answer = answers.get(controller.url, Drained([], True))
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    monkeypatch.setattr(_restarting, "drain", drain)
    monkeypatch.setattr(_restarting, "start_again", lambda controller: answers["log"].append(f"go {controller.url}"))
    monkeypatch.setattr(
        _restarting.Controller, "is_ready", lambda controller: answers["log"].append(f"ready {controller.url}") or True
    )
    return answers


CONTROLLERS = {
    "cm-a.service": {"url": "https://a/", "user": "jo", "token": "token-a"},
    "cm-b.service": {"url": "https://b/", "user": "jo", "token": "token-b"},
}


def test_only_what_owes_a_restart_is_quieted_down_one_after_the_other(asked: dict[str, Any]) -> None:
    host = Host(
        [entry("cm-a"), entry("cm-b", running="disabled"), entry("cm-c")],
        when_idle=True,
        controllers={**CONTROLLERS, "cm-c.service": {"url": "https://c/"}},
    )
    host.done = asked["log"]
    result = host.restarted()
    assert [word for word in host.done if "ready" not in word] == [
        "quiet https://a",
        "restart cm-a.service",
        "record cm-a.service",
        "quiet https://c",
        "restart cm-c.service",
        "record cm-c.service",
    ]
    assert result["restarted"] == result["services"] == ["cm-a.service", "cm-c.service"]
    assert result["changed"] and result["deferred"] is None and "failed" not in result


def test_the_url_of_one_is_not_known(asked: dict[str, Any]) -> None:
    host = Host(
        [entry("cm-a"), entry("cm-b")],
        when_idle=True,
        url="https://a/",
        token="token-a",  # noqa: S106
        controllers={"cm-b.service": CONTROLLERS["cm-b.service"]},
    )
    result = host.restarted()
    assert result["restarted"] == ["cm-b.service"] and "quiet https://a" not in asked["log"]
    assert "cm-a.service is not restarted: its URL is not known: telemetry_url is for a host" in result["deferred"]


def test_one_that_is_busy_does_not_hold_up_the_others(asked: dict[str, Any]) -> None:
    asked["https://a"] = Drained(["docs#3"], True)
    result = Host([entry("cm-a"), entry("cm-b")], when_idle=True, controllers=CONTROLLERS).restarted()
    assert result["restarted"] == ["cm-b.service"]
    assert result["deferred"] == "cm-a.service is still busy after 4 seconds: docs#3; builds are started again"
    assert "go https://a" not in asked["log"], "drain has taken it back itself"


def test_a_failure_stops_those_that_follow_and_names_them(asked: dict[str, Any]) -> None:
    host = Host(
        [entry("cm-a"), entry("cm-b"), entry("cm-c")],
        when_idle=True,
        controllers={**CONTROLLERS, "cm-c.service": {"url": "https://c/"}},
    )
    host.broken = {"cm-a.service"}
    result = host.restarted()
    assert result["failed"] and result["restarted"] == ["cm-a.service"] and result["rolled_back"] == ["/etc/x"]
    assert result["msg"].endswith(". ***. Not restarted after that: cm-b.service, cm-c.service"), result["msg"]
    assert asked["log"] == ["quiet https://a", "ready https://a", "go https://a"], "its quiet is taken back"
    assert "1 restart failed in this run" in Host([entry("cm-a")]).restarted()["deferred"]


def test_a_controller_that_refuses_stops_before_the_restart_and_is_no_failed_one(asked: dict[str, Any]) -> None:
    asked["https://a"] = ControllerError("https://a answers 403 to token-a")
    host = Host([entry("cm-a"), entry("cm-b")], when_idle=True, controllers=CONTROLLERS)
    result = host.restarted()
    assert result["msg"] == (
        "cm-a.service is not restarted: https://a answers 403 to ***. Not restarted after that: cm-b.service"
    )
    assert host.done == [] and not result["changed"] and result["restarted"] == []
    assert Host([entry("cm-a")]).restarted()["restarted"] == ["cm-a.service"], "nothing was spent"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), AnsibleActionFail("its state could not be read")])
def test_a_quiet_down_is_taken_back_whatever_ends_it(error: BaseException, asked: dict[str, Any]) -> None:
    host = Host([entry("cm-a"), entry("cm-b")], when_idle=True, controllers=CONTROLLERS)

    def interrupted(_service: Service) -> None:
        raise error

    host._restart = interrupted  # type: ignore[method-assign]
    with pytest.raises(type(error)) as caught:
        host.restarted()
    assert asked["log"] == ["quiet https://a", "go https://a"]
    assert isinstance(error, KeyboardInterrupt) or "Not restarted after that: cm-b.service" in str(caught.value)


def test_debts_are_said_and_the_others_restarted() -> None:
    cron = entry("/etc/crontab", None, "cron @reboot in /etc/crontab")
    result = Host([cron, entry("cm-a")]).restarted()
    assert result["services"] == ["/etc/crontab", "cm-a.service"] and result["restarted"] == ["cm-a.service"]
    assert result["deferred"] == (
        "/etc/crontab is started by cron @reboot in /etc/crontab; this collection does not "
        "restart that; restart it yourself"
    )
    result = Host([cron]).restarted()
    assert not result["changed"] and "restart it yourself" in result["deferred"]


def test_a_service_whose_restart_would_start_something_else_is_put_off_and_the_others_restarted() -> None:
    upgraded = {**entry("cm-a"), "restart_brings": [{"kind": "war", "what": "its war was replaced"}]}
    result = Host([upgraded, entry("cm-b")]).restarted()
    assert result["restarted"] == ["cm-b.service"] and "failed" not in result
    assert result["deferred"].startswith("cm-a.service is not restarted, because that would start something else")
    assert Host([upgraded, entry("cm-b")], allow=["war"]).restarted()["restarted"] == ["cm-a.service", "cm-b.service"]
    program = entry("/a.conf", None, PROGRAM, by="supervisord program nine")
    program["restart_brings"] = [{"kind": "broken", "what": "/x.war is not there"}]
    result = Host([program], allow=["war"]).restarted()
    assert (
        result["deferred"] == "supervisord program nine is not restarted, because it would not come up again: "
        "/x.war is not there"
    )


def test_what_somebody_installs_while_the_service_before_is_restarted_is_seen() -> None:
    host = Host([entry("cm-a"), entry("cm-b")])
    restart = host._restart

    def and_upgrade(service: Service) -> str | None:
        host.entries[1]["restart_brings"] = [{"kind": "war", "what": "its war was replaced"}]
        return restart(service)

    host._restart = and_upgrade  # type: ignore[method-assign]
    result = host.restarted()
    assert result["restarted"] == ["cm-a.service"] and "its war was replaced" in result["deferred"]


def test_a_program_that_its_supervisor_does_not_run_is_left_alone() -> None:
    host = Host([entry("/a.conf", None, PROGRAM, by="supervisord program nine")])
    host.broken = {"supervisord program nine"}
    result = host.restarted()
    assert "its supervisor says that it is failed; restart it yourself" in result["deferred"]
    assert host.done == [] and not result["changed"] and "failed" not in result
    host.broken = set()
    assert host.restarted()["restarted"] == ["supervisord program nine"]
    assert host.done[-1] == "record supervisord program nine"


def test_what_somebody_restarted_meanwhile_is_left_alone() -> None:
    host = Host([entry("cm-a"), entry("cm-b")])
    restart = host._restart

    def both(service: Service) -> str | None:
        host.entries[1].update(running="disabled", processes=[{**host.entries[1]["processes"][0], "pid": 9}])
        return restart(service)

    host._restart = both  # type: ignore[method-assign]
    assert host.restarted()["restarted"] == ["cm-a.service"]


def test_the_locks_of_homes_on_a_server_are_held_with_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    @contextlib.contextmanager
    def one_at_a_time(groups: Any, seconds: float = 0) -> Iterator[None]:
        held.extend(groups)
        yield

    monkeypatch.setattr(_restarting, "one_at_a_time", one_at_a_time)
    Host(
        [
            entry("cm-a", home_share="nas:/ci/a"),
            entry("cm-b", home_share=None),
            entry("cm-c", running="disabled", home_share="nas:/ci/c"),
        ],
        group="payments",
    ).restarted()
    assert held == ["payments", "home nas:/ci/a"]


def test_who_holds_a_lock_too_long_puts_the_others_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_at_a_time(groups: Any, seconds: float = 0) -> Any:
        assert seconds == (4 * 2 * 3 * (5 + 2 + 60) if groups != [""] else 0), "the inventory's group is waited for"
        if groups != [""]:
            raise Held
        return contextlib.nullcontext()

    monkeypatch.setattr(_restarting, "one_at_a_time", one_at_a_time)
    host = Host([entry("cm-a", home_share="nas:/ci/a"), entry("cm-b")])
    result = host.restarted()
    assert "another host with the same home on a file server is restarted" in result["deferred"]
    assert host.done == [] and not result["changed"]


def test_a_window_that_closes_meanwhile_puts_off_those_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [None, None, "outside of the maintenance window"]
    monkeypatch.setattr(Host, "_closed", lambda _self: answers.pop(0))
    result = Host([entry("cm-a"), entry("cm-b")]).restarted()
    assert result["restarted"] == ["cm-a.service"]
    assert result["deferred"] == "cm-b.service: outside of the maintenance window"


# -- where a home lies --------------------------------------------------------------------------------

TABLE = r"""24 1 8:1 / / rw - ext4 /dev/sda1 rw
30 24 0:40 / /mnt/efs rw,relatime shared:5 - nfs4 10.0.0.5:/export/ci rw,vers=4.1
31 24 0:41 / /var/lib/with\040blank rw - nfs nas:/a\040b/ rw
32 24 0:42 /sub /srv/share rw - cifs //win/ci rw,password=x
33 30 8:2 / /mnt/efs/local rw - ext4 /dev/sdb1 rw
34 24 0:43 / /srv/over rw - nfs4 nas:/old rw
35 24 8:3 / /srv/over rw - xfs /dev/sdc1 rw
36 24 0:44 / /export rw - nfs4 nas:/ rw
garbage
"""


@pytest.mark.parametrize(
    ("home", "share"),
    [
        ("/mnt/efs/cm-a", "10.0.0.5:/export/ci/cm-a"),
        ("/mnt/efs", "10.0.0.5:/export/ci"),
        ("/mnt/efs/../efs/cm-a/", "10.0.0.5:/export/ci/cm-a"),
        ("/mnt/efsx/cm-a", None),
        ("/var/lib/with blank/x", "nas:/a b/x"),
        ("/srv/share/home", "//win/ci/sub/home"),
        ("/mnt/efs/local/cm", None),
        ("/srv/over/x", None),
        ("/var/lib/cm", None),
        ("/export/cm", "nas:/cm"),
    ],
)
def test_export_and_path_of_a_home(home: str, share: str | None, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    assert share_of(home, str(table)) == share
    assert share_of(home, str(tmp_path / "none")) is None
