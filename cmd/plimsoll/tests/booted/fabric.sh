# Client 203.0.113.9 and fd20::9, the fabric as their router, and a bridge for each NIC that machines have. What runs this is the
# fabric. Nothing here leads out.
set -e
mount -t tmpfs none /run
mkdir -p /run/bed /run/sshd
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip link set lo up
# The platform's address: health probes come from here.
ip addr add 168.63.129.16/32 dev lo
for n in 0 1; do
  ip link add br$n address 02:00:00:00:ff:0$n type bridge forward_delay 0 mcast_snooping 0
  ip addr add 10.$n.0.1/24 dev br$n
  ip -6 addr add fd10:$n::1/64 dev br$n nodad
  ip link set br$n up
done
ip netns add client
ip link add p-client type veth peer name eth0 netns client
ip addr add 203.0.113.1/24 dev p-client
ip -6 addr add fd20::1/64 dev p-client nodad
ip link set p-client up
ip -n client link set lo up
ip -n client addr add 203.0.113.9/24 dev eth0
ip -n client -6 addr add fd20::9/64 dev eth0 nodad
# Addresses that administrators refuse, and one that is a neighbour of the frontends.
for address in 192.0.2.7/32 65.52.0.200/32; do ip -n client addr add $address dev eth0; done
ip -n client -6 addr add fd20::7/128 dev eth0 preferred_lft 0 nodad
ip -n client link set eth0 up
for address in 192.0.2.7/32 65.52.0.200/32; do ip route add $address dev p-client; done
ip -n client route add default via 203.0.113.1
ip -n client -6 route add default via fd20::1
# What no rule takes is dropped without an answer, as Azure does it.
ip route add blackhole default
ip -6 route add blackhole default
echo ready
# The end of the test closes this pipe; then everything goes.
exec cat >/dev/null
