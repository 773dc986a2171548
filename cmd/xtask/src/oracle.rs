//! Terraform's answers against ours, for any folder of `scope.tf`, `eval-cases.json` and `fmt-cases.json`.

#[path = "../../../core/tests/terraform/mod.rs"]
mod terraform;

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use terraform::{Case, Layout, Terraform, Verdict, judge, judge_layout};

/// Of a hundred expressions, so many have to agree; every layout has to.
const ENOUGH_PERCENT: usize = 98;

pub(crate) fn oracle(folder: &Path) -> Result<(), String> {
    let scope = Terraform::read(&text(folder, "scope.tf")?).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(|p| p.summary.clone()).collect();
        format!(
            "{}: {}",
            folder.join("scope.tf").display(),
            words.join(", ")
        )
    })?;
    let evaluation = cases(folder, "eval-cases.json")?;
    let formatting = cases(folder, "fmt-cases.json")?;
    let evaluated = count(&evaluation, |case: &Case| {
        match judge(case, &scope) {
            Verdict::Agrees => return true,
            Verdict::DecidesEarly => {
                println!(
                    "{}\n  theirs: {}\n  ours:   decides early, as Terraform 1.12 does: counts as agreeing",
                    case.expr,
                    case.theirs()
                );
                return true;
            }
            Verdict::Differs(ours) => {
                let category = if case.category.is_empty() {
                    String::new()
                } else {
                    format!("[{}] ", case.category)
                };
                println!(
                    "{category}{}\n  theirs: {}\n  ours:   {ours}",
                    case.expr,
                    case.theirs()
                );
            }
        }
        false
    });
    let formatted = count(&formatting, |case: &Layout| match judge_layout(case) {
        Verdict::Agrees | Verdict::DecidesEarly => true,
        Verdict::Differs(ours) => {
            let theirs = case.output.as_deref().unwrap_or("an error");
            println!(
                "{}: {:?}\n  theirs: {theirs:?}\n  ours:   {ours:?}",
                case.name, case.input
            );
            false
        }
    });
    let (cases, layouts) = (evaluation.len(), formatting.len());
    println!("evaluation {evaluated}/{cases} agree, formatting {formatted}/{layouts} agree");
    if evaluated * 100 >= cases * ENOUGH_PERCENT && formatted == layouts {
        Ok(())
    } else {
        Err(format!(
            "fewer than {ENOUGH_PERCENT} % of the evaluation or not all of the formatting agree"
        ))
    }
}

fn text(folder: &Path, name: &str) -> Result<String, String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "{}: {error}; the folder must hold scope.tf, eval-cases.json and fmt-cases.json",
            path.display()
        )
    })
}

/// One JSON array, or one case a line.
fn cases(folder: &Path, name: &str) -> Result<Vec<Value>, String> {
    let text = text(folder, name)?;
    if let Ok(cases) = serde_json::from_str(&text) {
        return Ok(cases);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let cases: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)))
        .collect();
    if cases.iter().any(Value::is_object) || cases.is_empty() {
        Ok(cases)
    } else {
        Err(format!(
            "{}: neither an array of cases nor one case a line",
            folder.join(name).display()
        ))
    }
}

/// How many agree. What is no case, and what makes us panic, does not.
fn count<T: DeserializeOwned>(cases: &[Value], agrees: impl Fn(&T) -> bool) -> usize {
    let agreed = cases.iter().filter(|case| match T::deserialize(*case) {
        Ok(read) => catch_unwind(AssertUnwindSafe(|| agrees(&read))).unwrap_or_else(|_| {
            println!("{case}\n  ours:   a panic");
            false
        }),
        Err(error) => {
            println!("{case}\n  not a case: {error}");
            false
        }
    });
    agreed.count()
}
