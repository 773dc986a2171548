//! Azure, read: what a plan sees.

use crate::client::{Client, Document};
use crate::wire::{
    decode_load_balancer, decode_network_interface, decode_public_ip, decode_public_ip_prefix,
    decode_security_group, decode_subnet,
};
use async_trait::async_trait;
use plimsoll_core::apply::{ObserveAzure, Progress};
use plimsoll_core::model::guest::Os;
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::security::{SecurityGroup, Subnet};
use plimsoll_core::model::{ArmId, LoadBalancer, NetworkInterface, PublicIp, PublicIpPrefix};
use std::sync::Arc;

/// A handle that can only read.
pub struct Reader {
    client: Client,
    progress: Arc<dyn Progress>,
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn operation(&self, _url: &str) {}
    fn note(&self, _text: &str) {}
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// `progress` is told when reading has to wait.
    pub fn new(client: Client, progress: Arc<dyn Progress>) -> Self {
        Self { client, progress }
    }

    /// What the disk at this place of a resource says; `None` where nobody does.
    async fn disk(&self, id: &ArmId, profile: &str) -> Option<Os> {
        let found = self.client.get(id, self.progress.as_ref()).await;
        let document = serde_json::Value::Object(found.ok()??.body);
        let os = document.pointer(&format!("/properties/{profile}/osDisk/osType"))?;
        // azure-rest-api-specs, OperatingSystemTypes.
        match os.as_str()?.to_ascii_lowercase().as_str() {
            "windows" => Some(Os::Windows),
            "linux" => Some(Os::Linux),
            _ => None,
        }
    }

    async fn observe<T>(
        &self,
        id: &ArmId,
        decode: impl Fn(&ArmId, &Document) -> T,
    ) -> Observation<T> {
        match self.client.at_rest(id, self.progress.as_ref()).await {
            Ok(Some(document)) => Observation::Present(decode(id, &document)),
            Ok(None) => Observation::Absent,
            Err(error) => Observation::Unreadable { why: error.text() },
        }
    }
}

#[async_trait]
impl ObserveAzure for Reader {
    async fn load_balancer(&self, id: &ArmId) -> Observation<LoadBalancer> {
        self.observe(id, |id, document| decode_load_balancer(id, &document.body))
            .await
    }

    async fn public_ip(&self, id: &ArmId) -> Observation<PublicIp> {
        self.observe(id, |id, document| decode_public_ip(id, &document.body))
            .await
    }

    async fn public_ip_prefix(&self, id: &ArmId) -> Observation<PublicIpPrefix> {
        self.observe(id, |id, document| {
            decode_public_ip_prefix(id, &document.body)
        })
        .await
    }

    async fn network_interface(&self, id: &ArmId) -> Observation<NetworkInterface> {
        self.observe(id, |id, document| {
            decode_network_interface(id, &document.body)
        })
        .await
    }

    async fn subnet(&self, id: &ArmId) -> Observation<Subnet> {
        self.observe(id, |id, document| decode_subnet(id, &document.body))
            .await
    }

    async fn security_group(&self, id: &ArmId) -> Observation<SecurityGroup> {
        self.observe(id, |id, document| decode_security_group(id, &document.body))
            .await
    }

    async fn operating_system(&self, machine: &ArmId) -> Option<Os> {
        let own = self.disk(machine, "storageProfile").await;
        let set = machine.parent().filter(|_| machine.is_of_scale_set());
        match (own, set) {
            // The model of its set says it of every instance.
            (None, Some(set)) => {
                self.disk(&set, "virtualMachineProfile/storageProfile")
                    .await
            }
            (own, _) => own,
        }
    }
}
