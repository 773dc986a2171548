//! x
pub struct Lab;
