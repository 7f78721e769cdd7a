#!/bin/sh
# Who may do what here. The other scripts source this file; it also runs one of its functions:
#   tools/privilege.sh as_owner COMMAND [ARGUMENT…]
#   tools/privilege.sh as_root COMMAND [ARGUMENT…]

# One line that names what is missing and the command that mends it.
fail() {
	echo "connscope: $*" >&2
	exit 1
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

# Whose the tree is. Root works on it in their name, so that they can still change it afterwards.
tree_owner() {
	stat -c %u .
}

# True if root works on somebody else's tree and can do so in their name.
lends_hand() {
	is_root && [ "$(tree_owner)" -ne 0 ] && run_as_owner test -w "$PWD" 2>/dev/null
}

# An owner without an account here (a tree mounted into a container) gets no home.
run_as_owner() {
	owner_home=$(getent passwd "$(tree_owner)" | cut -d: -f6)
	setpriv --reuid "$(tree_owner)" --regid "$(stat -c %g .)" --clear-groups \
		env -u LOGNAME -u USER -u USERNAME HOME="${owner_home:-/nonexistent}" "$@"
}

# Runs a command as whoever owns the tree, or as the caller if that is the same or can not be.
as_owner() {
	if lends_hand; then
		run_as_owner "$@"
	else
		"$@"
	fi
}

# Runs one command as root, by sudo if need be. It may ask for a password if there is a terminal.
as_root() {
	if is_root; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "this needs root and there is no sudo here; as root run: $*"
	fi
}

# True if as_root works without asking for anything.
root_is_free() {
	is_root || sudo -n true 2>/dev/null
}

# True if this process holds CAP_BPF and CAP_PERFMON (bits 39 and 38), or CAP_SYS_ADMIN (21) that
# includes them.
holds_capabilities() {
	held=0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
	[ $((held >> 21 & 1)) -eq 1 ] || [ $((held >> 38 & 3)) -eq 3 ]
}

# Programs for administrators are not in everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

case ${0##*/} in
privilege.sh)
	set -eu
	"$@"
	;;
esac
