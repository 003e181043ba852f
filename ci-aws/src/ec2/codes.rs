//! What the error codes of EC2 mean for somebody who launches instances; a pure table.
//!
//! The codes are those of the *error codes for the Amazon EC2 API* page of the EC2 reference.

/// What to make of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// There are no such machines there now: another type, zone or market may have some.
    Capacity,
    /// An account's limit: another family or market may have room.
    Quota,
    /// This type, zone or subnet cannot be used together: another may.
    Placement,
    /// Too many calls: the same call later.
    Throttled,
    /// It may have been done, and nobody said so.
    Unknown,
    /// There is no such thing, or it is not visible yet.
    NotFound,
    /// It is not in a state in which that can be done.
    State,
    /// It is protected against its end.
    Protected,
    /// There are no credentials, they are not valid any more, or they do not allow it.
    Denied,
    /// The rehearsed call would have been allowed.
    WouldWork,
    /// Nothing else will help.
    Fatal,
}

/// What the error `code` with the HTTP `status` means.
pub(super) fn trouble(code: &str, status: u16) -> Trouble {
    match code {
        "InsufficientInstanceCapacity"
        | "InsufficientHostCapacity"
        | "InsufficientReservedInstanceCapacity"
        | "InsufficientCapacity"
        | "UnfulfillableCapacity"
        | "SpotMaxPriceTooLow"
        | "capacity-not-available" => Trouble::Capacity,
        "MaxSpotInstanceCountExceeded"
        | "VcpuLimitExceeded"
        | "InstanceLimitExceeded"
        | "MaxIOPSLimitExceeded"
        | "VolumeLimitExceeded" => Trouble::Quota,
        "Unsupported"
        | "UnsupportedOperation.InstanceTypeNotSupported"
        | "InsufficientFreeAddressesInSubnet"
        | "InvalidAvailabilityZone" => Trouble::Placement,
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "EC2ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "BandwidthLimitExceeded"
        | "Client.RequestLimitExceeded" => Trouble::Throttled,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" | "Unavailable"
        | "ServerInternal" | "RequestTimeout" => Trouble::Unknown,
        "InvalidInstanceID.NotFound" | "InvalidInstanceID.Malformed" => Trouble::NotFound,
        "IncorrectInstanceState" | "IncorrectState" | "UnsupportedOperation" => Trouble::State,
        "OperationNotPermitted" => Trouble::Protected,
        "AuthFailure"
        | "UnauthorizedOperation"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "OptInRequired"
        | "Blocked"
        | "PendingVerification" => Trouble::Denied,
        "DryRunOperation" => Trouble::WouldWork,
        _ if status >= 500 => Trouble::Unknown,
        _ => Trouble::Fatal,
    }
}

impl Trouble {
    /// Whether another type, zone, subnet or market may go better.
    pub(super) const fn wants_another_place(self) -> bool {
        matches!(self, Self::Capacity | Self::Quota | Self::Placement)
    }

    /// Whether the same call may go better later.
    pub(super) const fn passes(self) -> bool {
        matches!(self, Self::Throttled | Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_come_with_500_are_told_apart() {
        for (code, status, expected) in [
            ("InsufficientInstanceCapacity", 500, Trouble::Capacity),
            ("InternalError", 500, Trouble::Unknown),
            ("SomethingNew", 503, Trouble::Unknown),
            ("SomethingNew", 400, Trouble::Fatal),
            ("RequestLimitExceeded", 503, Trouble::Throttled),
            ("DryRunOperation", 412, Trouble::WouldWork),
            ("InvalidParameterValue", 400, Trouble::Fatal),
        ] {
            assert_eq!(trouble(code, status), expected, "{code}");
        }
    }

    #[test]
    fn only_a_place_makes_another_place_worth_trying() {
        assert!(trouble("VcpuLimitExceeded", 400).wants_another_place());
        assert!(!trouble("UnauthorizedOperation", 403).wants_another_place());
        assert!(trouble("RequestLimitExceeded", 503).passes());
        assert!(!trouble("InsufficientInstanceCapacity", 500).passes());
    }
}
