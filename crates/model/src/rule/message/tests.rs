use super::*;

fn read(body: &str) -> Result<Vec<Message<'_>>, BadBody> {
    Message::read(body.as_bytes())
}

fn calls(body: &str) -> Vec<(Option<String>, Option<String>)> {
    let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
    let messages = read(body).unwrap();
    let calls = messages.iter().map(Message::call);
    calls.map(|c| (owned(c.method), owned(c.tool))).collect()
}

#[test]
fn a_message_says_what_it_calls() {
    let one = |method: &str, tool: Option<&str>| vec![(Some(method.to_owned()), tool.map(ToOwned::to_owned))];
    let call =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"name":"x"}}}"#;
    assert_eq!(calls(call), one("tools/call", Some("echo")));
    let late =
        r#" {"params":{"arguments":{"params":{"name":"x"}},"name":"ec\u0068o"},"m\u0065thod":"tools/call"} "#;
    assert_eq!(calls(late), one("tools/call", Some("echo")));
    assert_eq!(calls(r#"{"method":"ping"}"#), one("ping", None));
    assert_eq!(
        calls(r#"{"method":"prompts/get","params":{"name":"echo"}}"#),
        one("prompts/get", None)
    );
    assert_eq!(
        calls(r#"{"id":1,"result":{"method":"tools/call"}}"#),
        [(None, None)]
    );
}

#[test]
fn a_batch_is_all_of_its_messages() {
    let batch = r#"[{"method":"ping"},{"method":"tools/call","params":{"name":"a"}},{"id":1,"result":null}]"#;
    let ping = (Some("ping".to_owned()), None);
    let call = (Some("tools/call".to_owned()), Some("a".to_owned()));
    assert_eq!(calls(batch), [ping, call, (None, None)]);
    let of = |n: usize| format!("[{}]", vec![r#"{"method":"ping"}"#; n].join(","));
    assert_eq!(read(&of(MOST)).unwrap().len(), MOST);
    assert_eq!(read(&of(MOST + 1)), Err(BadBody::Message));
}

#[test]
fn what_is_not_a_message_is_refused() {
    for body in [
        "",
        " ",
        "1",
        "null",
        "\"tools/call\"",
        "[]",
        "[1]",
        "[[{}]]",
        "[null]",
        "name=echo",
        "{}",
        "[{}]",
        r#"[{"method":"ping"},{"jsonrpc":"2.0","id":1}]"#,
        r#"{"name":"echo","arguments":{"method":"ping","result":1}}"#,
        r#"{"params":{"name":"echo"}}"#,
    ] {
        assert_eq!(read(body), Err(BadBody::Message), "{body}");
    }
    assert!(read(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}}"#).is_ok());
    assert_eq!(Message::read(b"\xef\xbb\xbf{}"), Err(BadBody::Message));
    assert_eq!(Message::read(b"\0{\0}\0"), Err(BadBody::Message));
}

#[test]
fn what_is_not_one_json_value_is_refused() {
    let deep = format!("{{\"params\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for body in [
        "{",
        "{}{}",
        "{} x",
        "{},",
        "[{}],",
        "{'method':'ping'}",
        "{\"method\":\"ping\",}",
        "{\"a\":NaN}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":1e999}",
        "// x\n{}",
        "{\"a\":\"\n\"}",
        deep.as_str(),
    ] {
        let refused = read(body);
        let comment = body.starts_with('/');
        let expected = if comment { BadBody::Message } else { BadBody::Json };
        assert_eq!(refused, Err(expected), "{body}");
    }
    assert_eq!(Message::read(b"{\"a\":\"\xff\"}"), Err(BadBody::Json));
}

#[test]
fn nothing_may_be_there_twice_however_deep_and_however_it_is_written() {
    for body in [
        r#"{"method":"ping","method":"tools/call"}"#,
        r#"{"method":"ping","m\u0065thod":"tools/call"}"#,
        r#"{"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a","arguments":{"x":[{"y":1,"y":2}]}}}"#,
        r#"[{"method":"ping"},{"id":1,"id":2,"method":"ping"}]"#,
    ] {
        assert_eq!(read(body), Err(BadBody::Duplicate), "{body}");
    }
}

#[test]
fn a_member_in_another_case_is_refused_because_some_servers_ignore_case() {
    for body in [
        r#"{"method":"ping","Method":"tools/call"}"#,
        r#"{"METHOD":"tools/call","params":{"name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a"},"Params":{"name":"b"}}"#,
        r#"{"method":"tools/call","param\u017f":{"name":"b"}}"#,
        r#"{"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
    ] {
        assert_eq!(read(body), Err(BadBody::Duplicate), "{body}");
    }
    assert!(read(r#"{"method":"tools/call","params":{"name":"a","arguments":{"Name":1,"name":2}}}"#).is_ok());
}

#[test]
fn a_member_that_javascript_takes_for_a_prototype_is_refused_where_members_mean_something() {
    for body in [
        r#"{"__proto__":{"method":"tools/call"},"params":{"name":"x"}}"#,
        r#"{"\u005f_proto__":{"method":"tools/call"},"params":{"name":"x"}}"#,
        r#"[{"method":"ping"},{"__proto__":{"method":"tools/call"},"params":{"name":"x"}}]"#,
        r#"{"method":"tools/call","params":{"name":"a","__proto__":{"name":"b"}}}"#,
        r#"{"method":"resources/read","params":{"__proto__":{"uri":"b"}}}"#,
    ] {
        assert_eq!(read(body), Err(BadBody::Duplicate), "{body}");
    }
    // what a tool makes of its arguments is its own
    assert!(read(r#"{"method":"tools/call","params":{"name":"a","arguments":{"__proto__":1}}}"#).is_ok());
}

#[test]
fn a_method_or_a_tool_that_is_not_plainly_named_is_refused() {
    for body in [
        r#"{"method":1}"#,
        r#"{"method":null}"#,
        r#"{"method":["tools/call"]}"#,
        r#"{"method":""}"#,
        r#"{"method":" tools/call","params":{"name":"a"}}"#,
        r#"{"method":"tools/call\u0000","params":{"name":"a"}}"#,
        r#"{"method":"Tools/Call","params":{"name":"a"}}"#,
        r#"{"method":"tool\u017f/call","params":{"name":"a"}}"#,
    ] {
        assert_eq!(read(body), Err(BadBody::Method), "{body}");
    }
    for params in [
        "{}",
        "null",
        "[\"a\"]",
        "\"a\"",
        r#"{"name":1}"#,
        r#"{"name":""}"#,
        r#"{"name":"a "}"#,
        r#"{"name":"a\n"}"#,
        r#"{"uri":"a"}"#,
    ] {
        let body = format!(r#"{{"method":"tools/call","params":{params}}}"#);
        assert_eq!(read(&body), Err(BadBody::Tool), "{body}");
    }
    assert_eq!(read(r#"{"method":"tools/call"}"#), Err(BadBody::Tool));
}

#[test]
fn a_message_is_about_the_tool_prompt_or_resource_that_it_names() {
    let about = |method: &str, name: &str| {
        let body = format!(r#"{{"method":"{method}","params":{{"name":"n","uri":"u"}}}}"#);
        read(&body).unwrap()[0].is_about(name)
    };
    assert!(about("tools/call", "n") && about("prompts/get", "n") && about("resources/read", "u"));
    assert!(!about("tools/call", "u") && !about("prompts/get", "u") && !about("resources/read", "n"));
    assert!(about("other", "n") && about("other", "u") && !about("other", "x"));
    assert!(read(r#"{"method":"tools/list"}"#).unwrap()[0].is_about("anything"));
}
