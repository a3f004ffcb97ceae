"""pyinfra's inventory: the same hosts, keys and strictness."""

import os
from pathlib import Path

hosts = (
    [(address, {"ssh_hostname": address}) for address in Path(os.environ["ADDRESSES"]).read_text().split()],
    {
        "ssh_user": os.environ["BENCH_USER"],
        "ssh_port": int(os.environ["BENCH_PORT"]),
        "ssh_key": str(Path.home() / ".ssh/id_ed25519"),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_connect_timeout": int(os.environ["BENCH_SECONDS"]),
    },
)
