# The first process of the loopback fleet: makes what a host's root needs and serves it.
#   sh loopback.sh ROOT WAR-PACKAGE    in new mount, process, UTS, IPC and cgroup namespaces
# What it starts is not more than sshd and one controller; both end with this process, which is their namespace's init.
set -eu
root=$1
name=$2
mount --make-rprivate /
hostname loopback
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
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
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
mkdir run/.outside
pivot_root . run/.outside
cd /
umount -l /run/.outside
rmdir /run/.outside
mkdir /run/sshd
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
"/etc/init.d/$name" start
# One on the wildcard address is every address of 127/8.
/usr/sbin/sshd -D -e -p 22 -o KexAlgorithms=curve25519-sha256,curve25519-sha256@libssh.org &
/usr/sbin/sshd -D -e -p 2222 &
# A jump host, with OpenSSH's own limits.
/usr/sbin/sshd -D -e -p 2224 -o MaxStartups=10:30:100 -o MaxSessions=10 \
    -o KexAlgorithms=curve25519-sha256,curve25519-sha256@libssh.org &
wait
