#!/bin/bash
# Pass when the SSH server, as it is configured in the end, lets in neither root nor passwords.
set -euo pipefail
install -d -m 0755 /run/sshd
settings=$(sshd -T)
failed=0
for wanted in "permitrootlogin no" "passwordauthentication no" "permitemptypasswords no"; do
  if ! grep -qx "$wanted" <<<"$settings"; then
    echo "sshd: wanted '$wanted', found '$(grep "^${wanted% *} " <<<"$settings" || true)'" >&2
    failed=1
  fi
done
exit "$failed"
