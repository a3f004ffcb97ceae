# Copyright (c) 2026 The cbops.telemetry maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenRC: scripts that ``openrc-run`` interprets.

Private to this collection. Runs on the managed host: Python 3.6+, standard library only.
"""

import re
from typing import Iterator

from ...host._files import HostFiles
from ...text._characters import Value
from .._definition import Start
from ._starter import Starter, in_shell


class OpenRC(Starter):
    """Scripts whose interpreter is ``openrc-run``: settings, or a ``start`` function of their own."""

    kinds = ("OpenRC",)
    #: What openrc-run does with them (OpenRC's sh/openrc-run.sh.in and start-stop-daemon.sh).
    _PROGRAM = """RC_SVCNAME=%(name)s
SVCNAME=%(name)s
ebegin() { :; }
eend() { :; }
einfo() { :; }
checkpath() { :; }
start() {
    eval start-stop-daemon --start --exec "$command" ${command_user:+--user "$command_user"} $start_stop_daemon_args \\
        -- $command_args $command_args_background $command_args_foreground
}
[ ! -e /etc/conf.d/%(name)s ] || . /etc/conf.d/%(name)s
. /etc/init.d/%(name)s
if [ -n "$directory" ]; then cd "$directory"; fi
start
"""

    def starts(self, files: HostFiles) -> Iterator[Start]:
        """Each of the scripts, enabled or not."""
        for name in files.list("/etc/init.d"):
            path = "/etc/init.d/" + name
            head = files.head(path, 80)
            if re.match(rb"#![ \t]*\S*/(?:openrc-run|runscript)\b", head) and re.match(r"[\w.-]+\Z", name):
                program = self._PROGRAM % {"name": name}
                yield Start(
                    self.kinds[0],
                    "service " + name,
                    path,
                    1,
                    in_shell(Value.of(program)),
                    {},
                    "root",
                    "/",
                    "in /etc/conf.d/%s add the flag to the variable of the JVM's options, then rc-service %s "
                    "restart" % (name, name),
                )
