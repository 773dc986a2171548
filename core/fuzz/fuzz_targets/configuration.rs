//! Any text as the only file of a configuration: what it declares, or diagnostics that point into it, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_core::config::{self, Inputs, SourceSet};
use plimsoll_core::lang::NoFiles;

fuzz_target!(|text: &str| {
    let mut sources = SourceSet::default();
    sources.files.insert("main.plim.hcl".into(), text.into());
    let inputs = Inputs {
        lab: true,
        ..Inputs::default()
    };
    let (configuration, problems) = config::load(&sources, &inputs, &NoFiles);
    assert!(
        configuration.is_some() || problems.iter().any(|problem| problem.is_error()),
        "refused without a reason"
    );
    for label in problems.iter().flat_map(|problem| &problem.labels) {
        assert!(
            text.get(label.span.range()).is_some(),
            "a label outside of the text: {label:?}"
        );
    }
});
