//! A witness of logs (c2sp.org/tlog-witness): it remembers the newest checkpoint of every log it knows, cosigns one that is
//! consistent with what it remembers, and never goes back.
