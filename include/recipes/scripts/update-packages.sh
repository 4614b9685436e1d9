#!/bin/bash
# Bring every package up to date. Safe to run again; the step reboots afterwards.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a

# cloud-init exits 2 when it finished with recoverable errors, which must not fail the build.
if command -v cloud-init >/dev/null; then
  cloud-init status --wait >/dev/null || [[ $? -eq 2 ]]
fi

# The image's own daily update would hold the lock in the middle of ours.
systemctl stop apt-daily.timer apt-daily-upgrade.timer
systemctl stop apt-daily.service apt-daily-upgrade.service
apt_get=(apt-get -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)

dpkg --configure -a
"${apt_get[@]}" update
"${apt_get[@]}" full-upgrade
"${apt_get[@]}" autoremove --purge
apt-get clean
systemctl start apt-daily.timer apt-daily-upgrade.timer
echo "All packages are up to date."
