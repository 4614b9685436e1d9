#!/bin/bash
# Pass on a copy of the appliance: it serves, it has keys and an identity of its own, and no account of the build.
set -euo pipefail
failed=0
complain() {
  echo "$1" >&2
  failed=1
}

answer=$(curl --silent --show-error --retry 10 --retry-connrefused --retry-delay 2 --max-time 5 http://localhost/health || true)
[[ $answer == ready ]] || complain "the health page answers '$answer'"
[[ -s /etc/machine-id ]] || complain "the machine has no identity"

booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
for key in /etc/ssh/ssh_host_*_key; do
  (($(stat -c %Y "$key") >= booted)) || complain "$key came with the image: every copy would share it"
done

accounts=$(getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 { print $1 }')
[[ -z $accounts ]] || complain "accounts of the build are left: $(paste -sd ' ' <<<"$accounts")"
exit "$failed"
