# Turns a fresh Debian tree into the read-only base of the fleet's hosts.
# Run by base.py as `sh customize.sh ROOT CA.pem`, in mount and process namespaces of its own.
set -eu
root=$1
ca=$2
LC_ALL=C.UTF-8
DEBIAN_FRONTEND=noninteractive
export LC_ALL DEBIAN_FRONTEND

# Nothing of the machine that built it stays inside: no mirror, no proxy, no keys, no resolver.
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/99mmdebstrap \
    "$root"/etc/apt/auth.conf* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/apt/* \
    "$root"/var/log/bootstrap.log "$root"/var/log/dpkg.log "$root"/var/log/alternatives.log "$root"/etc/ssh/ssh_host_*
rm -f "$root/etc/resolv.conf" "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
: >"$root/etc/resolv.conf"
: >"$root/etc/machine-id"

# What wants hardware, the network's configuration, the clock or the kernel's settings: the hosts share one kernel,
# and their network is there before they are.
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
    systemd-udev-trigger.service systemd-udev-settle.service systemd-logind.service getty.target console-getty.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket systemd-resolved.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    dev-hugepages.mount dev-mqueue.mount systemd-modules-load.service systemd-sysctl.service systemd-pstore.service \
    modprobe@.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-hwdb-update.service \
    systemd-firstboot.service ldconfig.service; do
    ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n' >"$root/etc/systemd/journald.conf.d/fleet.conf"
# A service that will not stop must not hold up a test for the usual 90 s.
printf '[Manager]\nDefaultTimeoutStopSec=20s\n' >"$root/etc/systemd/system.conf.d/fleet.conf"

# Many logins at once, no name look-ups for them.
mkdir -p "$root/etc/ssh/sshd_config.d"
printf 'UseDNS no\nMaxStartups 200\nMaxSessions 100\nPasswordAuthentication no\n' \
    >"$root/etc/ssh/sshd_config.d/fleet.conf"

# `ansible` may become root, `auditor` may not.
chroot "$root" useradd -m -u 1000 -s /bin/sh ansible
chroot "$root" useradd -m -u 1001 -s /bin/sh auditor
echo 'ansible ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/ansible"
chmod 440 "$root/etc/sudoers.d/ansible"

# rpm on Debian keeps its database in root's home; on the hosts it lies where the RPM family has it.
mkdir -p "$root/etc/rpm"
echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros.fleet"

# Trust the fleet's own CA. It stands among the public authorities that the distribution ships, as the one of the real
# api.segment.io does; otherwise every answer would be taken for an inspected one. Java's trust store is only written when /proc is there, and is not repaired later.
mount -t proc proc "$root/proc"
cp "$ca" "$root/usr/share/ca-certificates/mozilla/fleet-test-ca.crt"
echo mozilla/fleet-test-ca.crt >>"$root/etc/ca-certificates.conf"
chroot "$root" update-ca-certificates
umount "$root/proc"
test -s "$root/etc/ssl/certs/java/cacerts"
test -L "$root/etc/ssl/certs/fleet-test-ca.pem"
