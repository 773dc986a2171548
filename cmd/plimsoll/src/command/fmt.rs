//! `fmt`: the canonical format. Writes only files that change, and none with --check.

use crate::args::FmtArguments;
use crate::context::{Context, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sources;
use crate::view::{Reformatted, Told, say};
use plimsoll_core::lang;
use plimsoll_core::model::diag::Label;
use plimsoll_core::model::{Diagnostic, Span};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

pub(crate) fn run(context: &Context, arguments: &FmtArguments) -> Result<Exit, Failure> {
    if arguments.files.iter().any(|file| file.as_os_str() == "-") {
        return standard_input(context, arguments);
    }
    let (texts, mut told) = texts(context, arguments)?;
    let mut files = Vec::new();
    for (name, before) in texts {
        match lang::format(&before) {
            Ok(after) => files.push(Reformatted {
                file: name,
                before,
                after,
                diff: arguments.diff,
            }),
            Err(diagnostic) => wrong(diagnostic, &name, before, &mut told),
        }
    }
    for file in files
        .iter()
        .filter(|f| f.before != f.after && !arguments.check)
    {
        write(&file.file, &file.after)?;
    }
    context.view.reformatted(&files, arguments.check);
    if !told.diagnostics.is_empty() {
        return Err(Failure::refused(told));
    }
    let unformatted = files.iter().any(|f| f.before != f.after);
    Ok(Exit::Different.when(arguments.check && unformatted))
}

/// Path as it can be opened, and text.
type Texts = Vec<(String, String)>;

fn texts(context: &Context, arguments: &FmtArguments) -> Result<(Texts, Told), Failure> {
    if arguments.files.is_empty() {
        let (set, told) = sources::gather(context.directory());
        let name = |file: &str| context.path(Path::new(file)).display().to_string();
        let texts = set
            .files
            .iter()
            .map(|(file, text)| (name(file), text.to_string()))
            .collect();
        return Ok((
            texts,
            Told {
                directory: told.directory.clone(),
                ..told
            },
        ));
    }
    let read = |file: &std::path::PathBuf| {
        let path = context.path(file);
        if path.is_dir() {
            let folder = quoted(&path.display().to_string());
            return Err(Failure::new(format!("{} is a folder", path.display()))
                .next(format!("plimsoll -C {folder} fmt formats what is in it")));
        }
        std::fs::read_to_string(&path)
            .map(|text| (path.display().to_string(), text))
            .map_err(|error| {
                Failure::new(format!("cannot read {}", path.display())).because(&error)
            })
    };
    let texts = arguments.files.iter().map(read).collect::<Result<_, _>>()?;
    Ok((texts, Told::default()))
}

/// The formatter knows a text, not its name.
fn wrong(mut diagnostic: Diagnostic, name: &str, text: String, told: &mut Told) {
    let file: Arc<str> = name.into();
    for Label { span, .. } in &mut diagnostic.labels {
        *span = Span::new(Arc::clone(&file), span.range());
    }
    told.diagnostics.push(diagnostic);
    told.texts.insert(file, text.into());
    told.directory.clear();
}

fn write(file: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::new(format!("cannot write {file}")).because(&error))
}

fn standard_input(context: &Context, arguments: &FmtArguments) -> Result<Exit, Failure> {
    let mut before = String::new();
    std::io::stdin()
        .read_to_string(&mut before)
        .map_err(|error| {
            Failure::new("cannot read the configuration from standard input").because(&error)
        })?;
    let after = match lang::format(&before) {
        Ok(after) => after,
        Err(diagnostic) => {
            let mut told = Told::default();
            wrong(diagnostic, "standard input", before, &mut told);
            return Err(Failure::refused(told));
        }
    };
    let changed = before != after;
    if arguments.check || arguments.diff {
        let file = Reformatted {
            file: "standard input".to_owned(),
            before,
            after,
            diff: arguments.diff,
        };
        context.view.reformatted(&[file], true);
    } else {
        say(&after);
    }
    Ok(Exit::Different.when(arguments.check && changed))
}
