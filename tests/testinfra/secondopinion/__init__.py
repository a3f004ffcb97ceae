"""The parts of the testinfra suite: who to ask (hosts, inventory, backends), what was seen (gather, facts), how it
is read (shelltext, unittext, jvmtext) and what it means (policy). Shares no code with plugins/, on purpose."""
