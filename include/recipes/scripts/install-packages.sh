#!/bin/bash
# Install the packages named in PACKAGES, separated by blanks. Safe to run again.
set -euo pipefail
: "${PACKAGES:?set it to the packages to install}"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a

if command -v cloud-init >/dev/null; then
  cloud-init status --wait >/dev/null || [[ $? -eq 2 ]]
fi

read -r -a packages <<<"$PACKAGES"
apt_get=(apt-get -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5)
"${apt_get[@]}" update
"${apt_get[@]}" install --no-install-recommends "${packages[@]}"
apt-get clean

for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${Package} ${Version}\n' "$package"
done
