//! Walking tables: which question comes next, and when it is enough. A pure state machine.
