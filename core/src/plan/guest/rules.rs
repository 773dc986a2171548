//! The rules that may reach a guest, read once for all guests, and the questions that are asked of them.

use crate::config::Desired;
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, LoadBalancer};
use crate::plan::addresses::PublicAddresses;
use crate::plan::load_balancer::LoadBalancerPlan;
use crate::plan::needs::{Common, Member, Needs, Owner, Reach, Select, needs};
use std::collections::BTreeSet;

/// The rules of every load balancer, as they shall be and as they are.
#[derive(Debug)]
pub struct Rules {
    after: Vec<Reach>,
    now: Vec<Reach>,
    /// Our rules as they are now, of the load balancers that are written.
    passing: Vec<Reach>,
    common_after: Common,
    common_now: Common,
    common_passing: Common,
}

impl Rules {
    pub fn new(
        desired: &Desired,
        observed: &Observed,
        load_balancers: &[LoadBalancerPlan],
        public: &PublicAddresses,
    ) -> Self {
        let mut after = Vec::new();
        let mut passing = Vec::new();
        let mut planned: BTreeSet<&ArmId> = BTreeSet::new();
        for plan in load_balancers {
            planned.insert(&plan.id);
            if let Some(observed) = plan.observed.as_ref().filter(|_| plan.writes()) {
                passing.push(Reach::new(observed, Owner::Past(&plan.past), public));
            }
            if let Some(body) = &plan.after {
                let owner = match desired.load_balancers.get(&plan.addr) {
                    Some(declared) => Owner::Declared(declared),
                    None => Owner::Nobody,
                };
                after.push(Reach::new(body, owner, public));
            }
        }
        for data in desired.data_load_balancers.values() {
            planned.insert(&data.id);
            let found = observed.load_balancers.get(&data.id);
            let found = found.and_then(Observation::present);
            // Guests hold what the rules need that are there, and what those need that its owner announces.
            let owner = Owner::Data(data);
            if let Some(found) = found {
                after.push(Reach::new(found, owner, public));
            }
            after.push(Reach::new(&data.expected.over(found), owner, public));
        }
        let present = |(id, observation): (&ArmId, &Observation<LoadBalancer>)| {
            let reach = |lb: &LoadBalancer| Reach::new(lb, Owner::Nobody, public);
            observation.present().map(|lb| (id.clone(), reach(lb)))
        };
        let mut now = Vec::new();
        for (id, reach) in observed.load_balancers.iter().filter_map(present) {
            if !planned.contains(&id) {
                let observed = observed.load_balancers.get(&id);
                let observed = observed.and_then(Observation::present);
                after.extend(observed.map(|lb| Reach::new(lb, Owner::Nobody, public)));
            }
            now.push(reach);
        }
        Self {
            after,
            now,
            passing,
            common_after: Common::default(),
            common_now: Common::default(),
            common_passing: Common::default(),
        }
    }

    /// Whether the load balancer is there and is written.
    pub(super) fn writes(&self, load_balancer: &ArmId) -> bool {
        self.passing
            .iter()
            .any(|reach| reach.load_balancer() == load_balancer)
    }

    /// What the load balancers that are written send a member now.
    pub(super) fn written(&self, members: &[Member]) -> Needs {
        let all = &[Select::Declared, Select::Others];
        needs(&self.passing, members, all, &self.common_passing)
    }

    /// What our rules use that are members' before the main write of their load balancer, and after it.
    pub(super) fn passing(&self, members: &[Member]) -> [Needs; 2] {
        let ours = &[Select::Declared];
        let mut both = [
            needs(&self.passing, members, ours, &self.common_passing),
            needs(&self.after, members, ours, &self.common_after),
        ];
        // Only what must be held is asked of them.
        for needs in &mut both {
            needs.services = Vec::new();
        }
        both
    }

    /// What the declared rules demand when all is done.
    pub(super) fn demanded(&self, members: &[Member]) -> Needs {
        needs(
            &self.after,
            members,
            &[Select::Declared],
            &self.common_after,
        )
    }

    /// What any rule, whoever owns it, uses when all is done.
    pub(super) fn kept(&self, members: &[Member]) -> Needs {
        let all = &[Select::Declared, Select::Others];
        needs(&self.after, members, all, &self.common_after)
    }

    /// What the rules use as they are now: to say which rule an entry that goes was for.
    pub(super) fn used_now(&self, members: &[Member]) -> Needs {
        needs(&self.now, members, &[Select::Others], &self.common_now)
    }

    /// The load balancers whose NAT rules lead to one of the members.
    pub(super) fn targeting(&self, members: &[Member]) -> impl Iterator<Item = ArmId> {
        self.after
            .iter()
            .chain(&self.now)
            .filter(|reach| members.iter().any(|member| reach.targets(member)))
            .map(|reach| reach.load_balancer().clone())
    }
}
