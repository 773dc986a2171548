# Answers with one window of what the script printed: little comes back from here. The length and the digest are those
# of the whole, so that windows of two different answers are never put together.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
have() { command -v "$1" >/dev/null 2>&1; }
answer=$(
  {
    {
      run_script
      printf '\nplimsoll-status %s\n' "$?"
    } 2>&1 >&3 3>&- | grep . | tail -n 1 | cut -c 1-400 | sed 's/^/plimsoll-said /'
  } 3>&1
)
status=${answer##*plimsoll-status }
status=${status%%[!0-9]*}
if have gzip && have base64; then
  form=gzip
  packed=$(printf '%s\n' "$answer" | gzip -9 -n | base64 | tr -d '\n')
else
  form=plain
  packed=$answer
fi
total=$(($(printf '%s' "$packed" | wc -c)))
digest=$(printf '%s' "$packed" | sha256sum)
printf 'plimsoll-part 1 %s %s %s %s %s\n' "$form" "$status" "$offset" "$total" "${digest%% *}"
printf '%s' "$packed" | tail -c "+$((offset + 1))" | head -c "$window"
printf '\nplimsoll-part-end\n'
