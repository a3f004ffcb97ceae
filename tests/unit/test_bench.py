"""The benchmark's arithmetic: medians, ratios, tables, inventories. What it measures is measured by `make bench`."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.bench import __main__ as command
from tests.bench import contenders, hop, loopback, measure, profile


def run(wall: float, memory: int | None = 1_000_000) -> dict[str, Any]:
    """The figures of one run."""
    return {
        "wall": wall,
        "control_cpu": wall / 2,
        "host_cpu": wall / 4,
        "sent": 10_000,
        "received": 2_000,
        "memory": memory,
    }


def result(hosts: int = 1, forks: int = 16, warm: bool = False, holes: int = 0, **entries: Any) -> dict[str, Any]:
    """What one group gave; entries by name: wall seconds, or the text of a failure."""
    return {
        "group": {"hosts": hosts, "forks": forks, "warm": warm, "holes": holes, "only": []},
        "rounds": 3,
        "machine": {"machine": "2 cores X", "Linux": "6.1"},
        "left_out": [],
        "contenders": {
            name: {"runs": [], "error": given} if isinstance(given, str) else {"runs": [run(one) for one in given]}
            for name, given in entries.items()
        },
    }


# -- figures ----------------------------------------------------------------------------------------


def test_medians() -> None:
    found = measure.medians([run(3), run(1), run(2)])
    assert (found["wall"], found["control_cpu"], found["sent"]) == (2, 1, 10_000)
    assert measure.medians([run(1), run(2, None), run(3)])["memory"] is None
    assert set(measure.medians([]).values()) == {None}


def test_ratios() -> None:
    found = measure.ratios({"wall": 3, "sent": None, "received": 5}, {"wall": 2, "sent": 1, "received": 0})
    assert found == {"wall": 1.5, "sent": None, "received": None}


def test_table() -> None:
    text = measure.table([result(ssh=[2, 4, 3], pipe=[6, 9, 7], sweep="it hung")])
    legend, _, rest = text.partition("\n\n")
    assert [line.split()[1] for line in legend.splitlines()[2:]] == ["ssh", "sweep", "pipe"]
    lines = rest.splitlines()
    assert lines[0] == "### 1 host, 16 at a time, new connections"
    assert "2 cores X; Linux 6.1" in lines[2]
    assert lines[6] == "| ssh | 3.00 | 1500.0 | 750.0 | 10.0 | 2.0 | 1 |"
    assert lines[7].startswith("| pipe | 7.00 (2.33 ×) | 3500.0 (2.33 ×) |")
    assert lines[8] == "| sweep | no figure: it hung | | | | | |"


def test_a_table_without_the_floor_has_no_ratios() -> None:
    assert "×" not in measure.table([result(pipe=[6])])
    assert "×" not in measure.table([result(ssh="it hung", pipe=[6])])


def test_whoever_is_left_out_is_named() -> None:
    given = {**result(hosts=1000, ssh=[1]), "left_out": ["admin"]}
    assert "| admin | not run on more than 32 hosts: 8 tasks" in measure.table([given])


def test_slope() -> None:
    """From 32 hosts on, new connections and the usual forks alone."""
    given = [
        result(hosts=1, ssh=[1]),
        result(hosts=32, ssh=[3.2], pipe=[6.4]),
        result(hosts=32, warm=True, ssh=[9]),
        result(hosts=100, forks=5, ssh=[9]),
        result(hosts=100, ssh=[20]),
        result(hosts=100, holes=5, ssh=[9]),
    ]
    (text,) = measure.slope(given)
    assert text.splitlines()[4:] == [
        "| | 32 hosts | 100 hosts |",
        "|---|--:|--:|",
        "| ssh | 100.0 / 50.0 | 200.0 / 100.0 (2.00 / 2.00 ×) |",
        "| pipe | 200.0 / 100.0 | – |",
    ]
    assert measure.slope(given[:2]) == []


def test_black_holes() -> None:
    (text,) = measure.cost_of_holes(
        [result(hosts=100, ssh=[2], pipe=[4]), result(hosts=100, holes=5, ssh=[12.5], pipe="it hung")]
    )
    assert text.splitlines()[-1] == "| ssh, 100 hosts | 2.00 | 12.50 | +10.50 |"
    assert measure.cost_of_holes([result(hosts=100, holes=5, ssh=[12.5])]) == []


# -- who runs ---------------------------------------------------------------------------------------


def test_groups() -> None:
    chosen = {group.name: [one.name for one in those] for group, those in measure.chosen(measure.GROUPS, ())}
    assert set(chosen["00001-16-cold"]) == {one.name for one in contenders.CONTENDERS}
    assert "admin" in chosen["00032-16-cold"] and "admin" not in chosen["00100-16-cold"]
    assert set(chosen["00032-16-warm"]) <= {one.name for one in contenders.CONTENDERS if one.warm}
    assert "admin-tuned" not in chosen["01000-16-cold"]
    assert all(measure.FLOOR in those for those in chosen.values())
    assert len(chosen) == len(measure.GROUPS)  # a file for each


def test_some_alone() -> None:
    chosen = measure.chosen([measure.Group(32), measure.Group(32, warm=True)], ["asyncssh"])
    assert [(group.warm, [one.name for one in those]) for group, those in chosen] == [(False, ["asyncssh"])]


def test_whoever_has_a_limit_says_why() -> None:
    assert not [one.name for one in contenders.CONTENDERS if (one.most < 4000) != bool(one.why)]


def test_what_counts_as_done(tmp_path: Path) -> None:
    """Only a host on which nothing failed or was passed over."""
    (tmp_path / "stdout").write_text(
        "h1 : ok=8    changed=0    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0\n"
        "h2 : ok=7    changed=0    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0\n"
        "h3 : ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0\n"
        "h4 : ok=8    changed=0    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0\n"
        "h10 : ok=9    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0\n"
    )
    assert contenders.recap(contenders.Task(tmp_path, tmp_path, tmp_path)) == {"h1", "h10"}


# -- the fleet --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 32, 100, 1000, 4000, 62500])
def test_hosts(count: int) -> None:
    found = loopback.hosts(count)
    addresses = {ipaddress.ip_address(one.address) for one in found}
    assert len(addresses) == len({one.name for one in found}) == count
    assert all(one in ipaddress.ip_network("127.0.0.0/8") and str(one) > "127.0.0.255" for one in addresses)
    assert not any(one.hole for one in found)


def test_holes_are_a_share() -> None:
    found = loopback.hosts(100, holes=5)
    assert [number for number, one in enumerate(found) if one.hole] == [19, 39, 59, 79, 99]


@pytest.mark.parametrize("count", [0, -1, 62501])
def test_not_that_many(count: int) -> None:
    with pytest.raises(ValueError, match="hosts are not between"):
        loopback.hosts(count)


def test_inventory() -> None:
    text = loopback.inventory(loopback.hosts(2), {"ansible_user": "ops"})
    assert text == (
        "[nodes]\nh00000 ansible_host=127.1.0.1\nh00001 ansible_host=127.1.0.2\n\n[nodes:vars]\n"
        "ansible_user=ops\ntelemetry_desired=disabled\ntelemetry_connectivity=ignored\n"
    )


def test_known_hosts() -> None:
    assert loopback.known_hosts(loopback.hosts(2), "ssh-ed25519 AAAA") == (
        "127.1.0.1 ssh-ed25519 AAAA\n127.1.0.2 ssh-ed25519 AAAA\n"
    )


# -- the page and the profile -----------------------------------------------------------------------


def test_figures_go_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{command.MARKS[0]}old\n{command.MARKS[1]}after\n")
    command.put(page, "new\n")
    assert page.read_text() == f"before\n{command.MARKS[0]}\nnew\n\n{command.MARKS[1]}after\n"
    page.write_text("no marks\n")
    with pytest.raises(SystemExit):
        command.put(page, "new\n")


def test_stacks() -> None:
    kinds, whole, alone = profile.read(
        [
            "run (/x/lib/python3.11/site-packages/ansible/cli.py:3);f (/x/lib/python3.11/json/decoder.py:7) 3",
            "process 7:python;run (/x/site-packages/ansible/cli.py:3);"
            "WorkerProcess._run (/x/site-packages/ansible/executor/process/worker.py:9);"
            "ask (/y/collections/ansible_collections/cbops/telemetry/plugins/plugin_utils/connect/_carrier.py:1) 2",
            "not a stack",
        ]
    )
    assert kinds == Counter({"main": 3, "workers": 2})
    assert alone == Counter({"main: json/decoder.py f": 3, "workers: plugins/plugin_utils/connect/_carrier.py ask": 2})
    assert whole["main: ansible/cli.py run"] == 3
    assert "workers: ansible/cli.py run" not in whole


# -- behind a jump host -----------------------------------------------------------------------------


def test_a_run_that_lost_a_host_gives_no_ratio() -> None:
    def figures(wall: float) -> measure.Figures:
        return measure.Figures(**run(wall))

    straight = hop.Outcome([figures(2), figures(4)])
    text = hop.summary(100, straight, hop.Outcome([figures(3), figures(4)]))
    assert "100 hosts, 2 runs by the hop: 0 with hosts that were lost, median 3.50 s" in text
    assert "ratio of time, pair by pair: median 1.25, from 1.00 to 1.50" in text
    lost = hop.summary(100, straight, hop.Outcome([figures(3)], ["3 of 100 hosts without an answer"]))
    assert "2 runs by the hop: 1 with hosts that were lost" in lost
    assert "ratio" not in lost
    assert lost.splitlines()[-1] == "3 of 100 hosts without an answer"
    assert "ratio" not in hop.summary(1, hop.Outcome(), hop.Outcome(failed=["all"]))


def test_memory_is_that_of_the_moment_when_most_are_asked() -> None:
    assert hop.memory_of([(1, 9_000_000), (4, 80_000_000), (4, 84_000_000), (2, 500_000_000)]) == (
        "memory (Pss): 82 MB with 4 hosts in flight, 20.5 MB each"
    )
    assert hop.memory_of([]) == hop.memory_of([(0, 5)]) == "memory: no host was seen being asked"
    assert hop.pss(str(os.getpid())) > 1_000_000
    assert hop.pss("0") == 0


def test_the_inventory_of_hosts_behind_a_hop(tmp_path: Path) -> None:
    fleet = loopback.hosts(3)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(loopback.known_hosts(fleet, "ssh-ed25519 AAAA"))
    (tmp_path / "hosts.ini").write_text(loopback.inventory(fleet, {}))
    hop.by_hop(tmp_path, tmp_path)
    assert (tmp_path / "hosts.ini").read_text().endswith("ansible_ssh_common_args='-o ProxyJump=127.0.0.2:2224'\n")
    assert (tmp_path / ".ssh/known_hosts").read_text().endswith("[127.0.0.2]:2224 ssh-ed25519 AAAA\n")
    assert not any(one.address == loopback.HOP for one in fleet)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["/usr/bin/ssh", "-o", "User=ops", "127.1.0.1", "sh -c true"], True),
        (["ssh", "-W", "[127.1.0.1]:22", "127.1.0.1"], False),
        (["ssh", "-N", "127.0.0.2"], False),
        (["python3", "127.1.0.1"], False),
    ],
)
def test_whose_ssh_it_is(words: list[str], asked: bool) -> None:
    """By a process that has these words: a Python that waits, under another name."""
    waits = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", *words[1:]]
    with subprocess.Popen(
        [words[0], *waits[1:]], executable=waits[0], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        assert hop.asks_a_host(str(process.pid), loopback.hosts(2)) is asked
        process.communicate()
    assert not hop.asks_a_host(str(process.pid), loopback.hosts(2)), "it has gone"
