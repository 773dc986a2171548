//! Values: Terraform's, cheap to clone, with what is not known yet and what must not be shown marked as such.

use super::number::Number;
use super::types::Type;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A value of the language.
///
/// Equality looks at the value and its sensitivity, never at its reference.
#[derive(Clone)]
pub struct Value {
    kind: Kind,
    sensitive: bool,
    reference: Option<Arc<str>>,
}

/// What a value is. Collections carry the type of their elements, so that an empty one still has a type.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    Null(Type),
    /// Known only after apply.
    Unknown(Type),
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    List(Type, Arc<Sequence>),
    /// Sorted, without repeats.
    Set(Type, Arc<Sequence>),
    Tuple(Arc<Sequence>),
    Map(Type, Arc<Mapping>),
    Object(Arc<Mapping>),
}

pub type Entries = BTreeMap<Arc<str>, Value>;

#[derive(Clone, PartialEq, Eq)]
pub struct Sequence {
    items: Vec<Value>,
    within: Within,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Mapping {
    entries: Entries,
    within: Within,
}

/// What some part of a collection is, kept so that asking costs nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Within {
    unknown: bool,
    sensitive: bool,
}

impl Within {
    fn of<'a>(parts: impl IntoIterator<Item = &'a Value>) -> Self {
        parts
            .into_iter()
            .fold(Self::default(), |within, part| Self {
                unknown: within.unknown || !part.is_wholly_known(),
                sensitive: within.sensitive || part.contains_sensitive(),
            })
    }
}

impl Value {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            sensitive: false,
            reference: None,
        }
    }

    /// A null of no particular type.
    pub fn null() -> Self {
        Self::new(Kind::Null(Type::Any))
    }

    pub fn null_of(ty: Type) -> Self {
        Self::new(Kind::Null(ty))
    }

    pub fn unknown(ty: Type) -> Self {
        Self::new(Kind::Unknown(ty))
    }

    /// A string, in Unicode's composed form as all of Terraform's strings are.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::new(Kind::String(Self::key(text.as_ref())))
    }

    /// The key of a map or object, in the same form as a string.
    pub fn key(text: &str) -> Arc<str> {
        if is_nfc(text) {
            Arc::from(text)
        } else {
            text.nfc().collect::<String>().into()
        }
    }

    pub fn list(element: Type, items: Vec<Self>) -> Self {
        Self::new(Kind::List(element, Sequence::new(items)))
    }

    /// A set: sorts and drops repeats. Sensitivity of an element becomes that of the set, since elements have no places.
    pub fn set(element: Type, items: Vec<Self>) -> Self {
        let sensitive = items.iter().any(Self::contains_sensitive);
        let mut items = if sensitive {
            items.iter().map(Self::unmarked).collect()
        } else {
            items
        };
        items.sort_by(Self::order);
        items.dedup_by(|a, b| a.is_wholly_known() && Self::order(a, b) == Ordering::Equal);
        Self::new(Kind::Set(element, Sequence::new(items))).marked_if(sensitive)
    }

    pub fn map(element: Type, entries: Entries) -> Self {
        Self::new(Kind::Map(element, Mapping::new(entries)))
    }

    pub fn tuple(items: Vec<Self>) -> Self {
        Self::new(Kind::Tuple(Sequence::new(items)))
    }

    pub fn object(entries: Entries) -> Self {
        Self::new(Kind::Object(Mapping::new(entries)))
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Null(ty) | Kind::Unknown(ty) => ty.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(element, _) => Type::list(element.clone()),
            Kind::Set(element, _) => Type::set(element.clone()),
            Kind::Map(element, _) => Type::map(element.clone()),
            Kind::Tuple(sequence) => Type::tuple(sequence.items.iter().map(Self::ty).collect()),
            Kind::Object(mapping) => Type::object(
                mapping
                    .entries
                    .iter()
                    .map(|(name, value)| (name.clone(), value.ty())),
            ),
        }
    }

    /// Whether its type is not known either; a null of no type counts.
    pub fn is_untyped(&self) -> bool {
        matches!(&self.kind, Kind::Null(Type::Any) | Kind::Unknown(Type::Any))
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// Whether it is known at the top; its parts may not be.
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Unknown(_))
    }

    pub fn is_wholly_known(&self) -> bool {
        match &self.kind {
            Kind::Unknown(_) => false,
            Kind::List(_, sequence) | Kind::Set(_, sequence) | Kind::Tuple(sequence) => {
                !sequence.within.unknown
            }
            Kind::Map(_, mapping) | Kind::Object(mapping) => !mapping.within.unknown,
            Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => true,
        }
    }

    /// Whether the value as a whole must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether it or any part of it must not be shown.
    pub fn contains_sensitive(&self) -> bool {
        self.sensitive
            || match &self.kind {
                Kind::List(_, sequence) | Kind::Set(_, sequence) | Kind::Tuple(sequence) => {
                    sequence.within.sensitive
                }
                Kind::Map(_, mapping) | Kind::Object(mapping) => mapping.within.sensitive,
                Kind::Null(_)
                | Kind::Unknown(_)
                | Kind::Bool(_)
                | Kind::Number(_)
                | Kind::String(_) => false,
            }
    }

    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The same value, sensitive if the condition holds or it was before.
    #[must_use]
    pub fn marked_if(mut self, sensitive: bool) -> Self {
        self.sensitive |= sensitive;
        self
    }

    /// The same value without its own mark; those of its parts stay.
    #[must_use]
    pub fn unmarked_shallow(&self) -> Self {
        Self {
            sensitive: false,
            ..self.clone()
        }
    }

    /// The same value without any mark on it or within it.
    #[must_use]
    pub fn unmarked(&self) -> Self {
        if !self.contains_sensitive() {
            return self.clone();
        }
        let sequence = |sequence: &Sequence| {
            Sequence::new(sequence.items.iter().map(Self::unmarked).collect())
        };
        let mapping = |mapping: &Mapping| {
            Mapping::new(
                mapping
                    .entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.unmarked()))
                    .collect(),
            )
        };
        let kind = match &self.kind {
            Kind::List(element, items) => Kind::List(element.clone(), sequence(items)),
            Kind::Set(element, items) => Kind::Set(element.clone(), sequence(items)),
            Kind::Tuple(items) => Kind::Tuple(sequence(items)),
            Kind::Map(element, entries) => Kind::Map(element.clone(), mapping(entries)),
            Kind::Object(entries) => Kind::Object(mapping(entries)),
            Kind::Null(_)
            | Kind::Unknown(_)
            | Kind::Bool(_)
            | Kind::Number(_)
            | Kind::String(_) => self.kind.clone(),
        };
        Self {
            kind,
            sensitive: false,
            reference: self.reference.clone(),
        }
    }

    /// Attaches the address of what this value stands for. It travels with the value through conditionals, lists and
    /// loops, and means nothing to the language itself.
    #[must_use]
    pub fn with_reference(mut self, address: Arc<str>) -> Self {
        self.reference = Some(address);
        self
    }

    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// Gives this value the reference of another that it was made from.
    #[must_use]
    pub(crate) fn referring_as(mut self, origin: &Self) -> Self {
        self.reference.clone_from(&origin.reference);
        self
    }

    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(value) => Some(value),
            _ => None,
        }
    }

    /// The elements of a list, a set or a tuple.
    pub fn items(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(_, sequence) | Kind::Set(_, sequence) | Kind::Tuple(sequence) => {
                Some(&sequence.items)
            }
            _ => None,
        }
    }

    /// The elements of a map or the attributes of an object.
    pub fn entries(&self) -> Option<&Entries> {
        match &self.kind {
            Kind::Map(_, mapping) | Kind::Object(mapping) => Some(&mapping.entries),
            _ => None,
        }
    }

    /// The attribute or element of that name, sensitive if the whole is.
    pub fn get(&self, name: &str) -> Option<Self> {
        let part = self.entries()?.get(name)?;
        Some(part.clone().marked_if(self.sensitive))
    }

    /// Whether two values are equal as `==` has it; `None` if that is known only after apply.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (&self.kind, &other.kind) {
            (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => None,
            (Kind::Null(_), Kind::Null(_)) => Some(true),
            (Kind::Bool(a), Kind::Bool(b)) => Some(a == b),
            (Kind::Number(a), Kind::Number(b)) => Some(a == b),
            (Kind::String(a), Kind::String(b)) => Some(a == b),
            (Kind::List(_, a), Kind::List(_, b)) | (Kind::Tuple(a), Kind::Tuple(b)) => a.equals(b),
            (Kind::Set(_, a), Kind::Set(_, b)) => {
                if a.within.unknown || b.within.unknown {
                    None
                } else {
                    a.equals(b)
                }
            }
            (Kind::Map(_, a), Kind::Map(_, b)) | (Kind::Object(a), Kind::Object(b)) => a.equals(b),
            _ => Some(false),
        }
    }

    /// A total order, for sets: numbers by size, strings by their bytes, then by kind and parts.
    fn order(&self, other: &Self) -> Ordering {
        match (&self.kind, &other.kind) {
            (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
            (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
            (Kind::String(a), Kind::String(b)) => a.cmp(b),
            (
                Kind::List(_, a) | Kind::Set(_, a) | Kind::Tuple(a),
                Kind::List(_, b) | Kind::Set(_, b) | Kind::Tuple(b),
            ) => {
                let parts = a.items.iter().zip(&b.items).map(|(a, b)| a.order(b));
                parts
                    .fold(Ordering::Equal, Ordering::then)
                    .then(a.items.len().cmp(&b.items.len()))
            }
            (Kind::Map(_, a) | Kind::Object(a), Kind::Map(_, b) | Kind::Object(b)) => {
                let pairs = a.entries.iter().zip(&b.entries);
                pairs
                    .map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| va.order(vb)))
                    .fold(Ordering::Equal, Ordering::then)
                    .then(a.entries.len().cmp(&b.entries.len()))
            }
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl Kind {
    fn rank(&self) -> u8 {
        match self {
            Self::Null(_) => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::List(..) | Self::Set(..) | Self::Tuple(_) => 4,
            Self::Map(..) | Self::Object(_) => 5,
            Self::Unknown(_) => 6,
        }
    }
}

impl Sequence {
    fn new(items: Vec<Value>) -> Arc<Self> {
        let within = Within::of(&items);
        Arc::new(Self { items, within })
    }

    fn equals(&self, other: &Self) -> Option<bool> {
        if self.items.len() != other.items.len() {
            return Some(false);
        }
        all_equal(self.items.iter().zip(&other.items))
    }
}

impl Mapping {
    fn new(entries: Entries) -> Arc<Self> {
        let within = Within::of(entries.values());
        Arc::new(Self { entries, within })
    }

    fn equals(&self, other: &Self) -> Option<bool> {
        if !self.entries.keys().eq(other.entries.keys()) {
            return Some(false);
        }
        all_equal(self.entries.values().zip(other.entries.values()))
    }
}

/// One difference decides, even beside something unknown.
fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    let mut result = Some(true);
    for (a, b) in pairs {
        match a.equals(b) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.sensitive == other.sensitive
    }
}

impl Eq for Value {}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::new(Kind::Bool(value))
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::new(Kind::Number(value))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::from(Number::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::string(value)
    }
}

/// As `display` shows it, so that no log ever holds a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.items).finish()
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.entries).finish()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Value::new(self.clone()), f)
    }
}
