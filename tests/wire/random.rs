//! Random bodies, made from the definitions alone: what is written here does not use our encoder.

use millrace::error::ErrorCode;
use millrace::wire::schema::{Field, Kind};

/// Splitmix64: the same values on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Less than `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// A body as Kafka writes it: tagged fields only where they differ from their default.
pub fn body(fields: &'static [Field], version: i16, flexible: bool, random: &mut Random) -> Vec<u8> {
    let mut body = Body { out: Vec::new(), version, flexible, random };
    body.fields(fields, false);
    body.out
}

struct Body<'a> {
    out: Vec<u8>,
    version: i16,
    flexible: bool,
    random: &'a mut Random,
}

impl Body<'_> {
    /// `told`: make values that are no field's default, for what is inside of a tagged field.
    fn fields(&mut self, fields: &'static [Field], told: bool) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.place.is_untagged(version)) {
            self.field(field, told);
        }
        if !self.flexible {
            return;
        }
        let mut tagged: Vec<_> = fields.iter().filter(|field| field.place.tag_in(self.version).is_some()).collect();
        tagged.retain(|_| !self.random.chance(3));
        tagged.sort_by_key(|field| field.place.tag);
        self.varint(tagged.len());
        for field in tagged {
            self.varint(field.place.tag.unwrap() as usize);
            let outer = std::mem::take(&mut self.out);
            self.field(field, true);
            let inner = std::mem::replace(&mut self.out, outer);
            self.varint(inner.len());
            self.out.extend(inner);
        }
    }

    fn field(&mut self, field: &Field, told: bool) {
        let nullable = field.place.nullable.has(self.version);
        let null = nullable && !told && self.random.chance(4);
        match (field.kind, null) {
            (Kind::Struct(fields), null) => {
                if nullable {
                    self.out.push(if null { 0xff } else { 1 });
                }
                if !null {
                    self.fields(fields, told);
                }
            }
            (Kind::String, true) if !self.flexible => self.out.extend([0xff; 2]),
            (_, true) if !self.flexible => self.out.extend([0xff; 4]),
            (_, true) => self.varint(0),
            (kind, false) => self.value(kind, told),
        }
    }

    fn value(&mut self, kind: Kind, told: bool) {
        match kind {
            Kind::Bool => {
                let value = told || self.random.chance(2);
                self.out.push(u8::from(value));
            }
            Kind::I8 => self.integer(1, told),
            Kind::I16 | Kind::U16 => self.integer(2, told),
            Kind::I32 | Kind::U32 => self.integer(4, told),
            Kind::I64 => self.integer(8, told),
            Kind::F64 => {
                let value = (self.random.next() as i32) as f64 / 8.0;
                self.out.extend(value.to_be_bytes());
            }
            Kind::Uuid => {
                let value = self.random.bytes(16);
                self.out.extend(value);
            }
            Kind::ErrorCode => {
                let code = ErrorCode::ALL[self.random.below(ErrorCode::ALL.len())];
                let code = if told && code.is_ok() { ErrorCode::UnknownServerError } else { code };
                self.out.extend(code.code().to_be_bytes());
            }
            Kind::String => {
                let value = self.string(told);
                self.string_length(value.len());
                self.out.extend(value.bytes());
            }
            Kind::Bytes => {
                let length = self.length(20);
                let value = self.random.bytes(length);
                self.array_length(value.len());
                self.out.extend(value);
            }
            Kind::Array(&element) => {
                let count = self.random.below(4).max(usize::from(told));
                self.array_length(count);
                for _ in 0..count {
                    match element {
                        Kind::Struct(fields) => self.fields(fields, false),
                        element => self.value(element, false),
                    }
                }
            }
            Kind::Struct(fields) => self.fields(fields, told),
        }
    }

    fn integer(&mut self, bytes: usize, told: bool) {
        let edges: [u64; 6] = [0, 1, u64::MAX, u64::MAX >> 1, 1 << 63, 1 << 31];
        let value = if told {
            // Bit 1 set and bit 2 not: neither 0, 1, -1 nor the largest, so no definition's default.
            (self.random.next() | 2) & !4
        } else if self.random.chance(3) {
            edges[self.random.below(6)]
        } else {
            self.random.next()
        };
        self.out.extend(&value.to_be_bytes()[8 - bytes..]);
    }

    fn string(&mut self, told: bool) -> String {
        let length = self.length(12).max(usize::from(told));
        (0..length).map(|_| ['a', 'b', 'Z', '0', '-', '.', 'é', '字'][self.random.below(8)]).collect()
    }

    /// Mostly short; now and then too long for a varint of one byte.
    fn length(&mut self, most: usize) -> usize {
        if self.random.chance(20) { 128 + self.random.below(200) } else { self.random.below(most) }
    }

    fn string_length(&mut self, length: usize) {
        if self.flexible { self.varint(length + 1) } else { self.out.extend((length as i16).to_be_bytes()) }
    }

    fn array_length(&mut self, length: usize) {
        if self.flexible { self.varint(length + 1) } else { self.out.extend((length as i32).to_be_bytes()) }
    }

    fn varint(&mut self, mut value: usize) {
        while value > 0x7f {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}
