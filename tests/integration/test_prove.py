"""The proof of the next start on real hosts: it says what starts, and leaves nothing, whatever a launcher tries."""

from __future__ import annotations

import base64
import csv
import io
import json
import shlex
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fleethand import BIN, CHECKOUT, FLAG, SECRET, Fleet

CASES = CHECKOUT / "tests/unit/cases"
with open(CASES / "cases.tsv", encoding="utf-8", newline="") as table:
    ROWS = {row["name"]: row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)}

#: Everything that a start could change, with what would show it. Left out: the journal, and the access log that the
#: running Tomcat writes up to ten seconds after a request (those with which the fleet waited for it).
LISTING = (
    r"find /etc /home /root /opt /usr /boot /srv /var -xdev \( -path /var/log/journal "
    r"-o -path '/var/log/tomcat10/localhost_access_log.*' \) -prune "
    r"-o -printf '%p %y %s %T@ %C@ %m %U:%G %i %l\n' | sort; "
    "find /etc /opt /home /root -xdev -type f -exec sha256sum {} + | sort"
)
PIDS = (
    "for unit in cloudbees-core-oc cloudbees-core-cm jenkins cloudbees-cm tomcat10; do "
    "systemctl show -p MainPID,ActiveState,NRestarts,InvocationID $unit; done; "
    "pgrep -x java; cat /run/cloudbees-*/*.pid /var/run/jenkins/*.pid 2>/dev/null; true"
)
#: Whatever has our name; the lock is there since the fleet was enforced.
LEFT = (
    "systemctl list-units --all --no-legend 'cbops*'; ls -d /run/cbops* /run/systemd/*/cbops* /.cbops* "
    "/tmp/*cbops* /sys/fs/cgroup/system.slice/cbops* 2>/dev/null | grep -vx /run/cbops-telemetry.lock; "
    "ps axww -o args | grep '[c]bops-prove'; true"
)
HOSTILE = ["bullseye-script", "trixie-script"]
WAR = "/opt/cloudbees/cm/cloudbees-core-cm.war"


def prove(
    fleet: Fleet, hosts: list[str] | dict[str, dict[str, Any]], check: bool = False, **options: Any
) -> dict[str, dict[str, Any]]:
    """The module's answer by host; the options may be those of each host."""
    fleet._runs += 1
    folder = fleet.folder / f"proved-{fleet._runs}"
    folder.mkdir()
    play = [
        {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Prove",
                    "cbops.telemetry.telemetry_prove": options if isinstance(hosts, list) else "{{ options }}",
                    "register": "proved",
                },
                {
                    "name": "Keep",
                    "ansible.builtin.copy": {
                        "content": "{{ proved | to_json }}",
                        "dest": f"{folder}/{{{{ inventory_hostname }}}}.json",
                        "mode": "0600",
                    },
                    "delegate_to": "localhost",
                    "become": False,
                    "check_mode": False,
                },
            ],
        }
    ]
    (folder / "play.yml").write_text(json.dumps(play))
    of_hosts = {host: {} if isinstance(hosts, list) else {"options": {**options, **hosts[host]}} for host in hosts}
    done = fleet.inside(
        str(BIN / "ansible-playbook"),
        "-i",
        str(fleet.inventory(of_hosts)),
        str(folder / "play.yml"),
        *(["--check"] if check else []),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    return {host: json.loads((folder / f"{host}.json").read_text()) for host in hosts}


def seen(fleet: Fleet, hosts: list[str], script: str) -> dict[str, str]:
    """What a script prints on each host."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(hosts, pool.map(lambda host: fleet.shell(host, script), hosts), strict=True))


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """The lines that are new or gone, of each host where there are any."""
    return {
        host: sorted(set(before[host].splitlines()) ^ set(after[host].splitlines()))
        for host in before
        if before[host] != after[host]
    }


def nothing_is_left(fleet: Fleet, hosts: list[str]) -> None:
    """The service manager may need a moment to take the scope away."""
    until = time.monotonic() + 30
    while any((left := seen(fleet, hosts, LEFT)).values()):
        assert time.monotonic() < until, left
        time.sleep(0.5)


def quiet(fleet: Fleet, hosts: list[str]) -> dict[str, str]:
    """The files once nothing writes any more: what has just been booted still does (Tomcat unpacks its war)."""
    seen(fleet, hosts, "systemctl stop systemd-tmpfiles-clean.timer")  # a quarter of an hour after the boot
    before, until = seen(fleet, hosts, LISTING), time.monotonic() + 120
    while True:
        time.sleep(2)
        now = seen(fleet, hosts, LISTING)
        if now == before:
            return now
        assert time.monotonic() < until, differences(before, now)
        before = now


def owners(fleet: Fleet) -> list[str]:
    """Hosts with a controller or an operations center."""
    return [host for host in fleet.hosts if host != "segment"]


def test_every_packaging_before_and_after_an_edit(fleet: Fleet) -> None:
    hosts = owners(fleet)
    pids, files = seen(fleet, hosts, PIDS), quiet(fleet, hosts)
    for host, answer in prove(fleet, hosts).items():
        (proof,) = answer["proofs"]
        assert (proof["next_start"], proof["on_disk"], proof["agrees"]) == ("enabled", "enabled", True), (host, proof)
        assert proof["user"] == fleet.facts[host]["user"]
        assert proof["service"] == fleet.facts[host]["service"]
        assert proof["jvms"] == 1
    assert not differences(files, seen(fleet, hosts, LISTING))
    assert seen(fleet, hosts, PIDS) == pids
    nothing_is_left(fleet, hosts)

    assert fleet.play("enforce").code == 0
    for host, answer in prove(fleet, hosts).items():
        (proof,) = answer["proofs"]
        assert (proof["next_start"], proof["agrees"], proof["jvms"]) == ("disabled", True, 1), (host, proof)
    assert seen(fleet, hosts, PIDS) == pids
    began = time.time()
    assert all(count for host, count in fleet.wait_for_events(began).items() if host != "segment")


def test_the_playbook_says_it_and_check_mode_starts_nothing(fleet: Fleet) -> None:
    host = "bookworm-cm-deb"
    done = fleet.play("prove", inventory=fleet.inventory({host: {}}), environment={"ANSIBLE_DISPLAY_OK_HOSTS": "true"})
    assert done.code == 0, done.output
    assert "cloudbees-core-cm: the next start gives disabled, the launch files say disabled" in done.output
    before = fleet.shell(host, "journalctl -q --no-pager | grep -c cbops-telemetry-prove || true")
    (proof,) = prove(fleet, [host], check=True)[host]["proofs"]
    assert (proof["next_start"], proof["refused"]) == ("unknown", True)
    assert proof["reason"] == "in check mode nothing is started"
    assert fleet.shell(host, "journalctl -q --no-pager | grep -c cbops-telemetry-prove || true") == before


def test_what_no_reader_follows_is_seen(fleet: Fleet) -> None:
    """The launcher computes its options; what it logs to is large; a specifier has the service's own name."""
    host = "bookworm-oss"
    fleet.shell(
        host,
        f"""cat >/opt/computed.sh <<'E'
#!/bin/bash
java -version 2>&1 | grep -q 'version "17' || exit 7
options=$(printf '%s' '{FLAG}' | rev | rev)
[ "$1" = computed@a.service ] || exit 8
cd /var/lib/jenkins && touch here || exit 9
exec java $options $MORE -jar /usr/share/java/jenkins.war >>/var/log/computed/log 2>&1
E
chmod 755 /opt/computed.sh
mkdir -p /var/log/computed && truncate -s 2G /var/log/computed/log && chown -R jenkins /var/log/computed
echo 'MORE=-Da=computed@a' >/etc/default/computed@a
cat >/etc/systemd/system/computed@.service <<'E'
[Unit]
Conflicts=jenkins.service
[Service]
User=jenkins
EnvironmentFile=/etc/default/%p@%i
ExecStartPre=+/bin/sh -c 'systemctl stop jenkins; pkill -9 java; true'
ExecStart=/opt/computed.sh %n
Restart=always
Environment=WAR=/usr/share/java/jenkins.war
E
systemctl daemon-reload; mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s ../computed@.service /etc/systemd/system/multi-user.target.wants/computed@a.service
systemctl daemon-reload""",
    )
    pids, files = fleet.shell(host, PIDS), seen(fleet, [host], LISTING)
    (proof,) = prove(fleet, [host], name=["computed@a"])[host]["proofs"]
    assert proof["next_start"] == "disabled", proof
    assert proof["user"] == "jenkins"
    assert fleet.shell(host, PIDS) == pids
    assert not differences(files, seen(fleet, [host], LISTING))
    fleet.shell(host, "echo 'MORE=-Dcom.cloudbees.analytics.gatherer.Sender.disabled=yes' >/etc/default/computed@a")
    (proof,) = prove(fleet, [host], name=["computed@a"])[host]["proofs"]
    assert proof["next_start"] == "enabled", proof


def test_a_daemon_reload_that_is_owed_is_no_proof(fleet: Fleet) -> None:
    host = "trixie-oss"
    fleet.shell(
        host,
        "mkdir -p /etc/systemd/system/jenkins.service.d; "
        "echo '[Service]' >/etc/systemd/system/jenkins.service.d/owed.conf",
    )
    (proof,) = prove(fleet, [host])[host]["proofs"]
    assert proof["refused"]
    assert proof["reason"].startswith("a daemon-reload is owed")
    fleet.shell(host, "rm /etc/systemd/system/jenkins.service.d/owed.conf; systemctl daemon-reload")
    (proof,) = prove(fleet, [host])[host]["proofs"]
    assert proof["next_start"] == "disabled"


BOMB = """python3 -c 'import os
while True:
    try: os.fork()
    except OSError: pass' &
sleep 3"""
ESCAPE = """exec 2>/dev/null
umount -l /proc/sys; mount -o remount,rw /proc/sys; mount -o remount,rw,bind /proc/sys; umount -l /; mkdir /mnt/m
mount -t proc proc /mnt/m && echo escaped >/mnt/m/sys/kernel/domainname && echo b >/mnt/m/sysrq-trigger
mount -t sysfs s /mnt/m; echo escaped >/proc/sys/kernel/domainname; echo escaped >/proc/sys/kernel/core_pattern
hostname escaped; date -s 2001-01-01; nsenter -t 1 -a touch /etc/escaped; chroot /proc/1/root touch /etc/escaped
for d in vda sda nvme0n1p1; do mknod /mnt/$d b 254 0 && mount /mnt/$d /mnt/m && touch /mnt/m/etc/escaped; done
echo 1 >/sys/fs/cgroup/cgroup.kill; echo 1 >/sys/fs/cgroup/../cgroup.kill; modprobe loop; swapoff -a; dmesg -C
python3 -c 'import ctypes, os
libc = ctypes.CDLL(None)
for name in (b"/", b"/proc", b"/sys", b"/etc"): libc.umount2(name, 2)
libc.unshare(0x10000000); libc.unshare(0x20000)
os.close(os.open("/etc/escaped", os.O_CREAT | os.O_WRONLY))'"""
NETWORK = """python3 -c "import socket
for address in ('10.77.1.2', '10.77.1.10', '127.0.0.1'):
    for port in (443, 8080):
        try: socket.create_connection((address, port), 2)
        except OSError: continue
        raise SystemExit(1)" || exit 66
systemctl stop cloudbees-cm; busctl list && exit 66; systemctl is-active cloudbees-cm && exit 66
[ -e /run/dbus ] && exit 66; [ -S /run/systemd/journal/socket ] && exit 66"""
REMOVE = """rm -rf /var/lib/cloudbees-cm /etc/ssh /home/* /root /boot /var/log /usr/share/doc; echo x >/etc/escaped
echo x >>/etc/passwd; chown -R nobody /opt; ln -sf /etc/shadow /.cbops-prove/ended; rm -rf /.cbops-prove/*; true"""

#: Name: whether root runs it, what it does before java, how a proof may come out, and what its reason has.
Attack = tuple[bool, str, str, str]
#: What is tried in one run: against other processes, against what is outside, and to take too much of something.
ATTACKS: dict[str, dict[str, Attack]] = {
    "processes": {
        "kill": (
            True,
            "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] || [ $p = $$ ] || kill -9 $p; done 2>/dev/null",
            "disabled",
            "",
        ),
        "kill-all": (True, "kill -9 -1; sleep 1", "disabled unknown", ""),
        "halt": (
            True,
            "systemctl --force --force reboot; systemctl poweroff; kill -INT 1; kill -37 1; sleep 5",
            "disabled unknown",
            "",
        ),
        "two": (False, f"java -jar {WAR}", "unknown", "2 JVMs are started, and they do not agree"),
        "none": (False, "sh -c 'exit 5' || exit 5", "unknown", "it ended with exit status 5"),
    },
    "outside": {
        "remove": (True, REMOVE, "disabled unknown", ""),
        "escape": (True, ESCAPE, "disabled unknown", ""),
        "network": (True, NETWORK, "disabled", ""),
    },
    "much": {
        "bomb": (True, BOMB, "disabled unknown", ""),
        "user-bomb": (False, BOMB, "disabled unknown", ""),
        "hang": (False, "trap '' TERM INT; while :; do sleep 1000; done", "unknown", "in 8 seconds"),
        "flood": (
            True,
            "yes x | head -c 100000000; yes >/etc/flood; yes >/var/flood; yes >/tmp/flood; yes >/run/flood",
            "disabled unknown",
            "",
        ),
        "memory": (True, "python3 -c 'x = [b\"x\" * (1 << 20) for _ in range(4000)]'; true", "disabled unknown", ""),
        "again": (False, f"while :; do java {FLAG} -jar {WAR}; done", "disabled", ""),
    },
}


@pytest.fixture(scope="module")
def attacked(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Hosts with a unit for each attack, none of which was ever started; their processes and files."""
    lines = []
    for name, (root, body, _states, _reason) in [one for kind in ATTACKS.values() for one in kind.items()]:
        script = f"#!/bin/sh\n{body}\nexec java {FLAG} -jar {WAR}\n"
        unit = f"[Service]\n{'' if root else 'User=cloudbees'}\nExecStart=/opt/attack-{name}.sh\nRestart=always\n"
        lines.append(
            f"cat >/opt/attack-{name}.sh <<'EOT'\n{script}EOT\nchmod 755 /opt/attack-{name}.sh\n"
            f"cat >/etc/systemd/system/attack-{name}.service <<'EOT'\n{unit}EOT\n"
        )
    seen(fleet, HOSTILE, "".join(lines) + "systemctl daemon-reload")
    return {"files": quiet(fleet, HOSTILE), "pids": seen(fleet, HOSTILE, PIDS)}


def is_as_before(fleet: Fleet, hosts: list[str], before: dict[str, dict[str, str]]) -> None:
    """Nothing is left, no file is another one, and the same processes run."""
    nothing_is_left(fleet, hosts)
    assert not differences({host: before["files"][host] for host in hosts}, seen(fleet, hosts, LISTING))
    assert seen(fleet, hosts, PIDS) == {host: before["pids"][host] for host in hosts}


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_hostile_launcher_reaches_nothing(kind: str, fleet: Fleet, attacked: dict[str, dict[str, str]]) -> None:
    script = "hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/core_pattern; systemctl is-active cloudbees-cm"
    before = seen(fleet, HOSTILE, script)
    names, seconds = [f"attack-{name}" for name in ATTACKS[kind]], 8 if kind == "much" else 20
    for host, answer in prove(fleet, HOSTILE, name=names, timeout=seconds).items():
        proofs = {proof["name"]: proof for proof in answer["proofs"]}
        for name, (_root, _body, states, reason) in ATTACKS[kind].items():
            proof = proofs.pop(f"attack-{name}")
            assert proof["next_start"] in states.split(), (host, proof)
            assert reason in (proof["reason"] or ""), (host, proof)
            assert not proof["refused"], (host, proof)
        assert not proofs
    is_as_before(fleet, HOSTILE, attacked)
    assert seen(fleet, HOSTILE, script) == before
    assert all(before[host].startswith(host + "\n") and before[host].endswith("active\n") for host in HOSTILE)
    assert abs(float(fleet.shell(HOSTILE[0], "date +%s")) - time.time()) < 60


#: Kills whoever is above the world: of its processes, the one whose parent is none of them.
KILLER = """for i in $(seq 300); do
for p in $(cat /sys/fs/cgroup/system.slice/cbops*/world/cgroup.procs 2>/dev/null); do
above=$(ps -o ppid= -p $p | tr -d ' '); [ "$above" ] && ! grep -q cbops /proc/$above/cgroup || continue
pgrep -f '/opt/[a]ttack-hang.sh' || continue
kill -9 $above && exit 0
done; sleep 0.1; done; exit 1"""


def test_nothing_is_left_where_it_is_killed(fleet: Fleet, attacked: dict[str, dict[str, str]]) -> None:
    host = HOSTILE[1]
    play = [
        {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Kill it",
                    "ansible.builtin.command": {"argv": ["/bin/sh", "-c", f"({KILLER}) >/dev/null 2>&1 &"]},
                },
                {"name": "Prove", "cbops.telemetry.telemetry_prove": {"name": ["attack-hang"], "timeout": 40}},
            ],
        }
    ]
    (fleet.folder / "killed.yml").write_text(json.dumps(play))
    done = fleet.inside(
        str(BIN / "ansible-playbook"), "-i", str(fleet.inventory({host: {}})), str(fleet.folder / "killed.yml")
    )
    assert done.returncode == 2, done.stdout
    assert '"proofs"' not in done.stdout
    assert "was ended by signal 9 while it was starting a copy of attack-hang" in done.stdout, done.stdout
    is_as_before(fleet, [host], attacked)


# -- launch configurations that people have ---------------------------------------------------------

#: Hosts of three releases on which no service of a case is installed (on the last two only the operations center's).
LAID_OVER = ["bullseye-script", "bookworm-tomcat", "trixie-script", "bullseye-oc-deb", "trixie-oc-rpm"]
#: What the real start gives, where the files alone do not tell or nothing starts.
STARTS = {
    "deb_continued_blank_after_backslash": "unknown",
    "rpm_semicolon_unquoted": "unknown",
    "unit_exec_start_twice": "unknown",
    "own_pam_name": "unknown",
    "own_pre_resets_env": "enabled",
    "own_bash_login_resets": "enabled",
    "unit_colon": "unknown",
    "script_su_by_the_service": "unknown",
    "script_sudo_by_the_service": "unknown",
}
#: Nothing of these is started here: cron and supervisord, a container, a script that wants an argument.
NOT_STARTED = {"other_cron_reboot", "other_supervisord", "own_docker_run", "script_start_stop_case"}
#: What other services' shells read too.
ALONE = {"deb_stock_2020_locale", "own_bash_login_resets", "own_pam_name"}
#: Of what lies below every case what a Debian has not; it has all others itself.
COMMON = ["etc/init.d", "usr/bin/daemon", "usr/sbin/daemonize"]
USERS = ["jenkins", "jenkins-oc", "cloudbees-core-oc", "cloudbees-core-cm", "cloudbees", "tomcat", "ciuser"]


def files_of(name: str) -> dict[str, Path]:
    """The files of a case, by where they lie on the host."""
    place = CASES / name
    return {str(path.relative_to(place)): path for path in sorted(place.rglob("*")) if path.is_file()}


def loads() -> list[list[str]]:
    """All cases, at most two of different services for one host at a time; operations centers first."""
    found: list[list[str]] = []
    units: list[set[str]] = []
    for name in sorted(set(ROWS) - NOT_STARTED, key=lambda name: ("core-oc" not in ROWS[name]["unit or script"], name)):
        taken = {ROWS[name]["unit or script"], *files_of(name)}
        for load, there in zip(found, units, strict=True):
            if len(load) < 2 and not there & taken and not ALONE.intersection([name, *load]):
                load.append(name)
                there |= taken
                break
        else:
            found.append([name])
            units.append(taken)
    return found


@pytest.mark.parametrize("at", range(0, len(loads()), len(LAID_OVER)))
def test_what_people_have_starts_as_it_is_proved(at: int, fleet: Fleet) -> None:
    chosen = dict(zip(LAID_OVER, loads()[at:], strict=False))
    targets = {name: ROWS[name]["unit or script"].split()[0] for names in chosen.values() for name in names}
    called = {name: target if target.startswith("/") else target.rpartition(".")[0] for name, target in targets.items()}
    wanted = {
        host: {
            "name": [called[name] for name in names],
            "launch_scripts": [targets[name] for name in names if targets[name].startswith("/")],
        }
        for host, names in chosen.items()
    }
    try:
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(lambda host: lay_over(fleet, host, chosen[host]), chosen))
        answers = prove(fleet, wanted, timeout=15)
    finally:
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(lambda host: take_away(fleet, host, chosen[host]), chosen))
    for host, names in chosen.items():
        proofs = {proof["name"]: proof for proof in answers[host]["proofs"]}
        assert len(proofs) == len(names)
        for name in names:
            proof = proofs[called[name]]
            assert proof["next_start"] == STARTS.get(name, ROWS[name]["verdict"]), (host, name, proof)
            assert proof["agrees"] is not False, (host, name, proof)


def lay_over(fleet: Fleet, host: str, names: list[str]) -> None:
    """Install cases on a host; what their files replace is kept there."""
    places = all_files(names)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, place in places.items():
            tar.add(place, path, filter=as_roots)
    files = " ".join(shlex.quote(path) for path in places)
    javas = " ".join(shlex.quote(path) for path in places if path.endswith("/bin/java"))  # in a case they are empty
    users = "".join(
        f"id {user} >/dev/null 2>&1 || useradd -r -m -d /var/lib/{user} -s /bin/bash {user}\n" for user in USERS
    )
    fleet.shell(
        host,
        f"""{users}cd /; for f in {files}; do [ ! -e $f ] || echo $f; done | tar cf /srv/before.tar -T -
echo '{base64.b64encode(packed.getvalue()).decode()}' | base64 -d | tar xp -C / --keep-directory-symlink
for java in {javas}; do install -m 755 "$(readlink -f /usr/bin/java)" $java; done
systemctl daemon-reload""",
    )


def take_away(fleet: Fleet, host: str, names: list[str]) -> None:
    """The host's own files again."""
    files = " ".join(shlex.quote("/" + path) for path in all_files(names))
    fleet.shell(host, f"rm -f {files}; tar xpf /srv/before.tar -C /; rm /srv/before.tar; systemctl daemon-reload")


def all_files(names: list[str]) -> dict[str, Path]:
    """The files of cases, and what they all need."""
    common = {path: place for path, place in files_of("common").items() if path.startswith(tuple(COMMON))}
    return {path: place for found in (common, *map(files_of, names)) for path, place in found.items()}


def as_roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of a case as a package installs it."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
