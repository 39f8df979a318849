//! What the client's errors mean: a sentence for people, and whose fault it was. Pure.

use lapin::{Error, ErrorKind};

use super::ledger::Culprit;

/// Characters of a broker's own words that are passed on.
const LONGEST: usize = 300;

/// AMQP's replies that tell of the broker, not of what was sent to it.
const FORCED: u16 = 320;
const REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION: u16 = 406;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// A sentence without any secret.
    pub(super) why: String,
    /// Whose fault it was.
    pub(super) culprit: Culprit,
}

impl Fault {
    /// Nobody's fault.
    pub(super) fn of_nobody(why: impl Into<String>) -> Self {
        Self { why: why.into(), culprit: Culprit::None }
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(reply) => {
                let said = plain(reply.get_message().as_str());
                let culprit = culprit(reply.get_id(), &said);
                Self { why: said, culprit }
            }
            ErrorKind::IOError(error) => Self::of_nobody(plain(&error.to_string())),
            ErrorKind::MissingHeartbeatError => Self::of_nobody("it has been silent for too long"),
            ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => {
                Self::of_nobody("the connection was closed")
            }
            _ => Self::of_nobody(plain(&error.to_string())),
        }
    }
}

/// Returns the code of a reply that closed a channel or a connection.
pub(super) fn reply_code(error: &Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(reply) => Some(reply.get_id()),
        _ => None,
    }
}

fn culprit(code: u16, said: &str) -> Culprit {
    match code {
        FORCED | NOT_FOUND => Culprit::None,
        // Rights may depend on the routing key; without that they are the user's.
        REFUSED if !said.contains("topic") => Culprit::None,
        PRECONDITION if said.contains("message size") => {
            let numbers = said.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
            let sizes: Vec<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
            // "message size 2000 is larger than configured max size 1000"
            match sizes[..] {
                [size, limit, ..] if limit < size => Culprit::Larger(limit),
                _ => Culprit::Alone(said.to_owned()),
            }
        }
        _ => Culprit::Alone(said.to_owned()),
    }
}

/// Returns what a peer said without what could move a cursor or fill a screen.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};

    use super::*;

    fn soft(kind: AMQPSoftError, text: &str) -> Fault {
        Fault::from(&Error::from(ErrorKind::ProtocolError(AMQPError::new(
            kind.into(),
            text.into(),
        ))))
    }

    #[test]
    fn a_message_is_only_to_blame_for_what_was_said_of_it() {
        let size =
            "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000";
        assert_eq!(soft(AMQPSoftError::PRECONDITIONFAILED, size).culprit, Culprit::Larger(1000));
        let gone = "NOT_FOUND - no exchange 'x' in vhost '/'";
        assert_eq!(soft(AMQPSoftError::NOTFOUND, gone), Fault::of_nobody(gone));
        let user = "ACCESS_REFUSED - write access to exchange 'x' refused for user 'u'";
        assert_eq!(soft(AMQPSoftError::ACCESSREFUSED, user).culprit, Culprit::None);
        let topic = "ACCESS_REFUSED - write access to topic 'a.b' in exchange 'x' refused";
        assert_eq!(soft(AMQPSoftError::ACCESSREFUSED, topic).culprit, Culprit::Alone(topic.into()));
        let hard = AMQPError::new(AMQPHardError::CONNECTIONFORCED.into(), "bye\u{1b}[2J".into());
        let fault = Fault::from(&Error::from(ErrorKind::ProtocolError(hard)));
        assert_eq!(fault, Fault::of_nobody("bye[2J"));
    }
}
