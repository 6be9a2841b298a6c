// SPDX-License-Identifier: Apache-2.0
//! Good and bad values of every kind.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn sizes_need_a_unit_and_are_never_zero() {
    assert_eq!(size("64KiB"), Ok(65_536));
    assert_eq!(size("1MiB"), Ok(1_048_576));
    assert_eq!(size("7B"), Ok(7));
    assert_eq!(size("0KiB"), Err(ValueError::Zero));
    for text in ["", "64", "64kb", "64KB", "64 KiB", "-1KiB", "1.5MiB", "KiB", "064KiB", "99999999999GiB"] {
        assert_eq!(size(text), Err(ValueError::Size), "{text}");
    }
    assert_eq!(bytes_per_second("1KiB/s"), Ok(1024));
    assert_eq!(bytes_per_second("0B/s"), Err(ValueError::Zero));
    assert_eq!(bytes_per_second("1KiB"), Err(ValueError::ByteRate));
    assert_eq!(bytes_per_second("1KiB/min"), Err(ValueError::ByteRate));
}

#[test]
fn durations_need_a_unit_and_are_never_zero() {
    assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
    assert_eq!(duration("24h"), Ok(Duration::from_hours(24)));
    assert_eq!(duration("0s"), Err(ValueError::Zero));
    assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
    for text in
        ["", "5", "s", "5 s", "5min", "1h30m", "-5s", "05s", "5S", "99999999999999999999s", "9999999999999999999d"]
    {
        assert_eq!(duration(text), Err(ValueError::Duration), "{text}");
    }
    assert!(matches!(duration("367d"), Err(ValueError::TooLarge(_))));
}

#[test]
fn rates_have_errors_of_their_own() {
    assert!(rate("60/min burst 20").is_ok());
    assert_eq!(rate("60"), Err(ValueError::Rate));
    assert_eq!(rate("0/s"), Err(ValueError::Zero));
}

#[test]
fn days_are_those_of_the_calendar() {
    let day = |text: &str| Day::parse(text).map(|day| day.to_string());
    assert_eq!(day("2028-02-29"), Ok("2028-02-29".to_owned()));
    for text in ["2027-02-29", "2100-02-29", "2027-13-01", "2027-00-10", "2027-1-1", "27-01-01", "2027-01-01T", "x"] {
        assert_eq!(day(text), Err(ValueError::Date), "{text}");
    }
    assert_eq!(Day::of(Duration::from_secs(0)).to_string(), "1970-01-01");
    assert_eq!(Day::of(Duration::from_hours(11_016 * 24)).to_string(), "2000-02-29");
    assert_eq!(Day::of(Duration::from_secs(1_795_478_399)).to_string(), "2026-11-23");
    assert!(Day::of(Duration::MAX).to_string().starts_with("9999-"));
}

#[test]
fn addresses_are_exact() {
    assert!(url("https://id.example.com/tenant").is_ok_and(|url| url.port == 443 && !url.is_loopback()));
    assert!(
        url("http://[::1]:9000/")
            .is_ok_and(|url| url.host == "::1" && url.is_loopback() && url.authority == "[::1]:9000")
    );
    assert!(url("http://LOCALHOST:9000").is_ok_and(|url| url.is_loopback()));
    assert!(url("http://127.0.0.1.example.com").is_ok_and(|url| !url.is_loopback()));
    assert_eq!(url("https://user:pass@example.com").err(), Some(ValueError::UrlUser));
    assert_eq!(url("https://example.com/#x").err(), Some(ValueError::UrlQuery));
    for text in [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https:///x",
        "https://a b",
        "http://x:0",
        "http://x:99999",
    ] {
        assert_eq!(url(text).err(), Some(ValueError::Url), "{text}");
    }
    for text in ["*", "*.example.com", "a.example.com:443", "https://a", "a/b", "", "a b"] {
        assert_eq!(host(text), Err(ValueError::Host), "{text}");
    }
    assert_eq!(host("API.Example.com").as_deref(), Ok("api.example.com"));
    for text in ["", "v1", "/v1/", "/a//b", "/../x", "/a?b", "/%41", "/a/./b"] {
        assert!(base_path(text).is_err(), "{text}");
    }
    assert!(base_path("/").is_ok() && base_path("/v1/x").is_ok());
    assert_eq!(header_name("authorization"), Err(ValueError::HeaderTaken));
    assert_eq!(header_name("x_auth"), Err(ValueError::Header));
    assert!(header_name("X-Auth-Subject").is_ok());
    assert!(socket("localhost:80").is_err() && socket("[::1]:80").is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = (size(&text), duration(&text), rate(&text), Day::parse(&text));
        let _ = (url(&text), host(&text), base_path(&text), header_name(&text).is_ok(), socket(&text));
    }

    #[test]
    fn days_of_the_clock_read_back(seconds in 0_u64..200_000_000_000) {
        let day = Day::of(Duration::from_secs(seconds));
        prop_assert_eq!(Day::parse(&day.to_string()), Ok(day));
        prop_assert!(day <= Day::of(Duration::from_secs(seconds + 86_400)));
    }
}
