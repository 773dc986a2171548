"""Microsoft's own clients against the emulator: create, change, list and delete what floating IP needs.

Arguments come in the environment; every expectation is an assertion, and the last line says what was done.
"""

import os

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient

ENDPOINT = os.environ["LAB_ENDPOINT"]
SUBSCRIPTION = os.environ["LAB_SUBSCRIPTION"]
GROUP = "rg-web"
PLACE = "westeurope"

credential = ClientSecretCredential(
    os.environ["LAB_TENANT"],
    os.environ["LAB_CLIENT"],
    "any",
    authority=ENDPOINT,
    disable_instance_discovery=True,
)
options = {
    "base_url": ENDPOINT,
    "credential_scopes": [ENDPOINT + "/.default"],
    "polling_interval": 1,
}
network = NetworkManagementClient(credential, SUBSCRIPTION, **options)
compute = ComputeManagementClient(credential, SUBSCRIPTION, **options)

BALANCER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    "/providers/Microsoft.Network/loadBalancers/web"
)


def reference(kind, name):
    return {"id": f"{BALANCER}/{kind}/{name}"}


def public_addresses():
    addresses = {}
    for name in ("green", "outbound"):
        addresses[name] = network.public_ip_addresses.begin_create_or_update(
            GROUP,
            name,
            {
                "location": PLACE,
                "sku": {"name": "Standard"},
                "properties": {"publicIPAllocationMethod": "Static"},
            },
        ).result()
        assert addresses[name].ip_address, name
    return addresses


def balancer(addresses, rules, outbound=()):
    return {
        "location": PLACE,
        "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [
                {"name": name, "properties": {"publicIPAddress": {"id": address.id}}}
                for name, address in addresses.items()
            ],
            "backendAddressPools": [{"name": "vms"}],
            "probes": [
                {
                    "name": "http",
                    "properties": {
                        "protocol": "Http",
                        "port": 8081,
                        "requestPath": "/healthz",
                        "intervalInSeconds": 15,
                        "numberOfProbes": 2,
                    },
                }
            ],
            "loadBalancingRules": [
                {
                    "name": f"tcp-{port}",
                    "properties": {
                        "frontendIPConfiguration": reference("frontendIPConfigurations", "green"),
                        "backendAddressPool": reference("backendAddressPools", "vms"),
                        "probe": reference("probes", "http"),
                        "protocol": "Tcp",
                        "frontendPort": port,
                        "backendPort": port,
                        "enableFloatingIP": True,
                        "disableOutboundSnat": True,
                    },
                }
                for port in rules
            ],
            "outboundRules": [
                {
                    "name": name,
                    "properties": {
                        "frontendIPConfigurations": [
                            reference("frontendIPConfigurations", "outbound")
                        ],
                        "backendAddressPool": reference("backendAddressPools", "vms"),
                        "protocol": "All",
                        "allocatedOutboundPorts": 1024,
                        "idleTimeoutInMinutes": 4,
                    },
                }
                for name in outbound
            ],
        },
    }


addresses = public_addresses()
put = network.load_balancers.begin_create_or_update

made = put(GROUP, "web", balancer(addresses, [80])).result()
assert made.provisioning_state == "Succeeded", made.provisioning_state
rule = made.load_balancing_rules[0]
assert rule.enable_floating_ip is True and rule.idle_timeout_in_minutes == 4

changed = put(GROUP, "web", balancer(addresses, [80, 443], ["snat"])).result()
assert [r.name for r in changed.load_balancing_rules] == ["tcp-80", "tcp-443"]
assert changed.outbound_rules[0].allocated_outbound_ports == 1024
assert changed.etag != made.etag
rules = [r.name for r in network.load_balancer_load_balancing_rules.list(GROUP, "web")]
assert rules == ["tcp-80", "tcp-443"], rules
assert [lb.name for lb in network.load_balancers.list(GROUP)] == ["web"]

network.virtual_networks.begin_create_or_update(
    GROUP,
    "net",
    {
        "location": PLACE,
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "vms", "properties": {"addressPrefix": "10.0.1.0/24"}}],
        },
    },
).result()
subnet = network.subnets.get(GROUP, "net", "vms")


def interface(pools):
    return {
        "location": PLACE,
        "properties": {
            "ipConfigurations": [
                {
                    "name": "ipconfig1",
                    "properties": {
                        "subnet": {"id": subnet.id},
                        "privateIPAllocationMethod": "Dynamic",
                        "loadBalancerBackendAddressPools": pools,
                    },
                }
            ]
        },
    }


join = network.network_interfaces.begin_create_or_update
joined = join(GROUP, "vm1-nic", interface([reference("backendAddressPools", "vms")])).result()
assert len(joined.ip_configurations[0].load_balancer_backend_address_pools) == 1
pool = network.load_balancer_backend_address_pools.get(GROUP, "web", "vms")
assert pool.backend_ip_configurations[0].id.lower().endswith("/vm1-nic/ipconfigurations/ipconfig1")
left = join(GROUP, "vm1-nic", interface([])).result()
assert not left.ip_configurations[0].load_balancer_backend_address_pools

ran = compute.virtual_machines.begin_run_command(
    GROUP, "vm1", {"commandId": "RunShellScript", "script": ["echo hello"]}
).result()
assert "ran: echo hello" in ran.value[0].message, ran.value[0].message

managed = compute.virtual_machine_run_commands
managed.begin_create_or_update(
    GROUP, "vm1", "hello", {"location": PLACE, "properties": {"source": {"script": "echo hello"}}}
).result()
seen = managed.get_by_virtual_machine(GROUP, "vm1", "hello", expand="instanceView").instance_view
assert (seen.execution_state, seen.exit_code) == ("Succeeded", 0), seen
assert "ran: echo hello" in seen.output, seen.output
assert [c.name for c in managed.list_by_virtual_machine(GROUP, "vm1")] == ["hello"]
managed.begin_delete(GROUP, "vm1", "hello").result()
assert list(managed.list_by_virtual_machine(GROUP, "vm1")) == []

compute.virtual_machines.begin_deallocate(GROUP, "vm1").result()
statuses = compute.virtual_machines.instance_view(GROUP, "vm1").statuses
assert [s.code for s in statuses][-1] == "PowerState/deallocated", statuses
try:
    compute.virtual_machines.begin_run_command(
        GROUP, "vm1", {"commandId": "RunShellScript", "script": ["echo hello"]}
    )
    raise AssertionError("a machine that is off ran a script")
except HttpResponseError as error:
    assert error.error.code == "OperationNotAllowed", error.error.code

network.load_balancers.begin_delete(GROUP, "web").result()
try:
    network.load_balancers.get(GROUP, "web")
    raise AssertionError("it is still there")
except ResourceNotFoundError as error:
    assert error.error.code == "ResourceNotFound", error.error.code
for name in addresses:
    network.public_ip_addresses.begin_delete(GROUP, name).result()
assert list(network.public_ip_addresses.list(GROUP)) == []
print("created, changed, listed, joined, left, ran, deleted")
