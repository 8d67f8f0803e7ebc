use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<String, BadRedirect> {
    RedirectUri::parse(text).map(|uri| uri.to_string())
}

#[test]
fn what_clients_register_is_accepted() {
    for text in [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
        "http://localhost/callback",
        "http://127.0.0.1/callback",
        "https://chatgpt.com/connector/oauth/Ab-1_x",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "http://localhost:8787/callback",
        "https://vscode.dev/redirect",
        "https://insiders.vscode.dev/redirect",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
        "http://127.0.0.1:33418",
        "http://localhost:7777/oauth/callback",
        "http://localhost:3334/oauth/callback",
        "http://localhost:6274/oauth/callback/debug",
        "http://[::1]:1234/cb",
        "com.example.app:/oauth",
        "com.example.app://callback",
        "https://client.example.com/cb?tenant=1&codes=2",
        "HTTPS://Client.Example.com:443/cb",
        "https://xn--mnchen-3ya.example/cb",
        "https://203.0.113.7:8443/cb",
    ] {
        assert_eq!(read(text), Ok(text.to_owned()));
    }
}

#[test]
fn a_host_that_only_some_parsers_read_alike_is_refused() {
    for text in [
        "https:/@evil.com/cb",
        "https:/evil.com/cb",
        "https:example.com/cb",
        "https:///example.com/cb",
        "https:////example.com/cb",
        "https://ex%61mple.com/cb",
        "https://2130706433/cb",
        "https://0x7f.1/cb",
        "http://2130706433/cb",
        "http://127.1/cb",
        "http://0177.0.0.1/cb",
        "http://loc%61lhost/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "https://example.com:0/cb",
        "https://example.com:/cb",
        "https://example.com:0443/cb",
        "http://127.0.0.1:0/cb",
    ] {
        assert_eq!(read(text), Err(BadRedirect::NotPlain), "{text}");
    }
    let unicode = "https://m\u{fc}nchen.example/cb";
    assert_eq!(read(unicode), Err(BadRedirect::Characters));
}

#[test]
fn only_three_hosts_are_this_machine() {
    for text in [
        "http://127.0.0.2/cb",
        "http://localhost./cb",
        "http://app.localhost/cb",
        "http://[::ffff:127.0.0.1]/cb",
        "http://0.0.0.0/cb",
        "http://[::]/cb",
    ] {
        assert_eq!(read(text), Err(BadRedirect::PlainHttp), "{text}");
    }
}

#[test]
fn a_query_that_looks_like_an_answer_is_refused() {
    for text in [
        "https://example.com/cb?code=x",
        "https://example.com/cb?a=1&state",
        "https://example.com/cb?iss=https://evil.com",
        "https://example.com/cb?%65rror=x",
        "http://localhost/cb?error_description=x",
        "com.example.app:/cb?code=x",
    ] {
        assert_eq!(read(text), Err(BadRedirect::AnswersParameter), "{text}");
    }
}

#[test]
fn a_private_use_scheme_without_a_path_is_refused() {
    for text in ["a.b:alert(1)", "com.example.app:", "vscode:alert(1)", "a.b:?x=/"] {
        assert_eq!(read(text), Err(BadRedirect::NoPath), "{text}");
    }
}

#[test]
fn what_hides_its_target_is_refused() {
    for (text, why) in [
        ("http://localhost.evil.com/cb", BadRedirect::PlainHttp),
        ("http://127.0.0.1.evil.com/cb", BadRedirect::PlainHttp),
        ("https://user@evil.com/cb", BadRedirect::UserInformation),
        ("https://@evil.com/cb", BadRedirect::UserInformation),
        ("https://example.com/cb#x", BadRedirect::Fragment),
        ("https://example.com/a/../cb", BadRedirect::DotSegments),
        ("https://example.com/a/%2E%2e/cb", BadRedirect::DotSegments),
        ("https:\\\\example.com", BadRedirect::DotSegments),
        ("javascript:alert(1)", BadRedirect::Scheme),
        ("data:text/html,x", BadRedirect::Scheme),
        ("file:///etc/passwd", BadRedirect::Scheme),
        ("/cb", BadRedirect::NotAbsolute),
        ("https://exa\tmple.com", BadRedirect::Characters),
    ] {
        assert_eq!(read(text), Err(why), "{text}");
    }
}

#[test]
fn only_a_loopback_port_is_ignored() {
    let parse = |text| RedirectUri::parse(text).unwrap();
    assert!(parse("http://localhost:5000/callback").matches(&parse("http://localhost/callback")));
    assert!(!parse("http://127.0.0.1:5000/callback").matches(&parse("http://localhost/callback")));
    assert!(!parse("http://localhost:5000/other").matches(&parse("http://localhost/callback")));
    assert!(!parse("https://example.com:444/cb").matches(&parse("https://example.com/cb")));
    assert!(!parse("https://example.com/cb/").matches(&parse("https://example.com/cb")));
}

#[test]
fn parameters_join_an_existing_query() {
    let uri = RedirectUri::parse("https://example.com/cb?a=1").unwrap();
    assert_eq!(
        uri.with(&[("code", "x y")]),
        "https://example.com/cb?a=1&code=x+y"
    );
}

/// What is plainly good is what would be found good if it was taken apart, and of the same kind.
#[test]
fn what_is_plainly_a_redirect_uri_is_one_when_it_is_taken_apart() {
    let hosts = "claude.ai a-b.example.com -a.example localhost 127.0.0.1 [::1] 127.1 1.com com.1 a..b A.com a.com. 0x7f.1 \
                 xn--mnchen-3ya.example a.xn--p1ai user@a.com ex%61mple.com localhost.evil.com";
    let ports = "| :| :0| :1| :80| :443| :0443| :65535| :65536| :+1| :8x| :1:2|";
    let paths = "| /| /cb| //cb| /a/../cb| /a/.| /..| /%2e| /a.b| /~a_b-c| /a?x=1| /a?code=1| /a#b| /a\\b| /a@b| /a:b|";
    let mut plain = 0;
    for scheme in "https:// http:// HTTPS:// https:/ https:/// cursor:// ftp:// ://".split(' ') {
        for host in hosts.split_whitespace() {
            for port in ports.split(' ') {
                for path in paths.split(' ') {
                    let text = format!("{scheme}{host}{port}{path}").replace('|', "");
                    if let Some(kind) = usual::kind(&text) {
                        assert_eq!(RedirectUri::take_apart(&text), Ok(kind), "{text}");
                        plain += 1;
                    }
                }
            }
        }
    }
    assert!(plain > 100, "{plain}");
}

proptest! {
    #[test]
    fn whatever_is_plainly_one_is_one(text in "(https|http)://[a-z0-9.:-]{0,20}(/[a-z./~_-]{0,12})?") {
        if let Some(kind) = usual::kind(&text) {
            prop_assert_eq!(RedirectUri::take_apart(&text), Ok(kind));
        }
    }
}
