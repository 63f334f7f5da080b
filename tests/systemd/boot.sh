#!/bin/sh
# boot.sh ROOT TREE SHARE: systemd as process 1 of this PID namespace.
#
# Called by box.py under unshare, in mount, PID, network, UTS, IPC and cgroup namespaces of its own.
# TREE (colon-separated, the first counts most) is not written to: it lies below an overlay in memory,
# mounted at ROOT. SHARE is seen inside as /share. /proc/sys and /sys are read-only and the
# capabilities that reach beyond the namespaces are gone, so what boots here changes nothing of the
# machine.
set -eu

root=$1
tree=$2
share=$3
away=sys_module,sys_rawio,sys_time,sys_boot,mknod,syslog,audit_control,audit_read
away=$away,mac_admin,mac_override,wake_alarm,block_suspend,perfmon,bpf

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/data" "$root/work" "$root/root"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$root/data,workdir=$root/work" "$root/root"
root=$root/root
mkdir -p "$root/share" "$root/old"
mount --bind "$share" "$root/share"
mount -t proc -o nosuid,noexec,nodev proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,noexec,nodev sysfs "$root/sys"
mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o nosuid,nodev tmpfs "$root/tmp"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
echo box >"$root/etc/hostname"
echo 127.0.0.1 localhost box >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
ip link set lo up
cd "$root"
pivot_root . old
umount -l /old
# As where process 1 is no container's: a mount made for one unit is seen in the others.
mount --make-rshared /
exec env -i container=onced-test PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    setpriv --bounding-set "-$(echo "$away" | sed 's/,/,-/g')" \
    /lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no </dev/null
