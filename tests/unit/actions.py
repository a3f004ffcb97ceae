"""What Ansible hands to an action plugin: its own task, connection and play, as in a run on this machine."""

from __future__ import annotations

from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader


def given() -> dict[str, Any]:
    """The arguments of an action plugin: a task of a play on this machine."""
    loader = DataLoader()
    play = Play.load({"hosts": "localhost", "gather_facts": False}, loader=loader)
    return {
        "task": Task(block=Block(play=play)),
        "connection": connection_loader.get("local", PlayContext()),
        "play_context": PlayContext(),
        "loader": loader,
        "templar": None,
        "shared_loader_obj": None,
    }
