#!/bin/bash
# Pass on a fresh machine from a generalized image: it set itself up, and nothing of the build came along.
set -euo pipefail
failed=0
complain() {
  echo "$1" >&2
  failed=1
}

cloud-init status --wait >/dev/null || [[ $? -eq 2 ]] || complain "cloud-init failed: $(cloud-init status --long | tail -n 3 | paste -sd ' ')"

booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
for key in /etc/ssh/ssh_host_*_key; do
  (($(stat -c %Y "$key") >= booted)) || complain "$key is older than this machine: every machine of the image would share it"
done

# The machine has an account of its own; a second one is the build's.
accounts=$(getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }')
(($(wc -w <<<"$accounts") <= 1)) || complain "accounts of the build are left: $(paste -sd ' ' <<<"$accounts")"

[[ $(systemctl is-system-running --wait || true) == running ]] || complain "failed units: $(systemctl --failed --no-legend --plain | awk '{ print $1 }' | paste -sd ' ')"
exit "$failed"
