//! The macro in which messages are written down, and what it makes of them.
//!
//! One invocation is one message and the structs it is made of, and reads like Kafka's own definitions:
//!
//! ```text
//! message! {
//!     /// What it is for.
//!     MetadataResponse key 3 versions 0..=13 flexible 9.. {
//!         throttle_time_ms: i32 [3..],                      in versions 3 and up, in this order
//!         cluster_id: Option<String> [2.., null 2..],       may be null from version 2
//!         controller_id: i32 [1..] = -1,                    -1 where the version does not have it
//!         brokers: Vec<MetadataResponseBroker> [0..],       an array of structs
//!         node_endpoints: Vec<NodeEndpoint> [10.., tag 0],  a tagged field
//!     }
//!     struct MetadataResponseBroker { … }
//! }
//! ```
//!
//! Decoding leaves a field that the version lacks at its default; encoding leaves it out. Unknown tagged fields are read over
//! and forgotten. The default of an `Option` is `None` (Kafka's own default is sometimes the empty string or array), that of
//! anything else zero or empty, unless the definition says otherwise.

use super::codec::{Malformed, Reader, Writer};
use super::schema::Field;
use std::fmt::Debug;
use std::ops::RangeInclusive;

/// A request or a response, in all versions that [`ApiKey::info`](super::api::ApiKey::info) tells of.
pub trait Message: Sized + Default + Clone + Debug + PartialEq + 'static {
    /// API key. A response has the key of its request.
    const KEY: i16;
    /// Kafka's name: `MetadataRequest`.
    const NAME: &'static str;
    /// Versions that can be encoded and decoded.
    const VERSIONS: RangeInclusive<i16>;
    /// First version with compact lengths and tagged fields.
    const FLEXIBLE: Option<i16>;
    const FIELDS: &'static [Field];

    /// Reads a body; what follows it is left in the reader. A version outside of [`Message::VERSIONS`] is malformed.
    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, Malformed>;

    /// Writes a body. The version is one of [`Message::VERSIONS`].
    fn encode(&self, w: &mut Writer<'_>, version: i16);

    fn is_flexible(version: i16) -> bool {
        Self::FLEXIBLE.is_some_and(|first| version >= first)
    }
}

/// Reads one line's brackets into a [`Place`](super::schema::Place).
macro_rules! place {
    ($min:literal .. $(, $($rest:tt)*)?) => {
        $crate::wire::message::place!(@ $crate::wire::schema::Place::new($min, i16::MAX); $($($rest)*)?)
    };
    ($min:literal ..= $max:literal $(, $($rest:tt)*)?) => {
        $crate::wire::message::place!(@ $crate::wire::schema::Place::new($min, $max); $($($rest)*)?)
    };
    (@ $place:expr;) => { $place };
    (@ $place:expr; null $min:literal .. $(, $($rest:tt)*)?) => {
        $crate::wire::message::place!(@ $place.nullable($min, i16::MAX); $($($rest)*)?)
    };
    (@ $place:expr; null $min:literal ..= $max:literal $(, $($rest:tt)*)?) => {
        $crate::wire::message::place!(@ $place.nullable($min, $max); $($($rest)*)?)
    };
    (@ $place:expr; tag $tag:literal $(, $($rest:tt)*)?) => {
        $crate::wire::message::place!(@ $place.tag($tag); $($($rest)*)?)
    };
}

macro_rules! default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

/// See the module.
macro_rules! message {
    (
        $(#[$doc:meta])*
        $name:ident key $key:literal versions $min:literal ..= $max:literal $(flexible $flexible:literal ..)? {
            $($fields:tt)*
        }
        $($rest:tt)*
    ) => {
        $crate::wire::message::message! { $(#[$doc])* struct $name { $($fields)* } $($rest)* }

        impl $crate::wire::message::Message for $name {
            const KEY: i16 = $key;
            const NAME: &'static str = stringify!($name);
            const VERSIONS: std::ops::RangeInclusive<i16> = $min..=$max;
            const FLEXIBLE: Option<i16> = $crate::wire::message::flexible!($($flexible)?);
            const FIELDS: &'static [$crate::wire::schema::Field] = <$name>::FIELDS;

            fn decode(r: &mut $crate::wire::codec::Reader<'_>, version: i16) -> Result<Self, $crate::wire::codec::Malformed> {
                if !Self::VERSIONS.contains(&version) {
                    return Err(r.malformed("unknown version"));
                }
                let layout = $crate::wire::codec::Layout { version, flexible: Self::is_flexible(version), nullable: false };
                $crate::wire::codec::Wire::read(r, layout)
            }

            fn encode(&self, w: &mut $crate::wire::codec::Writer<'_>, version: i16) {
                assert!(Self::VERSIONS.contains(&version), "{} has no version {version}", Self::NAME);
                let layout = $crate::wire::codec::Layout { version, flexible: Self::is_flexible(version), nullable: false };
                $crate::wire::codec::Wire::write(self, w, layout);
            }
        }
    };
    (
        $(
            $(#[$doc:meta])*
            struct $name:ident {
                $(
                    $(#[$field_doc:meta])*
                    $field:ident: $type:ty [$($place:tt)*] $(= $default:expr)?
                ),* $(,)?
            }
        )*
    ) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Default for $name {
                fn default() -> Self {
                    $name { $($field: $crate::wire::message::default!($($default)?),)* }
                }
            }

            impl $name {
                pub const FIELDS: &'static [$crate::wire::schema::Field] = &[$(
                    $crate::wire::schema::Field {
                        name: stringify!($field),
                        place: $crate::wire::message::place!($($place)*),
                        kind: <$type as $crate::wire::codec::Wire>::KIND,
                    },
                )*];
            }

            impl $crate::wire::codec::Wire for $name {
                const KIND: $crate::wire::schema::Kind = $crate::wire::schema::Kind::Struct(<$name>::FIELDS);

                #[allow(unused_mut)]
                fn bytes_min(layout: $crate::wire::codec::Layout) -> usize {
                    let mut bytes = usize::from(layout.flexible);
                    $(
                        let place = const { $crate::wire::message::place!($($place)*) };
                        if place.is_untagged(layout.version) {
                            let layout = $crate::wire::codec::Layout { nullable: place.nullable.has(layout.version), ..layout };
                            bytes += <$type as $crate::wire::codec::Wire>::bytes_min(layout);
                        }
                    )*
                    bytes
                }

                #[allow(unused_mut, unused_variables)]
                fn read(
                    r: &mut $crate::wire::codec::Reader<'_>,
                    layout: $crate::wire::codec::Layout,
                ) -> Result<Self, $crate::wire::codec::Malformed> {
                    let mut message = $name::default();
                    $(
                        let place = const { $crate::wire::message::place!($($place)*) };
                        if place.is_untagged(layout.version) {
                            let layout = $crate::wire::codec::Layout { nullable: place.nullable.has(layout.version), ..layout };
                            message.$field = $crate::wire::codec::Wire::read(r, layout).map_err(|e| e.in_field(stringify!($field)))?;
                        }
                    )*
                    if layout.flexible {
                        r.tagged_fields(|tag, r| {
                            $(
                                let place = const { $crate::wire::message::place!($($place)*) };
                                if place.tag_in(layout.version) == Some(tag) {
                                    let layout = $crate::wire::codec::Layout { nullable: place.nullable.has(layout.version), ..layout };
                                    message.$field =
                                        $crate::wire::codec::Wire::read(r, layout).map_err(|e| e.in_field(stringify!($field)))?;
                                    return Ok(true);
                                }
                            )*
                            Ok(false)
                        })?;
                    }
                    Ok(message)
                }

                #[allow(unused_mut, unused_variables)]
                fn write(&self, w: &mut $crate::wire::codec::Writer<'_>, layout: $crate::wire::codec::Layout) {
                    $(
                        let place = const { $crate::wire::message::place!($($place)*) };
                        if place.is_untagged(layout.version) {
                            let layout = $crate::wire::codec::Layout { nullable: place.nullable.has(layout.version), ..layout };
                            $crate::wire::codec::Wire::write(&self.$field, w, layout);
                        }
                    )*
                    if layout.flexible {
                        let mut tagged = 0;
                        $(
                            let place = const { $crate::wire::message::place!($($place)*) };
                            if place.tag_in(layout.version).is_some() {
                                let default: $type = $crate::wire::message::default!($($default)?);
                                tagged += u32::from(self.$field != default);
                            }
                        )*
                        w.uvarint(tagged);
                        $(
                            let place = const { $crate::wire::message::place!($($place)*) };
                            if let Some(tag) = place.tag_in(layout.version) {
                                let default: $type = $crate::wire::message::default!($($default)?);
                                if self.$field != default {
                                    let layout = $crate::wire::codec::Layout { nullable: place.nullable.has(layout.version), ..layout };
                                    w.tagged_field(tag, |w| $crate::wire::codec::Wire::write(&self.$field, w, layout));
                                }
                            }
                        )*
                    }
                }
            }

            /// One byte says whether it is there.
            impl $crate::wire::codec::Nullable for $name {
                fn nullable_bytes_min(_: $crate::wire::codec::Layout) -> usize {
                    1
                }

                fn read_nullable(
                    r: &mut $crate::wire::codec::Reader<'_>,
                    layout: $crate::wire::codec::Layout,
                ) -> Result<Option<Self>, $crate::wire::codec::Malformed> {
                    if r.i8()? < 0 {
                        return Ok(None);
                    }
                    <$name as $crate::wire::codec::Wire>::read(r, layout).map(Some)
                }

                fn write_nullable(
                    value: Option<&Self>,
                    w: &mut $crate::wire::codec::Writer<'_>,
                    layout: $crate::wire::codec::Layout,
                ) {
                    w.i8(if value.is_some() { 1 } else { -1 });
                    if let Some(value) = value {
                        $crate::wire::codec::Wire::write(value, w, layout);
                    }
                }
            }
        )*
    };
}

macro_rules! flexible {
    () => {
        None
    };
    ($first:literal) => {
        Some($first)
    };
}

pub(crate) use {default, flexible, message, place};
