//! Stories of the spool.
