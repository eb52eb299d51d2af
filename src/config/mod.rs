//! every option: name, type, default, unit, doc.
