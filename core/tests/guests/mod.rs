//! What is special about some guests.

mod windows;
