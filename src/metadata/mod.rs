//! cluster records, the image they build, the controller's decisions.
