//! L0: the types and rules of Stratavore.
//!
//! No I/O, no async, no clock reads: what needs the time is given it. Everything above speaks in
//! these types; the wire and the tables have their own and convert.

pub mod activity;
pub mod agent;
pub mod agent_command;
pub mod agent_template;
pub mod amount;
pub mod answer;
pub mod api_token;
pub mod approval;
pub mod audit;
pub mod budget;
pub mod chain;
pub mod chat;
pub mod checkout;
pub mod clock;
pub mod correction;
pub mod digest;
pub mod echo;
pub mod enforcement;
pub mod event;
pub mod event_text;
pub mod evidence;
pub mod failure;
pub mod hook;
pub mod id;
pub mod inbox;
pub mod key;
pub mod launch;
pub mod metric;
pub mod name;
pub mod node;
pub mod notification;
pub mod outbox;
pub mod price;
pub mod project;
pub mod prompt;
pub mod question;
pub mod quota;
pub mod redact;
pub mod repeat;
pub mod runner;
pub mod session;
pub mod size;
pub mod snippet;
pub mod usage;
