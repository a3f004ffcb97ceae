"""Builds the products: the stand-in wars, the .deb and .rpm packages, from the file trees in packages/."""

import os
import shutil
import zipfile
from hashlib import md5
from pathlib import Path

import machine
from profiles import KINDS

SOURCES = machine.HERE / "packages"
# product name -> what the war calls itself
WARS = ("cloudbees-core-oc", "cloudbees-core-cm", "jenkins")


def recipe():
    """All that decides what the packages look like."""
    parts = [Path(__file__).read_bytes(), repr(sorted(KINDS.items()))]
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file():
            parts += [path.relative_to(SOURCES), path.read_bytes()]
    return machine.digest(*parts)


def filename(kind):
    """The package file of a kind of host, or None where files are simply put in place."""
    facts = KINDS[kind]
    if not facts["package"]:
        return None
    if facts["packaging"] == "rpm":
        return "%s-%s-1.noarch.rpm" % (facts["package"], facts["version"])
    return "%s_%s_all.deb" % (facts["package"], facts["version"])


def build(folder):
    """Fill `folder` with the wars and one package per kind."""
    build_wars(folder)
    for kind, facts in KINDS.items():
        if facts["packaging"] == "rpm":
            build_rpm(folder, kind, facts)
        elif facts["package"]:
            build_deb(folder, kind, facts)


def build_wars(folder):
    classes = folder / "classes"
    classes.mkdir()
    # Release 11: the same classes run on every Java of the fleet.
    sources = sorted((SOURCES / "standin").rglob("*.java"))
    machine.run(["javac", "--release", "11", "-d", classes] + sources, timeout=120)
    shutil.rmtree(classes / "jakarta")  # Tomcat brings the real ones
    for name in WARS:
        with zipfile.ZipFile(folder / (name + ".war"), "w", zipfile.ZIP_DEFLATED) as war:

            def add(path, data):
                war.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), data)  # the same sources, the same bytes

            add(
                "META-INF/MANIFEST.MF",
                "Manifest-Version: 1.0\nMain-Class: executable.Main\n"
                "Implementation-Title: %s\nImplementation-Version: 2.426.3\nJenkins-Version: 2.426.3\n\n" % name,
            )
            for path in sorted(classes.rglob("*.class")):
                # For `java -jar`, and for a servlet container.
                for prefix in ("", "WEB-INF/classes/"):
                    add(prefix + str(path.relative_to(classes)), path.read_bytes())
            for path in ("WEB-INF/web.xml", "login"):
                add(path, (SOURCES / "standin" / path).read_bytes())
    shutil.rmtree(classes)


def filled(path, facts):
    """A template with the product's name, title, port and version in it."""
    text = path.read_text(encoding="utf-8")
    for key, value in (
        ("NAME", facts["package"]),
        ("TITLE", facts["title"]),
        ("PORT", facts["port"]),
        ("VERSION", facts["version"]),
    ):
        text = text.replace("@%s@" % key, str(value))
    return text


def place(path, content, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_text(content, encoding="utf-8")
    path.chmod(mode)


def build_deb(folder, kind, facts):
    name = facts["package"]
    source = SOURCES / ("jenkins-deb" if name == "jenkins" else "cloudbees-deb")
    tree = folder / ("tree-" + kind)
    place(tree / "etc/default" / name, filled(source / "default", facts))
    place(tree / "etc/init.d" / name, filled(source / "init", facts), 0o755)
    place(tree / facts["war"][1:], folder / (name + ".war"))
    if name == "jenkins":
        place(tree / facts["launch_file"][1:], source / "jenkins.service")
        place(tree / facts["launcher"][1:], source / "launcher", 0o755)
    contents = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    conffiles = [path for path in contents if path.relative_to(tree).parts[0] == "etc"]
    place(
        tree / "DEBIAN/control",
        """Package: %s
Version: %s
Architecture: all
Maintainer: Test fleet <root@localhost>
Section: devel
Priority: optional
Depends: passwd, procps, lsb-base | sysvinit-utils (>= 3.05~), java11-runtime-headless
Description: %s (stand-in of the test fleet)
 The layout of the product's package: files, account and launcher, and no product code.
"""
        % (name, facts["version"], facts["title"]),
    )
    place(tree / "DEBIAN/conffiles", "".join("/%s\n" % path.relative_to(tree) for path in conffiles))
    # what `dpkg --verify` compares with
    place(
        tree / "DEBIAN/md5sums",
        "".join(
            "%s  %s\n" % (md5(path.read_bytes()).hexdigest(), path.relative_to(tree))
            for path in contents
            if path not in conffiles
        ),
    )
    for script in ("postinst", "prerm", "postrm"):
        place(tree / "DEBIAN" / script, filled(source / script, facts), 0o755)
    for path in [tree] + [path for path in tree.rglob("*") if path.is_dir()]:
        path.chmod(0o755)  # whatever the umask
    machine.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, folder / filename(kind)])
    shutil.rmtree(tree)


def build_rpm(folder, kind, facts):
    source = SOURCES / "cloudbees-rpm"
    top = folder / ("rpm-" + kind)
    options = filled(source / ("options-" + facts["form"]), facts)
    place(top / "SOURCES/sysconfig", filled(source / "sysconfig", facts).replace("@OPTIONS@\n", options + "\n"))
    place(top / "SOURCES/init", filled(source / "init", facts))
    place(top / "SOURCES/war", folder / (facts["package"] + ".war"))
    place(top / "package.spec", filled(source / "spec", facts))
    machine.run(
        [
            "rpmbuild",
            "-bb",
            "--quiet",
            "--define",
            "_topdir %s" % top,
            "--define",
            "_dbpath %s/db" % top,
            top / "package.spec",
        ],
        timeout=120,
        env=dict(os.environ, HOME=str(top)),
    )
    shutil.copyfile(top / "RPMS/noarch" / filename(kind), folder / filename(kind))
    shutil.rmtree(top)
