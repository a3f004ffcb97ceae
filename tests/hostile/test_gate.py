"""Root of one host answers what it likes: nothing of it reaches another host, the control node, or a log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacker import Site
from fleethand import Done

#: A host of the fleet in the attacker's hands, and the others.
EVIL, GOOD = "oss", ("deb", "rpm", "script")
FLAG = {
    "changed": False,
    "refused": [],
    "restart_required": [],
    "reload_required": False,
    "backup_files": [],
    "files": [],
    "notes": [],
    "diff": [],
}
STATE: dict[str, Any] = {
    "schema": "cbops.telemetry/state/1",
    "host": {"root": "/", "effective_user": 0, "node": "x"},
    "installations": [],
    "connectivity": [],
    "warnings": [],
}
WAYS = {
    "pipe": {"telemetry_carrier": "pipe", "telemetry_sweep": "never"},
    "sweep": {"telemetry_sweep": "auto"},
    "module": {"telemetry_carrier": "module"},
}


@pytest.fixture(autouse=True)
def _healed(site: Site) -> Iterator[None]:
    """Each test leaves a fleet in which nobody lies."""
    yield
    site.heal(EVIL)


def info(**more: Any) -> str:
    """An answer to the audit's question."""
    return json.dumps({"changed": False, "state": {**STATE, **more}})


def audit(
    site: Site,
    way: str,
    environment: dict[str, str] | None = None,
    hosts: dict[str, dict[str, Any]] | None = None,
    play: str = "audit",
) -> Done:
    """An audit; every other host must have the verdict that it has alone (a test before may have enforced)."""
    extra = {key: value for key, value in WAYS[way].items() if key == "telemetry_sweep"}
    done = site.play(
        play,
        "-f",
        "8",
        *(word for item in extra.items() for word in ("-e", f"{item[0]}={item[1]}")),
        inventory=site.inventory({**(hosts or {EVIL: {}}), **{host: {} for host in GOOD}}, **WAYS[way]),
        environment=environment,
    )
    assert {done.verdicts().get(host) for host in GOOD} <= {"violation", "restart_pending"}, done.output
    return done


BROKEN = {
    "another shape": '{"changed": false, "installations": 5}',
    "a list": "[]",
    "no JSON": "{",
    "NaN": info().replace('"effective_user": 0', '"effective_user": NaN'),
    "nested": "[" * 200_000,
    "nested in a member": '{"changed": false, "state": ' + '{"a":' * 100_000,
    "a number without end": info().replace('"effective_user": 0', '"effective_user": ' + "9" * 4000),
    "many installations": info(installations=[{}] * 5000),
    "a state of another version": info(schema="cbops.telemetry/state/2"),
    "add_host": json.dumps({"changed": False, "state": STATE, "add_host": {"host_name": "pwn"}}),
    "facts": json.dumps({"changed": False, "state": STATE, "ansible_facts": {"telemetry_desired": "unmanaged"}}),
    "unreachable": json.dumps({"changed": False, "unreachable": True, "msg": "x"}),
    "skipped": json.dumps({"changed": False, "skipped": True}),
    "no text": json.dumps({"failed": True, "msg": {"a": 1}}),
}


#: Of these, what Ansible itself takes away of an ordinary module's result, or makes no failure of.
STRIPPED = ("add_host", "facts", "unreachable", "skipped")


@pytest.mark.parametrize(("way", "play"), [*((way, "audit") for way in WAYS), ("pipe", "enforce")])
def test_an_answer_that_is_none_is_that_host_s_unknown(site: Site, way: str, play: str) -> None:
    """One host has as many names as lies; it is told by an option which of them it is asked by."""
    names = {f"evil-{number}": answer for number, answer in enumerate(BROKEN.values())}
    site.shell(EVIL, "rm -rf /opt/lies")
    for name, answer in names.items():
        site.put(EVIL, f"/opt/lies/{name}", answer.encode())
        # Asked by an ordinary module: a Python that has an answer for every module.
        site.put(
            EVIL,
            f"/opt/lies/{name}.sh",
            f"""#!/bin/sh
case "$#:$1" in 0:|1:*ansible*) cat >/dev/null; exec cat /opt/lies/{name};; esac
exec /usr/bin/python3.real "$@"
""".encode(),
            0o755,
        )
    site.compromise(
        EVIL,
        """#!py
answer = open(request["params"]["launch_scripts"][0], "rb").read()
""",
    )
    hosts: dict[str, dict[str, Any]] = {
        name: {
            "ansible_host": EVIL,
            "telemetry_launch_scripts": [f"/opt/lies/{name}"],
            **({"ansible_python_interpreter": f"/opt/lies/{name}.sh"} if way == "module" else {}),
        }
        for name in names
    }
    done = audit(site, way, hosts=hosts, play=play)
    seen = {label: (done.verdicts()[name], done.reasons(name)) for label, name in zip(BROKEN, names, strict=True)}
    other = {label: verdict for label, (verdict, _reasons) in seen.items() if verdict != "unknown"}
    if way == "module":
        assert set(other) <= set(STRIPPED), seen
        assert set(other.values()) <= {"not_applicable", "unreachable"}, seen
    else:
        assert not other, seen
        assert all("its answer was not taken" in reasons for _verdict, reasons in seen.values()), seen
    assert "pwn" not in done.recap


@pytest.mark.parametrize("payload", ["payload-add-host", "payload-other-host", "payload-facts"])
def test_an_answer_runs_nothing_and_changes_no_other_host_s_policy(site: Site, payload: str, tmp_path: Any) -> None:
    """The attacks of the review: code on the control node, another host's policy, the control node's files."""
    mark = tmp_path / "pwned"
    attack = {
        "payload-add-host": {
            "add_host": {
                "host_name": "pwn",
                "groups": ["cloudbees"],
                "host_vars": {
                    "ansible_connection": "local",
                    "ansible_become": False,
                    "telemetry_desired": "disabled",
                    "ansible_python_interpreter": f"/bin/sh -c 'id >{mark}';:",
                },
            }
        },
        "payload-other-host": {
            "add_host": {"host_name": "deb", "groups": [], "host_vars": {"telemetry_desired": "unmanaged"}}
        },
        "payload-facts": {
            "ansible_facts": {
                "telemetry_restart": "now",
                "telemetry_desired": "enabled",
                "telemetry_launch_templates": [{"src": "/etc/shadow", "dest": "/root/stolen"}],
            }
        },
    }[payload]
    for function, answer in (
        ("telemetry_flag", {**FLAG, "state": STATE}),
        ("telemetry_info", {"changed": False, "state": STATE}),
    ):
        site.compromise(EVIL, json.dumps({**answer, **attack}), function)
    done = site.play("enforce", "-f", "8")
    assert done.code == 2, done.output
    assert not mark.exists()
    assert "pwn" not in done.recap
    assert done.verdicts()["deb"] == "restart_pending"
    assert done.verdicts()[EVIL] == "unknown"
    assert "its answer was not taken" in done.reasons(EVIL)
    assert site.shell(EVIL, "ls /root/stolen 2>&1 || true").count("No such file") == 1
    planned = site.play("plan", "-f", "8")
    assert planned.code == 2
    assert not mark.exists()
    assert "its answer was not taken" in planned.output


@pytest.mark.parametrize("module", ["telemetry_info", "telemetry_backup", "telemetry_flag"])
def test_an_ordinary_module_s_result_passes_the_same_gate(site: Site, module: str) -> None:
    """The host's Python runs a module of its own making: it prints keys that Ansible acts on."""
    forged = json.dumps(
        {
            "changed": False,
            "state": STATE,
            "ansible_facts": {"telemetry_desired": "unmanaged"},
            "warnings": ["##vso[task.prependpath]/tmp"],
            "diff": [],
            "backups": [],
            **FLAG,
        }
    )
    site.put(EVIL, "/root/forged.json", forged.encode())
    site.replace_python(
        EVIL,
        """[ $# -gt 0 ] || exec cat /root/forged.json
        exec /usr/bin/python3.real "$@" """,
    )
    arguments = {
        "telemetry_info": {},
        "telemetry_flag": {"state": "disabled"},
        "telemetry_backup": {"path": "/etc/hosts"},
    }[module]
    done = site.playbook(
        [
            {
                "hosts": EVIL,
                "gather_facts": False,
                "tasks": [
                    {f"cbops.telemetry.{module}": arguments, "register": "got", "failed_when": False},
                    {
                        "debug": {
                            "msg": "was taken: {{ got.msg | default('yes') }}; keys {{ got.keys() | sort | join(',') }} "
                            "desired {{ telemetry_desired }} facts {{ ansible_facts | default({}) }}"
                        }
                    },
                ],
            }
        ],
        environment={"ANSIBLE_DISPLAY_OK_HOSTS": "true"},
        telemetry_carrier="module",
    )
    assert "was taken: yes" in done.output, done.output
    assert "desired disabled" in done.output, done.output
    assert "ansible_facts" not in re.search(r"keys (\S+)", done.output)[1]  # type: ignore[index]
    assert "##vso[" not in done.output


#: A module, as there are many: it returns facts, here those of a host in somebody else's hands.
FACTS = """#!/usr/bin/python3
import json
print(json.dumps({"changed": False, "ansible_facts": json.load(open("/root/facts.json"))}))
"""


def audit_after_facts(
    site: Site, host: str, facts: dict[str, Any], inject: str, play: str = "audit"
) -> tuple[Done, dict[str, Any]]:
    """A module that returns facts of one host, then an audit of all; its output and each host's verdict and reasons."""
    site.put(host, "/root/facts.json", json.dumps(facts).encode())
    (site.folder / "library").mkdir(exist_ok=True)
    (site.folder / "library/liar.py").write_text(FACTS)
    reports = site.folder / f"facts-{host}-{inject}-{play}"
    inventory = site.inventory(telemetry_reports_dir=str(reports))
    done = site.playbook(
        [
            {"hosts": host, "gather_facts": False, "tasks": [{"liar": {}}]},
            {"import_playbook": f"cbops.telemetry.{play}"},
        ],
        "-i",
        str(inventory),
        environment={"ANSIBLE_INJECT_FACT_VARS": inject},
    )
    path = reports / "audit.json"
    report = json.loads(path.read_text()) if path.exists() else {"hosts": []}
    return done, {one["host"]: (one["verdict"], " ".join(one["reasons"])) for one in report["hosts"]}


@pytest.mark.parametrize("inject", ["true", "false"])
def test_facts_of_a_host_are_no_policy(site: Site, inject: str) -> None:
    """Any module may return facts, and by default they count for more than the inventory."""
    done, found = audit_after_facts(site, "rpm", {"telemetry_desired": "unmanaged"}, inject)
    assert done.code == 2, done.output
    assert found["rpm"][0] == "unknown"
    assert "telemetry_desired: this is set by facts" in found["rpm"][1]
    assert found["deb"][0] in ("violation", "restart_pending")


@pytest.mark.parametrize("play", ["enforce", "plan"])
def test_by_facts_of_a_host_nothing_is_planned_or_changed(site: Site, play: str) -> None:
    """Its policy is off, and by its facts on, restarted at once, and with a template of the control node's."""
    facts = {
        "telemetry_desired": "enabled",
        "telemetry_restart": "now",
        "telemetry_launch_templates": [{"src": "/etc/shadow", "dest": "/root/stolen"}],
    }
    files = "sha256sum /etc/sysconfig/cloudbees-core-cm; systemctl show -p MainPID cloudbees-core-cm"
    before = site.shell("rpm", files)
    done, found = audit_after_facts(site, "rpm", facts, "true", play)
    assert done.code == 2, done.output
    said = re.sub(r"\s+", " ", done.output + str(found))
    assert "telemetry_desired" in said and "this is set by facts" in said, done.output
    assert site.shell("rpm", f"{files}; ls /root/stolen 2>/dev/null || true") == before
    assert play == "plan" or found["rpm"][0] == "unknown"


@pytest.mark.parametrize("inject", ["true", "false"])
def test_facts_of_one_host_set_nothing_for_all(site: Site, inject: str) -> None:
    """What is done once for all hosts is done in the name of the first: its facts must not make a red run green."""
    facts = {"telemetry_fail_on": [], "telemetry_reports_dir": "/root/elsewhere", "telemetry_sweep": "auto"}
    done, found = audit_after_facts(site, "deb", facts, inject)
    assert done.code == 2, done.output
    assert not Path("/root/elsewhere").exists()
    if inject == "true":
        assert "of the host deb would set telemetry_fail_on" in done.output
    else:
        assert found["deb"][0] == "unknown"
        assert found["script"][0] in ("violation", "restart_pending")


HOSTILE = (
    "a\n##vso[task.prependpath]/tmp/evil\n::error::forged\n\r6 hosts: 6 compliant\n"
    "\x1b[1A\x1b[2K\x1b]0;owned\x07\u202e@octocat https://evil.example #1 \udcff"
)


def words() -> Any:
    """A state in which every string that a host may choose is hostile."""
    unresolvable = {"reason": HOSTILE, "file": f"/x/{HOSTILE}", "line": 1}
    return {
        **STATE,
        "warnings": [HOSTILE],
        "host": {"root": HOSTILE, "effective_user": 0, "node": HOSTILE},
        "installations": [
            {
                "name": HOSTILE,
                "product": "controller",
                "packaging": "systemd",
                "service": HOSTILE,
                "home": HOSTILE,
                "launch": {"file": HOSTILE, "variable": HOSTILE, "reader": "shell"},
                "declarations": [
                    {"file": HOSTILE, "line": 1, "variable": HOSTILE, "value": "true", "live": False, "reason": HOSTILE}
                ],
                "on_disk": "unresolvable",
                "on_disk_detail": unresolvable,
                "next_start": "unresolvable",
                "next_start_detail": unresolvable,
                "daemon_reload_owed": False,
                "processes": [
                    {
                        "pid": 1,
                        "started": "2026-01-01T00:00:00Z",
                        "value": None,
                        "state": "unknown",
                        "source": HOSTILE,
                        "proof": None,
                        "reason": HOSTILE,
                        "stale": HOSTILE,
                    }
                ],
                "running": "unknown",
                "running_detail": {"reason": HOSTILE},
                "settings": {
                    "analytics_plugin": None,
                    "license_tracker_plugin": None,
                    "no_usage_statistics": "unknown",
                    "product_version": "unknown",
                    "proxy": "unknown",
                    "details": {"analytics_plugin": {"state": "unknown", "reason": HOSTILE, "file": HOSTILE}},
                },
            }
        ],
    }


def nothing_acts(text: str) -> None:
    """No line begins with what the host said, no control character is in it, nobody is called."""
    for line in text.split("\n"):
        assert not re.match(r"\s*(##vso|::error|6 hosts: 6)", line), line
    assert "##vso[" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)


@pytest.mark.parametrize(
    ("play", "verbose"),
    [
        *((play, verbose) for play in ("audit", "enforce", "plan", "probe") for verbose in ("-v", "-vvv")),
        ("sweep", "-v"),
        ("restart", "-v"),
    ],
)
def test_what_a_host_says_begins_no_line_and_moves_no_cursor(site: Site, play: str, verbose: str) -> None:
    state = words()
    failed = {"failed": True, "msg": HOSTILE}
    site.compromise(EVIL, json.dumps({"changed": False, "state": state}), "telemetry_info")
    site.compromise(
        EVIL,
        json.dumps(
            {
                **FLAG,
                "failed": True,
                "msg": HOSTILE,
                "refused": [HOSTILE],
                "notes": [HOSTILE],
                "restart_required": [HOSTILE],
                "state": state,
                "diff": [{"before": HOSTILE, "after": "", "before_header": HOSTILE, "after_header": HOSTILE}],
            }
            if play == "enforce"
            else {
                **FLAG,
                "state": state,
                "files": [{"path": HOSTILE, "before": None, "after": "0" * 64, "backup": HOSTILE}],
                "diff": [{"before": "", "after": HOSTILE, "before_header": HOSTILE, "after_header": HOSTILE}],
            }
        ),
        "telemetry_flag",
    )
    site.compromise(EVIL, json.dumps(failed), "connectivity_probe")
    site.compromise(EVIL, json.dumps(failed), "telemetry_backup")
    if play == "restart":  # of services with such names, which fails; then files are to be put back
        site.compromise(
            EVIL,
            json.dumps(
                {
                    **FLAG,
                    "changed": True,
                    "restart_required": [HOSTILE, "nosuch.service"],
                    "reload_required": True,
                    "backup_files": [f"/x/{HOSTILE}"],
                    "files": [
                        {"path": f"/x/{HOSTILE}", "before": "0" * 64, "after": "1" * 64, "backup": f"/x/{HOSTILE}"}
                    ],
                    "state": state,
                }
            ),
            "telemetry_flag",
        )
    options = {"audit": ["-e", "telemetry_sweep=never"], "restart": ["-e", "telemetry_restart=now"]}.get(play, [])
    done = site.play(
        {"sweep": "audit", "restart": "enforce"}.get(play, play), verbose, "--diff", "--limit", EVIL, *options
    )
    assert "octocat" in done.output
    # At -vvv Ansible itself shows what ssh said and what was run; what a host printed is then in quotes.
    nothing_acts(done.output if verbose == "-v" else re.sub(r"(?m)^<.*$", "", done.output))
    reports = sorted(site.folder.glob("reports-*"), key=lambda path: int(path.name.split("-")[1]))[-1]
    for path in reports.rglob("*"):
        if path.is_file():
            nothing_acts(path.read_text())
    if play == "plan":
        assert not re.search(r"@octocat|https://evil", (reports / "plan.md").read_text())


def test_what_a_host_prints_beside_its_answer_is_shown_in_one_line(site: Site) -> None:
    """Its last words where it has no answer, through sudo and ssh."""
    site.replace_python(
        EVIL,
        r"""cat >/dev/null
        printf 'x\n::error::a\n##vso[b]c\033[2J\r::error::d\n' >&2; exit 3""",
    )
    for way in ("pipe", "sweep"):
        done = audit(site, way)
        assert done.verdicts()[EVIL] == "unknown"
        assert "ended without an answer (exit status 3)" in done.reasons(EVIL)
        nothing_acts(done.output)


def test_a_banner_before_the_login_is_shown_in_one_line(site: Site) -> None:
    """An unreachable host's last words are ssh's, which repeats the server's."""
    site.shell(
        EVIL,
        """printf 'Banner /root/banner\\nDenyUsers *\\n' >/etc/ssh/sshd_config.d/00-evil.conf
        printf '\\n::error::forged\\n##vso[task.prependpath]/tmp\\n6 hosts: 6 compliant\\n' >/root/banner
        systemctl reload ssh""",
    )
    try:
        for way in ("pipe", "sweep"):
            done = audit(site, way, {"ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ControlPath=none"})
            assert done.verdicts()[EVIL] == "unreachable"
            nothing_acts(done.output)
    finally:
        site.shell(EVIL, "rm /etc/ssh/sshd_config.d/00-evil.conf; systemctl reload ssh")


@pytest.mark.parametrize("play", ["audit", "enforce"])
def test_what_ansible_s_own_modules_answer_is_not_handed_on(site: Site, play: str, tmp_path: Path) -> None:
    """Ours as ordinary modules, the user's own template, the reload: facts, warnings, and words beside the answer."""
    (tmp_path / "start.sh.j2").write_text("#!/bin/sh\nexec java -jar /usr/share/java/jenkins.war\n")
    words = HOSTILE.encode("utf-8", "replace").decode()
    forged = {
        **FLAG,
        "changed": True,
        "state": STATE,
        "reload_required": True,
        "backups": [],
        "ansible_facts": {"telemetry_restart": "now", "telemetry_desired": "unmanaged"},
        "stat": {"exists": 0},
        "msg": words,
        "warnings": [words],
        "deprecations": [{"msg": words, "version": "9"}],
    }
    site.put(EVIL, "/root/forged.json", json.dumps(forged).encode())
    # A module is what comes by standard input, or lies in a folder of Ansible's. The first is read: who does not
    # is a connection that broke, if it ends before all was sent.
    site.replace_python(
        EVIL,
        r"""case "$#:$1" in 0:|1:*ansible*) ;; *) exec /usr/bin/python3.real "$@";; esac
        [ $# -gt 0 ] || cat >/dev/null
        cat /root/forged.json; printf '\n::error::forged\n##vso[task.x]y\033[2J\n6 hosts: 6 compliant\n'""",
    )
    template = {"src": str(tmp_path / "start.sh.j2"), "dest": "/opt/start.sh"}
    done = site.play(
        play,
        "-v",
        inventory=site.inventory({EVIL: {"telemetry_launch_templates": [template]}}, telemetry_carrier="module"),
        environment={"ANSIBLE_INJECT_FACT_VARS": "true"},
    )
    assert done.code == 2, done.output
    nothing_acts(done.output)
    assert "set by facts" not in done.output
    assert done.verdicts()[EVIL] in ("unknown", "not_applicable", "violation")


def test_a_refusal_by_an_ordinary_module_has_its_reason(site: Site) -> None:
    done = site.playbook(
        [{"hosts": "deb", "gather_facts": False, "tasks": [{"cbops.telemetry.telemetry_backup": {"path": "relative"}}]}]
    )
    assert "relative: an absolute path is needed" in done.output


def test_our_modules_are_not_asynchronous(site: Site) -> None:
    """Of an asynchronous task Ansible would take the result from the host itself, past the gate."""
    site.compromise(EVIL, info(warnings=["past the gate"]))
    done = site.playbook(
        [
            {
                "hosts": EVIL,
                "gather_facts": False,
                "tasks": [{"cbops.telemetry.telemetry_info": {}, "async": 20, "poll": 1}],
            }
        ]
    )
    assert done.code != 0
    assert "past the gate" not in done.output
