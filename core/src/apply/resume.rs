//! What an interrupted run left under way: Azure is asked how it ended before anything is compared.

use super::{EnactAzure, Event, Progress};
use crate::model::Addr;
use crate::plan::{Plan, StepId};
use crate::state::{Journal, StepStatus};

/// Waits for every operation in the journal. What became of each shows in its resource.
pub(super) async fn wait_for_unfinished(
    plan: &Plan,
    journal: Option<&Journal>,
    azure: &dyn EnactAzure,
    events: &(dyn Fn(Event) + Send + Sync),
) {
    let steps = journal.into_iter().flat_map(|journal| &journal.steps);
    let operations = steps.filter_map(|(id, status)| match status {
        StepStatus::InFlight {
            operation: Some(operation),
            ..
        } => Some((*id, operation)),
        StepStatus::InFlight {
            operation: None, ..
        }
        | StepStatus::Done { .. }
        | StepStatus::Failed { .. } => None,
    });
    let waits = operations.map(|(id, operation)| async move {
        let teller = Teller {
            step: id,
            addr: plan
                .steps
                .iter()
                .find(|step| step.id == id)
                .map(|step| &step.addr),
            events,
        };
        azure.resume(operation, &teller).await;
    });
    futures::future::join_all(waits).await;
}

struct Teller<'a> {
    step: StepId,
    /// The journal may be another plan's, whose steps this one does not know.
    addr: Option<&'a Addr>,
    events: &'a (dyn Fn(Event) + Send + Sync),
}

impl Progress for Teller<'_> {
    fn operation(&self, _url: &str) {}

    fn note(&self, text: &str) {
        if let Some(addr) = self.addr {
            (self.events)(Event::Progress {
                step: self.step,
                addr: addr.clone(),
                note: text.to_owned(),
            });
        }
    }
}
