//! What to tell where none of several servers gives what each of them was asked for.

use tokenkeep_backend::{Cause, Failure};
use tokenkeep_core::ErrorKind;

/// What to tell of servers that failed, out of so many that were asked.
///
/// # Behavior
///
/// - What time does not mend, as a wrong password, is told as such only where most of those asked say so: one
///   of them may know less than the others, which are silent for a while.
/// - Else what is to be waited for is told before a silence. The order of the answers does not matter.
pub(super) fn verdict(asked: usize, failures: Vec<Failure>) -> Option<Failure> {
    let refusals = failures.iter().filter(|failure| is_lasting(failure));
    let is_settled = refusals.count() > asked / 2;
    let rank = |failure: &Failure| match failure.cause {
        _ if is_lasting(failure) => u8::from(is_settled) * 2 + 1,
        Cause::Again => 2,
        Cause::Lost | Cause::Refused(_) => 0,
    };
    let told = failures.into_iter().max_by_key(rank)?;
    Some(match is_lasting(&told) && !is_settled {
        true => Failure::refused(ErrorKind::Unavailable, told.message),
        false => told,
    })
}

fn is_lasting(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Refused(kind) if kind != ErrorKind::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence() -> Failure {
        Failure::refused(ErrorKind::Unavailable, "silence")
    }

    fn refusal() -> Failure {
        Failure::refused(ErrorKind::Config, "refusal")
    }

    #[test]
    fn the_order_of_the_answers_does_not_matter() {
        let (config, unavailable) = (ErrorKind::Config, ErrorKind::Unavailable);
        let again = || Failure::again("later");
        for (failures, cause, message) in [
            ([silence(), silence(), again()], Cause::Again, "later"),
            ([refusal(), silence(), again()], Cause::Again, "later"),
            (
                [refusal(), silence(), silence()],
                Cause::Refused(unavailable),
                "refusal",
            ),
            (
                [refusal(), refusal(), silence()],
                Cause::Refused(config),
                "refusal",
            ),
            (
                [refusal(), refusal(), again()],
                Cause::Refused(config),
                "refusal",
            ),
            (
                [silence(), silence(), Failure::lost("silence")],
                Cause::Lost,
                "silence",
            ),
        ] {
            for turn in 0..3 {
                let mut turned = failures.to_vec();
                turned.rotate_left(turn);
                let mut back = turned.clone();
                back.reverse();
                for failures in [turned, back] {
                    let told = verdict(3, failures).unwrap();
                    assert_eq!(&*told.message, message);
                    let is_silent = message == "silence";
                    assert!(told.cause == cause || is_silent && told.cause != Cause::Again);
                }
            }
        }
    }

    #[test]
    fn those_that_never_answered_count_too() {
        let told = |asked| verdict(asked, vec![refusal()]).map(|failure| failure.cause);
        assert_eq!(told(1), Some(Cause::Refused(ErrorKind::Config)));
        assert_eq!(told(2), Some(Cause::Refused(ErrorKind::Unavailable)));
        assert_eq!(verdict(0, Vec::new()).map(|failure| failure.cause), None);
    }
}
