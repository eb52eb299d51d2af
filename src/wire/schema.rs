//! What a message looks like, as data: the versions of each field, beside its type.
//!
//! The [`message!`](super::message) macro turns its text into these constants; encoding and decoding consult them, the
//! compiler folds them away, and the tests make random messages of every version from them.

/// The versions of a message that have something, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { min: 0, max: -1 };

    pub const fn new(min: i16, max: i16) -> Versions {
        assert!(0 <= min && min <= max);
        Versions { min, max }
    }

    pub const fn has(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// Where a field is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The versions that have the field.
    pub versions: Versions,
    /// Those of them in which it may be null.
    pub nullable: Versions,
    /// Its number, if it is a tagged field: written only when it differs from its default.
    pub tag: Option<u32>,
}

impl Place {
    pub const fn new(min: i16, max: i16) -> Place {
        Place { versions: Versions::new(min, max), nullable: Versions::NONE, tag: None }
    }

    pub const fn nullable(self, min: i16, max: i16) -> Place {
        Place { nullable: Versions::new(min, max), ..self }
    }

    pub const fn tag(self, tag: u32) -> Place {
        Place { tag: Some(tag), ..self }
    }

    pub const fn is_untagged(&self, version: i16) -> bool {
        self.tag.is_none() && self.versions.has(version)
    }

    /// The field's number, if `version` has it as a tagged field.
    pub const fn tag_in(&self, version: i16) -> Option<u32> {
        if self.versions.has(version) { self.tag } else { None }
    }
}

/// One field of a struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub place: Place,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Bool,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F64,
    Uuid,
    ErrorCode,
    String,
    Bytes,
    Array(&'static Kind),
    Struct(&'static [Field]),
}
