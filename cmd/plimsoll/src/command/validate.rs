//! `validate`: the configuration alone, without Azure, guests or state.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pipeline;
use crate::view::Valid;
use plimsoll_core::model::{ArmId, ItemKind};

pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let loaded = pipeline::load(context)?;
    let desired = &loaded.configuration.desired;
    let items = desired.load_balancers.values().flat_map(|lb| &lb.items);
    let valid = Valid {
        files: loaded.files,
        public_ips: desired.public_ips.len(),
        load_balancers: desired.load_balancers.len(),
        rules: items.filter(|item| item.kind == ItemKind::Rule).count(),
        guests: desired.guests.len(),
    };
    context.view.valid(&valid, &loaded.told);
    let undiscovered = &loaded.configuration.undiscovered;
    let pools = undiscovered.pools.iter().map(|pool| {
        let of = pool.parent();
        format!(
            "{:?} of {}",
            pool.name(),
            of.as_ref().map_or("", ArmId::name)
        )
    });
    let pools = pools.collect::<Vec<_>>().join(", ");
    for block in &undiscovered.blocks {
        context.view.note(&format!(
            "{block}: known once the members of pool {pools} are read"
        ));
    }
    Ok(Exit::Done)
}
