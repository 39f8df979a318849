//! Claude Code.

pub mod otlp;
pub mod state_file;
pub mod transcript;

/// How it tells of its dialog of trust: as of a permission for a tool (2.1.332).
const TRUST: &str = "trust this folder";

/// Returns of which kind a question is that it reports by OSC 7501.
pub fn kind_of(kind: Option<String>, message: Option<&str>) -> Option<String> {
    if message == Some(TRUST) { Some("trust".to_owned()) } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_person_decides_is_no_permission_for_a_tool() {
        let kind = |message| kind_of(Some("permission".to_owned()), message).unwrap();
        assert_eq!(kind(Some("trust this folder")), "trust");
        assert_eq!(kind(Some("approve Bash: touch x")), "permission");
        assert_eq!(kind(None), "permission");
    }
}
