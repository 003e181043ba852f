//! In which order machines are asked for: a pure function of the options.

use std::fmt;

use super::api::Spot;
use super::options::Launch;

/// A machine that would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) instance_type: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) subnet: Option<String>,
    pub(super) spot: Option<Spot>,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.instance_type
                .as_deref()
                .unwrap_or("the template's type"),
        )?;
        let place = self.zone.as_deref().or(self.subnet.as_deref());
        if let Some(place) = place {
            write!(f, " in {place}")?;
        }
        f.write_str(match &self.spot {
            Some(_) => " (spot)",
            None => " (on demand)",
        })
    }
}

/// The machines that would do, the best first: each type in each place, all of them as spot instances
/// before the first on demand. `on_demand` leaves the spot instances out.
pub(super) fn candidates(launch: &Launch, on_demand: bool) -> Vec<Candidate> {
    let mut markets = Vec::new();
    if let Some(spot) = launch.spot.as_ref().filter(|_| !on_demand) {
        markets.push(Some(spot.clone()));
    }
    if markets.is_empty() || launch.fall_back {
        markets.push(None);
    }
    // A subnet says the zone, so there is one list of places.
    let zones = launch.zones.iter().map(|zone| (Some(zone.clone()), None));
    let subnets = launch.subnets.iter().map(|it| (None, Some(it.clone())));
    let places = some(zones.chain(subnets).collect(), (None, None));
    let types = some(launch.types.iter().cloned().map(Some).collect(), None);
    let mut all = Vec::new();
    for spot in &markets {
        for instance_type in &types {
            for (zone, subnet) in &places {
                all.push(Candidate {
                    instance_type: instance_type.clone(),
                    zone: zone.clone(),
                    subnet: subnet.clone(),
                    spot: spot.clone(),
                });
            }
        }
    }
    all
}

fn some<T>(list: Vec<T>, otherwise: T) -> Vec<T> {
    if list.is_empty() {
        vec![otherwise]
    } else {
        list
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn launch(types: usize, zones: usize, subnets: usize, spot: bool, fall_back: bool) -> Launch {
        let names = |kind: &str, count| (0..count).map(|it| format!("{kind}{it}")).collect();
        let mut launch = Launch::new("lt-1");
        launch.types = names("t", types);
        launch.zones = names("z", zones);
        launch.subnets = names("s", subnets);
        launch.spot = spot.then(Spot::default);
        launch.fall_back = fall_back;
        launch
    }

    #[test]
    fn spot_instances_come_first_and_types_keep_their_order() {
        let all = candidates(&launch(2, 2, 0, true, true), false);
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), 8);
        assert_eq!(
            words[..3],
            ["t0 in z0 (spot)", "t0 in z1 (spot)", "t1 in z0 (spot)"]
        );
        assert_eq!(words[4], "t0 in z0 (on demand)");
    }

    #[test]
    fn after_an_interruption_there_is_no_spot() {
        let all = candidates(&launch(1, 0, 0, true, false), true);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].spot, None);
    }

    proptest! {
        #[test]
        fn every_place_is_asked_once(
            types in 0_usize..4, zones in 0_usize..3, subnets in 0_usize..3,
            spot: bool, fall_back: bool, on_demand: bool,
        ) {
            let all = candidates(&launch(types, zones, subnets, spot, fall_back), on_demand);
            let markets = 1 + usize::from(spot && fall_back && !on_demand);
            prop_assert_eq!(all.len(), types.max(1) * (zones + subnets).max(1) * markets);
            let first_on_demand = all.iter().position(|it| it.spot.is_none());
            let last_spot = all.iter().rposition(|it| it.spot.is_some());
            if let (Some(first), Some(last)) = (first_on_demand, last_spot) {
                prop_assert!(last < first);
            }
            for (at, one) in all.iter().enumerate() {
                prop_assert!(!all[..at].contains(one));
            }
        }
    }
}
