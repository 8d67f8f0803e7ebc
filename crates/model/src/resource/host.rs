//! One host of protected servers, and which of them a path means.

use std::{cmp::Reverse, sync::Arc};

use super::{
    registry::{Protected, Resource, Wildcard},
    uri::{ResourceUri, is_ambiguous, is_below, is_below_in_any_case},
};

/// A host with the resources that are there. Looking for one of them allocates nothing.
#[derive(Debug)]
pub struct Host {
    /// The longest path first.
    places: Vec<Arc<Protected>>,
    paths_matter: bool,
}

impl Host {
    /// A host with what is configured there. Of two resources that differ in the scheme alone, the last one counts.
    pub(super) fn of(resources: &[Arc<Resource>]) -> Self {
        let paths_matter = resources.len() > 1
            || resources
                .iter()
                .any(|r| !r.uri.path().is_empty() || r.policy.reads_paths());
        let place = |resource: &Arc<Resource>| {
            Arc::new(Protected {
                identity: resource.uri.clone(),
                resource: Arc::clone(resource),
                paths_matter,
                is_below_wildcard: false,
            })
        };
        let mut places: Vec<_> = resources.iter().rev().map(place).collect();
        places.sort_by_key(|place| Reverse(place.identity.path().len()));
        Self { places, paths_matter }
    }

    /// A host below a wildcard.
    pub(super) fn below(wildcard: &Wildcard, authority: &str) -> Self {
        let paths_matter = wildcard.resource().policy.reads_paths();
        let place = Protected {
            identity: ResourceUri::assemble(wildcard.scheme(), authority, ""),
            resource: wildcard.shared(),
            paths_matter,
            is_below_wildcard: true,
        };
        Self {
            places: vec![Arc::new(place)],
            paths_matter,
        }
    }

    /// The resource that a request to `path` (without query) is for: the one with the longest path that it lies below.
    /// `None` also for paths that the server behind might read differently.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Arc<Protected>> {
        if self.paths_matter && is_ambiguous(path) {
            return None;
        }
        let nth = self
            .places
            .iter()
            .position(|place| is_below(path, place.identity.path()))?;
        let found = self.places.get(nth)?;
        // a server that ignores the case of letters would take it for another resource's path
        let has_likeness = self.places.iter().take(nth).any(|longer| {
            let prefix = longer.identity.path();
            prefix.len() > found.identity.path().len() && is_below_in_any_case(path, prefix)
        });
        (!has_likeness).then_some(found)
    }

    /// The only resource, if there is just one.
    pub(super) fn only_one(&self) -> Option<&Arc<Protected>> {
        match self.places.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
