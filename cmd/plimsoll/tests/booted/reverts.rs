use crate::bed::{Bed, Place};
use crate::deployment::{Deployment, Guest, PROBE_PORT, Rule};
use crate::firewalls::Kind;

const VM1: Guest = Guest {
    name: "vm1",
    nic: 0,
};

const WEB: Rule = Rule {
    name: "four",
    frontend: "green",
    protocol: "Tcp",
    frontend_port: 80,
    backend_port: 80,
};

/// What firewalld will read at its next reload does not let ssh in, though its lists say so as before.
const MOVED: &str =
    "sed s/22/2222/ /usr/lib/firewalld/services/ssh.xml >/etc/firewalld/services/ssh.xml";
const MENDED: &str = "rm /etc/firewalld/services/ssh.xml; firewall-cmd -q --reload";

#[test]
#[ignore = "the guest waits a minute before it takes a change back: a nightly step"]
fn a_guest_that_a_reload_cuts_off_comes_back_by_itself() {
    let Some(mut bed) = Bed::new() else { return };
    let deployment = Deployment::new();
    let kind = Kind::Firewalld;
    bed.make("vm1", 1, kind.login_shell(), &deployment.public_key());
    bed.boot("vm1");
    kind.set_up(&bed, "vm1");
    deployment.knows(&bed, &[VM1]);
    deployment.configure("web", &[VM1], &[WEB]);
    let [own, _] = bed.own("vm1", 0);
    let probe = Place {
        protocol: "tcp",
        address: own,
        port: PROBE_PORT,
    };
    bed.listen("vm1", &[WEB.within(), probe]);
    let before = bed.inside("vm1", "nft -s list table inet firewalld");
    bed.inside("vm1", MOVED);

    let seen = deployment.plimsoll(&["apply", "--auto-approve"]).seen();
    let said = "firewalld was loaded anew: no new connection came through in time, and the guest took it back by itself";
    assert!(seen.contains(said), "{seen}");
    let now = bed.inside("vm1", "nft -s list table inet firewalld");
    assert_eq!(now, before);
    // It is reached again, it says what happened, and Azure sends it nothing yet.
    let plan = deployment.plimsoll(&["plan"]).exits(0).seen();
    assert!(plan.contains("PL0307"), "{plan}");
    deployment.deliver(&bed, &[VM1]);
    assert_eq!(bed.ask(&[WEB.outside()]), ["lost"]);

    bed.inside("vm1", MENDED);
    deployment.apply();
    bed.until("the frontend is answered", |bed| {
        deployment.deliver(bed, &[VM1]);
        bed.ask(&[WEB.outside()]) == ["65.52.0.1 80"]
    });
    let plan = deployment
        .plimsoll(&["plan", "--detailed-exitcode"])
        .exits(0);
    assert!(!plan.seen().contains("PL0307"), "{}", plan.seen());
    let timers = bed.inside(
        "vm1",
        "systemctl list-units --all --plain 'plimsoll-revert*'",
    );
    assert!(!timers.contains("plimsoll-revert."), "{timers}");
}
