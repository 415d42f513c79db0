//! A file system in memory that fails, tears and forgets on command.
