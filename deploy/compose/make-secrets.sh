#!/usr/bin/env bash
# Writes the secrets of compose.yaml into a folder (default: secrets/ beside this script), once: what is there is kept.
# The folder is for its owner alone; the files in it are readable, for Compose hands them into containers with the mode that they have.
set -euo pipefail
folder="${1:-$(dirname "$0")/secrets}"
host="${FLEETMARK_COMPOSE_HOST:-compose-host}"
mkdir -p "$folder"
chmod 700 "$folder"

make_secret() { # NAME: 192 random bits
  [ -s "$folder/$1" ] || od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$1"
  chmod 644 "$folder/$1"
}
for name in nats_collector_password nats_agent_password influx_admin_password influx_admin_token grafana_admin_password smtp_password; do
  make_secret "$name"
done

# Each host may publish as itself and read its own answers, and nothing else; docs/nats.md explains the list.
cat >"$folder/nats_users" <<USERS
users: [
  {
    user: collector, password: "$(cat "$folder/nats_collector_password")"
    permissions: {
      publish: [
        "fleetmark.v1.ack.*", "fleetmark.v1.command.*", "_INBOX.fleetmark.>"
        "\$JS.API.STREAM.INFO.FLEETMARK", "\$JS.API.STREAM.CREATE.FLEETMARK"
        "\$JS.API.CONSUMER.INFO.FLEETMARK.collectors", "\$JS.API.CONSUMER.MSG.NEXT.FLEETMARK.collectors"
        "\$JS.API.CONSUMER.CREATE.FLEETMARK.>", "\$JS.API.CONSUMER.DURABLE.CREATE.FLEETMARK.collectors"
        "\$JS.ACK.FLEETMARK.collectors.>"
      ]
      subscribe: [
        "fleetmark.v1.hello.*", "fleetmark.v1.progress.*", "fleetmark.v1.command_result.*", "_INBOX.fleetmark_collectors.>"
      ]
    }
  }
  {
    user: agent, password: "$(cat "$folder/nats_agent_password")"
    permissions: {
      publish: [
        "fleetmark.v1.batch.$host", "fleetmark.v1.hello.$host", "fleetmark.v1.progress.$host", "fleetmark.v1.command_result.$host"
        "\$JS.API.CONSUMER.INFO.FLEETMARK.collectors", "\$JS.API.STREAM.INFO.FLEETMARK"
      ]
      subscribe: ["fleetmark.v1.ack.$host", "fleetmark.v1.command.$host", "_INBOX.fleetmark.$host.>"]
    }
  }
]
USERS
chmod 644 "$folder/nats_users"
echo "secrets are in $folder"
