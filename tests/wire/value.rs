//! What was read, without its type: parsed from what `{:?}` prints (ours and the independent codec's alike) or from the JSON
//! that Kafka's own converters print, and compared under the guidance of the definition.

use std::iter::Peekable;
use std::str::Chars;

use millrace::error::ErrorCode;
use millrace::types::Uuid;
use millrace::wire::schema::{Field, Kind};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    /// Number, boolean, identifier, UUID: as printed.
    Word(String),
    Text(String),
    List(Vec<Value>),
    Struct(Vec<(String, Value)>),
}

impl Value {
    pub fn of(value: &impl std::fmt::Debug) -> Value {
        let text = format!("{value:?}");
        let mut parser = Parser { rest: text.chars().peekable() };
        let value = parser.value();
        assert_eq!(parser.rest.next(), None, "{text}");
        value
    }

    pub fn of_json(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Word(value.to_string()),
            serde_json::Value::Number(value) => Value::Word(value.to_string()),
            serde_json::Value::String(value) => Value::Text(value.clone()),
            serde_json::Value::Array(values) => Value::List(values.iter().map(Value::of_json).collect()),
            serde_json::Value::Object(fields) => {
                Value::Struct(fields.iter().map(|(name, value)| (name.clone(), Value::of_json(value))).collect())
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Value::Text(text) => text.is_empty(),
            Value::List(values) => values.is_empty(),
            _ => false,
        }
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn value(&mut self) -> Value {
        self.space();
        match self.rest.peek() {
            Some('"') => Value::Text(self.quoted().into_iter().map(|c| char::from_u32(c).unwrap()).collect()),
            Some('[') => {
                self.rest.next();
                let mut values = Vec::new();
                while !self.closes(']') {
                    values.push(self.value());
                }
                Value::List(values)
            }
            Some('{') => {
                self.rest.next();
                assert!(self.closes('}'), "maps are unknown tagged fields, and there are none");
                Value::Struct(Vec::new())
            }
            _ => self.named(),
        }
    }

    /// What begins with a word: a number, `None`, `Some(..)`, a newtype, a struct, bytes (`b".."`).
    fn named(&mut self) -> Value {
        let mut word = String::new();
        while let Some(&c) = self.rest.peek() {
            if word == "b" && c == '"' {
                return Value::List(self.quoted().into_iter().map(|byte| Value::Word(byte.to_string())).collect());
            }
            if !(c.is_alphanumeric() || "_-+.#:".contains(c)) || c == ':' {
                break;
            }
            word.push(c);
            self.rest.next();
        }
        self.space();
        match self.rest.peek() {
            Some('(') => {
                self.rest.next();
                let value = self.value();
                assert!(self.closes(')'), "one value in {word}");
                value
            }
            Some('{') => {
                self.rest.next();
                let mut fields = Vec::new();
                while !self.closes('}') {
                    let Value::Word(name) = self.field_name() else { unreachable!() };
                    fields.push((name, self.value()));
                }
                Value::Struct(fields)
            }
            _ if word == "None" => Value::Null,
            _ => Value::Word(word),
        }
    }

    fn field_name(&mut self) -> Value {
        self.space();
        let mut name = String::new();
        for c in self.rest.by_ref() {
            match c {
                ':' => break,
                c => name.push(c),
            }
        }
        Value::Word(name)
    }

    /// Characters of a string, or bytes of a byte string.
    fn quoted(&mut self) -> Vec<u32> {
        assert_eq!(self.rest.next(), Some('"'));
        let mut chars = Vec::new();
        loop {
            let c = match self.rest.next().expect("a closing quote") {
                '"' => return chars,
                '\\' => match self.rest.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'x' => {
                        let digits: String = self.rest.by_ref().take(2).collect();
                        chars.push(u32::from_str_radix(&digits, 16).unwrap());
                        continue;
                    }
                    c => c,
                },
                c => c,
            };
            chars.push(u32::from(c));
        }
    }

    fn closes(&mut self, bracket: char) -> bool {
        while matches!(self.rest.peek(), Some(',' | ' ')) {
            self.rest.next();
        }
        self.rest.next_if_eq(&bracket).is_some()
    }

    fn space(&mut self) {
        while self.rest.next_if_eq(&' ').is_some() {}
    }
}

/// How the other side prints things.
#[derive(Clone, Copy, PartialEq)]
pub enum Style {
    /// Another `{:?}`: every field is there, in the definition's order; those that came after version `newest` may
    /// be missing.
    Debug { newest: i16 },
    /// Kafka's JSON: fields that the version lacks, or that are tagged and at their default, are not there.
    Json,
}

/// Fields that we name differently: in the views made by hand, and where Kafka's name is a keyword.
const OURS_AND_KAFKAS: &[(&str, &str)] = &[("topics", "topic_data"), ("partitions", "partition_data"), ("match_name", "match")];

/// Panics where the two disagree, with the path to it.
pub fn assert_same(fields: &'static [Field], version: i16, ours: &Value, theirs: &Value, style: Style, path: &str) {
    let (Value::Struct(ours), Value::Struct(theirs)) = (ours, theirs) else { panic!("{path}: {ours:?} and {theirs:?}") };
    let named = |name: &str, values: &[(String, Value)]| {
        let plain = |name: &str| name.replace("r#", "").replace('_', "").to_lowercase();
        let kafkas = OURS_AND_KAFKAS.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, kafkas)| kafkas);
        let found = values.iter().find(|(other, _)| [plain(name), plain(kafkas)].contains(&plain(other)));
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(ours.len(), fields.len(), "{path}: our fields");
    let theirs: Vec<_> = theirs.iter().filter(|(name, _)| name != "unknown_tagged_fields").cloned().collect();
    let mut seen = 0;
    for (field, (name, our)) in fields.iter().zip(ours) {
        assert_eq!(field.name, name);
        let path = format!("{path}.{name}");
        let their = match style {
            Style::Debug { .. } => theirs.get(seen..=seen).and_then(|next| named(name, next)),
            Style::Json => named(name, &theirs),
        };
        let Some(their) = their else {
            let left_out = match style {
                Style::Debug { newest } => field.place.versions.min > newest,
                Style::Json => !field.place.is_untagged(version),
            };
            assert!(left_out, "{path}: not where it should be in {theirs:?}");
            continue;
        };
        seen += 1;
        // Kafka's default of what may be null is now null, now empty; ours is null.
        if field.place.versions.has(version) || !(*our == Value::Null && their.is_empty()) {
            same(field.kind, version, our, &their, style, &path);
        }
    }
    assert_eq!(seen, theirs.len(), "{path}: {theirs:?} has a field that we lack");
}

fn same(kind: Kind, version: i16, ours: &Value, theirs: &Value, style: Style, path: &str) {
    match (kind, ours, theirs) {
        (_, Value::Null, Value::Null) => {}
        (Kind::Struct(fields), _, _) => assert_same(fields, version, ours, theirs, style, path),
        (Kind::Array(&kind), Value::List(ours), Value::List(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{path}");
            for (i, (our, their)) in ours.iter().zip(theirs).enumerate() {
                same(kind, version, our, their, style, &format!("{path}[{i}]"));
            }
        }
        (Kind::ErrorCode, our, Value::Word(their)) => {
            // Like an absent option, no error prints as `None`.
            let name = if let Value::Word(name) = our { name } else { "None" };
            let code = ErrorCode::ALL.iter().find(|code| format!("{code:?}") == name).unwrap();
            assert_eq!(code.code().to_string(), *their, "{path}");
        }
        (Kind::Uuid, Value::Word(our), Value::Word(their) | Value::Text(their)) => {
            let theirs = if their.len() == 36 {
                Uuid(u128::from_str_radix(&their.replace('-', ""), 16).unwrap().to_be_bytes())
            } else {
                Uuid::parse(their).unwrap()
            };
            assert_eq!(Uuid::parse(our), Some(theirs), "{path}");
        }
        (Kind::Bytes, Value::List(ours), Value::Text(theirs)) => {
            let bytes: Vec<_> = base64(theirs).into_iter().map(|byte| Value::Word(byte.to_string())).collect();
            assert_eq!(*ours, bytes, "{path}");
        }
        (Kind::F64, Value::Word(our), Value::Word(their)) => {
            assert_eq!(our.parse::<f64>().unwrap(), their.parse::<f64>().unwrap(), "{path}");
        }
        (_, ours, theirs) => assert_eq!(ours, theirs, "{path}"),
    }
}

/// Standard alphabet, padded, as Jackson prints bytes.
fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&d| d == c);
    let mut bits = 0;
    let mut value: u32 = 0;
    let mut out = Vec::new();
    for c in text.trim_end_matches('=').bytes() {
        value = value << 6 | digit(c).expect("a base64 digit") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((value >> bits) as u8);
            value &= (1 << bits) - 1;
        }
    }
    out
}

#[test]
#[should_panic(expected = "M.topics[1].name")]
fn a_value_that_differs_is_found() {
    const TOPIC: &[Field] = &[Field { name: "name", place: millrace::wire::schema::Place::new(0, 9), kind: Kind::String }];
    const FIELDS: &[Field] =
        &[Field { name: "topics", place: millrace::wire::schema::Place::new(0, 9), kind: Kind::Array(&Kind::Struct(TOPIC)) }];
    let list = |second: &str| {
        let topic = |name: &str| Value::Struct(vec![("name".into(), Value::Text(name.into()))]);
        Value::Struct(vec![("topics".into(), Value::List(vec![topic("a"), topic(second)]))])
    };
    assert_same(FIELDS, 0, &list("b"), &list("b"), Style::Debug { newest: 9 }, "M");
    assert_same(FIELDS, 0, &list("b"), &list("c"), Style::Debug { newest: 9 }, "M");
}

#[test]
fn what_debug_prints_is_read_back() {
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Name(&'static str);
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Thing {
        name: Option<Name>,
        none: Option<i32>,
        numbers: Vec<i64>,
        uuid: Uuid,
        more: std::collections::BTreeMap<i32, i32>,
    }
    let uuid = Uuid([255; 16]);
    let thing = Thing { name: Some(Name("é\"\n")), none: None, numbers: vec![-1, 2], uuid, more: Default::default() };
    let word = |text: &str| Value::Word(text.into());
    assert_eq!(
        Value::of(&thing),
        Value::Struct(vec![
            ("name".into(), Value::Text("é\"\n".into())),
            ("none".into(), Value::Null),
            ("numbers".into(), Value::List(vec![word("-1"), word("2")])),
            ("uuid".into(), word(&uuid.to_string())),
            ("more".into(), Value::Struct(vec![])),
        ])
    );
    assert_eq!(base64("AP8Q"), [0, 255, 16]);
    assert_eq!(base64("AP8="), [0, 255]);
}
