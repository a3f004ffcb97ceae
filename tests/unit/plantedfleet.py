"""A planted fleet: 3 operations centers, 200 controllers, of which 7 are nowhere, 3 have two names; 5 nobody knows.

What the hosts answer is simulated, except where a real root folder is read; so is what the operations centers say.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hostroot import FLAG
from hostroot import Host as Root
from operationscenter import controller, folder

from ansible_collections.cbops.telemetry.plugins.module_utils._answer import state
from ansible_collections.cbops.telemetry.plugins.plugin_utils.evidence import _evidence
from ansible_collections.cbops.telemetry.plugins.plugin_utils.policy import _assessment
from ansible_collections.cbops.telemetry.plugins.plugin_utils.report._model import Host

MODEL = "com.cloudbees.opscenter.server.model."
CONTROLLERS = 200
#: Of which nobody knows: 4 are not in the inventory, 2 did not answer, on one nothing is installed.
GHOSTS = (3, 40, 77, 120, 121, 150, 199)
RENAMED = (10, 65, 180)
STRANGERS = [f"stranger{number}.example" for number in range(5)]


def center_of(number: int) -> int:
    """The operations center that a controller belongs to."""
    return number % 3


def name_of(number: int) -> str:
    """Its name there."""
    return f"c{number:03}"


def jobs(center: int) -> list[dict[str, Any]]:
    """What the API of an operations center lists, some of it in nested folders."""
    here = [number for number in range(CONTROLLERS) if center_of(number) == center]
    root = [controller(name_of(number)) for number in here if number % 4 == 0]
    team = [controller(f"team/{name_of(number)}") for number in here if number % 4 in (1, 2)]
    deep = [controller(f"team/deep/{name_of(number)}", "Managed") for number in here if number % 4 == 3]
    return [*root, folder("team", *team, folder("team/deep", *deep))]


def _place(number: int) -> str:
    return {0: "", 1: "team/", 2: "team/", 3: "team/deep/"}[number % 4] + name_of(number)


def center_state(root: Path, center: int, with_disk: bool) -> dict[str, Any]:
    """The state of the host of an operations center: a real root, read by the real reader."""
    host = Root(root)
    host.script("#!/bin/sh\nexport JENKINS_HOME=/var/lib/oc\nexec java " + FLAG + " -jar /opt/cloudbees-core-oc.war\n")
    home = "/var/lib/oc"
    (root / "var/lib/oc/jobs").mkdir(parents=True)
    host.write(
        f"{home}/jenkins.model.JenkinsLocationConfiguration.xml",
        f"<a.JenkinsLocationConfiguration><jenkinsUrl>https://oc{center}.example/</jenkinsUrl></a.JenkinsLocationConfiguration>",
    )
    for number in range(CONTROLLERS):
        if center_of(number) == center:
            kind = "Managed" if number % 4 == 3 else "Client"
            path = "/".join(f"jobs/{part}" for part in _place(number).split("/"))
            host.write(
                f"{home}/{path}/config.xml",
                f"<?xml version='1.1' encoding='UTF-8'?>\n<{MODEL}{kind}Master><id>{number}</id>"
                f"<encodedName>{name_of(number)}</encodedName><grantId>S3CR3T</grantId></{MODEL}{kind}Master>",
            )
    document: dict[str, Any] = json.loads(json.dumps(state(str(root))))
    if not with_disk:
        entry = document["installations"][0]
        entry.update(controllers=[], controllers_detail={"state": "unknown", "reason": "it was not looked at"})
    return document


def controller_state(root: Path) -> dict[str, Any]:
    """The state of a controller whose launch file names no operations center."""
    host = Root(root)
    host.rpm(f'JENKINS_JAVA_OPTIONS="{FLAG}"\n')
    document: dict[str, Any] = json.loads(json.dumps(state(str(root))))
    return document


def evidence(host: str, document: dict[str, Any] | None, verdict: str = "compliant") -> Host:
    """The evidence of a host."""
    found = _evidence.document_of(
        host,
        None,
        document,
        None if document else "no answer",
        _assessment.Assessment(verdict, []),  # type: ignore[arg-type]
    )
    return Host(found, None, None, None, None)


def with_member(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The state of a controller whose launch file says so."""
    nothing = dict.fromkeys(["operations_center", "name", "endpoint", "index"])
    found = copy.deepcopy(document)
    found["installations"][0]["member_of"] = {**nothing, "source": "next_start", **members}
    return found


def fleet(folder: Path, with_disks: bool, with_members: bool = True) -> list[Host]:
    """The evidence of the fleet; ``with_disks``: the disks of the operations centers were read."""
    roots = [folder / f"oc{number}" for number in range(3)]
    plain_root = folder / "cm"
    for root in (*roots, plain_root):
        root.mkdir(parents=True)
    hosts = [evidence(f"oc{n}.example", center_state(root, n, with_disks)) for n, root in enumerate(roots)]
    plain = controller_state(plain_root)
    for number in range(CONTROLLERS):
        name = f"{name_of(number)}.example"
        if number in GHOSTS[:4]:
            continue
        if number in GHOSTS[4:6]:
            hosts.append(evidence(name, None, "unreachable"))
            continue
        if number == GHOSTS[6]:
            hosts.append(evidence(name, {**plain, "installations": []}, "not_applicable"))
            continue
        if not with_members:
            hosts.append(evidence(name, plain))
            continue
        called = f"old-{name_of(number)}" if number in RENAMED else name_of(number)
        members = {
            "operations_center": f"https://oc{center_of(number)}.example/",
            "name": called,
            "endpoint": f"https://{name}/",
            "index": str(number),
        }
        hosts.append(evidence(name, with_member(plain, **members)))
    for number, name in enumerate(STRANGERS):
        lost = {"operations_center": "https://oc0.example", "name": f"lost{number}", "endpoint": f"https://{name}/"}
        hosts.append(evidence(name, with_member(plain, **lost) if number < 2 and with_members else plain))
    return hosts
