use super::*;

fn written(line: &Line<'_>, words: &Words) -> String {
    let mut page = Vec::new();
    Pen::new(words).write(line, words, &mut page);
    String::from_utf8(page).unwrap()
}

#[test]
fn a_date_is_that_of_the_calendar() {
    for (second, text) in [
        (0, "1970-01-01T00:00:00"),
        (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"),
        (1_709_164_800, "2024-02-29T00:00:00"),
        (1_735_689_599, "2024-12-31T23:59:59"),
        (1_795_256_717, "2026-11-21T10:25:17"),
        (4_107_542_400, "2100-03-01T00:00:00"),
        (4_107_542_399, "2100-02-28T23:59:59"),
    ] {
        assert_eq!(date(second), text);
    }
}

#[test]
fn a_pen_that_has_written_other_lines_writes_the_same_as_a_new_one() {
    let plain = Line {
        at: 1_795_256_717_000_001,
        method: "GET",
        path: "/verify",
        status: 200,
        ms: 0,
        request_id: "given-by.the_proxy-1",
        client: "192.0.2.7".parse().unwrap(),
        reason: None,
        detail: None,
    };
    let others = [
        Line { at: 0, ..plain },
        Line {
            method: "POST",
            ..plain
        },
        Line {
            path: "/verif",
            ..plain
        },
        Line { path: "/\"", ..plain },
        Line { status: 401, ..plain },
        Line { ms: 17, ..plain },
        Line {
            request_id: "another",
            ..plain
        },
        Line {
            client: "2001:db8::1".parse().unwrap(),
            ..plain
        },
        Line {
            reason: Some("expired"),
            ..plain
        },
        Line {
            reason: Some("malformed"),
            detail: Some("no \\"),
            ..plain
        },
    ];
    for format in [LogFormat::Json, LogFormat::Text] {
        let words = Words::new(format, false);
        let mut pen = Pen::new(&words);
        for other in others {
            for line in [plain, other, other, plain] {
                let mut page = Vec::new();
                pen.write(&line, &words, &mut page);
                assert_eq!(String::from_utf8(page).unwrap(), written(&line, &words));
            }
        }
    }
}

#[test]
fn a_pen_writes_each_line_with_its_own_time_and_address() {
    let words = Words::new(LogFormat::Text, false);
    let mut pen = Pen::new(&words);
    let mut page = Vec::new();
    for (at, client) in [
        (1, "192.0.2.7"),
        (1_999_999, "192.0.2.7"),
        (2_000_000, "2001:db8::1"),
    ] {
        let client = client.parse().unwrap();
        let line = Line {
            at,
            method: "GET",
            path: "/",
            status: 200,
            ms: 1234,
            request_id: "a",
            client,
            reason: None,
            detail: None,
        };
        pen.write(&line, &words, &mut page);
        assert!(page.ends_with(written(&line, &words).as_bytes()));
    }
    let text = String::from_utf8(page).unwrap();
    let times: Vec<_> = text.lines().map(|line| &line[..27]).collect();
    assert_eq!(
        times,
        [
            "1970-01-01T00:00:00.000001Z",
            "1970-01-01T00:00:01.999999Z",
            "1970-01-01T00:00:02.000000Z"
        ]
    );
    assert!(
        text.contains(" ms=1234 ") && text.ends_with("client=2001:db8::1\n"),
        "{text}"
    );
}
