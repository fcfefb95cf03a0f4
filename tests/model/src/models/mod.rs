//! The models, and how they are run.

mod credit;
mod guide;
mod inbox;
mod lead;
mod line;
mod outbox;
mod peer;
mod pool;
mod run;
mod server;

use std::check::{self, Time};
use std::process::ExitCode;
use std::time::Duration;

struct Model {
    name: &'static str,
    time: Time,
    run: fn(),
}

/// A model that bears any moment for a deadline, or only those where nothing else can happen.
macro_rules! models {
    ($($room:ident :: $name:ident $time:ident,)*) => {
        [$(Model {
            name: concat!(stringify!($room), "::", stringify!($name)),
            time: Time::$time,
            run: $room::$name,
        }),*]
    };
}

const MODELS: &[Model] = &models![
    outbox::senders_and_a_peer_that_reads Calm,
    outbox::senders_close_and_a_hurried_clock Any,
    outbox::a_close_behind_a_stalled_peer_ends_in_time Calm,
    outbox::collected_frames_leave_though_nobody_flushes Calm,
    outbox::flush_races_senders_and_who_leads Any,
    outbox::overflow_races_who_leads Any,
    outbox::finish_races_everything Any,
    outbox::a_sender_that_waits Any,
    outbox::a_reader_that_waits_for_room Calm,
    outbox::pongs_of_a_stalled_peer Any,
    outbox::a_stream_without_a_descriptor Calm,
    run::broadcasts_come_once_and_in_order Any,
    run::members_come_and_go_amid_broadcasts Any,
    run::broadcasts_behind_a_stalled_peer Any,
    credit::readers_wait_and_are_woken Calm,
    credit::discard_lets_every_reader_go Calm,
    credit::a_dismissal_lets_the_reader_go Calm,
    credit::waiting_until_taken_ends Calm,
    credit::who_is_led_is_resumed Calm,
    credit::credit_comes_back_amid_a_hand_over Calm,
    inbox::what_is_read_comes_behind_what_was_put_in Calm,
    pool::no_job_waits_behind_another Calm,
    pool::idle_threads_leave_as_jobs_come Any,
    pool::stop_joins_everyone Any,
    lead::the_lead_changes_hands Any,
    lead::an_arrival_reaches_whoever_waits Any,
    lead::arrivals_race_the_shutdown Any,
    lead::a_ping_is_answered_while_the_application_is_away Calm,
    lead::a_starved_connection_is_terminated Any,
    lead::answers_go_before_the_close Any,
    lead::a_busy_connection_changes_hands Any,
    server::messages_answers_and_a_shutdown Any,
    server::a_silent_stream_races_the_shutdown Calm,
    server::the_application_never_waits_for_a_peer Calm,
    server::a_shutdown_races_opening_and_leaving Any,
];

/// Runs the models that are asked for, or all.
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let (mut seconds, mut seed, mut first_only, mut names) = (20.0, None, false, Vec::new());
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--time" => seconds = number(args.next()),
            "--seed" => seed = Some(number(args.next()) as u64),
            "--first" => first_only = true,
            _ => names.push(arg),
        }
    }
    let wanted =
        |model: &&Model| names.is_empty() || names.iter().any(|name| model.name.contains(name));
    let models: Vec<&Model> = MODELS.iter().filter(wanted).collect();
    if models.is_empty() {
        eprintln!("there is no such model");
        return ExitCode::FAILURE;
    }
    let share = Duration::from_secs_f64(seconds).div_f64(models.len() as f64);
    let (first, most) = seed.map_or((0, u64::MAX), |seed| (seed, 1));
    let mut code = ExitCode::SUCCESS;
    for model in models {
        match check::check(first, most, share, model.time, model.run) {
            Ok(count) => println!("ok    {:56} {count} schedules", model.name),
            Err(seed) => {
                println!("FAIL  {:56} --seed {seed} {}", model.name, model.name);
                code = ExitCode::FAILURE;
                if first_only {
                    return code;
                }
            }
        }
    }
    code
}

fn number(text: Option<String>) -> f64 {
    let number = text.and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("a number is missing"))
}
