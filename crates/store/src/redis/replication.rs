//! What Redis says of its own place among others.

/// Whether a Redis is written to, or follows one that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is written to, and so many follow it.
    Master { replicas: u32 },
    /// It follows another.
    Replica,
}

impl Role {
    /// Reads it from what `INFO replication` answers.
    pub(super) fn read(info: &str) -> Option<Self> {
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        match field("role")? {
            "master" => Some(Self::Master {
                replicas: field("connected_slaves")?.parse().ok()?,
            }),
            "slave" => Some(Self::Replica),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read() {
        for (info, role) in [
            (
                "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
                Some(Role::Master { replicas: 0 }),
            ),
            (
                "role:master\r\nconnected_slaves:2\r\n",
                Some(Role::Master { replicas: 2 }),
            ),
            (
                "role:slave\r\nmaster_host:a\r\nconnected_slaves:0\r\n",
                Some(Role::Replica),
            ),
            ("role:sentinel\r\n", None),
            ("role:master\r\n", None),
            ("", None),
        ] {
            assert_eq!(Role::read(info), role, "{info}");
        }
    }
}
