//! The declarations that blocks and choices are made with: one line a key, from which reading, writing, defaults and
//! the list of keys all come.

/// Declares a block:
///
/// ```text
/// block! {
///     /// What the block is.
///     pub struct Wal {
///         /// What the key is for.
///         path: String = "/var/tempo/wal".into();
///         /// A key that is no Rust name stands in brackets.
///         kind("type"): String;              // default: that of the type
///         /// The keys of another block, among these.
///         [inline] tls: ClientTls;
///     }
/// }
/// ```
macro_rules! block {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])* $([$mode:ident])? $field:ident $(($key:literal))? : $ty:ty $(= $default:expr)?; )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::block::block!(@default $ty $(, $default)?), )* }
            }
        }

        impl $crate::field::Block for $name {
            #[allow(unused_variables, reason = "a block without keys reads none")]
            fn read_key(&mut self, key: &str, node: &$crate::yaml::Node, reader: &mut $crate::field::Reader) -> bool {
                $( if $crate::block::block!(@read $([$mode])? self, $field, ($field $(, $key)?), key, node, reader) {
                    return true;
                } )*
                false
            }

            #[allow(unused_variables, reason = "a block without keys lists none")]
            fn keys(out: &mut Vec<&'static str>) {
                $( $crate::block::block!(@keys $([$mode])? $ty, ($field $(, $key)?), out); )*
            }

            #[allow(unused_variables, reason = "a block without keys writes none")]
            fn write_into(&self, secrets: $crate::field::Secrets, out: &mut Vec<(String, $crate::yaml::Node)>) {
                $( $crate::block::block!(@write $([$mode])? self, $field, ($field $(, $key)?), secrets, out); )*
            }

            #[allow(unused_variables, reason = "a block without keys describes none")]
            fn describe_keys(&self, prefix: &str, out: &mut Vec<$crate::field::KeyInfo>) {
                $( $crate::block::block!(
                    @describe $([$mode])? self, $field, ($field $(, $key)?), concat!($($doc, "\n"),*), prefix, out
                ); )*
            }
        }

        impl $crate::field::Field for $name {
            fn read(&mut self, node: &$crate::yaml::Node, reader: &mut $crate::field::Reader) {
                $crate::field::read_block(self, node, reader);
            }

            fn write(&self, secrets: $crate::field::Secrets) -> $crate::yaml::Node {
                let mut entries = Vec::new();
                $crate::field::Block::write_into(self, secrets, &mut entries);
                $crate::yaml::Node::map(entries)
            }

            fn zero() -> Self {
                Self { $( $field: <$ty as $crate::field::Field>::zero(), )* }
            }

            fn kind() -> String {
                "block".to_string()
            }

            fn describe(&self, path: &str, _: &'static str, out: &mut Vec<$crate::field::KeyInfo>) {
                let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
                $crate::field::Block::describe_keys(self, &prefix, out);
            }
        }
    };

    (@default $ty:ty) => { <$ty>::default() };
    (@default $ty:ty, $default:expr) => { $default };

    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident, $key:literal) => { $key };

    (@read [inline] $self:ident, $field:ident, $names:tt, $key:ident, $node:ident, $reader:ident) => {
        $crate::field::Block::read_key(&mut $self.$field, $key, $node, $reader)
    };
    (@read $self:ident, $field:ident, ($($names:tt)*), $key:ident, $node:ident, $reader:ident) => {
        $key == $crate::block::block!(@key $($names)*) && {
            $crate::field::read_value(&mut $self.$field, $node, $reader);
            true
        }
    };

    (@keys [inline] $ty:ty, $names:tt, $out:ident) => { <$ty as $crate::field::Block>::keys($out) };
    (@keys $ty:ty, ($($names:tt)*), $out:ident) => { $out.push($crate::block::block!(@key $($names)*)) };

    (@write [inline] $self:ident, $field:ident, $names:tt, $secrets:ident, $out:ident) => {
        $crate::field::Block::write_into(&$self.$field, $secrets, $out)
    };
    (@write $self:ident, $field:ident, ($($names:tt)*), $secrets:ident, $out:ident) => {
        if !$crate::field::Field::is_absent(&$self.$field) {
            $out.push((
                $crate::block::block!(@key $($names)*).to_string(),
                $crate::field::Field::write(&$self.$field, $secrets),
            ));
        }
    };

    (@describe [inline] $self:ident, $field:ident, $names:tt, $doc:expr, $prefix:ident, $out:ident) => {
        $crate::field::Block::describe_keys(&$self.$field, $prefix, $out)
    };
    (@describe $self:ident, $field:ident, ($($names:tt)*), $doc:expr, $prefix:ident, $out:ident) => {
        $crate::field::Field::describe(
            &$self.$field,
            &format!("{}{}", $prefix, $crate::block::block!(@key $($names)*)),
            $doc,
            $out,
        )
    };
}

/// Declares a choice of texts; the first is the default.
macro_rules! choice {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $text:literal, )+ }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[doc = $doc])* $variant, )+ }

        impl $name {
            /// Every choice.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )+ ];

            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self { $( $name::$variant => $text, )+ }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl $crate::field::Field for $name {
            fn read(&mut self, node: &$crate::yaml::Node, reader: &mut $crate::field::Reader) {
                let names: Vec<&str> = Self::ALL.iter().map(|choice| choice.as_str()).collect();
                let Some(text) = $crate::field::scalar_text(node, reader, "a text") else { return };
                match Self::ALL.iter().find(|choice| choice.as_str() == text) {
                    Some(choice) => *self = *choice,
                    None => reader.problem(node.mark, $crate::removed::unknown_choice(text, &names)),
                }
            }

            fn write(&self, _: $crate::field::Secrets) -> $crate::yaml::Node {
                $crate::yaml::Node::text(self.as_str())
            }

            fn zero() -> Self {
                Self::default()
            }

            fn kind() -> String {
                let names: Vec<&str> = Self::ALL.iter().map(|c| c.as_str()).filter(|name| !name.is_empty()).collect();
                names.join(" | ")
            }
        }
    };
}

pub(crate) use block;
pub(crate) use choice;
