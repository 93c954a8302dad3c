//! What scripts answer, taken apart.

use std::vec;

use redis::Value;
use tokenkeep_backend::{Failure, Outcome};
use tokenkeep_core::{ErrorKind, Result, TokenId};

/// The values that a script gave, from the first on.
#[derive(Debug)]
pub(crate) struct Reply(vec::IntoIter<Value>);

impl Reply {
    /// # Errors
    ///
    /// `Internal`, as for all below, where the answer has another form than the script says.
    pub(crate) fn of(answer: Value) -> Outcome<Self> {
        match answer {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(strange()),
        }
    }

    /// How many values are left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The next value, as all below.
    pub(crate) fn value(&mut self) -> Outcome<Value> {
        self.0.next().ok_or_else(strange)
    }

    pub(crate) fn integer(&mut self) -> Outcome<i64> {
        match self.value()? {
            Value::Int(number) => Ok(number),
            _ => Err(strange()),
        }
    }

    pub(crate) fn bytes(&mut self) -> Outcome<Vec<u8>> {
        bytes(self.value()?)
    }

    pub(crate) fn place(&mut self) -> Outcome<u64> {
        place(self.value()?)
    }

    pub(crate) fn id(&mut self) -> Outcome<TokenId> {
        TokenId::try_from(self.bytes()?.as_slice()).map_err(|_| strange())
    }
}

pub(crate) fn bytes(answer: Value) -> Outcome<Vec<u8>> {
    match answer {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(strange()),
    }
}

/// A place in the order of revocation: below 2^53, and some servers write it with an exponent.
pub(crate) fn place(answer: Value) -> Outcome<u64> {
    let text = String::from_utf8(bytes(answer)?).map_err(|_| strange())?;
    let number: f64 = text.parse().map_err(|_| strange())?;
    match (0.0..MOST).contains(&number) && number.fract() == 0.0 {
        true => Ok(number as u64),
        false => Err(strange()),
    }
}

/// From here on not all whole numbers can be told apart.
const MOST: f64 = 9_007_199_254_740_992.0;

/// What was read makes no sense; the words of the error hold no value.
pub(crate) fn sensible<T>(value: Result<T>) -> Outcome<T> {
    value.map_err(|error| Failure::refused(error.kind(), error.message().to_owned()))
}

/// The answer has a form that no script gives.
pub(crate) fn strange() -> Failure {
    let problem = "a script's answer has an unknown form";
    Failure::refused(ErrorKind::Internal, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_whole_numbers_however_they_are_written() {
        let read = |text: &str| place(Value::BulkString(text.into())).ok();
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("1732262400000001"), Some(1_732_262_400_000_001));
        assert_eq!(read("1.7322624e+15"), Some(1_732_262_400_000_000));
        for bad in ["", "-1", "0.5", "1e16", "nan", "x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_is_read_value_by_value() {
        let values = vec![Value::Int(2), Value::BulkString(vec![7; 32])];
        let mut reply = Reply::of(Value::Array(values)).unwrap();
        assert_eq!(reply.integer().unwrap(), 2);
        assert_eq!(reply.id().unwrap(), TokenId::from_bytes([7; 32]));
        assert!(reply.bytes().is_err());
        assert!(Reply::of(Value::Nil).is_err());
    }
}
