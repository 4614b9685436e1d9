#!/bin/bash
# Pass when each disk of DISKS (<lun>:<mount point> …) is mounted where it should be, from the right LUN, and will be again after a reboot.
set -euo pipefail
: "${DISKS:?set it to <lun>:<mount point> …}"

failed=0
read -r -a disks <<<"$DISKS"
for disk in "${disks[@]}"; do
  lun=${disk%%:*}
  mount_point=${disk#*:}
  source=$(findmnt --noheadings --output SOURCE --mountpoint "$mount_point" || true)
  expected=""
  for candidate in "/dev/disk/azure/scsi1/lun$lun" "/dev/disk/azure/data/by-lun/$lun"; do
    if [[ -e $candidate ]]; then expected=$(readlink -f "$candidate"); fi
  done
  if [[ -z $source || $source != "$expected" ]]; then
    echo "$mount_point is on '${source:-nothing}', not on LUN $lun (${expected:-no such disk})." >&2
    failed=1
  fi
  if ! findmnt --fstab --noheadings --mountpoint "$mount_point" >/dev/null; then
    echo "$mount_point is not in /etc/fstab." >&2
    failed=1
  fi
done
exit "$failed"
