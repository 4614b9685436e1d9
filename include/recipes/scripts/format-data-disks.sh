#!/bin/bash
# Format and mount the data disks named in DISKS as <lun>:<mount point>, separated by blanks. Safe to run again: a disk with a file system is kept.
set -euo pipefail
: "${DISKS:?set it to <lun>:<mount point> …}"

read -r -a disks <<<"$DISKS"
for disk in "${disks[@]}"; do
  lun=${disk%%:*}
  mount_point=${disk#*:}
  # Azure's udev rules name SCSI disks by LUN in scsi1/, and those of NVMe sizes in data/by-lun/.
  device=""
  for candidate in "/dev/disk/azure/scsi1/lun$lun" "/dev/disk/azure/data/by-lun/$lun"; do
    if [[ -e $candidate ]]; then device=$(readlink -f "$candidate"); fi
  done
  if [[ -z $device ]]; then
    echo "There is no disk with LUN $lun." >&2
    exit 1
  fi
  if [[ -z $(blkid -s TYPE -o value "$device" || true) ]]; then
    mkfs.ext4 -q -L "lun$lun" "$device"
  fi
  uuid=$(blkid -s UUID -o value "$device")
  install -d "$mount_point"
  sed -i "\\#^[^ ]* $mount_point #d" /etc/fstab
  # nofail: a machine without its data disk still boots, and can be looked at.
  printf 'UUID=%s %s ext4 defaults,noatime,nofail 0 2\n' "$uuid" "$mount_point" >>/etc/fstab
  systemctl daemon-reload
  mountpoint -q "$mount_point" || mount "$mount_point"
  echo "LUN $lun ($device) is mounted at $mount_point."
done
