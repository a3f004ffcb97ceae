"""The cache: the read-only file systems under the hosts, built once per recipe.

    ca-KEY/                       the fleet's own CA and the certificate of api.segment.io
    packages-KEY/                 the products' packages
    base-RELEASE-KEY/root         a Debian release with systemd, sshd, Python and Java
    base-RELEASE-KEY/extra        .deb files for the kinds of host that need more than the base
    layer-RELEASE-KIND-KEY/root   what installing one product changes in the base (an overlay layer)

KEY is a hash of the recipe, so a changed recipe is a new folder. Each is built as `NAME.part` and renamed when it is
whole. A host is an overlay: an upper folder of its own over layer over base.
"""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import machine
import packages
import profiles

BASE_PACKAGES = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "sudo",
    "procps",
    "iproute2",
    "ca-certificates",
    "bash",
    "init-system-helpers",
]
# The init scripts of the DEBs source /lib/lsb/init-functions, which moved from one package to another.
RELEASE_PACKAGES = {"bullseye": ["lsb-base"], "jammy": ["lsb-base"]}
# On Debian hosts there is no rpm, so only the hosts that need it get it.
EXTRA = {"rpm": ["rpm"], "segment": ["dnsmasq-base"]}
RELEASE_EXTRA = {
    "bookworm": {
        "tomcat": ["tomcat10"],
        "internet": ["dnsmasq-base", "nftables", "tinyproxy"],
        "tools": ["curl", "netcat-openbsd", "prometheus-blackbox-exporter"],
        "starters": ["supervisor", "runit", "runit-run", "monit", "cron", "openrc"],
    },
    # the first release whose Ansible is new enough
    "trixie": {"git": ["git"], "gitops": ["git", "ansible-core"]},
}
MMDEBSTRAP = [
    "--mode=root",
    "--variant=minbase",
    "--skip=check/empty",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    # Java's maintainer scripts want this folder
    '--essential-hook=mkdir -p "$1/usr/share/man/man1"',
]
# Fetched now, so that layers are built without a network
FETCH = (
    "--customize-hook=APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get install --yes --download-only "
    "--no-install-recommends -oDir::Cache::archives=$FLEET_EXTRA/%s %s"
)

# $1 base root, $2 layer folder, $3 extra .debs, $4 packages folder, $5 package file or "", $6 kind, $7 sources
LAYER = r"""
layer=$2
mkdir -p "$layer/root" "$layer/work" "$layer/merged"
mount -t overlay -o "lowerdir=$1,upperdir=$layer/root,workdir=$layer/work" overlay "$layer/merged"
root=$layer/merged
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
# Maintainer scripts must not start services in here.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
extra() { # install the .deb files that the base brought along for this group
    mkdir "$root/tmp/extra"
    cp "$1"/*.deb "$root/tmp/extra"
    chroot "$root" sh -c 'dpkg --force-unsafe-io -i /tmp/extra/*.deb'
}
case $6 in
segment)
    extra "$3/segment"
    install -D -m 644 "$7/segment_server.py" "$root/opt/segment/segment_server.py"
    for unit in segment.service fleet-dns.service; do
        install -m 644 "$7/packages/segment/$unit" "$root/etc/systemd/system/$unit"
        chroot "$root" systemctl enable "$unit"
    done
    mkdir -p "$root/etc/segment"
    ;;
git-server)
    extra "$3/git"
    chroot "$root" useradd --system --create-home --home-dir /srv/git --shell /usr/bin/git-shell git
    ;;
internet)
    extra "$3/internet"
    chroot "$root" systemctl disable tinyproxy.service
    ;;
script)
    chroot "$root" groupadd --system cloudbees
    chroot "$root" useradd --system --gid cloudbees --home-dir /var/lib/cloudbees-cm --create-home cloudbees
    chroot "$root" install -d -o cloudbees -g cloudbees /var/cache/cloudbees-cm
    install -D -m 755 "$7/packages/launch-script/start.sh" "$root/opt/cloudbees/cm/start.sh"
    install -m 644 "$4/cloudbees-core-cm.war" "$root/opt/cloudbees/cm/cloudbees-core-cm.war"
    install -m 644 "$7/packages/launch-script/cloudbees-cm.service" "$root/etc/systemd/system/cloudbees-cm.service"
    chroot "$root" systemctl enable cloudbees-cm.service
    ;;
tomcat)
    extra "$3/tomcat"
    chroot "$root" install -d -o tomcat -g tomcat /var/lib/cloudbees-cm
    install -D -m 644 "$4/cloudbees-core-cm.war" "$root/opt/cloudbees/cloudbees-core-cm.war"
    install -D -m 640 "$7/packages/tomcat/ROOT.xml" "$root/etc/tomcat10/Catalina/localhost/ROOT.xml"
    chroot "$root" chown root:tomcat /etc/tomcat10/Catalina/localhost/ROOT.xml
    install -D -m 644 "$7/packages/tomcat/setenv.sh" "$root/var/lib/tomcat10/bin/setenv.sh"
    rm -rf "$root"/var/lib/tomcat10/webapps/ROOT
    ;;
*-rpm*)
    extra "$3/rpm"
    cp "$4/$5" "$root/tmp/"
    mkdir -p "$root/var/lib/rpm"
    chroot "$root" rpm --initdb
    # Debian's older rpms refuse to install without an option that its newer ones do not know
    force=$(chroot "$root" rpm --force-debian --version >/dev/null 2>&1 && echo --force-debian) || force=
    chroot "$root" rpm -ivh --nodeps $force "/tmp/$5"
    ;;
*)
    case $6 in
    *-tools)
        extra "$3/tools"
        chroot "$root" systemctl disable prometheus-blackbox-exporter.service
        ;;
    *-gitops) extra "$3/gitops" ;;
    *-starters)
        # cron pre-depends on it: dpkg wants that configured first.
        cp "$3"/starters/cron-daemon-common_*.deb "$root/tmp/"
        chroot "$root" sh -c 'dpkg --force-unsafe-io -i /tmp/cron-daemon-common_*.deb'
        extra "$3/starters"
        chroot "$root" systemctl disable supervisor.service monit.service runit.service cron.service
        ;;
    esac
    cp "$4/$5" "$root/tmp/"
    chroot "$root" dpkg -i "/tmp/$5"
    ;;
esac
rm -f "$root/usr/sbin/policy-rc.d" "$root"/var/log/dpkg.log "$root"/var/log/alternatives.log
umount "$root/tmp" "$root/proc"
umount "$root"
rm -rf "$layer/work" "$layer/merged"
"""

CA = r"""
cd "$1"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; chmod 600 "$1"; }
key ca.key
key segment.key
# Python 3.13 checks strictly: key usage, and both key identifiers, must be there.
openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=Test fleet CA" -out ca.pem \
    -addext "keyUsage=critical,keyCertSign,cRLSign"
printf '%s\n' "subjectAltName=DNS:$2" "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
    "extendedKeyUsage=serverAuth" "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" >extensions
openssl req -new -key segment.key -subj "/CN=$2" -out segment.csr
openssl x509 -req -in segment.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 3650 -extfile extensions \
    -out segment.pem
rm -f extensions segment.csr ca.srl
"""


def cache():
    place = os.environ.get("CBOPS_FLEET_CACHE")
    if not place:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        place = os.path.join(home, "cbops-telemetry-fleet")
    if re.search(r"[:,\\\s]", place):
        raise machine.FleetError("the cache's path must be free of : , \\ and blanks (overlay mounts): " + place)
    return Path(place).absolute()


def lock():
    """For whoever builds, mounts or removes: what is mounted is known to be in use, so mounting ends the danger."""
    return machine.lock(cache() / "lock", timeout=1800, what="another fleet's build")


def in_use(folder):
    """Whether a host that runs has this folder in its root file system."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return any(str(folder) + "/" in line for line in mounts)


def make(name, key, build):
    """The cache's folder for this name and key; built now if it is not there."""
    folder = cache() / ("%s-%s" % (name, key))
    if folder.is_dir():
        return folder
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # of a build that was killed
    part.mkdir(parents=True)
    log = folder.with_name(folder.name + ".log")  # stays where a build failed
    build(part, log)
    part.rename(folder)
    return folder


def remove_older(folder):
    """Remove the same thing by older recipes, unless hosts stand on it still."""
    name = folder.name.rpartition("-")[0]
    for old in cache().glob(name + "-*"):
        # The pattern keeps layer-x-cm-rpm from taking layer-x-cm-rpm-array along.
        if old == folder or not re.fullmatch(re.escape(name) + r"-[0-9a-f]{12}(\.part|\.log)?", old.name):
            continue
        if old.is_dir() and not in_use(old):
            shutil.rmtree(old, ignore_errors=True)
        elif old.suffix == ".log":
            old.unlink()


def extras(release):
    """What only some kinds of host get, by group."""
    return dict(EXTRA, **RELEASE_EXTRA.get(release, {}))


def build_base(part, log, release, ca):
    ubuntu = release not in ("bullseye", "bookworm", "trixie")
    mirror = machine.mirror("ubuntu" if ubuntu else "debian")
    keyring = machine.UBUNTU_KEYRING if ubuntu else machine.DEBIAN_KEYRING
    extra = part / "extra"
    for group in extras(release):
        (extra / group / "partial").mkdir(parents=True)
    include = BASE_PACKAGES + RELEASE_PACKAGES.get(release, []) + [profiles.JRE[release]]
    command = ["mmdebstrap"] + MMDEBSTRAP
    command += [FETCH % (group, " ".join(names)) for group, names in extras(release).items()]
    command += ["--aptopt=" + option for option in machine.apt_options()]
    command += ["--keyring=%s" % keyring, "--keyring=/etc/apt/trusted.gpg.d", "--include=" + ",".join(include)]
    command += [release, str(part / "root"), mirror]
    command += ["--components=main,universe"] if ubuntu else []
    machine.say("building the base of %s (about a minute, once)" % release)
    machine.run_enclosed('"$@"', log, 900, command, {"FLEET_EXTRA": str(extra)})
    machine.run_enclosed('sh "$@"', log, 300, [machine.HERE / "customize.sh", part / "root", ca / "ca.pem"])


def build_layer(part, log, base, products, kind):
    machine.run_enclosed(
        LAYER,
        log,
        300,
        [base / "root", part, base / "extra", products, packages.filename(kind) or "", kind, machine.HERE],
    )


def build(hosts):
    """Build what these hosts need and the cache lacks. Returns ({(release, kind): [layer, base]}, CA folder)."""
    for release in {one["release"] for one in hosts}:
        if release not in profiles.JRE:
            raise machine.CannotRun("no recipe for a base of %s" % release)
    cache().mkdir(parents=True, exist_ok=True)
    os.chmod(cache(), 0o700)  # the CA's key
    ca = make(
        "ca",
        machine.digest(CA, profiles.SEGMENT),
        lambda part, log: machine.run_enclosed(CA, log, 60, [part, profiles.SEGMENT]),
    )
    products = make("packages", packages.recipe(), lambda part, _: packages.build(part))
    customize = (machine.HERE / "customize.sh").read_bytes()
    bases, base_keys = {}, {}
    releases = sorted({one["release"] for one in hosts})
    for release in releases:
        base_keys[release] = machine.digest(
            BASE_PACKAGES,
            RELEASE_PACKAGES.get(release),
            extras(release),
            FETCH,
            profiles.JRE[release],
            MMDEBSTRAP,
            customize,
            (ca / "ca.pem").read_bytes(),
        )

    def base(release):
        return make("base-" + release, base_keys[release], lambda part, log: build_base(part, log, release, ca))

    def layer(pair):
        release, kind = pair
        sources = [(machine.HERE / "segment_server.py").read_bytes()] if kind == "segment" else []
        key = machine.digest(base_keys[release], packages.recipe(), kind, LAYER, *sources)
        return make("layer-%s-%s" % pair, key, lambda part, log: build_layer(part, log, bases[release], products, kind))

    pairs = sorted({(one["release"], one["kind"]) for one in hosts if one["kind"] != "plain"})
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        bases.update(zip(releases, pool.map(base, releases)))
        layers = dict(zip(pairs, pool.map(layer, pairs)))
    for folder in [ca, products] + list(bases.values()) + list(layers.values()):
        remove_older(folder)
    standing = {(release, "plain"): [folder / "root"] for release, folder in bases.items()}
    standing.update({pair: [path / "root", bases[pair[0]] / "root"] for pair, path in layers.items()})
    return standing, ca


def clean():
    """Remove the cache, unless a host (of another checkout's fleet) still stands on it."""
    if not cache().is_dir():
        return
    with lock():
        used = [path.name for path in cache().iterdir() if in_use(path)]
        if used:
            raise machine.FleetError("the cache is in use by a fleet of another checkout: " + ", ".join(sorted(used)))
        shutil.rmtree(cache())
