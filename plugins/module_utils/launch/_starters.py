# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of whoever starts programs: a class each, in a file of its own in ``starters``, with one interface.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import errno
from typing import Iterator, Tuple

from ._definition import Definition, Start
from .starters._boot import Boot
from .starters._containers import Containers
from .starters._cron import Cron
from .starters._monit import Monit
from .starters._openrc import OpenRC
from .starters._runit import Runit
from .starters._starter import LIMIT_STARTS, Scene, Starter
from .starters._supervisord import Supervisord
from .starters._systemd import Systemd
from .starters._sysv import SysV
from .starters._user_units import UserUnits

SYSTEMD = Systemd()
SYSV = SysV()
#: Those that name what they start by a name of its own, a unit or a script; what they start is a service.
OF_SERVICES: Tuple[Starter, ...] = (SYSTEMD, SYSV)
#: The others, in the order in which what they would start is told.
OTHERS: Tuple[Starter, ...] = (Supervisord(), Runit(), OpenRC(), Cron(), Boot(), Monit(), UserUnits(), Containers())
#: Somebody who runs a launch script, of whom nothing is known.
NOBODY = Starter()
#: All of them.
STARTERS = OF_SERVICES + OTHERS
_BY_KIND = {kind: starter for starter in OTHERS for kind in starter.kinds}


def starter_of(definition: Definition) -> Starter:
    """Who starts an installation."""
    if definition.start is not None:
        return _BY_KIND.get(definition.start.kind, NOBODY)
    if definition.service is None:
        return NOBODY
    return SYSTEMD if definition.unit is not None or definition.service.endswith(".service") else SYSV


def others(scene: Scene) -> Iterator[Tuple[Starter, Definition, Start]]:
    """What :data:`OTHERS` would start, at most :data:`LIMIT_STARTS` of each; of what cannot be read a warning."""
    for starter in OTHERS:
        count = 0
        try:
            for one in starter.find(scene):
                count += 1
                if count > LIMIT_STARTS:
                    raise OSError(errno.E2BIG, "it would start more than %d programs" % LIMIT_STARTS)
                if one.definition is not None and one.definition.start is not None:
                    yield starter, one.definition, one.definition.start
        except OSError as error:
            scene.warnings.append("what %s would start is not all looked at: %s" % (starter.kinds[0], error.strerror))
