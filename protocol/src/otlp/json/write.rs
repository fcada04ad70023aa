//! Writing protobuf into a growing buffer, nested messages included.

/// Where a nested message began; see [`Writer::begin`].
pub(super) struct Open {
    body: usize,
}

/// Protobuf under construction.
#[derive(Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub fn varint(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number) << 3);
        self.raw_varint(value);
    }

    pub fn fixed64(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number) << 3 | 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn fixed32(&mut self, number: u32, value: u32) {
        self.raw_varint(u64::from(number) << 3 | 5);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub fn bytes(&mut self, number: u32, value: &[u8]) {
        self.raw_varint(u64::from(number) << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// Opens a nested message. One byte is kept for its length; [`Writer::end`] makes room when it
    /// needs more, so a byte of the input is moved at most once per level of nesting.
    pub fn begin(&mut self, number: u32) -> Open {
        self.raw_varint(u64::from(number) << 3 | 2);
        self.out.push(0);
        Open {
            body: self.out.len(),
        }
    }

    pub fn end(&mut self, open: Open) {
        let length = (self.out.len() - open.body) as u64;
        if length < 0x80 {
            self.out[open.body - 1] = length as u8;
            return;
        }
        let (prefix, size) = encode_varint(length);
        self.out[open.body - 1] = prefix[0];
        self.out
            .splice(open.body..open.body, prefix[1..size].iter().copied());
    }

    fn raw_varint(&mut self, value: u64) {
        let (bytes, size) = encode_varint(value);
        self.out.extend_from_slice(&bytes[..size]);
    }
}

fn encode_varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut size = 0;
    while value >= 0x80 {
        bytes[size] = value as u8 | 0x80;
        value >>= 7;
        size += 1;
    }
    bytes[size] = value as u8;
    (bytes, size + 1)
}
