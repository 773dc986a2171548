//! `init`: a first configuration in a directory that has none. Asks on a terminal; elsewhere the options and their defaults say.

use super::import;
use crate::args::{Ask, ImportArguments, InitArguments, InitBackend, InitProtocol};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sources;
use crate::view::{Told, tell};
use plimsoll_core::config::scaffold::{
    Scaffold, ScaffoldBackend, ScaffoldFrontend, ScaffoldProtocol, scaffold,
};
use plimsoll_core::config::{Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use std::io::Write as _;
use std::path::Path;

const FILE: &str = "main.plim.hcl";
/// Until someone says better: the lab takes it, and Azure refuses it by name.
const NO_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) async fn run(context: &Context, arguments: &InitArguments) -> Result<Exit, Failure> {
    let directory = context.directory();
    if directory.is_dir() && !sources::gather(directory).0.files.is_empty() {
        return Err(Failure::new(format!(
            "{} has a configuration already",
            directory.display()
        ))
        .next("Look at it:")
        .next(format!("  {}", context.call("plan")))
        .next("or begin in another directory with -C DIR."));
    }
    if let Some(id) = &arguments.load_balancer {
        let import = ImportArguments {
            id: id.clone(),
            guests: Ask::All,
            out: Some(".".into()),
        };
        return import::run(context, &import).await;
    }
    let asks = context.terminal.asks && !context.global.json;
    let wanted = wanted(arguments, directory, &Questions { asks })?;
    let text = scaffold(&wanted);
    check(&text)?;
    write(directory, &text)?;
    let path = directory.join(FILE);
    context.view.note(&format!(
        "Wrote {}. Try it without an Azure account, then look at what it would do in Azure:\n  {}\n  {}",
        path.display(),
        lab_call(context),
        context.call("plan"),
    ));
    Ok(Exit::Done)
}

fn lab_call(context: &Context) -> String {
    let mut global = context.global.clone();
    global.lab = true;
    Context::new(global).call("apply")
}

/// Asks where somebody is there to answer.
struct Questions {
    asks: bool,
}

impl Questions {
    /// The option, or the answer, or the default.
    fn text(&self, given: Option<&String>, question: &str, default: &str) -> String {
        if let Some(given) = given {
            return given.clone();
        }
        if !self.asks {
            return default.to_owned();
        }
        tell(&format!("{question} [{default}]: "));
        let mut answer = String::new();
        // An input that ends is an empty answer.
        let _ = std::io::stdin().read_line(&mut answer);
        match answer.trim() {
            "" => default.to_owned(),
            answer => answer.to_owned(),
        }
    }

    fn port(&self, given: Option<u16>, question: &str, default: u16) -> Result<u16, Failure> {
        let given = given.map(|port| port.to_string());
        let text = self.text(given.as_ref(), question, &default.to_string());
        text.parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| Failure::new(format!("{text:?} is not a port from 1 to 65535")))
    }
}

fn wanted(
    arguments: &InitArguments,
    directory: &Path,
    questions: &Questions,
) -> Result<Scaffold, Failure> {
    let subscription = std::env::var("ARM_SUBSCRIPTION_ID").ok();
    let subscription = subscription.filter(|id| !id.is_empty());
    let deployment = questions.text(
        arguments.deployment.as_ref(),
        "Name of the deployment",
        &name_of(directory),
    );
    let subscription = questions.text(
        arguments.subscription.as_ref(),
        "Azure subscription",
        subscription.as_deref().unwrap_or(NO_SUBSCRIPTION),
    );
    let resource_group = questions.text(
        arguments.resource_group.as_ref(),
        "Resource group",
        "rg-web",
    );
    let location = questions.text(arguments.location.as_ref(), "Region", "westeurope");
    let subnet = questions.text(
        arguments.subnet.as_ref(),
        "Subnet id of an internal load balancer (empty: public)",
        "",
    );
    let frontend = if subnet.is_empty() {
        ScaffoldFrontend::Public
    } else {
        let address = questions.text(
            arguments.address.as_ref(),
            "Address of its frontend in that subnet",
            "10.0.0.100",
        );
        ScaffoldFrontend::Internal { subnet, address }
    };
    let port = questions.port(arguments.port, "Port that clients use", 443)?;
    let probe_port = questions.port(
        arguments.probe_port,
        "Port that answers health probes",
        8080,
    )?;
    let guests = match arguments.guest.as_slice() {
        [] => questions
            .text(None, "Virtual machines behind it, by name", "vm1 vm2")
            .split([' ', ','])
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        given => given.to_vec(),
    };
    let backend = match (arguments.backend, &arguments.account, &arguments.container) {
        (InitBackend::Local, _, _) => ScaffoldBackend::Local,
        (InitBackend::Azblob, account, container) => ScaffoldBackend::Azblob {
            account: questions.text(
                account.as_ref(),
                "Storage account of the state",
                "plimsollstate",
            ),
            container: questions.text(container.as_ref(), "Its container", "plimsoll"),
        },
    };
    Ok(Scaffold {
        deployment,
        subscription,
        resource_group,
        location,
        frontend,
        port,
        protocol: match arguments.protocol {
            InitProtocol::Tcp => ScaffoldProtocol::Tcp,
            InitProtocol::Udp => ScaffoldProtocol::Udp,
        },
        probe_port,
        guests,
        windows: arguments.windows,
        backend,
    })
}

/// The directory's own name, as far as a deployment may be called that.
fn name_of(directory: &Path) -> String {
    let whole = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.into());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let tame: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(32)
        .collect();
    match tame.trim_matches('-') {
        "" => "web".to_owned(),
        name => name.to_owned(),
    }
}

/// What was answered may be no configuration: then it is said as for any other, and nothing is written.
fn check(text: &str) -> Result<(), Failure> {
    let mut sources = SourceSet::default();
    sources.files.insert(FILE.into(), text.into());
    let (configuration, diagnostics) = load(&sources, &Inputs::default(), &NoFiles);
    if configuration.is_some() {
        return Ok(());
    }
    Err(Failure::refused(Told {
        diagnostics,
        texts: [(FILE.into(), text.into())].into(),
        directory: std::path::PathBuf::new(),
    }))
}

fn write(directory: &Path, text: &str) -> Result<(), Failure> {
    let path = directory.join(FILE);
    let written = std::fs::create_dir_all(directory).and_then(|()| {
        let mut file = std::fs::File::create_new(&path)?;
        file.write_all(text.as_bytes())
    });
    written
        .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_called_like_its_directory() {
        for (directory, name) in [
            ("/x/Web Prod", "web-prod"),
            ("/x/.hidden", "hidden"),
            ("/", "web"),
            ("/x/---", "web"),
        ] {
            assert_eq!(name_of(Path::new(directory)), name);
        }
    }
}
