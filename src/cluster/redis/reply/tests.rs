use super::*;

const ROOM: usize = 10_000;

fn read(mut bytes: &[u8]) -> RedisResult<Value> {
    ReplyReader::new(&mut bytes, ROOM).read()
}

fn text(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

#[test]
fn what_redis_answers_is_read() {
    for (bytes, value) in [
        ("+OK\r\n", Value::Okay),
        ("+QUEUED\r\n", Value::SimpleString("QUEUED".to_owned())),
        (":-7\r\n", Value::Int(-7)),
        ("$-1\r\n", Value::Nil),
        ("*-1\r\n", Value::Nil),
        ("$0\r\n\r\n", text("")),
        ("$4\r\na\r\nb\r\n", text("a\r\nb")),
        ("*0\r\n", Value::Array(Vec::new())),
        (
            "*2\r\n*1\r\n$1\r\na\r\n:1\r\n",
            Value::Array(vec![Value::Array(vec![text("a")]), Value::Int(1)]),
        ),
    ] {
        assert_eq!(read(bytes.as_bytes()).unwrap(), value, "{bytes:?}");
        for end in 0..bytes.len() {
            let cut = read(&bytes.as_bytes()[..end]).unwrap_err();
            assert!(cut.is_io_error(), "{:?}: {cut}", &bytes[..end]);
        }
    }
    let refused = read(b"-OOM not now\r\n").unwrap().extract_error();
    assert_eq!(refused.unwrap_err().code(), Some("OOM"));
}

#[test]
fn one_answer_is_read_at_a_time() {
    let mut bytes = &b"+OK\r\n:1\r\n"[..];
    assert!(ReplyReader::new(&mut bytes, ROOM).read().is_ok());
    assert_eq!(bytes, b":1\r\n");
}

#[test]
fn an_answer_takes_so_much_memory_at_most() {
    let empty = [b"*1000000\r\n".to_vec(), b"*0\r\n".repeat(1000)].concat();
    for bytes in [
        &b"$9223372036854775807\r\n"[..],
        b"$18446744073709551615\r\n",
        b"$10001\r\n",
        &empty,
    ] {
        let refused = read(bytes).unwrap_err();
        let told = refused.detail().unwrap_or_default();
        assert!(told.contains("more than 10000 bytes"), "{refused}");
    }
}

#[test]
fn a_text_that_is_too_long_is_passed_over_where_that_is_wished() {
    let long = "x".repeat(ROOM + 1);
    let answer = format!("*2\r\n$1\r\na\r\n${}\r\n{long}\r\n", long.len());
    let bytes = format!("{answer}:1\r\n");
    let mut bytes = bytes.as_bytes();
    let read = ReplyReader::new(&mut bytes, ROOM).passing_over().read();
    assert_eq!(read.unwrap(), Value::Array(vec![text("a"), text("")]));
    assert_eq!(bytes, b":1\r\n");
    for end in [20, answer.len() - 2, answer.len() - 1] {
        let mut cut = &answer.as_bytes()[..end];
        let error = ReplyReader::new(&mut cut, ROOM).passing_over().read();
        assert!(error.unwrap_err().is_io_error(), "{end}");
    }
    // Redis has none that is so long.
    let mut bytes = &b"$536870913\r\n"[..];
    let refused = ReplyReader::new(&mut bytes, ROOM).passing_over().read();
    let told = refused.unwrap_err();
    assert!(
        told.detail()
            .unwrap_or_default()
            .contains("more than 10000 bytes")
    );
}

#[test]
fn what_is_no_answer_of_redis_is_not_read() {
    let line = [b"+".to_vec(), vec![b'x'; 1 << 20]].concat();
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n"[..],
        b"\r\n",
        b"\n",
        b"$x\r\n",
        b"$-2\r\n",
        b"$1\n",
        b"$1\r\nab\r\n",
        &b"*1\r\n".repeat(100),
        &line,
    ] {
        let mut bytes = bytes;
        let refused = ReplyReader::new(&mut bytes, 1 << 20).read().unwrap_err();
        assert_eq!(refused.kind(), redis::ErrorKind::Parse, "{refused}");
    }
}
