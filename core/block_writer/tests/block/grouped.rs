//! What the naive model says of the order of a row.

use crate::support::{Attributes, Resource, Span};

pub fn sorted(attributes: &Attributes) -> Attributes {
    let mut sorted = attributes.clone();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

/// Resources, each with its scopes, each with its spans: small ones first, of one size those whose first span comes first.
pub type Grouped<'s> = Vec<(&'s Resource, Vec<Vec<&'s Span>>)>;

pub fn grouped(spans: &[Span]) -> Grouped<'_> {
    let mut groups: Grouped<'_> = Vec::new();
    for span in spans {
        let attributes = sorted(&span.resource.attributes);
        let resource = groups
            .iter()
            .position(|(other, _)| sorted(&other.attributes) == attributes);
        let resource = resource.unwrap_or_else(|| {
            groups.push((&span.resource, Vec::new()));
            groups.len() - 1
        });
        let scope = |span: &Span| {
            let scope = &span.scope;
            (
                scope.name.clone(),
                scope.version.clone(),
                sorted(&scope.attributes),
            )
        };
        let scopes = &mut groups[resource].1;
        match scopes
            .iter_mut()
            .find(|other| scope(other[0]) == scope(span))
        {
            Some(other) => other.push(span),
            None => scopes.push(vec![span]),
        }
    }
    for (_, scopes) in &mut groups {
        scopes.sort_by_key(Vec::len);
    }
    groups.sort_by_key(|(_, scopes)| (scopes.len(), scopes.iter().map(Vec::len).sum::<usize>()));
    groups
}
