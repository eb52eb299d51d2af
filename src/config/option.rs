//! What an option is: one row of the [table](super::table), read by the parser, DescribeConfigs, the README and `--help`.

/// One row. `default` is the text that a file would hold; `None` is Kafka's null.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Option<&'static str>,
    pub unit: Unit,
    pub valid: Valid,
    pub importance: Importance,
    pub scope: Scope,
    pub effect: Effect,
    pub doc: &'static str,
}

/// Kafka's `ConfigDef.Type`. The numbers are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    /// Never told to anybody.
    Password = 9,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    None,
    Ms,
    Seconds,
    Minutes,
    Hours,
    Days,
    Bytes,
    BytesPerSecond,
    Records,
}

/// What a value may be, beyond what its [`Kind`] says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// A range, or the one value beside it.
    BetweenOr(i64, i64, i64),
    /// A ratio.
    Fraction(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// A list of these.
    Each(&'static [&'static str]),
    NonEmpty,
    /// `*`, or `partition:broker,…`
    ThrottledReplicas,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    High,
    Medium,
    Low,
    /// Kafka keeps it out of its documents and of DescribeConfigs; so do we.
    Internal,
}

/// Where an option may be set, and whether that works without a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Of the broker, at start only.
    ReadOnly,
    /// Of the broker, may be altered for one broker at a time.
    PerBroker,
    /// Of the broker, may be altered for one broker or for all.
    ClusterWide,
    /// Of a topic. The name beside it is the broker's option that gives the default; `""` where there is none.
    Topic(&'static str),
    /// Of a group, with the broker's option that gives the default.
    Group(&'static str),
    /// Of a client metrics subscription.
    ClientMetrics,
}

/// Whether setting the option changes anything today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Full,
    /// Accepted, remembered and described, so that Kafka's files and tools work, and nothing else.
    None,
}

impl Kind {
    pub fn number(self) -> i8 {
        self as i8
    }

    /// As Kafka's messages and documents call it: `LONG`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        }
    }
}

impl Unit {
    pub fn word(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Ms => "milliseconds",
            Unit::Seconds => "seconds",
            Unit::Minutes => "minutes",
            Unit::Hours => "hours",
            Unit::Days => "days",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes per second",
            Unit::Records => "records",
        }
    }
}

impl Opt {
    /// Whether its value must not be shown.
    pub fn sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Whether it may be altered while the broker runs.
    pub fn dynamic(&self) -> bool {
        !matches!(self.scope, Scope::ReadOnly)
    }

    /// What a value may be, for people: `at least 0`. Empty where the kind says it all.
    pub fn allowed(&self) -> String {
        match self.valid {
            Valid::Any => match self.kind {
                Kind::Boolean => "true or false".to_string(),
                _ => String::new(),
            },
            Valid::AtLeast(min) => format!("at least {min}"),
            Valid::Between(min, max) => format!("{min} to {max}"),
            Valid::BetweenOr(min, max, or) => format!("{min} to {max}, or {or}"),
            Valid::Fraction(min, max) => format!("{min} to {max}"),
            Valid::OneOf(words) | Valid::OneOfAnyCase(words) => words.join(", "),
            Valid::Each(words) => format!("a list of: {}", words.join(", ")),
            Valid::NonEmpty => "not empty".to_string(),
            Valid::ThrottledReplicas => "* or a list of partition:broker".to_string(),
        }
    }
}
