use std::collections::BTreeMap;
use std::fmt;

use serde::de::MapAccess;
use serde::ser::SerializeStruct;
use serde_json::json;

use super::*;

fn read<T: DeserializeOwned>(
    values: Vec<Value>,
    attachments: &[Bytes],
) -> Result<T, serde_json::Error> {
    let attachments = attachments.to_vec();
    AnyArguments {
        values,
        attachments,
    }
    .read()
}

fn event(arguments: impl Serialize) -> String {
    write_event("x", &arguments).unwrap().json
}

#[derive(Debug, PartialEq)]
struct Point {
    x: i32,
    name: Option<String>,
}

// As serde's derive has it, which is no dependency for these alone.
impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Point", 2)?;
        fields.serialize_field("x", &self.x)?;
        fields.serialize_field("name", &self.name)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Point", &["x", "name"], PointVisitor)
    }
}

struct PointVisitor;

impl<'de> Visitor<'de> for PointVisitor {
    type Value = Point;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a point")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Point, A::Error> {
        let mut point = Point { x: 0, name: None };
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "x" => point.x = map.next_value()?,
                _ => point.name = map.next_value()?,
            }
        }
        Ok(point)
    }
}

#[test]
fn a_tuple_is_the_list_and_anything_else_one_argument() {
    assert_eq!(event(()), r#"["x"]"#);
    assert_eq!(event("a"), r#"["x","a"]"#);
    assert_eq!(event(("a", 1)), r#"["x","a",1]"#);
    assert_eq!(event((vec![1, 2],)), r#"["x",[1,2]]"#);
    assert_eq!(event(vec![1, 2]), r#"["x",[1,2]]"#);
    assert_eq!(event(json!([1, 2])), r#"["x",[1,2]]"#);
    assert_eq!(event([1, 2]), r#"["x",1,2]"#);
    assert_eq!(event(json!(null)), r#"["x"]"#);
    assert_eq!(event(Some("a")), r#"["x","a"]"#);
    assert_eq!(event(None::<i32>), r#"["x",null]"#);
    assert_eq!(
        event(Point { x: 1, name: None }),
        r#"["x",{"x":1,"name":null}]"#
    );
    assert_eq!(write_event("a\"b", &()).unwrap().json, r#"["a\"b"]"#);
    assert_eq!(write_ack(&()).unwrap().json, "[]");
    assert_eq!(write_ack(&(1, "b")).unwrap().json, r#"[1,"b"]"#);
}

#[test]
fn arguments_are_read_as_the_listener_wants_them() {
    let list = || vec![json!("a"), json!(2)];
    assert_eq!(
        read::<(String, i32)>(list(), &[]).unwrap(),
        ("a".to_owned(), 2)
    );
    assert_eq!(read::<String>(list(), &[]).unwrap(), "a", "the first");
    assert_eq!(read::<Value>(list(), &[]).unwrap(), json!("a"));
    assert_eq!(read::<Vec<Value>>(list(), &[]).unwrap(), list(), "all");
    assert_eq!(
        read::<(String, i32, Option<bool>)>(list(), &[]).unwrap().2,
        None,
        "one that is missing"
    );
    assert_eq!(
        read::<(String,)>(list(), &[]).unwrap().0,
        "a",
        "one too many"
    );
    read::<()>(list(), &[]).unwrap();
    let point = read::<Point>(vec![json!({"x": 7})], &[]).unwrap();
    assert_eq!(point, Point { x: 7, name: None });
    assert_eq!(read::<Option<i32>>(vec![], &[]).unwrap(), None);
    assert!(read::<(i32, i32)>(list(), &[]).is_err());
    assert!(read::<String>(vec![], &[]).is_err());
}

#[test]
fn binary_data_goes_beside_and_comes_back_wherever_it_stands() {
    type Upload = BTreeMap<String, Vec<Bytes>>;
    let pictures = vec![vec![1].into(), vec![2, 3].into()];
    let upload = Upload::from([("pictures".to_owned(), pictures)]);
    let written = write_event("x", &(Bytes::from(vec![0]), upload)).unwrap();
    assert_eq!(
        written.json,
        r#"["x",{"_placeholder":true,"num":0},{"pictures":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]}]"#
    );
    let Value::Array(list) = serde_json::from_str(&written.json).unwrap() else {
        panic!("no list");
    };
    let arguments = list[1..].to_vec();
    let (first, upload) = read::<(Bytes, Upload)>(arguments.clone(), &written.attachments).unwrap();
    assert_eq!(*first, [0]);
    assert_eq!(*upload["pictures"][1], [2, 3]);
    let any = read::<AnyArguments>(arguments.clone(), &written.attachments).unwrap();
    assert_eq!((any.values.len(), any.attachments.len()), (2, 3));
    assert_eq!(write_event("x", &any).unwrap(), written, "as it came");
    assert!(
        read::<(Bytes, Value)>(arguments, &[]).is_err(),
        "no attachments"
    );
}

/// A client could make one attachment thousands, for all that its event is passed on to.
#[test]
fn what_is_named_twice_goes_once() {
    let placeholder = json!({"_placeholder": true, "num": 0});
    let arguments = vec![placeholder.clone(), json!([placeholder])];
    let attachments = [Bytes::from(vec![1, 2])];
    let any = read::<AnyArguments>(arguments.clone(), &attachments).unwrap();
    let written = write_event("x", &any).unwrap();
    assert_eq!(
        written.json,
        r#"["x",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":0}]]"#
    );
    assert_eq!(written.attachments, attachments);
    let typed = read::<(Bytes, Vec<Bytes>)>(arguments, &attachments).unwrap();
    assert_eq!(write_event("x", &typed).unwrap(), written);
    // What is only equal is another.
    let equal = (Bytes::from(vec![1]), Bytes::from(vec![1]));
    assert_eq!(write_event("x", &equal).unwrap().attachments.len(), 2);
}

#[test]
fn an_error_says_where_it_is() {
    type Users = BTreeMap<String, Vec<(String, i32)>>;
    let users = json!({"users": [["ann", 1], ["bob", "two"]]});
    for (read, place) in [
        (
            read::<i32>(vec![json!("a")], &[]).map(drop),
            "[0]: invalid type: string",
        ),
        (
            read::<(i32, bool)>(vec![json!(1), json!(2)], &[]).map(drop),
            "[1]: invalid type: integer",
        ),
        (
            read::<(i32, Users)>(vec![json!(1), users.clone()], &[]).map(drop),
            "[1].users[1][1]: invalid type: string",
        ),
        (
            read::<Users>(vec![users], &[]).map(drop),
            "[0].users[1][1]: ",
        ),
        (
            read::<Option<Point>>(vec![json!({"x": [1]})], &[]).map(drop),
            "[0].x: invalid type: sequence",
        ),
        (
            read::<(Vec<u8>,)>(vec![json!([1, 256])], &[]).map(drop),
            "[0][1]: invalid value",
        ),
        (
            read::<(i32, Bytes)>(vec![json!(1), json!({"a": 1})], &[]).map(drop),
            "[1]: an object in place of binary data",
        ),
        (
            read::<([i32; 1],)>(vec![json!([1, 2])], &[]).map(drop),
            "[0]: invalid length 2",
        ),
    ] {
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with(place), "{error}");
    }
}

#[test]
fn what_failed_leaves_no_attachments_behind() {
    let map = BTreeMap::from([((1, 2), Bytes::from(vec![1]))]);
    assert!(write_event("x", &map).is_err());
    assert!(read::<i32>(vec![json!("a")], &[vec![1].into()]).is_err());
    assert!(bytes::at_hand().is_empty());
    assert_eq!(
        serde_json::to_string(&Bytes::from(vec![1, 2])).unwrap(),
        "[1,2]"
    );
}
