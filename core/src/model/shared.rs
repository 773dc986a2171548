//! Lists of what many lists have in common.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A list whose elements are kept once, however many lists hold them: at Azure's limits a thousand guests need the same
/// several hundred entries. It reads, and is written to JSON, like any list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shared<T>(Vec<Arc<T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Shared<T> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn push(&mut self, element: impl Into<Arc<T>>) {
        self.0.push(element.into());
    }

    pub fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        self.0.retain(|element| stays(element));
    }

    pub fn first(&self) -> Option<&T> {
        self.0.first().map(Arc::as_ref)
    }

    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.0.iter())
    }

    /// The elements as they are shared, to hold them in another list.
    pub fn shared(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter()
    }
}

/// An element that other lists hold as well is copied before it is changed.
impl<T: Clone> std::ops::IndexMut<usize> for Shared<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        Arc::make_mut(&mut self.0[at])
    }
}

/// By reference, like that of a slice.
#[derive(Clone, Debug)]
pub struct Iter<'a, T>(std::slice::Iter<'a, Arc<T>>);

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.0.next().map(Arc::as_ref)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(Arc::as_ref)
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T, E: Into<Arc<T>>> FromIterator<E> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = E>>(elements: I) -> Self {
        Self(elements.into_iter().map(Into::into).collect())
    }
}

impl<T, E: Into<Arc<T>>> Extend<E> for Shared<T> {
    fn extend<I: IntoIterator<Item = E>>(&mut self, elements: I) {
        self.0.extend(elements.into_iter().map(Into::into));
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(elements: Vec<T>) -> Self {
        elements.into_iter().collect()
    }
}

impl<T> std::ops::Index<usize> for Shared<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_like_any_list_and_keeps_elements_once() {
        let list: Shared<u8> = [1, 2].into_iter().collect();
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(text, "[1,2]");
        assert_eq!(serde_json::from_str::<Shared<u8>>(&text).unwrap(), list);
        let mut other: Shared<u8> = list.shared().cloned().collect();
        assert!(
            list.shared()
                .zip(other.shared())
                .all(|(a, b)| Arc::ptr_eq(a, b))
        );
        other[0] += 1;
        assert_eq!((list[0], other[0]), (1, 2));
    }
}
