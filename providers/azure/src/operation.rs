//! Long-running operations: from the answer to a write until Azure is done with it.
//!
//! Our own loop, since `azure_core`'s poller knows neither of ARM's headers, cannot show what it waits for, and panics
//! when it is asked once more after the end.
//! Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>.

use crate::client::{Answer, Call, Client, Condition, Document};
use crate::error::{ArmError, Meaning, Refusal, target};
use crate::patience::{Repeat, until_next_look};
use azure_core::http::Method;
use plimsoll_core::apply::Progress;
use plimsoll_core::model::ArmId;
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// Where to look for the end.
enum Look {
    /// `Azure-AsyncOperation`: 200 with `status` in the body, from beginning to end.
    Operation(Url),
    /// `Location`: 202 until it is done.
    Location(Url),
    /// Neither, or no longer: the resource's own `provisioningState`.
    Resource,
}

enum Seen {
    Running(Option<Duration>),
    /// With what was answered last: the output of an action is in it.
    Done(Value),
    /// Azure no longer knows the operation, or says nothing of its status.
    Lost,
}

/// How long to wait for an operation, and what to show meanwhile.
pub(crate) struct Wait {
    pub(crate) limit: Duration,
    pub(crate) note: &'static str,
}

impl Client {
    /// Waits until the write that got this answer is over.
    pub async fn finish(
        &self,
        id: &ArmId,
        answer: &Answer,
        progress: &dyn Progress,
    ) -> Result<(), ArmError> {
        let wait = Wait {
            limit: self.patience().operation,
            note: "Azure is updating",
        };
        self.outcome(id, answer, &wait, progress).await.map(|_| ())
    }

    /// Waits until the operation is over, and gives what Azure said at its end; `null` where there was nothing to wait for
    /// or Azure no longer knows the operation.
    pub(crate) async fn outcome(
        &self,
        id: &ArmId,
        answer: &Answer,
        wait: &Wait,
        progress: &dyn Progress,
    ) -> Result<Value, ArmError> {
        let mut look = match self.where_to_look(answer) {
            Some(look) => look,
            None => return Ok(Value::Null),
        };
        if let Look::Operation(url) | Look::Location(url) = &look {
            progress.operation(&without_signature(url));
        }
        let what = target(id);
        let mut retry_after = answer.retry_after;
        let mut waited = Duration::ZERO;
        for count in 0.. {
            let time = retry_after.unwrap_or_else(|| until_next_look(count));
            if waited + time > wait.limit {
                break;
            }
            if count == 1 {
                progress.note(wait.note);
            }
            tokio::time::sleep(time).await;
            waited += time;
            let seen = match &look {
                Look::Operation(url) => self.look_at_operation(&what, url, progress).await?,
                Look::Location(url) => self.look_at_location(url, progress).await?,
                Look::Resource => match self.get(id, progress).await? {
                    Some(document) if document.is_changing() => Seen::Running(None),
                    Some(_) | None => Seen::Done(Value::Null),
                },
            };
            match seen {
                Seen::Done(said) => return Ok(said),
                Seen::Running(next) => retry_after = next,
                Seen::Lost => {
                    look = Look::Resource;
                    retry_after = None;
                }
            }
        }
        Err(ArmError::StillRunning {
            what,
            after: waited,
            correlation: answer.correlation.clone(),
        })
    }

    /// Waits for an operation of an earlier run, by the address that [`without_signature`] left of it. How it ended does
    /// not matter here: whoever resumes looks at the resource itself. An address that Azure no longer takes is no reason
    /// to fail either, since the resource's own `provisioningState` says the same.
    pub(crate) async fn resume(&self, operation: &str, progress: &dyn Progress) {
        let Some(url) = Url::parse(operation).ok().filter(|url| self.is_ours(url)) else {
            return;
        };
        let mut waited = Duration::ZERO;
        let mut retry_after = None;
        for count in 0.. {
            let seen = self
                .look_at_operation("the operation", &url, progress)
                .await;
            let Ok(Seen::Running(next)) = seen else {
                return;
            };
            if count == 0 {
                progress.note("going on from an operation of an earlier run");
            }
            retry_after = next.or(retry_after);
            let time = retry_after.unwrap_or_else(|| until_next_look(count));
            if waited + time > self.patience().operation {
                return;
            }
            tokio::time::sleep(time).await;
            waited += time;
        }
    }

    /// The resource once nothing is changing it: it is never compared while `Updating`.
    pub(crate) async fn at_rest(
        &self,
        id: &ArmId,
        progress: &dyn Progress,
    ) -> Result<Option<Document>, ArmError> {
        let mut waited = Duration::ZERO;
        for look in 0.. {
            let document = self.get(id, progress).await?;
            match document {
                Some(document) if document.is_changing() => {
                    if look == 0 {
                        let state = document.provisioning_state().unwrap_or_default();
                        progress.note(&format!("Azure is not done with it yet ({state})"));
                    }
                }
                at_rest => return Ok(at_rest),
            }
            let time = until_next_look(look);
            if waited + time > self.patience().settle {
                break;
            }
            tokio::time::sleep(time).await;
            waited += time;
        }
        Err(ArmError::StillRunning {
            what: target(id),
            after: waited,
            correlation: None,
        })
    }

    /// Every load balancer PUT names an operation, even when its body already says `Succeeded`.
    fn where_to_look(&self, answer: &Answer) -> Option<Look> {
        let url = |header: &Option<String>| {
            header
                .as_deref()
                .and_then(|text| Url::parse(text).ok())
                .filter(|url| self.is_ours(url))
        };
        if let Some(operation) = url(&answer.operation) {
            return Some(Look::Operation(operation));
        }
        if let Some(location) = url(&answer.location)
            && answer.status == 202
        {
            return Some(Look::Location(location));
        }
        let changing = answer.body.as_object().is_some_and(|body| {
            Document {
                body: body.clone(),
                etag: None,
            }
            .is_changing()
        });
        (changing || answer.status == 202).then_some(Look::Resource)
    }

    async fn look_at_operation(
        &self,
        what: &str,
        url: &Url,
        progress: &dyn Progress,
    ) -> Result<Seen, ArmError> {
        let answer = match self.send(look(url), progress).await {
            Ok(answer) => answer,
            Err(error) if error.meaning() == Some(Meaning::NotFound) => return Ok(Seen::Lost),
            Err(error) => return Err(error),
        };
        let Some(status) = answer.body.get("status").and_then(Value::as_str) else {
            return Ok(Seen::Lost);
        };
        match status.to_ascii_lowercase().as_str() {
            "succeeded" => Ok(Seen::Done(answer.body)),
            "failed" | "canceled" | "cancelled" => {
                let error = answer.body.get("error").unwrap_or(&Value::Null);
                Err(ArmError::OperationFailed {
                    what: what.to_owned(),
                    status: status.to_owned(),
                    refusal: Box::new(Refusal {
                        correlation: answer.correlation.clone(),
                        ..Refusal::of_error("the operation", error)
                    }),
                })
            }
            _ => Ok(Seen::Running(answer.retry_after)),
        }
    }

    async fn look_at_location(&self, url: &Url, progress: &dyn Progress) -> Result<Seen, ArmError> {
        match self.send(look(url), progress).await {
            Ok(answer) if answer.status == 202 => Ok(Seen::Running(answer.retry_after)),
            Ok(answer) => Ok(Seen::Done(answer.body)),
            Err(error) if error.meaning() == Some(Meaning::NotFound) => Ok(Seen::Lost),
            Err(error) => Err(error),
        }
    }
}

/// The address as it may be kept: Resource Manager signs the addresses of operations in their query (`t`, `c`, `s`, `h`),
/// and whoever holds such a signature may ask in our name. The path and the version are enough to ask with a token.
fn without_signature(url: &Url) -> String {
    let mut kept = url.clone();
    kept.set_query(None);
    kept.set_fragment(None);
    let harmless = ["api-version", "monitor"];
    let query: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| {
            harmless
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
        })
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    if !query.is_empty() {
        kept.query_pairs_mut().extend_pairs(query);
    }
    kept.into()
}

fn look(url: &Url) -> Call<'static> {
    Call {
        method: Method::Get,
        url: url.clone(),
        body: None,
        condition: Condition::None,
        repeat: Repeat::Always,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_without_its_signature() {
        let url = "https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/we/operations/o?api-version=2024-01-01&t=638&c=MII&s=sig&h=hash#x";
        assert_eq!(
            without_signature(&Url::parse(url).unwrap()),
            "https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/we/operations/o?api-version=2024-01-01"
        );
        let bare = "https://management.azure.com/o";
        assert_eq!(without_signature(&Url::parse(bare).unwrap()), bare);
    }
}
