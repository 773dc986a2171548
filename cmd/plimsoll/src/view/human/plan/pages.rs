//! Parts of the plan's page by themselves, for views that fold them.

use super::closing::Mentioned;
use super::{guest, order, resource, traffic};
use crate::view::guests;
use crate::view::human::page::Page;
use plimsoll_core::model::Kind;
use plimsoll_core::plan::Plan;

/// One resource, or several guests in which the same happens.
#[derive(Debug)]
pub(crate) struct ResourcePage {
    pub(crate) names: Vec<String>,
    pub(crate) about: String,
    pub(crate) page: Page,
}

pub(crate) fn resources(plan: &Plan) -> Vec<ResourcePage> {
    let mut all = Vec::new();
    let azure = plan.changes.iter().filter(|c| c.addr.kind != Kind::Guest);
    for change in azure.filter(|c| c.is_news()) {
        let mut page = Page::default();
        resource::block(change, plan, &mut Mentioned::default(), &mut page);
        all.push(ResourcePage {
            names: vec![change.addr.to_string()],
            about: change.about.clone(),
            page,
        });
    }
    for block in guests::blocks(plan) {
        let mut page = Page::default();
        guest::print(&block, &mut page);
        all.push(ResourcePage {
            names: block.guests.iter().map(|g| g.addr.to_string()).collect(),
            about: block.guests[0].about.clone(),
            page,
        });
    }
    all
}

pub(crate) fn traffic_and_order(plan: &Plan) -> Page {
    let mut page = Page::default();
    traffic::section(plan, &mut page);
    order::section(plan, &mut page);
    page
}
