//! Which node of a Cluster owns which slots, as nodes tell it.

use redis::Value;

use crate::options::Host;

/// How many slots there are.
pub(super) const COUNT: u16 = 16_384;

/// Slots that lie side by side and have one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) master: Host,
}

/// Reads the answer to `CLUSTER SLOTS` of the node with this name; `None` if it makes no sense.
pub(super) fn ranges(answer: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    ranges.iter().map(|range| read(range, asked)).collect()
}

fn read(range: &Value, asked: &str) -> Option<Range> {
    let Value::Array(parts) = range else {
        return None;
    };
    let [first, last, master, ..] = parts.as_slice() else {
        return None;
    };
    let (first, last) = (slot(first)?, slot(last)?);
    (first <= last).then_some(Range {
        first,
        last,
        master: host(master, asked)?,
    })
}

fn slot(value: &Value) -> Option<u16> {
    let Value::Int(number) = value else {
        return None;
    };
    u16::try_from(*number).ok().filter(|slot| *slot < COUNT)
}

/// A node announces a name or an address. One that announces neither, or that it does not know them,
/// is where the node is that was asked, unless it tells its address beside.
fn host(node: &Value, asked: &str) -> Option<Host> {
    let Value::Array(parts) = node else {
        return None;
    };
    let [name, Value::Int(port), rest @ ..] = parts.as_slice() else {
        return None;
    };
    let known = text(name).filter(|name| !is_unknown(name));
    let beside = || rest.get(1).and_then(address);
    let name = known.or_else(beside).unwrap_or_else(|| asked.to_owned());
    let port = u16::try_from(*port).ok()?;
    Some(Host { name, port })
}

/// The address among what a node tells of itself beside its name.
fn address(more: &Value) -> Option<String> {
    let Value::Array(parts) = more else {
        return None;
    };
    let mut pairs = parts.chunks_exact(2);
    pairs.find_map(|pair| match text(&pair[0])?.as_str() {
        "ip" => text(&pair[1]).filter(|name| !is_unknown(name)),
        _ => None,
    })
}

/// Where a node says that a slot is: `SLOT HOST:PORT`. `None` where it does not know.
pub(super) fn redirection(details: &str, asked: &str) -> Option<Host> {
    let place = details.split_ascii_whitespace().nth(1)?;
    let (name, port) = place.rsplit_once(':')?;
    let name = match name {
        "" => asked,
        "?" => return None,
        name => name.trim_start_matches('[').trim_end_matches(']'),
    };
    Some(Host {
        name: name.to_owned(),
        port: port.parse().ok()?,
    })
}

fn is_unknown(name: &str) -> bool {
    name.is_empty() || name == "?"
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(name: Value, port: i64, beside: &[&str]) -> Value {
        let beside = beside.iter().map(|text| bulk(text)).collect();
        Value::Array(vec![
            name,
            Value::Int(port),
            bulk("id"),
            Value::Array(beside),
        ])
    }

    fn host(name: &str, port: u16) -> Host {
        let name = name.to_owned();
        Host { name, port }
    }

    #[test]
    fn nodes_are_where_they_announce_or_else_where_one_was_asked() {
        for (announced, beside, expected) in [
            (bulk("10.0.0.1"), &[][..], "10.0.0.1"),
            (
                bulk("db.example.org"),
                &["ip", "10.0.0.1"],
                "db.example.org",
            ),
            (bulk("?"), &["ip", "10.0.0.1"], "10.0.0.1"),
            (bulk(""), &[], "seed"),
            (Value::Nil, &["hostname", "db", "ip", ""], "seed"),
        ] {
            let master = node(announced, 7000, beside);
            let replica = node(bulk("10.0.0.9"), 7001, &[]);
            let range = vec![Value::Int(5), Value::Int(9), master, replica];
            let answer = Value::Array(vec![Value::Array(range)]);
            let expected = Range {
                first: 5,
                last: 9,
                master: host(expected, 7000),
            };
            assert_eq!(ranges(&answer, "seed"), Some(vec![expected]));
        }
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        let range = |first, last| {
            let master = node(bulk("10.0.0.1"), 7000, &[]);
            Value::Array(vec![Value::Int(first), Value::Int(last), master])
        };
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Okay]),
            Value::Array(vec![range(0, i64::from(COUNT))]),
            Value::Array(vec![range(9, 5)]),
            Value::Array(vec![range(-1, 5)]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(5)])]),
        ] {
            assert_eq!(ranges(&answer, "seed"), None, "{answer:?}");
        }
    }

    #[test]
    fn a_redirection_names_a_host_or_the_one_that_gave_it() {
        for (details, expected) in [
            ("3999 127.0.0.1:6381", Some(host("127.0.0.1", 6381))),
            ("3999 ::1:6381", Some(host("::1", 6381))),
            ("3999 [::1]:6381", Some(host("::1", 6381))),
            (
                "3999 db.example.org:6381",
                Some(host("db.example.org", 6381)),
            ),
            ("3999 :6381", Some(host("seed", 6381))),
            ("3999 ?:6381", None),
            ("3999", None),
            ("3999 db", None),
            ("3999 db:70000", None),
        ] {
            assert_eq!(redirection(details, "seed"), expected, "{details}");
        }
    }
}
