# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers: quadlets, compose files, what Docker starts again; image and environment decide, so none is followed.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Collection, Iterator, Optional

from ...host._file_systems import may_hang
from ...host._files import HostFiles
from ...java._war import OF_INTEREST
from ...text._value import line_of
from .._definition import Start
from ._starter import Starter, accounts, read

LIMIT_IMAGES = 1000  # files of containers that are looked at


#: Images and programs of build agents, which have the name of the product and are none.
AGENT = re.compile(
    r"(?<![\w./-])[\w./-]*(?:inbound-agent|ssh-agent|jnlp-\w+|-slave|\bagent\b)[\w.:-]*"
    r"|\bJENKINS_(?:URL|AGENT\w*|SECRET|TUNNEL|NAME|WEB_SOCKET|INSTANCE_IDENTITY)\b|https?://\S+"
)


COMPOSE = re.compile(r"(?:docker-|podman-)?compose[\w.-]*\.ya?ml\Z|stack[\w.-]*\.ya?ml\Z")
_IMAGE = re.compile(r"^[ \t]*-?[ \t]*(?:image:|Image[ \t]*=)[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_BUILT = re.compile(r"^[ \t]*-?[ \t]*build:", re.MULTILINE)
_COMMENTED = re.compile(r"(?m)^[ \t]*#.*$")


def of_product(text: str, more: str = "") -> Optional["re.Match[str]"]:
    """Where a quadlet or a compose file names an image of the product; ``more`` is what lies beside it.

    An image whose name is a variable, or that is built there, is one where anything tells of the product.
    """
    images = list(_IMAGE.finditer(text))
    for match in images:
        if OF_INTEREST.search(AGENT.sub("", match.group(1))):
            return match
    unknown = next((match for match in images if "$" in match.group(1)), None) or _BUILT.search(text)
    told = OF_INTEREST.search(AGENT.sub("", _COMMENTED.sub("", text + "\n" + more)))
    return unknown if unknown is not None and told else None


#: Why the flag of a container is not known, and what to do there.
DECIDES = "it starts a container, whose image and environment decide"
ADVICE = "set JAVA_OPTS (for CloudBees' images also JENKINS_JAVA_OPTIONS) with the flag in its environment"


class Containers(Starter):
    """Quadlets, compose files and what Docker starts again: recognised by their image, and not followed."""

    kinds = ("container", "quadlet", "compose file", "docker")
    units = ("docker", "podman", "containerd")
    processes = {"conmon": "podman", "containerd-shim": "docker", "docker-init": "docker"}
    _QUADLETS = ("/etc/containers/systemd", "/usr/share/containers/systemd")
    _PROJECTS = (
        "/opt",
        "/srv",
        "/root",
        "/etc/docker",
        "/etc/docker/compose",
        "/etc/compose",
        "/var/lib",
        "/var/lib/compose",
        "/usr/local",
        "/data",
        "/app",
        "/apps",
        "/mnt",
        "/docker",
        "/containers",
        "/stacks",
    )

    def is_started_by_unit(self, start: Start, services: Collection[str]) -> bool:
        """A quadlet has been made a unit of."""
        return start.kind == "quadlet" and start.name + ".service" in services

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Those whose image has the name of the product."""
        looked = 0
        for path in dict.fromkeys(self._paths(files)):
            looked += 1
            if looked > LIMIT_IMAGES:
                return
            text = read(files, path)
            folder = path.rpartition("/")[0]
            match = of_product(text, read(files, folder + "/.env") + "\n" + read(files, folder + "/Dockerfile"))
            if match is not None:
                kind = "quadlet" if path.endswith((".container", ".kube", ".pod")) else "compose file"
                yield Start(
                    kind,
                    path.rpartition("/")[2].rpartition(".")[0] if kind == "quadlet" else "",
                    path,
                    line_of(text, match.start()),
                    (),
                    {},
                    "root",
                    "",
                    ADVICE,
                    DECIDES,
                )
        for path in files.glob("/var/lib/docker/containers/*/config.v2.json"):
            image = re.search(r'"Config":\{.*?"Image":"([^"]+)"', read(files, path), re.DOTALL)
            again = re.search(
                r'"RestartPolicy":\{"Name":"(always|unless-stopped|on-failure)"',
                read(files, path.replace("config.v2.json", "hostconfig.json")),
            )
            if image and again and OF_INTEREST.search(AGENT.sub("", image.group(1))):
                yield Start(
                    "docker",
                    "container of the image " + image.group(1),
                    path,
                    1,
                    (),
                    {},
                    "root",
                    "",
                    "create the container anew with the flag in JAVA_OPTS",
                    DECIDES,
                )

    def _paths(self, files: HostFiles) -> Iterator[str]:
        places = list(self._QUADLETS)
        places.extend(
            fields[5].rstrip("/") + "/.config/containers/systemd"
            for fields in accounts(files)
            if fields[0] in files.list("/var/lib/systemd/linger")
        )
        for place in places:
            for name in files.list(place):
                if name.endswith((".container", ".kube", ".pod")):
                    yield "%s/%s" % (place, name)
        for top in self._PROJECTS:
            for name in files.list(top):
                if COMPOSE.match(name):
                    yield "%s/%s" % (top, name)
                # What is mounted from elsewhere in /var/lib is a home. A compose file in it starts nothing at boot, and
                # a server that does not answer would cost more than the settings of that home.
                elif "." not in name and not (
                    top == "/var/lib" and may_hang("%s%s/%s" % (files.root.rstrip("/"), top, name))
                ):
                    for inner in files.list("%s/%s" % (top, name)):
                        if COMPOSE.match(inner):
                            yield "%s/%s/%s" % (top, name, inner)
                        elif inner in ("docker", "compose", "ci", "cloudbees", "jenkins"):
                            for last in files.list("%s/%s/%s" % (top, name, inner)):
                                if COMPOSE.match(last):
                                    yield "%s/%s/%s/%s" % (top, name, inner, last)
