use super::*;

const SECOND: Duration = Duration::from_secs(1);

type TestPolls = Polls<i32, &'static str, &'static str>;

fn done(
    answers: &[i32],
    error: Option<&'static str>,
    missing_servers: usize,
) -> Option<PollResult<i32, &'static str, &'static str>> {
    Some(PollResult {
        answers: answers.to_vec(),
        error,
        missing_servers,
        then: "then",
        bytes: 8 * answers.len(),
    })
}

#[test]
fn it_is_done_when_every_server_was_heard_and_every_socket_answered() {
    let mut polls = TestPolls::default();
    let poll = polls.open([None, Some(7)], SECOND, "then");
    assert!(!polls.asked(poll, None, 1));
    assert!(!polls.answered(poll, None, Ok(1), 8));
    assert_eq!(polls.take_done(Duration::ZERO, "late"), None);
    assert!(!polls.asked(poll, Some(7), 2));
    assert!(!polls.answered(poll, Some(7), Err("gone"), 8));
    assert!(polls.answered(poll, Some(7), Ok(3), 8));
    assert_eq!(
        polls.take_done(Duration::ZERO, "late"),
        done(&[1, 3], Some("gone"), 0)
    );
    assert_eq!(polls.take_done(2 * SECOND, "late"), None);
    assert_eq!(polls.deadline(), None);
}

#[test]
fn a_server_that_is_not_heard_makes_it_late() {
    let mut polls = TestPolls::default();
    let poll = polls.open([None, Some(7)], SECOND, "then");
    polls.asked(poll, None, 1);
    polls.answered(poll, None, Ok(1), 8);
    assert_eq!(polls.deadline(), Some(SECOND));
    assert_eq!(polls.take_done(SECOND, "late"), done(&[1], Some("late"), 1));
    assert!(!polls.asked(poll, Some(7), 1), "too late");
}

#[test]
fn nobody_answers_who_was_not_asked() {
    let mut polls = TestPolls::default();
    let poll = polls.open([None], SECOND, "then");
    assert!(!polls.answered(poll, None, Ok(1), 8));
    assert!(polls.asked(poll, None, 0));
    assert_eq!(polls.take_done(Duration::ZERO, "late"), done(&[], None, 0));
    let poll = polls.open([None], SECOND, "then");
    polls.end(poll, "not sent");
    assert_eq!(
        polls.take_done(Duration::ZERO, "late"),
        done(&[], Some("not sent"), 0)
    );
}

#[test]
fn a_server_that_is_gone_is_not_waited_for() {
    let mut polls = TestPolls::default();
    let unheard = polls.open([None, Some(7)], SECOND, "then");
    let owing = polls.open([None, Some(7), Some(8)], SECOND, "then");
    polls.asked(unheard, None, 0);
    polls.asked(owing, None, 1);
    polls.asked(owing, Some(7), 2);
    polls.answered(owing, Some(7), Ok(1), 8);
    assert!(polls.leave(Some(7), "gone"), "the first one is done");
    assert_eq!(
        polls.take_done(Duration::ZERO, "late"),
        done(&[], Some("gone"), 1)
    );
    assert!(!polls.answered(owing, Some(7), Ok(2), 8), "too late");
    assert!(!polls.answered(owing, None, Ok(3), 8));
    assert!(!polls.leave(Some(7), "gone"), "nothing is owed");
    assert!(polls.asked(owing, Some(8), 0));
    assert_eq!(
        polls.take_done(Duration::ZERO, "late"),
        done(&[1, 3], Some("gone"), 1)
    );
}
