#!/bin/bash
# Pass on a fresh machine whose image has data disks: it set itself up, and the disks of DISKS (<lun>:<mount point> …) are mounted and take writing.
set -euo pipefail
: "${DISKS:?set it to <lun>:<mount point> …}"
cloud-init status --wait >/dev/null || [[ $? -eq 2 ]]

failed=0
read -r -a disks <<<"$DISKS"
for disk in "${disks[@]}"; do
  mount_point=${disk#*:}
  if ! mountpoint -q "$mount_point"; then
    echo "$mount_point is not mounted." >&2
    failed=1
  elif ! { probe=$(mktemp -p "$mount_point") && rm -f "$probe"; }; then
    echo "$mount_point takes no writing." >&2
    failed=1
  fi
done
exit "$failed"
