//! Files and templates: `file`, `fileset`, `templatefile`, and what only looks at paths. Reading is the scope's business.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Parameter, Returns, any, string};
use crate::lang::eval::{Env, describe, render};
use crate::lang::parse::parse_template;
use crate::lang::scope::{Files, Resolved, Scope, Step};
use crate::lang::types::Type;
use crate::lang::value::{Entries, Value};
use crate::lang::{codes, parse};
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::sync::Arc;

type Run = fn(&Context<'_>, &[Value]) -> Result<Value, Failure>;

const PATH: [Parameter; 1] = [string("path")];

pub(super) const FUNCTIONS: &[Function] = &[
    of_path("abspath", absolute),
    of_path("basename", |_, a| Ok(base(text(&a[0])).into())),
    of_path("dirname", |_, a| Ok(directory(text(&a[0])).into())),
    of_path("file", |context, a| Ok(utf8(&read(context, a)?)?.into())),
    of_path("filebase64", |context, a| {
        Ok(STANDARD.encode(read(context, a)?).into())
    }),
    of_path("filebase64sha256", |context, a| {
        Ok(STANDARD.encode(Sha256::digest(read(context, a)?)).into())
    }),
    of_path("filebase64sha512", |context, a| {
        Ok(STANDARD.encode(Sha512::digest(read(context, a)?)).into())
    }),
    Function {
        name: "fileexists",
        parameters: &PATH,
        variadic: None,
        returns: Returns::Always(Accepts::Bool),
        run: |context, arguments| {
            let path = expanded(context, text(&arguments[0]))?;
            Ok(Value::from(context.scope.files().exists(&path)))
        },
    },
    of_path("filemd5", |context, a| {
        Ok(super::hash::hex(&Md5::digest(read(context, a)?)).into())
    }),
    Function {
        name: "fileset",
        parameters: &[string("path"), string("pattern")],
        variadic: None,
        returns: Returns::Depends(|_| Ok(Type::set(Type::String))),
        run: |context, arguments| {
            let directory = expanded(context, text(&arguments[0]))?;
            let found = context.scope.files().list(&directory, text(&arguments[1]));
            let found = found.map_err(|error| Failure::Argument(0, error))?;
            Ok(Value::set(
                Type::String,
                found.into_iter().map(Value::from).collect(),
            ))
        },
    },
    of_path("filesha1", |context, a| {
        Ok(super::hash::hex(&Sha1::digest(read(context, a)?)).into())
    }),
    of_path("filesha256", |context, a| {
        Ok(super::hash::hex(&Sha256::digest(read(context, a)?)).into())
    }),
    of_path("filesha512", |context, a| {
        Ok(super::hash::hex(&Sha512::digest(read(context, a)?)).into())
    }),
    of_path("pathexpand", |context, a| {
        Ok(expanded(context, text(&a[0]))?.into())
    }),
    Function {
        name: "templatefile",
        parameters: &[string("path"), any("vars")],
        variadic: None,
        returns: Returns::Always(Accepts::Any),
        run: template_file,
    },
    Function {
        name: "templatestring",
        parameters: &[string("template"), any("vars")],
        variadic: None,
        returns: Returns::Always(Accepts::Any),
        run: |context, arguments| {
            template(context, text(&arguments[0]), "<template>", &arguments[1])
        },
    },
];

const fn of_path(name: &'static str, run: Run) -> Function {
    Function {
        name,
        parameters: &PATH,
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run,
    }
}

fn read(context: &Context<'_>, arguments: &[Value]) -> Result<Vec<u8>, Failure> {
    context
        .scope
        .files()
        .read(&expanded(context, text(&arguments[0]))?)
        .map_err(|error| Failure::Argument(0, error))
}

fn utf8(bytes: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        let message = "the file is not text in UTF-8; filebase64 and the file hashes can read it";
        Failure::Argument(0, message.to_owned())
    })?;
    Ok(text.to_owned())
}

fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match (trimmed, path) {
        ("", "") => ".",
        ("", _) => "/",
        (trimmed, _) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

fn directory(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

/// Without empty parts and dots.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => _ = parts.pop(),
            ("..", None) if rooted => {}
            _ => parts.push(part),
        }
    }
    match (parts.join("/").as_str(), rooted) {
        ("", true) => "/".to_owned(),
        ("", false) => ".".to_owned(),
        (clean, true) => format!("/{clean}"),
        (clean, false) => clean.to_owned(),
    }
}

fn absolute(context: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let path = text(&arguments[0]);
    if path.starts_with('/') {
        return Ok(clean(path).into());
    }
    let root = context.scope.files().root().ok_or_else(|| {
        let message = "paths here are relative to nothing; give the whole path";
        Failure::Argument(0, message.to_owned())
    })?;
    Ok(clean(&format!("{root}/{path}")).into())
}

/// With the home directory in the place of a tilde at its beginning, as every function takes a path.
fn expanded(context: &Context<'_>, path: &str) -> Result<String, Failure> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(path.to_owned());
    };
    let wrong = |why: &str| Failure::Argument(0, why.to_owned());
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(wrong(
            "the home directory of another user is not known; give the whole path",
        ));
    }
    let home = context.scope.files().home();
    let home = home.ok_or_else(|| wrong("the home directory is not known; give the whole path"))?;
    Ok(format!("{}{rest}", home.trim_end_matches('/')))
}

fn template_file(context: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let source = utf8(&read(context, arguments)?)?;
    template(context, &source, text(&arguments[0]), &arguments[1])
}

fn template(
    context: &Context<'_>,
    source: &str,
    name: &str,
    variables: &Value,
) -> Result<Value, Failure> {
    if context.scope.renders_template() {
        return Err(Failure::Call(
            "a template cannot render another template".to_owned(),
        ));
    }
    let Some(variables) = variables.entries() else {
        return Err(Failure::Argument(
            1,
            "the variables are a map or an object".to_owned(),
        ));
    };
    if let Some(bad) = variables.keys().find(|name| !parse::is_identifier(name)) {
        return Err(Failure::Argument(
            1,
            format!("\"{bad}\" is not a name that a template could use"),
        ));
    }
    let file: Arc<str> = name.into();
    let scope = Variables {
        variables,
        outer: context.scope,
    };
    let rendered = parse_template(source, &file)
        .map_err(|problem| vec![problem])
        .and_then(|template| render(&template, &Env::new(&file, &scope)));
    rendered.map_err(|problems| {
        let described: Vec<String> = problems
            .iter()
            .map(|problem| describe(problem, source))
            .collect();
        Failure::Call(described.join("; "))
    })
}

/// What a template can refer to: the variables it was given and nothing else.
struct Variables<'a> {
    variables: &'a Entries,
    outer: &'a dyn Scope,
}

impl Scope for Variables<'_> {
    fn resolve(
        &self,
        root: &str,
        _path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        let found = self.variables.get(root).cloned();
        found
            .map(|value| Resolved { value, consumed: 0 })
            .ok_or_else(|| {
                let near = did_you_mean(root, self.variables.keys().map(|key| &**key));
                let hint = near
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                let label =
                    format!("the variables given to this template do not include `{root}`{hint}");
                vec![
                    Diagnostic::error(codes::UNKNOWN_NAME.code, codes::UNKNOWN_NAME.title)
                        .at(span.clone(), label),
                ]
            })
    }

    fn files(&self) -> &dyn Files {
        self.outer.files()
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        self.outer.now()
    }

    fn evaluating(&self) {
        self.outer.evaluating();
    }

    fn renders_template(&self) -> bool {
        true
    }
}
