#!/bin/bash
# Turn the machine into an appliance whose copies are ready when they are on. Safe to run again.
# A specialized image is not deprovisioned: what must differ between its machines is renewed by the machine itself, at its first boot.
set -euo pipefail

install -d -m 0755 /var/www/html
printf 'ready\n' >/var/www/html/health
cat >/etc/nginx/sites-available/default <<'CONF'
server {
  listen 80 default_server;
  listen [::]:80 default_server;
  server_tokens off;
  root /var/www/html;
  location = /health { default_type text/plain; }
}
CONF
nginx -t
systemctl enable nginx
systemctl reload-or-restart nginx

# Enabled and not started: it runs once on each copy, and not on the machine that the image is made of.
cat >/etc/systemd/system/renew-host-keys.service <<'UNIT'
[Unit]
Description=Make SSH host keys of this machine's own
ConditionPathExists=!/var/lib/image-factory/own-host-keys
Before=ssh.service ssh.socket
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub && ssh-keygen -A'
ExecStart=/usr/bin/install -D -m 0644 /dev/null /var/lib/image-factory/own-host-keys
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable renew-host-keys.service

# The build's account would be in every copy; nobody signs in with it, and Azure's agent runs as root.
build_account=$(getent passwd 1000 | cut -d: -f1 || true)
if [[ -n $build_account ]]; then
  loginctl terminate-user "$build_account" 2>/dev/null || true
  userdel --remove --force "$build_account"
  rm -f /etc/sudoers.d/90-cloud-init-users
fi
rm -rf /root/.ssh /root/.bash_history
# Empty, so that systemd gives each copy an identity of its own (machine-id(5)).
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
journalctl --rotate --vacuum-time=1s --quiet
echo "The appliance is made."
