# Client 203.0.113.9 and fd20::9, the fabric as their router, and a bridge on which machines stand. What runs this is the
# fabric. Nothing here leads out.
set -e
mount -t tmpfs none /run
mkdir -p /run/bed /run/sshd
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link set lo up
# The platform's address: health probes come from here.
ip addr add 168.63.129.16/32 dev lo
ip link add br0 address 02:00:00:00:ff:01 type bridge forward_delay 0 mcast_snooping 0
for n in 0 1; do
  ip addr add 10.$n.0.1/24 dev br0
  ip -6 addr add fd10:$n::1/64 dev br0 nodad
done
ip link set br0 up
ip netns add client
ip link add p-client type veth peer name eth0 netns client
ip addr add 203.0.113.1/24 dev p-client
ip -6 addr add fd20::1/64 dev p-client nodad
ip link set p-client up
ip -n client link set lo up
ip -n client addr add 203.0.113.9/24 dev eth0
ip -n client -6 addr add fd20::9/64 dev eth0 nodad
# An address that administrators refuse.
ip -n client addr add 192.0.2.7/32 dev eth0
ip -n client link set eth0 up
ip route add 192.0.2.7/32 dev p-client
ip -n client route add default via 203.0.113.1
ip -n client -6 route add default via fd20::1
# What no rule takes is dropped without an answer, as Azure does it.
ip route add blackhole default
ip -6 route add blackhole default
echo ready
# The end of the test closes this pipe; then everything goes.
exec cat >/dev/null
