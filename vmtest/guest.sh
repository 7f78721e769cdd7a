#!/bin/sh
# Runs in the guest: guest.sh SHARE TREE STDLIB [WHAT PYTHON RUNS], else the tests. The tree, its
# .venv and Python's library are taken from archives into memory: each file read over 9p is slow.
set -eu
share=$1 tree=$2 stdlib=$3
shift 3
[ $# -gt 0 ] || set -- -m vmtest.guest
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
mkdir -p /run/share /run/tree
mount --bind "$share" /run/share
mount -t tmpfs none /run/tree
mkdir /run/tree/tree /run/tree/stdlib
dd if=/run/share/tree.tar bs=4M status=none | tar -x -C /run/tree/tree
dd if=/run/share/stdlib.tar bs=4M status=none | tar -x -C /run/tree/stdlib
mount -t tmpfs none /tmp
mkdir -p "$tree" 2>/dev/null || true # it may have been below /tmp
mount --bind /run/tree/tree "$tree"
mount --bind /run/tree/stdlib "$stdlib"
cd "$tree"
export PATH="$tree/.venv/bin:$PATH" PYTHONPATH="$tree/src:$tree"
exec python "$@"
