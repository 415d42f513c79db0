//! Retention in a serving process and for commands: what is kept, what it costs, and when what is due is removed.

pub(crate) mod forecast;
pub(crate) mod schedule;

pub(crate) use schedule::RetentionSchedule;
