"""Makes fleets of evidence for the tests of the report: N hosts as audits leave them, with manifests beside them."""

from __future__ import annotations

import datetime
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence._evidence import document_of, path_of
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy._assessment import (
    VERDICTS,
    Assessment,
    assess,
    policy_of,
)

TODAY = datetime.date(2026, 11, 23)
AT = "2026-11-23T12:00:00Z"
FLAG = "com.cloudbees.analytics.gatherer.Sender.disabled"

#: Names that no part of a report may take for anything but a name.
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "javascript:alert(4)",
    '=HYPERLINK("http://x.example/","click")',
    "cm\u202emoc.elpmaxe\u202c",
    "a'b\"c`d|e&amp;f\\g",
    "@everyone #1 [x](http://x.example) **b** {{ 7*7 }} {% x %}",
    "line\nbreak\ttab",
)


_DRIFT = {"waiver_expired": "intended", "restart_pending": "corrective"}


def answer(via: str, outcome: str) -> dict[str, Any]:
    """One answer of the probe, without what the network measured, as evidence has it."""
    reached = outcome == "connected"
    return {
        "target": "api.segment.io:443",
        "via": via,
        "configured_by": [],
        "outcome": outcome,
        "address": None,
        "addresses": [],
        "phases_ms": dict.fromkeys(("dns", "tcp", "proxy_connect", "tls", "http")),
        "tls": {
            "version": "TLSv1.3",
            "issuer": "CN=Example CA",
            "not_after": "2027-01-01T00:00:00Z",
            "trusted": True,
            "authority": "public",
            "anchor": None,
        }
        if reached
        else None,
        "java": [],
        "http": None,
        "samples": None,
        "findings": [],
        "message": "Connected to api.segment.io (its address) port 443"
        if reached
        else f"{outcome} on the way to api.segment.io:443 ({via}): check the firewall and the proxy.",
    }


def installation(name: str, product: str, on_disk: str, next_start: str, running: str) -> dict[str, Any]:
    """One installation of a state document."""
    file = f"/etc/default/{name}"
    wanted = {"disabled": "true", "enabled": "false"}
    reason = {"reason": f"{file}: $EXTRA_OPTS is set by a program that is not run"}
    return {
        "name": name,
        "product": product,
        "packaging": "deb",
        "service": f"{name}.service",
        "home": f"/var/lib/{name}",
        "launch": {"file": file, "variable": "JAVA_ARGS", "reader": "shell"},
        "declarations": [
            {"file": file, "line": 8, "variable": "JAVA_ARGS", "value": wanted.get(on_disk, "true"), "live": True},
            {
                "file": file,
                "line": 31,
                "variable": "JENKINS_JAVA_OPTIONS",
                "value": "true",
                "live": False,
                "reason": "the launcher reads JAVA_ARGS",
            },
        ],
        "on_disk": on_disk,
        "on_disk_detail": reason if on_disk == "unresolvable" else {"file": file, "line": 8},
        "next_start": next_start,
        "next_start_detail": reason if next_start == "unresolvable" else {},
        "daemon_reload_owed": on_disk != next_start,
        "processes": []
        if running in ("not_running", "unknown")
        else [
            {
                "pid": 812,
                "started": "2026-11-23T04:00:00Z",
                "value": wanted.get(running),
                "state": running,
                "source": "cmdline",
                "proof": "attach",
            }
        ],
        "running": running,
        "running_detail": {"reason": "the JVM does not answer"} if running == "unknown" else {},
        "settings": {
            "analytics_plugin": "1.896",
            "license_tracker_plugin": None,
            "no_usage_statistics": None,
            "product_version": "2.479.1.3",
            "proxy": None,
            "details": {},
        },
    }


#: Verdicts by how many hosts of a hundred have them.
KINDS = {
    "compliant": 80,
    "violation": 4,
    "restart_pending": 6,
    "unknown": 2,
    "unreachable": 3,
    "waived": 2,
    "waiver_expired": 1,
    "not_applicable": 2,
}


def evidence(host: str, rng: random.Random, kind: str | None = None) -> dict[str, Any]:
    """The evidence of one host; ``kind`` is a verdict, else one by chance, most of them compliant."""
    kind = kind or rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    desired = "unmanaged" if kind == "not_applicable" else "disabled"
    names: dict[str, Any] = {"telemetry_desired": desired, "telemetry_connectivity": "ignored"}
    if rng.random() < 0.2 and kind in ("compliant", "violation"):
        desired = names["telemetry_desired"] = "enabled"
        names["telemetry_connectivity"] = "required"
    waiver = {
        "reason": "upgrade under way: <b>CHG-4711</b>",
        "approved_by": "security@example.org",
        "ticket": "CHG-4711",
    }
    if kind == "waived":
        names["telemetry_waiver"] = {**waiver, "until": "2026-12-31"}
    if kind == "waiver_expired":
        names["telemetry_waiver"] = {**waiver, "until": "2026-10-31"}
    policy = policy_of(names)
    if kind == "unreachable" or kind not in KINDS:
        reason = f"it is {kind.replace('_', ' ')}"  # a verdict of which no state is known here
        if kind == "unreachable":
            reason = "the host did not answer: ssh: connect to host 192.0.2.9 port 22: Connection timed out"
        return document_of(host, policy, None, reason, Assessment(kind, [reason]))
    other = {"disabled": "enabled", "enabled": "disabled"}.get(desired, "enabled")
    clocks = {
        "violation": (other, other, other),
        "waived": (other,) * 3,
        "waiver_expired": (other,) * 3,
        "restart_pending": (desired, desired, other),
        "unknown": ("unresolvable", "unresolvable", "unknown"),
        "not_applicable": ("enabled",) * 3,
    }.get(kind, (desired,) * 3)
    product = "operations_center" if host.startswith("oc") else "controller"
    name = "cloudbees-core-oc" if product == "operations_center" else "cloudbees-core-cm"
    answers = []
    if desired == "enabled":
        # proxy-b is down: whoever goes by it fails. A few others fail on the direct way.
        if kind == "compliant":
            answers = [answer("direct", "connected"), answer(f"proxy-{rng.choice('ac')}.example.org:3128", "connected")]
        else:
            clocks = (desired,) * 3
            answers = (
                [answer("proxy-b.example.org:3128", "proxy_unreachable")]
                if rng.random() < 0.7
                else [answer("direct", rng.choice(("timeout", "refused", "dns_nxdomain")))]
            )
    state = {
        "schema": "cbops.telemetry/state/1",
        "host": {"root": "/", "effective_user": 0, "node": host},
        "installations": [installation(name, product, *clocks)],
        "connectivity": answers,
        "warnings": [],
    }
    if rng.random() < 0.05 and kind == "compliant":
        state["installations"].append(installation("jenkins", "jenkins", *clocks))
    result = assess(state, policy, TODAY)
    return document_of(host, policy, state, None, result)


def name_of(number: int) -> str:
    """The name of a host."""
    return f"oc{number}.example.org" if number % 40 == 0 else f"cm{number}.example.org"


def make(
    folder: Path, count: int, seed: int = 1, runs: int = 3, without: int = 0, hosts: tuple[str, ...] = ()
) -> list[str]:
    """Write a reports folder (evidence, manifests of some nightly runs) of ``count`` hosts; gives their names.

    ``without`` hosts have no evidence. ``hosts`` are names of more hosts, each in violation.
    """
    rng = random.Random(seed)
    names = [name_of(number) for number in range(count)]
    kinds: dict[str, str | None] = {**dict.fromkeys(names), **dict.fromkeys(hosts, "violation")}
    for name, kind in zip(names, VERDICTS):  # each verdict at least once
        kinds[name] = kind
    (folder / "evidence").mkdir(parents=True, exist_ok=True)
    files = {}
    for host, kind in list(kinds.items())[without:]:
        document = evidence(host, rng, kind)
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        path = path_of(folder / "evidence", host)
        path.write_text(text, encoding="utf-8")
        files[f"evidence/{path.name}"] = {
            "host": host,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "verdict": document["verdict"],
        }
    (folder / "manifests").mkdir(exist_ok=True)
    day = datetime.datetime.fromisoformat(AT) - datetime.timedelta(hours=3)
    verdicts = [entry["verdict"] for entry in files.values()]
    for back in range(runs):
        at = (day - datetime.timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        totals = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        moved = min(rng.randrange(back, 3 * back + 1) * max(1, count // 100), totals["compliant"]) if back else 0
        totals["compliant"] -= moved
        totals["violation"] += moved
        identity = f"{(day - datetime.timedelta(days=back)).strftime('%Y%m%dT%H%M%SZ')}-{rng.randrange(16**8):08x}"
        manifest = {
            "schema": "cbops.telemetry/manifest/1",
            "run_id": identity,
            "started": at,
            "finished": at,
            "versions": {"collection": "0.1.0", "ansible_core": "2.19.14", "python": "3.11.2"},
            "git_commit": None,
            "git_dirty": None,
            "hosts": list(kinds),
            "totals": totals,
            "files": {
                name: {**entry, "collected_at": at, "drift": _DRIFT.get(entry["verdict"])}
                for name, entry in files.items()
            },
        }
        (folder / "manifests" / f"{identity}.json").write_text(json.dumps(manifest, sort_keys=True))
    return list(kinds)
