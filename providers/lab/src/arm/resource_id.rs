//! ARM paths taken apart: subscription, resource group, provider, type and names.

use std::fmt;

/// A path below a provider: `/subscriptions/S[/resourceGroups/G]/providers/NS/type[/name[/subtype[/name]…]]`.
///
/// The path may end in a type (a collection, or an action of the resource before it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResourcePath {
    pub subscription: String,
    pub resource_group: Option<String>,
    pub namespace: String,
    /// Types and names in turn, as written; odd length = ends in a type.
    pub segments: Vec<String>,
}

impl ResourcePath {
    /// Takes a path apart; `None` when it is not of this form.
    #[must_use]
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts = path
            .strip_prefix('/')
            .unwrap_or(path)
            .trim_end_matches('/')
            .split('/');
        let mut expect = |word: &str| parts.next().filter(|part| part.eq_ignore_ascii_case(word));
        expect("subscriptions")?;
        let subscription = parts.next()?.to_owned();
        let mut word = parts.next()?;
        let mut resource_group = None;
        if word.eq_ignore_ascii_case("resourceGroups") {
            resource_group = Some(parts.next()?.to_owned());
            word = parts.next()?;
        }
        if !word.eq_ignore_ascii_case("providers") {
            return None;
        }
        let namespace = parts.next()?.to_owned();
        let segments: Vec<String> = parts.map(str::to_owned).collect();
        let whole = !segments.is_empty() && segments.iter().all(|segment| !segment.is_empty());
        (whole && !subscription.is_empty()).then_some(Self {
            subscription,
            resource_group,
            namespace,
            segments,
        })
    }

    /// `Microsoft.Network/loadBalancers/probes`, as written.
    #[must_use]
    pub(super) fn resource_type(&self) -> String {
        let types = self.segments.iter().step_by(2).cloned().collect::<Vec<_>>();
        format!("{}/{}", self.namespace, types.join("/"))
    }

    #[must_use]
    pub(super) fn is_type(&self, resource_type: &str) -> bool {
        self.resource_type().eq_ignore_ascii_case(resource_type)
    }

    /// Whether the path names one resource rather than a collection.
    #[must_use]
    pub(super) fn names_resource(&self) -> bool {
        self.segments.len().is_multiple_of(2)
    }

    /// The last name (of the last type that has one).
    #[must_use]
    pub(super) fn name(&self) -> &str {
        let last = self.segments.len() / 2 * 2;
        last.checked_sub(1)
            .and_then(|at| self.segments.get(at))
            .map_or("", String::as_str)
    }

    /// The path of the first `pairs` type/name pairs.
    #[must_use]
    pub(super) fn ancestor(&self, pairs: usize) -> Self {
        let mut path = self.clone();
        path.segments.truncate(pairs * 2);
        path
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/subscriptions/{}", self.subscription)?;
        if let Some(group) = &self.resource_group {
            write!(f, "/resourceGroups/{group}")?;
        }
        write!(f, "/providers/{}", self.namespace)?;
        self.segments
            .iter()
            .try_for_each(|segment| write!(f, "/{segment}"))
    }
}

/// ARM ids compare without case: the key under which everything is stored.
#[must_use]
pub(super) fn canonical(id: &str) -> String {
    format!("/{}", id.trim_matches('/')).to_ascii_lowercase()
}

/// The id of the resource group.
#[must_use]
pub(super) fn resource_group_id(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{name}")
}

/// The top-level resource that an id is, or is a part of.
#[must_use]
pub(super) fn owner(id: &str) -> Option<String> {
    let path = ResourcePath::parse(id)?;
    Some(path.ancestor(1).to_string())
}

/// The last segment of an id.
#[must_use]
pub(super) fn last_name(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// Whether two ids name the same thing.
#[must_use]
pub(super) fn same(left: &str, right: &str) -> bool {
    left.trim_matches('/')
        .eq_ignore_ascii_case(right.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: &str =
        "/subscriptions/s/resourcegroups/G/providers/Microsoft.Network/loadBalancers/lb/probes/p";

    #[test]
    fn a_child_path_comes_apart() {
        let path = ResourcePath::parse(PROBE).unwrap();
        assert_eq!(path.resource_group.as_deref(), Some("G"));
        assert_eq!(
            path.resource_type(),
            "Microsoft.Network/loadBalancers/probes"
        );
        assert_eq!(path.name(), "p");
        assert!(path.names_resource());
        assert_eq!(
            owner(PROBE).unwrap(),
            "/subscriptions/s/resourceGroups/G/providers/Microsoft.Network/loadBalancers/lb"
        );
    }

    #[test]
    fn what_is_no_resource_path_is_refused() {
        for path in [
            "",
            "/",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/g",
            "/x/y/providers/a/b",
            "/subscriptions/s/resourceGroups/g/providers/N",
            "/subscriptions/s/providers/N//x",
        ] {
            assert_eq!(ResourcePath::parse(path), None, "{path}");
        }
    }
}
