//! Keystone v3 token bodies: which of their fields a token's record takes over.

use serde_json::Value;
use tokenkeep::{Text, Timestamp};

use crate::exit::Failure;

/// What a record takes over from a token body.
///
/// `issued_at` is not among it: a token is issued when this store takes it, and the body, which is
/// kept whole as the token's data, still has the other instant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// `user.id`.
    pub(crate) user_id: Text,
    /// `project.id`.
    pub(crate) tenant_id: Option<Text>,
    /// `domain.id`: what the token is scoped to, not where its user lives.
    pub(crate) domain_id: Option<Text>,
    /// `OS-TRUST:trust.id`.
    pub(crate) trust_id: Option<Text>,
    /// `OS-OAUTH1.consumer_id`.
    pub(crate) consumer_id: Option<Text>,
    /// The first of `audit_ids`.
    pub(crate) audit_id: Option<Text>,
    /// The second of `audit_ids`.
    pub(crate) audit_chain_id: Option<Text>,
    /// `expires_at`.
    pub(crate) expires_at: Option<Timestamp>,
}

impl Body {
    /// Reads a v3 body, be it inside `{"token": ...}` or bare. Members that are null count as
    /// absent, unknown ones are passed over. Each error names the place in the body.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| Failure::usage(format!("the token body is no JSON: {error}")))?;
        if body.get("access").is_some() {
            return Err(Failure::usage(
                "the token body is of Keystone's API v2.0; only v3 is read",
            ));
        }
        let token = Place::root("token", body.get("token").unwrap_or(&body))?;
        let user = token
            .object("user")?
            .ok_or_else(|| token.fault("user", "is missing"))?;
        Ok(Self {
            user_id: user
                .text("id")?
                .ok_or_else(|| user.fault("id", "is missing"))?,
            tenant_id: token.inner_text("project", "id")?,
            domain_id: token.inner_text("domain", "id")?,
            trust_id: token.inner_text("OS-TRUST:trust", "id")?,
            consumer_id: token.inner_text("OS-OAUTH1", "consumer_id")?,
            audit_id: token.listed_text("audit_ids", 0)?,
            audit_chain_id: token.listed_text("audit_ids", 1)?,
            expires_at: token.instant("expires_at")?,
        })
    }
}

/// An object in the body, and the path that leads to it.
struct Place<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Place<'a> {
    fn root(path: &str, value: &'a Value) -> Result<Self, Failure> {
        let path = path.to_owned();
        if value.is_object() {
            Ok(Self { path, value })
        } else {
            Err(wrong(&path, "is no object"))
        }
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn fault(&self, name: &str, problem: &str) -> Failure {
        wrong(&self.path_of(name), problem)
    }

    fn member(&self, name: &str) -> Option<&'a Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    fn object(&self, name: &str) -> Result<Option<Place<'a>>, Failure> {
        self.member(name)
            .map(|value| Place::root(&self.path_of(name), value))
            .transpose()
    }

    fn text(&self, name: &str) -> Result<Option<Text>, Failure> {
        self.member(name)
            .map(|value| text(&self.path_of(name), value))
            .transpose()
    }

    /// The text in an object that may be absent; in one that is there it must not be.
    fn inner_text(&self, object: &str, name: &str) -> Result<Option<Text>, Failure> {
        let Some(inner) = self.object(object)? else {
            return Ok(None);
        };
        match inner.text(name)? {
            Some(text) => Ok(Some(text)),
            None => Err(inner.fault(name, "is missing")),
        }
    }

    fn listed_text(&self, name: &str, index: usize) -> Result<Option<Text>, Failure> {
        let Some(list) = self.member(name) else {
            return Ok(None);
        };
        let list = list
            .as_array()
            .ok_or_else(|| self.fault(name, "is no array"))?;
        let path = format!("{}[{index}]", self.path_of(name));
        list.get(index)
            .filter(|value| !value.is_null())
            .map(|value| text(&path, value))
            .transpose()
    }

    fn instant(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        let Some(value) = self.member(name) else {
            return Ok(None);
        };
        let read = value.as_str().and_then(|text| text.parse().ok());
        read.map(Some)
            .ok_or_else(|| self.fault(name, "is no RFC 3339 instant of the years 1970 to 9999"))
    }
}

fn text(path: &str, value: &Value) -> Result<Text, Failure> {
    let text = value.as_str().ok_or_else(|| wrong(path, "is no string"))?;
    Text::new(path, text)
        .map_err(|error| Failure::usage(format!("token body: {}", error.message())))
}

fn wrong(path: &str, problem: &str) -> Failure {
    Failure::usage(format!("token body: {path} {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Body {
        Body::parse(body.as_bytes()).unwrap()
    }

    fn refused(body: &str) -> String {
        Body::parse(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn each_field_comes_from_its_place() {
        let body = parse(
            r#"{"token": {
                "user": {"id": "u", "domain": {"id": "home"}},
                "project": {"id": "p", "domain": {"id": "of the project"}},
                "OS-TRUST:trust": {"id": "t"},
                "OS-OAUTH1": {"consumer_id": "c", "access_token_id": "x"},
                "audit_ids": ["own", "root"],
                "expires_at": "2030-01-02T03:04:05.000000Z"
            }}"#,
        );
        let text = |value: &Option<Text>| value.as_deref().map(str::to_owned);
        assert_eq!(body.user_id.as_str(), "u");
        assert_eq!(text(&body.tenant_id).as_deref(), Some("p"));
        assert_eq!(body.domain_id, None, "no scope, though the user has a home");
        assert_eq!(text(&body.trust_id).as_deref(), Some("t"));
        assert_eq!(text(&body.consumer_id).as_deref(), Some("c"));
        assert_eq!(text(&body.audit_id).as_deref(), Some("own"));
        assert_eq!(text(&body.audit_chain_id).as_deref(), Some("root"));
        assert_eq!(
            body.expires_at.unwrap().to_string(),
            "2030-01-02T03:04:05.000000Z"
        );
    }

    #[test]
    fn a_bare_body_and_a_wrapped_one_are_the_same() {
        let bare = r#"{"user": {"id": "u"}, "domain": {"id": "d"}}"#;
        assert_eq!(parse(bare), parse(&format!(r#"{{"token": {bare}}}"#)));
    }

    #[test]
    fn null_counts_as_absent() {
        let body = parse(r#"{"user": {"id": "u"}, "project": null, "OS-TRUST:trust": null}"#);
        assert_eq!((body.tenant_id, body.trust_id), (None, None));
        let body = parse(r#"{"user": {"id": "u"}, "audit_ids": [], "expires_at": null}"#);
        assert_eq!((body.audit_id, body.expires_at), (None, None));
    }

    #[test]
    fn each_fault_names_its_place() {
        let long = format!(r#"{{"user": {{"id": "{}"}}}}"#, "u".repeat(256));
        for (body, expected) in [
            ("{", "no JSON"),
            ("[]", "token is no object"),
            (r#"{"token": {}}"#, "token.user is missing"),
            (r#"{"user": {}}"#, "token.user.id is missing"),
            (r#"{"user": {"id": 7}}"#, "token.user.id is no string"),
            (r#"{"user": {"id": ""}}"#, "token.user.id is empty"),
            (long.as_str(), "token.user.id is 256 bytes long"),
            (
                r#"{"user": {"id": "u"}, "project": {}}"#,
                "token.project.id is missing",
            ),
            (
                r#"{"user": {"id": "u"}, "project": "p"}"#,
                "token.project is no object",
            ),
            (
                r#"{"user": {"id": "u"}, "audit_ids": "a"}"#,
                "token.audit_ids is no array",
            ),
            (
                r#"{"user": {"id": "u"}, "audit_ids": ["a", 1]}"#,
                "token.audit_ids[1] is no string",
            ),
            (
                r#"{"user": {"id": "u"}, "expires_at": "soon"}"#,
                "token.expires_at is no RFC 3339 instant",
            ),
            (r#"{"access": {"token": {}}}"#, "only v3 is read"),
        ] {
            let error = refused(body);
            assert!(error.contains(expected), "{body}: {error}");
        }
    }
}
