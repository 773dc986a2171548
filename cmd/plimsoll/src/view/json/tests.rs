use super::{apply, document, line, plan, pretty};
use crate::view::golden::assert_golden;
use crate::view::sample;
use serde_json::json;

#[test]
fn the_documents() {
    let told = sample::told();
    assert_golden(
        "plan.json",
        &pretty(&document("plan", plan::body(&sample::plan(), &told))),
    );
    assert_golden(
        "drift.json",
        &pretty(&document(
            "drift",
            plan::drift_body(&sample::drifted(), &told),
        )),
    );
    assert_golden(
        "map.json",
        &pretty(&document(
            "map",
            json!({ "rules": plan::map_rows(&sample::map()) }),
        )),
    );
}

#[test]
fn the_stream_has_one_object_a_line() {
    let text: String = sample::events()
        .iter()
        .map(|e| line(&apply::event("2026-11-22T12:00:01Z", e)))
        .collect();
    assert_eq!(text.lines().count(), sample::events().len());
    assert_golden("apply.ndjson", &text);
}
