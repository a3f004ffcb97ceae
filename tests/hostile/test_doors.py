"""Nothing of ours opens a door: what we write, and what we open to read, gives nobody what root alone has."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacker import PROGRAMS, USER, Site
from fleethand import FLAG, Done

UNIT = "cloudbees-cm.service"
FOLDER = f"/etc/systemd/system/{UNIT}.d"
DROP_IN = f"{FOLDER}/zzz-cbops-telemetry.conf"
OVERRIDE = f"{FOLDER}/override.conf"
BACKUPS = "/var/lib/cbops-telemetry/backups"
SERVICE = "cloudbees"
LAUNCH_FILE = "/var/lib/cloudbees-cm/env.sh"
HOME = "/var/lib/jenkins"
SECRET = "s3cr3t.example"


def play(site: Site, name: str, host: str, *arguments: str) -> Done:
    """A playbook on one host; it restarts nothing."""
    return site.play(name, *arguments, inventory=site.inventory({host: {}}))


def whose(site: Site, path: str) -> str:
    """Owner, group and mode of a file, empty where it is not there."""
    return site.shell("script", f"stat -c '%U:%G %a' {path} 2>/dev/null || true").strip()


def warnings(done: Done) -> str:
    """All warnings about the one host."""
    (entry,) = done.report["hosts"]
    return "\n".join([*entry["warnings"], *(entry["state"] or {})["warnings"]])


@pytest.fixture
def package(site: Site) -> Iterator[Site]:
    """A controller whose live launch file belongs to the service's user, as new."""
    site.put("script", "/root/dropin-setup.sh", (PROGRAMS / "dropin-setup.sh").read_bytes())
    site.shell("script", "sh /root/dropin-setup.sh")
    yield site
    site.shell("script", f"rm -rf {FOLDER}; systemctl daemon-reload")


# -- what PID 1 obeys -------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", ["0022", "0000"])
def test_a_drop_in_is_roots_though_the_launch_file_is_the_services(package: Site, umask: str) -> None:
    package.put("script", "/etc/sudoers.d/umask", f"Defaults umask={umask}, umask_override\n".encode(), 0o440)
    try:
        done = play(package, "enforce", "script")
    finally:
        package.shell("script", "rm /etc/sudoers.d/umask")
    assert done.verdicts() == {"script": "restart_pending"}, done.output
    assert whose(package, DROP_IN) == "root:root 644"
    assert whose(package, FOLDER) == "root:root 755"
    assert f"{SERVICE}:{SERVICE}" in whose(package, LAUNCH_FILE)
    assert "root at the next start" not in warnings(done)
    refused = package.as_user("script", f"echo x >>{DROP_IN} || echo no; mv {DROP_IN} {FOLDER}/x || echo no", SERVICE)
    assert refused.split() == ["no", "no"]


def test_a_drop_in_from_earlier_is_said_foreseen_and_given_to_root(package: Site) -> None:
    play(package, "enforce", "script")
    content = package.shell("script", f"cat {DROP_IN}")
    package.shell("script", f"chown {SERVICE}: {DROP_IN}; chmod 664 {DROP_IN}")
    audit = play(package, "audit", "script")
    assert re.search(rf"{DROP_IN}: .*uid \d+, gid \d+, mode 0664.* root at the next start", warnings(audit))
    check = play(package, "enforce", "script", "--check", "--diff")
    assert check.changed()["script"]
    assert "uid 0, gid 0, mode 0644" in check.output
    assert whose(package, DROP_IN) == f"{SERVICE}:{SERVICE} 664"
    done = play(package, "enforce", "script")
    assert done.changed()["script"]
    assert whose(package, DROP_IN) == "root:root 644"
    assert package.shell("script", f"cat {DROP_IN}") == content
    assert "root at the next start" not in warnings(done)
    assert not play(package, "enforce", "script").changed()["script"]


@pytest.mark.parametrize(
    "line",
    [
        "ExecStartPre=+/bin/touch /root/owned",
        "# x\\rExecStartPre=+/bin/touch /root/owned",
        'Environment="LD_PRELOAD=/home/x.so"',
    ],
)
def test_what_the_service_put_into_its_drop_in_does_not_become_roots(package: Site, line: str) -> None:
    play(package, "enforce", "script")
    package.shell("script", f"chown {SERVICE}: {DROP_IN}")
    package.as_user("script", f"printf '%b\\n' '{line}' >>{DROP_IN}", SERVICE)
    before = package.shell("script", f"sha256sum {DROP_IN}")
    done = play(package, "enforce", "script")
    assert done.code
    assert "it is not made root's as it is" in done.output
    assert package.shell("script", f"sha256sum {DROP_IN}") == before
    assert whose(package, DROP_IN).startswith(f"{SERVICE}:")
    assert "root at the next start" in warnings(done)


@pytest.mark.parametrize(
    "scene",
    [
        f"mkdir {FOLDER}; chown {SERVICE}: {FOLDER}",
        f"mkdir -m 777 {FOLDER}",
        f"mkdir /home/{USER}/d && chown {USER}: /home/{USER}/d && ln -s /home/{USER}/d {FOLDER}",
    ],
    ids=["the service's folder", "everybody's folder", "a link to a user's folder"],
)
def test_nothing_is_put_where_others_could_change_it(package: Site, scene: str) -> None:
    package.shell("script", scene)
    try:
        for arguments in (["--check"], []):
            done = play(package, "enforce", "script", *arguments)
            assert done.code
            assert re.search(r"is not root's alone|others than root may write", done.output), done.output
        assert package.shell("script", f"ls {FOLDER}/") == ""
    finally:
        package.shell("script", f"rm -rf {FOLDER} /home/{USER}/d")


def save(site: Site, *paths: str) -> str:
    """Root keeps a copy of each file in the run R, as before a template is rendered; a moment (UTC) just before."""
    moment = site.shell("script", "date -u +%Y-%m-%dT%H:%M:%SZ; sleep 2").strip()
    done = site.playbook(
        [
            {
                "hosts": "script",
                "gather_facts": False,
                "tasks": [
                    {
                        "cbops.telemetry.telemetry_backup": {"path": "{{ item }}", "save": True, "run": "R"},
                        "loop": list(paths),
                    }
                ],
            }
        ]
    )
    assert not done.code, done.output
    return moment


def put_back(site: Site, moment: str, *paths: str) -> tuple[Done, list[str]]:
    """What save() kept is put back, as people and a restart that fails do it: the newest, by date, by run.

    What was said of each, "was put back" where nothing stood against it.
    """
    ways = [{}, {"since": moment}, {"of_run": "R"}]
    said = site.folder / "said.json"
    said.unlink(missing_ok=True)
    done = site.playbook(
        [
            {
                "hosts": "script",
                "gather_facts": False,
                "tasks": [
                    {
                        "cbops.telemetry.telemetry_backup": {
                            "path": "{{ item.path }}",
                            "restore": True,
                            "since": "{{ item.since | default(omit) }}",
                            "of_run": "{{ item.of_run | default(omit) }}",
                        },
                        "loop": [{"path": path, **way} for path in paths for way in ways],
                        "register": "got",
                        "ignore_errors": True,
                    },
                    {
                        "copy": {
                            "content": "{{ got.results | map(attribute='msg', default='was put back') | list | to_json }}",
                            "dest": str(said),
                        },
                        "delegate_to": "localhost",
                        "become": False,
                        "vars": {
                            "ansible_connection": "local",
                            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                        },
                    },
                ],
            }
        ]
    )
    assert said.exists(), done.output
    found = json.loads(said.read_text())
    assert len(found) == len(ways) * len(paths)
    return done, found


def test_a_backup_that_the_service_could_write_is_not_rolled_back_to(package: Site) -> None:
    paths = [DROP_IN, OVERRIDE, f"/etc/systemd/system/{UNIT}", "/etc/init.d/cloudbees-cm"]
    for number, path in enumerate(paths):
        package.shell(
            "script",
            f"""mkdir -p {FOLDER}; [ ! -e {path} ] || cp -a {path} /root/there-{number}
            echo ExecStartPre=+/bin/true >{path}; chown {SERVICE}: {path}""",
        )
    try:
        moment = save(package, *paths)
        package.shell("script", "; ".join(f"rm {path}; echo '# now' >{path}; chmod 644 {path}" for path in paths))
        before = package.shell("script", f"sha256sum {' '.join(paths)}")
        done, said = put_back(package, moment, *paths)
        assert all("root's alone" in one for one in said), done.output
        assert package.shell("script", f"sha256sum {' '.join(paths)}") == before
        assert {whose(package, path) for path in paths} == {"root:root 644"}
        package.shell("script", f"rm {' '.join(paths)}")
        done, said = put_back(package, moment, *paths)
        assert not any("was put back" in one for one in said), done.output
        assert {whose(package, path) for path in paths} == {""}
    finally:
        for number, path in enumerate(paths):
            package.shell("script", f"rm -f {path}; [ ! -e /root/there-{number} ] || mv /root/there-{number} {path}")
        package.shell("script", f"rm -rf {BACKUPS}")


@pytest.mark.parametrize(
    "scene",
    [
        f"rm -rf {BACKUPS}; mkdir /home/{USER}/b && chown {USER}: /home/{USER}/b && ln -s /home/{USER}/b {BACKUPS}",
        f"chown {SERVICE}: {BACKUPS}",
        f"chmod 777 {BACKUPS}",
        f"chmod 777 {BACKUPS[:-8]}",
    ],
    ids=["a link to a user's folder", "the service's", "everybody's", "everybody's above"],
)
def test_nothing_is_edited_where_others_could_reach_the_backups(package: Site, scene: str) -> None:
    unedited = f"sha256sum {LAUNCH_FILE}; ls -R {FOLDER} /home/{USER} 2>&1; true"
    package.shell("script", f"rm -rf {BACKUPS}; mkdir -p {BACKUPS}; {scene}")
    before = package.shell("script", unedited)
    try:
        for arguments in (["--check"], []):
            done = play(package, "enforce", "script", *arguments)
            assert done.code
            assert "no backup can be kept" in done.output, done.output
        assert package.shell("script", unedited) == before
    finally:
        package.shell("script", f"rm -rf {BACKUPS} /home/{USER}/b; chmod 755 {BACKUPS[:-8]}")


def test_what_is_kept_of_a_secret_file_is_roots_alone(package: Site) -> None:
    play(package, "enforce", "script")
    found = package.shell("script", f"find {BACKUPS} -printf '%u %m %y\\n' | sort -u").splitlines()
    assert found == ["root 600 f", "root 700 d"]
    assert "denied" in package.as_user("script", f"ls {BACKUPS} 2>&1 || true", SERVICE)


def test_what_the_service_wrote_does_not_become_roots_by_a_backup(package: Site) -> None:
    """Root keeps a copy of a drop-in that is the service's, and puts it back: the copy's record says whose it was."""
    play(package, "enforce", "script")
    package.shell("script", f"chown {SERVICE}: {DROP_IN}")
    package.as_user("script", f"echo ExecStartPre=+/bin/true >>{DROP_IN}", SERVICE)
    moment = save(package, DROP_IN)
    package.shell("script", f"rm {DROP_IN}")
    done, said = put_back(package, moment, DROP_IN)
    assert all("root's alone" in one for one in said), done.output
    assert whose(package, DROP_IN) == ""


@pytest.mark.parametrize(
    "scene",
    [f"chown {SERVICE}: {OVERRIDE}", f"chmod 666 {OVERRIDE}", f"chgrp {SERVICE} {OVERRIDE}; chmod 664 {OVERRIDE}"],
)
def test_a_drop_in_that_the_service_can_change_is_not_edited(package: Site, scene: str) -> None:
    package.shell(
        "script",
        f"""mkdir -p {FOLDER}
        printf '[Service]\\nEnvironment="JAVA_OPTS={FLAG.replace("true", "false")}"\\n' >{OVERRIDE}; {scene}
        systemctl daemon-reload""",
    )
    before = package.shell("script", f"sha256sum {OVERRIDE}"), whose(package, OVERRIDE)
    for arguments in (["--check"], []):
        done = play(package, "enforce", "script", *arguments)
        assert done.code
        assert re.search(rf"{OVERRIDE}: .*others than root can change it .*chown root:root", done.output), done.output
        assert (package.shell("script", f"sha256sum {OVERRIDE}"), whose(package, OVERRIDE)) == before
    package.shell("script", f"chown root:root {OVERRIDE}; chmod go-w {OVERRIDE}")
    assert play(package, "enforce", "script").changed()["script"]
    assert FLAG in package.shell("script", f"cat {OVERRIDE}")


def test_races_against_the_writing_lead_it_nowhere(package: Site) -> None:
    """The service's user swaps the launch file for links while it is edited: what the links lead to stays as it is."""
    package.shell(
        "script",
        f"""sed -i 's/ $JAVA_OPTS//' /opt/cloudbees/cm/start.sh
        echo 'EXTRA="-Xmx32m"' >{LAUNCH_FILE}; cp {LAUNCH_FILE} /root/victim; chmod 600 /root/victim""",
    )
    before = package.shell("script", "sha256sum /root/victim; stat -c '%U %a %h %i' /root/victim")
    program = package.give("script", "swap", SERVICE)
    package.as_user("script", f"{program} {LAUNCH_FILE} /root/victim </dev/null >/dev/null 2>&1 &", SERVICE)
    try:
        for wanted in ("disabled", "enabled") * 3:
            play(package, "enforce", "script", "-e", f"telemetry_desired={wanted}")
            assert package.shell("script", "sha256sum /root/victim; stat -c '%U %a %h %i' /root/victim") == before
    finally:
        package.shell("script", f"pkill -KILL -u {SERVICE} swap; rm -f {LAUNCH_FILE}*")
    assert package.shell("script", "ls -A /root | grep cbops || true") == ""


# -- what is opened ---------------------------------------------------------------------------------


@pytest.fixture
def home(site: Site) -> Iterator[Site]:
    """The home of a running product, to be put back as it was."""
    site.shell("oss", f"rm -rf /root/home; cp -a {HOME} /root/home")
    yield site
    site.shell(
        "oss",
        f"pkill -KILL -u jenkins bash; rm -rf {HOME}/config.xml {HOME}/proxy.xml {HOME}/plugins; "
        f"cp -a /root/home/. {HOME}",
    )


def settings(site: Site) -> tuple[dict[str, object], Done]:
    """The settings of the one product of the host."""
    done = play(site, "audit", "oss")
    (entry,) = done.report["hosts"][0]["state"]["installations"]
    return entry["settings"], done


#: What a home leads to, each in a home of its own.
TARGETS = [
    "/dev/ptmx",
    "/dev/watchdog",
    "/dev/tty",
    "/proc/kmsg",
    "/proc/1/environ",
    "/sys/kernel/notes",
    "/etc/shadow",
    "/root/secret.xml",
    "/dev/shm/x",
    "/proc/self/root/root/secret.xml",
]


def test_a_home_leads_root_nowhere(site: Site) -> None:
    site.shell(
        "oss",
        f"""
        echo '<hudson><noUsageStatistics>true</noUsageStatistics><name>{SECRET}</name><port>1</port></hudson>' \
            >/root/secret.xml
        chmod 600 /root/secret.xml; cp /root/secret.xml /dev/shm/x; chmod 644 /dev/shm/x
        mkdir /srv/homes; chown jenkins: /srv/homes""",
    )
    for number, target in enumerate(TARGETS):
        site.as_user(
            "oss",
            f"mkdir -p /srv/homes/{number}/plugins; cd /srv/homes/{number}; for name in config.xml "
            f"proxy.xml plugins/cloudbees-license-tracker.jpi; do ln -s {target} $name; done",
            "jenkins",
        )
        site.put(
            "oss",
            f"/etc/systemd/system/leads-{number}.service",
            (
                f"[Service]\nUser=jenkins\nEnvironment=JENKINS_HOME=/srv/homes/{number}\n"
                "ExecStart=/usr/bin/java -jar /usr/share/java/jenkins.war\n"
            ).encode(),
        )
    try:
        done = play(site, "audit", "oss")
    finally:
        site.shell("oss", "rm -r /etc/systemd/system/leads-*.service /srv/homes /root/secret.xml /dev/shm/x")
    found = {entry["name"]: entry for entry in done.report["hosts"][0]["state"]["installations"]}
    for number, target in enumerate(TARGETS):
        settings_of = found[f"leads-{number}"]["settings"]
        for key in ("no_usage_statistics", "proxy", "license_tracker_plugin"):
            assert settings_of[key] == "unknown", (target, key, settings_of)
            assert settings_of["details"][key]["reason"]
    assert SECRET not in json.dumps(done.report)
    assert done.verdicts() == {"oss": "violation"}


#: As root: leaves a file where somebody opens what is watched.
_WATCH = """
import ctypes, os, select, sys
libc = ctypes.CDLL(None)
watch = libc.inotify_init1(0)
assert libc.inotify_add_watch(watch, sys.argv[1].encode(), 0x20) >= 0
open("/root/watching", "w").close()
os.read(watch, 4096)
open("/root/was-opened", "w").close()
"""


@pytest.mark.parametrize("target", ["/dev/full", "/proc/sys/kernel/ostype"])  # nobody else opens these
def test_a_device_and_a_file_of_the_kernels_are_not_even_opened(home: Site, target: str) -> None:
    home.put("oss", "/root/watch.py", _WATCH.encode())
    home.shell(
        "oss",
        f"""rm -f /root/was-opened /root/watching
        nohup python3 /root/watch.py {target} >/dev/null 2>&1 </dev/null & echo $! >/root/watch.pid
        until [ -e /root/watching ]; do sleep 0.1; done""",
    )
    home.as_user(
        "oss",
        f"""cd {HOME}; rm -f proxy.xml; ln -sfn {target} config.xml; ln -s {target} proxy.xml
        ln -s {target} plugins/cloudbees-license-tracker.jpi""",
        "jenkins",
    )
    try:
        found, _done = settings(home)
        assert found["no_usage_statistics"] == found["proxy"] == found["license_tracker_plugin"] == "unknown"
        assert home.shell("oss", "ls /root").split().count("was-opened") == 0
        home.shell("oss", f"head -c1 {target} >/dev/null; sleep 1; ls /root/was-opened")  # it would have been seen
    finally:
        home.shell("oss", "kill $(cat /root/watch.pid); rm -f /root/was-opened /root/watching", False)


def test_a_pipe_in_a_home_is_not_opened(home: Site) -> None:
    home.as_user(
        "oss",
        f"""cd {HOME}; rm -f config.xml; mkfifo config.xml
        (exec 3>config.xml; touch {HOME}/opened) </dev/null >/dev/null 2>&1 &""",
        "jenkins",
    )
    found, _done = settings(home)
    time.sleep(1)
    assert found["no_usage_statistics"] == "unknown"
    assert home.shell("oss", f"ls {HOME} | grep -c opened || true").strip() == "0"


def test_what_root_linked_or_mounted_into_a_home_is_read(home: Site) -> None:
    program = (
        "import zipfile; z = zipfile.ZipFile('/dev/shm/t.jpi', 'w'); z.writestr('META-INF/MANIFEST.MF', "
        "'Plugin-Version: 2.1\\n')"
    )
    home.shell("oss", f'python3 -c "{program}"; ln -s /dev/shm/t.jpi {HOME}/plugins/cloudbees-license-tracker.jpi')
    assert settings(home)[0]["license_tracker_plugin"] == "2.1"
    home.shell(
        "oss",
        f"""cp -a {HOME}/plugins /dev/shm/plugins; rm /dev/shm/plugins/cloudbees-license-tracker.jpi
        cp /dev/shm/t.jpi /dev/shm/plugins/cloudbees-license-tracker.jpi
        rm {HOME}/plugins/cloudbees-license-tracker.jpi; mount --bind /dev/shm/plugins {HOME}/plugins""",
    )
    try:
        found, _done = settings(home)
    finally:
        home.shell("oss", f"umount {HOME}/plugins")
    assert found["license_tracker_plugin"] == "2.1", found


def test_a_launch_file_of_the_services_leads_root_nowhere(package: Site) -> None:
    """As the live launch file, and as those of other units with the same launcher."""
    targets = ["/proc/kmsg", "/dev/ptmx", "/root/options", "pipe"]
    folder = Path(LAUNCH_FILE).parent
    package.shell("script", f"echo 'EXTRA={FLAG} # {SECRET}' >/root/options; chmod 600 /root/options")
    package.as_user("script", f"cd {folder}; mkfifo pipe; ln -sfn {targets[0]} env.sh", SERVICE)
    for number, target in enumerate(targets):
        package.as_user("script", f"cd {folder}; ln -s {target} env-{number}.sh", SERVICE)
        package.shell(
            "script",
            f"sed 's,{LAUNCH_FILE},{folder}/env-{number}.sh,' /opt/cloudbees/cm/start.sh "
            f">/opt/cloudbees/cm/start-{number}.sh; chmod 755 /opt/cloudbees/cm/start-{number}.sh; "
            f"grep -q env-{number}.sh /opt/cloudbees/cm/start-{number}.sh",
        )
        package.put(
            "script",
            f"/etc/systemd/system/leads-{number}.service",
            (f"[Service]\nUser={SERVICE}\nExecStart=/opt/cloudbees/cm/start-{number}.sh\n").encode(),
        )
    try:
        done = play(package, "audit", "script")
    finally:
        package.shell(
            "script",
            f"rm -f {folder}/env*.sh {folder}/pipe /opt/cloudbees/cm/start-* "
            "/etc/systemd/system/leads-*.service /root/options",
        )
    found = {entry["name"]: entry for entry in done.report["hosts"][0]["state"]["installations"]}
    starts = {f"leads-{number}": f"/opt/cloudbees/cm/start-{number}.sh" for number in range(len(targets))}
    for name, start in {UNIT.partition(".")[0]: "/opt/cloudbees/cm/start.sh", **starts}.items():
        assert found[name]["on_disk"] == "unresolvable", (name, found[name])
        assert found[name]["on_disk_detail"]["file"] == start
    assert SECRET not in json.dumps(done.report)
