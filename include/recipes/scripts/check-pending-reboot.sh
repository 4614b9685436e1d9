#!/bin/bash
# Pass when nothing waits for a reboot and the newest installed kernel is the running one.
set -euo pipefail
if [[ -e /run/reboot-required ]]; then
  echo "A reboot is pending for: $(paste -sd ' ' /run/reboot-required.pkgs 2>/dev/null || echo unknown)" >&2
  exit 1
fi
newest=$(find /boot -maxdepth 1 -name 'vmlinuz-*' -printf '%f\n' | sort -V | tail -n 1)
running="vmlinuz-$(uname -r)"
if [[ -n $newest && $newest != "$running" ]]; then
  echo "The machine runs $running and has $newest: reboot it after the update." >&2
  exit 1
fi
