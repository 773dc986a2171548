//! The concrete world behind core's traits: Azure or the lab, and guests. Nothing else names them.

use crate::context::Context;
use crate::failure::Failure;
use crate::lab_seed;
use crate::run_command;
use crate::view::tell;
use azure_core::credentials::TokenCredential;
use azure_core::http::HttpClient;
use plimsoll_azure::{Client, ClientSecret, Endpoint, Reader, Writer};
use plimsoll_core::apply::Progress;
use plimsoll_core::config::{Configuration, Settings};
use plimsoll_guest::transport::CommandTransport;
use plimsoll_guest::{Guests, Limits};
use plimsoll_lab::Lab;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const SIGN_IN: &str = "Sign in with the Azure CLI (az login), or give a service principal in ARM_CLIENT_ID, \
     ARM_CLIENT_SECRET and ARM_TENANT_ID. Or try it without Azure: --lab.";

/// Azure and guests, each as a handle that reads and one that writes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) read_azure: Reader,
    pub(crate) write_azure: Writer,
    pub(crate) guests: Guests,
}

pub(crate) async fn build(
    context: &Context,
    configuration: &Configuration,
) -> Result<World, Failure> {
    if context.global.lab {
        let lab = seeded_lab(context, configuration).await?;
        in_lab(&lab, configuration, limits(context))
    } else {
        in_azure(configuration, limits(context)).await
    }
}

fn limits(context: &Context) -> Limits {
    let mut limits = Limits::default();
    if let Some(at_once) = context.global.parallelism {
        limits.at_once = at_once.into();
    }
    limits
}

/// The lab of this directory, started if it is not up, with all that the configuration refers to.
pub(crate) async fn seeded_lab(
    context: &Context,
    configuration: &Configuration,
) -> Result<Lab, Failure> {
    let lab = started_lab(context.directory(), None).await?;
    let seed = lab_seed::seed(configuration).map_err(|error| Failure::of(&error))?;
    lab.seed(&seed).await.map_err(|error| Failure::of(&error))?;
    Ok(lab)
}

pub(crate) async fn started_lab(directory: &Path, port: Option<u16>) -> Result<Lab, Failure> {
    if let Some(lab) = Lab::attach(directory) {
        return Ok(lab);
    }
    let place = directory.join(".plimsoll");
    tell(&format!("Starting the lab in {} …\n", place.display()));
    let program = std::env::current_exe().map_err(|error| {
        Failure::new("cannot find this program to start the lab with").because(&error)
    })?;
    let options = plimsoll_lab::client::StartOptions { port, idle: None };
    Lab::ensure_up_with(directory, &program, &options)
        .await
        .map_err(|error| Failure::of(&error))
}

fn in_lab(lab: &Lab, configuration: &Configuration, limits: Limits) -> Result<World, Failure> {
    let authority = lab.ca_pem().map_err(|error| Failure::of(&error))?;
    let authority = String::from_utf8_lossy(&authority).into_owned();
    let endpoint =
        Endpoint::custom(lab.endpoint(), Some(authority)).map_err(|e| Failure::of(&e))?;
    let credentials = lab.credentials();
    let secret = ClientSecret {
        tenant_id: credentials.tenant,
        client_id: credentials.client_id,
        client_secret: credentials.client_secret,
    };
    let credential = secret
        .sign_in(&endpoint)
        .map_err(|error| Failure::of(&error))?;
    let client = Client::new(endpoint, credential).map_err(|error| Failure::of(&error))?;
    let lab = lab.clone();
    let enter = CommandTransport::new(move |guest| {
        lab.exec_command(
            &lab_seed::guest_name(&guest.addr),
            &["sh".to_owned(), "-s".to_owned()],
        )
        .map_err(|error| error.to_string())
    });
    let mut guests = Guests::new(limits).instead(Box::new(enter));
    // The lab's own way takes milliseconds. The one through its Resource Manager is for trying Run Command itself.
    if std::env::var_os("PLIMSOLL_LAB_RUN_COMMAND").is_some() {
        let talk = Arc::new(Talk::default());
        let transport = run_command::transport(client.clone(), configuration, talk);
        guests = guests.with_run_command(Box::new(transport));
    }
    Ok(World {
        read_azure: Reader::new(client.clone(), Arc::new(Talk::default())),
        write_azure: Writer::new(client),
        guests,
    })
}

/// Who we are to Azure, as the provider block and the environment say. It does not sign in yet.
pub(crate) fn credential(settings: &Settings) -> Result<Arc<dyn TokenCredential>, Failure> {
    let endpoint = endpoint(settings)?;
    // The provider block is nearer than the environment.
    let environment = |name: &str| match (name, &settings.tenant_id) {
        ("ARM_TENANT_ID" | "AZURE_TENANT_ID", Some(tenant)) => Some(tenant.clone()),
        _ => environment(name),
    };
    plimsoll_azure::sign_in(&environment, &endpoint)
        .map_err(|error| Failure::of(&error).next(SIGN_IN))
}

/// The HTTPS client for Azure Storage. An endpoint of one's own may have an authority of its own.
pub(crate) fn storage_transport(own: bool) -> Result<Arc<dyn HttpClient>, Failure> {
    let ca_pem = if own { authority()? } else { None };
    let endpoint = Endpoint {
        ca_pem,
        ..Endpoint::public()
    };
    endpoint.transport().map_err(|error| Failure::of(&error))
}

async fn in_azure(configuration: &Configuration, limits: Limits) -> Result<World, Failure> {
    let settings = &configuration.settings;
    let endpoint = endpoint(settings)?;
    let credential = credential(settings)?;
    // Once and now, instead of once for each resource that then could not be read. The credential keeps the token.
    credential
        .get_token(&[endpoint.scope.as_str()], None)
        .await
        .map_err(|error| {
            Failure::new("signing in to Azure did not work")
                .because(&error)
                .next(SIGN_IN)
        })?;
    let client = Client::new(endpoint, credential).map_err(|error| Failure::of(&error))?;
    let talk = Arc::new(Talk::default());
    let through_azure = run_command::transport(client.clone(), configuration, talk);
    Ok(World {
        read_azure: Reader::new(client.clone(), Arc::new(Talk::default())),
        write_azure: Writer::new(client),
        guests: Guests::new(limits).with_run_command(Box::new(through_azure)),
    })
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The configuration's endpoint, or `ARM_ENVIRONMENT` as in azurerm: the name of a cloud, or an https address.
pub(crate) fn endpoint(settings: &Settings) -> Result<Endpoint, Failure> {
    let name = settings
        .endpoint
        .clone()
        .or_else(|| environment("ARM_ENVIRONMENT"));
    let Some(name) = name else {
        return Ok(Endpoint::public());
    };
    if !name.contains("://") {
        return Endpoint::cloud(&name).map_err(|error| Failure::of(&error));
    }
    Endpoint::custom(&name, authority()?).map_err(|error| Failure::of(&error))
}

/// The certificate authority that endpoints of one's own are trusted by.
fn authority() -> Result<Option<String>, Failure> {
    environment("PLIMSOLL_CA_FILE")
        .map(|path| {
            std::fs::read_to_string(&path).map_err(|error| {
                Failure::new(format!("cannot read the certificate authority {path}"))
                    .because(&error)
                    .next("PLIMSOLL_CA_FILE names a PEM file.")
            })
        })
        .transpose()
}

/// Tells on standard error why reading takes long, each thing once.
#[derive(Debug, Default)]
struct Talk {
    last: Mutex<Option<String>>,
}

impl Progress for Talk {
    fn operation(&self, _url: &str) {}

    fn note(&self, text: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() != Some(text) {
            tell(&format!("{}\n", crate::view::tame(text)));
            *last = Some(text.to_owned());
        }
    }
}
