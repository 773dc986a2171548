#!/bin/sh
# azure-cli against the emulator: create, change, list and delete what floating IP needs, as its users type it.
# Arguments come in the environment; every expectation is checked, and the last line says what was done.
set -eu

group=rg-cli
quiet="--only-show-errors --output none"

# says WHAT EXPECTED COMMAND…: the command prints exactly this, its lines put into one.
says() {
    what=$1 expected=$2
    shift 2
    found=$("$@" --only-show-errors --output tsv | tr '\t\n' '  ' | sed 's/ *$//')
    if [ "$found" != "$expected" ]; then
        echo "$what: expected '$expected', found '$found'" >&2
        exit 1
    fi
}

# A cloud of one's own; everything else about it is asked of /metadata/endpoints.
az cloud register --name lab --endpoint-resource-manager "$LAB_ENDPOINT" $quiet
az cloud set --name lab $quiet
# The authority is the emulator itself: nobody else vouches for it.
az config set core.instance_discovery=false core.collect_telemetry=false $quiet
az login --service-principal --username "$LAB_CLIENT" --password any --tenant "$LAB_TENANT" $quiet
az account set --subscription "$LAB_SUBSCRIPTION" $quiet
says account "$LAB_SUBSCRIPTION" az account show --query id

az group create --name $group --location westeurope $quiet
for name in green outbound; do
    az network public-ip create -g $group -n $name --sku Standard --allocation-method Static $quiet
done
az network lb create -g $group -n web --sku Standard --frontend-ip-name green --public-ip-address green \
    --backend-pool-name vms $quiet
az network lb probe create -g $group --lb-name web -n http --protocol Http --port 8081 --path /healthz $quiet
az network lb rule create -g $group --lb-name web -n tcp-80 --protocol Tcp --frontend-port 80 --backend-port 80 \
    --frontend-ip-name green --backend-pool-name vms --probe-name http --floating-ip true \
    --disable-outbound-snat true $quiet
says "a created rule" "true 4 true" az network lb rule show -g $group --lb-name web -n tcp-80 \
    --query "[enableFloatingIP, idleTimeoutInMinutes, disableOutboundSnat]"

az network lb rule update -g $group --lb-name web -n tcp-80 --idle-timeout 15 --load-distribution SourceIP $quiet
says "a changed rule" "15 SourceIP" az network lb rule show -g $group --lb-name web -n tcp-80 \
    --query "[idleTimeoutInMinutes, loadDistribution]"
az network lb frontend-ip create -g $group --lb-name web -n outbound --public-ip-address outbound $quiet
az network lb outbound-rule create -g $group --lb-name web -n snat --protocol All --address-pool vms \
    --frontend-ip-configs outbound --outbound-ports 1024 $quiet
says "an outbound rule" "1024" az network lb outbound-rule show -g $group --lb-name web -n snat \
    --query allocatedOutboundPorts
az network lb outbound-rule update -g $group --lb-name web -n snat --outbound-ports 2048 $quiet
says "a changed outbound rule" "2048" az network lb outbound-rule show -g $group --lb-name web -n snat \
    --query allocatedOutboundPorts
says "outbound rules" "snat" az network lb outbound-rule list -g $group --lb-name web --query "[].name"
az network public-ip prefix create -g $group -n block --length 30 $quiet
az network public-ip prefix update -g $group -n block --tags team=web $quiet
says "a prefix" "30 web" az network public-ip prefix show -g $group -n block --query "[prefixLength, tags.team]"
az network public-ip create -g $group -n of-block --sku Standard --allocation-method Static \
    --public-ip-prefix block $quiet
says "an address of the prefix" "1" az network public-ip prefix show -g $group -n block \
    --query "length(publicIPAddresses)"
az network public-ip delete -g $group -n of-block $quiet
az network public-ip prefix delete -g $group -n block $quiet
says "no prefix" "" az network public-ip prefix list -g $group --query "[].name"
says "load balancers" "web" az network lb list -g $group --query "[].name"
says rules "tcp-80" az network lb rule list -g $group --lb-name web --query "[].name"

az network vnet create -g $group -n net --address-prefixes 10.0.0.0/16 --subnet-name vms \
    --subnet-prefixes 10.0.1.0/24 $quiet
az network nsg create -g $group -n web $quiet
az network nsg rule create -g $group --nsg-name web -n web --priority 100 --direction Inbound --access Allow \
    --protocol Tcp --destination-port-ranges 80 $quiet
says "rules of a security group" "web" az network nsg rule list -g $group --nsg-name web --query "[].name"
az network nic create -g $group -n vm1-nic --vnet-name net --subnet vms --network-security-group web $quiet
az network nic ip-config address-pool add -g $group --nic-name vm1-nic --ip-config-name ipconfig1 \
    --lb-name web --address-pool vms $quiet
says "a member" "1" az network lb address-pool show -g $group --lb-name web -n vms \
    --query "length(backendIPConfigurations)"
az network nic ip-config address-pool remove -g $group --nic-name vm1-nic --ip-config-name ipconfig1 \
    --lb-name web --address-pool vms $quiet
says "no member" "" az network lb address-pool show -g $group --lb-name web -n vms --query backendIPConfigurations

says "a machine" "VM running" az vm get-instance-view --ids "$LAB_MACHINE" \
    --query "instanceView.statuses[1].displayStatus"
says "a run command" "true" az vm run-command invoke --ids "$LAB_MACHINE" --command-id RunShellScript \
    --scripts "echo hello" --query "contains(value[0].message, 'ran: echo hello')"
az vm run-command create --resource-group rg-web --vm-name vm1 --name hello --location westeurope \
    --script "echo hello" $quiet
says "a managed run command" "Succeeded 0" az vm run-command show --resource-group rg-web --vm-name vm1 --name hello \
    --instance-view --query "[instanceView.executionState, instanceView.exitCode]"
az vm run-command delete --resource-group rg-web --vm-name vm1 --name hello --yes $quiet
says "no managed run command" "" az vm run-command list --resource-group rg-web --vm-name vm1 --query "[].name"

az network lb outbound-rule delete -g $group --lb-name web -n snat $quiet
says "no outbound rule" "" az network lb outbound-rule list -g $group --lb-name web --query "[].name"
az network lb delete -g $group -n web $quiet
says "no load balancer" "" az network lb list -g $group --query "[].name"
az group delete --name $group --yes $quiet
says "no group" "false" az group exists --name $group
echo "created, changed, listed, joined, left, ran, deleted"
