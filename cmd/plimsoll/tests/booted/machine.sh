# NAME NUMBER NICS SHELL: an overlay of this very system on memory, with nothing enabled but what a server has.
set -e
name=$1
number=$2
nics=$3
shell=$4
place=/run/bed/$name
mkdir -p "$place"
mount -t tmpfs -o size=1g none "$place"
mkdir "$place/up" "$place/work" "$place/root"
# The upper layer must not lie on the file system that is the lower one.
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/up,workdir=$place/work" "$place/root"
root=$place/root
echo "$name" >"$root/etc/hostname"
# Nobody answers for names here, and sudo asks for its own.
printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$name" >"$root/etc/hosts"
rm -f "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
rm -rf "$root/etc/systemd/system" "$root/etc/netplan" "$root/etc/nftables.conf" "$root/var/lib/plimsoll" "$root/root"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/netplan" "$root/root/.ssh"
for unit in ssh systemd-networkd; do
  ln -s "/lib/systemd/system/$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
done
for unit in systemd-networkd-wait-online.service systemd-timesyncd.service console-getty.service getty.target firewalld.service; do
  ln -s /dev/null "$root/etc/systemd/system/$unit"
done
# What Azure's Ubuntu images have from cloud-init.
{
  printf 'network:\n    version: 2\n    ethernets:\n'
  nic=0
  while [ "$nic" -lt "$nics" ]; do
    printf '        eth%s:\n            dhcp4: false\n            accept-ra: false\n' "$nic"
    printf '            addresses: [10.%s.0.1%s/24, "fd10:%s::1%s/64"]\n' "$nic" "$number" "$nic" "$number"
    # The way to the platform's own address comes with DHCP, for the first NIC alone.
    platform=
    if [ "$nic" = 0 ]; then platform=', {to: 168.63.129.16/32, via: 10.0.0.1}'; fi
    printf '            routes: [{to: default, via: 10.%s.0.1, metric: %s}, {to: "::/0", via: "fd10:%s::1", metric: %s}%s]\n' \
      "$nic" "$((nic + 1))00" "$nic" "$((nic + 1))00" "$platform"
    nic=$((nic + 1))
  done
} >"$root/etc/netplan/50-cloud-init.yaml"
chmod 600 "$root/etc/netplan/50-cloud-init.yaml"
ln -sf /bin/busybox "$root/usr/local/bin/ash"
# A user who is root by sudo, with the login shell that is asked for.
grep -q "^$shell\$" "$root/etc/shells" || echo "$shell" >>"$root/etc/shells"
sed -i /^azureuser:/d "$root/etc/passwd" "$root/etc/shadow" "$root/etc/group"
echo "azureuser:x:4711:4711::/home/azureuser:$shell" >>"$root/etc/passwd"
echo 'azureuser:*:19000:0:99999:7:::' >>"$root/etc/shadow"
echo 'azureuser:x:4711:' >>"$root/etc/group"
mkdir -p "$root/home/azureuser/.ssh" "$root/etc/sudoers.d"
echo 'azureuser ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/90-azureuser"
chmod 440 "$root/etc/sudoers.d/90-azureuser"
cat >"$root/home/azureuser/.ssh/authorized_keys"
# A login file that talks, as they do.
for file in .bashrc .profile .zshenv; do echo 'echo "plimsoll-facts 1 5"; echo noise >&2' >"$root/home/azureuser/$file"; done
chown -R 4711:4711 "$root/home/azureuser"
chmod 700 "$root/home/azureuser" "$root/home/azureuser/.ssh"
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/ssh/sshd_config.d/*
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"
# The application that the load balancer is for.
mkdir -p "$root/opt"
cp "$place.app.py" "$root/opt/app.py"
cat >"$root/etc/systemd/system/app.service" <<END
[Unit]
After=network.target
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 /opt/app.py /etc/app.conf
Restart=always
RestartSec=0.2
[Install]
WantedBy=multi-user.target
END
: >"$root/etc/app.conf"
ln -s /etc/systemd/system/app.service "$root/etc/systemd/system/multi-user.target.wants/app.service"
cat "$root/etc/ssh/ssh_host_ed25519_key.pub"
