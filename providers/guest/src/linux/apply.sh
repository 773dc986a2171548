# The parts that every write is made of.
refuse() {
  code=$1
  shift
  printf '%s\n' "$@" | sed "s/^/plimsoll-refused $code /"
  exit "$code"
}
attempt() {
  entry=$1
  shift
  if ! said=$("$@" 2>&1); then refuse 78 "$entry: \`$*\` failed: $said"; fi
}
begin() {
  [ "$(id -u)" = 0 ] || refuse 77 'not root'
  umask 022
  # A lost connection must not stop it half way: what it set is in the record before it is set.
  trap '' HUP PIPE
  trap end EXIT
  take_lock
  case $(print_unconfirmed) in
  revert.sh*) refuse 75 'a change of an earlier run waits to be confirmed, and is taken back if nobody does' ;;
  reverted.sh*) ;;
  *) rm -f /var/lib/plimsoll/revert.* /var/lib/plimsoll/reverted.sh ;;
  esac
}
# The lock is on our own directory, so that no file of the lock outlives our last entry.
take_lock() {
  if have flock; then
    turn=0
    while [ "$turn" -lt 5 ]; do
      turn=$((turn + 1))
      make_directory
      exec 9</var/lib/plimsoll
      flock -w 20 9 || refuse 75 'another run of plimsoll holds the lock of this guest'
      # The run that held it before us may have removed the directory with its last entry.
      if [ "$(inode "/proc/$$/fd/9")" = "$(inode /var/lib/plimsoll)" ]; then return 0; fi
    done
    refuse 75 'the lock of this guest keeps changing hands'
  fi
  turn=0
  this_boot=$(cat /proc/sys/kernel/random/boot_id)
  until mkdir /var/lib/plimsoll.lock 2>/dev/null; do
    holder=$(cat /var/lib/plimsoll.lock/holder 2>/dev/null)
    # The holder is gone when its process is, or when the machine has booted since.
    if [ -n "$holder" ] && { [ "${holder#* }" != "$this_boot" ] || [ ! -d "/proc/${holder%% *}" ]; }; then
      rm -f /var/lib/plimsoll.lock/holder
      rmdir /var/lib/plimsoll.lock 2>/dev/null
      continue
    fi
    turn=$((turn + 1))
    [ "$turn" -lt 20 ] || refuse 75 'another run of plimsoll holds the lock of this guest'
    sleep 1
  done
  locked_by_directory=yes
  echo "$$ $this_boot" >/var/lib/plimsoll.lock/holder
  make_directory
}
# shellcheck disable=SC2012 # `find -inum` asks the other way round, and these names are ours.
inode() { ls -Ldi "$1" 2>/dev/null | awk '{ print $1 }'; }
make_directory() {
  [ -d /var/lib/plimsoll ] && return 0
  if ! said=$(mkdir -m 700 /var/lib/plimsoll 2>&1) && [ ! -d /var/lib/plimsoll ]; then
    refuse 78 "cannot make /var/lib/plimsoll: $said"
  fi
}
end() {
  rmdir /var/lib/plimsoll 2>/dev/null
  [ -z "${locked_by_directory:-}" ] || rm -rf /var/lib/plimsoll.lock
}
# A script that was sent earlier and comes late must do nothing.
refuse_older_run() {
  [ -e /var/lib/plimsoll/record.json ] || return 0
  newest=$(sed -n '/^  "runs": {/,/^  }/s/^ *"'"$1"'": \([0-9][0-9]*\),\{0,1\}$/\1/p' /var/lib/plimsoll/record.json)
  case $newest in '' | *[!0-9]*) return 0 ;; esac
  if [ "$newest" -gt "$2" ]; then refuse 74 "this guest has seen run $newest of $1, this is run $2"; fi
}
# The record must be what the plan saw, or what this very script leaves behind.
expect_record() {
  if [ -e /var/lib/plimsoll/record.json ]; then
    found=$(sha256sum </var/lib/plimsoll/record.json) || refuse 78 'sha256sum is missing'
    found=${found%% *}
  else
    found=absent
  fi
  for accepted in "$@"; do
    if [ "$found" = "$accepted" ]; then return 0; fi
  done
  refuse 76 'the record of this guest was changed since it was read'
}
# Written beside its place and moved there: a reader sees the old text or the new one.
write_file() {
  draft=$1.plimsoll-$$
  if said=$({ cat >"$draft" && chmod "$2" "$draft"; } 2>&1); then
    sync "$draft" 2>/dev/null
    if said=$(mv -f "$draft" "$1" 2>&1); then
      sync "${1%/*}" 2>/dev/null
      return 0
    fi
  fi
  rm -f "$draft" 2>/dev/null
  refuse 78 "cannot write $1: $said"
}
reload_units() {
  if have systemctl && [ -d /run/systemd/system ]; then systemctl daemon-reload >/dev/null 2>&1 || :; fi
}
# The link is made directly: `systemctl enable` would need a running manager. Nothing is started: this script has just
# done what the unit does at boot.
link_unit() {
  wants=/etc/systemd/system/multi-user.target.wants
  if [ "$(readlink "$wants/plimsoll.service" 2>/dev/null)" != /etc/systemd/system/plimsoll.service ]; then
    attempt 'boot unit' mkdir -p "$wants"
    attempt 'boot unit' ln -sf /etc/systemd/system/plimsoll.service "$wants/plimsoll.service"
  fi
  reload_units
}
remove_unit() {
  attempt 'boot unit' rm -f /etc/systemd/system/multi-user.target.wants/plimsoll.service \
    /etc/systemd/system/plimsoll.service /var/lib/plimsoll/boot.sh /var/lib/plimsoll/reverted.sh
  # Empty, it says nothing, and where it did not exist before it shall not stay.
  rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null
  reload_units
}
holds_address() {
  ip -o addr show dev lo | awk -v wanted="$1" '$4 == wanted { found = 1 } END { exit !found }'
}
expect_address() {
  if ! ip -o addr show | awk -v wanted="$1" '{ sub("/.*", "", $4) } $4 == wanted { found = 1 } END { exit !found }'; then
    moved="${moved:-}address $1 is gone
"
  fi
}
refuse_if_moved() {
  if [ -n "${moved:-}" ]; then refuse 73 "${moved%?}"; fi
}
add_address() {
  holds_address "$1" && return 0
  # nodad: a loopback address has no neighbour that could hold it too, and a tentative one cannot be bound.
  case $1 in
  *:*) attempt "address $1" ip -6 addr replace "$1" dev lo nodad ;;
  *) attempt "address $1" ip -4 addr replace "$1" dev lo ;;
  esac
}
remove_address() {
  if holds_address "$1"; then attempt "address $1" ip addr del "$1" dev lo; fi
}
