//! `import`: from a load balancer that exists to the configuration that says it. Writes nothing to Azure.

use crate::args::{Ask, ImportArguments};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::{say, tell};
use crate::world;
use plimsoll_core::apply::{self, ObserveAzure as _};
use plimsoll_core::config::generate::{Existing, Inside, generate};
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::guest::Os;
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::{ArmId, ItemKind, NetworkInterface, PublicIp, PublicIpPrefix};
use plimsoll_core::plan;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

const FILE: &str = "imported.plim.hcl";

pub(crate) async fn run(context: &Context, arguments: &ImportArguments) -> Result<Exit, Failure> {
    let id = ArmId::new(arguments.id.trim_end_matches('/'));
    let is_one = id.kind().eq_ignore_ascii_case("loadBalancers") && id.resource_group().is_some();
    let plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let (true, Some(subscription)) = (is_one, id.subscription().filter(plain)) else {
        return Err(
            Failure::new(format!("{id} is not the id of a load balancer"))
                .next("az network lb list --query [].id --output tsv"),
        );
    };
    let world = world::build(context, &no_configuration(subscription)).await?;
    let azure = &world.read_azure;
    let load_balancer = here(&id, azure.load_balancer(&id).await)?;
    let mut public_ips: Vec<PublicIp> = Vec::new();
    for frontend in load_balancer.of_kind(ItemKind::Frontend) {
        if let Some(ip) = frontend.text("public_ip").map(ArmId::new)
            && !public_ips.iter().any(|known| known.id == ip)
        {
            public_ips.push(here(&ip, azure.public_ip(&ip).await)?);
        }
    }
    let of_frontends = load_balancer.of_kind(ItemKind::Frontend);
    let of_frontends = of_frontends.filter_map(|frontend| frontend.text("public_ip_prefix"));
    let of_addresses = public_ips.iter();
    let of_addresses =
        of_addresses.filter_map(|ip| ip.attributes.get("public_ip_prefix")?.as_text());
    let prefixes: BTreeSet<ArmId> = of_frontends.chain(of_addresses).map(ArmId::new).collect();
    let mut public_ip_prefixes: Vec<PublicIpPrefix> = Vec::new();
    for prefix in &prefixes {
        public_ip_prefixes.push(here(prefix, azure.public_ip_prefix(prefix).await)?);
    }
    let members = load_balancer.members.values().flatten();
    let interfaces: BTreeSet<ArmId> = members
        .filter_map(ArmId::parent)
        // Those of a scale set are read through the scale set.
        .filter(|nic| !nic.is_of_scale_set())
        .collect();
    let mut network_interfaces: Vec<NetworkInterface> = Vec::new();
    let mut windows = BTreeSet::new();
    for nic in &interfaces {
        let found = here(nic, azure.network_interface(nic).await)?;
        if let Some(machine) = &found.virtual_machine
            && azure.operating_system(machine).await == Some(Os::Windows)
        {
            windows.insert(machine.clone());
        }
        network_interfaces.push(found);
    }
    let mut existing = Existing {
        load_balancer,
        public_ip_prefixes,
        public_ips,
        network_interfaces,
        windows,
        inside: Inside::new(),
    };
    let mut text = generate(&existing).map_err(|error| Failure::of(&error))?;
    if arguments.guests != Ask::None {
        existing.inside = ask(context, &text).await?;
        text = generate(&existing).map_err(|error| Failure::of(&error))?;
    }
    match &arguments.out {
        None => say(&text),
        Some(directory) => write(context, directory, &text)?,
    }
    Ok(Exit::Done)
}

/// What the guests of this text say. A text that cannot be loaded has none; the next plan tells what is wrong with it.
async fn ask(context: &Context, text: &str) -> Result<Inside, Failure> {
    let mut sources = SourceSet::default();
    sources.files.insert(FILE.into(), text.into());
    let (configuration, _) = load(&sources, &Inputs::default(), &NoFiles);
    let Some(configuration) = configuration else {
        return Ok(Inside::new());
    };
    let wanted = plan::needed(&configuration.desired, None);
    if wanted.guests.is_empty() {
        return Ok(Inside::new());
    }
    let world = world::build(context, &configuration).await?;
    let mut observed = Observed::default();
    apply::observe_guests(&mut observed, &wanted, &world.guests).await;
    Ok(observed.guests.into_iter().collect())
}

/// Azure's side of the world needs a subscription and nothing else.
fn no_configuration(subscription: &str) -> Configuration {
    let text = format!(
        "plimsoll {{\n  deployment = \"import\"\n}}\nprovider \"azure\" {{\n  subscription_id = {subscription:?}\n}}\n"
    );
    let mut sources = SourceSet::default();
    sources.files.insert("import".into(), text.as_str().into());
    let (configuration, _) = load(&sources, &Inputs::default(), &NoFiles);
    configuration.expect("two blocks with plain words in them are a configuration")
}

fn here<T>(id: &ArmId, observation: Observation<T>) -> Result<T, Failure> {
    match observation {
        Observation::Present(found) => Ok(found),
        Observation::Absent => Err(Failure::new(format!("{id} does not exist"))
            .next("Look for a typo, and for the right subscription.")),
        Observation::Unreadable { why } => {
            Err(Failure::new(format!("{id} cannot be read: {why}")).exiting(Exit::Unread))
        }
    }
}

/// What a person wrote is never written over.
fn write(context: &Context, directory: &Path, text: &str) -> Result<(), Failure> {
    let directory = context.path(directory);
    let path = directory.join(FILE);
    let written = std::fs::create_dir_all(&directory).and_then(|()| {
        let mut file = std::fs::File::create_new(&path)?;
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| {
        Failure::new(format!("cannot write {}", path.display()))
            .because(&error)
            .next("Choose another directory, or move that file away.")
    })?;
    tell(&format!(
        "Wrote {}. Next: plimsoll -C {} plan\n",
        path.display(),
        crate::context::quoted(&directory.display().to_string())
    ));
    Ok(())
}
