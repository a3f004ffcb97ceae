# The first process of a host: makes its namespaces and the mounts a container manager would make, and becomes systemd.
#   sh boot.sh start CGROUP NETNS ROOT NAME    outside: join the host's cgroup and network, then the rest
#   sh boot.sh inside ROOT NAME                inside the new namespaces, as process 1
set -eu

start() {
    # First of all the cgroup: it is how `down` finds every process of the fleet.
    echo $$ >"$1/cgroup.procs"
    exec nsenter --net="/run/netns/$2" unshare --fork --pid --mount --uts --ipc --cgroup --kill-child \
        sh "$0" inside "$3" "$4"
}

inside() {
    root=$1
    name=$2
    mount --make-rprivate /
    hostname "$name"
    mount --bind "$root" "$root"
    cd "$root"
    mount -t proc -o nosuid,nodev,noexec proc proc
    # The kernel's settings belong to the machine: a host may read them.
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro,nosuid,nodev,noexec proc/sys
    for file in proc/sysrq-trigger proc/kmsg; do
        if [ -e $file ]; then mount --bind /dev/null $file; fi
    done
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755,size=1m tmpfs dev
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
    mount -t tmpfs -o mode=1777,size=32m tmpfs dev/shm
    for device in null:3 zero:5 full:7 random:8 urandom:9; do
        mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
    done
    mknod -m 666 dev/tty c 5 0
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s fd/0 dev/stdin
    ln -s fd/1 dev/stdout
    ln -s fd/2 dev/stderr
    mount -t tmpfs -o mode=755,nosuid,nodev,size=64m tmpfs run
    mount -t tmpfs -o mode=1777,nosuid,nodev,size=128m tmpfs tmp
    mkdir run/.outside
    pivot_root . run/.outside
    cd /
    umount -l /run/.outside
    rmdir /run/.outside
    exec env -i container=fleet PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=0
}

"$@"
