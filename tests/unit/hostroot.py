"""A host's file system in a temporary folder, with the launch files of the fleet's packages."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ansible_collections.cbops.telemetry.plugins.module_utils.edit._candidates import plan
from ansible_collections.cbops.telemetry.plugins.module_utils.host._files import HostFiles
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _definition as of_definition
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _discovery, _live
from ansible_collections.cbops.telemetry.plugins.module_utils.launch import _outcome as of_outcome

PACKAGES = Path(__file__).parent.parent / "fleet" / "packages"
FLAG = "-Dcom.cloudbees.analytics.gatherer.Sender.disabled=true"


class Host:
    """A root folder to put files into, and the engine's view of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: tuple[list[object], HostFiles, of_definition.Definition, of_outcome.Outcome] | None = None
        self.write("/usr/bin/java", "\x7fELF", 0o755)
        (root / "bin").symlink_to("usr/bin")
        (root / "usr/bin/sh").symlink_to("dash")
        self.write("/usr/bin/dash", "\x7fELF", 0o755)

    def write(self, path: str, content: str, mode: int | None = None) -> Path:
        """A file below the root, Latin-1, byte for byte; without ``mode`` it has the one that it had."""
        real = self.root / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        mode = mode if mode is not None or not real.exists() else real.stat().st_mode & 0o7777
        real.write_bytes(content.encode("latin-1"))
        real.chmod(0o644 if mode is None else mode)
        return real

    def read(self, path: str) -> str:
        """The bytes of a file as Latin-1 text."""
        return (self.root / path.lstrip("/")).read_bytes().decode("latin-1")

    def package(self, folder: str, name: str) -> str:
        """A file of the fleet's packages with its names put in."""
        text = (PACKAGES / folder / name).read_text(encoding="latin-1")
        return text.replace("@NAME@", "cloudbees-core-cm").replace("@TITLE@", "CloudBees CI controller")

    def deb(self, default: str, locale: str | None = None) -> None:
        """The DEB layout with this /etc/default file; the script sources the locale's or else /etc/environment too."""
        self.write("/etc/environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n")
        if locale is not None:
            self.write("/etc/default/locale", locale)
        self.write("/etc/init.d/cloudbees-core-cm", self.package("cloudbees-deb", "init"), 0o755)
        self.write("/etc/default/cloudbees-core-cm", DEB_HEAD + default)

    def rpm(self, options: str) -> None:
        """The RPM layout with this text in its sysconfig file."""
        self.write("/usr/lib/cloudbees-core-cm/cloudbees-core-cm.war", "PK")
        self.write("/etc/init.d/cloudbees-core-cm", self.package("cloudbees-rpm", "init"), 0o755)
        self.write("/etc/sysconfig/cloudbees-core-cm", RPM_HEAD + options, 0o640)

    def oss(self, *drop_ins: str) -> None:
        """The OSS systemd package, with drop-ins of the administrator."""
        self.write("/usr/share/java/jenkins.war", "PK")
        (self.root / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        (self.root / "var/lib/jenkins").mkdir(parents=True, exist_ok=True)
        self.write("/usr/bin/jenkins", self.package("jenkins-deb", "launcher"), 0o755)
        self.write("/usr/lib/systemd/system/jenkins.service", self.package("jenkins-deb", "jenkins.service"))
        for number, text in enumerate(drop_ins):
            self.write(f"/etc/systemd/system/jenkins.service.d/{10 * (number + 1)}-admin.conf", text)

    def script(self, text: str, path: str = "/opt/cloudbees/cm/start.sh") -> None:
        """A launch script under a unit of its own."""
        self.write(path, text, 0o755)
        self.write("/etc/systemd/system/cloudbees-cm.service", f"[Service]\nExecStart={path}\n")

    @property
    def files(self) -> HostFiles:
        """A fresh view."""
        return HostFiles(str(self.root))

    def _tree(self) -> list[object]:
        """All that lies below the root, as it is now."""
        found: list[object] = []
        for folder, folders, names in os.walk(self.root):
            for path in [os.path.join(folder, name) for name in [*folders, *names]]:
                status = os.lstat(path)
                small = stat.S_ISREG(status.st_mode) and status.st_size < 1 << 16
                what = Path(path).read_bytes() if small else os.readlink(path) if os.path.islink(path) else None
                found.append((path, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, what))
        return found

    def _reading(self) -> tuple[HostFiles, of_definition.Definition, of_outcome.Outcome]:
        """The one installation on this host and the view that it was read with, as an audit and an edit share them.

        Nothing is read a second time where nothing has changed in the meantime.
        """
        tree = self._tree()
        if self._read is None or self._read[0] != tree:
            files = self.files
            found, _warnings = _discovery.discover(files)
            assert len(found) == 1, [definition.name for definition, _outcome in found]
            self._read = tree, files, *found[0]
        return self._read[1:]

    def only(self) -> tuple[of_definition.Definition, of_outcome.Outcome]:
        """The one installation on this host."""
        return self._reading()[1:]

    def verdict(self) -> str:
        """What the files say of the one installation; a reason where they say nothing."""
        _definition, outcome = self.only()
        return outcome.verdict

    def live(self) -> _live.Live:
        """The live launch file of the one installation."""
        files, definition, outcome = self._reading()
        found = _live.live_of(definition, files, outcome)
        assert found is not None, "no live launch file"
        return found

    def declare(self, wanted: str) -> list[str]:
        """Plan an edit and write it plainly; returns the paths that changed."""
        files, definition, outcome = self._reading()
        planned = plan(definition, files, outcome, _live.live_of(definition, files, outcome), wanted)
        for path, (_old, new) in planned.files.items():
            if new is None:
                (self.root / path.lstrip("/")).unlink()
            else:
                self.write(path, new)
        return list(planned.files)


DEB_HEAD = """NAME=cloudbees-core-cm
JAVA=/usr/bin/java
#JAVA_ARGS="-Xmx256m"
PIDFILE=/var/run/$NAME/$NAME.pid
JENKINS_USER=$NAME
JENKINS_WAR=/usr/share/$NAME/$NAME.war
JENKINS_HOME=/var/lib/$NAME
JENKINS_LOG=/var/log/$NAME/$NAME.log
JENKINS_ARGS="--httpPort=8080"
"""
RPM_HEAD = """JENKINS_HOME="/var/lib/cloudbees-core-cm"
JENKINS_USER="cloudbees-core-cm"
JENKINS_PORT="8080"
JENKINS_HTTPS_KEYSTORE_PASSWORD="s3cr3t-of-the-keystore"
"""
