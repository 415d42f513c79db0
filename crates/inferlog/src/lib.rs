//! The inference log of an AI system: every decision recorded, kept and provable.
