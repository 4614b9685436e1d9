#!/bin/bash
# Pass when the image carries no key and no password that lets somebody in.
set -euo pipefail
failed=0
complain() {
  echo "$1" >&2
  failed=1
}

# Azure's agent tells root's visitors to come as another user; any other line there is a way in.
if [[ -s /root/.ssh/authorized_keys ]] && grep -vE '^\s*(#|$)' /root/.ssh/authorized_keys | grep -vq 'Please login as the user'; then
  complain "/root/.ssh/authorized_keys lets somebody in as root"
fi

# The build's own account is the first of the machine; deprovisioning, or the recipe, takes it away.
build_account=$(getent passwd 1000 | cut -d: -f1 || true)
while IFS=: read -r account _ uid _ _ home _; do
  ((uid >= 1000 && uid < 60000)) || continue
  if [[ $account != "$build_account" && -s $home/.ssh/authorized_keys ]]; then
    complain "$home/.ssh/authorized_keys lets somebody in as $account"
  fi
done < <(getent passwd)

while IFS=: read -r account password _; do
  [[ $password == '$'* ]] && complain "$account has a password"
done </etc/shadow

while IFS= read -r key; do
  complain "$key is a private key"
done < <(find /root /home -xdev -maxdepth 3 -type f \( -path '*/.ssh/*' -o -name '*.pem' -o -name '*.key' \) \
  -exec grep -lE -e '-----BEGIN ([A-Z]+ )*PRIVATE KEY-----' {} + 2>/dev/null)
exit "$failed"
