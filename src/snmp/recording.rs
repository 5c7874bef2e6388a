//! Recordings (`.snmprec`): one object a line, `OID|TAG|VALUE`.
