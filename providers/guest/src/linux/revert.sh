# Before something that could cut this machine off: it takes that back by itself once $confirm_within seconds have passed,
# unless `confirm` runs meanwhile, over a connection that was made after it. WHAT was done, and settings for `revert_text`.
arm_revert() {
  token=$run-$$
  if ! {
    printf '#!/bin/sh\n# boot %s run %s: %s\ntoken=%s\n' "$(cat /proc/sys/kernel/random/boot_id)" "$run" "$1" "$token"
    shift
    printf '%s\n' "$@"
    revert_text
  } >/var/lib/plimsoll/revert.draft || ! mv -f /var/lib/plimsoll/revert.draft /var/lib/plimsoll/revert.sh; then
    echo 'what takes the change back cannot be written, so it was not made'
    return 1
  fi
  rm -f /var/lib/plimsoll/reverted.sh
  if have systemd-run; then
    systemctl stop plimsoll-revert.timer >/dev/null 2>&1
    systemctl reset-failed plimsoll-revert.timer plimsoll-revert.service >/dev/null 2>&1
    # Timers come up to a minute late where nothing else is asked for.
    systemd-run --quiet --unit=plimsoll-revert --on-active="$confirm_within" --timer-property=AccuracySec=1s \
      /bin/sh /var/lib/plimsoll/revert.sh "$token" >/dev/null 2>&1 && return 0
  fi
  # No manager that could do it. It must hold neither our lock nor the connection.
  apart='nohup'
  if have setsid; then apart='setsid'; fi
  # shellcheck disable=SC2016 # It is the other shell that expands them.
  $apart sh -c 'sleep "$1"; exec sh /var/lib/plimsoll/revert.sh "$2"' sh "$confirm_within" "$token" \
    </dev/null >/dev/null 2>&1 9<&- &
}
