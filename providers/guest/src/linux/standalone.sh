# For a machine that no plan has read: what a plan decides elsewhere is decided here, by the machine's own files.
# Nobody may be there to confirm anything, so nothing is taken back.
arm_revert() { rm -f /var/lib/plimsoll/revert.*; }
tell() { printf 'plimsoll: %s\n' "$*"; }
require_systemd() {
  [ "$(print_init)" = systemd ] ||
    refuse 79 "this machine boots with $(print_init), not with systemd, so that nothing set here would survive a reboot"
}
# The record as lines of fields with tabs between: `run`, deployment, number; `claim`, entry, deployment, lineage. It fails
# on a record that holds anything which this script could not write again.
record_lines() {
  [ -e /var/lib/plimsoll/record.json ] || return 0
  awk '
    function name(line) { sub(/^ *"/, "", line); sub(/": .*$/, "", line); return line }
    function value(line) { sub(/^[^:]*": /, "", line); gsub(/^"|"?,?$/, "", line); return line }
    /\\|\t/ { exit 1 }
    $0 == "{" || $0 == "  \"format\": \"plimsoll-guest-record\"," || $0 == "  \"version\": 1," { next }
    $0 == "  \"runs\": {" || $0 == "  \"runs\": {}," || $0 == "  }," { next }
    $0 == "  \"entries\": {" || $0 == "  \"entries\": {}" || $0 == "  }" || $0 == "}" { next }
    $0 == "      \"claims\": [" || $0 == "        {" || $0 ~ /^        [}],?$/ || $0 == "      ]" || $0 ~ /^    [}],?$/ { next }
    /^    "[a-z0-9-]*": [0-9]+,?$/ { print "run\t" name($0) "\t" value($0); next }
    /^    "[^"]*": [{]$/ { entry = name($0); next }
    /^          "deployment": "[^"]*",$/ { deployment = value($0); next }
    /^          "lineage": "[^"]*"$/ { print "claim\t" entry "\t" deployment "\t" value($0); next }
    { exit 1 }' /var/lib/plimsoll/record.json
}
# The same lines as the text of the record.
record_text() {
  sort -u | awk -F '\t' '
    function end_entry() { if (entry != "") entries = entries "\n      ]\n    }" }
    $1 == "run" { runs = runs (runs == "" ? "" : ",\n") "    \"" $2 "\": " $3 }
    $1 == "claim" && $2 != entry {
      end_entry()
      entries = entries (entry == "" ? "" : ",\n") "    \"" $2 "\": {\n      \"claims\": [\n"
      entry = $2
      between = ""
    }
    $1 == "claim" {
      entries = entries between "        {\n          \"deployment\": \"" $3 "\",\n          \"lineage\": \"" $4 "\"\n        }"
      between = ",\n"
    }
    END {
      end_entry()
      print "{\n  \"format\": \"plimsoll-guest-record\",\n  \"version\": 1,"
      print runs == "" ? "  \"runs\": {}," : "  \"runs\": {\n" runs "\n  },"
      print entries == "" ? "  \"entries\": {}" : "  \"entries\": {\n" entries "\n  }"
      print "}"
    }'
}
# Claims of this deployment under another state are not this script's to touch. Those of an earlier script become ours.
read_record() {
  deployment=$1
  lineage=$2
  run=$3
  refuse_older_run "$deployment" "$run"
  record=$(record_lines) ||
    refuse 76 'the record of this machine holds what this script does not understand; let plimsoll apply write it'
  other=$(printf '%s\n' "$record" | awk -F '\t' -v d="$deployment" -v l="$lineage" \
    '$1 == "claim" && $3 == d && $4 != l && $4 != "guest script" { print $4; exit }')
  [ -z "$other" ] || refuse 76 "$deployment has claims in this machine under another state (lineage $other)"
  record=$(printf '%s\n' "$record" | awk -F '\t' -v OFS='\t' -v d="$deployment" -v l="$lineage" -v r="$run" '
    $1 == "claim" && $3 == d { $4 = l }
    $1 == "run" && $2 == d && r > 0 { next }
    NF { print }
    END { if (r > 0) print "run", d, r }')
}
# Whether this deployment claims an entry.
is_ours() {
  printf '%s\n' "$record" | awk -F '\t' -v e="$1" -v d="$deployment" '$1 == "claim" && $2 == e && $3 == d { found = 1 } END { exit !found }'
}
# Whether anybody claims it.
is_recorded() {
  printf '%s\n' "$record" | awk -F '\t' -v e="$1" '$1 == "claim" && $2 == e { found = 1 } END { exit !found }'
}
keep_record() {
  text=$(printf '%s\n' "$record" | record_text)
  if [ "$(cat /var/lib/plimsoll/record.json 2>/dev/null)" != "$text" ]; then
    write_file /var/lib/plimsoll/record.json 600 <<PLIMSOLL
$text
PLIMSOLL
  fi
}
# Writes what the unit runs at boot, with the digest that tells that nobody else wrote it.
keep_boot() {
  digest=$(printf '%s\n' "$1" | sha256sum) || refuse 78 'sha256sum is missing'
  text="$1
# sha256 ${digest%% *}"
  if [ "$(cat /var/lib/plimsoll/boot.sh 2>/dev/null)" != "$text" ]; then
    write_file /var/lib/plimsoll/boot.sh 600 <<PLIMSOLL
$text
PLIMSOLL
  fi
}
# The address with which this machine speaks to Azure's own, which is where Azure's probes go.
find_own_ipv4() {
  own_ipv4=$(ip -4 -o route get 168.63.129.16 2>/dev/null | awk '{ for (i = 1; i < NF; i++) if ($i == "src") { print $(i + 1); exit } }')
  case $own_ipv4 in '' | *[!0-9.]*) refuse 78 'this machine has no IPv4 address of its own yet; run the script when its network is up' ;; esac
}
find_own_ipv6() {
  own_ipv6=$(ip -6 -o addr show scope global 2>/dev/null | awk '$2 != "lo" && !/ temporary / { sub("/.*", "", $4); print $4; exit }')
  case $own_ipv6 in '' | *[!0-9a-f:]*) refuse 78 'this machine has no IPv6 address of its own yet; run the script when its network is up' ;; esac
}
# Runs a function with each line of the input as one argument more; without any it does nothing.
with_lines() {
  lines=$(cat)
  [ -n "$lines" ] || return 0
  while IFS= read -r line; do
    [ -z "$line" ] || set -- "$@" "$line"
  done <<PLIMSOLL
$lines
PLIMSOLL
  attempt firewall "$@"
}
