# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the next start of an installation has its configuration as code, by its options.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

from typing import Dict, List, Optional, Tuple

from ..host._files import HostFiles
from ..java._jvm import STRONGER_ENVIRONMENT, WEAKER_ENVIRONMENT, expand_all, split_environment
from ..java._toggle import BUNDLE, CONFIG, VARIABLE, Casc, Untold
from ..shell._session import Launch
from ..text._characters import Value
from ..text._value import Unresolvable
from ._definition import Definition, seen_by
from ._outcome import UNRESOLVABLE, Outcome


def casc_of(definition: Definition, outcome: Outcome, files: HostFiles) -> Casc:
    """What the options say; paths are the host's own names."""
    if outcome.verdict == UNRESOLVABLE or outcome.walk is None:
        return Casc(reason="what its next start would be told is not known")
    inside = seen_by(definition, files)
    told: List[Tuple[Optional[str], Optional[str]]] = []
    try:
        for found in outcome.walk.paths:
            for launch in found:
                if launch.main is not None:
                    told.append(_told(launch, inside))
        ways = set(told)
        if len(ways) > 1:
            return Casc(reason="it depends on a condition in the launch files which bundle or configuration it has")
        bundle, config = ways.pop() if ways else (None, None)

        def place(path: str) -> str:
            return path if not path.startswith("/") else inside.origin(path)

        return Casc(
            None if bundle is None else place(bundle),
            None if config is None else tuple(place(one.strip()) for one in config.split(",")),
            place=place,
        )
    except (Untold, Unresolvable) as error:
        return Casc(reason=str(error))
    except OSError:
        return Casc(reason="a file of its configuration as code has no name on the host")


def _told(launch: Launch, files: HostFiles) -> Tuple[Optional[str], Optional[str]]:
    """The bundle and the configuration of one ``java`` command. Raises Untold, Unresolvable."""
    found: Dict[str, str] = {}

    def read(path: str) -> Optional[str]:
        try:
            path = launch.absolute(path)
            return files.read(path) if path.startswith("/") else None
        except OSError:
            return None

    def take(words: List[str], whole: Optional[Value]) -> None:
        for word in words:
            name, _equals, value = word[2:].partition("=")
            if word.startswith("-D") and name in (BUNDLE, CONFIG):
                if whole is not None and whole.unknown(True):
                    raise Untold("the value of -D%s is not known" % name)
                found[name] = value

    def variable(name: str) -> None:
        value = launch.environment.get(name)
        if value is not None:
            take(expand_all(split_environment(value.text), read, name == "JDK_JAVA_OPTIONS"), value)

    for name in WEAKER_ENVIRONMENT:
        variable(name)
    for index in launch.options:
        word = launch.words[index]
        take(expand_all([word.text], read, True), word)
    for name in STRONGER_ENVIRONMENT:
        variable(name)
    config = found.get(CONFIG)
    if config is None and VARIABLE in launch.environment:
        value = launch.environment[VARIABLE]
        if value.unknown(True):
            raise Untold("the value of %s is not known" % VARIABLE)
        config = value.text
    return found.get(BUNDLE), config
