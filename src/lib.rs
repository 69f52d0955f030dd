//! taskr.
