//! Why Azure Storage did not do what was asked, in words that lead on.
//!
//! Codes: <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>,
//! <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>.

use azure_core::error::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("{address} is not the address of a storage account; write it as https://host[:port]")]
    Address { address: String },
    #[error(
        "{address} is not https, and a token is only sent over TLS; give the https address, or a SAS token in ARM_SAS_TOKEN"
    )]
    TokenNeedsTls { address: String },
    #[error(
        "ARM_SAS_TOKEN is not a SAS token: it would hold sig=…; make one with `az storage container generate-sas`, or unset it to sign in with Microsoft Entra ID"
    )]
    NotASas,
    #[error(
        "the container {container} of the storage account {account} does not exist; create it, then run the same command again:\n  \
         az storage container create --auth-mode login --account-name {account} --name {container}"
    )]
    NoContainer { account: String, container: String },
    #[error("Azure Storage did not let us at {place} ({answer}); {next}")]
    Forbidden {
        place: String,
        answer: String,
        next: String,
    },
    #[error("signing in to Azure Storage for {place} did not work: {cause}")]
    SignIn { place: String, cause: String },
    #[error(
        "{place} cannot be reached: {cause}; check the account's name, the network, the proxy and the account's firewall"
    )]
    Unreachable { place: String, cause: String },
    /// It may work again later.
    #[error("Azure Storage is busy with {place} ({answer}); run the same command again")]
    Busy { place: String, answer: String },
    #[error("Azure Storage refused {place} ({answer})")]
    Refused { place: String, answer: String },
}

impl BlobError {
    pub(crate) fn may_work_later(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }
}

/// What an answer means for a lock or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BlobNotFound,
    NoContainer,
    Exists,
    /// Somebody else holds the lease.
    Leased,
    /// The lease that was named is not the blob's any more.
    LeaseGone,
    /// `If-Match` does not.
    Moved,
    Other,
}

pub(super) fn code(error: &azure_core::Error) -> Code {
    let ErrorKind::HttpResponse {
        status, error_code, ..
    } = error.kind()
    else {
        return Code::Other;
    };
    match (u16::from(*status), error_code.as_deref()) {
        // An answer to HEAD has no body, and not every server puts the code in a header.
        (_, Some("BlobNotFound")) | (404, None) => Code::BlobNotFound,
        (_, Some("ContainerNotFound" | "ContainerBeingDeleted")) => Code::NoContainer,
        (_, Some("BlobAlreadyExists")) => Code::Exists,
        (
            _,
            Some("LeaseAlreadyPresent" | "LeaseIsBreakingAndCannotBeAcquired" | "LeaseIdMissing"),
        ) => Code::Leased,
        (
            _,
            Some(
                "LeaseIdMismatchWithBlobOperation"
                | "LeaseIdMismatchWithLeaseOperation"
                | "LeaseIsBrokenAndCannotBeRenewed"
                | "LeaseLost"
                | "LeaseNotPresentWithBlobOperation"
                | "LeaseNotPresentWithLeaseOperation",
            ),
        ) => Code::LeaseGone,
        (_, Some("ConditionNotMet")) => Code::Moved,
        (_, _) => Code::Other,
    }
}

pub(super) fn refused(
    place: &str,
    account: &str,
    container: &str,
    by_sas: bool,
    error: &azure_core::Error,
) -> BlobError {
    let ErrorKind::HttpResponse {
        status, error_code, ..
    } = error.kind()
    else {
        return without_answer(place, error);
    };
    let place = place.to_owned();
    let status = u16::from(*status);
    let answer = match error_code {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    };
    match (code(error), status) {
        (Code::NoContainer, _) => BlobError::NoContainer {
            account: account.to_owned(),
            container: container.to_owned(),
        },
        (_, 401 | 403) => BlobError::Forbidden {
            next: way_in(error_code.as_deref(), by_sas),
            place,
            answer,
        },
        (_, 408 | 429 | 500..) => BlobError::Busy { place, answer },
        (_, _) => BlobError::Refused { place, answer },
    }
}

/// What opens the door, which differs by who we are.
fn way_in(code: Option<&str>, by_sas: bool) -> String {
    match (code, by_sas) {
        (Some("KeyBasedAuthenticationNotPermitted"), _) => {
            "the account allows no access keys, so no SAS token made with one: unset ARM_SAS_TOKEN to sign in with \
             Microsoft Entra ID, or give a user delegation SAS"
        }
        (Some("AuthorizationSourceIPMismatch"), _) => {
            "the SAS token is not valid from this address: make one for it (sip), or run where it is valid"
        }
        (Some("AuthorizationFailure"), false) => {
            "either the account's firewall keeps this machine out (Networking, in the portal), or this identity has no role \
             there: it needs Storage Blob Data Contributor on the container, to plan only Storage Blob Data Reader"
        }
        (_, false) => {
            "give this identity the role Storage Blob Data Contributor on the container, to plan only Storage Blob Data Reader; \
             a new role takes some minutes"
        }
        (Some("AuthenticationFailed"), true) => {
            "the SAS token is wrong or no longer valid, or this machine's clock is: make a new one for ARM_SAS_TOKEN"
        }
        (_, true) => {
            "the SAS token in ARM_SAS_TOKEN does not allow it: make one for the container that may read, create and write \
             (--permissions rcw), to plan only read (--permissions r)"
        }
    }
    .to_owned()
}

/// Nothing came back, or no token was there to be sent.
pub(super) fn without_answer(place: &str, error: &azure_core::Error) -> BlobError {
    let (place, cause) = (place.to_owned(), causes(error));
    match error.kind() {
        ErrorKind::Credential => BlobError::SignIn { place, cause },
        _ => BlobError::Unreachable { place, cause },
    }
}

/// The innermost cause: the outer ones only say that something did not work. Addresses lose their query, which may be a
/// SAS token.
fn causes(error: &azure_core::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    without_queries(&innermost.to_string())
}

fn without_queries(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut hidden = false;
    for letter in text.chars() {
        if hidden && (letter.is_whitespace() || ")\"'>".contains(letter)) {
            hidden = false;
        }
        if !hidden {
            out.push(letter);
        }
        hidden |= letter == '?';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_text_loses_every_query() {
        assert_eq!(
            without_queries("error for url (http://a/b?sv=1&sig=hunter2): refused? no"),
            "error for url (http://a/b?): refused? no"
        );
    }
}
