//! Socket.IO: listeners over clients in memory, and the protocol over sockets.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wshub::socketio::testing::{self, MemoryClient};
use wshub::socketio::{
    Ack, AckError, AnyArguments, Bytes, Limits, Refused, Socket, SocketEvent, SocketIo,
};
use wshub::{Handler, Message, Overflow, RecvError, Server};

use crate::support::socketio::{SocketIoServer, WEBSOCKET, join_websocket, serve};
use crate::support::{AtEnd, Client, PATIENCE, ask, exchange, upgrade, wait_until};

/// The names of events with their arguments.
fn events(client: &mut MemoryClient) -> Vec<(String, Vec<Value>)> {
    let events = client.take_events().into_iter();
    events
        .map(|event| (event.name().to_owned(), event.arguments().to_vec()))
        .collect()
}

fn named(name: &str, arguments: Value) -> (String, Vec<Value>) {
    (name.to_owned(), arguments.as_array().unwrap().clone())
}

fn join<S>(io: &mut SocketIo<S>, namespace: &str) -> MemoryClient {
    testing::join(io, namespace, json!({})).unwrap()
}

#[test]
fn events_reach_their_listeners_with_the_state() {
    let mut io = SocketIo::new(Vec::new());
    io.on(
        "/",
        "say",
        |said: &mut Vec<String>, socket, (to, text): (String, String)| {
            said.push(text.clone());
            socket.emit("echo", (to, text));
            Ok(said.len())
        },
    );
    let mut ann = join(&mut io, "/");
    assert_eq!(ann.id().len(), 20);
    ann.emit(&mut io, "say", ("bob", "hi"));
    assert_eq!(events(&mut ann), [named("echo", json!(["bob", "hi"]))]);
    assert_eq!(ann.ask(&mut io, "say", ("eve", "ho")), Some(vec![json!(2)]));
    assert_eq!(io.state(), &["hi", "ho"]);
}

#[test]
fn an_unknown_event_is_answered_by_nobody() {
    let mut io = SocketIo::new(());
    let mut ann = join(&mut io, "/");
    assert_eq!(ann.ask(&mut io, "nothing", ()), None);
    assert!(!ann.is_disconnected());
}

#[test]
fn wrong_arguments_are_answered_and_are_no_panic() {
    let mut io = SocketIo::new(0);
    io.on("/", "add", |total, _, number: i32| {
        *total += number;
        Ok(*total)
    });
    let mut ann = join(&mut io, "/");
    let answer = ann.ask(&mut io, "add", "seven").unwrap();
    let error = answer[0]["error"].as_str().unwrap();
    assert!(error.starts_with("[0]: invalid type: string"), "{error}");
    ann.emit(&mut io, "add", json!({"a": 1}));
    assert_eq!(io.stats().wrong_arguments, 2);
    assert_eq!(ann.ask(&mut io, "add", 3), Some(vec![json!(3)]));
}

#[test]
fn a_listener_refuses_with_text_and_data() {
    let mut io = SocketIo::new(());
    io.on("/", "buy", |_, _, ()| {
        Err::<(), _>(Refused::new("sold out").with_data(json!({"left": 0})))
    });
    let mut ann = join(&mut io, "/");
    assert_eq!(
        ann.ask(&mut io, "buy", ()),
        Some(vec![json!({"error": "sold out", "data": {"left": 0}})])
    );
}

#[test]
fn of_several_listeners_all_are_called_and_the_first_answers() {
    let mut io = SocketIo::new(Vec::new());
    io.on_any("/", |calls: &mut Vec<String>, _, name, arguments| {
        calls.push(format!("any {name} {}", arguments.len()));
    });
    for number in [1, 2] {
        io.on("/", "x", move |calls, _, text: String| {
            calls.push(format!("{number} {text}"));
            Ok(number)
        });
    }
    let mut ann = join(&mut io, "/");
    assert_eq!(ann.ask(&mut io, "x", "t"), Some(vec![json!(1)]));
    assert_eq!(io.state(), &["any x 1", "1 t", "2 t"]);
}

#[test]
fn an_answer_comes_from_a_later_event_or_another_thread() {
    let mut io = SocketIo::new(Vec::new());
    io.on(
        "/",
        "ask",
        |acks: &mut Vec<Ack>, _, (_, ack): (i32, Ack)| {
            acks.push(ack);
        },
    );
    io.on("/", "tell", |acks, _, answer: i32| {
        let Some(ack) = acks.pop() else {
            return Err(Refused::new("nothing was asked"));
        };
        assert!(ack.is_wanted());
        Ok(thread::spawn(move || ack.send(answer)).join().unwrap())
    });
    io.on("/", "refuse", |acks, _, ()| {
        let refused = Refused::new("no").with_data(json!(1));
        Ok(acks.pop().unwrap().refuse(&refused))
    });
    let mut ann = join(&mut io, "/");
    assert_eq!(ann.ask(&mut io, "ask", 1), None, "not yet");
    assert_eq!(ann.ask(&mut io, "tell", 7), Some(vec![json!(true)]));
    assert_eq!(ann.take_answers(), [(0, vec![json!(7)])]);
    ann.ask(&mut io, "ask", 1);
    ann.ask(&mut io, "refuse", ());
    let refusal = vec![json!({"error": "no", "data": 1})];
    assert_eq!(ann.take_answers(), [(2, refusal)]);
    ann.emit(&mut io, "ask", 2);
    assert!(!io.state()[0].is_wanted(), "it did not ask for an answer");
    ann.emit(&mut io, "ask", 3);
    ann.ask(&mut io, "ask", 4);
    ann.vanish(&mut io);
    let acks = std::mem::take(io.state_mut()).into_iter();
    assert_eq!(acks.map(|ack| ack.send(0)).collect::<Vec<_>>(), [false; 3]);
}

#[test]
fn wrong_arguments_are_answered_beside_an_ack() {
    let mut io = SocketIo::new(());
    io.on("/", "ask", |_, _, (_, _): (Ack, i32)| {});
    let mut ann = join(&mut io, "/");
    let answer = ann.ask(&mut io, "ask", (1, "two")).unwrap();
    let error = answer[0]["error"].as_str().unwrap();
    assert!(error.starts_with("[1]: invalid type: string"), "{error}");
}

#[test]
fn rooms_and_namespaces_are_apart() {
    let mut io = SocketIo::new(());
    for namespace in ["/", "/other"] {
        io.on(namespace, "join", |_, socket, room: String| {
            Ok(socket.join(room))
        });
        io.on(namespace, "say", |_, socket, room: String| {
            Ok(socket.to(room).emit("said", socket.namespace()))
        });
    }
    let [mut ann, mut bob, mut eve] = [(); 3].map(|()| join(&mut io, "/"));
    let mut far = join(&mut io, "/other");
    for client in [&mut ann, &mut bob, &mut far] {
        assert_eq!(client.ask(&mut io, "join", "r"), Some(vec![json!(true)]));
    }
    assert_eq!(ann.ask(&mut io, "say", "r"), Some(vec![json!(1)]));
    assert_eq!(events(&mut bob), [named("said", json!(["/"]))]);
    for client in [&mut ann, &mut eve, &mut far] {
        assert_eq!(events(client), []);
    }
    assert_eq!(io.to("r").sockets().len(), 2);
    assert_eq!(io.of("other").emit("all", ()), 1);
    assert_eq!(events(&mut far), [named("all", json!([]))]);
    let bob_id = bob.id().to_owned();
    assert_eq!(io.of("/").except(bob_id).emit("others", 1), 2);
    assert_eq!(events(&mut bob), []);
    assert_eq!(events(&mut eve), [named("others", json!([1]))]);
}

#[test]
fn rooms_of_others_are_joined_and_left_for_them() {
    let mut io = SocketIo::new(());
    let (ann, bob) = (join(&mut io, "/"), join(&mut io, "/"));
    io.of("/").join_all("r");
    io.to(ann.id()).leave_all("r");
    assert_eq!(io.to("r").sockets(), [bob.id()]);
}

#[test]
fn who_is_in_too_many_rooms_joins_no_other() {
    let limits = Limits {
        max_rooms: 2,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    io.on("/", "join", |_, socket, room: String| Ok(socket.join(room)));
    let mut ann = join(&mut io, "/");
    assert_eq!(ann.ask(&mut io, "join", "a"), Some(vec![json!(true)]));
    assert_eq!(ann.ask(&mut io, "join", "b"), Some(vec![json!(false)]));
}

#[test]
fn a_room_with_a_long_name_is_joined_by_nobody() {
    let mut io = SocketIo::new(());
    io.on("/", "join", |_, socket, room: String| Ok(socket.join(room)));
    let mut ann = join(&mut io, "/");
    let (longest, too_long) = ("x".repeat(1024), "x".repeat(1025));
    assert_eq!(ann.ask(&mut io, "join", &longest), Some(vec![json!(true)]));
    assert_eq!(
        ann.ask(&mut io, "join", &too_long),
        Some(vec![json!(false)])
    );
    io.of("/").join_all(&too_long);
    let in_room = |room: &String| io.to(room).sockets().len();
    assert_eq!((in_room(&longest), in_room(&too_long)), (1, 0));
}

#[test]
fn a_refused_client_hears_why_and_nothing_else() {
    let mut io = SocketIo::new(0);
    io.on_connect("/", |_, socket, auth| {
        socket.join("members");
        socket.emit("early", ());
        match auth["token"].as_str() {
            Some("t") => Ok(()),
            _ => Err(Refused::new("who are you?").with_data(json!(7))),
        }
    });
    io.on_connect("/", |asked, _, _| {
        *asked += 1;
        Ok(())
    });
    io.on_disconnect("/", |_, _, _| panic!("it was never in"));
    let refused = testing::join(&mut io, "/", json!({"token": "x"})).unwrap_err();
    assert_eq!(refused, json!({"message": "who are you?", "data": 7}));
    assert_eq!((*io.state(), io.to("members").sockets().len()), (0, 0));
    let mut ann = testing::join(&mut io, "/", json!({"token": "t"})).unwrap();
    assert_eq!(events(&mut ann), [named("early", json!([]))]);
    assert_eq!(*io.state(), 1);
}

#[test]
fn an_unknown_namespace_is_refused() {
    let mut io = SocketIo::new(());
    let refused = testing::join(&mut io, "/none", json!({})).unwrap_err();
    assert_eq!(refused, json!({"message": "Invalid namespace"}));
}

/// As ghosts in another server's rooms showed.
#[test]
fn who_leaves_is_in_no_room_and_its_listener_knows_which_it_was_in() {
    for gone in [true, false] {
        let mut io = SocketIo::new(Vec::new());
        io.on_connect("/", |_, socket, _| {
            socket.join("r");
            socket.set_data("ann".to_owned());
            Ok(())
        });
        io.on_disconnect("/", |seen: &mut Vec<String>, socket, reason| {
            assert!(!socket.is_connected());
            assert_eq!(socket.to("r").sockets().len(), 1);
            let mut rooms = socket.rooms();
            rooms.retain(|room| room != socket.id());
            let name = socket.data::<String>().unwrap();
            socket.emit("too late", ());
            socket.to("r").emit("left", ());
            seen.push(format!("{name} {rooms:?} {reason}"));
        });
        let (ann, mut bob) = (join(&mut io, "/"), join(&mut io, "/"));
        match gone {
            true => ann.vanish(&mut io),
            false => ann.disconnect(&mut io),
        }
        let reason = if gone {
            "transport close"
        } else {
            "client namespace disconnect"
        };
        assert_eq!(io.state(), &[format!("ann [\"r\"] {reason}")]);
        assert_eq!(io.of("/").sockets(), [bob.id()]);
        assert_eq!(events(&mut bob), [named("left", json!([]))]);
    }
}

#[test]
fn the_server_disconnects_one_socket_or_the_whole_client() {
    let mut io = SocketIo::new(Vec::new());
    io.on("/", "kick me", |left: &mut Vec<String>, socket, ()| {
        socket.disconnect();
        left.push("not yet".to_owned());
    });
    io.on("/", "close me", |_, socket, ()| socket.close());
    io.on_disconnect("/", |left, _, reason| left.push(reason.to_string()));
    let (mut ann, mut bob) = (join(&mut io, "/"), join(&mut io, "/"));
    ann.emit(&mut io, "kick me", ());
    assert!(ann.is_disconnected());
    bob.emit(&mut io, "close me", ());
    assert!(bob.is_disconnected());
    let reason = "server namespace disconnect";
    assert_eq!(io.state(), &["not yet", reason, reason]);
    assert!(io.of("/").sockets().is_empty());
}

#[test]
fn a_client_answers_with_the_state_in_hand() {
    let mut io = SocketIo::new(Vec::new());
    io.on("/", "ask me", |_, socket, ()| {
        let then = |seen: &mut Vec<String>, answer: Result<wshub::socketio::Answer, AckError>| {
            seen.push(format!("{:?}", answer.map(|it| it.get::<i32>().unwrap())));
        };
        socket.emit_with_ack("question", 1, PATIENCE, then);
    });
    let mut ann = join(&mut io, "/");
    ann.emit(&mut io, "ask me", ());
    let question = ann.take_events().remove(0);
    assert!(question.wants_answer());
    ann.answer(&mut io, &question, 42);
    ann.answer(&mut io, &question, 43);
    assert_eq!(io.state(), &["Ok(42)"], "once");
    ann.emit(&mut io, "ask me", ());
    ann.vanish(&mut io);
    assert_eq!(io.state(), &["Ok(42)", "Err(Disconnected)"]);
}

#[test]
fn who_gets_no_answer_hears_why() {
    let limits = Limits {
        max_pending_acks: 1,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits(Vec::new(), limits);
    io.on("/", "ask me", |_, socket, event: String| {
        socket.emit_with_ack(
            &event,
            (),
            Duration::ZERO,
            |seen: &mut Vec<AckError>, answer| {
                seen.push(answer.unwrap_err());
            },
        );
        if event == "two" {
            socket.emit_with_ack("x", (), PATIENCE, |seen, answer| {
                seen.push(answer.unwrap_err());
            });
        }
    });
    let mut ann = join(&mut io, "/");
    ann.emit(&mut io, "ask me", "question");
    ann.emit(&mut io, "ask me", "disconnect");
    ann.emit(&mut io, "ask me", "two");
    assert_eq!(
        io.state(),
        &[
            AckError::Timeout,
            AckError::NotSent,
            AckError::TooMany,
            AckError::Timeout
        ]
    );
}

#[test]
fn many_are_asked_at_once_and_all_answers_come_together() {
    let mut io = SocketIo::new(());
    let mut clients = [join(&mut io, "/"), join(&mut io, "/"), join(&mut io, "/")];
    let (tell, told) = std::sync::mpsc::channel();
    let ask = |io: &SocketIo<()>, event: &str, timeout: Duration| {
        let tell = tell.clone();
        io.of("/").emit_with_ack(event, 7, timeout, move |answers| {
            let got = answers.answers.iter().map(|it| it.get::<i32>().unwrap());
            tell.send((got.collect::<Vec<_>>(), answers.error)).unwrap();
        });
    };
    ask(&io, "number?", PATIENCE);
    let questions = clients.each_mut().map(|it| it.take_events().remove(0));
    assert_eq!(questions[0].get::<i32>().unwrap(), 7);
    clients[2].answer(&mut io, &questions[2], 3);
    clients[0].answer(&mut io, &questions[0], 1);
    assert!(told.try_recv().is_err(), "one is missing");
    let [mut first, second, third] = clients;
    second.vanish(&mut io);
    let all = (vec![3, 1], Some(AckError::Disconnected));
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), all);
    third.vanish(&mut io);

    // One that answers too late; a reserved name; nobody.
    ask(&io, "number?", Duration::ZERO);
    ask(&io, "connect", PATIENCE);
    first.emit(&mut io, "anything", ());
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        (vec![], Some(AckError::NotSent))
    );
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        (vec![], Some(AckError::Timeout))
    );
    first.vanish(&mut io);
    ask(&io, "number?", PATIENCE);
    join(&mut io, "/");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (vec![], None));
}

/// On a server that has nothing else to do, and on a thread that is not the application's.
#[test]
fn a_question_to_nobody_has_its_answers_at_once() {
    let io = SocketIo::new(());
    let nobody = io.to("an empty room");
    let _server = serve(io, Server::builder());
    for _ in 0..10 {
        let (tell, told) = mpsc::channel();
        nobody.emit_with_ack("who?", (), 60 * PATIENCE, move |answers| {
            tell.send((answers.answers.len(), answers.error)).unwrap();
        });
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (0, None));
    }
}

#[test]
fn b11_answers_that_are_held_have_a_bound() {
    let limits = Limits {
        max_answer_bytes: 5_000,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    let mut clients = [join(&mut io, "/"), join(&mut io, "/"), join(&mut io, "/")];
    let (tell, told) = mpsc::channel();
    for _ in 0..2 {
        let tell = tell.clone();
        io.of("/")
            .emit_with_ack("say", (), PATIENCE, move |answers| {
                tell.send((answers.answers.len(), answers.error)).unwrap();
            });
        for client in &mut clients {
            let question = client.take_events().remove(0);
            client.answer(&mut io, &question, "x".repeat(2_000));
        }
        // What was held is free again for the next question.
        assert_eq!(
            told.recv_timeout(PATIENCE).unwrap(),
            (2, Some(AckError::TooMany))
        );
    }
}

#[test]
fn a_callback_that_asks_again_for_ever_holds_up_nobody_else() {
    fn ask(socket: Socket<u32>) {
        let again = socket.clone();
        socket.emit_with_ack("ready?", (), PATIENCE, move |asked: &mut u32, answer| {
            *asked += 1;
            if answer.is_err() {
                ask(again);
            }
        });
    }
    let mut io = SocketIo::new(0);
    io.on_connect("/", |_, socket, auth| {
        if auth["asked"] == true {
            ask(socket.clone());
        }
        Ok(())
    });
    let ann = testing::join(&mut io, "/", json!({"asked": true})).unwrap();
    ann.vanish(&mut io);
    join(&mut io, "/");
    assert!(*io.state() > 0);
}

#[test]
fn binary_data_comes_and_goes_as_it_is() {
    let mut io = SocketIo::new(());
    io.on("/", "upload", |_, socket, (name, data): (String, Bytes)| {
        socket.emit("stored", (&name, &data));
        Ok((data.len(), data))
    });
    io.on("/", "any", |_, socket, any: AnyArguments| {
        socket.emit("same", &any);
        Ok((any.values.len(), any.attachments.len()))
    });
    let mut ann = join(&mut io, "/");
    let data = Bytes::from(vec![1, 2, 3]);
    let answer = ann.ask(&mut io, "upload", ("a", &data)).unwrap();
    assert_eq!(answer, [json!(3), json!({"_placeholder": true, "num": 0})]);
    let (name, stored) = ann.take_events()[0].get::<(String, Bytes)>().unwrap();
    assert_eq!((&*name, stored), ("a", data.clone()));
    let other = Bytes::from(vec![4]);
    let answer = ann.ask(&mut io, "any", (&data, 1, [&other])).unwrap();
    assert_eq!(answer, [json!(3), json!(2)]);
    let (one, _, [two]) = ann.take_events()[0]
        .get::<(Bytes, i32, [Bytes; 1])>()
        .unwrap();
    assert_eq!((one, two), (data, other));
}

#[test]
fn a_reserved_name_and_what_is_no_json_are_not_sent() {
    let mut io = SocketIo::new(());
    let mut ann = join(&mut io, "/");
    assert_eq!(io.emit("disconnect", ()), 0);
    let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(io.emit("x", &no_json), 0);
    assert_eq!(events(&mut ann), []);
}

#[test]
fn namespaces_of_one_client_are_bounded() {
    let limits = Limits {
        max_namespaces: 0,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    let refused = testing::join(&mut io, "/", json!({})).unwrap_err();
    assert_eq!(refused, json!({"message": "too many namespaces"}));
}

fn recovering(window: Duration) -> SocketIo<Vec<String>> {
    let limits = Limits {
        recovery_window: Some(window),
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits(Vec::new(), limits);
    io.on_connect("/", |seen: &mut Vec<String>, socket, _| {
        let name = socket.data::<String>().map(|name| (*name).clone());
        seen.push(format!("{} {name:?}", socket.is_recovered()));
        if name.is_none() {
            socket.set_data("ann".to_owned());
            socket.join("r");
        }
        Ok(())
    });
    io
}

/// Where the client was, as the last argument of its last event says.
fn offset(client: &mut MemoryClient) -> String {
    let (_, arguments) = events(client).pop().unwrap();
    arguments.last().unwrap().as_str().unwrap().to_owned()
}

#[test]
fn who_comes_back_in_time_is_who_it_was_and_gets_what_it_missed() {
    let mut io = recovering(PATIENCE);
    let mut ann = join(&mut io, "/");
    let (id, pid) = (ann.id().to_owned(), ann.recovery().unwrap().to_owned());
    io.emit("first", "a");
    let offset = offset(&mut ann);
    ann.vanish(&mut io);
    io.to("r").emit("missed", 1);
    io.to("other").emit("not meant", 2);
    io.of("/").volatile().emit("volatile", 3);
    io.of("/").except("r").emit("not meant", 4);
    io.emit("missed", (5, Bytes::from(vec![1])));
    let auth = json!({"pid": pid, "offset": offset});
    let mut ann = testing::join(&mut io, "/", auth.clone()).unwrap();
    assert_eq!(ann.id(), id);
    assert_eq!(ann.recovery(), Some(&*pid));
    let missed = ann.take_events();
    assert_eq!(missed.len(), 2);
    assert_eq!(missed[0].get::<(i32, String)>().unwrap().0, 1);
    assert_eq!(*missed[1].get::<(i32, Bytes)>().unwrap().1, [1]);
    assert_eq!(io.to("r").emit("now", ()), 1);
    assert_eq!(events(&mut ann).len(), 1);
    let again = testing::join(&mut io, "/", auth).unwrap();
    assert_ne!(again.id(), id, "once");
    assert_eq!(
        io.state(),
        &["false None", "true Some(\"ann\")", "false None"]
    );
}

#[test]
fn the_names_of_rooms_are_among_the_bytes_that_are_kept() {
    let limits = Limits {
        recovery_window: Some(PATIENCE),
        max_recovery_bytes: 1000,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    let mut ann = join(&mut io, "/");
    let (id, pid) = (ann.id().to_owned(), ann.recovery().unwrap().to_owned());
    io.emit("first", "a");
    let offset = offset(&mut ann);
    ann.vanish(&mut io);
    io.to("x".repeat(1000)).emit("not kept", ());
    let auth = json!({"pid": pid, "offset": offset});
    assert_ne!(testing::join(&mut io, "/", auth).unwrap().id(), id);
}

#[test]
fn who_left_by_itself_or_comes_too_late_is_new() {
    let mut io = recovering(PATIENCE);
    let mut ann = join(&mut io, "/");
    let pid = ann.recovery().unwrap().to_owned();
    io.emit("first", "a");
    let auth = json!({"pid": pid, "offset": offset(&mut ann)});
    ann.disconnect(&mut io);
    testing::join(&mut io, "/", auth).unwrap();
    assert_eq!(io.state().last().unwrap(), "false None");

    let mut io = recovering(Duration::from_millis(1));
    let mut ann = join(&mut io, "/");
    let pid = ann.recovery().unwrap().to_owned();
    io.emit("first", "a");
    let auth = json!({"pid": pid, "offset": offset(&mut ann)});
    ann.vanish(&mut io);
    thread::sleep(Duration::from_millis(20));
    testing::join(&mut io, "/", auth).unwrap();
    assert_eq!(io.state().last().unwrap(), "false None");
}

#[test]
fn without_recovery_nothing_is_added_to_events() {
    let mut io = SocketIo::new(());
    let mut ann = join(&mut io, "/");
    assert_eq!(ann.recovery(), None);
    io.emit("x", 1);
    assert_eq!(events(&mut ann), [named("x", json!([1]))]);
}

/// What clients connect to by WebSockets.
struct Running(SocketIoServer);

impl Running {
    fn start(limits: Limits) -> Running {
        let mut io = SocketIo::with_limits((), limits);
        io.on("/", "ask me", |_, socket: &Socket<()>, ()| {
            let asker = socket.clone();
            socket.emit_with_ack(
                "question",
                (),
                Duration::from_millis(20),
                move |_, answer| {
                    asker.emit("unanswered", answer.unwrap_err().to_string());
                },
            );
        });
        io.on("/", "wait", |_, _, millis: u64| {
            thread::sleep(Duration::from_millis(millis));
        });
        Running(SocketIoServer::start(io, Server::builder()))
    }

    fn open(&self) -> Client {
        Client::connect_with(self.addr, WEBSOCKET, "")
    }

    /// A client after its handshake, in the main namespace.
    fn join(&self) -> Client {
        join_websocket(self.addr)
    }
}

impl Deref for Running {
    type Target = SocketIoServer;

    fn deref(&self) -> &SocketIoServer {
        &self.0
    }
}

/// A listener may emit a whole history while its client is not in yet.
#[test]
fn what_is_sent_to_a_client_that_joins_is_bounded() {
    let start = |overflow| {
        let limits = Limits {
            max_queued_packets: 3,
            overflow,
            ..Limits::default()
        };
        let mut io = SocketIo::with_limits((), limits);
        io.on_connect("/", |_, socket: &Socket<()>, _| {
            (0..10).for_each(|number| socket.emit("n", number));
            Ok(())
        });
        let emitter = io.of("/");
        (
            Running(SocketIoServer::start(io, Server::builder())),
            emitter,
        )
    };
    for (overflow, held) in [(Overflow::DropOldest, 7..10), (Overflow::DropNewest, 0..3)] {
        let (server, emitter) = start(overflow);
        let mut client = server.join();
        for number in held {
            assert_eq!(client.read_text(), format!("42[\"n\",{number}]"));
        }
        assert_eq!(emitter.stats().dropped, 7);
        client.send_text("42[\"echo\"]");
        assert_eq!(client.read_text(), "42[\"echo\"]");
    }
    let (server, emitter) = start(Overflow::Disconnect);
    let mut client = server.open();
    client.read_text();
    client.send_text("40");
    assert_eq!(server.left(), "transport error");
    assert_eq!(client.read().close().0, 1000);
    assert_eq!(emitter.stats().dropped, 7);
    wait_until("nothing is left of it", || emitter.stats().sessions == 0);
}

/// The whole answer to a request, for a WebSocket or a plain one.
fn answer(addr: SocketAddr, path: &str, websocket: bool) -> String {
    let host = addr.to_string();
    let plain = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let request = match websocket {
        true => upgrade(&host, path, ""),
        false => plain,
    };
    exchange(addr, request)
}

#[test]
fn the_handshake_over_a_websocket() {
    let server = Running::start(Limits::default());
    let open = server.open().read_text();
    let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    let sid = open["sid"].as_str().unwrap().to_owned();
    assert_eq!(sid.len(), 20);
    assert_eq!(
        open,
        json!({
            "sid": sid,
            "upgrades": [],
            "pingInterval": 25_000,
            "pingTimeout": 20_000,
            "maxPayload": 1_000_000,
        })
    );
    let mut client = server.join();
    client.send_text("420[\"echo\",1]");
    assert_eq!(client.read_text(), "42[\"echo\",1]");
    assert_eq!(client.read_text(), "430[1]");
}

#[test]
fn what_breaks_the_protocol_ends_the_session_with_its_reason() {
    let server = Running::start(Limits::default());
    for (wrong, reason) in [
        ("4abc", "parse error"),
        ("42{}", "parse error"),
        ("42[]", "parse error"),
        ("42[\"disconnect\"]", "parse error"),
        ("451-[\"x\",{\"_placeholder\":true,\"num\":0}]", ""),
        ("40", "forced server close"),
        ("42/other,[\"x\"]", "forced server close"),
        ("43/other,0[]", "forced server close"),
        ("41/other", "forced server close"),
        ("43[]", "parse error"),
        ("4511-[\"x\"]", "parse error"),
        ("451-0", "parse error"),
        ("44{}", "forced server close"),
        ("abc", "parse error"),
        ("2", "transport error"),
        ("1", "transport close"),
        ("41", "client namespace disconnect"),
    ] {
        let mut client = server.join();
        client.send_text(wrong);
        if reason.is_empty() {
            client.send_text("42[\"text in place of an attachment\"]");
        }
        let reason = if reason.is_empty() {
            "parse error"
        } else {
            reason
        };
        assert_eq!(server.left(), reason, "{wrong}");
    }
}

#[test]
fn a_message_above_max_payload_ends_the_session() {
    let server = Running::start(Limits {
        max_payload: 100,
        ..Limits::default()
    });
    let echo = |len: usize| format!("42[\"echo\",\"{}\"]", "x".repeat(len - 13));
    let mut client = server.join();
    client.send_text(&echo(100));
    assert_eq!(client.read_text(), echo(100));
    client.send_text(&echo(101));
    assert_eq!(server.left(), "transport error");
    assert_eq!(client.read_message().opcode, 8);
    let mut client = server.join();
    client.send_binary(&[0; 101]);
    assert_eq!(server.left(), "transport error");
}

/// Each as npm's server has it.
#[test]
fn what_is_only_unusual_is_served() {
    let server = Running::start(Limits::default());
    let mut client = server.join();
    // Answers that nobody awaits.
    client.send_text("43999[1]");
    client.send_text("439223372036854775808[]");
    client.send_text("429223372036854775808[\"echo\"]");
    assert_eq!(client.read_text(), "42[\"echo\"]");
    assert_eq!(client.read_text(), "439223372036854775808[]");
    // An attachment that is named twice goes back once.
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    client.send_text(&format!("451-[\"echo\",{placeholder},{placeholder}]"));
    client.send_binary(&[1, 2, 3]);
    assert_eq!(
        client.read_text(),
        format!("451-[\"echo\",{placeholder},{placeholder}]")
    );
    assert_eq!(client.read_message().payload, [1, 2, 3]);
    client.send_text("421[\"echo\"]");
    assert_eq!(client.read_text(), "42[\"echo\"]");
}

#[test]
fn wrong_handshakes_are_refused_with_the_protocols_words() {
    let server = Running::start(Limits::default());
    for (query, websocket, told) in [
        (
            "EIO=3&transport=websocket",
            true,
            "Unsupported protocol version",
        ),
        ("EIO=4&transport=abc", true, "Transport unknown"),
        (
            "EIO=4&transport=websocket&sid=abc",
            true,
            "Session ID unknown",
        ),
        (
            "EIO=4&transport=websocket",
            false,
            "{\"code\":3,\"message\":\"Bad request\"}",
        ),
    ] {
        let path = format!("/socket.io/?{query}");
        let answer = answer(server.addr, &path, websocket);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{query}: {answer}");
        assert!(answer.contains(told), "{query}: {answer}");
    }
}

#[test]
fn a_client_without_a_pong_is_gone_and_one_with_pongs_stays() {
    let server = Running::start(Limits {
        ping_interval: Duration::from_millis(40),
        ping_timeout: Duration::from_secs(5),
        ..Limits::default()
    });
    let mut silent = server.join();
    let mut lively = server.join();
    assert_eq!(silent.read_text(), "2");
    let (stop, stopped) = mpsc::channel::<()>();
    let stays = thread::spawn(move || {
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            assert_eq!(lively.read_text(), "2");
            lively.send_text("3");
        }
        lively
    });
    assert_eq!(server.left(), "ping timeout");
    drop(stop);
    let lively = stays.join().unwrap();
    assert!(!server.has_lost_another());
    drop(lively);
    assert_eq!(server.left(), "transport close");
}

#[test]
fn nobody_is_dropped_because_the_application_is_slow() {
    let server = Running::start(Limits {
        ping_interval: Duration::from_millis(50),
        ping_timeout: Duration::from_secs(4),
        ..Limits::default()
    });
    let mut client = server.join();
    client.send_text("420[\"wait\",5000]");
    let answer = loop {
        match &*client.read_text() {
            "2" => client.send_text("3"),
            other => break other.to_owned(),
        }
    };
    assert_eq!(answer, "430[]");
    client.send_text("421[\"echo\"]");
    let mut rest = Vec::new();
    while rest.len() < 2 {
        match client.read_text() {
            ping if ping == "2" => client.send_text("3"),
            other => rest.push(other),
        }
    }
    assert_eq!(rest, ["42[\"echo\"]", "431[]"]);
}

#[test]
fn who_joins_no_namespace_is_disconnected() {
    let server = Running::start(Limits {
        connect_timeout: Duration::from_millis(30),
        ..Limits::default()
    });
    let mut client = server.open();
    client.read_text();
    let frame = client.read_message();
    assert_eq!(
        (frame.opcode, frame.payload),
        (8, 1000_u16.to_be_bytes().to_vec())
    );
}

#[test]
fn an_acknowledgement_that_does_not_come_is_told_in_time() {
    let server = Running::start(Limits::default());
    let mut client = server.join();
    client.send_text("42[\"ask me\"]");
    assert_eq!(client.read_text(), "420[\"question\"]");
    assert_eq!(
        client.read_text(),
        "42[\"unanswered\",\"no acknowledgement came in time\"]"
    );
}

#[test]
fn sessions_are_bounded_and_their_places_are_given_back() {
    let server = Running::start(Limits {
        max_sessions: 1,
        ..Limits::default()
    });
    let client = server.join();
    let path = "/socket.io/?EIO=4&transport=websocket";
    let answer = answer(server.addr, path, true);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(client);
    server.left();
    wait_until("its place is free", || {
        let request = upgrade(&server.addr.to_string(), path, "");
        ask(server.addr, request).0.starts_with("HTTP/1.1 101 ")
    });
}

#[test]
fn another_thread_emits_whatever_the_application_does() {
    let mut io = SocketIo::new(());
    let (come_back, gate) = mpsc::channel();
    io.on("/", "away", move |_, _, ()| {
        gate.recv_timeout(PATIENCE).expect("it is held meanwhile");
    });
    let emitter = io.of("/");
    let server = serve(io, Server::builder());
    let mut client = join_websocket(server.addr);
    client.send_text("42[\"away\"]");
    assert_eq!(emitter.emit("news", "it rains"), 1);
    assert_eq!(client.read_text(), "42[\"news\",\"it rains\"]");
    come_back.send(()).unwrap();
}

#[test]
fn plain_websockets_live_beside_it() {
    struct Echo(Arc<Mutex<Vec<&'static str>>>);
    impl Handler for Echo {
        fn on_open(&mut self, _: &wshub::Connection) {
            self.0.lock().unwrap().push("open");
        }
        fn on_message(&mut self, connection: &wshub::Connection, message: Message) {
            let _ = connection.send(message);
        }
        fn on_close(&mut self, _: &wshub::Connection, _: &wshub::CloseEvent) {
            self.0.lock().unwrap().push("close");
        }
    }
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let mut io = SocketIo::new(());
    io.websockets(Echo(seen.clone()));
    let server = serve(io, Server::builder());
    let mut plain = Client::connect_with(server.addr, "/plain", "");
    plain.send_text("hello");
    assert_eq!(plain.read_text(), "hello");
    drop(plain);
    wait_until("the close", || seen.lock().unwrap().len() == 2);
    assert_eq!(*seen.lock().unwrap(), ["open", "close"]);
}

#[test]
fn a_loop_of_the_programs_own_takes_what_no_listener_does() {
    let mut io = SocketIo::new(0);
    io.on_connect("/", |_, _, auth| match auth["name"].as_str() {
        Some(_) => Ok(()),
        None => Err(Refused::new("who are you?")),
    });
    io.on("/", "heard", |heard, _, ()| {
        *heard += 1;
        Ok(*heard)
    });
    let server = Server::builder()
        .socketio(&io, "/socket.io/")
        .bind("127.0.0.1:0")
        .unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let mut seen = Vec::new();
    let mut events = io.events(&server);
    assert_eq!(
        events.recv_timeout(Duration::ZERO).err(),
        Some(RecvError::Empty)
    );
    let ends = handle.clone();
    let client = thread::spawn(move || {
        let _failed = AtEnd(|| {
            if thread::panicking() {
                ends.shutdown();
            }
        });
        let mut client = Client::connect_with(addr, WEBSOCKET, "");
        client.read_text();
        client.send_text("40");
        assert_eq!(client.read_text(), "44{\"message\":\"who are you?\"}");
        client.send_text("40{\"name\":\"ann\"}");
        client.read_text();
        client.send_text("420[\"heard\"]");
        assert_eq!(client.read_text(), "430[1]");
        client.send_text("421[\"add\",1,2]");
        assert_eq!(client.read_text(), "431[3]");
        client.send_text("42[\"later\"]");
    });
    for event in &mut events {
        match event {
            SocketEvent::Connect(socket, auth) => {
                assert!(socket.is_connected());
                seen.push(format!("connect {auth}"));
            }
            SocketEvent::Event(_, event) if event.name() == "add" => {
                assert_eq!(event.arguments(), [json!(1), json!(2)]);
                let (one, two) = event.get::<(i32, i32)>().unwrap();
                assert!(event.answer(one + two));
            }
            SocketEvent::Event(_, event) => {
                seen.push(event.name().to_owned());
                assert!(!event.answer(()), "no answer was asked for");
            }
            SocketEvent::Disconnect(_, reason) => {
                seen.push(reason.to_string());
                handle.shutdown();
            }
            _ => {}
        }
    }
    assert_eq!(events.recv().err(), Some(RecvError::Ended));
    client.join().unwrap();
    assert_eq!(
        seen,
        ["connect {\"name\":\"ann\"}", "later", "transport close"]
    );
}

#[test]
fn clients_with_a_websocket_leave_with_the_server() {
    let server = Running::start(Limits::default());
    let mut client = server.join();
    server.handle.shutdown();
    let frame = client.read_message();
    let going_away = 1001_u16.to_be_bytes().to_vec();
    assert_eq!((frame.opcode, frame.payload), (8, going_away));
    client.send_close(1001, "");
    assert_eq!(server.left(), "server shutting down");
}

/// Emits binary events to a client that does not read, until some were dropped, one of them with the last; then lets it
/// read. Gives what it got, how many were emitted and how many of them dropped, and why it left.
fn slow_reader(overflow: Overflow) -> (Vec<u64>, u64, u64, String) {
    /// More than any socket takes.
    const EVENTS: u64 = 4_000;
    /// Counted as base64. The rest of one event, another one and the end find room: the end drops nothing.
    const ATTACHMENT: usize = 15_000;
    const DROPPED: u64 = 10;
    let limits = Limits {
        overflow,
        max_queued_bytes: 100_000,
        ..Limits::default()
    };
    let mut io = SocketIo::with_limits((), limits);
    let (left, reason) = mpsc::channel();
    io.on_disconnect("/", move |_, _, reason| {
        let _ = left.send(reason.to_string());
    });
    let emitter = io.of("/");
    let builder = Server::builder().limits(wshub::Limits {
        outbound_per_connection: Some(100_000),
        ..wshub::Limits::default()
    });
    // Would drop messages one by one.
    let server = serve(io, builder.overflow(Overflow::DropOldest));
    let mut client = join_websocket(server.addr);
    let (mut emitted, mut dropped) = (0, 0);
    for number in 0..EVENTS {
        let [one, two] = [1, 2].map(|byte| Bytes::from(vec![byte; ATTACHMENT]));
        emitter.emit("data", (number, one, two));
        let before = dropped;
        (emitted, dropped) = (number + 1, emitter.stats().dropped);
        if dropped > before && dropped >= DROPPED {
            break;
        }
    }
    let (mut known, mut got) = (dropped, Vec::new());
    if overflow != Overflow::Disconnect {
        let mut has_end = false;
        loop {
            if !has_end {
                // What was on its way to the socket came back: more than the bounds may wait for a moment.
                emitter.emit("end", ());
                let lost = emitter.stats().dropped - known;
                known += lost;
                has_end = lost == 0 || overflow == Overflow::DropOldest;
                dropped += if has_end { lost } else { 0 };
            }
            let header = client.read_text();
            if header == "42[\"end\"]" {
                break;
            }
            let (_, rest) = header.split_once("[\"data\",").unwrap();
            got.push(rest.split(',').next().unwrap().parse().unwrap());
            for byte in [1, 2] {
                assert_eq!(client.read_message().payload, vec![byte; ATTACHMENT]);
            }
        }
        server.handle.shutdown();
    }
    let reason = reason.recv_timeout(PATIENCE).unwrap();
    server.handle.terminate();
    (got, emitted, dropped, reason)
}

/// As the orders of another server showed, which were mixed.
#[test]
fn a_slow_websocket_misses_whole_binary_events() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let (got, emitted, dropped, _) = slow_reader(overflow);
        let all_told = got.len() as u64 + dropped == emitted;
        assert!(
            got.is_sorted() && all_told && dropped > 0,
            "{emitted} emitted, {dropped} dropped: {got:?}"
        );
        let has_last = got.last() == Some(&(emitted - 1));
        assert_eq!((got[0], has_last), (0, overflow == Overflow::DropOldest));
    }
    let (.., reason) = slow_reader(Overflow::Disconnect);
    assert_eq!(reason, "transport error");
}

/// Says whether it was dropped.
fn whether_dropped() -> (Arc<()>, impl Fn() -> bool) {
    let value = Arc::new(());
    let weak = Arc::downgrade(&value);
    (value, move || weak.strong_count() == 0)
}

#[test]
fn the_data_of_a_socket_that_may_come_back_no_longer_is_dropped() {
    let (data, is_dropped) = whether_dropped();
    let mut data = Some(data);
    let mut io = SocketIo::with_limits(
        (),
        Limits {
            recovery_window: Some(Duration::from_millis(100)),
            ..Limits::default()
        },
    );
    io.on_connect("/", move |_, socket, _| {
        socket.set_data(data.take());
        Ok(())
    });
    let server = SocketIoServer::start(io, Server::builder());
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut client = Client::connect_with(server.addr, path, "");
    client.send_text("40");
    client.read_message();
    assert!(client.read_message().text().starts_with("40{"));
    drop(client);
    assert_eq!(server.left(), "transport close");
    wait_until("nobody comes back", is_dropped);
}

/// What waits for an answer holds sockets, and those hold it.
#[test]
fn what_waits_for_answers_is_dropped_with_the_server() {
    let mut io = SocketIo::new(());
    let ann = join(&mut io, "/");
    let held = [(); 2].map(|()| whether_dropped());
    let [(of_socket, socket_is_dropped), (of_all, all_are_dropped)] = held;
    let all = io.of("/");
    let asked = all.clone();
    asked.emit_with_ack("vote", (), PATIENCE, move |_| drop((all, of_all)));
    io.on("/", "ask", move |_, socket: &Socket<()>, ()| {
        let (socket_too, held) = (socket.clone(), of_socket.clone());
        socket.emit_with_ack("name", (), PATIENCE, move |_, _| drop((socket_too, held)));
    });
    let mut ann = ann;
    ann.emit(&mut io, "ask", ());
    assert_eq!(ann.take_events().len(), 2);
    assert!(!socket_is_dropped() && !all_are_dropped());
    drop(io);
    assert!(socket_is_dropped() && all_are_dropped());
}

/// What is kept with a socket may hold an emitter; and what a thread asks later is for nobody.
#[test]
fn what_is_kept_with_sockets_is_dropped_with_the_server() {
    let (data, is_dropped) = whether_dropped();
    let mut io = recovering(PATIENCE);
    let (tell, sockets) = mpsc::channel();
    let kept = data.clone();
    io.on_connect("/", move |_, socket, _| {
        socket.set_data((socket.emitter(), kept.clone()));
        tell.send(socket.clone()).unwrap();
        Ok(())
    });
    let (_ann, bob) = (join(&mut io, "/"), join(&mut io, "/"));
    bob.vanish(&mut io);
    drop(io);
    let socket = sockets.recv_timeout(PATIENCE).unwrap();
    let (all, both) = (socket.all(), (socket.clone(), data.clone()));
    socket
        .all()
        .emit_with_ack("vote", (), PATIENCE, move |_| drop((all, both)));
    let both = (socket.clone(), data);
    socket.emit_with_ack("name", (), PATIENCE, move |_, _| drop(both));
    socket.disconnect();
    drop((socket, sockets));
    assert!(is_dropped());
}

/// A loop that breaks off never hears that its connections have closed.
#[test]
fn a_session_whose_server_is_gone_has_ended_when_the_next_one_starts() {
    struct Plain(mpsc::Sender<Message>);
    impl Handler for Plain {
        fn on_message(&mut self, _: &wshub::Connection, message: Message) {
            self.0.send(message).unwrap();
        }
    }
    let mut io = SocketIo::with_limits(
        (),
        Limits {
            max_sessions: 1,
            ..Limits::default()
        },
    );
    let (tell, heard) = mpsc::channel();
    io.websockets(Plain(tell));
    let start = |io: &SocketIo<()>| {
        let builder = Server::builder().socketio(io, "/socket.io/");
        let server = builder.bind("127.0.0.1:0").unwrap();
        let addr = server.local_addr().unwrap();
        (server, addr)
    };
    let next = |io: &mut SocketIo<()>, server: &Server| loop {
        match io.events(server).recv_timeout(PATIENCE) {
            Err(RecvError::Woken) => {}
            received => return received,
        }
    };
    let (server, addr) = start(&io);
    let client = thread::spawn(move || join_websocket(addr));
    let came = next(&mut io, &server);
    assert!(matches!(came, Ok(SocketEvent::Connect(..))), "{came:?}");
    drop((client.join().unwrap(), server));
    let (server, addr) = start(&io);
    assert_eq!(io.stats().sessions, 0);
    let left = next(&mut io, &server);
    assert!(matches!(left, Ok(SocketEvent::Disconnect(..))), "{left:?}");
    // It has the number of the one before.
    let plain = thread::spawn(move || {
        let mut plain = Client::connect(addr);
        plain.send_text("plain");
        plain
    });
    wait_until("the message", || {
        let _ = io.events(&server).recv_timeout(Duration::from_millis(10));
        heard.try_recv() == Ok(Message::from("plain"))
    });
    plain.join().unwrap();
}
