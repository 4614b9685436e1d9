#!/bin/bash
# A subset of the CIS benchmark for Ubuntu 24.04 LTS that every image can live with. Safe to run again: it writes whole files.
set -euo pipefail

# CIS 5.1: the SSH server. First match wins in sshd's configuration, hence a name that sorts before cloud-init's file.
install -d -m 0755 /etc/ssh/sshd_config.d
cat >/etc/ssh/sshd_config.d/00-image-factory.conf <<'CONF'
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
X11Forwarding no
MaxAuthTries 4
LoginGraceTime 60
ClientAliveInterval 300
ClientAliveCountMax 3
CONF
chmod 0600 /etc/ssh/sshd_config.d/00-image-factory.conf
install -d -m 0755 /run/sshd
sshd -t
systemctl try-reload-or-restart ssh

# CIS 3.3: network parameters of a host that routes nothing.
cat >/etc/sysctl.d/60-image-factory.conf <<'CONF'
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.default.accept_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv6.conf.all.accept_source_route = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.all.log_martians = 1
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv4.tcp_syncookies = 1
kernel.randomize_va_space = 2
kernel.dmesg_restrict = 1
fs.suid_dumpable = 0
CONF
sysctl --quiet --load /etc/sysctl.d/60-image-factory.conf

# CIS 1.1.1: file systems and protocols that no server of ours reads.
for module in cramfs freevxfs hfs hfsplus jffs2 usb-storage dccp rds sctp tipc; do
  printf 'install %s /bin/false\nblacklist %s\n' "$module" "$module"
done >/etc/modprobe.d/60-image-factory.conf

# CIS 5.4 and 7.1: new files are their owner's, cron is root's, and shadow is nobody's.
printf 'umask 027\n' >/etc/profile.d/60-image-factory.sh
chmod 0644 /etc/profile.d/60-image-factory.sh
chmod 0600 /etc/crontab
chmod 0700 /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.d
chmod 0640 /etc/shadow /etc/gshadow
chmod 0644 /etc/passwd /etc/group

# No core dumps of programs that may hold secrets.
printf '* hard core 0\n' >/etc/security/limits.d/60-image-factory.conf

# Machines from the image patch themselves between two versions of it.
cat >/etc/apt/apt.conf.d/20auto-upgrades <<'CONF'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
CONF
echo "The system is hardened."
