//! Older states, brought to the version of today when they are read; the next write keeps them so.
//!
//! A new version means: `STATE_VERSION` goes up, the change of the document goes to the end of `MIGRATIONS`, and states of the
//! new version join those in `testdata/states`. Without the second it does not compile, without the third a test fails.

use super::document::STATE_VERSION;
use serde_json::{Error, Value};

/// Makes a document of one version one of the next, all but its `version`.
type Migration = fn(Value) -> Result<Value, Error>;

/// The first is from version 1 to 2; there is one for each version that ever was, less the newest.
const MIGRATIONS: [Migration; STATE_VERSION as usize - 1] = [];

/// The document in the newest version. `found` is the version that it says it has, and no newer one.
pub(super) fn migrated(document: Value, found: u32) -> Result<Value, Error> {
    carried(document, found, &MIGRATIONS)
}

fn carried(document: Value, found: u32, migrations: &[Migration]) -> Result<Value, Error> {
    let done = usize::try_from(found).ok().and_then(|v| v.checked_sub(1));
    let Some(left) = done.and_then(|done| migrations.get(done..)) else {
        let never = format!("no plimsoll ever wrote a state of version {found}");
        return Err(serde::de::Error::custom(never));
    };
    let mut document = left
        .iter()
        .try_fold(document, |old, migrate| migrate(old))?;
    if let Some(version) = document.get_mut("version") {
        *version = (migrations.len() + 1).into();
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noting(mut document: Value, word: &str) -> Result<Value, Error> {
        let notes = document["notes"].as_array_mut().expect("it has notes");
        notes.push(word.into());
        Ok(document)
    }

    /// Of a format that has come to version 3.
    fn of(version: u32) -> Result<Value, String> {
        let migrations: [Migration; 2] = [|d| noting(d, "to 2"), |d| noting(d, "to 3")];
        let document = json!({ "version": version, "notes": [] });
        carried(document, version, &migrations).map_err(|error| error.to_string())
    }

    #[test]
    fn each_version_goes_through_those_behind_it() {
        assert_eq!(
            of(1),
            Ok(json!({ "version": 3, "notes": ["to 2", "to 3"] }))
        );
        assert_eq!(of(2), Ok(json!({ "version": 3, "notes": ["to 3"] })));
        assert_eq!(of(3), Ok(json!({ "version": 3, "notes": [] })));
        let never = "no plimsoll ever wrote a state of version 0";
        assert_eq!(of(0), Err(never.to_owned()));
    }
}
