#!/usr/bin/env bash
# Makes the two tokens that InfluxDB's clients need, once, with InfluxDB's own client: for the collector to read and write Fleetmark's buckets,
# for Grafana to read them. A token file that is there is kept.
set -euo pipefail
INFLUX_TOKEN="$(cat /run/secrets/influx_admin_token)"
export INFLUX_TOKEN

buckets="$(influx bucket list --hide-headers | awk '$2 ~ /^fleetmark/ { print $1 }')"
[ -n "$buckets" ] || { echo "no bucket of Fleetmark's is there yet" >&2; exit 1; }

make_token() { # OWNER RIGHT…
  local file="/tokens/$1/influx_token" arguments=() bucket right token
  [ ! -s "$file" ] || return 0
  for bucket in $buckets; do
    for right in "${@:2}"; do arguments+=("--$right-bucket" "$bucket"); done
  done
  token="$(influx auth create --description "fleetmark $1" --json --read-dbrps "${arguments[@]}" | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')"
  [ -n "$token" ] || { echo "no token for $1" >&2; exit 1; }
  printf '%s' "$token" >"$file"
  # Readable for the owner's user in its container; the volume is mounted nowhere else.
  chmod 644 "$file"
  echo "token for $1 made"
}
make_token collector read write
make_token grafana read
