//! For which resource a token is ([RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2)).

use mcp_gateway_model::{
    error::ErrorCode,
    grant::Grant,
    resource::{ResourceUri, Resources},
};

use crate::door::Rejection;

/// The audience of the grant that `requested` means; without one, the grant's first.
///
/// # Errors
/// `invalid_target` for a resource that the grant is not for, or that is protected no longer.
pub(super) fn narrow<'g>(
    resources: &Resources,
    grant: &'g Grant,
    requested: Option<&str>,
) -> Result<&'g ResourceUri, Rejection> {
    let found = match requested {
        None => grant
            .audiences
            .iter()
            .find(|audience| resources.of_audience(audience.as_str()).is_some()),
        Some(text) => {
            let target = resources
                .resolve(Some(text))
                .map_err(|bad| rejected(bad.to_string(), "target_unknown"))?;
            grant.audiences.iter().find(|audience| {
                resources
                    .of_audience(audience.as_str())
                    .is_some_and(|protected| protected.identity == target.protected.identity)
            })
        }
    };
    found.ok_or_else(|| {
        rejected(
            "resource is not the one that was granted".to_owned(),
            "target_not_granted",
        )
    })
}

fn rejected(description: String, reason: &'static str) -> Rejection {
    Rejection::new(ErrorCode::InvalidTarget, description, reason)
}
