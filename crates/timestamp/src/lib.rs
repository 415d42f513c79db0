//! Timestamps of an authority (RFC 3161): requests written, responses verified against roots that the reader trusts. No I/O.
