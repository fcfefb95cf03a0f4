//! permessage-deflate: every form of offer and answer (RFC 7692 5 and 7.1).

use super::*;

/// All that can be had.
fn widest() -> Compression {
    Compression {
        server_context_takeover: true,
        client_context_takeover: true,
        ..Compression::default()
    }
}

fn accept(offers: &str, own: &Compression) -> Option<Agreed> {
    own.accept([offers.as_bytes()].into_iter())
}

fn answer(offers: &str, own: &Compression) -> Option<String> {
    accept(offers, own).map(|agreed| agreed.as_str().to_owned())
}

fn direction(context_takeover: bool, window_bits: u8) -> Direction {
    Direction {
        context_takeover,
        window_bits,
    }
}

const PLAIN: &str = "permessage-deflate";
const DEFAULT: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

#[test]
fn by_default_no_context_is_taken_over() {
    let agreed = accept(PLAIN, &Compression::default()).unwrap();
    assert_eq!(agreed.as_str(), DEFAULT);
    assert_eq!(agreed.server, direction(false, 15));
    assert_eq!(agreed.client, direction(false, 15));
    let browser = "permessage-deflate; client_max_window_bits";
    assert_eq!(
        answer(browser, &Compression::default()).as_deref(),
        Some(DEFAULT)
    );
}

#[test]
fn each_parameter_is_answered() {
    for (offered, answered) in [
        ("", ""),
        (
            "; server_no_context_takeover",
            "; server_no_context_takeover",
        ),
        (
            "; client_no_context_takeover",
            "; client_no_context_takeover",
        ),
        ("; client_max_window_bits", ""),
        ("; client_max_window_bits=15", ""),
        ("; client_max_window_bits=10", "; client_max_window_bits=10"),
        // 8 is the client's business: what it writes with it can be read.
        ("; client_max_window_bits=8", "; client_max_window_bits=8"),
        ("; server_max_window_bits=15", "; server_max_window_bits=15"),
        ("; server_max_window_bits=9", "; server_max_window_bits=9"),
        (
            "; client_max_window_bits=12; server_max_window_bits=11; client_no_context_takeover; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=12",
        ),
    ] {
        let answered = format!("{PLAIN}{answered}");
        assert_eq!(
            answer(&format!("{PLAIN}{offered}"), &widest()),
            Some(answered),
            "{offered}"
        );
    }
    let smaller = Compression {
        server_max_window_bits: 10,
        client_max_window_bits: 11,
        ..widest()
    };
    for (offered, answered, client_bits) in [
        // Who does not mention its window cannot be told.
        ("", "; server_max_window_bits=10", 15),
        (
            "; client_max_window_bits",
            "; server_max_window_bits=10; client_max_window_bits=11",
            11,
        ),
        (
            "; client_max_window_bits=9",
            "; server_max_window_bits=10; client_max_window_bits=9",
            9,
        ),
        (
            "; server_max_window_bits=12",
            "; server_max_window_bits=10",
            15,
        ),
        (
            "; server_max_window_bits=9",
            "; server_max_window_bits=9",
            15,
        ),
    ] {
        let agreed = accept(&format!("{PLAIN}{offered}"), &smaller).unwrap();
        assert_eq!(agreed.as_str(), format!("{PLAIN}{answered}"));
        assert_eq!(agreed.client.window_bits, client_bits, "{offered}");
    }
}

#[test]
fn quotes_space_and_empty_elements() {
    let wanted = "permessage-deflate; server_max_window_bits=10";
    for offer in [
        "permessage-deflate;server_max_window_bits=10",
        "permessage-deflate ; server_max_window_bits = 10",
        "\t permessage-deflate\t;\tserver_max_window_bits\t=\t\"10\" ",
        "permessage-deflate; server_max_window_bits=\"10\"",
        "permessage-deflate; server_max_window_bits=\"\\1\\0\"",
        ", ,permessage-deflate; server_max_window_bits=10,, ,",
        "x-webkit-deflate-frame; a=\",; \\\"\"",
        "foo; bar=\"baz\", permessage-deflate; server_max_window_bits=10",
    ] {
        let wanted = (!offer.starts_with("x-")).then_some(wanted);
        assert_eq!(answer(offer, &widest()).as_deref(), wanted, "{offer}");
    }
}

/// CVE-2026-2229 (undici), ws 2017: what is not an offer is declined, and nothing worse happens.
#[test]
fn x03_cve_2026_2229_bad_parameters_decline_the_offer() {
    for bad in [
        "; server_max_window_bits",
        "; server_max_window_bits=",
        "; server_max_window_bits=7",
        "; server_max_window_bits=8",
        "; server_max_window_bits=16",
        "; server_max_window_bits=08",
        "; server_max_window_bits=09",
        "; server_max_window_bits=+9",
        "; server_max_window_bits=-9",
        "; server_max_window_bits=9.0",
        "; server_max_window_bits=1e1",
        "; server_max_window_bits=999",
        "; server_max_window_bits=99999999999999999999999",
        "; server_max_window_bits=\"\"",
        "; server_max_window_bits=\" 9\"",
        "; server_max_window_bits=\"9",
        "; server_max_window_bits=9; server_max_window_bits=9",
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        "; client_max_window_bits=",
        "; client_max_window_bits; client_max_window_bits=9",
        "; server_no_context_takeover=true",
        "; client_no_context_takeover=1",
        "; server_no_context_takeover; server_no_context_takeover",
        "; client_no_context_takeover; client_no_context_takeover",
        "; unknown",
        "; unknown=1",
        "; constructor",
        "; Server_No_Context_Takeover",
        ";",
        "; ;",
        " server_no_context_takeover",
        "=1",
    ] {
        let offer = format!("{PLAIN}{bad}");
        assert_eq!(answer(&offer, &widest()), None, "{offer}");
    }
    for other in [
        "",
        ",",
        "constructor",
        "permessage-bzip2",
        "deflate-frame",
        "permessage-deflat",
    ] {
        assert_eq!(answer(other, &widest()), None, "{other}");
    }
}

#[test]
fn the_first_offer_that_can_be_taken_is() {
    for (offers, wanted) in [
        (
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            "; server_max_window_bits=10",
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "",
        ),
        (
            "permessage-deflate; unknown, foo, permessage-deflate; server_no_context_takeover",
            "; server_no_context_takeover",
        ),
    ] {
        assert_eq!(
            answer(offers, &widest()),
            Some(format!("{PLAIN}{wanted}")),
            "{offers}"
        );
    }
    // Over several lines; one that breaks the grammar takes no other with it.
    let lines: [&[u8]; 3] = [b"a; b=\"", b"foo", b"permessage-deflate"];
    assert!(widest().accept(lines.into_iter()).is_some());
}

#[test]
fn numbers_out_of_range_are_taken_as_the_nearest() {
    let own = Compression {
        server_max_window_bits: 0,
        client_max_window_bits: 99,
        level: 200,
        ..widest()
    };
    let agreed = accept("permessage-deflate; client_max_window_bits", &own).unwrap();
    assert_eq!(
        agreed.as_str(),
        "permessage-deflate; server_max_window_bits=9"
    );
    assert_eq!(agreed.level, 9);
}

fn check(answer: &str, own: &Compression) -> Result<Option<Agreed>, InvalidExtension> {
    own.check([answer.as_bytes()].into_iter())
}

#[cfg(feature = "client")]
#[test]
fn what_a_client_offers() {
    assert_eq!(
        Compression::default().offer(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    );
    let own = Compression {
        server_max_window_bits: 10,
        client_max_window_bits: 11,
        ..widest()
    };
    let offered = own.offer();
    assert_eq!(
        offered,
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"
    );
    // A server of our own takes it, and the client takes that.
    let answered = accept(&offered, &widest()).unwrap();
    let agreed = check(answered.as_str(), &own).unwrap().unwrap();
    assert_eq!(
        (agreed.server, agreed.client),
        (answered.server, answered.client)
    );
}

#[test]
fn a_client_takes_what_it_offered() {
    assert_eq!(check("", &widest()), Ok(None));
    assert_eq!(widest().check([].into_iter()), Ok(None));
    for (answer, own, server, client) in [
        ("", widest(), direction(true, 15), direction(true, 15)),
        (
            "; server_no_context_takeover; client_no_context_takeover",
            widest(),
            direction(false, 15),
            direction(false, 15),
        ),
        (
            "; server_max_window_bits=9; client_max_window_bits=\"10\"",
            widest(),
            direction(true, 9),
            direction(true, 10),
        ),
        (
            "; client_max_window_bits=8",
            widest(),
            direction(true, 15),
            direction(true, 8),
        ),
        // The server may remember all the same; the client need not.
        (
            "",
            Compression::default(),
            direction(true, 15),
            direction(false, 15),
        ),
    ] {
        let agreed = check(&format!("{PLAIN}{answer}"), &own).unwrap().unwrap();
        assert_eq!((agreed.server, agreed.client), (server, client), "{answer}");
        assert_eq!(
            agreed.as_str(),
            format!("{PLAIN}{}", answer.replace('"', ""))
        );
    }
}

#[test]
fn x03_a_client_fails_on_what_it_did_not_offer() {
    let own = Compression {
        server_max_window_bits: 12,
        client_max_window_bits: 12,
        ..widest()
    };
    for bad in [
        "; client_max_window_bits",
        "; client_max_window_bits=13",
        "; client_max_window_bits=7",
        "; server_max_window_bits=13",
        "; server_max_window_bits=16",
        "; server_max_window_bits",
        "; server_no_context_takeover=1",
        "; server_no_context_takeover; server_no_context_takeover",
        "; unknown",
        "; \"",
    ] {
        let seen = check(&format!("{PLAIN}{bad}"), &own);
        assert_eq!(seen, Err(InvalidExtension::Parameters), "{bad}");
    }
    for other in [
        "foo",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate, foo",
        "x; y=1",
    ] {
        assert_eq!(
            check(other, &own),
            Err(InvalidExtension::NotOffered),
            "{other}"
        );
    }
    let two: [&[u8]; 2] = [PLAIN.as_bytes(), PLAIN.as_bytes()];
    assert_eq!(
        own.check(two.into_iter()),
        Err(InvalidExtension::NotOffered)
    );
}
