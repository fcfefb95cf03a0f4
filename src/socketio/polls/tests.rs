use super::*;

const SECOND: Duration = Duration::from_secs(1);

type TestPolls = Polls<i32, &'static str, &'static str>;

fn done(
    answers: &[i32],
    error: Option<&'static str>,
) -> Option<PollResult<i32, &'static str, &'static str>> {
    Some(PollResult {
        answers: answers.to_vec(),
        error,
        then: "then",
        bytes: 8 * answers.len(),
    })
}

#[test]
fn it_is_done_when_every_server_was_heard_and_every_socket_answered() {
    let mut polls = TestPolls::default();
    let poll = polls.open([None, Some(7)], SECOND, "then");
    assert!(!polls.asked(poll, None, 1));
    assert!(!polls.answered(poll, Ok(1), 8));
    assert_eq!(polls.take_done(Duration::ZERO, "late"), None);
    assert!(!polls.asked(poll, Some(7), 2));
    assert!(!polls.answered(poll, Err("gone"), 8));
    assert!(polls.answered(poll, Ok(3), 8));
    assert_eq!(
        polls.take_done(Duration::ZERO, "late"),
        done(&[1, 3], Some("gone"))
    );
    assert_eq!(polls.take_done(2 * SECOND, "late"), None);
    assert_eq!(polls.deadline(), None);
}

#[test]
fn a_server_that_is_not_heard_makes_it_late() {
    let mut polls = TestPolls::default();
    let poll = polls.open([None, Some(7)], SECOND, "then");
    polls.asked(poll, None, 1);
    polls.answered(poll, Ok(1), 8);
    assert_eq!(polls.deadline(), Some(SECOND));
    assert_eq!(polls.take_done(SECOND, "late"), done(&[1], Some("late")));
    assert!(!polls.asked(poll, Some(7), 1), "too late");
}

#[test]
fn nobody_answers_who_was_not_asked() {
    let mut polls = TestPolls::default();
    let poll = polls.open([None], SECOND, "then");
    assert!(!polls.answered(poll, Ok(1), 8));
    assert!(polls.asked(poll, None, 0));
    assert_eq!(polls.take_done(Duration::ZERO, "late"), done(&[], None));
    let poll = polls.open([None], SECOND, "then");
    polls.end(poll, "not sent");
    assert_eq!(
        polls.take_done(Duration::ZERO, "late"),
        done(&[], Some("not sent"))
    );
}
