use std::{net::TcpListener, time::Duration};

use super::*;

/// A fetcher that may ask this machine, a server on it that never answers, and its address.
fn at_a_silent_server() -> (Fetcher, TcpListener, Url) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://127.0.0.1:{}/keys", server.local_addr().unwrap().port());
    let settings = FetchSettings {
        allowed_networks: vec!["127.0.0.1".parse().unwrap()],
        patience: Duration::from_millis(200),
        ..FetchSettings::default()
    };
    let issuer = Issuer::parse("https://auth.example.com").unwrap();
    let fetcher = Fetcher::new(settings, &issuer).unwrap();
    (fetcher, server, Url::parse(&url).unwrap())
}

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SLOW: Result<Fetched, FetchFault> = Err(TOO_LONG);

#[actix_web::test]
async fn an_address_is_not_blamed_for_the_time_that_others_took() {
    let (fetcher, _server, url) = at_a_silent_server();
    for (acquaintance, most) in [
        (Acquaintance::Known, KNOWN_AT_ONCE),
        (Acquaintance::New, NEW_AT_ONCE),
    ] {
        assert_eq!(fetcher.get(&url, 100, acquaintance, NOW).await, SLOW);
        let all = match acquaintance {
            Acquaintance::Known => &fetcher.known,
            Acquaintance::New => &fetcher.new,
        };
        let held = all.acquire_many(u32::try_from(most).unwrap()).await.unwrap();
        let reading = fetcher.get(&url, 100, acquaintance, NOW);
        let (got, ()) = tokio::join!(biased; reading, async { drop(held) });
        assert_eq!(got, Err(FetchFault::Busy));
    }
}

#[actix_web::test]
async fn a_slow_host_keeps_two_of_its_readers_and_nobody_elses() {
    let (fetcher, _server, url) = at_a_silent_server();
    let get = |acquaintance| fetcher.get(&url, 100, acquaintance, NOW);
    let four = futures_util::future::join_all([Acquaintance::Known; 4].map(get));
    let free = async { fetcher.known.available_permits() };
    let (got, free) = tokio::join!(biased; four, free);
    assert_eq!(free, KNOWN_AT_ONCE - 2);
    assert_eq!(got.iter().filter(|got| **got == SLOW).count(), 2);
    assert_eq!(got.iter().filter(|got| **got == Err(FetchFault::Busy)).count(), 2);
    let _readers = fetcher.hosts.of(&url).acquire_many_owned(2).await.unwrap();
    assert_eq!(get(Acquaintance::New).await, SLOW);
}
