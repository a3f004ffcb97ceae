"""A booted systemd as judge: launch files are laid over a plain Debian host, started, edited and started again.

``python -m tests.booted [CASES [SEED]]`` runs so many generated cases on the embedded fleet, after those of
``tests/unit/cases``; ``test_booted.py`` runs a sample. ``docs/differential.md`` says what is compared.

    reader.py   on the host: lays a case, starts it as the host would, asks the product, puts all back
    hosts.py    the fleet's hosts, and the cases that each of them is given
    cases.py    what a case is; the collected ones
    grammar.py  made ones, from a number: kinds of packages, quoting, places of the flag, others who write
    judge.py    what the product said against what the JVM got
"""
