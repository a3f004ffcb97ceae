"""Makes a case from a number: the kinds of the collected cases, combined. The same number gives the same case.

A case is a package (or a unit, a script, a line of rc.local), options in some quoting, the flag somewhere or nowhere,
and somebody else who writes the environment. It need not make sense: what systemd and the shells do is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.differential.real import PROPERTY

from .cases import COLLECTED, Case

FLAG = f"-D{PROPERTY}=true"
WAR = "/usr/share/java/jenkins.war"
CSP = "-Dhudson.model.DirectoryBrowserSupport.CSP="
PACKAGES = Path(__file__).resolve().parents[1] / "fleet" / "packages"
_UNITS = "/etc/systemd/system"


def _text(path: str) -> str:
    return (COLLECTED / path).read_text(encoding="latin-1")


def _packaged(folder: str, name: str) -> str:
    """The init script of one of the fleet's packages."""
    text = (PACKAGES / folder / "init").read_text(encoding="latin-1")
    return text.replace("@NAME@", name).replace("@TITLE@", "CloudBees CI Controller")


class Maker:
    """Makes one case."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.case = Case(f"made-{number}", None, twice=number % 4 == 0)

    def chance(self, percent: int, kind: str = "") -> bool:
        """True so often; then the kind is noted."""
        hit = self.random.random() * 100 < percent
        if hit and kind:
            self.case.kinds.add(kind)
        return hit

    def pick(self, what: str, **choices: str) -> str:
        """One of them; which one is noted."""
        name = self.random.choice(sorted(choices))
        self.case.kinds.add(f"{what}: {name.replace('_', ' ').strip()}")
        return choices[name]

    # -- options ---------------------------------------------------------------------------------

    def flag(self) -> str:
        """The flag with some value."""
        value = self.random.choice(["=true"] * 8 + ["=false", "=false", "=TRUE", "=", "", "=yes"])
        self.case.kinds.add("flag: true" if value == "=true" else "flag: another value")
        return f"-D{PROPERTY}{value}"

    def plain(self) -> str:
        """An option that no reader touches."""
        return self.random.choice(
            [
                "-Xmx1g",
                "-Xms256m",
                "-Djava.awt.headless=true",
                "-XX:+UseG1GC",
                "-Dci.name=a.b-c",
                "-Xlog:gc:file=/var/log/ci/gc.log",
            ]
        )

    def options(self, style: str) -> list[str]:
        """Options as they stand inside "double" or "single" quotes of a shell or of systemd, or in none."""
        words = [self.plain() for _ in range(self.random.randint(0, 3))]
        if self.chance(30):
            words.insert(self.random.randint(0, len(words)), self.awkward(style))
        if self.chance(45):
            words.insert(self.random.randint(0, len(words)), self.flag())
            if self.chance(12, "flag: twice"):
                words.append(self.flag())
        return words

    def awkward(self, style: str) -> str:
        """An option with a character that somebody reads: quotes, blanks, ``;``, globs, ``%``."""
        policy = self.random.choice(
            [
                "default-src 'self'; img-src *",
                "sandbox allow-scripts; default-src 'none';",
                "style-src * 'unsafe-inline';",
                "sandbox",
            ]
        )
        text = {
            "double": {
                "escaped_quotes": f'{CSP}\\"{policy}\\"',
                "single_quotes": f"{CSP}'{policy.replace(chr(39), '')}'",
            },
            "single": {"double_quotes": f'{CSP}"{policy.replace(chr(39), "")}"'},
            "none": {},
        }[style]
        return self.pick(
            "option",
            **text,
            percent="-XX:ErrorFile=/var/log/ci/err_%p.log",
            glob="-Xlog:gc*=info",
            two_percents="-Xlog:gc:file=/var/log/ci/gc-%%t.log",
            dollar="-Dci.home=$HOME",
            **({"semicolon": f"{CSP}sandbox;"} if self.chance(15) else {}),
        )

    # -- text of files that a shell reads ----------------------------------------------------------

    def assignments(self, name: str, others: tuple[str, ...]) -> list[str]:
        """Lines that set a variable, and decoys."""
        lines = []
        if self.chance(15, "decoy: a comment"):
            lines.append(
                self.random.choice(['#{}="-Xmx1g {}"', "# {}='{}'", '  #{}="${} {}"'])
                .replace("{}", name, 1)
                .replace("${}", f"${name}")
                .replace("{}", FLAG)
            )
        lines += self.assignment(name)
        if self.chance(12, "decoy: another variable"):
            lines.append(f'{self.random.choice(others)}="-Xmx1g {FLAG}"')
        if self.chance(15, "appended"):
            words = " ".join(self.options("double"))
            lines += self.random.choice(
                [[f'{name}="${name} {words}"'], [f'{name}="{words} ${{{name}}}"'], [f"{name}=${name}' {self.plain()}'"]]
            )
        if self.chance(6, "assigned anew"):
            lines += self.assignment(name)
        return lines

    def assignment(self, name: str) -> list[str]:
        """One assignment of several styles."""
        style = self.random.choice(
            ["double"] * 4
            + [
                "single",
                "continued double",
                "continued single",
                "two quotes",
                "bare",
                "export",
                "split",
                "condition",
                "default",
                "lines",
            ]
        )
        self.case.kinds.add(f"assigned: {style}")
        double, single = self.options("double"), self.options("single")
        if style in ("continued double", "lines"):
            return [f'{name}="' + (" \\\n" if style == "continued double" else "\n").join(double) + '"']
        if style == "continued single":
            return [f"{name}='" + " \\\n".join(single) + "'"]
        if style == "single":
            return [f"{name}='" + " ".join(single) + "'"]
        if style == "two quotes":
            return [f"{name}=\"{' '.join(double)}\"' {' '.join(single)}'"]
        if style == "bare":
            return [f"{name}={self.random.choice([self.plain(), self.flag()])}"]
        if style == "split":
            return [
                f'CI_MEMORY="{self.plain()}"',
                f"CI_MORE='{self.flag() if self.chance(50) else self.plain()}'",
                f'{name}="$CI_MEMORY {" ".join(double)} ${{CI_MORE}}"',
            ]
        if style == "condition":
            test = self.random.choice(["[ -d /etc ]", "[ -e /nowhere ]", 'test -n "$NOWHERE"', "true"])
            return [f'{name}="{self.plain()}"', f"if {test}; then", f'  {name}="{" ".join(double)}"', "fi"]
        if style == "default":
            return [f': "${{{name}:={" ".join(self.plain() for _ in range(2))} {self.flag()}}}"']
        return [f'{"export " if style == "export" else ""}{name}="{" ".join(double)}"']

    def finish(self, lines: list[str]) -> str:
        """Lines as editors and copies leave them."""
        text = "\n".join(lines) + "\n"
        if self.chance(4, "CRLF in one line"):
            number = self.random.randrange(len(lines))
            text = "\n".join(line + "\r" * (index == number) for index, line in enumerate(lines)) + "\n"
        if self.chance(8, "no final newline"):
            text = text[:-1]
        if self.chance(5, "Latin-1"):
            text = "# Verz\xf6gerung\n" + text
        return text

    # -- packages ------------------------------------------------------------------------------------

    def deb(self) -> None:
        """The DEB's init script to 2021: sources its settings, then the locale's or the environment's."""
        name = self.random.choice(["cloudbees-core-oc", "cloudbees-core-cm"])
        self.case.unit = f"{name}.service"
        self.case.put(
            f"/etc/init.d/{name}",
            _text("deb_stock_2020/etc/init.d/cloudbees-core-oc").replace("cloudbees-core-oc", name),
            0o755,
        )
        self.case.put(f"/usr/share/{name}/{name}.war", "")
        self.case.put(
            f"/etc/default/{name}",
            self.finish(
                [
                    f"NAME={name}",
                    *self.assignments("JAVA_ARGS", ("JENKINS_JAVA_OPTIONS", "JAVA_OPTS", "JENKINS_OPTS")),
                    "JENKINS_USER=$NAME",
                    "JENKINS_HOME=/var/lib/$NAME",
                    "JENKINS_WAR=/usr/share/$NAME/$NAME.war",
                    "JENKINS_ARGS=--httpPort=8080",
                ]
            ),
        )
        if self.chance(20, "options in /etc/environment"):
            self.case.put("/etc/environment", f'JAVA_ARGS="-Xmx9g{" " + self.flag() if self.chance(50) else ""}"\n')
        if self.chance(40, "a locale file"):
            self.case.put(
                "/etc/default/locale",
                self.random.choice(
                    ["LANG=C.UTF-8\n", "LANG=en_US.UTF-8\nLC_ALL=C\n", f'LANG=C\nJAVA_ARGS="-Xmx9g {self.flag()}"\n']
                ),
            )

    def deb_2022(self) -> None:
        """The DEB's init script of 2022, by init-d-script or as plain sh."""
        self.case.unit = "jenkins.service"
        of = self.random.choice(["deb2022_as_plain_sh", "deb2022_as_plain_sh", "deb2022_as_plain_sh", "deb2022_stock"])
        self.case.put("/etc/init.d/jenkins", _text(f"{of}/etc/init.d/jenkins"), 0o755)
        self.case.put(WAR, "")
        self.case.put(
            "/etc/default/jenkins",
            self.finish(
                [
                    "NAME=jenkins",
                    *self.assignments("JAVA_ARGS", ("JENKINS_JAVA_OPTIONS", "JAVA_OPTS")),
                    "JENKINS_USER=$NAME",
                    "JENKINS_HOME=/var/lib/$NAME",
                    f"JENKINS_WAR={WAR}",
                    "JENKINS_ARGS=--httpPort=8080",
                ]
            ),
        )

    def rpm(self) -> None:
        """The RPM's init scripts: daemon, daemonize, daemon with quoted words."""
        name = "cloudbees-core-cm"
        self.case.unit = f"{name}.service"
        of = self.random.choice(["rpm_stock", "rpm_kb_csp_daemonize", "rpm_kb_csp_split"])
        self.case.kinds.add(
            {"rpm_stock": "rpm: daemon", "rpm_kb_csp_split": "rpm: daemon, quoted"}.get(of, "rpm: daemonize")
        )
        self.case.put(f"/etc/init.d/{name}", _text(f"{of}/etc/init.d/{name}"), 0o755)
        self.case.put(f"/usr/lib/{name}/{name}.war", "")
        self.case.put(
            f"/etc/sysconfig/{name}",
            self.finish(
                [
                    f'JENKINS_HOME="/var/lib/{name}"',
                    f'JENKINS_USER="{name}"',
                    *self.assignments("JENKINS_JAVA_OPTIONS", ("JAVA_ARGS", "JAVA_OPTS", "JENKINS_JAVA_OPTS")),
                    'JENKINS_PORT="8080"',
                    'JENKINS_ARGS=""',
                ]
            ),
            self.random.choice([0o644, 0o640, 0o600]),
        )

    def full_deb(self) -> None:
        """A DEB's init script with all that such scripts have around the start."""
        name = "cloudbees-core-cm"
        self.case.unit = f"{name}.service"
        self.case.put(f"/etc/init.d/{name}", _packaged("cloudbees-deb", name), 0o755)
        self.case.put(f"/usr/share/{name}/{name}.war", "")
        self.case.put(
            f"/etc/default/{name}",
            self.finish(
                [
                    f"NAME={name}",
                    "JAVA=/usr/bin/java",
                    *self.assignments("JAVA_ARGS", ("JENKINS_JAVA_OPTIONS", "JENKINS_OPTS")),
                    "PIDFILE=/var/run/$NAME/$NAME.pid",
                    "JENKINS_USER=$NAME",
                    "JENKINS_WAR=/usr/share/$NAME/$NAME.war",
                    "JENKINS_HOME=/var/lib/$NAME",
                    "JENKINS_LOG=/dev/null",
                    "JENKINS_ARGS=--httpPort=8080",
                ]
            ),
        )

    def rpm_array(self) -> None:
        """An RPM whose options are a bash array, or a string."""
        name = "cloudbees-core-cm"
        self.case.unit = f"{name}.service"
        self.case.put(f"/etc/init.d/{name}", _packaged("cloudbees-rpm", name), 0o755)
        self.case.put(f"/usr/lib/{name}/{name}.war", "")
        variable = "JENKINS_JAVA_OPTIONS"
        styles = ["{}", '"{}"', "'{}'"]
        words = [self.random.choice(styles).format(self.plain()) for _ in range(self.random.randint(0, 3))]
        words += [self.random.choice(styles).format(self.flag())] if self.chance(40) else []
        words += (
            [
                self.pick(
                    "array element",
                    csp=f'"{CSP}sandbox; img-src *"',
                    single=f"{CSP}'a; b'",
                    percent="-Dci.p=%p",
                    quotes=f'"{CSP}"sandbox""',
                )
            ]
            if self.chance(40)
            else []
        )
        lines = {
            "line": [f"{variable}=({' '.join(words)})"],
            "lines": [f"{variable}=(", *(f"  {word}" for word in words), ")"],
            "comments": [f"{variable}=( # for the JVM", *(f"  {word}" for word in words), f"  # {FLAG}", ")"],
            "added": [f"{variable}=(-Xmx1g)", f"{variable}+=({' '.join(words)})"],
            "string": self.assignments(variable, ("JAVA_ARGS", "JAVA_OPTS")),
        }
        form = self.random.choice(sorted(lines))
        self.case.kinds.add(f"array: {form}")
        self.case.put(
            f"/etc/sysconfig/{name}",
            self.finish(
                [
                    f'JENKINS_HOME="/var/lib/{name}"',
                    f'JENKINS_USER="{name}"',
                    'JENKINS_LOG="/dev/null"',
                    *lines[form],
                    'JENKINS_PORT="8080"',
                ]
            ),
            self.random.choice([0o644, 0o640]),
        )

    def oss(self) -> None:
        """The systemd package with drop-ins."""
        self.case.unit = "jenkins.service"
        self.case.put("/usr/bin/jenkins", _text("unit_docs_sample/usr/bin/jenkins"), 0o755)
        self.case.put(
            "/usr/lib/systemd/system/jenkins.service", _text("unit_docs_sample/usr/lib/systemd/system/jenkins.service")
        )
        self.case.put(WAR, "")
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 3])):
            self.drop_in("jenkins.service")

    def drop_in(self, unit: str) -> None:
        """A drop-in somewhere."""
        folder = self.random.choice([_UNITS, _UNITS, _UNITS, "/usr/lib/systemd/system", "/run/systemd/system"])
        name = self.random.choice(["override.conf", "override.conf", "10-ci.conf", "90-z.conf", "zz-ci.conf"])
        place = next((path for path in self.case.files if path.endswith(f"/system/{unit}")), None)
        if place is not None and "@" not in unit and self.chance(25, "drop-in of another name"):
            unit = "ci-by-another-name.service"
            self.case.files[f"{_UNITS}/{unit}"] = {"link": place}
        lines = ["[Service]"]
        for _ in range(self.random.randint(1, 3)):
            lines += self.environment()
        if self.chance(8, "ExecStart replaced"):
            lines += ["ExecStart=", f"ExecStart=/usr/bin/java $JAVA_OPTS -jar {WAR} --httpPort=8080"]
        elif self.chance(3, "ExecStart twice"):
            lines += [f"ExecStart=/usr/bin/java $JAVA_OPTS -jar {WAR} --httpPort=8080"]
        self.case.put(f"{folder}/{unit}.d/{name}", self.finish(lines))

    def environment(self) -> list[str]:
        """``Environment=`` lines."""
        style = self.random.choice(
            ["double"] * 5 + ["single", "bare", "several", "reset", "port", "comment", "continued", "inner quotes"]
        )
        self.case.kinds.add(f"Environment=: {style}")
        double = " ".join(self.options("double"))
        return {
            "double": [f'Environment="JAVA_OPTS={double}"'],
            "single": [f"Environment='JAVA_OPTS={' '.join(self.options('single'))}'"],
            "bare": [f"Environment=JAVA_OPTS={self.random.choice([self.plain(), self.flag()])}"],
            "several": [f'Environment="JENKINS_OPTS=--prefix=/ci" "JAVA_OPTS={double}" TZ=UTC'],
            "reset": self.reset() if self.chance(30) else [],
            "port": ['Environment="JENKINS_PORT=8081"'],
            "comment": [f'#Environment="JAVA_OPTS={FLAG}"', "# more"],
            "continued": ['Environment="JAVA_OPTS=-Xmx1g \\', f'  {double}"'],
            "inner quotes": [f'Environment=JAVA_OPTS="{double}"'],
        }[style]

    def reset(self) -> list[str]:
        """No variable is left, and so no home."""
        if "package: oss" in self.case.kinds:
            self.case.may_stop = "the launcher wants a home, and asks for it by the output of a command"
        return ["Environment="]

    # -- units of one's own ------------------------------------------------------------------------------

    def unit(self) -> None:
        """A unit that starts java itself."""
        name = self.random.choice(["jenkins", "ci-controller", "cloudbees-cm"])
        self.case.unit = f"{name}.service"
        self.case.put(WAR, "")
        lines = self.service()
        for _ in range(self.random.choice([0, 1, 1, 2])):
            lines += self.environment()
        if self.chance(70):
            lines += self.environment_files(name, "")
        lines += [self.exec_start()]
        self.case.put(f"{_UNITS}/{name}.service", self.finish(lines))
        for _ in range(self.random.choice([0, 0, 1])):
            self.drop_in(f"{name}.service")

    def service(self) -> list[str]:
        """The head of a unit."""
        return (
            (["[Unit]", "Description=CI"] if self.chance(50) else [])
            + ["[Service]"]
            + (["User=jenkins"] if self.chance(70) else [])
            + (["WorkingDirectory=/var/lib/jenkins"] if self.chance(30) else [])
        )

    def environment_files(self, prefix: str, instance: str) -> list[str]:
        """``EnvironmentFile=`` lines and their files."""
        form = self.random.choice(["plain", "plain", "optional", "missing", "specifier", "pattern", "two", "reset"])
        self.case.kinds.add(f"EnvironmentFile=: {form}")
        stem = f"{prefix}-{instance}" if instance else prefix
        first = f"/etc/default/{stem}"
        lines = {
            "plain": [first],
            "optional": [f"-{first}"],
            "missing": ["-/etc/default/nowhere"],
            "specifier": ["-/etc/default/" + ("%p-%i" if instance else self.random.choice(["%p", "%N"]))],
            "pattern": ["/etc/ci.d/*" if self.chance(60) else "-/etc/ci.d/*.env"],
            "two": [first, f"-/etc/{stem}.env"],
            "reset": ["/etc/nowhere", "", first],
        }[form]
        for path in {
            "pattern": ["/etc/ci.d/a.env", "/etc/ci.d/b.env"],
            "two": [first, f"/etc/{stem}.env"],
            "missing": [],
        }.get(form, [first]):
            self.case.put(path, self.environment_file())
        return [f"EnvironmentFile={line}" for line in lines]

    def environment_file(self) -> str:
        """The text of one."""
        lines = []
        for _ in range(self.random.randint(1, 3)):
            style = self.random.choice(
                ["double"] * 3 + ["single", "bare", "continued", "comment", "other", "export", "blank"]
            )
            self.case.kinds.add(f"EnvironmentFile: {style}")
            double, none = " ".join(self.options("double")), " ".join(self.options("none"))
            lines += {
                "double": [f'JAVA_OPTS="{double}"'],
                "single": [f"JAVA_OPTS='{' '.join(self.options('single'))}'"],
                "bare": [f"JAVA_OPTS={none}"],
                "continued": ['JAVA_OPTS="-Xmx1g \\', f'{double}"'],
                "comment": [f"# JAVA_OPTS={FLAG}", "; more"],
                "other": ["TZ=UTC", f'JENKINS_JAVA_OPTIONS="{FLAG}"'],
                "export": [f'export JAVA_OPTS="{none}"'],
                "blank": ["", f"  JAVA_OPTS = {none}  "],
            }[style]
        return self.finish(lines)

    def exec_start(self) -> str:
        """A command that starts java."""
        java = self.random.choice(["/usr/bin/java", "/usr/bin/java", "/opt/jdk/bin/java", "java"])
        words = self.pick(
            "ExecStart",
            variable="$JAVA_OPTS",
            braces="${JAVA_OPTS}",
            both=f"$JAVA_OPTS {self.plain()}",
            before=f"{self.flag()} $JAVA_OPTS",
            after=f"$JAVA_OPTS {self.flag()}",
            none=self.plain(),
            nothing="",
            quoted='"-Dci.name=a b" $JAVA_OPTS',
            unset="$NOWHERE $JAVA_OPTS",
        )
        between = "-Dfrom=unit " if self.chance(15, "option between -jar and the war") else ""
        ends = self.random.choice(["", " --httpPort=8080", f" --httpPort=8080 {FLAG}"])
        prefix = self.random.choice(["", "", "", "", "-", "+" if java[0] == "/" else "", ":"])
        line = f"ExecStart={prefix}{java} {words} -jar {between}{WAR}{ends}"
        return line.replace(" -jar", " \\\n    -jar") if self.chance(15, "continued command") else line

    def instance(self) -> None:
        """An instance of a template, enabled."""
        name = self.random.choice(["one", "cm-2", "a_b"])
        self.case.unit = f"ci@{name}.service"
        self.case.put(WAR, "")
        lines = self.service()
        lines += self.environment() + self.environment_files("ci", name)
        lines += [
            self.random.choice(
                [
                    f"ExecStart=/usr/bin/java $JAVA_OPTS -Dci.instance=%i -jar {WAR} --httpPort=8080",
                    f"ExecStart=/usr/bin/java -Dci.unit=%n -Dci.home=/srv/%I $JAVA_OPTS -jar {WAR}",
                    f"ExecStart=/usr/bin/java ${{JAVA_OPTS}} -jar {WAR} --prefix=/%j",
                ]
            )
        ]
        self.case.put(f"{_UNITS}/ci@.service", self.finish([*lines, "[Install]", "WantedBy=multi-user.target"]))
        self.case.files[f"{_UNITS}/multi-user.target.wants/{self.case.unit}"] = {"link": f"{_UNITS}/ci@.service"}
        for unit in ("ci@.service", self.case.unit):
            if self.chance(30, "drop-in of an instance" if unit == self.case.unit else "drop-in of a template"):
                self.drop_in(unit)

    def sh_line(self) -> None:
        """A command line in a string of the unit."""
        self.case.unit = "jenkins.service"
        self.case.put("/var/lib/jenkins/jenkins.war", "")
        self.case.put(WAR, "")
        words = " ".join([*(self.plain() for _ in range(2)), *([self.flag()] if self.chance(40) else [])])
        java = self.pick(
            "sh -c",
            exec="exec java",
            plain="java",
            path="/usr/bin/java",
            set=f"JAVA_OPTS=$$JAVA_OPTS\\ {FLAG}; java",
            cd="cd /var/lib/jenkins && exec java",
            env="exec env TZ=UTC java",
            nohup="exec nohup java",
        )
        line = self.pick(
            "sh -c words",
            variable=f"{java} $JAVA_OPTS {words} -jar {WAR}",
            dollars=f"{java} $$JAVA_OPTS {words} -jar {WAR}",
            csp=f"{java} {words} {CSP}\"default-src \\'self\\'\" -jar {WAR}",
            semicolon=f'{java} {CSP}"sandbox; img-src" {words} -jar {WAR}',
            relative=f"{java} {words} -jar jenkins.war",
            log=f"{java} {words} -jar {WAR} >/dev/null 2>&1",
        )
        shell = self.pick(
            "shell", sh="/bin/sh -c", bash="/bin/bash -c", login="/bin/bash -lc", bash_e="/usr/bin/env bash -ec"
        )
        lines = ["[Service]", "User=jenkins", "WorkingDirectory=/var/lib/jenkins", *self.environment()]
        self.case.put(f"{_UNITS}/jenkins.service", self.finish([*lines, f"ExecStart={shell} '{line}'"]))
        if self.chance(20):
            self.drop_in("jenkins.service")

    def command_in_file(self) -> None:
        """The whole command in an environment file (Arch, Gentoo)."""
        self.case.unit = "jenkins.service"
        self.case.put(WAR, "")
        self.case.put(
            "/usr/lib/systemd/system/jenkins.service", _text("own_arch/usr/lib/systemd/system/jenkins.service")
        )
        words = " ".join(self.options("none"))
        self.case.put(
            "/etc/conf.d/jenkins",
            self.finish(
                [
                    "JAVA=/usr/bin/java",
                    f'JAVA_ARGS="{words}"',
                    f"JENKINS_WAR={WAR}",
                    'JENKINS_COMMAND_LINE="$JAVA $JAVA_ARGS '
                    + (f"{self.flag()} " if self.chance(20) else "")
                    + '-jar $JENKINS_WAR --httpPort=8090"',
                ]
            ),
        )

    # -- scripts ------------------------------------------------------------------------------------------

    def script(self) -> None:
        """A launch script, by a unit or by hand."""
        path = "/opt/ci/start.sh"
        self.case.put(WAR, "")
        shell = self.random.choice(["/bin/sh", "/bin/bash", "/usr/bin/env bash"])
        body = self.body("bash" in shell)
        self.case.put(path, self.finish([f"#!{shell}", *body]), 0o755)
        background = any(line.endswith("&") or "--background" in line for line in body)
        wants_start = any("$1" in line for line in body)
        if self.chance(25, "started by hand"):
            self.case.script, self.case.arguments = path, ["start"] if wants_start else []
            return
        self.case.unit = "ci.service"
        command = self.pick(
            "script by",
            path=path,
            shell=f"{'/bin/bash' if 'bash' in shell else '/bin/sh'} {path}",
            env=f'/usr/bin/env "JAVA_OPTS={self.plain()}" {path}',
            less=f"/usr/bin/env -u JAVA_OPTS -u JAVA_TOOL_OPTIONS {path}",
            anew=f"/usr/bin/env -i PATH=/usr/bin:/bin _JAVA_OPTIONS={self.flag()} {path}",
            runuser=f"/sbin/runuser -u root -- {path}",
        )
        lines = [
            *self.service(),
            *(["Type=forking"] if background else []),
            *self.environment(),
            f"ExecStart={command}{' start' if wants_start else ''}",
        ]
        self.case.put(f"{_UNITS}/ci.service", self.finish(lines))

    def body(self, bash: bool) -> list[str]:
        """The lines of a script."""
        sets = self.assignments("JAVA_OPTS", ("JAVA_ARGS", "CATALINA_OPTS"))
        java = self.random.choice(["java", "/usr/bin/java", '"$JAVA_HOME/bin/java"'])
        head = ["JAVA_HOME=/opt/jdk"] if "JAVA_HOME" in java else []
        run = f"{java} $JAVA_OPTS -jar {WAR} --httpPort=8080"
        forms: dict[str, Callable[[], list[str]]] = {
            "exec": lambda: [*head, *sets, f"exec {run}"],
            "plain": lambda: [*head, *sets, run],
            "eval": lambda: [*head, *sets, f"eval {run}"],
            "background": lambda: [*head, *sets, f"nohup {run} >/dev/null 2>&1 &"],
            "function": lambda: [*head, "start() {", *sets, f"  exec {run}", "}", "start"],
            "argument": lambda: [
                *head,
                *sets,
                'case "$1" in',
                f"  start) exec {run} ;;",
                "  stop) exit 0 ;;",
                "  *) exit 1 ;;",
                "esac",
            ],
            "sourced": lambda: self.sourced(head, sets, run),
            "continued": lambda: [
                *head,
                f"exec {java} \\",
                *(f"  {word} \\" for word in self.options("none")),
                f"  -jar {WAR} \\",
                "  --httpPort=8080",
            ],
            "user": lambda: [*head, *sets, f"exec runuser -u jenkins -- {run}"],
            "su": lambda: [*head, *sets, f'su -s /bin/sh jenkins -c "{run.replace(chr(34), "")}"'],
            "variable": lambda: [*head, *sets, f'WAR={WAR}; CMD="$JAVA_OPTS -jar $WAR"', f"exec {java} $CMD"],
            "strict": lambda: ["set -eu", *head, *sets, f"exec {run}"],
            "environment": lambda: [
                *head,
                *sets,
                f"export JAVA_TOOL_OPTIONS='{' '.join(self.options('none'))}'",
                f"exec {run}",
            ],
            "sudo": lambda: [*head, *sets, f"exec sudo -n -u jenkins -- {run}"],
            "start-stop-daemon": lambda: [
                *sets,
                "start-stop-daemon --start --background --chuid jenkins --exec "
                f"/usr/bin/java -- $JAVA_OPTS -jar {WAR} --httpPort=8080",
            ],
            "setsid": lambda: [*head, *sets, f"setsid nice -n 5 {run} &"],
            "cat": lambda: self.cat(head, java),
        }
        if bash:
            forms["array"] = lambda: [
                *head,
                f"OPTS=({' '.join(self.options('none'))})",
                f'OPTS+=("{self.plain()}")',
                f'exec {java} "${{OPTS[@]}}" -jar {WAR}',
            ]
            forms["readlink"] = lambda: [
                'HERE=$(dirname "$(readlink -f "$0")")',
                *head,
                *sets,
                'test -d "$HERE" || exit 1',
                f"exec {run}",
            ]
        form = self.random.choice(sorted(forms))
        self.case.kinds.add(f"script: {form}")
        return forms[form]()

    def sourced(self, head: list[str], sets: list[str], run: str) -> list[str]:
        """The settings in a file beside the script."""
        self.case.put("/opt/ci/setenv.sh", self.finish(sets))
        return [
            *head,
            *self.random.choice(
                [
                    ['cd "$(dirname "$0")"', ". ./setenv.sh"],
                    [". /opt/ci/setenv.sh"],
                    ['[ -r "${0%/*}/setenv.sh" ] && . "${0%/*}/setenv.sh"'],
                ]
            ),
            f"exec {run}",
        ]

    def cat(self, head: list[str], java: str) -> list[str]:
        """The options are the output of a command."""
        self.case.put("/etc/ci.options", " ".join(self.options("none")) + "\n")
        self.case.unknown = "options are a command's output"
        return [*head, f"exec {java} $(cat /etc/ci.options | xargs) -jar {WAR}"]

    def rc_local(self) -> None:
        """A line in rc.local."""
        self.case.unit = "rc-local.service"
        self.case.put("/opt/jenkins/jenkins.war", "")
        words = " ".join(self.options("none"))
        command = f"java {words} -jar /opt/jenkins/jenkins.war"
        line = self.pick(
            "rc.local",
            su=f"su - jenkins -c 'nohup {command} >/dev/null 2>&1 &'",
            plain=f"nohup {command} >/dev/null 2>&1 &",
            double=f'su -l jenkins -c "{command}" &',
            runuser=f"runuser -u jenkins -- {command} &",
            script_line=f"cd /opt/jenkins && java {words} -jar jenkins.war &",
        )
        self.case.put("/etc/rc.local", self.finish(["#!/bin/sh -e", "# Starts CI.", line, "exit 0"]), 0o755)

    # -- others who write the environment ---------------------------------------------------------------------

    def others(self) -> None:
        """Files and orders of the whole machine."""
        assert self.case.unit or self.case.script
        value = " ".join([self.plain(), *([self.flag()] if self.chance(60) else [])])
        name = self.random.choice(
            ["JAVA_TOOL_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "JAVA_ARGS"]
        )
        kind = self.random.choice(
            [
                "profile",
                "profile of the home",
                "environment",
                "DefaultEnvironment",
                "manager",
                "drop-in",
                "ExecStartPre",
                "PAM",
                "PassEnvironment",
                "UnsetEnvironment",
                "/run",
            ]
        )
        unit = self.case.unit
        if kind == "profile":
            self.case.put("/etc/profile.d/ci.sh", self.finish([f"export {name}='{value}'"]))
        elif kind == "profile of the home":
            self.case.put(
                f"/var/lib/{self.random.choice(['jenkins', 'cloudbees-core-cm'])}/"
                f"{self.random.choice(['.profile', '.bash_profile', '.bashrc'])}",
                self.finish([f"export {name}='{value}'"]),
            )
        elif kind == "environment":
            self.case.put("/etc/environment", f'{name}="{value}"\n')
        elif kind == "DefaultEnvironment":
            self.case.put("/etc/systemd/system.conf.d/50-ci.conf", f'[Manager]\nDefaultEnvironment="{name}={value}"\n')
        elif kind == "manager":
            self.case.manager = [f"{name}={value}"]
        elif unit is None or unit == "rc-local.service":
            return
        else:
            lines = {
                "drop-in": [f'Environment="{name}={value}"'],
                "ExecStartPre": [
                    "PermissionsStartOnly=true",
                    f"ExecStartPre=/bin/sh -c 'echo JAVA_OPTS={value.split()[0]} >/etc/ci.made'",
                    "EnvironmentFile=-/etc/ci.made",
                ],
                "PAM": ["PAMName=login"],
                "PassEnvironment": [f"PassEnvironment={name}"],
                "UnsetEnvironment": [f"UnsetEnvironment={name}"],
                "/run": ["RuntimeDirectory=ci", "EnvironmentFile=-/run/ci/env"],
            }[kind]
            if kind in ("ExecStartPre", "PassEnvironment", "/run"):
                self.case.unknown = f"{kind} gives the environment"
            if kind == "PAM":
                self.case.put("/etc/environment", f'{name}="{value}"\n')
            self.case.put(f"{_UNITS}/{unit}.d/50-more.conf", self.finish(["[Service]", *lines]))
        self.case.kinds.add(f"others: {kind}")

    def make(self) -> Case:
        """The whole."""
        makers = [
            self.deb,
            self.deb,
            self.deb_2022,
            self.full_deb,
            self.rpm,
            self.rpm,
            self.rpm_array,
            self.oss,
            self.oss,
            self.unit,
            self.unit,
            self.instance,
            self.sh_line,
            self.command_in_file,
            self.script,
            self.script,
            self.script,
            self.rc_local,
        ]
        maker = self.random.choice(makers)
        self.case.kinds.add(f"package: {maker.__name__}")
        maker()
        if self.chance(30):
            self.others()
        return self.case


def sample(number: int) -> Case:
    """The case of a number."""
    return Maker(number).make()
