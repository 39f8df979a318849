//! An action in a context as the table of keys has it, and the macro that the table is written in.
//!
//! No action and no key is named here.

use super::{action::Action, table::Context};

/// Declares the contexts with their names, and the table.
macro_rules! commands {
    ($( $(#[$doc:meta])* $context:ident $place:literal { $( $action:ident $name:literal $keys:literal $hint:literal $about:literal; )+ } )+) => {
        /// Where a key means something.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Context { $( $(#[$doc])* $context, )+ }

        impl Context {
            /// All contexts, in the order of the table.
            pub const ALL: &[Self] = &[ $( Self::$context, )+ ];

            /// The name in the configuration.
            pub fn name(self) -> &'static str {
                match self { $( Self::$context => $place, )+ }
            }
        }

        /// All actions. The order within a context is that of the hint line, what matters most
        /// first.
        pub const COMMANDS: &[Command] = &[ $( $( Command {
            context: Context::$context,
            action: Action::$action,
            name: $name,
            keys: $keys,
            hint: $hint,
            about: $about,
        }, )+ )+ ];
    };
}

/// An action in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Where.
    pub context: Context,
    /// What.
    pub action: Action,
    /// Its name in the configuration, below the context's.
    pub name: &'static str,
    /// The default keys, divided by blanks; the first is the one that is shown.
    pub keys: &'static str,
    /// In a word, for the hint line; empty to leave it out there.
    pub hint: &'static str,
    /// In a sentence, for the help.
    pub about: &'static str,
}

pub(super) use commands;
