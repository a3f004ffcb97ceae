"""A war in a Tomcat: which wars it serves, and its start followed through the idioms of catalina.sh.

The real catalina.sh is followed in the integration tests, where a real Tomcat runs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hostroot import FLAG, Host

from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.java import _tomcat as tomcat
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _discovery, _live
from ansible_collections.cbops.telemetry.plugins.module_utils.text._value import Unresolvable

UNIT = "/etc/systemd/system/tomcat.service"
SETENV = "/opt/tomcat/bin/setenv.sh"
# What makes catalina.sh hard to follow, in its words' order; not its text.
CATALINA = r"""#!/bin/sh
windows=false
case "`uname`" in
CYGWIN*) windows=true;;
esac
PRG="$0"
while [ -h "$PRG" ]; do
  link=`readlink "$PRG"`
  PRG="$link"
done
PRGDIR=`dirname "$PRG"`
[ -z "$CATALINA_HOME" ] && CATALINA_HOME=`cd "$PRGDIR/.." >/dev/null; pwd`
[ -z "$CATALINA_BASE" ] && CATALINA_BASE="$CATALINA_HOME"
if [ -r "$CATALINA_BASE/bin/setenv.sh" ]; then
  . "$CATALINA_BASE/bin/setenv.sh"
fi
if $windows; then
  CATALINA_BASE=`cygpath --unix "$CATALINA_BASE"`
fi
terminal=0
if [ -t 0 ]; then terminal=1; fi
JAVA_OPTS="$JAVA_OPTS -Dumask=`umask`"
if [ "$1" = "start" ]; then
  shift
  eval nohup "\"$JRE_HOME/bin/java\"" "$JAVA_OPTS" "$CATALINA_OPTS" -classpath "\"$CATALINA_HOME/bin/bootstrap.jar\"" \
    -Dcatalina.base="\"$CATALINA_BASE\"" org.apache.catalina.startup.Bootstrap "$@" start >/dev/null 2>&1 "&"
elif [ "$1" = "stop" ]; then
  eval "\"$JRE_HOME/bin/java\"" "$JAVA_OPTS" org.apache.catalina.startup.Bootstrap stop
fi
"""
STARTUP = """#!/bin/sh
PRGDIR=`dirname "$0"`
EXECUTABLE=catalina.sh
exec "$PRGDIR"/"$EXECUTABLE" start "$@"
"""


@pytest.fixture
def server(host: Host) -> Host:
    """A Tomcat from its archive, linked to /opt/tomcat, with a war that Tomcat has unpacked."""
    host.write("/opt/tomcat-10/bin/catalina.sh", CATALINA, 0o755)
    host.write("/opt/tomcat-10/bin/startup.sh", STARTUP, 0o755)
    (host.root / "opt/tomcat").symlink_to("tomcat-10")
    host.write("/opt/tomcat/webapps/jenkins.war", "PK")
    host.write(
        UNIT,
        "[Service]\nType=forking\nEnvironment=JRE_HOME=/usr\n"
        "ExecStart=/opt/tomcat/bin/startup.sh\nExecStop=/opt/tomcat/bin/shutdown.sh\n",
    )
    return host


def test_it_is_found_by_what_it_serves(server: Host) -> None:
    definition, result = server.only()
    assert (definition.name, result.verdict, result.reason) == ("tomcat", "enabled", None)
    assert result.programs == ("/opt/tomcat/webapps/jenkins.war",)
    assert _live.packaging_of(definition, None, result) == "tomcat"


def test_a_tomcat_without_jenkins_is_nobodys_business(server: Host) -> None:
    (server.root / "opt/tomcat/webapps/jenkins.war").unlink()
    assert _discovery.discover(server.files) == ([], [])


def test_one_that_cannot_be_followed_is_named(server: Host) -> None:
    server.write(SETENV, '. "$(cat /etc/which)"\n')
    found, warnings = _discovery.discover(server.files)
    assert found == []
    assert [warning for warning in warnings if "tomcat.service" in warning and f"{SETENV}:1" in warning]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f'CATALINA_OPTS="{FLAG}"\n', "disabled"),
        (f'export JAVA_OPTS="$JAVA_OPTS {FLAG}"\n', "disabled"),
        (f'JAVA_OPTS="{FLAG}"\nCATALINA_OPTS="{FLAG.replace("true", "false")}"\n', "enabled"),
        (f'JENKINS_JAVA_OPTIONS="{FLAG}"\n', "enabled"),
        (f'CATALINA_OPTS="-Da=\\"b c\\" {FLAG}"\n', "disabled"),
        ('CATALINA_OPTS="$(options /etc/options)"\n', "unresolvable"),
    ],
    ids=["catalina options", "java options", "the later wins", "a dead variable", "eval", "a command"],
)
def test_setenv(server: Host, text: str, verdict: str) -> None:
    server.write(SETENV, text)
    assert server.verdict() == verdict


def test_the_flag_goes_where_setenv_sets_options(server: Host) -> None:
    server.write(SETENV, 'JAVA_OPTS="-Xmx1g"\n')
    assert server.declare("disabled") == ["/opt/tomcat/bin/setenv.sh"]
    assert server.read(SETENV) == f'JAVA_OPTS="-Xmx1g {FLAG}"\n'
    assert server.verdict() == "disabled"
    assert server.declare("disabled") == []
    server.declare("enabled")
    assert server.read(SETENV) == 'JAVA_OPTS="-Xmx1g"\n'


def test_without_setenv_it_goes_into_the_unit(server: Host) -> None:
    assert server.declare("disabled") == ["/etc/systemd/system/tomcat.service.d/zzz-cbops-telemetry.conf"]
    assert server.verdict() == "disabled"


def test_wars_of_a_tomcat(host: Host) -> None:
    host.write("/srv/t/webapps/ROOT/META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nJenkins-Version: 2.4\n")
    host.write("/srv/t/webapps/shop/META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    host.write("/srv/t/webapps/cloudbees.war", "PK")
    host.write("/srv/t/webapps/cloudbees/index.html", "")  # unpacked from the war beside it
    host.write("/srv/t/conf/server.xml", "<Server><!-- <Context docBase='/old/jenkins.war'/> --></Server>")
    host.write("/srv/t/conf/Catalina/localhost/ci.xml", "<Context path=''\n docBase=\"/opt/cloudbees-core-cm.war\"/>")
    assert tomcat.wars(host.files, "/srv/t") == (
        "/srv/t/webapps/ROOT",
        "/srv/t/webapps/cloudbees.war",
        "/opt/cloudbees-core-cm.war",
    )
    assert tomcat.wars(host.files, "") == ()


def test_patterns_stand_for_the_files_that_are_there(host: Host) -> None:
    host.script(
        '#!/bin/sh\nfor jdk in /opt/java-* /opt/none-*; do\n  [ -x "$jdk/bin/java" ] && JAVA="$jdk/bin/java"\n'
        'done\n"$JAVA" -Djdk="$jdk" -jar /opt/cloudbees-core-cm.war\n'
    )
    host.write("/opt/java-11/README", "")
    host.write("/opt/java-17/bin/java", "ELF", 0o755)
    _definition, result = host.only()
    assert result.verdict == "enabled"
    assert result.vectors == ((("options", ("-Djdk=/opt/none-*",)), ("program", ("/opt/cloudbees-core-cm.war",))),)


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ('cd "$(dirname "$0")/.." && pwd', "/opt/cloudbees"),
        ('cd "$(dirname "$0")/.." >/dev/null 2>&1; pwd', "/opt/cloudbees"),
        ('cd -P -- "/opt/link" && pwd -P', "/opt/cloudbees"),
        ('cd "/opt/link" && pwd', "/opt/link"),
        ('cd "/opt/nowhere" && pwd', None),
        ('cd "$UNKNOWN" && pwd', None),
    ],
)
def test_the_folder_of_a_script(host: Host, command: str, folder: str | None) -> None:
    (host.root / "opt").mkdir()
    (host.root / "opt/link").symlink_to("cloudbees")
    host.script(f'#!/bin/sh\nHERE=$({command})\njava -Dhere="$HERE" -jar /opt/cloudbees-core-cm.war\n')
    _definition, result = host.only()
    assert result.verdict == "enabled"
    assert result.vectors[0][0][1] == (f"-Dhere={folder or ''}",)


@pytest.mark.parametrize(
    ("shut", "known"),
    [("webapps", False), ("conf", False), ("conf/server.xml", False), ("webapps/app.war", False), ("logs", True)],
)
def test_what_a_tomcat_serves_is_not_known_to_who_may_not_look(shut: str, known: bool) -> None:
    """It is said to serve something then: nothing found would pass for a host without a controller."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("webapps", "conf", "logs"):
            (root / "srv" / name).mkdir(parents=True)
        (root / "srv/conf/server.xml").write_text("<Server/>")
        (root / "srv/webapps/app.war").write_text("PK")
        root.chmod(0o755)
        assert tomcat.wars(HostFiles(folder), "/srv") == ()
        (root / "srv" / shut).chmod(0)
        child = os.fork()
        if not child:
            try:
                if not os.geteuid():
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                tomcat.wars(HostFiles(folder), "/srv")
                os._exit(0)
            except Unresolvable as error:
                os._exit(1 if (error.path, "become" in error.reason) == ("/srv/webapps", True) else 2)
            except BaseException:  # it must end here
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (0 if known else 1)
        (root / "srv" / shut).chmod(0o700)
