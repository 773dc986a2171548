//! The tokens of a file, with the spaces before each; nothing is lost but tabs and spaces at the ends of lines.

use hcl::Identifier;
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identifier,
    Number,
    /// A line end, outside of strings and comments.
    Newline,
    /// A comment; those of one line hold their line end.
    Comment,
    OpenQuote,
    CloseQuote,
    /// Text within quotes.
    QuotedText,
    /// `<<EOT` with its line end.
    OpenHeredoc,
    /// The line that ends a heredoc, without its line end.
    CloseHeredoc,
    /// Text within a heredoc: one line of it at most.
    HeredocText,
    /// `${` or `${~`
    OpenInterpolation,
    /// `%{` or `%{~`
    OpenDirective,
    /// `}` or `~}` at the end of either.
    CloseTemplate,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParenthesis,
    CloseParenthesis,
    /// `=` alone.
    Assign,
    Dot,
    Comma,
    Colon,
    DoubleColon,
    Ellipsis,
    Question,
    Minus,
    Bang,
    /// Any other operator: a minus after it is a sign.
    Operator,
    /// `=>`, which is not an operator.
    Arrow,
    /// What no token begins with. The parser has refused such a file before.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub kind: Kind,
    pub text: Cow<'a, str>,
    /// How many spaces stand before it.
    pub spaces: usize,
    /// Where it begins in the source.
    pub at: usize,
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside<'a> {
    /// Expressions and structure; how many braces are open.
    Code {
        braces: usize,
    },
    Quotes,
    Heredoc {
        delimiter: &'a str,
        line_start: bool,
    },
}

/// Cuts a source into tokens, beginning at a byte of it.
pub(crate) fn tokens(source: &str, start: usize) -> Vec<Token<'_>> {
    let mut scanner = Scanner {
        source,
        at: start,
        out: Vec::new(),
        inside: vec![Inside::Code { braces: 0 }],
    };
    while scanner.at < source.len() {
        match scanner
            .inside
            .last()
            .copied()
            .unwrap_or(Inside::Code { braces: 0 })
        {
            Inside::Code { braces } => scanner.code(braces),
            Inside::Quotes => scanner.quotes(),
            Inside::Heredoc {
                delimiter,
                line_start,
            } => scanner.heredoc(delimiter, line_start),
        }
    }
    scanner.out
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    out: Vec<Token<'a>>,
    /// The innermost last.
    inside: Vec<Inside<'a>>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize, spaces: usize) {
        let text = &self.source[self.at..self.at + length];
        self.out.push(Token {
            kind,
            text: Cow::Borrowed(text),
            spaces,
            at: self.at,
        });
        self.at += length;
    }

    /// The parser takes a carriage return that ends no line for a space, so it is one here too.
    fn spaces(&self) -> usize {
        let rest = self.rest().as_bytes();
        let is_space = |at: usize| match rest.get(at) {
            Some(b' ' | b'\t') => true,
            Some(b'\r') => rest.get(at + 1) != Some(&b'\n'),
            Some(_) | None => false,
        };
        (0..).take_while(|at| is_space(*at)).count()
    }

    fn code(&mut self, braces: usize) {
        let spaces = self.spaces();
        self.at += spaces;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return;
        };
        if let Some(length) = comment(rest) {
            self.push(Kind::Comment, length, spaces);
        } else if begins_identifier(first) {
            self.push(Kind::Identifier, identifier(rest), spaces);
        } else if first.is_ascii_digit() {
            self.push(Kind::Number, number(rest), spaces);
        } else if let Some((delimiter, length)) = heredoc(rest) {
            self.push(Kind::OpenHeredoc, length, spaces);
            self.inside.push(Inside::Heredoc {
                delimiter,
                line_start: true,
            });
        } else {
            let templated = self.inside.len() > 1;
            let (kind, length) = operator(rest, templated && braces == 0);
            self.push(kind, length, spaces);
            match kind {
                Kind::OpenQuote => self.inside.push(Inside::Quotes),
                Kind::OpenBrace => self.set_braces(braces + 1),
                Kind::CloseBrace => self.set_braces(braces.saturating_sub(1)),
                Kind::CloseTemplate => _ = self.inside.pop(),
                _ => {}
            }
        }
    }

    fn set_braces(&mut self, open: usize) {
        if let Some(Inside::Code { braces }) = self.inside.last_mut() {
            *braces = open;
        }
    }

    /// The opening of an interpolation or directive, if the rest begins with one.
    fn template(&mut self) -> bool {
        let rest = self.rest();
        let kind = match rest.as_bytes() {
            [b'$', b'{', ..] => Kind::OpenInterpolation,
            [b'%', b'{', ..] => Kind::OpenDirective,
            _ => return false,
        };
        self.push(kind, if rest[2..].starts_with('~') { 3 } else { 2 }, 0);
        self.inside.push(Inside::Code { braces: 0 });
        true
    }

    fn quotes(&mut self) {
        if self.rest().starts_with('"') {
            self.push(Kind::CloseQuote, 1, 0);
            self.inside.pop();
        } else if !self.template() {
            self.push(Kind::QuotedText, literal(self.rest(), '"'), 0);
        }
    }

    fn heredoc(&mut self, delimiter: &'a str, line_start: bool) {
        let rest = self.rest();
        let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
        let line = line.strip_suffix('\r').unwrap_or(line);
        // The parser looks for the end behind a line end, so text that begins with the delimiter is none on the first line.
        let first = matches!(self.out.last(), Some(token) if token.kind == Kind::OpenHeredoc);
        let ends = if first {
            line.trim() == delimiter
        } else {
            line_start && is_heredoc_end(line, delimiter)
        };
        if ends {
            let length = line.len() - line.trim_start().len() + delimiter.len();
            self.push(Kind::CloseHeredoc, length, 0);
            self.inside.pop();
            return;
        }
        if self.template() {
            self.set_line_start(delimiter, false);
            return;
        }
        let length = literal(rest, '\n');
        // The line end belongs to the line.
        let ends = rest[length..].starts_with('\n');
        self.push(Kind::HeredocText, length + usize::from(ends), 0);
        self.set_line_start(delimiter, ends);
    }

    /// Notes whether the heredoc is at the start of a line; the innermost may by now be an interpolation within it.
    fn set_line_start(&mut self, delimiter: &'a str, line_start: bool) {
        let heredoc = self
            .inside
            .iter_mut()
            .rev()
            .find(|inside| matches!(inside, Inside::Heredoc { .. }));
        if let Some(heredoc) = heredoc {
            *heredoc = Inside::Heredoc {
                delimiter,
                line_start,
            };
        }
    }
}

fn is_heredoc_end(line: &str, delimiter: &str) -> bool {
    let after = line.trim_start().strip_prefix(delimiter);
    after.is_some_and(|after| !after.chars().next().is_some_and(continues_identifier))
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("/*") {
        return Some(rest.find("*/").filter(|end| *end > 1).map_or_else(
            || {
                rest.get(3..)
                    .and_then(|tail| tail.find("*/"))
                    .map_or(rest.len(), |end| end + 5)
            },
            |end| end + 2,
        ));
    }
    (rest.starts_with('#') || rest.starts_with("//"))
        .then(|| rest.find('\n').map_or(rest.len(), |end| end + 1))
}

fn begins_identifier(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphabetic() || character == '_';
    }
    Identifier::new(character.to_string()).is_ok()
}

fn continues_identifier(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    }
    Identifier::new(format!("a{character}")).is_ok()
}

fn identifier(rest: &str) -> usize {
    rest.find(|character| !continues_identifier(character))
        .unwrap_or(rest.len())
}

fn number(rest: &str) -> usize {
    let digits = |from: usize| from + rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        if digits(end + 1 + sign) > end + 1 + sign {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// `<<EOT` or `<<-EOT` to the end of its line, and the delimiter.
fn heredoc(rest: &str) -> Option<(&str, usize)> {
    let after = rest.strip_prefix("<<")?;
    let after = after.strip_prefix('-').unwrap_or(after);
    let delimiter = &after[..identifier(after)];
    let tail = &after[delimiter.len()..];
    let end = if tail.starts_with("\r\n") { 2 } else { 1 };
    let valid = !delimiter.is_empty() && (tail.starts_with('\n') || tail.starts_with("\r\n"));
    valid.then(|| (delimiter, rest.len() - tail.len() + end))
}

/// How far text goes before an unescaped template, or the character that ends it.
fn literal(rest: &str, end: char) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if end == '"' => {
                at += 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
            }
            first @ (b'$' | b'%')
                if bytes.get(at + 1) == Some(&first) && bytes.get(at + 2) == Some(&b'{') =>
            {
                at += 3;
            }
            b'$' | b'%' if bytes.get(at + 1) == Some(&b'{') => return at,
            byte if char::from(byte) == end => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn operator(rest: &str, closes_template: bool) -> (Kind, usize) {
    const LONG: [(&str, Kind); 10] = [
        ("\r\n", Kind::Newline),
        ("...", Kind::Ellipsis),
        ("::", Kind::DoubleColon),
        ("=>", Kind::Arrow),
        ("==", Kind::Operator),
        ("!=", Kind::Operator),
        ("<=", Kind::Operator),
        (">=", Kind::Operator),
        ("&&", Kind::Operator),
        ("||", Kind::Operator),
    ];
    if closes_template && rest.starts_with("~}") {
        return (Kind::CloseTemplate, 2);
    }
    if let Some((text, kind)) = LONG.iter().find(|(text, _)| rest.starts_with(text)) {
        return (*kind, text.len());
    }
    let first = rest.chars().next().unwrap_or('\n');
    let kind = match first {
        '\n' => Kind::Newline,
        '"' => Kind::OpenQuote,
        '}' if closes_template => Kind::CloseTemplate,
        '{' => Kind::OpenBrace,
        '}' => Kind::CloseBrace,
        '[' => Kind::OpenBracket,
        ']' => Kind::CloseBracket,
        '(' => Kind::OpenParenthesis,
        ')' => Kind::CloseParenthesis,
        '=' => Kind::Assign,
        '.' => Kind::Dot,
        ',' => Kind::Comma,
        ':' => Kind::Colon,
        '?' => Kind::Question,
        '-' => Kind::Minus,
        '!' => Kind::Bang,
        '+' | '*' | '/' | '%' | '<' | '>' => Kind::Operator,
        _ => Kind::Other,
    };
    (kind, first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_the_parsers() {
        for character in (0..128).map(char::from) {
            let as_parsed = |text: String| Identifier::new(text).is_ok();
            assert_eq!(
                begins_identifier(character),
                as_parsed(character.to_string()),
                "{character:?}"
            );
            assert_eq!(
                continues_identifier(character),
                as_parsed(format!("a{character}")),
                "{character:?}"
            );
        }
    }

    #[test]
    fn only_a_whole_first_line_ends_a_heredoc() {
        let ends = |source: &str| {
            let found = tokens(source, 0);
            let end = found.iter().find(|t| t.kind == Kind::CloseHeredoc);
            end.map(|token| token.at)
        };
        assert_eq!(ends("<<E\nE\nE\n"), Some(4));
        assert_eq!(ends("<<E\n  E \nE\n"), Some(4));
        assert_eq!(ends("<<E\nE${ x }\n E\n"), Some(12));
        assert_eq!(ends("<<E\nEE\nE)\n"), Some(7));
    }

    #[test]
    fn nothing_of_the_source_is_lost() {
        let source = "a = \"x${ {b = \"}\"}.b ~}$${c}\\\"\" # d\nb = <<-E\n  ${f({})}E\n  E\nc=[1.5e3,...]/* x\n*/\r\n";
        let found = tokens(source, 0);
        let text: String = found
            .iter()
            .map(|token| format!("{}{}", " ".repeat(token.spaces), token.text))
            .collect();
        assert_eq!(text, source);
        let kinds = |kind| found.iter().filter(|token| token.kind == kind).count();
        assert_eq!(kinds(Kind::CloseTemplate), 2);
        assert_eq!(kinds(Kind::CloseHeredoc), 1);
        assert_eq!(kinds(Kind::Comment), 2);
    }
}
