"""A war of ours inside a Tomcat, as the second opinion sees it. No host is asked; a real one is in the fleet."""

from __future__ import annotations

import re
import subprocess

import pytest
from secondopinion import facts, jvmtext
from secondopinion.jvmtext import ABSENT, FALSE, TRUE, UNKNOWN

FLAG = jvmtext.OPTION
ON = FLAG + "=true"
BASE = "-Dcatalina.base=/var/lib/tomcat10"
CLASS = jvmtext.BOOTSTRAP
SECRET = "kein-Wort-davon"
# What catalina.sh does with options, in its words' order; not its text.
CATALINA = """\
#!/bin/sh
PRGDIR=`dirname "$0"`
[ -z "$CATALINA_HOME" ] && CATALINA_HOME=`cd "$PRGDIR/.." >/dev/null; pwd`
[ -z "$CATALINA_BASE" ] && CATALINA_BASE="$CATALINA_HOME"
if [ -r "$CATALINA_BASE/bin/setenv.sh" ]; then
  . "$CATALINA_BASE/bin/setenv.sh"
elif [ -r "$CATALINA_HOME/bin/setenv.sh" ]; then
  . "$CATALINA_HOME/bin/setenv.sh"
fi
JAVA_OPTS="$JAVA_OPTS $JSSE_OPTS"
JAVA_OPTS="$JAVA_OPTS -Dorg.apache.catalina.security.SecurityListener.UMASK=`umask`"
if [ "$1" = "jpda" ] ; then
  CATALINA_OPTS="$JPDA_OPTS $CATALINA_OPTS"
fi
eval exec "\\"$_RUNJAVA\\"" $LOGGING_MANAGER "$JAVA_OPTS" "$CATALINA_OPTS" \\
  -classpath "\\"$CLASSPATH\\"" org.apache.catalina.startup.Bootstrap "$@" start
"""
STARTUP = 'PRGDIR=`dirname "$0"`\nEXECUTABLE=catalina.sh\nexec "$PRGDIR"/"$EXECUTABLE" start "$@"\n'
# As Debian starts it: options of the default file, of which only the exported ones get on.
DEBIAN = """\
#!/bin/sh
set -e
. /etc/default/tomcat10
export JAVA_OPTS
SECURITY=""
cd $CATALINA_BASE && exec $CATALINA_HOME/bin/catalina.sh run $SECURITY
"""
PLACES = "CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/var/lib/tomcat10"
SETENV = "/var/lib/tomcat10/bin/setenv.sh"
CONTEXT = "/var/lib/tomcat10/conf/Catalina/localhost/ROOT.xml"
WAR = '<Context docBase="/opt/cloudbees/cloudbees-core-cm.war" />'


class Host:
    """A host of a few files with one unit that starts a Tomcat, and perhaps its JVM."""

    def __init__(self, command: str = "/bin/sh /usr/libexec/start.sh", environment: str = PLACES, **more: str) -> None:
        self.command, self.environment, self.running = command, environment, more.get("running", "")
        self.files = {
            "/usr/libexec/start.sh": DEBIAN,
            "/etc/default/tomcat10": 'JAVA_OPTS="-Djava.awt.headless=true"\n',
            "/usr/share/tomcat10/bin/catalina.sh": CATALINA,
            "/opt/tomcat/bin/catalina.sh": CATALINA,
            "/opt/tomcat/bin/startup.sh": STARTUP,
            CONTEXT: WAR,
        }
        self.folders: set[str] = set()

    def __call__(self, script: bytes) -> bytes:
        out = "@begin\n@uid 0\n"
        if b"\nROUND=look\n" in script:
            out += self._look()
        wanted = re.search(r"^WANTED='(.*?)'$", script.decode(), re.S | re.M)
        for path in wanted.group(1).split("\n") if wanted else []:
            out += self._listing(path) if path.endswith("/") else self._file(path) if path else ""
        return (out + "@end\n").encode()

    def _look(self) -> str:
        process = ""
        if self.running:
            words = "".join(f"|{word}\n" for word in self.running.split())
            process = f"@process 7\n@cgroup\n|0::/system.slice/tomcat10.service\n@cmdline\n|java\n{words}@environ\n"
        executable = self.command.split()[0]
        return (
            f"{process}@unit tomcat10.service\n@properties\n|Id=tomcat10.service\n|LoadState=loaded\n|User=tomcat\n"
            f"|FragmentPath=/lib/systemd/system/tomcat10.service\n|Environment={self.environment}\n|ExecStart={{ "
            f"path={executable} ; argv[]={self.command} ; ignore_errors=no ; start_time=[n/a] }}\n@journal\n"
            f"|tomcat[7]: Command line argument: -Dx=a {SECRET}\n"
        )

    def _file(self, path: str) -> str:
        if path not in self.files:
            return f"@file {path}\n@missing\n"
        body = "".join(f"|{line}\n" for line in self.files[path].splitlines())
        return f"@file {path}\n@stat 0 0 755 root root\n@folder 0 0 755 root root\n@text\n{body}"

    def _listing(self, base: str) -> str:
        shown = [path for path in self.files if path.startswith((base + "conf/", base + "webapps/"))]
        return f"@file {base}\n@stat 0 0 755 root root\n@text\n" + "".join(
            f"|{path}\n" for path in sorted([*shown, *self.folders])
        )

    def only(self) -> facts.Installation:
        found = facts.gather(self, False, [])
        assert [one.name for one in found.installations] == ["tomcat10.service"]
        return found.installations[0]


def test_it_is_found_by_what_it_serves():
    one = Host().only()
    assert (one.flag, one.why, one.account) == (ABSENT, "", "tomcat")
    assert one.file == SETENV, "where the flag belongs, also while there is no such file"


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        (f'CATALINA_OPTS="-Xmx1g {ON}"\n', TRUE),
        (f'export JAVA_OPTS="$JAVA_OPTS {ON}"\n', TRUE),
        (f'JAVA_OPTS="{ON}"\nCATALINA_OPTS="{FLAG}=false"\n', FALSE),
        (f'CATALINA_OPTS="{ON}"\nJAVA_OPTS="{FLAG}=false"\n', TRUE),
        (f'CATALINA_OPTS="{ON}"\nCATALINA_OPTS="-Xmx1g"\n', ABSENT),
        (f'JENKINS_JAVA_OPTIONS="{ON}"\n', ABSENT),
        (f'#CATALINA_OPTS="{ON}"\n', ABSENT),
        (f'JSSE_OPTS="{ON}"\n', TRUE),
        (f"CATALINA_OPTS='-Da=\"b c\" {ON}'\n", TRUE),  # catalina.sh has a shell read it twice
        (f"CATALINA_OPTS='-Da=\"b {ON}\"'\n", ABSENT),
        (f'CATALINA_OPTS="{ON}"\nexport _JAVA_OPTIONS={FLAG}=no\n', FALSE),
        ('CATALINA_OPTS="$(cat /etc/options)"\n', UNKNOWN),
        (f'CATALINA_OPTS="$(cat /etc/options) {ON}"\n', TRUE),
        ('CATALINA_OPTS="@/etc/options"\n', UNKNOWN),
        (f'if [ -f /x ]; then CATALINA_OPTS="{ON}"; fi\n', UNKNOWN),
        (f'CATALINA_OPTS="{ON}\n', UNKNOWN),
        ('. "$(cat /etc/which)"\n', UNKNOWN),
    ],
)
def test_setenv(text, flag):
    host = Host()
    host.files[SETENV] = text
    one = host.only()
    assert one.flag == flag
    assert bool(one.why) == (flag == UNKNOWN)
    assert one.file == SETENV


def test_a_mention_that_nobody_reads_is_named():
    host = Host()
    host.files[SETENV] = f'# options\nJENKINS_JAVA_OPTIONS="{ON}"\n'
    assert host.only().dead == [(SETENV, 2, "JENKINS_JAVA_OPTIONS")]


def test_of_the_default_file_only_exported_variables_get_on():
    host = Host()
    host.files["/etc/default/tomcat10"] = f'CATALINA_OPTS="{ON}"\n'
    one = host.only()
    assert one.flag == ABSENT
    assert one.dead == [("/etc/default/tomcat10", 1, "CATALINA_OPTS")]
    host.files["/usr/libexec/start.sh"] = DEBIAN.replace("set -e", "set -ea")
    assert host.only().flag == TRUE
    host.files["/usr/libexec/start.sh"] = DEBIAN
    host.files["/etc/default/tomcat10"] = f'JAVA_OPTS="{ON}"\n'
    one = host.only()
    assert (one.flag, one.file) == (TRUE, "/etc/default/tomcat10")


def test_a_default_file_that_is_not_sourced_changes_nothing():
    host = Host("/usr/share/tomcat10/bin/catalina.sh run")
    host.files["/etc/default/tomcat10"] = f'JAVA_OPTS="{ON}"\n'
    assert host.only().flag == ABSENT


@pytest.mark.parametrize(
    ("variable", "flag"), [("JAVA_OPTS", ABSENT), ("CATALINA_OPTS", TRUE), ("JAVA_ARGS", ABSENT)]
)  # the default file sets JAVA_OPTS anew
def test_the_environment_of_the_unit(variable, flag):
    assert Host(environment=f'{PLACES} "{variable}=-Xmx1g {ON}"').only().flag == flag


@pytest.mark.parametrize(
    "command",
    [
        "/opt/tomcat/bin/startup.sh",
        "/opt/tomcat/bin/catalina.sh run",
        "/bin/sh -c exec /opt/tomcat/bin/catalina.sh run",
    ],
)
@pytest.mark.parametrize(("text", "flag"), [(f'CATALINA_OPTS="{ON}"\n', TRUE), ("", ABSENT)])
def test_tomcats_own_scripts_in_the_unit(command, text, flag):
    host = Host(command, "X=y")
    host.folders = {"/opt/tomcat/webapps/jenkins/"}
    host.files["/opt/tomcat/bin/setenv.sh"] = text
    one = host.only()
    assert (one.flag, one.file) == (flag, "/opt/tomcat/bin/setenv.sh")


def test_without_a_setenv_of_its_base_that_of_its_home_counts():
    host = Host()
    host.files["/usr/share/tomcat10/bin/setenv.sh"] = f'CATALINA_OPTS="{ON}"\n'
    assert host.only().flag == TRUE
    host.files[SETENV] = "JAVA_HOME=/usr\n"
    assert host.only().flag == ABSENT


@pytest.mark.parametrize(
    ("call", "setenv", "flag"),
    [
        # su may hand on the environment or not: only what comes after it counts
        ('su - tomcat -c "/opt/tomcat/bin/startup.sh"', "", UNKNOWN),
        ('su - tomcat -c "/opt/tomcat/bin/startup.sh"', f'CATALINA_OPTS="{ON}"', TRUE),
        (f"CATALINA_OPTS={ON} /opt/tomcat/bin/startup.sh", "", TRUE),
        ("/opt/tomcat/bin/catalina.sh stop; /opt/tomcat/bin/catalina.sh start", "", ABSENT),
        ("[ -x /opt/tomcat/bin/catalina.sh ] && /opt/tomcat/bin/catalina.sh run", "", ABSENT),
        ("CATALINA_BASE=/opt/tomcat; exec jsvc org.apache.catalina.startup.Bootstrap", "", UNKNOWN),
        ('export CATALINA_OPTS="$(cat /etc/options)"; /opt/tomcat/bin/startup.sh', "", UNKNOWN),
        (f'if [ -f /x ]; then export CATALINA_OPTS="{ON}"; fi; /opt/tomcat/bin/startup.sh', "", UNKNOWN),
    ],
)
def test_a_start_script_of_somebody(call, setenv, flag):
    host = Host("/opt/start", "X=y")
    host.folders = {"/opt/tomcat/webapps/jenkins/"}
    host.files.update({"/opt/start": f"#!/bin/sh\nexport CATALINA_BASE=/opt/tomcat\n{call}\n"})
    host.files["/opt/tomcat/bin/setenv.sh"] = setenv
    one = host.only()
    assert one.flag == flag
    assert bool(one.why) == (flag == UNKNOWN)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("catalina.sh", 'JAVA_OPTS="$JAVA_OPTS $JSSE', f'JAVA_OPTS="{ON} $JSSE'),
        ("catalina.sh", "$JSSE_OPTS", "$MORE"),
        ("catalina.sh", "$JSSE_OPTS", "$(cat /etc/options)"),
        ("catalina.sh", '"$CATALINA_OPTS" \\\n', f'"$CATALINA_OPTS" {ON} \\\n'),
        ("catalina.sh", '"$JAVA_OPTS" "$CATALINA_OPTS"', '"$CATALINA_OPTS" "$JAVA_OPTS"'),
        ("startup.sh", "EXECUTABLE", f'export CATALINA_OPTS="{ON}"\nEXECUTABLE'),
    ],
)
def test_scripts_of_tomcat_that_somebody_edited_are_not_taken_for_known(path, old, new):
    host = Host("/opt/tomcat/bin/startup.sh", "X=y")
    host.folders = {"/opt/tomcat/webapps/jenkins/"}
    path = f"/opt/tomcat/bin/{path}"
    assert old in host.files[path]
    host.files[path] = host.files[path].replace(old, new, 1)
    one = host.only()
    assert one.flag == UNKNOWN
    assert path in one.why


def test_a_jvm_that_the_unit_starts_itself():
    command = f"/usr/bin/java {ON} {BASE} {CLASS} {FLAG}=false start"
    assert Host(command).only().flag == TRUE
    assert Host(command.replace(ON, "-Xmx1g")).only().flag == ABSENT


@pytest.mark.parametrize(
    ("running", "flags"),
    [
        (f"{ON} {BASE} {CLASS} start", [TRUE]),
        (f"-Xmx1g {BASE} {CLASS} start {ON}", [ABSENT]),  # behind the class it is the program's business
        (f"{ON} {FLAG}=false {BASE} {CLASS} start", [FALSE]),
        (f"{ON} {BASE} {CLASS} stop", []),
        (f"{ON} -Dcatalina.base=/srv/other {CLASS} start", []),
    ],
)
def test_what_its_jvm_runs_with(running, flags):
    found = facts.gather(Host(running=running), False, [])
    assert [one.flag for one in found.processes] == flags


def test_it_is_also_found_by_its_jvm_alone():
    host = Host("/opt/start", "X=y", running=f"-Xmx1g {BASE} {CLASS} start")
    host.files["/opt/start"] = "#!/bin/sh\nexec /opt/more/tomcat\n"
    assert host.only().flag == UNKNOWN


@pytest.mark.parametrize(
    ("folders", "files", "ours"),
    [
        ({"cloudbees-core-oc/"}, {}, True),
        (set(), {"webapps/jenkins.war": ""}, True),
        (set(), {"webapps/ROOT.war": ""}, False),
        (set(), {"webapps/jenkins.txt": ""}, False),
        ({"ROOT/"}, {"webapps/ROOT/META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nJenkins-Version: 2.4\n"}, True),
        ({"ROOT/"}, {"webapps/ROOT/META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n"}, False),
        (set(), {"conf/Catalina/localhost/ci.xml": WAR}, True),
        (set(), {"conf/Catalina/localhost/ci.xml": '<Context docBase="${catalina.base}/ci/jenkins.war"/>'}, True),
        (
            set(),
            {"conf/Catalina/localhost/ci.xml": f"<Context docBase='/srv/shop.war'><!-- {WAR} --></Context>"},
            False,
        ),
        (set(), {"conf/Catalina/localhost/ci.xml": "<Context docBase='/srv/jenkins.war'>"}, False),  # not XML
        (set(), {"conf/Catalina/localhost/ci.xml": "<Context docBase='/srv/ci'/>"}, True),
        (set(), {"conf/server.xml": f"<Server><Host>{WAR}</Host></Server>"}, True),
    ],
)
def test_whose_business_a_tomcat_is(folders, files, ours):
    base = "/var/lib/tomcat10"
    host = Host(running=f"-Xmx1g {BASE} {CLASS} start")
    del host.files[CONTEXT]
    host.files["/srv/ci/META-INF/MANIFEST.MF"] = "Jenkins-Version: 2.4\n"
    host.folders = {f"{base}/webapps/{name}" for name in folders}
    host.files.update({f"{base}/{path}": text for path, text in files.items()})
    found = facts.gather(host, False, [])
    assert (len(found.installations), len(found.processes)) == ((1, 1) if ours else (0, 0))


def test_a_foreign_tomcat_is_left_alone_however_it_is_started():
    host = Host()
    del host.files[CONTEXT]
    host.files["/usr/libexec/start.sh"] = '. "$(catalina.sh)"\n'
    assert facts.gather(host, False, []).installations == []


def test_no_secret_leaves_the_reading():
    host = Host()
    host.files[SETENV] = f'CATALINA_OPTS="-Djavax.net.ssl.keyStorePassword={SECRET} $(x)"\n'
    host.files[CONTEXT] = f'<Context docBase="/srv/jenkins.war"><Resource password="{SECRET}"/></Context>'
    found = facts.gather(host, False, [])
    assert found.installations[0].journal and found.installations[0].why
    assert SECRET not in repr(found) + "\n".join(found.installations[0].journal)
    assert all(one.text == "" for one in found.files.values())


def test_the_gatherer_lists_what_a_tomcat_serves(tmp_path):
    """The real script on real folders. What it asks of root is left out: here anybody may look."""
    (tmp_path / "webapps/RO OT/META-INF").mkdir(parents=True)
    (tmp_path / "webapps/RO OT/META-INF/MANIFEST.MF").write_text("Jenkins-Version: 2.4\n")
    (tmp_path / "webapps/shop.war").write_text(f"touch {tmp_path}/executed")
    (tmp_path / "conf/Catalina/localhost").mkdir(parents=True)
    (tmp_path / "conf/Catalina/localhost/ci.xml").write_text("<Context docBase='$(touch executed)'/>\n@end\n")
    script = facts.script("files", False, [f"{tmp_path}/"])
    everybody = script.replace(b'say uid "$(id -u)"', b"say uid 0").replace(b'"$(id -u)" != 0', b"1 = 0")
    assert everybody.count(b"id -u") == 0
    done = subprocess.run(["/bin/sh"], input=everybody, capture_output=True, check=True, timeout=60, cwd=tmp_path)
    files: dict[str, facts.File] = {}
    facts.collect_files(facts.records(done.stdout), files)
    assert files[f"{tmp_path}/"].text.split() == [
        f"{tmp_path}/webapps/RO", "OT/", f"{tmp_path}/webapps/shop.war", f"{tmp_path}/conf/Catalina/localhost/ci.xml",
    ]  # fmt: skip
    assert files[f"{tmp_path}/webapps/RO OT/META-INF/MANIFEST.MF"].text == "Jenkins-Version: 2.4\n"
    assert "docBase" in files[f"{tmp_path}/conf/Catalina/localhost/ci.xml"].text
    assert not (tmp_path / "executed").exists()
