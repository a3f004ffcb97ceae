"""What a user's own ansible.cfg may say, as far from what this collection's folder sets as can be."""

from __future__ import annotations

from pathlib import Path

WORST = """
[defaults]
strategy = host_pinned
any_errors_fatal = true
gathering = smart
fact_caching = jsonfile
fact_caching_connection = facts
inject_facts_as_vars = true
hash_behaviour = merge
forks = 1
error_on_missing_handler = true
interpreter_python = auto
display_skipped_hosts = false
show_custom_stats = true
callback_plugins = callbacks
stdout_callback = as_json
[privilege_escalation]
become_method = sudo
become_ask_pass = false
[ssh_connection]
pipelining = false
"""
AS_JSON = '''
"""What happened, for a program: one JSON document on standard output."""
import json

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: as_json
type: stdout
short_description: One JSON document
description: One JSON document.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "as_json"

    def v2_playbook_on_stats(self, stats):
        print(json.dumps({"recap": {host: stats.summarize(host) for host in stats.processed}, "custom": stats.custom}))
'''


def write(folder: Path) -> Path:
    """Put those settings, and what they name, into a folder; the ansible.cfg."""
    (folder / "callbacks").mkdir(parents=True, exist_ok=True)
    (folder / "callbacks/as_json.py").write_text(AS_JSON)
    (folder / "ansible.cfg").write_text(WORST + "[inventory]\nunparsed_warning = true\n")
    return folder / "ansible.cfg"
