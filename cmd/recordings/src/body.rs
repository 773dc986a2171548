//! Which bodies there are in an exchange, and of which kind each is.

use crate::cassette::Exchange;
use plimsoll_azure::wire::{
    decode_load_balancer, decode_network_interface, decode_public_ip, decode_public_ip_prefix,
    decode_run_command, encode_load_balancer, encode_network_interface, encode_public_ip,
    encode_public_ip_prefix, encode_run_command,
};
use plimsoll_core::model::ArmId;
use serde_json::{Map, Value};

pub(crate) type Json = Map<String, Value>;

/// The resources that the client reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    LoadBalancer,
    PublicIp,
    PublicIpPrefix,
    NetworkInterface,
    RunCommand,
    /// What a run command printed: the end of an operation, no resource.
    RunCommandOutput,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::LoadBalancer,
        Self::PublicIp,
        Self::PublicIpPrefix,
        Self::NetworkInterface,
        Self::RunCommand,
        Self::RunCommandOutput,
    ];

    /// Of a resource itself, not of its parts.
    fn of(id: &str) -> Option<Self> {
        let id = id.split('?').next().unwrap_or_default();
        let folded = id.to_ascii_lowercase();
        let is_ours = ["/microsoft.network/", "/microsoft.compute/"]
            .iter()
            .any(|provider| folded.contains(provider));
        let segments: Vec<&str> = folded.trim_matches('/').split('/').collect();
        let [.., kind, _name] = segments.as_slice() else {
            return None;
        };
        match *kind {
            "loadbalancers" if is_ours => Some(Self::LoadBalancer),
            "publicipaddresses" if is_ours => Some(Self::PublicIp),
            "publicipprefixes" if is_ours => Some(Self::PublicIpPrefix),
            "networkinterfaces" if is_ours => Some(Self::NetworkInterface),
            // Below a location they are Azure's own documents of ready-made scripts.
            "runcommands" if is_ours && !folded.contains("/locations/") => Some(Self::RunCommand),
            _ => None,
        }
    }

    /// File and name of its API description.
    pub(crate) fn definition(self) -> (&'static str, &'static str) {
        match self {
            Self::LoadBalancer => ("loadBalancer", "LoadBalancer"),
            Self::PublicIp => ("publicIpAddress", "PublicIPAddress"),
            Self::PublicIpPrefix => ("publicIpPrefix", "PublicIPPrefix"),
            Self::NetworkInterface => ("networkInterface", "NetworkInterface"),
            Self::RunCommand => ("runCommand", "VirtualMachineRunCommand"),
            Self::RunCommandOutput => ("runCommand", "RunCommandResult"),
        }
    }

    pub(crate) fn round_trip(self, id: &ArmId, body: &Json) -> Json {
        match self {
            Self::LoadBalancer => encode_load_balancer(&decode_load_balancer(id, body)),
            Self::PublicIp => encode_public_ip(&decode_public_ip(id, body)),
            Self::PublicIpPrefix => encode_public_ip_prefix(&decode_public_ip_prefix(id, body)),
            Self::NetworkInterface => encode_network_interface(&decode_network_interface(id, body)),
            Self::RunCommand => encode_run_command(&decode_run_command(body)),
            Self::RunCommandOutput => body.clone(),
        }
    }
}

/// One body of one kind.
#[derive(Clone, Debug)]
pub struct Body {
    pub kind: Kind,
    pub id: ArmId,
    pub json: Json,
    /// It was answered, not sent.
    pub answered: bool,
}

/// Every body in an exchange: what a PUT sent, what was answered, each item of a list.
pub fn bodies(exchange: &Exchange) -> Vec<Body> {
    let mut found = Vec::new();
    if exchange.method == "PUT"
        && let (Some(kind), Some(Value::Object(json))) =
            (Kind::of(exchange.path()), &exchange.request)
    {
        found.push(Body {
            kind,
            id: ArmId::new(exchange.path()),
            json: json.clone(),
            answered: false,
        });
    }
    let Some(Value::Object(answer)) = &exchange.response else {
        return found;
    };
    let items = answer.get("value").and_then(Value::as_array);
    let items = items.into_iter().flatten().filter_map(Value::as_object);
    for json in std::iter::once(answer).chain(items) {
        if let Some(id) = json.get("id").and_then(Value::as_str)
            && let Some(kind) = Kind::of(id)
        {
            found.push(Body {
                kind,
                id: ArmId::new(id),
                json: json.clone(),
                answered: true,
            });
        }
    }
    if is_output(answer) {
        found.push(Body {
            kind: Kind::RunCommandOutput,
            id: ArmId::new(exchange.path()),
            json: answer.clone(),
            answered: true,
        });
    }
    found
}

/// Items with a code and a message, where the action `runCommand` says what was printed.
fn is_output(answer: &Json) -> bool {
    let answer = Value::Object(answer.clone());
    let places = ["/properties/output/value", "/properties/output", "/value"];
    let items = places
        .iter()
        .find_map(|place| answer.pointer(place)?.as_array());
    items.is_some_and(|items| {
        let is = |item: &Value| {
            let code = item["code"].as_str().unwrap_or_default();
            item["message"].is_string()
                && (code.starts_with("ProvisioningState/") || code.starts_with("ComponentStatus/"))
        };
        !items.is_empty() && items.iter().all(is)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_strangers_are_no_bodies() {
        const LB: &str =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/web";
        for id in [
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/web/probes/p",
            "/subscriptions/s/providers/Microsoft.Compute/locations/westus/runCommands/RunShellScript",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Classic/loadBalancers/web",
        ] {
            assert_eq!(Kind::of(id), None, "{id}");
        }
        assert_eq!(Kind::of(LB), Some(Kind::LoadBalancer));
    }
}
