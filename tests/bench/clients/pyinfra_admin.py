"""What admin.yml does, as pyinfra's operations and facts. They change nothing; the last says that all were done."""

import os
from pathlib import Path

from pyinfra import host
from pyinfra.facts.files import File, FindInFile
from pyinfra.facts.server import Command, Kernel, LinuxDistribution, Which

NAME = "cloudbees-core-cm"
FLAG = "com.cloudbees.analytics.gatherer.Sender.disabled"
LAUNCH = f"/etc/default/{NAME}"

found = [
    host.get_fact(Kernel),
    host.get_fact(LinuxDistribution),
    host.get_fact(File, path=LAUNCH),
    host.get_fact(FindInFile, path=LAUNCH, pattern="^JAVA_ARGS="),
    host.get_fact(Command, command=f"grep -n {FLAG} {LAUNCH} || true"),
    host.get_fact(Command, command=f"pgrep -af {NAME}.war"),
    host.get_fact(Which, command="nc"),
    host.get_fact(Command, command="timeout 5 sh -c 'until nc -z 127.0.0.1 22; do sleep 1; done'; echo $?"),
    host.get_fact(Command, command="nc -z 127.0.0.1 22; echo $?"),
]
Path(os.environ["OUT"], host.name).write_text(repr(found))
